"""The core's door: facts in, effects out. Opening, liveness and deadlines of connections are here.

Rules kept: a connection is heard only while it is in the book; ``hello`` comes first; whoever is
closed has first left the session, the wait or the room that it was part of.
"""

from collections.abc import Callable
from typing import Any

from rendezvous.rooms import cameras, conversations, resumes, viewers
from rendezvous.rooms.book import Book, Peer
from rendezvous.rooms.conversations import Happening
from rendezvous.rooms.effects import Effect, ReleaseRoom
from rendezvous.rooms.facts import (
    ClaimRefused,
    ConnectionFailed,
    ConnectionLost,
    ConnectionOpened,
    DrainBegan,
    Fact,
    MessageReceived,
    MessageRefused,
    RoomClaimed,
    RoomLookedUp,
    StoreFailed,
    TimePassed,
)
from rendezvous.rooms.sessions import Event, Role, State
from rendezvous.wire.identity import RoomId
from rendezvous.wire.messages import (
    VERSION,
    Answer,
    Candidate,
    Claim,
    ClientMessage,
    End,
    ErrorCode,
    Goaway,
    Hello,
    Join,
    Offer,
    Ping,
    Pong,
    Resume,
    Source,
    Welcome,
)

FEATURES = ("resume",)


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

    @property
    def negotiating(self) -> bool:
        """Whether a session is on its way to media."""
        return any(s.state is not State.ANSWERED for s in self.book.sessions.values())

    @property
    def held_rooms(self) -> tuple[RoomId, ...]:
        """The rooms that have a camera now."""
        return tuple(room.id for room in self.book.rooms.values() if room.camera is not None)


# ── connections ──────────────────────────────────────────────────────────────────────────────


def _opened(book: Book, fact: ConnectionOpened) -> None:
    book.peers[fact.connection] = Peer(
        id=fact.connection,
        nonce=book.new_id(),
        origins=fact.origins,
        opened_at=fact.opened_at,
        heard_at=book.now,
        admit_by=fact.opened_at + book.limits.unadmitted,
    )


def _lost(book: Book, fact: ConnectionLost) -> None:
    peer = book.peers.get(fact.connection)
    if peer is not None:
        _depart(book, peer)
        del book.peers[peer.id]


def _failed(book: Book, fact: ConnectionFailed) -> None:
    peer = book.peers.get(fact.connection)
    if peer is not None:
        _expel(book, peer, fact.code, fact.sentence)


def _expel(book: Book, peer: Peer, code: ErrorCode, sentence: str) -> None:
    book.refuse(peer, code, sentence)
    _depart(book, peer)
    book.close(peer)


def _depart(book: Book, peer: Peer) -> None:
    resumes.forget(book, peer)
    if peer.role is Role.CAMERA:
        cameras.gone(book, peer)
    elif peer.role is Role.VIEWER:
        viewers.gone(book, peer)


# ── messages ─────────────────────────────────────────────────────────────────────────────────


def _received(book: Book, fact: MessageReceived) -> None:
    peer = book.peers.get(fact.connection)
    if peer is None:
        return
    peer.heard_at, peer.pinged_at = book.now, None
    if peer.greeted or isinstance(fact.message, Hello):
        _MESSAGES[type(fact.message)](book, peer, fact.message)
    else:
        _expel(book, peer, ErrorCode.HELLO_FIRST, "The first message must be hello.")


def _refused(book: Book, fact: MessageRefused) -> None:
    peer = book.peers.get(fact.connection)
    if peer is None:
        return
    peer.heard_at, peer.pinged_at = book.now, None
    if fact.code is ErrorCode.MESSAGE_TOO_LARGE:
        _expel(book, peer, fact.code, fact.sentence)
    else:
        book.refuse(peer, fact.code, fact.sentence)


def _hello(book: Book, peer: Peer, message: Hello) -> None:
    if peer.greeted:
        book.refuse(peer, ErrorCode.NOT_ALLOWED, "One hello is enough.")
    elif message.version != VERSION:
        sentence = f"This server speaks version {VERSION}, not {message.version}."
        _expel(book, peer, ErrorCode.VERSION_UNSUPPORTED, sentence)
    else:
        peer.greeted = True
        book.send(
            peer,
            Welcome(
                version=VERSION,
                server=book.server,
                connection=peer.id,
                nonce=peer.nonce,
                features=FEATURES,
            ),
        )


