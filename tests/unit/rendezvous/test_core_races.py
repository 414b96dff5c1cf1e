"""What happens in between: while the store works, a viewer waits, or nobody has a place."""

import pytest

from rendezvous.rooms.facts import ConnectionLost
from rendezvous.rooms.limits import Limits
from rendezvous.wire import identity
from rendezvous.wire.identity import RoomId
from rendezvous.wire.messages import (
    Claimed,
    End,
    Error,
    ErrorCode,
    Joined,
    Ping,
    Presence,
    Resume,
    Resumed,
    Source,
    SourceState,
    Waiting,
)
from tests.support.peers import Key, proven_join, resume, signed_claim
from tests.support.scene import ORIGIN, Actor, Scene

KEY, OTHER_KEY = Key(), Key()
ROOM = "MyRoom"
SESSION = Resume(session="s" * 22, secret="t" * 22, room=ROOM)
NEW_SECRET = identity.encode(b"another secret!!")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def codes(actor: Actor) -> list[str]:
    """The errors that the actor has heard since the last call."""
    return [m.code for m in actor.hears() if isinstance(m, Error)]


def seated(actor: Actor) -> bool:
    """Whether the transport believes that the actor has a place."""
    return actor.seated


def claims(actor: Actor, room: str, key: Key = KEY, **options: str | None) -> Actor:
    """A claim in order."""
    return actor.says(signed_claim(actor.welcome, key, room=room, origin=ORIGIN, **options))  # type: ignore[arg-type]


# ── the store answers late ───────────────────────────────────────────────────────────────────


def test_a_viewer_by_resume_does_not_become_a_camera_by_its_claim(scene: Scene) -> None:
    """It was a stranger when it claimed; when the store answers it is a viewer elsewhere."""
    camera = scene.camera(ROOM, KEY)
    both = scene.opens().says(SESSION)
    scene.slow = True
    claims(both, "Other", OTHER_KEY)
    camera.says(SESSION)
    scene.store_answers()
    assert codes(both) == [ErrorCode.NOT_ALLOWED]
    assert both.bound == ROOM
    assert [released.room for released in scene.released] == ["Other"]
    both.hangs_up()
    camera.says(End(session=SESSION.session, reason="left"))
    assert scene.book.sessions == {}


def test_a_viewer_by_resume_does_not_join_another_room(scene: Scene) -> None:
    """One connection, one room: also when the look-up was asked for before."""
    scene.camera("Other", OTHER_KEY)
    camera = scene.camera(ROOM, KEY)
    both = scene.opens().says(SESSION)
    scene.slow = True
    both.says(proven_join(both.welcome, "Other"))
    camera.says(SESSION)
    scene.store_answers()
    assert codes(both) == [ErrorCode.NOT_ALLOWED]
    assert both.bound == ROOM


def test_an_earlier_claim_that_is_answered_later_takes_nothing_over(scene: Scene) -> None:
    """The epoch fences it off: whose claim was later keeps the room."""
    scene.slow = True
    earlier, later = claims(scene.opens(), ROOM), claims(scene.opens(), ROOM)
    scene.store_answers(1)
    scene.store_answers()
    assert codes(earlier) == [ErrorCode.SUPERSEDED]
    assert earlier.closed
    assert later.hears_only(Claimed).epoch == 2
    assert [(released.room, released.epoch) for released in scene.released] == [(ROOM, 1)]


def test_a_claim_below_what_was_seen_is_given_back_and_can_be_made_again(scene: Scene) -> None:
    """The store has forgotten epochs; no other camera is known, so this one is not sent away."""
    scene.slow = True
    camera = claims(scene.opens(), ROOM)
    scene.book.epochs[RoomId(ROOM)] = 7  # another node has said so meanwhile
    scene.store_answers()
    assert codes(camera) == [ErrorCode.STORE_UNAVAILABLE]
    assert not camera.closed
    assert [(released.room, released.epoch) for released in scene.released] == [(ROOM, 1)]
    claims(camera, ROOM)
    scene.store_answers()
    assert camera.hears_only(Claimed).epoch == 8


def test_a_look_up_of_before_the_change_of_secret_admits_nobody(scene: Scene) -> None:
    """The camera has claimed with another verifier since the store was read."""
    camera = scene.camera(ROOM, KEY)
    scene.slow = True
    viewer = scene.viewer(ROOM)
    claims(camera, ROOM, secret=NEW_SECRET)
    scene.store_answers(1)
    scene.store_answers()
    assert codes(viewer) == [ErrorCode.ROOM_UNKNOWN]


# ── the secret is changed ────────────────────────────────────────────────────────────────────


def test_who_waits_with_an_earlier_secret_is_turned_away(scene: Scene) -> None:
    """With the words that somebody hears who never knew one; who knows the new one joins."""
    scene.camera(ROOM, KEY).hangs_up()
    old = scene.viewer(ROOM)
    stranger = scene.viewer("Never").hears_only(Error)
    old.hears_only(Waiting)
    scene.camera(ROOM, KEY, secret=NEW_SECRET).hangs_up()
    assert old.hears_only(Error) == stranger
    new = scene.viewer(ROOM, NEW_SECRET)
    new.hears_only(Waiting)
    scene.camera(ROOM, KEY, secret=NEW_SECRET)
    new.hears_only(Joined)
    old.hears_nothing()


