"""A claim that runs out, cameras that take turns, and viewers of other nodes: the core alone."""

import msgspec
import pytest

from rendezvous.rooms.facts import (
    ConnectionOpened,
    Home,
    LeaseLost,
    LeasesRenewed,
    LetterReceived,
    NodeLost,
    RoomFound,
    RoomLookedUp,
    StoreReached,
)
from rendezvous.rooms.letters import HandedOver, Moved, Overtaken, Said, Told
from rendezvous.rooms.limits import Limits
from rendezvous.wire.identity import ConnectionId, RoomId
from rendezvous.wire.messages import (
    Answer,
    Challenge,
    Claimed,
    End,
    Error,
    Joined,
    Offer,
    Presence,
    Resume,
    Source,
    Waiting,
)
from tests.support.node_scene import ELSEWHERE, ROOM, THERE, Node
from tests.support.peers import SDP, Key, proven_join, signed_claim
from tests.support.scene import ORIGIN, Actor, Scene

KEY = Key()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def lapse(scene: Scene) -> None:
    """The store cannot be reached for long enough."""
    epoch = scene.book.rooms[ROOM].epoch
    scene.happens(LeasesRenewed({ROOM: epoch}, scene.now + 1))
    scene.passes(1)


def reclaims(camera: Actor, nonce: str) -> None:
    """The camera does what it was asked to do."""
    welcome = msgspec.structs.replace(camera.welcome, nonce=nonce)
    camera.says(signed_claim(welcome, KEY, room=ROOM, origin=ORIGIN))


# ── leases ───────────────────────────────────────────────────────────────────────────────────


def test_when_a_lease_is_over_nothing_begins_and_nothing_ends(scene: Scene) -> None:
    """A running session keeps its messages; one that was being made, and who joins, waits."""
    camera = scene.camera(ROOM, KEY)
    camera.hears_only(Claimed)
    watching, session = scene.session(ROOM, camera)
    joining = scene.viewer(ROOM)
    joining.hears_only(Joined)
    lapse(scene)
    joining.hears_only(Waiting)
    scene.viewer(ROOM).hears_only(Waiting)
    watching.says(Offer(session=session.session, sdp=SDP))
    camera.hears_only(Offer)
    camera.says(Answer(session=session.session, sdp=SDP))
    watching.hears_only(Answer)
    assert not camera.closed


def test_an_offer_does_not_slip_through_before_the_clock_ticks(scene: Scene) -> None:
    """A process that was stopped for a while goes by the time, not by its timers."""
    camera = scene.camera(ROOM, KEY)
    camera.hears_only(Claimed)
    viewer = scene.viewer(ROOM)
    joined = viewer.hears_only(Joined)
    scene.happens(LeasesRenewed({ROOM: scene.book.rooms[ROOM].epoch}, scene.now + 1))
    scene.now += 1
    viewer.says(Offer(session=joined.session, sdp=SDP))
    viewer.hears_only(Waiting)
    camera.hears_nothing()


def test_a_camera_claims_again_over_a_fresh_nonce(scene: Scene) -> None:
    """Its old signature is worth nothing any more; those who waited join."""
    camera = scene.camera(ROOM, KEY)
    camera.hears_only(Claimed)
    lapse(scene)
    waiting = scene.viewer(ROOM)
    waiting.hears_only(Waiting)
    scene.happens(StoreReached())
    nonce = camera.hears_only(Challenge).nonce
    assert nonce != camera.welcome.nonce
    reclaims(camera, camera.welcome.nonce)
    assert camera.hears_only(Error).code == "claim_invalid"
    reclaims(camera, nonce)
    camera.hears_only(Claimed)
    waiting.hears_only(Joined)


def test_cameras_are_asked_some_at_a_time() -> None:
    """Ten thousand of them are no storm."""
    scene = Scene(Limits(challenges=2))
    cameras = [scene.camera(f"Room{number}", KEY) for number in range(5)]
    epochs = {room.id: room.epoch for room in scene.book.rooms.values()}
    scene.happens(LeasesRenewed(epochs, scene.now + 1))
    scene.passes(1)
    asked = []
    for _ in range(4):
        scene.happens(StoreReached())
        asked.append(sum(isinstance(c.told[-1], Challenge) for c in cameras))
    assert asked == [2, 4, 5, 5]


def test_a_renewal_that_comes_late_still_counts(scene: Scene) -> None:
    """The store has kept the lease: nobody else can have had the room."""
    camera = scene.camera(ROOM, KEY)
    lapse(scene)
    viewer = scene.viewer(ROOM)
    viewer.hears_only(Waiting)
    scene.happens(LeasesRenewed({ROOM: scene.book.rooms[ROOM].epoch}, scene.now + 10))
    viewer.hears_only(Joined)
    assert not camera.closed


