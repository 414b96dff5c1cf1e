"""The core's door: facts in, effects out; two tables say who handles what.

Rules kept: a connection is heard only while it is in the book, and ``hello`` comes first.
"""

from collections.abc import Callable, Iterator
from typing import Any

from rendezvous.rooms import cameras, connections, conversations, resumes, viewers
from rendezvous.rooms.admission import RefusalError, require_entry
from rendezvous.rooms.book import Book, Peer
from rendezvous.rooms.effects import Effect, ReleaseRoom
from rendezvous.rooms.facts import (
    ClaimRefused,
    ConnectionDue,
    ConnectionFailed,
    ConnectionLost,
    ConnectionOpened,
    DrainBegan,
    Fact,
    MessageReceived,
    MessageRefused,
    ResumeDue,
    RoomClaimed,
    RoomLookedUp,
    SessionDue,
    StoreFailed,
    WaitDue,
)
from rendezvous.rooms.sessions import Role, State
from rendezvous.wire.identity import RoomId
from rendezvous.wire.messages import (
    Answer,
    Candidate,
    Claim,
    ClientMessage,
    End,
    ErrorCode,
    Hello,
    Join,
    Offer,
    Ping,
    Pong,
    Resume,
    Source,
)


class Core:
    """Turns facts into effects; ``book`` may be looked at, never changed, from outside."""

    def __init__(self, book: Book | None = None) -> None:
        self.book = book or Book()

    def handle(self, fact: Fact, now: float) -> list[Effect]:
        """What the fact calls for, in order. ``now`` is monotonic and in seconds."""
        self.book.now = now
        effects: list[Effect] = []
        self.book.effects = effects  # also after a defect: half an answer is nobody's
        _FACTS[type(fact)](self.book, fact)
        return effects

    def due(self, now: float) -> tuple[Fact, ...]:
        """The deadlines that have come, each a fact of its own: a defect in one harms no other."""
        return tuple(_due(self.book, now))

    @property
    def negotiating(self) -> bool:
        """Whether a session is on its way to media."""
        return any(s.state is not State.ANSWERED for s in self.book.sessions.values())

    @property
    def held_rooms(self) -> tuple[tuple[RoomId, int], ...]:
        """The rooms that have a camera now, with the epochs of its claims."""
        held = (room for room in self.book.rooms.values() if room.camera is not None)
        return tuple((room.id, room.epoch) for room in held)


# ── messages ─────────────────────────────────────────────────────────────────────────────────


def _received(book: Book, fact: MessageReceived) -> None:
    peer = book.peers.get(fact.connection)
    if peer is None:
        return
    peer.heard_at, peer.pinged_at = book.now, None
    if peer.greeted or isinstance(fact.message, Hello):
        _MESSAGES[type(fact.message)](book, peer, fact.message)
    else:
        connections.expel(book, peer, ErrorCode.HELLO_FIRST, "The first message must be hello.")


def _unless_draining(
    handler: Callable[[Book, Peer, Any], None],
) -> Callable[[Book, Peer, Any], None]:
    def handle(book: Book, peer: Peer, message: ClientMessage) -> None:
        if book.draining:
            sentence = "The server is about to stop; come back in a moment."
            connections.expel(book, peer, ErrorCode.SHUTTING_DOWN, sentence)
        else:
            handler(book, peer, message)

    return handle


_MESSAGES: dict[type[ClientMessage], Callable[[Book, Peer, Any], None]] = {
    Hello: _unless_draining(connections.hello),
    Ping: connections.ping,
    Pong: connections.pong,
    Claim: _unless_draining(cameras.claim),
    Source: cameras.source,
    Join: _unless_draining(viewers.join),
    Offer: conversations.spoken,
    Answer: conversations.spoken,
    Candidate: conversations.spoken,
    End: conversations.spoken,
    Resume: _unless_draining(resumes.resume),
}


# ── the store's answers ──────────────────────────────────────────────────────────────────────


def _claimed(book: Book, fact: RoomClaimed) -> None:
    peer = book.peers.get(fact.connection)
    # While the store was asked it may have gone, or become something else.
    if peer is None or not _may_still_enter(book, peer, Role.CAMERA, fact.claim.room):
        book.effects.append(ReleaseRoom(RoomId(fact.claim.room), fact.epoch))
    elif cameras.stale(book, fact):
        connections.expel(book, peer, ErrorCode.SUPERSEDED, cameras.CLAIMED_ELSEWHERE)
    else:
        _give_up_resumes(book, peer)
        cameras.claimed(book, peer, fact)


def _may_still_enter(book: Book, peer: Peer, role: Role, room: str) -> bool:
    try:
        require_entry(peer, role, room)
    except RefusalError as refusal:
        book.refuse(peer, refusal.code, str(refusal))
        return False
    return True


def _claim_refused(book: Book, fact: ClaimRefused) -> None:
    peer = book.peers.get(fact.connection)
    if peer is not None:
        book.refuse(peer, fact.code, fact.sentence)


def _looked_up(book: Book, fact: RoomLookedUp) -> None:
    peer = book.peers.get(fact.connection)
    if peer is not None and _may_still_enter(book, peer, Role.VIEWER, fact.join.room):
        _give_up_resumes(book, peer)
        viewers.looked_up(book, peer, fact)


def _give_up_resumes(book: Book, peer: Peer) -> None:
    # What a stranger asked to come back to was a viewer's; as a camera it could pair with itself.
    if peer.role is not Role.CAMERA:
        book.let_all_go(peer)


def _store_failed(book: Book, fact: StoreFailed) -> None:
    peer = book.peers.get(fact.connection)
    if peer is not None:
        book.refuse(
            peer,
            ErrorCode.STORE_UNAVAILABLE,
            "The server cannot reach its store; try again in a moment.",
            retry_after=book.limits.store_retry,
        )


# ── time ─────────────────────────────────────────────────────────────────────────────────────


def _due(book: Book, now: float) -> Iterator[Fact]:
    for connection in book.peers:
        yield ConnectionDue(connection)
    for session in book.sessions.values():
        if session.deadline is not None and session.deadline <= now:
            yield SessionDue(session.id)
    for room in book.rooms.values():
        for viewer, until in room.waiting.items():
            if until <= now:
                yield WaitDue(room.id, viewer)
    for key, held in book.resumes.items():
        for role, resume in held.items():
            if resume.until <= now:
                yield ResumeDue(key, role)


_FACTS: dict[type[Fact], Callable[[Book, Any], None]] = {
    ConnectionOpened: connections.opened,
    MessageReceived: _received,
    MessageRefused: connections.refused,
    ConnectionLost: connections.lost,
    ConnectionFailed: connections.failed,
    RoomClaimed: _claimed,
    ClaimRefused: _claim_refused,
    RoomLookedUp: _looked_up,
    StoreFailed: _store_failed,
    ConnectionDue: connections.due,
    SessionDue: conversations.due,
    WaitDue: viewers.wait_due,
    ResumeDue: resumes.due,
    DrainBegan: connections.drain_began,
}