def test_a_session_under_negotiation_does_not_outlive_the_secret(scene: Scene) -> None:
    """The camera went and came back with another one: the viewer waited in between."""
    camera = scene.camera(ROOM, KEY)
    viewer = scene.viewer(ROOM)
    viewer.hears_only(Joined)
    camera.hangs_up()
    viewer.hears_only(Waiting)
    scene.camera(ROOM, KEY, secret=NEW_SECRET)
    assert codes(viewer) == [ErrorCode.ROOM_UNKNOWN]


def test_who_waits_with_a_secret_does_not_join_a_room_that_has_none(scene: Scene) -> None:
    """Nothing shows that it is the same camera's; who asked without a secret joins."""
    scene.camera(ROOM, KEY, secret=None).hangs_up()
    anybody = scene.viewer(ROOM, None)
    anybody.hears_only(Waiting)
    scene.camera(ROOM, KEY).hangs_up()
    assert codes(anybody) == [ErrorCode.ROOM_UNKNOWN]
    knowing = scene.viewer(ROOM)
    knowing.hears_only(Waiting)
    scene.camera(ROOM, KEY, secret=None)
    assert codes(knowing) == [ErrorCode.ROOM_UNKNOWN]


# ── without a place ──────────────────────────────────────────────────────────────────────────


def test_a_viewer_whose_session_ended_is_a_stranger_again(scene: Scene) -> None:
    """It has 30 s to join again, whatever else it says; then it is closed."""
    camera = scene.camera(ROOM, KEY)
    camera.hears()
    viewer, joined = scene.session(ROOM, camera)
    assert seated(viewer)
    viewer.says(End(session=joined.session, reason="left"))
    assert not seated(viewer)
    scene.passes_alive(29.5, camera, viewer)
    viewer.says(Ping())
    assert not viewer.closed
    scene.passes_alive(0.5, camera, viewer)
    assert codes(viewer) == [ErrorCode.HELLO_TIMEOUT]
    assert viewer.closed


def test_joining_again_is_a_place_again(scene: Scene) -> None:
    """For as long as the session or the wait lasts."""
    camera = scene.camera(ROOM, KEY)
    camera.hears()
    viewer, joined = scene.session(ROOM, camera)
    camera.says(End(session=joined.session, reason="media_lost"))
    scene.passes_alive(20, camera, viewer)
    viewer.says(proven_join(viewer.welcome, ROOM))
    assert seated(viewer)
    camera.hangs_up()
    assert seated(viewer)
    scene.passes_alive(119, viewer)
    assert not viewer.closed


def test_a_wait_that_ended_is_no_place(scene: Scene) -> None:
    """Neither is one that a new secret ended."""
    scene.camera(ROOM, KEY).hangs_up()
    viewer = scene.viewer(ROOM)
    assert seated(viewer)
    scene.passes_alive(120, viewer)
    assert not seated(viewer)
    viewer.says(proven_join(viewer.welcome, ROOM))
    assert seated(viewer)
    scene.camera(ROOM, KEY, secret=NEW_SECRET)
    assert not seated(viewer)


# ── coming back ──────────────────────────────────────────────────────────────────────────────


def test_a_viewer_that_resumes_hears_what_the_camera_does(scene: Scene) -> None:
    """It may have changed while the viewer was away."""
    camera = scene.camera(ROOM, KEY)
    camera.hears()
    viewer, joined = scene.session(ROOM, camera)
    viewer.hangs_up()
    lost = Source(state=SourceState.LOST, code="source_unreachable")
    camera.says(lost)
    back = scene.opens().says(resume(joined, ROOM))
    assert back.hears() == [Resumed(session=joined.session), lost]


def test_the_newest_of_two_held_resumes_gets_the_session(scene: Scene) -> None:
    """The earlier connection is half open: it is told, in case it is not, and closed."""
    camera = scene.camera(ROOM, KEY)
    camera.hears()
    old, new = scene.opens().says(SESSION), scene.opens().says(SESSION)
    assert codes(old) == [ErrorCode.SUPERSEDED]
    assert old.closed
    camera.says(SESSION)
    camera.hears_only(Resumed)
    assert isinstance(new.hears()[0], Resumed)
    scene.happens(ConnectionLost(old.id))
    camera.hears_nothing()


def test_a_resume_that_is_repeated_stays_held(scene: Scene) -> None:
    """Once is enough, twice is no error; the time does not begin anew."""
    viewer = scene.opens().says(SESSION, SESSION)
    viewer.hears_nothing()
    scene.passes_alive(29, viewer)
    viewer.says(SESSION).hears_nothing()
    scene.passes(1)
    assert codes(viewer) == [ErrorCode.SESSION_UNKNOWN]


def test_hello_counts_from_the_conversation_not_from_the_socket(scene: Scene) -> None:
    """A TLS handshake over a slow line takes its time; being admitted counts from the socket."""
    late = scene.opens(hello=False, after=8)
    scene.passes(1.5)
    late.hears_nothing()
    scene.passes(0.5)
    assert codes(late) == [ErrorCode.HELLO_TIMEOUT]


# ── one defect, one connection ───────────────────────────────────────────────────────────────


def test_deadlines_are_facts_of_their_own(scene: Scene) -> None:
    """All that has come due is there, whatever the first of them does."""
    scene = Scene(Limits(kept=1.0))
    camera = scene.camera(ROOM, KEY)
    camera.hears()
    viewers = [scene.session(ROOM, camera)[0] for _ in range(2)]
    camera.hangs_up()
    for viewer in viewers:
        viewer.hears_only(Presence)
    scene.now += 1
    for fact in reversed(scene.core.due(scene.now)):
        scene.happens(fact)
    assert [viewer.hears_only(End).reason for viewer in viewers] == ["camera_gone"] * 2
