"""Letters between two nodes: in order, each once, sent again until they are acknowledged.

Go-back-N over frames that may be lost, doubled, late or overtaken. What is not acknowledged for
``GIVE_UP`` seconds is given up together with all behind it; each frame says which letters are
still to come, so the reader does not wait for the others. Pure: frames in, frames out, time from
outside. A node is one process: it begins at 1, and nobody remembers an earlier one's numbers.

A node that believes another dead forgets it, and may be wrong. So each link has a number, in every
frame and every acknowledgement: a reader that sees a higher one begins where that link does, and
both know that letters were missed. It is a count and not a random name, so that late frames of the
earlier link are not mistaken for a third one.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from rendezvous.rooms.letters import Letter
from rendezvous.wire.identity import NodeId

GIVE_UP = 30.0  # seconds: an offer's viewer has given up by then
UNACKNOWLEDGED = 4_096  # letters to one node; more than it takes in a storm of a second
_FRAME = 32  # letters
_FRAME_BYTES = 256 * 2**10  # a larger one is split; one letter is always smaller
_FIRST_RESEND, _LAST_RESEND = 0.5, 5.0  # seconds
_ACK_WITHIN = 0.1  # seconds: an answer in between carries it
_LINKS = 1_000  # nodes that one can know

Count = Callable[[str], None]


class Frame(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What travels: some letters, and what the writer has read."""

    source: NodeId
    link: int
    """The writer's link to the reader; 1 or more, and higher after it had forgotten the reader."""
    first: int
    """The number of the first letter; if there are none, of the next one."""
    floor: int
    """The oldest letter that may still come: those before it were acknowledged or given up."""
    ack: int
    """The newest letter of the reader's that has been read, and all before it."""
    ack_link: int
    """Of which of the reader's links; 0: none was read."""
    letters: tuple[Letter, ...] = ()
    farewell: bool = False
    """The writer is no more."""


class Received(NamedTuple):
    """A frame that was read, and what was new in it."""

    frame: Frame
    letters: list[Letter]
    missed: bool
    """Letters of the writer's were given up, or one of the two had forgotten the other."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Frame)


class Link:
    """What has been written to one other node, and what has been read from it."""

    def __init__(self, number: int, count: Count) -> None:
        self._number = number
        self._count = count
        self._written: deque[tuple[float, Letter]] = deque()  # when, what; not acknowledged
        self._floor = 1  # the number of the oldest of them
        self._sent = 0  # the newest that has been sent at all
        self._pause = _FIRST_RESEND
        self._resend_at: float | None = None
        self._gap = False  # letters were given up, and the reader does not know it yet
        self._reading = 0  # the other's link
        self._read = 0
        self._ack_by: float | None = None

    # ── writing ──────────────────────────────────────────────────────────────────────────────

    def write(self, letter: Letter, now: float) -> bool:
        """Queues it; False if everything that was queued had to be given up instead."""
        if len(self._written) >= UNACKNOWLEDGED:
            self.give_up()
            return False
        self._written.append((now, letter))
        return True

    def give_up(self) -> None:
        """Nothing of what was written will be sent again."""
        self._count_many("letters_lost", len(self._written))
        self._floor += len(self._written)
        self._sent = self._floor - 1
        self._written.clear()
        self._gap, self._pause, self._resend_at = True, _FIRST_RESEND, 0.0

    def overdue(self, now: float) -> bool:
        """Whether a letter has waited for too long to be acknowledged."""
        return bool(self._written) and now - self._written[0][0] >= GIVE_UP

    def due(self) -> float | None:
        """When there may be something to send; None: not before something happens."""
        if self._floor + len(self._written) - 1 > self._sent:
            return 0.0
        times = [time for time in (self._resend_at, self._ack_by) if time is not None]
        return min(times, default=None)

    def hurry(self) -> None:
        """The way is free again: what is not acknowledged goes again at once, or else a sign."""
        self._pause = _FIRST_RESEND
        self._resend_at = 0.0 if self._outstanding else None
        self._ack_by = 0.0

    def frames(self, source: NodeId, now: float, *, farewell: bool = False) -> Iterator[Frame]:
        """What is to be sent now."""
        start = self._start(now)
        ack_due = self._ack_by is not None and now >= self._ack_by
        if start is None and not ack_due and not farewell:
            return
        first = start or self._floor + len(self._written)
        letters = [letter for _, letter in islice(self._written, first - self._floor, None)]
        self._sent = max(self._sent, first + len(letters) - 1)
        self._ack_by = None
        for at in range(0, len(letters) or 1, _FRAME):
            yield Frame(
                source=source,
                link=self._number,
                first=first + at,
                floor=self._floor,
                ack=self._read,
                ack_link=self._reading,
                letters=tuple(letters[at : at + _FRAME]),
                farewell=farewell,
            )

    @property
    def _outstanding(self) -> bool:
        """Whether the reader has not confirmed all that it must know."""
        return bool(self._written) or self._gap

    def _start(self, now: float) -> int | None:
        """The number of the first letter to send."""
        if self._resend_at is not None and now >= self._resend_at and self._outstanding:
            self._count_many("resend", self._sent - self._floor + 1)
            self._pause = min(2 * self._pause, _LAST_RESEND)
            self._resend_at = now + self._pause
            return self._floor
        if self._floor + len(self._written) - 1 > self._sent:
            self._resend_at = self._resend_at or now + self._pause
            return self._sent + 1
        return None

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    def read(self, frame: Frame, now: float) -> Received:
        """The letters that are new, in order."""
        if frame.link < self._reading:
            self._count("earlier_link")
            return Received(frame, [], missed=False)
        if frame.ack_link == self._number:
            self._acknowledged(frame.ack, now)
        missed = self._follow(frame)
        forgotten = frame.ack_link not in (0, self._number)  # by us, and the writer must know
        if (frame.letters or missed or forgotten) and self._ack_by is None:
            self._ack_by = now + _ACK_WITHIN
        return Received(frame, list(self._new(frame)), missed)

    def _follow(self, frame: Frame) -> bool:
        """Goes to where the frame's link is; whether letters before that were missed."""
        known, begun = self._reading > 0, frame.link > self._reading
        if begun:
            self._reading, self._read = frame.link, 0
        missed = frame.floor > self._read + 1 or (begun and known)
        self._read = max(self._read, frame.floor - 1)
        self._count_many("resync", int(missed))
        return missed

    def _new(self, frame: Frame) -> Iterator[Letter]:
        for number, letter in enumerate(frame.letters, frame.first):
            if number == self._read + 1:
                self._read = number
                yield letter
            elif number <= self._read:
                self._count("dedupe")
            else:  # one before it is missing; it comes again, and this one behind it
                self._count("gap")
                return

    def _acknowledged(self, ack: int, now: float) -> None:
        done = min(ack - self._floor + 1, len(self._written))
        for _ in range(done):
            self._written.popleft()
        self._gap = self._gap and done < 0
        if done > 0:
            self._floor += done
            self._sent = max(self._sent, self._floor - 1)
            self._pause = _FIRST_RESEND
            self._resend_at = now + self._pause
        if self._sent < self._floor and not self._gap:
            self._resend_at = None

    def _count_many(self, name: str, times: int) -> None:
        for _ in range(times):
            self._count(name)


