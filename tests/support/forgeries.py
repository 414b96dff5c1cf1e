"""Claims that somebody makes who knows everything about a camera but its key.

The thief has the room ID, the public keys, the chain of rotations, and claims that the camera
signed for other connections, servers, rooms and labels: all that a network or a hostile server
may have heard. Every forgery is for one connection of the thief's own.
"""

import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from rendezvous.rooms.admission import RefusalError, owner_of
from rendezvous.rooms.entries import Peer
from rendezvous.wire import identity
from rendezvous.wire.identity import ConnectionId
from rendezvous.wire.messages import Claim, Predecessor, Welcome
from tests.support.peers import Key, signed_claim

OPEN_ROOM = "MyRoom"
LABEL = "yard"
ORIGIN = "127.0.0.1:4545"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256's group


def _welcome(number: int) -> Welcome:
    """Of a connection that somebody else had."""
    return Welcome(version=1, server="", connection=f"c{number:021d}", nonce=f"n{number:021d}")


@dataclass
class Thief:
    """Makes forgeries, from a seed that reproduces them."""

    seed: int = 0
    origin: str = ORIGIN
    first: Key = field(default_factory=Key)
    own: Key = field(default_factory=Key)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.victim = self.first.rotated().rotated()
        self.room = identity.key_room(self.first.spki, LABEL)
        self.heard = [self.claim(_welcome(number), self.victim) for number in range(50)]
        self.early = [self.claim(_welcome(number), self.first) for number in range(50)]

    def claim(self, welcome: Welcome, key: Key, **changes: str) -> Claim:
        """A claim in order; but for the changes, of the camera's key room."""
        facts: dict[str, Any] = {"room": self.room, "label": LABEL, "origin": self.origin}
        return signed_claim(welcome, key, **facts | changes)

    def forge(self, kind: str, welcome: Welcome) -> Claim:
        """One forgery of this kind, for the thief's connection with this welcome."""
        return KINDS[kind](self, welcome)

    # ── without any signature of the camera's ────────────────────────────────────────────────

    def with_its_own_key(self, welcome: Welcome) -> Claim:
        """All in order, but for the key."""
        return self.claim(welcome, self.own)

    def with_its_own_signature(self, welcome: Welcome) -> Claim:
        """Under the camera's name."""
        claim = self.claim(welcome, dataclasses.replace(self.own, chain=self.victim.chain))
        return msgspec.structs.replace(claim, key=self.heard[0].key)

    def with_any_signature(self, _welcome: Welcome) -> Claim:
        """Random numbers, and those at the edges of what ECDSA allows."""
        edges = (0, 1, _ORDER - 1, _ORDER, (1 << 256) - 1, self.random.getrandbits(256))
        halves = b"".join(self.random.choice(edges).to_bytes(32) for _ in range(2))
        signature = identity.encode(halves[: self.random.choice((64, 64, 64, 63, 0))])
        return msgspec.structs.replace(self._heard(), signature=signature)

    def with_the_camera_s_chain(self, welcome: Welcome) -> Claim:
        """The links are public; the thief's key is not in them."""
        length = self.random.randint(1, len(self.victim.chain))
        own = dataclasses.replace(self.own, chain=self.victim.chain[:length])
        return self.claim(welcome, own)

    def with_a_chain_of_its_own(self, welcome: Welcome) -> Claim:
        """A last link, from the camera's newest key to the thief's, in the thief's hand."""
        number, old = len(self.victim.chain) + 1, identity.decode(self.heard[0].key)
        text = identity.rotation_text(
            root=self.first.owner, number=number, old=old, new=self.own.spki
        )
        forged = Predecessor(key=self.heard[0].key, signature=self.own.sign(text))
        own = dataclasses.replace(self.own, chain=(*self.victim.chain, forged))
        return self.claim(welcome, own)

    # ── with signatures of the camera's ──────────────────────────────────────────────────────

    def _heard(self) -> Claim:
        return self.random.choice(self.random.choice((self.heard, self.early)))

    def replayed(self, _welcome: Welcome) -> Claim:
        """As it was heard on another connection."""
        return self._heard()

    def from_another_server(self, welcome: Welcome) -> Claim:
        """The camera dialled the thief, who passed on this connection's nonce."""
        claim = self.claim(welcome, self.victim, origin="evil.example.org:4545")
        named = self.random.choice((self.origin, claim.origin))
        return msgspec.structs.replace(claim, origin=named)

    def of_another_room(self, welcome: Welcome) -> Claim:
        """The camera claims something else on this very connection."""
        claim = self.claim(welcome, self.victim, room=OPEN_ROOM, label="")
        return msgspec.structs.replace(claim, room=self.room, label=LABEL)

    def of_another_label(self, welcome: Welcome) -> Claim:
        """Signed for one camera of the key, used for another."""
        other = identity.key_room(self.first.spki, "door")
        claim = self.claim(welcome, self.victim, room=other, label="door")
        changes = self.random.choice(({"room": self.room}, {"label": LABEL}))
        return msgspec.structs.replace(claim, **changes)

    def with_another_verifier(self, welcome: Welcome) -> Claim:
        """In order, but that the thief's link should open the room."""
        verifier = identity.viewer_verifier(self.room, "the thief's")
        claim = self.claim(welcome, self.victim)
        return msgspec.structs.replace(claim, verifier=self.random.choice((verifier, None)))

    def with_a_mangled_chain(self, welcome: Welcome) -> Claim:
        """Signed by the camera's newest key, with its chain cut, turned or doubled."""
        links = list(self.victim.chain)
        mangled = self.random.choice((links[1:], links[:1], links[::-1], [], links + links[:1]))
        claim = self.claim(welcome, self.victim)
        return msgspec.structs.replace(claim, chain=tuple(mangled))

    def with_a_changed_link(self, welcome: Welcome) -> Claim:
        """One bit of it."""
        links = list(self.victim.chain)
        place = self.random.randrange(len(links))
        name = self.random.choice(("key", "signature"))
        data = bytearray(identity.decode(getattr(links[place], name)))
        data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
        links[place] = msgspec.structs.replace(links[place], **{name: identity.encode(bytes(data))})
        claim = self.claim(welcome, self.victim)
        return msgspec.structs.replace(claim, chain=tuple(links))


