"""The core's conversations: opening, claims, joins, waiting, coming back, deadlines."""

import msgspec
import pytest

from rendezvous.rooms.book import Ice
from rendezvous.rooms.facts import (
    ConnectionFailed,
    DrainBegan,
    MessageRefused,
    RoomClaimed,
    StoreFailed,
)
from rendezvous.rooms.limits import Limits
from rendezvous.wire import identity
from rendezvous.wire.identity import ConnectionId
from rendezvous.wire.messages import (
    CANDIDATES_PER_SESSION,
    Candidate,
    Claimed,
    End,
    Error,
    ErrorCode,
    Goaway,
    Hello,
    IcePolicy,
    IceServer,
    Join,
    Joined,
    Offer,
    Ping,
    Pong,
    Presence,
    Resume,
    Resumed,
    Source,
    SourceState,
    Waiting,
)
from rendezvous.wire.messages import Session as SessionOpened
from tests.support.peers import LIVE, SDP, VIEWER_SECRET, Key, proven_join, resume, signed_claim
from tests.support.scene import ORIGIN, Actor, Scene

KEY, OTHER_KEY = Key(), Key()
ROOM = "MyRoom"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def refused(actor: Actor, code: ErrorCode) -> Error:
    """The one thing the actor hears is this error."""
    error = actor.hears_only(Error)
    assert error.code == code, error
    return error


# ── opening ──────────────────────────────────────────────────────────────────────────────────


def test_hello_gets_a_fresh_nonce_each_time(scene: Scene) -> None:
    """Two connections never share a nonce, so a claim is good for one only."""
    assert scene.opens().welcome.nonce != scene.opens().welcome.nonce


def test_anything_before_hello_closes(scene: Scene) -> None:
    """The first message is hello."""
    stranger = scene.opens(hello=False).says(Ping())
    refused(stranger, ErrorCode.HELLO_FIRST)
    assert stranger.closed


def test_another_version_closes(scene: Scene) -> None:
    """Version 1 is all there is."""
    stranger = scene.opens(hello=False).says(Hello(version=2))
    refused(stranger, ErrorCode.VERSION_UNSUPPORTED)
    assert stranger.closed


def test_a_second_hello_is_refused(scene: Scene) -> None:
    """The connection stays."""
    peer = scene.opens().says(Hello(version=1))
    refused(peer, ErrorCode.NOT_ALLOWED)
    assert not peer.closed


def test_silence_before_hello_closes_after_five_seconds(scene: Scene) -> None:
    """Not before, not much after."""
    stranger = scene.opens(hello=False)
    scene.passes(4.9)
    assert not stranger.closed
    scene.passes(0.1)
    refused(stranger, ErrorCode.HELLO_TIMEOUT)
    assert stranger.closed


def test_nobody_stays_unadmitted_for_ten_seconds_whatever_it_says(scene: Scene) -> None:
    """Pings, wrong joins and rubbish do not count as being admitted."""
    stranger = scene.opens()
    for _ in range(19):
        scene.passes(0.5)
        stranger.says(Ping(), Join(room=ROOM))
        scene.happens(MessageRefused(stranger.id, ErrorCode.MALFORMED, "No."))
    assert stranger.id in scene.book.peers
    scene.passes(0.5)
    assert stranger.closed
    assert isinstance(last := stranger.hears()[-1], Error)
    assert last.code == ErrorCode.HELLO_TIMEOUT


def test_a_silent_peer_is_pinged_then_closed(scene: Scene) -> None:
    """Pings after 5 and 10 seconds, the end after 15."""
    camera = scene.camera(ROOM, KEY)
    for second in range(1, 15):
        scene.passes(1)
        pings = sum(isinstance(m, Ping) for m in camera.told)
        assert pings == second // 5
    scene.passes(1)
    assert camera.closed
    assert camera.hears()[-1] == Error(
        code=ErrorCode.IDLE_TIMEOUT, message="Nothing was heard for 15 seconds."
    )


def test_any_message_counts_as_life(scene: Scene) -> None:
    """A pong keeps the connection for as long as it likes."""
    camera = scene.camera(ROOM, KEY)
    scene.passes_alive(300, camera)
    assert not camera.closed


