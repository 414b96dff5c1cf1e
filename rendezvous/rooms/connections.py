"""Connections: opening, liveness, and leaving, whatever they have become meanwhile.

Whoever is closed has first left the session, the wait or the room that it was part of.
"""

import math
from collections.abc import Iterator

from rendezvous.rooms import away, cameras, viewers
from rendezvous.rooms.book import Book
from rendezvous.rooms.entries import Peer
from rendezvous.rooms.facts import (
    ConnectionDue,
    ConnectionFailed,
    ConnectionLost,
    ConnectionOpened,
    DrainBegan,
    MessageRefused,
)
from rendezvous.rooms.sessions import Role
from rendezvous.wire.messages import (
    VERSION,
    ErrorCode,
    Goaway,
    Hello,
    Limits,
    Ping,
    Pong,
    Welcome,
)

FEATURES = ("resume", "challenge")


def opened(book: Book, fact: ConnectionOpened) -> None:
    """A peer speaks to us; it is a stranger."""
    book.peers[fact.connection] = Peer(
        id=fact.connection,
        nonce=book.new_id(),
        origins=fact.origins,
        opened_at=book.now,
        stranger_since=fact.stranger_since,
        admit_by=fact.stranger_since + book.limits.unadmitted,
        heard_at=book.now,
    )


def lost(book: Book, fact: ConnectionLost) -> None:
    """It is gone."""
    peer = book.peers.get(fact.connection)
    if peer is not None:
        try:
            depart(book, peer)
        finally:  # a defect must not leave somebody in the book who is no more
            book.forget(peer)


def failed(book: Book, fact: ConnectionFailed) -> None:
    """It has to go, through a defect of ours or because it does not read."""
    peer = book.peers.get(fact.connection)
    if peer is not None:
        expel(book, peer, fact.code, fact.sentence)


def expel(book: Book, peer: Peer, code: ErrorCode, sentence: str) -> None:
    """Tells the peer why, lets it leave whatever it was part of, and closes."""
    book.refuse(peer, code, sentence)
    try:
        depart(book, peer)
    finally:
        book.close(peer)


def depart(book: Book, peer: Peer) -> None:
    """The peer leaves what it is part of."""
    if peer.role is Role.CAMERA:
        cameras.gone(book, peer)
    elif peer.role is Role.VIEWER:
        viewers.gone(book, peer)
    away.leave(book, peer)


def refused(book: Book, fact: MessageRefused) -> None:
    """Something came that is no message; only lost framing closes."""
    peer = book.peers.get(fact.connection)
    if peer is None:
        return
    peer.heard_at, peer.pinged_at = book.now, None
    if fact.code is ErrorCode.MESSAGE_TOO_LARGE:
        expel(book, peer, fact.code, fact.sentence)
    else:
        book.refuse(peer, fact.code, fact.sentence)


def hello(book: Book, peer: Peer, message: Hello) -> None:
    """The first message: what a claim or a join must sign is the answer."""
    if peer.greeted:
        book.refuse(peer, ErrorCode.NOT_ALLOWED, "One hello is enough.")
    elif message.version != VERSION:
        sentence = f"This server speaks version {VERSION}, not {message.version}."
        expel(book, peer, ErrorCode.VERSION_UNSUPPORTED, sentence)
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
                limits=Limits(
                    messages_per_second=book.limits.messages_per_second, burst=book.limits.burst
                ),
            ),
        )


def ping(book: Book, peer: Peer, _message: Ping) -> None:
    """Is answered."""
    book.send(peer, Pong())


def pong(_book: Book, _peer: Peer, _message: Pong) -> None:
    """Having been heard is all there is to it."""


def due(book: Book, fact: ConnectionDue) -> None:
    """Deadlines of the connection itself: hello, admission, signs of life."""
    peer = book.peers.get(fact.connection)
    if peer is None:
        return
    if peer.far is None:
        _check(book, peer)
        peer.check_at = min(_deadlines(book, peer))
    else:  # its own node watches over a far one
        peer.check_at = math.inf


def _deadlines(book: Book, peer: Peer) -> Iterator[float]:
    limits = book.limits
    yield (peer.pinged_at or peer.heard_at) + limits.ping
    yield peer.heard_at + limits.idle
    if not peer.greeted:
        yield peer.opened_at + limits.hello
    if peer.admit_by > book.now:
        yield peer.admit_by
    if peer.challenged_at is not None:
        yield peer.challenged_at + limits.challenge


def _check(book: Book, peer: Peer) -> None:
    limits, age, silence = book.limits, book.now - peer.opened_at, book.now - peer.heard_at
    if not peer.greeted and age >= limits.hello:
        sentence = f"There was no hello within {limits.hello:g} seconds."
        expel(book, peer, ErrorCode.HELLO_TIMEOUT, sentence)
    elif book.now >= peer.admit_by and book.is_stranger(peer):
        sentence = "There was no claim and no join in time."
        expel(book, peer, ErrorCode.HELLO_TIMEOUT, sentence)
    elif peer.challenged_at is not None and book.now >= peer.challenged_at + limits.challenge:
        sentence = "The claim ran out while the store was away, and was not made again."
        expel(book, peer, ErrorCode.CLAIM_EXPIRED, sentence)
    elif silence >= limits.idle:
        sentence = f"Nothing was heard for {limits.idle:g} seconds."
        expel(book, peer, ErrorCode.IDLE_TIMEOUT, sentence)
    elif silence >= limits.ping and book.now - (peer.pinged_at or peer.heard_at) >= limits.ping:
        peer.pinged_at = book.now
        book.send(peer, Ping())


def drain_began(book: Book, fact: DrainBegan) -> None:
    """Everybody is sent away; nothing new is taken from now on."""
    book.draining = True
    for peer in book.peers.values():
        if peer.far is None:
            book.send(peer, Goaway(after=fact.after))