_METHODS: tuple[Callable[[Thief, Welcome], Claim], ...] = (
    Thief.with_its_own_key,
    Thief.with_its_own_signature,
    Thief.with_any_signature,
    Thief.with_the_camera_s_chain,
    Thief.with_a_chain_of_its_own,
    Thief.replayed,
    Thief.from_another_server,
    Thief.of_another_room,
    Thief.of_another_label,
    Thief.with_another_verifier,
    Thief.with_a_mangled_chain,
    Thief.with_a_changed_link,
)
KINDS = {method.__name__.replace("_", " "): method for method in _METHODS}


def accepted(thief: Thief, kind: str, connection: str = "x" * 22, nonce: str = "y" * 22) -> bool:
    """Whether the core's own check takes a forgery, or what the camera itself would send."""
    welcome = Welcome(version=1, server="", connection=connection, nonce=nonce)
    own = {"in order": thief.victim, "by an earlier key": thief.first}
    claim = thief.claim(welcome, own[kind]) if kind in own else thief.forge(kind, welcome)
    try:
        return bool(owner_of(claim, _peer(welcome, thief.origin)))
    except RefusalError:
        return False


def _peer(welcome: Welcome, origin: str) -> Peer:
    return Peer(
        id=ConnectionId(welcome.connection),
        nonce=welcome.nonce,
        origins=frozenset({origin}),
        opened_at=0.0,
        stranger_since=0.0,
        admit_by=10.0,
        heard_at=0.0,
    )
