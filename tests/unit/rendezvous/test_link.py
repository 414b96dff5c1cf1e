"""Letters between two nodes over frames that are lost, doubled and overtaken."""

import random
from collections import Counter
from itertools import pairwise

import pytest

from rendezvous.relay.link import GIVE_UP, UNACKNOWLEDGED, Frame, Link, Links
from rendezvous.rooms.letters import Letter, Moved, Said
from rendezvous.wire.identity import ConnectionId, NodeId, RoomId
from rendezvous.wire.messages import Offer

A, B = NodeId("a"), NodeId("b")


def letter(number: int) -> Letter:
    """One that can be told from others."""
    return Moved(room=RoomId("Room"), epoch=number, node=A)


def numbers(letters: list[Letter]) -> list[int]:
    """Which they are."""
    return [letter.epoch for letter in letters]


class Pair:
    """Two nodes and the way between them."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self.ends = {node: Links(node, self._count) for node in (A, B)}
        self.read: dict[NodeId, list[int]] = {A: [], B: []}
        self.missed: Counter[NodeId] = Counter()
        self.now = 0.0

    def _count(self, name: str) -> None:
        self.counted[name] += 1

    def write(self, source: NodeId, *which: int) -> None:
        """Letters to the other."""
        for number in which:
            self.ends[source].write(B if source == A else A, letter(number), self.now)

    def frames(self, source: NodeId) -> list[bytes]:
        """What it sends now."""
        return [data for _, data in self.ends[source].outgoing(self.now)]

    def deliver(self, to: NodeId, *frames: bytes) -> None:
        """They arrive."""
        for data in frames:
            found = self.ends[to].read(data, self.now)
            assert found is not None
            self.read[to] += numbers(found.letters)
            self.missed[to] += found.missed

    def talk(self) -> None:
        """Whatever is under way arrives, until nobody has anything to say."""
        for _ in range(5):
            self.now += 0.1
            for source, to in ((A, B), (B, A)):
                self.deliver(to, *self.frames(source))


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_letters_arrive_in_order_and_are_acknowledged(pair: Pair) -> None:
    """The acknowledgement travels with what the reader writes, or soon by itself."""
    pair.write(A, 1, 2, 3)
    pair.deliver(B, *pair.frames(A))
    assert pair.read[B] == [1, 2, 3]
    assert pair.frames(B) == []
    pair.now += 0.1
    pair.deliver(A, *pair.frames(B))
    pair.now += 10
    assert pair.frames(A) == []
    assert pair.ends[A].due() is None


def test_what_is_not_acknowledged_is_sent_again_less_and_less_often(pair: Pair) -> None:
    """After half a second, then in doubled steps up to five seconds."""
    pair.write(A, 1)
    pair.frames(A)
    times = []
    while pair.now < 25:
        pair.now += 0.25
        times += [pair.now] * len(pair.frames(A))
    steps = [after - before for before, after in pairwise(times)]
    assert times[0] == 0.5
    assert steps == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


def test_a_doubled_frame_is_read_once(pair: Pair) -> None:
    """And counted."""
    pair.write(A, 1, 2)
    frames = pair.frames(A)
    pair.deliver(B, *frames, *frames)
    assert pair.read[B] == [1, 2]
    assert pair.counted["dedupe"] == 2


def test_a_lost_frame_holds_up_those_behind_it(pair: Pair) -> None:
    """Order matters more than time: an answer must not overtake its offer."""
    pair.write(A, 1)
    pair.frames(A)
    pair.write(A, 2)
    pair.deliver(B, *pair.frames(A))
    assert pair.read[B] == []
    pair.now += 0.5
    pair.deliver(B, *pair.frames(A))
    assert pair.read[B] == [1, 2]


def test_what_is_given_up_is_said_and_not_waited_for(pair: Pair) -> None:
    """After thirty seconds; the reader learns from the next frame that there is a gap."""
    pair.write(A, 1, 2)
    pair.frames(A)
    pair.now += GIVE_UP
    assert pair.ends[A].broken(pair.now) == [B]
    assert pair.ends[A].broken(pair.now) == []
    pair.write(A, 3)
    pair.deliver(B, *pair.frames(A))
    assert pair.read[B] == [3]
    assert (pair.counted["letters_lost"], pair.counted["resync"]) == (2, 1)
    assert (pair.missed[A], pair.missed[B]) == (0, 1)


def test_that_letters_were_given_up_is_said_until_it_was_heard(pair: Pair) -> None:
    """Also when there is nothing else to say, and the frame is lost."""
    pair.write(A, *range(UNACKNOWLEDGED + 1))
    pair.frames(A)
    pair.now += 1
    pair.deliver(B, *pair.frames(A))
    pair.talk()
    assert (pair.missed[A], pair.missed[B]) == (0, 1)
    assert pair.ends[A].due() is None


def test_who_was_taken_for_dead_hears_what_is_written_to_it_afterwards(pair: Pair) -> None:
    """The other has forgotten it, and begins another link; both know that they missed letters."""
    pair.write(A, *range(70))
    pair.write(B, 1)
    pair.talk()
    late = pair.frames(B)
    pair.ends[B].forget(A)
    pair.write(B, 2, 3)
    pair.write(A, 70)
    pair.talk()
    assert (pair.read[A], pair.read[B]) == ([1, 2, 3], list(range(71)))
    assert (pair.missed[A], pair.missed[B]) == (1, 1)
    assert pair.counted["dedupe"] == 0
    assert late == []


def test_late_frames_of_an_earlier_link_are_nothing_new(pair: Pair) -> None:
    """Neither their letters nor their acknowledgements."""
    pair.write(B, 1)
    late = pair.frames(B)
    pair.deliver(A, *late)
    pair.ends[B].forget(A)
    pair.write(B, 2)
    pair.talk()
    pair.write(A, 7)
    pair.frames(A)
    pair.deliver(A, *late)
    assert pair.read[A] == [1, 2]
    assert pair.counted["earlier_link"] == 1
    assert pair.ends[A].due() is not None


def test_a_node_that_was_away_makes_itself_heard(pair: Pair) -> None:
    """It has nothing to say; the other, which had forgotten it, answers, and so it learns that."""
    pair.write(A, 1)
    pair.talk()
    pair.ends[B].forget(A)
    pair.talk()
    assert (pair.missed[A], pair.missed[B]) == (0, 0)
    pair.ends[A].hurry()
    pair.talk()
    assert pair.missed[B] == 1


def test_so_does_one_that_has_only_read(pair: Pair) -> None:
    """Its own link is at the beginning; what it acknowledges shows that it was forgotten."""
    pair.write(B, 1)
    pair.talk()
    pair.ends[B].forget(A)
    pair.ends[A].hurry()
    pair.talk()
    pair.write(B, 2)
    pair.talk()
    assert (pair.read[A], pair.missed[A]) == ([1, 2], 1)


def test_the_queue_is_bounded(pair: Pair) -> None:
    """Beyond it everything is given up at once, and both sides begin anew."""
    pair.write(A, *range(UNACKNOWLEDGED + 1))
    assert pair.ends[A].broken(pair.now) == [B]
    assert pair.counted["letters_lost"] == UNACKNOWLEDGED
    pair.write(A, 7)
    pair.deliver(B, *pair.frames(A))
    assert pair.read[B] == [7]


def test_large_letters_travel_in_frames_of_their_own(pair: Pair) -> None:
    """No frame is larger than 256 KiB, and none is read twice or out of order."""
    offer = Offer(session="s" * 22, sdp="v=0" + "x" * 32_000)
    said = Said(room=RoomId("Room"), epoch=1, connection=ConnectionId("c"), seat=1, message=offer)
    for _ in range(32):
        pair.ends[A].write(B, said, pair.now)
    pair.write(A, 7)
    frames = pair.frames(A)
    assert all(len(frame) <= 256 * 1024 for frame in frames)
    pair.deliver(B, *frames)
    assert pair.read[B] == [1] * 32 + [7]
    assert pair.counted == {}


def test_when_the_way_is_free_again_nobody_waits(pair: Pair) -> None:
    """What was sent in vain goes at once."""
    pair.write(A, 1)
    for _ in range(20):
        pair.frames(A)
        pair.now += 1.0
    pair.ends[A].hurry()
    pair.deliver(B, *pair.frames(A))
    assert pair.read[B] == [1]


def test_rubbish_and_ones_own_frames_are_counted() -> None:
    """An inbox may hold anything."""
    counted: Counter[str] = Counter()
    links = Links(A, lambda name: counted.update([name]))
    assert links.read(b"{", 0.0) is None
    frame = b'"link":1,"first":1,"floor":1,"ack":0,"ack_link":0'
    assert links.read(b'{"source":"b",' + frame + b',"letters":[{}]}', 0.0) is None
    assert links.read(b'{"source":"a",' + frame + b"}", 0.0) is None
    assert counted == {"malformed_frame": 2, "foreign_frame": 1}


def test_an_acknowledgement_of_what_was_never_written_changes_nothing() -> None:
    """Nor does a late one."""
    link = Link(7, lambda _name: None)
    link.write(letter(1), 0.0)
    for ack in (0, -5, 100):
        link.read(Frame(source=B, link=1, first=1, floor=1, ack=ack, ack_link=7), 0.0)
    link.write(letter(2), 0.0)
    (frame,) = link.frames(A, 0.0)
    assert (frame.first, numbers(list(frame.letters))) == (2, [2])


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_way_does_each_letter_is_read_once_and_in_order(seed: int) -> None:
    """Frames are lost, doubled, delayed and overtaken, in both directions, for a while."""
    chance, pair = random.Random(seed), Pair()
    under_way: list[tuple[NodeId, bytes]] = []
    written = {A: 0, B: 0}
    for step in range(500):
        pair.now += 0.05
        for source in (A, B):
            if step < 200 and chance.random() < 0.3:
                written[source] += 1
                pair.write(source, written[source])
            to = B if source == A else A
            for data in pair.frames(source):
                under_way += [(to, data)] * (chance.choice((0, 1, 1, 1, 2)) if step < 300 else 1)
        chance.shuffle(under_way)
        for _ in range(chance.randrange(4) if step < 300 else len(under_way)):
            if under_way:
                pair.deliver(*under_way.pop())
    for source, to in ((A, B), (B, A)):
        assert pair.read[to] == list(range(1, written[source] + 1)), f"seed {seed}"
