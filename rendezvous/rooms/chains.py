"""A camera's keys, one after the other: a rotated key speaks for the camera's first one.

Each key has signed its successor, at its own place in the chain of its own root. Nothing is
revoked: an older key of the chain still speaks for the camera as well, with the shorter chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rendezvous.rooms import signatures
from rendezvous.wire import identity
from rendezvous.wire.identity import Owner
from rendezvous.wire.messages import Claim


@dataclass(frozen=True, slots=True)
class Chain:
    """The keys as DER SubjectPublicKeyInfo, the first first; and each but the last one's word."""

    keys: tuple[bytes, ...]
    endorsements: tuple[bytes, ...]

    @classmethod
    def of(cls, claim: Claim) -> "Chain":
        """As the claim shows it, unchecked; raises ValueError for what is not base64url."""
        keys = [identity.decode(predecessor.key) for predecessor in claim.chain]
        words = [identity.decode(predecessor.signature) for predecessor in claim.chain]
        return cls((*keys, identity.decode(claim.key)), tuple(words))

    @property
    def root(self) -> bytes:
        """The camera's first key, which its rooms are bound to."""
        return self.keys[0]

    @property
    def owner(self) -> Owner:
        """The root's name."""
        return identity.thumbprint(self.root)

    @property
    def rotated(self) -> Owner | None:
        """What a claim by a later key signs besides: whom it speaks for."""
        return self.owner if self.endorsements else None

    def verify(self, *, signature: bytes, text: bytes) -> None:
        """The last key signed the text, and speaks for the root; raises SignatureError."""
        if len(set(self.keys)) < len(self.keys):
            raise signatures.SignatureError("The chain names a key twice.")
        signatures.verify(spki=self.keys[-1], signature=signature, text=text)
        self._verify_links(tuple(pairwise(self.keys)))

    def _verify_links(self, links: Sequence[tuple[bytes, bytes]]) -> None:
        for number, ((old, new), word) in enumerate(
            zip(links, self.endorsements, strict=True), start=1
        ):
            text = identity.rotation_text(root=self.owner, number=number, old=old, new=new)
            signatures.verify(spki=old, signature=word, text=text)