class Links:
    """The links of one node to all others."""

    def __init__(self, node: NodeId, count: Count) -> None:
        self.node = node
        self._count = count
        self._numbers = itertools.count(1)
        self._links: dict[NodeId, Link] = {}
        self._broken: dict[NodeId, None] = {}

    @property
    def nodes(self) -> tuple[NodeId, ...]:
        """Those that have been written to or heard of."""
        return tuple(self._links)

    def write(self, node: NodeId, letter: Letter, now: float) -> None:
        """Queues a letter; if that cannot be, the node is among the ``broken``."""
        link = self._link(node)
        if link is None or not link.write(letter, now):
            self._broken[node] = None

    def outgoing(self, now: float, *, farewell: bool = False) -> list[tuple[NodeId, bytes]]:
        """The frames to send now, and to whom."""
        return [
            (node, data)
            for node, link in self._links.items()
            for frame in link.frames(self.node, now, farewell=farewell)
            for data in _encoded(frame)
        ]

    def due(self) -> float | None:
        """When there will be something to send."""
        times = [due for link in self._links.values() if (due := link.due()) is not None]
        return min(times, default=None)

    def hurry(self) -> None:
        """The way is free again."""
        for link in self._links.values():
            link.hurry()

    def broken(self, now: float) -> list[NodeId]:
        """Nodes to which letters were given up since the last call."""
        for node, link in self._links.items():
            if link.overdue(now):
                link.give_up()
                self._broken[node] = None
        broken, self._broken = list(self._broken), {}
        return broken

    def read(self, data: bytes, now: float) -> Received | None:
        """A frame and its new letters; None: it is none, or not from another node."""
        try:
            frame = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._count("malformed_frame")
            return None
        link = self._link(frame.source) if frame.source != self.node else None
        if link is None:
            self._count("foreign_frame")
            return None
        return link.read(frame, now)

    def forget(self, node: NodeId) -> None:
        """The node is no more."""
        self._links.pop(node, None)

    def _link(self, node: NodeId) -> Link | None:
        if node not in self._links and len(self._links) < _LINKS:
            self._links[node] = Link(next(self._numbers), self._count)
        return self._links.get(node)


def _encoded(frame: Frame) -> Iterator[bytes]:
    data = _encoder.encode(frame)
    half = len(frame.letters) // 2
    if len(data) <= _FRAME_BYTES or half == 0:
        yield data
        return
    yield from _encoded(replace(frame, letters=frame.letters[:half]))
    rest = frame.letters[half:]
    yield from _encoded(replace(frame, first=frame.first + half, letters=rest))