def test_a_lease_that_the_store_forgot_is_over(scene: Scene) -> None:
    """At once; an older one that it forgot is of no interest."""
    scene.camera(ROOM, KEY)
    epoch = scene.book.rooms[ROOM].epoch
    scene.happens(LeaseLost(ROOM, epoch - 1))
    assert scene.book.rooms[ROOM].live(scene.now)
    scene.happens(LeaseLost(ROOM, epoch))
    assert not scene.book.rooms[ROOM].live(scene.now)


# ── cameras that take turns ──────────────────────────────────────────────────────────────────


def test_two_daemons_with_one_key_are_slowed_down_more_and_more(scene: Scene) -> None:
    """The first takeovers are at once; then who holds the room keeps it, longer each time."""
    waits: list[float] = []
    for _ in range(7):
        camera = scene.camera(ROOM, KEY)
        (heard,) = camera.hears()
        if isinstance(heard, Error):
            assert (heard.code, camera.closed) == ("superseded", True)
            waits.append(heard.retry_after or 0)
            holder = scene.actors[scene.book.rooms[ROOM].camera or ConnectionId("")]
            scene.passes_alive(waits[-1], holder)
            scene.camera(ROOM, KEY).hears_only(Claimed)
    assert waits == [10.0, 20.0]


def test_a_camera_whose_address_changes_often_takes_turns_with_nobody(scene: Scene) -> None:
    """One process is no rival of itself; another one with the same key still is."""
    for _ in range(20):
        scene.camera(ROOM, KEY, instance="a" * 22).hears_only(Claimed)
        scene.passes(2)
    rivals = [scene.camera(ROOM, KEY, instance=name * 22) for name in "bababa"]
    assert any(isinstance(heard, Error) for rival in rivals for heard in rival.hears())


def test_a_camera_that_is_perhaps_half_open_is_replaced_at_once(scene: Scene) -> None:
    """However often: who was not heard for a while may be gone."""
    for _ in range(10):
        scene.camera(ROOM, KEY).hears_only(Claimed)
        scene.passes(8)


# ── other nodes ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def node() -> Node:
    return Node()


def test_a_running_session_is_resumed_where_the_camera_went(node: Node) -> None:
    """Its viewer says nothing and hears nothing of it."""
    viewer, joined = node.watching()
    node.happens(RoomFound(ROOM, Home(ELSEWHERE, 6)))
    viewer.hears_nothing()
    (to, letter) = node.posted[-1]
    assert isinstance(letter, HandedOver)
    assert to == ELSEWHERE
    assert letter.message == Resume(session=joined.session, secret=joined.secret, room=ROOM)
    assert letter.epoch == 6


def test_one_that_was_being_negotiated_is_joined_anew(node: Node) -> None:
    """With the proof that the viewer gave: it holds for its connection, wherever it is checked."""
    viewer = node.away()
    node.tells(viewer, Joined(room=ROOM, session="s" * 22, secret="t" * 22))
    node.happens(LetterReceived(ELSEWHERE, Moved(room=ROOM, epoch=6, node=ELSEWHERE)))
    _, letter = node.posted[-1]
    assert isinstance(letter, HandedOver)
    assert letter.message == proven_join(viewer.welcome, ROOM)


def test_a_session_whose_home_is_lost_waits_for_another_and_not_for_ever(node: Node) -> None:
    """The viewer is told at once, and after two minutes that the camera is gone."""
    viewer, _ = node.watching()
    node.happens(NodeLost(THERE))
    assert not viewer.hears_only(Presence).present
    assert ROOM in node.core.sought_rooms
    node.passes_alive(119, viewer)
    assert [m for m in viewer.hears() if isinstance(m, End)] == []
    node.passes_alive(2, viewer)
    assert [m.reason for m in viewer.hears() if isinstance(m, End)] == ["camera_gone"]


def test_the_camera_comes_to_the_viewers_node(node: Node) -> None:
    """The session is there when the camera resumes it."""
    viewer, joined = node.watching()
    node.epoch = 6
    camera = node.camera(ROOM, KEY)
    camera.says(Resume(session=joined.session, secret=joined.secret, room=ROOM))
    assert isinstance(viewer.hears()[-1], Source)
    viewer.says(Offer(session=joined.session, sdp=SDP))
    assert isinstance(camera.hears()[-1], Offer)


