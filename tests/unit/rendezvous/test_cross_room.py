"""One connection, several rooms in its life: nothing of one room gets into another by it."""

import msgspec
import pytest

from rendezvous.rooms.facts import Home, LetterReceived, RoomFound, RoomLookedUp, StoreFailed
from rendezvous.rooms.letters import HandedOver, Left, Moved, Said, Told, Unseated
from rendezvous.wire.identity import ConnectionId, RoomId
from rendezvous.wire.messages import End, Error, Resume, Waiting
from tests.support.node_scene import ELSEWHERE, THERE, Node
from tests.support.peers import Key, proven_join
from tests.support.scene import Actor

KEY = Key()
VICTIM, OWN = RoomId("VictimsRoom"), RoomId("AttackersRoom")
SESSION, SECRET = "q" * 22, "z" * 22


@pytest.fixture
def node() -> Node:
    return Node()


def looked_up(node: Node, viewer: Actor, room: RoomId, secret: str) -> None:
    """The store says that the room is at another node."""
    join = proven_join(viewer.welcome, room, secret)
    node.happens(RoomLookedUp(viewer.id, join, known=True, home=Home(THERE, 5)))


def refused_there(node: Node) -> Actor:
    """An edge's viewer that has tried the victim's room, with a wrong proof."""
    viewer = node.opens()
    looked_up(node, viewer, VICTIM, "wrong" * 4)
    place = node.book.peers[viewer.id].away
    assert place is not None
    to = {"room": VICTIM, "epoch": 5, "connection": viewer.id, "seat": place.seat}
    node.happens(LetterReceived(THERE, Told(**to, message=Error(code="room_unknown", message=""))))  # type: ignore[arg-type]
    node.happens(LetterReceived(THERE, Unseated(**to)))  # type: ignore[arg-type]
    node.posted.clear()
    return viewer


def test_a_refused_join_is_not_made_again_in_another_room(node: Node) -> None:
    """Else its own room's epoch would become the victim's, whose viewers would hear nothing."""
    attacker = refused_there(node)
    attacker.says(Resume(session=SESSION, secret=SECRET, room=OWN))
    node.happens(RoomFound(OWN, Home(ELSEWHERE, 1_000)))
    attacker.says(End(session=SESSION, reason="left"))
    node.happens(LetterReceived(ELSEWHERE, Moved(room=OWN, epoch=2_000, node=ELSEWHERE)))
    assert node.book.newest(VICTIM) <= 5
    assert VICTIM not in {letter.room for _, letter in node.posted}
    assert node.drops == []


def test_nor_is_a_join_kept_whose_proof_nobody_has_seen(node: Node) -> None:
    """It is forgotten with the place that it asked for."""
    attacker = refused_there(node)
    assert node.book.peers[attacker.id].join is None


def test_who_is_away_in_one_room_resumes_nothing_in_another(node: Node) -> None:
    """It hears what it would hear at the room's own node."""
    viewer = node.away()
    node.tells(viewer, Waiting(room=RoomId("MyRoom")))
    viewer.hears()
    node.posted.clear()
    viewer.says(Resume(session=SESSION, secret=SECRET, room=OWN))
    assert viewer.hears_only(Error).code == "session_unknown"
    assert node.posted == []


@pytest.mark.parametrize("kind", [HandedOver, Said])
def test_a_letter_that_names_two_rooms_is_dropped(
    node: Node, kind: type[HandedOver] | type[Said]
) -> None:
    """And changes no epoch."""
    node.camera(VICTIM, KEY)
    epoch = node.book.newest(VICTIM)
    to = {"room": OWN, "epoch": 9_999, "connection": ConnectionId("far"), "seat": 1}
    if kind is Said:
        held = Resume(session=SESSION, secret=SECRET, room=OWN)
        node.happens(LetterReceived(THERE, HandedOver(**to, nonce="n", message=held)))  # type: ignore[arg-type]
    message = Resume(session=SESSION, secret=SECRET, room=VICTIM)
    more = {"nonce": "n"} if kind is HandedOver else {}
    node.happens(LetterReceived(THERE, kind(**to, **more, message=message)))  # type: ignore[arg-type]
    assert node.drops == ["cross_room"]
    assert node.book.newest(VICTIM) == epoch
    assert node.book.newest(OWN) == 0


def taken_to_two_rooms(node: Node) -> None:
    """A viewer of another node asks for a room, leaves, and asks for another one; all at once."""
    for room in (VICTIM, OWN):
        node.camera(room, KEY).hangs_up()
    node.slow = True
    welcome = msgspec.structs.replace(node.opens().welcome, connection="far")
    for seat, room in enumerate((VICTIM, OWN), start=1):
        to = {"room": room, "epoch": 9, "connection": ConnectionId("far"), "seat": seat}
        message = proven_join(welcome, room)
        letter = HandedOver(**to, nonce=welcome.nonce, message=message)  # type: ignore[arg-type]
        node.happens(LetterReceived(THERE, letter))
        if room == VICTIM:
            node.happens(LetterReceived(THERE, Left(**to)))  # type: ignore[arg-type]


def test_the_store_s_answer_is_for_the_seat_that_asked(node: Node) -> None:
    """An earlier one's comes too late, and says nothing about the room of now."""
    taken_to_two_rooms(node)
    node.store_answers()
    assert node.book.peers[ConnectionId("far")].room is None
    assert node.posted == []
    node.store_answers()
    told = [letter for _, letter in node.posted if isinstance(letter, Told)]
    assert [(t.room, t.seat, type(t.message)) for t in told] == [(OWN, 2, Waiting)]
    assert node.drops == []


def test_so_is_its_failure(node: Node) -> None:
    """Who asked is told, and nobody else."""
    taken_to_two_rooms(node)
    node.happens(StoreFailed(ConnectionId("far"), seat=1))
    assert node.posted == []
    node.happens(StoreFailed(ConnectionId("far"), seat=2))
    assert [type(letter) for _, letter in node.posted] == [Told, Unseated]


def test_who_has_come_back_to_one_room_is_handed_over_to_no_other(node: Node) -> None:
    """It had asked for a session of another room before, whose home is found only now."""
    camera = node.camera(OWN, KEY)
    camera.hears()
    viewer, joined = node.session(OWN, camera)
    viewer.hangs_up()
    again = node.opens()
    again.says(Resume(session=SESSION, secret=SECRET, room=VICTIM))
    again.says(Resume(session=joined.session, secret=joined.secret, room=OWN))
    again.hears()
    node.posted.clear()
    node.happens(RoomFound(VICTIM, Home(THERE, 5)))
    assert node.posted == []
    assert node.book.peers[again.id].away is None