def test_ping_is_answered(scene: Scene) -> None:
    """By pong."""
    scene.opens().says(Ping()).hears_only(Pong)


def test_a_message_too_large_closes_and_a_malformed_one_does_not(scene: Scene) -> None:
    """Framing is lost only in the first case."""
    peer = scene.opens()
    scene.happens(MessageRefused(peer.id, ErrorCode.MALFORMED, "x" * 10_000))
    assert len(refused(peer, ErrorCode.MALFORMED).message) == 500
    scene.happens(MessageRefused(peer.id, ErrorCode.MESSAGE_TOO_LARGE, "Too large."))
    refused(peer, ErrorCode.MESSAGE_TOO_LARGE)
    assert peer.closed


def test_facts_about_the_forgotten_are_ignored(scene: Scene) -> None:
    """The world may be slower than the core."""
    gone = ConnectionId("gone")
    for fact in (
        MessageRefused(gone, ErrorCode.MALFORMED, "No."),
        ConnectionFailed(gone, ErrorCode.INTERNAL, "No."),
        StoreFailed(gone),
    ):
        assert scene.core.handle(fact, scene.now) == []


# ── claims ───────────────────────────────────────────────────────────────────────────────────


def test_a_claim_in_order_gets_the_room(scene: Scene) -> None:
    """With the store's epoch."""
    claimed = scene.camera(ROOM, KEY).hears_only(Claimed)
    assert (claimed.room, claimed.epoch, claimed.ttl) == (ROOM, 1, 120.0)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"origin": "elsewhere.example.org:4545"}, ErrorCode.ORIGIN_UNKNOWN),
        ({"room": "-not-a-room"}, ErrorCode.ROOM_MALFORMED),
        ({"room": "Another"}, ErrorCode.CLAIM_INVALID),
        ({"label": "another"}, ErrorCode.CLAIM_INVALID),
        ({"verifier": "A" * 43}, ErrorCode.CLAIM_INVALID),
        ({"verifier": None}, ErrorCode.CLAIM_INVALID),
        ({"key": identity.encode(OTHER_KEY.spki)}, ErrorCode.CLAIM_INVALID),
        ({"key": "AAAA"}, ErrorCode.CLAIM_INVALID),
        ({"key": "not base64!"}, ErrorCode.CLAIM_INVALID),
        ({"signature": ""}, ErrorCode.CLAIM_INVALID),
        ({"signature": "A" * 86}, ErrorCode.CLAIM_INVALID),
        ({"signature": "Ä"}, ErrorCode.CLAIM_INVALID),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_claim_with_anything_changed_is_refused(
    scene: Scene, change: dict[str, str], code: ErrorCode
) -> None:
    """Every field is under the signature, or is the signature."""
    peer = scene.opens()
    claim = signed_claim(peer.welcome, KEY, room=ROOM, origin=ORIGIN)
    refused(peer.says(msgspec.structs.replace(claim, **change)), code)
    assert scene.store == {}


def test_the_origin_error_names_what_was_dialled_and_both_cures(scene: Scene) -> None:
    """The person at the camera can act on it."""
    peer = scene.opens()
    peer.says(signed_claim(peer.welcome, KEY, room=ROOM, origin="cam.example.org:4545"))
    message = refused(peer, ErrorCode.ORIGIN_UNKNOWN).message
    assert "--public-origin cam.example.org:4545" in message
    assert ORIGIN in message


def test_a_claim_cannot_be_replayed_on_another_connection(scene: Scene) -> None:
    """Nonce and connection are signed."""
    first, second = scene.opens(), scene.opens()
    claim = signed_claim(first.welcome, KEY, room=ROOM, origin=ORIGIN)
    refused(second.says(claim), ErrorCode.CLAIM_INVALID)


def test_a_key_room_is_its_keys_alone(scene: Scene) -> None:
    """Also when nobody has ever claimed it."""
    room = identity.key_room(KEY.spki, "garden")
    refused(scene.camera(room, OTHER_KEY, label="garden"), ErrorCode.CLAIM_INVALID)
    refused(scene.camera(room, KEY, label=""), ErrorCode.CLAIM_INVALID)
    scene.camera(room, KEY, label="garden").hears_only(Claimed)