def test_a_home_under_a_forgotten_claim_is_told_of_the_newer_one(node: Node) -> None:
    """The store lost that one, and its clock is behind: viewers would wait for ever."""
    node.away(epoch=9)
    node.posted.clear()
    node.happens(RoomFound(ROOM, Home(ELSEWHERE, 5)))
    assert node.posted == [(ELSEWHERE, Overtaken(room=ROOM, epoch=9))]
    assert node.drops == ["stale_epoch"]


def test_whose_claim_was_forgotten_elsewhere_claims_above_both(node: Node) -> None:
    camera = node.camera(ROOM, KEY)
    epoch = node.book.newest(ROOM)
    for known in (epoch - 1, epoch):
        node.happens(LetterReceived(THERE, Overtaken(room=ROOM, epoch=known)))
    assert node.book.rooms[ROOM].live(node.now)
    node.happens(LetterReceived(THERE, Overtaken(room=ROOM, epoch=epoch + 100)))
    assert not node.book.rooms[ROOM].live(node.now)
    camera.hears()
    node.happens(StoreReached())
    reclaims(camera, camera.hears_only(Challenge).nonce)
    assert node.book.rooms[ROOM].live(node.now)
    assert node.book.newest(ROOM) > epoch + 100


def test_who_keeps_a_room_from_another_key_helps_that_one_to_nothing(node: Node) -> None:
    """The store lost its data, and gave the name away, before it knew that the camera is here."""
    node.camera(ROOM, KEY)
    node.happens(RoomFound(ROOM, Home(THERE, 1, Key().owner)))
    assert node.posted == []


@pytest.mark.parametrize(
    ("more", "counted"),
    [
        ({"epoch": 4}, "stale_epoch"),
        ({"seat": 77}, "late"),
        ({"room": RoomId("Another")}, "cross_room"),
    ],
)
def test_letters_that_were_overtaken_reach_nobody(
    node: Node, more: dict[str, object], counted: str
) -> None:
    """An older epoch, an earlier seat, another room."""
    viewer, joined = node.watching()
    node.tells(viewer, End(session=joined.session, reason="left"), **more)  # type: ignore[arg-type]
    viewer.hears_nothing()
    assert node.drops == [counted]


def test_a_home_serves_far_viewers_as_its_own(node: Node) -> None:
    """It posts what it would send; it knows the viewer as long as it has a place."""
    node.camera(ROOM, KEY)
    peer = node.opens()  # lends its nonce and its proof to a viewer of another node
    connection = ConnectionId("far")
    welcome = msgspec.structs.replace(peer.welcome, connection=connection)
    letter = HandedOver(
        room=ROOM,
        epoch=node.epoch,
        connection=connection,
        seat=1,
        nonce=welcome.nonce,
        message=proven_join(welcome, ROOM),
    )
    node.happens(LetterReceived(THERE, letter))
    to, told = node.posted[-1]
    assert isinstance(told, Told)
    assert (to, told.connection, told.seat, told.bound) == (THERE, connection, 1, True)
    assert isinstance(told.message, Joined)
    node.happens(NodeLost(THERE))
    assert connection not in node.book.peers


def test_a_far_viewer_that_resumed_before_it_is_admitted_anew_stays_known(node: Node) -> None:
    """It asked to join while the lease was over, and had its session back before the store said."""
    camera = node.camera(ROOM, KEY)
    welcome = msgspec.structs.replace(node.opens().welcome, connection="far")
    to = {"room": ROOM, "epoch": node.epoch, "connection": ConnectionId("far"), "seat": 1}
    join = proven_join(welcome, ROOM)
    node.happens(LetterReceived(THERE, HandedOver(**to, nonce=welcome.nonce, message=join)))  # type: ignore[arg-type]
    session = node.book.peers[ConnectionId("far")].session or ""
    node.happens(LetterReceived(THERE, Said(**to, message=Offer(session=session, sdp=SDP))))  # type: ignore[arg-type]
    camera.says(Answer(session=session, sdp=SDP))
    lapse(node)
    node.happens(RoomLookedUp(ConnectionId("far"), join, known=True, verifier=None, seat=1))
    assert node.book.rooms[ROOM].waiting.keys() <= node.book.peers.keys()
    assert node.book.peers[ConnectionId("far")].room == ROOM


def test_opening_a_connection_twice_is_no_takeover(node: Node) -> None:
    """A connection of ours cannot be handed over to us by another node."""
    viewer = node.opens()
    letter = HandedOver(
        room=ROOM,
        epoch=9,
        connection=viewer.id,
        seat=1,
        nonce="n",
        message=proven_join(viewer.welcome, ROOM),
    )
    node.happens(LetterReceived(THERE, letter))
    assert node.drops == ["cross_room"]
    assert node.posted == []
    node.happens(ConnectionOpened(ConnectionId("other"), node.now, frozenset()))