def _ping(book: Book, peer: Peer, _message: Ping) -> None:
    book.send(peer, Pong())


def _pong(_book: Book, _peer: Peer, _message: Pong) -> None:
    """Having been heard is all there is to it."""


def _unless_draining(
    handler: Callable[[Book, Peer, Any], None],
) -> Callable[[Book, Peer, Any], None]:
    def handle(book: Book, peer: Peer, message: ClientMessage) -> None:
        if book.draining:
            sentence = "The server is about to stop; come back in a moment."
            _expel(book, peer, ErrorCode.SHUTTING_DOWN, sentence)
        else:
            handler(book, peer, message)

    return handle


_MESSAGES: dict[type[ClientMessage], Callable[[Book, Peer, Any], None]] = {
    Hello: _unless_draining(_hello),
    Ping: _ping,
    Pong: _pong,
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
    if peer is None:  # it went while the store was asked
        book.effects.append(ReleaseRoom(RoomId(fact.claim.room), fact.epoch))
    else:
        _give_up_resumes(book, peer)
        cameras.claimed(book, peer, fact)


def _claim_refused(book: Book, fact: ClaimRefused) -> None:
    peer = book.peers.get(fact.connection)
    if peer is not None:
        book.refuse(
            peer,
            ErrorCode.ROOM_UNAVAILABLE,
            "This room is bound to another camera's key. Choose another name.",
        )


def _looked_up(book: Book, fact: RoomLookedUp) -> None:
    peer = book.peers.get(fact.connection)
    if peer is not None:
        _give_up_resumes(book, peer)
        viewers.looked_up(book, peer, fact)


def _give_up_resumes(book: Book, peer: Peer) -> None:
    # What a stranger asked to come back to was a viewer's; as a camera it could pair with itself.
    if peer.role is not Role.CAMERA:
        resumes.forget(book, peer)


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


def _time_passed(book: Book, _fact: TimePassed) -> None:
    for peer in tuple(book.peers.values()):
        _check_peer(book, peer)
    for session in tuple(book.sessions.values()):
        if session.deadline is not None and session.deadline <= book.now:
            conversations.happen(book, Happening(session, Event.DEADLINE))
    for room in tuple(book.rooms.values()):
        viewers.give_up_waiting(book, room)
    resumes.expire(book)


def _check_peer(book: Book, peer: Peer) -> None:
    limits, age, silence = book.limits, book.now - peer.opened_at, book.now - peer.heard_at
    if not peer.greeted and age >= limits.hello:
        sentence = f"There was no hello within {limits.hello:g} seconds."
        _expel(book, peer, ErrorCode.HELLO_TIMEOUT, sentence)
    elif peer.role is None and book.now >= peer.admit_by:
        sentence = "There was no claim and no join in time."
        _expel(book, peer, ErrorCode.HELLO_TIMEOUT, sentence)
    elif silence >= limits.idle:
        sentence = f"Nothing was heard for {limits.idle:g} seconds."
        _expel(book, peer, ErrorCode.IDLE_TIMEOUT, sentence)
    elif silence >= limits.ping and book.now - (peer.pinged_at or peer.heard_at) >= limits.ping:
        peer.pinged_at = book.now
        book.send(peer, Ping())


def _drain_began(book: Book, fact: DrainBegan) -> None:
    book.draining = True
    for peer in book.peers.values():
        book.send(peer, Goaway(after=fact.after))


_FACTS: dict[type[Fact], Callable[[Book, Any], None]] = {
    ConnectionOpened: _opened,
    MessageReceived: _received,
    MessageRefused: _refused,
    ConnectionLost: _lost,
    ConnectionFailed: _failed,
    RoomClaimed: _claimed,
    ClaimRefused: _claim_refused,
    RoomLookedUp: _looked_up,
    StoreFailed: _store_failed,
    TimePassed: _time_passed,
    DrainBegan: _drain_began,
}