def test_an_open_room_stays_its_first_keys(scene: Scene) -> None:
    """Also while that camera is away."""
    scene.camera(ROOM, KEY).hangs_up()
    refused(scene.camera(ROOM, OTHER_KEY), ErrorCode.ROOM_UNAVAILABLE)
    scene.camera(ROOM, KEY).hears_only(Claimed)


def test_the_same_key_takes_over_at_once(scene: Scene) -> None:
    """The earlier connection is told and closed, the epoch grows, the viewer is joined anew."""
    earlier = scene.camera(ROOM, KEY)
    before = earlier.hears_only(Claimed).epoch
    viewer = scene.viewer(ROOM)
    viewer.hears()
    later = scene.camera(ROOM, KEY)
    refused(earlier, ErrorCode.SUPERSEDED)
    assert earlier.closed
    assert later.hears_only(Claimed).epoch > before
    assert [type(m) for m in viewer.hears()] == [Waiting, Joined]
    earlier.hangs_up()
    assert scene.book.rooms[next(iter(scene.book.rooms))].camera == later.id
    assert scene.released == []


def test_claiming_again_on_the_same_connection_changes_the_secret(scene: Scene) -> None:
    """A publisher may hand out a new link without hanging up."""
    camera = scene.camera(ROOM, KEY)
    camera.hears()
    new = identity.encode(b"another secret!!")
    camera.says(signed_claim(camera.welcome, KEY, room=ROOM, origin=ORIGIN, secret=new))
    camera.hears_only(Claimed)
    refused(scene.viewer(ROOM), ErrorCode.ROOM_UNKNOWN)
    scene.viewer(ROOM, new).hears_only(Joined)


def test_one_connection_has_one_room_and_one_role(scene: Scene) -> None:
    """A camera does not join, a viewer does not claim, and neither goes elsewhere."""
    camera = scene.camera(ROOM, KEY)
    viewer = scene.viewer(ROOM)
    camera.hears(), viewer.hears()
    refused(camera.says(proven_join(camera.welcome, ROOM)), ErrorCode.NOT_ALLOWED)
    claim = signed_claim(camera.welcome, KEY, room="Other", origin=ORIGIN)
    refused(camera.says(claim), ErrorCode.NOT_ALLOWED)
    claim = signed_claim(viewer.welcome, KEY, room=ROOM, origin=ORIGIN)
    refused(viewer.says(claim), ErrorCode.NOT_ALLOWED)
    refused(viewer.says(proven_join(viewer.welcome, "Other")), ErrorCode.NOT_ALLOWED)


def test_a_claim_that_is_granted_too_late_is_released(scene: Scene) -> None:
    """The camera went while the store was asked."""
    claim = signed_claim(scene.opens().welcome, KEY, room=ROOM, origin=ORIGIN)
    scene.happens(RoomClaimed(ConnectionId("gone"), KEY.owner, claim, 7))
    assert [(r.room, r.epoch) for r in scene.released] == [(ROOM, 7)]


def test_a_store_that_fails_is_named(scene: Scene) -> None:
    """Nobody gets a room or a place that nobody has granted."""
    peer = scene.opens()
    scene.happens(StoreFailed(peer.id))
    assert refused(peer, ErrorCode.STORE_UNAVAILABLE).retry_after == 2.0


# ── sources ──────────────────────────────────────────────────────────────────────────────────


def test_viewers_hear_what_the_camera_does(scene: Scene) -> None:
    """With joined, and whenever it changes."""
    camera = scene.camera(ROOM, KEY, source=LIVE)
    viewer, other = scene.viewer(ROOM), scene.viewer(ROOM)
    assert viewer.hears_only(Joined).source == LIVE
    other.hears()
    lost = Source(state=SourceState.LOST, code="source_unreachable", message="Nothing answers.")
    camera.says(lost)
    assert viewer.hears_only(Source) == other.hears_only(Source) == lost
    assert scene.viewer(ROOM).hears_only(Joined).source == lost


