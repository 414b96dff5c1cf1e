"""The core's door: facts in, effects out; two tables say who handles what.

Rules kept: a connection is heard only while it is in the book, and ``hello`` comes first.
"""

from collections.abc import Callable, Iterator
from typing import Any

from rendezvous.rooms import (
    away,
    cameras,
    connections,
    conversations,
    homes,
    leases,
    resumes,
    viewers,
)
from rendezvous.rooms.actions import Spoken
from rendezvous.rooms.admission import RefusalError, require_entry
from rendezvous.rooms.book import Book
from rendezvous.rooms.effects import Effect, ReleaseRoom
from rendezvous.rooms.entries import Peer, Room
from rendezvous.rooms.facts import (
    AdriftDue,
    ClaimRefused,
    ConnectionDue,
    ConnectionFailed,
    ConnectionLost,
    ConnectionOpened,
    DrainBegan,
    Fact,
    LeaseDue,
    LeaseLost,
    LeasesRenewed,
    LetterReceived,
    LettersLost,
    LettersMissed,
    MessageReceived,
    MessageRefused,
    NodeLost,
    ResumeDue,
    RoomClaimed,
    RoomFound,
    RoomLookedUp,
    SessionDue,
    StoreFailed,
    StoreReached,
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
        book = self.book
        here = any(s.state is not State.ANSWERED for s in book.sessions.values())
        there = (peer.away for peer in book.peers.values() if peer.away is not None)
        return here or any(place.session and not place.answered for place in there)

    @property
    def held_rooms(self) -> tuple[tuple[RoomId, int], ...]:
        """The rooms that are served here now, with the epochs of their cameras' claims."""
        book = self.book
        return tuple((r.id, r.epoch) for r in book.rooms.values() if r.live(book.now))

    @property
    def sought_rooms(self) -> tuple[RoomId, ...]:
        """The rooms whose cameras are not here, and that somebody here wants."""
        return tuple(homes.sought(self.book))


# ── messages ─────────────────────────────────────────────────────────────────────────────────


def _received(book: Book, fact: MessageReceived) -> None:
    peer = book.peers.get(fact.connection)
    if peer is None:
        return
    peer.heard_at, peer.pinged_at = book.now, None
    if peer.away is not None and isinstance(fact.message, Spoken | Resume):
        away.pass_on(book, peer, fact.message)
    elif peer.greeted or isinstance(fact.message, Hello):
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
    elif (room := book.rooms.get(RoomId(fact.claim.room))) and room.keeps_out(fact.owner):
        book.effects.append(ReleaseRoom(room.id, fact.epoch))
        cameras.keep_out(book, peer, room)
    elif cameras.stale(book, fact):
        book.effects.append(ReleaseRoom(RoomId(fact.claim.room), fact.epoch))
        _overtaken(book, peer, RoomId(fact.claim.room))
    else:
        _give_up_resumes(book, peer)
        homes.claimed(book, peer, fact)


def _overtaken(book: Book, peer: Peer, room_id: RoomId) -> None:
    room = book.rooms.get(room_id)
    if room is not None and room.camera not in (None, peer.id):
        connections.expel(book, peer, ErrorCode.SUPERSEDED, cameras.CLAIMED_ELSEWHERE)
    else:  # the store has forgotten epochs; it is told them with the next claim
        _come_back_later(book, peer)


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
    if peer is None or peer.seat != fact.seat:
        return  # the question was asked for an earlier place of the same connection
    if _may_still_enter(book, peer, Role.VIEWER, fact.join.room):
        _give_up_resumes(book, peer)
        if (home := homes.elsewhere(book, fact)) is not None:
            homes.redirect(book, peer, fact, home)
        else:
            _admit(book, peer, fact)


def _admit(book: Book, peer: Peer, fact: RoomLookedUp) -> None:
    seated = peer.away is not None and peer.away.seated
    away.leave(book, peer, replaced=True)
    viewers.looked_up(book, peer, fact)
    if seated:
        book.unseat(peer)


def _give_up_resumes(book: Book, peer: Peer) -> None:
    # What a stranger asked to come back to was a viewer's; as a camera it could pair with itself.
    if peer.role is not Role.CAMERA:
        book.let_all_go(peer)


def _store_failed(book: Book, fact: StoreFailed) -> None:
    peer = book.peers.get(fact.connection)
    if peer is not None and peer.seat == fact.seat:
        _come_back_later(book, peer)
        if peer.far is not None:
            book.unseat(peer)


def _come_back_later(book: Book, peer: Peer) -> None:
    book.refuse(
        peer,
        ErrorCode.STORE_UNAVAILABLE,
        "The server cannot reach its store; try again in a moment.",
        retry_after=round(book.limits.store_retry * (1 + book.jitter() / 2), 1),
    )
    peer.challenged_at = None  # it is asked again when the store is back


# ── time ─────────────────────────────────────────────────────────────────────────────────────


def _due(book: Book, now: float) -> Iterator[Fact]:
    for connection, peer in book.peers.items():
        if peer.check_at <= now:
            yield ConnectionDue(connection)
    for session in book.sessions.values():
        if session.deadline is not None and session.deadline <= now:
            yield SessionDue(session.id)
    for room in book.rooms.values():
        yield from _room_due(room, now)
    for key, held in book.resumes.items():
        for role, resume in held.items():
            if resume.until <= now:
                yield ResumeDue(key, role)


def _room_due(room: Room, now: float) -> Iterator[Fact]:
    if room.until <= now and not room.lapsed:
        yield LeaseDue(room.id)
    for viewer, until in room.waiting.items():
        if until <= now:
            yield WaitDue(room.id, viewer)
    for viewer, place in room.away.items():
        if place.until is not None and place.until <= now:
            yield AdriftDue(viewer)


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
    RoomFound: homes.found,
    LeasesRenewed: leases.renewed,
    LeaseLost: leases.lost,
    LeaseDue: leases.due,
    StoreReached: leases.challenge,
    LetterReceived: homes.received,
    NodeLost: homes.begin_anew,
    LettersLost: homes.begin_anew,
    LettersMissed: homes.begin_anew,
    AdriftDue: away.due,
    ConnectionDue: connections.due,
    SessionDue: conversations.due,
    WaitDue: viewers.wait_due,
    ResumeDue: resumes.due,
    DrainBegan: connections.drain_began,
}
