"""Whose a room is, when the store has forgotten: who knows a secret sees no other camera by it."""

import pytest

from rendezvous.rooms.facts import Fact, Home, LetterReceived, RoomClaimed, RoomFound, RoomLookedUp
from rendezvous.rooms.letters import Moved
from rendezvous.wire.identity import NodeId, RoomId
from rendezvous.wire.messages import (
    Claimed,
    End,
    Error,
    ErrorCode,
    Joined,
    Presence,
    Resume,
    Waiting,
)
from tests.support.peers import Key, proven_join, signed_claim
from tests.support.scene import ORIGIN, Actor, Scene

KEY, THIEF = Key(), Key()
ROOM = RoomId("MyRoom")
HERE, THERE = NodeId("here"), NodeId("there")


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.book.node = HERE
    return scene


def refused(actor: Actor, code: ErrorCode) -> None:
    """The one thing the actor hears is this error."""
    assert actor.hears_only(Error).code == code


def given_away(scene: Scene, thief: Actor) -> RoomClaimed:
    """The store has lost its data, and this is its answer to another key."""
    claim = signed_claim(thief.welcome, THIEF, room=ROOM, origin=ORIGIN, secret=None)
    return RoomClaimed(thief.id, THIEF.owner, claim, scene.epoch + 1)


def test_a_camera_that_is_connected_is_not_displaced_by_another_key(scene: Scene) -> None:
    """Also when the store would allow it; it is not even asked, so the name stays free."""
    camera = scene.camera(ROOM, KEY)
    camera.hears_only(Claimed)
    scene.store.clear()
    refused(scene.camera(ROOM, THIEF), ErrorCode.ROOM_UNAVAILABLE)
    assert scene.store == {}
    camera.hears_nothing()
    camera.says(signed_claim(camera.welcome, KEY, room=ROOM, origin=ORIGIN))
    camera.hears_only(Claimed)
    scene.viewer(ROOM).hears_only(Joined)


def test_nor_by_an_answer_that_was_under_way(scene: Scene) -> None:
    """The camera and its viewers notice nothing; what was given away is given back."""
    camera = scene.camera(ROOM, KEY)
    camera.hears_only(Claimed)
    watching, _ = scene.session(ROOM, camera)
    thief = scene.opens()
    scene.happens(given_away(scene, thief))
    refused(thief, ErrorCode.ROOM_UNAVAILABLE)
    camera.hears_nothing()
    watching.hears_nothing()
    assert [(released.room, released.epoch) for released in scene.released] == [(ROOM, 2)]


@pytest.mark.parametrize("how", ["moved", "found", "looked up"])
def test_viewers_are_not_sent_after_another_owner_s_camera(scene: Scene, how: str) -> None:
    """Whoever says so: the one that they know is connected here."""
    camera = scene.camera(ROOM, KEY)
    camera.hears_only(Claimed)
    watching, _ = scene.session(ROOM, camera)
    home, viewer = Home(THERE, 9, THIEF.owner), scene.opens()
    join = proven_join(viewer.welcome, ROOM)
    moved = Moved(room=ROOM, epoch=9, node=THERE, owner=THIEF.owner)
    facts: dict[str, Fact] = {
        "moved": LetterReceived(THERE, moved),
        "found": RoomFound(ROOM, home),
        "looked up": RoomLookedUp(viewer.id, join, known=True, home=home),
    }
    scene.happens(facts[how])
    camera.hears_nothing()
    watching.hears_nothing()
    assert not camera.closed
    if how == "looked up":
        viewer.hears_only(Joined)


def test_who_waits_with_a_secret_is_not_given_to_who_has_none(scene: Scene) -> None:
    """The camera was away when the room was stolen."""
    scene.camera(ROOM, KEY).hangs_up()
    waiting = scene.viewer(ROOM)
    waiting.hears_only(Waiting)
    scene.store.clear()
    scene.camera(ROOM, THIEF, secret=None).hears_only(Claimed)
    refused(waiting, ErrorCode.ROOM_UNKNOWN)
    refused(scene.viewer(ROOM), ErrorCode.ROOM_UNKNOWN)


def test_sessions_of_an_owner_end_when_the_room_is_another_s(scene: Scene) -> None:
    """What the new camera does is no business of those who have watched the earlier one."""
    camera = scene.camera(ROOM, KEY)
    camera.hears_only(Claimed)
    watching, joined = scene.session(ROOM, camera)
    camera.hangs_up()
    watching.hears_only(Presence)
    scene.store.clear()
    thief = scene.camera(ROOM, THIEF)
    thief.hears_only(Claimed)
    assert watching.hears_only(End).reason == "camera_gone"
    watching.says(Resume(session=joined.session, secret=joined.secret, room=ROOM))
    watching.hears_nothing()
    thief.hears_nothing()


def test_another_key_is_refused_and_not_slowed_down(scene: Scene) -> None:
    """While two daemons with the right key take turns, and are paused for it."""
    for _ in range(5):
        scene.camera(ROOM, KEY)
    refused(scene.camera(ROOM, KEY), ErrorCode.SUPERSEDED)
    refused(scene.camera(ROOM, THIEF), ErrorCode.ROOM_UNAVAILABLE)