def test_only_a_camera_has_a_source(scene: Scene) -> None:
    """A viewer cannot speak for it."""
    scene.camera(ROOM, KEY)
    viewer = scene.viewer(ROOM)
    viewer.hears()
    refused(viewer.says(LIVE), ErrorCode.NOT_ALLOWED)


# ── joins ────────────────────────────────────────────────────────────────────────────────────


def test_unknown_room_and_wrong_proof_look_alike(scene: Scene) -> None:
    """Byte for byte, whether the camera is there, away, or never was."""
    scene.camera("Live", KEY)
    scene.camera("Away", KEY).hangs_up()
    answers = {
        scene.viewer(room, secret).hears_only(Error)
        for room in ("Live", "Away", "Never")
        for secret in (None, identity.encode(b"a wrong secret!!"))
    }
    assert len(answers) == 1
    assert answers.pop().code == ErrorCode.ROOM_UNKNOWN


def test_a_public_room_needs_no_proof(scene: Scene) -> None:
    """Who shows one was given it by a camera that had a secret: this is perhaps another."""
    scene.camera(ROOM, KEY, secret=None)
    scene.viewer(ROOM, None).hears_only(Joined)
    nowhere = refused(scene.viewer("Never"), ErrorCode.ROOM_UNKNOWN)
    assert refused(scene.viewer(ROOM, VIEWER_SECRET), ErrorCode.ROOM_UNKNOWN) == nowhere


def test_a_proof_is_good_for_its_connection_only(scene: Scene) -> None:
    """A join cannot be replayed."""
    scene.camera(ROOM, KEY)
    first, second = scene.opens(), scene.opens()
    refused(second.says(proven_join(first.welcome, ROOM)), ErrorCode.ROOM_UNKNOWN)


def test_a_room_that_cannot_exist_is_malformed(scene: Scene) -> None:
    """That tells nothing about rooms that can."""
    refused(scene.opens().says(Join(room="no room!")), ErrorCode.ROOM_MALFORMED)


def test_ice_servers_are_handed_out_with_joined_and_session_only() -> None:
    """Those who may not join learn none."""
    server = IceServer(urls=("turn:turn.example.org",), username="u", credential="c")
    scene = Scene(ice=Ice(lambda _room: (server,), IcePolicy.RELAY))
    camera = scene.camera(ROOM, KEY)
    camera.hears()
    viewer = scene.viewer(ROOM)
    joined = viewer.hears_only(Joined)
    assert (joined.ice_servers, joined.ice_policy) == ((server,), IcePolicy.RELAY)
    viewer.says(Offer(session=joined.session, sdp=SDP, trickle=False))
    opened = camera.hears_only(SessionOpened)
    assert (opened.ice_servers, opened.ice_policy) == ((server,), IcePolicy.RELAY)
    assert not opened.trickle


def _ice(policy: IcePolicy = IcePolicy.ALL) -> Ice:
    server = IceServer(urls=("turn:turn.example.org",), username="u", credential="c")
    return Ice(lambda _room: (server,), policy, relays=True)


@pytest.mark.parametrize("server", IcePolicy)
@pytest.mark.parametrize("camera", IcePolicy)
def test_the_stricter_of_server_and_camera_says_who_learns_addresses(
    server: IcePolicy, camera: IcePolicy
) -> None:
    """Both members are told the same, before either has described itself."""
    scene = Scene(ice=_ice(server))
    owner = scene.camera(ROOM, KEY, ice_policy=camera)
    owner.hears()
    viewer = scene.viewer(ROOM)
    joined = viewer.hears_only(Joined)
    viewer.says(Offer(session=joined.session, sdp=SDP))
    opened = owner.hears_only(SessionOpened)
    relay = IcePolicy.RELAY in (server, camera)
    assert joined.ice_policy == opened.ice_policy == ("relay" if relay else "all")


def test_a_room_is_not_relayed_any_more_when_its_camera_says_so() -> None:
    scene = Scene(ice=_ice())
    scene.camera(ROOM, KEY, ice_policy=IcePolicy.RELAY)
    scene.camera(ROOM, KEY)
    assert scene.viewer(ROOM).hears_only(Joined).ice_policy is IcePolicy.ALL


