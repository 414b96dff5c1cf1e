"""The camera's key and the viewers' secrets: made once, kept readable by their owner only."""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from publisher.errors import PublisherError
from rendezvous.wire import identity
from rendezvous.wire.identity import RoomId
from rendezvous.wire.messages import Claim, Source, Welcome

_KEY_FILE = "camera.key"
_SECRETS = "viewer-secrets"
_COORDINATE_BYTES = 32  # of P-256


class IdentityError(PublisherError):
    """The key or a secret cannot be read or kept."""

    exit_status = 77


@dataclass(frozen=True, slots=True)
class CameraKey:
    """The long-term P-256 key; whoever has it is the camera."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def spki(self) -> bytes:
        """The public half, DER SubjectPublicKeyInfo."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def room(self, label: str = "") -> RoomId:
        """The room that only this key can claim."""
        return identity.key_room(self.spki, label)

    def sign(self, data: bytes) -> bytes:
        """ECDSA with SHA-256 as ``r ‖ s``, the form that WebCrypto and JWS use."""
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(_COORDINATE_BYTES) + s.to_bytes(_COORDINATE_BYTES)

    def claim(
        self,
        welcome: Welcome,
        *,
        origin: str,
        room: str,
        label: str,
        verifier: str | None,
        source: Source,
    ) -> Claim:
        """The signed claim of a room on the connection that the welcome came from."""
        text = identity.claim_text(
            nonce=welcome.nonce,
            connection=welcome.connection,
            origin=origin,
            room=room,
            label=label,
            verifier=verifier,
        )
        return Claim(
            room=room,
            key=identity.encode(self.spki),
            origin=origin,
            signature=identity.encode(self.sign(text)),
            label=label,
            verifier=verifier,
            source=source,
        )


class Keyring:
    """What one camera device keeps in its state directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def camera_key(self) -> CameraKey:
        """The key, made at the first start. Raises IdentityError."""
        path = self._directory / _KEY_FILE
        pem = self._read(path)
        if pem is None:
            key = ec.generate_private_key(ec.SECP256R1())
            pem = self._keep(path, _to_pem(key))
        return CameraKey(_from_pem(pem, path))

    def viewer_secret(self, room: str) -> str:
        """The room's viewer secret, 128 random bits, made at its first use.

        Deleting its file makes all earlier links useless. Raises IdentityError.
        """
        path = self._directory / _SECRETS / room
        kept = self._read(path)
        if kept is None:
            kept = self._keep(path, identity.encode(secrets.token_bytes(16)).encode())
        return kept.decode().strip()

    @staticmethod
    def _read(path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(path, error) from None

    @staticmethod
    def _keep(path: Path, content: bytes) -> bytes:
        """Writes once and atomically: two first starts at once end with the same content."""
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
                f.write(content)
                f.flush()
                os.fsync(f.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                return path.read_bytes()
            finally:
                draft.unlink()
        except OSError as error:
            raise _unusable(path, error) from None
        return content


def _to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _from_pem(pem: bytes, path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise IdentityError(
        "key_malformed",
        f"{path} holds no P-256 key.",
        "Restore it from a backup; deleting it gives the camera a new identity and new rooms.",
    )


def _unusable(path: Path, error: OSError) -> IdentityError:
    return IdentityError(
        "state_unusable",
        f"Cannot use {path}: {error.strerror}.",
        "Choose a directory with --state, or mend its permissions.",
    )
