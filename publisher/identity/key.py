"""The camera's key: it signs claims, and names its successor when it is rotated."""

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from publisher.identity.errors import IdentityError
from rendezvous.wire import identity
from rendezvous.wire.identity import Owner, RoomId
from rendezvous.wire.messages import ROTATIONS, Claim, IcePolicy, Predecessor, Source, Welcome

_COORDINATE_BYTES = 32  # of P-256


@dataclass(frozen=True, slots=True)
class CameraKey:
    """The long-term P-256 key; whoever has it is the camera.

    ``chain`` holds the keys before it, the first first: the camera's rooms are bound to that one.
    """

    private: ec.EllipticCurvePrivateKey = field(repr=False)
    chain: tuple[Predecessor, ...] = ()

    @classmethod
    def generate(cls) -> "CameraKey":
        """A new camera."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @property
    def spki(self) -> bytes:
        """The public half, DER SubjectPublicKeyInfo."""
        return self.private.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def root(self) -> bytes:
        """The public half of the camera's first key."""
        return identity.decode(self.chain[0].key) if self.chain else self.spki

    @property
    def owner(self) -> Owner:
        """The root's thumbprint: what servers know the camera by, whatever was rotated."""
        return identity.thumbprint(self.root)

    def room(self, label: str = "") -> RoomId:
        """The room that only this camera can claim."""
        return identity.key_room(self.root, label)

    def sign(self, data: bytes) -> bytes:
        """ECDSA with SHA-256 as ``r ‖ s``, the form that WebCrypto and JWS use."""
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(_COORDINATE_BYTES) + s.to_bytes(_COORDINATE_BYTES)

    def rotated(self) -> "CameraKey":
        """A new key, named by this one as its successor. Raises IdentityError."""
        if len(self.chain) >= ROTATIONS:
            raise IdentityError(
                "chain_full",
                f"This key has been rotated {ROTATIONS} times, as often as servers accept.",
                "A new --state directory gives the camera a new identity, and new rooms.",
            )
        new = CameraKey.generate()
        text = self._rotation_text(len(self.chain) + 1, self.spki, new.spki)
        link = Predecessor(
            key=identity.encode(self.spki), signature=identity.encode(self.sign(text))
        )
        return CameraKey(new.private, (*self.chain, link))

    def require_chain(self) -> None:
        """Raises ValueError when the keys before this one did not all name their successors."""
        keys = [*(identity.decode(link.key) for link in self.chain), self.spki]
        for number, link in enumerate(self.chain, start=1):
            text = self._rotation_text(number, keys[number - 1], keys[number])
            _verify(keys[number - 1], identity.decode(link.signature), text)

    def _rotation_text(self, number: int, old: bytes, new: bytes) -> bytes:
        return identity.rotation_text(root=self.owner, number=number, old=old, new=new)

    def claim(
        self,
        welcome: Welcome,
        *,
        origin: str,
        room: str,
        label: str,
        verifier: str | None,
        source: Source,
        ice_policy: IcePolicy = IcePolicy.ALL,
        instance: str | None = None,
    ) -> Claim:
        """The signed claim of a room on the connection that the welcome came from."""
        text = identity.claim_text(
            nonce=welcome.nonce,
            connection=welcome.connection,
            origin=origin,
            room=room,
            label=label,
            verifier=verifier,
            root=self.owner if self.chain else None,
        )
        return Claim(
            room=room,
            key=identity.encode(self.spki),
            origin=origin,
            signature=identity.encode(self.sign(text)),
            label=label,
            verifier=verifier,
            chain=self.chain,
            source=source,
            ice_policy=ice_policy,
            instance=instance,
        )


def _verify(spki: bytes, signature: bytes, text: bytes) -> None:
    try:
        key = load_der_public_key(spki)
    except UnsupportedAlgorithm:
        key = None
    halves = signature[:_COORDINATE_BYTES], signature[_COORDINATE_BYTES:]
    der = encode_dss_signature(*(int.from_bytes(half) for half in halves))
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("a predecessor is of another kind")  # noqa: TRY004  # a damaged file
    try:
        key.verify(der, text, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise ValueError("a predecessor did not sign its successor") from None