def test_a_relay_only_room_wants_a_relay(scene: Scene) -> None:
    """Else its camera would wait for viewers in vain."""
    camera = scene.camera(ROOM, KEY, ice_policy=IcePolicy.RELAY)
    assert "--turn" in refused(camera, ErrorCode.RELAY_UNAVAILABLE).message
    refused(scene.viewer(ROOM), ErrorCode.ROOM_UNKNOWN)


def test_nobody_gets_credentials_before_the_camera_is_there() -> None:
    """Who waits gets them with what follows: fresh ones."""
    handed: list[str] = []

    def servers(room: str) -> tuple[IceServer, ...]:
        handed.append(room)
        return ()

    scene = Scene(ice=Ice(servers))
    scene.camera(ROOM, KEY).hangs_up()
    waiting = scene.viewer(ROOM)
    waiting.hears_only(Waiting)
    refused(scene.viewer(ROOM, None), ErrorCode.ROOM_UNKNOWN)
    assert handed == []
    scene.camera(ROOM, KEY)
    waiting.hears_only(Joined)
    assert handed == [ROOM]


def test_places_are_limited(scene: Scene) -> None:
    """The eleventh viewer is told when to come back; a place that is given up is free."""
    scene.camera(ROOM, KEY)
    viewers = [scene.viewer(ROOM) for _ in range(10)]
    late = scene.viewer(ROOM)
    assert refused(late, ErrorCode.ROOM_FULL).retry_after == 5.0
    viewers[3].hangs_up()
    late.says(proven_join(late.welcome, ROOM)).hears_only(Joined)


def test_waiting_viewers_take_places_too(scene: Scene) -> None:
    """A room without camera cannot be filled without bound."""
    scene.camera(ROOM, KEY).hangs_up()
    for _ in range(10):
        scene.viewer(ROOM).hears_only(Waiting)
    refused(scene.viewer(ROOM), ErrorCode.ROOM_FULL)


def test_a_waiting_viewer_joins_by_itself(scene: Scene) -> None:
    """When the camera claims again."""
    scene.camera(ROOM, KEY).hangs_up()
    viewer = scene.viewer(ROOM)
    viewer.hears_only(Waiting)
    scene.camera(ROOM, KEY)
    viewer.hears_only(Joined)


def test_waiting_ends_after_two_minutes(scene: Scene) -> None:
    """The viewer may ask again on the same connection."""
    scene.camera(ROOM, KEY).hangs_up()
    viewer = scene.viewer(ROOM)
    viewer.hears_only(Waiting)
    scene.passes_alive(119, viewer)
    viewer.hears_nothing()
    scene.passes(1)
    refused(viewer, ErrorCode.ROOM_UNKNOWN)
    assert scene.book.rooms == {}
    viewer.says(proven_join(viewer.welcome, ROOM)).hears_only(Waiting)


def test_joining_again_replaces(scene: Scene) -> None:
    """The camera is told; the place is not lost in between."""
    scene = Scene(Limits(viewers_per_room=1))
    camera = scene.camera(ROOM, KEY)
    camera.hears()
    viewer, first = scene.session(ROOM, camera)
    viewer.says(proven_join(viewer.welcome, ROOM))
    second = viewer.hears_only(Joined)
    assert second.session != first.session
    assert camera.hears_only(End).reason == "replaced"


# ── sessions ─────────────────────────────────────────────────────────────────────────────────


def test_nobody_speaks_in_a_session_of_others(scene: Scene) -> None:
    """Not even in the same room, not even a camera of another one."""
    camera = scene.camera(ROOM, KEY)
    other_camera = scene.camera("Other", KEY)
    camera.hears(), other_camera.hears()
    _, joined = scene.session(ROOM, camera)
    bystander = scene.viewer(ROOM)
    bystander.hears()
    for stranger in (bystander, other_camera, scene.opens()):
        end = End(session=joined.session, reason="left")
        assert refused(stranger.says(end), ErrorCode.SESSION_UNKNOWN).session == joined.session
    camera.hears_nothing()


