"""Two cores with a link between them: what one believes of the other may be wrong for a while."""

import pytest

from rendezvous.relay.link import GIVE_UP, UNACKNOWLEDGED
from rendezvous.rooms.effects import Post
from rendezvous.rooms.letters import Moved
from rendezvous.wire.identity import NodeId
from rendezvous.wire.messages import (
    Answer,
    Candidate,
    IceCandidate,
    Joined,
    Offer,
    Presence,
    Resumed,
    Source,
    Waiting,
)
from rendezvous.wire.messages import Session as SessionOpened
from tests.support.node_scene import ROOM, Two
from tests.support.peers import SDP, Key
from tests.support.scene import Actor

KEY = Key()


@pytest.fixture
def two() -> Two:
    return Two()


def watching(two: Two, camera: Actor) -> tuple[Actor, Joined]:
    """A viewer at the edge whose session runs; nothing is left to hear."""
    viewer = two.viewer()
    joined = viewer.hears_only(Joined)
    viewer.says(Offer(session=joined.session, sdp=SDP))
    two.talk()
    camera.says(Answer(session=joined.session, sdp=SDP))
    two.talk()
    camera.hears()
    viewer.hears()
    return viewer, joined


def home_writes(two: Two, times: int = 1) -> None:
    """That the room is there: to a node that watches it."""
    moved = Moved(room=ROOM, epoch=two.where.epoch, node=NodeId("home"))
    two.home.perform([Post(NodeId("edge"), moved)] * times)


def says_a_candidate(camera: Actor, joined: Joined) -> Candidate:
    """Something of the session."""
    said = Candidate(session=joined.session, candidate=IceCandidate(candidate="new"))
    camera.says(said)
    return said


def test_who_waits_at_a_node_that_was_taken_for_dead_is_joined(two: Two) -> None:
    """The home has forgotten its viewers; a new claim there finds them again."""
    camera = two.home.camera(ROOM, KEY)
    viewer = two.viewer()
    viewer.hears_only(Joined)
    camera.hangs_up()
    two.talk()
    viewer.hears_only(Waiting)
    two.home.loses_the_other()
    two.talk()
    two.home.camera(ROOM, KEY)
    home_writes(two)
    two.talk()
    assert isinstance(viewer.hears()[-1], Joined)
    assert len(two.home.book.rooms[ROOM].sessions) == 1


def test_a_session_goes_on_after_its_node_was_taken_for_dead(two: Two) -> None:
    """As soon as the home writes anything to it."""
    camera = two.home.camera(ROOM, KEY)
    viewer, joined = watching(two, camera)
    two.home.loses_the_other()
    assert not camera.hears_only(Presence).present
    home_writes(two)
    two.talk()
    assert camera.hears()[-1] == Presence(session=joined.session, present=True)
    assert Resumed in map(type, viewer.hears())
    said = says_a_candidate(camera, joined)
    two.talk()
    assert viewer.hears_only(Candidate) == said


@pytest.mark.parametrize("how", ["too many", "too long"])
def test_all_viewers_are_served_again_when_letters_were_given_up(two: Two, how: str) -> None:
    """Those that watch, and those that wait; nobody is told singly."""
    camera = two.home.camera(ROOM, KEY)
    watches, joined = watching(two, camera)
    negotiates = two.viewer()
    first = negotiates.hears_only(Joined)
    if how == "too many":
        home_writes(two, UNACKNOWLEDGED + 1)
    else:
        says_a_candidate(camera, joined)
        two.home.now += GIVE_UP
        two.edge.now += GIVE_UP
        for node in (two.home, two.edge):
            node.passes_alive(0.1, *node.actors.values())
    two.talk()
    again = [m for m in negotiates.hears() if isinstance(m, Joined)][-1]
    assert again.session != first.session
    assert {Resumed, Source} <= set(map(type, watches.hears()))
    camera.hears()
    negotiates.says(Offer(session=again.session, sdp=SDP))
    two.talk()
    assert camera.hears_only(SessionOpened).session == again.session


def test_viewers_are_not_handed_over_again_at_every_claim(two: Two) -> None:
    """The home tells them of it itself, before it tells their node."""
    camera = two.home.camera(ROOM, KEY)
    viewer, _ = watching(two, camera)
    (before,) = two.edge.book.rooms[ROOM].away.values()
    two.home.camera(ROOM, KEY)
    two.talk()
    (after,) = two.edge.book.rooms[ROOM].away.values()
    assert (before.seat, before.node) == (after.seat, after.node)
    assert [type(m) for m in viewer.hears()] == [Presence, Source]