def test_candidates_are_counted_for_each_side(scene: Scene) -> None:
    """64 from each; what is beyond goes nowhere."""
    camera = scene.camera(ROOM, KEY)
    camera.hears()
    viewer, joined = scene.session(ROOM, camera)
    candidate = Candidate(session=joined.session, candidate=None)
    viewer.says(*[candidate] * CANDIDATES_PER_SESSION)
    assert len(camera.hears()) == CANDIDATES_PER_SESSION
    refused(viewer.says(candidate), ErrorCode.TOO_MANY_CANDIDATES)
    camera.hears_nothing()
    camera.says(candidate)
    viewer.hears_only(Candidate)


def test_what_is_said_to_the_absent_is_kept_or_counted(scene: Scene) -> None:
    """Candidates wait for the member; an offer would be stale, it is dropped."""
    camera = scene.camera(ROOM, KEY)
    camera.hears()
    viewer, joined = scene.session(ROOM, camera)
    camera.hangs_up()
    viewer.hears_only(Presence)
    viewer.says(Candidate(session=joined.session, candidate=None))
    viewer.says(Offer(session=joined.session, sdp=SDP))
    assert scene.drops == ["to_absent_member"]
    back = scene.camera(ROOM, KEY)
    back.hears()
    back.says(resume(joined, ROOM))
    assert [type(m) for m in back.hears()] == [Resumed, Candidate]


# ── presence and coming back ─────────────────────────────────────────────────────────────────


def test_a_camera_that_returned_and_forgot_ends_its_sessions_soon(scene: Scene) -> None:
    """Its viewers need not wait the whole two minutes."""
    camera = scene.camera(ROOM, KEY)
    camera.hears()
    viewer, _ = scene.session(ROOM, camera)
    camera.hangs_up()
    scene.passes_alive(5, viewer)
    again = scene.camera(ROOM, KEY)
    viewer.hears()
    scene.passes_alive(9.5, viewer, again)
    viewer.hears_nothing()
    scene.passes(0.5)
    assert viewer.hears_only(End).reason == "camera_gone"


def test_an_absent_viewer_keeps_its_session_while_the_camera_is_there(scene: Scene) -> None:
    """Whether media still runs is for the camera to judge."""
    camera = scene.camera(ROOM, KEY)
    camera.hears()
    viewer, joined = scene.session(ROOM, camera)
    viewer.hangs_up()
    assert camera.hears_only(Presence).present is False
    scene.passes_alive(600, camera)
    camera.hears_nothing()
    back = scene.opens().says(resume(joined, ROOM))
    assert [type(m) for m in back.hears()] == [Resumed, Source]
    assert camera.hears_only(Presence).present is True


def test_a_viewer_comes_back_before_its_old_connection_is_known_to_be_dead(scene: Scene) -> None:
    """The old one is closed, the camera hears that the viewer is there."""
    camera = scene.camera(ROOM, KEY)
    camera.hears()
    old, joined = scene.session(ROOM, camera)
    new = scene.opens().says(resume(joined, ROOM))
    assert [type(m) for m in new.hears()] == [Resumed, Source]
    refused(old, ErrorCode.SUPERSEDED)
    assert old.closed
    old.hangs_up()
    camera.hears_only(Presence)
    new.says(End(session=joined.session, reason="left"))
    camera.hears_only(End)


@pytest.mark.parametrize("wrong", ["session", "secret", "room"])
def test_resume_needs_session_secret_and_room(scene: Scene, wrong: str) -> None:
    """Any of them wrong: no such session, at once or when the hold is over."""
    camera = scene.camera(ROOM, KEY)
    camera.hears()
    viewer, joined = scene.session(ROOM, camera)
    viewer.hangs_up()
    camera.hears()
    names = {"session": joined.session, "secret": joined.secret, "room": ROOM, wrong: "x" * 22}
    stranger = scene.opens().says(Resume(**names))
    scene.passes_alive(30, camera, stranger)
    first = stranger.hears()[0]
    assert isinstance(first, Error)
    assert first.code == ErrorCode.SESSION_UNKNOWN
    camera.hears_nothing()


@pytest.mark.parametrize("first", ["camera", "viewer"])
def test_a_restarted_server_pairs_the_resumes_of_both(first: str) -> None:
    """Whoever comes first; then the session goes on, and takes its place."""
    before = Scene()
    camera = before.camera(ROOM, KEY)
    camera.hears()
    _, joined = before.session(ROOM, camera)
    after = Scene(Limits(viewers_per_room=1))
    after.store = before.store
    camera, viewer = after.camera(ROOM, KEY), after.opens()
    camera.hears()
    members = (camera, viewer) if first == "camera" else (viewer, camera)
    members[0].says(resume(joined, ROOM))
    members[0].hears_nothing()
    members[1].says(resume(joined, ROOM))
    assert [camera.hears_only(Resumed), LIVE] == viewer.hears()
    viewer.says(Offer(session=joined.session, sdp=SDP))
    camera.hears_only(Offer)
    refused(after.viewer(ROOM), ErrorCode.ROOM_FULL)


def test_a_resume_without_the_other_member_is_answered_after_the_hold(scene: Scene) -> None:
    """It may join then; but a viewer who is still nobody does not stay by resuming again."""
    viewer = scene.opens().says(Resume(session="s" * 22, secret="t" * 22, room=ROOM))
    scene.passes_alive(29.5, viewer)
    viewer.hears_nothing()
    assert viewer.id in scene.book.peers
    scene.passes(0.5)
    refused(viewer, ErrorCode.SESSION_UNKNOWN)
    viewer.says(Resume(session="s" * 22, secret="t" * 22, room=ROOM))
    scene.passes_alive(9.5, viewer)
    viewer.hears_nothing()
    scene.passes(0.5)
    refused(viewer, ErrorCode.HELLO_TIMEOUT)
    assert viewer.closed
    assert scene.book.resumes == {}


def test_held_resumes_are_bounded(scene: Scene) -> None:
    """One for a viewer, as many as places for a camera; who goes leaves none behind."""
    viewer, camera = scene.opens(), scene.camera(ROOM, KEY)
    camera.hears()
    for peer, most in ((viewer, 1), (camera, 10)):
        for number in range(most + 1):
            peer.hears_nothing()
            peer.says(Resume(session=f"{number:022d}", secret="t" * 22, room=ROOM))
        refused(peer, ErrorCode.SESSION_UNKNOWN)
        peer.hangs_up()
    assert scene.book.resumes == {}


def test_a_superseded_camera_leaves_no_resumes_behind(scene: Scene) -> None:
    """What was held for the earlier connection is not paired with anybody."""
    earlier = scene.camera(ROOM, KEY).says(Resume(session="s" * 22, secret="t" * 22, room=ROOM))
    scene.camera(ROOM, KEY)
    assert earlier.closed
    assert scene.book.resumes == {}


# ── going away, defects ──────────────────────────────────────────────────────────────────────


def test_a_draining_server_takes_nothing_new_and_lets_the_old_finish(scene: Scene) -> None:
    """A session under negotiation gets its answer."""
    camera = scene.camera(ROOM, KEY)
    viewer = scene.viewer(ROOM)
    camera.hears()
    joined = viewer.hears_only(Joined)
    scene.happens(DrainBegan(after=1.0))
    assert camera.hears_only(Goaway) == viewer.hears_only(Goaway) == Goaway(after=1.0)
    assert scene.core.negotiating
    viewer.says(Offer(session=joined.session, sdp=SDP))
    camera.hears_only(SessionOpened)
    stranger = scene.opens(hello=False).says(Hello(version=1))
    refused(stranger, ErrorCode.SHUTTING_DOWN)
    assert stranger.closed


def test_a_connection_that_fails_leaves_like_any_other(scene: Scene) -> None:
    """Its viewers wait, itself is told why."""
    camera = scene.camera(ROOM, KEY)
    viewer = scene.viewer(ROOM)
    camera.hears(), viewer.hears()
    scene.happens(ConnectionFailed(camera.id, ErrorCode.INTERNAL, "A defect."))
    refused(camera, ErrorCode.INTERNAL)
    viewer.hears_only(Waiting)
    assert [(r.room, r.epoch) for r in scene.released] == [(ROOM, 1)]


def test_time_alone_changes_nothing(scene: Scene) -> None:
    """An idle tick has no effects."""
    scene.camera(ROOM, KEY)
    assert [scene.core.handle(f, scene.now) for f in scene.core.due(scene.now)] == [[]]
