"""Names and proofs: how a room, its owner and its viewers are told apart.

Pure functions over bytes and strings. Signing and checking signatures is left to the two ends.
"""

import base64
import hashlib
import hmac
import re
from typing import NewType

RoomId = NewType("RoomId", str)
ConnectionId = NewType("ConnectionId", str)
SessionId = NewType("SessionId", str)
NodeId = NewType("NodeId", str)
"""One process of the rendezvous, from its start to its end."""
Owner = NewType("Owner", str)
"""The principal that holds a room: opaque to the core, natively the thumbprint of a camera key."""

ROOM_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z"
LABEL_PATTERN = r"^[A-Za-z0-9_-]{0,32}\Z"  # \Z, for $ lets a line feed pass
KEY_ROOM_LENGTH = 32  # characters of base32: 160 bits, beyond any search for a second key

_ROOM_ID = re.compile(ROOM_ID_PATTERN)
_KEY_ROOM = re.compile(rf"^[a-z2-7]{{{KEY_ROOM_LENGTH}}}$")


def is_room_id(text: str) -> bool:
    """Whether the text may name a room at all."""
    return _ROOM_ID.fullmatch(text) is not None


def is_key_room(room: str) -> bool:
    """Whether the ID has the form of a key room, which no chosen name may have."""
    return _KEY_ROOM.fullmatch(room) is not None


def key_room(spki: bytes, label: str = "") -> RoomId:
    """The room that only this key can claim: base32(SHA-256(SPKI ‖ label)), first 160 bits.

    ``spki`` is the DER SubjectPublicKeyInfo (RFC 5280 §4.1). One key has a room for each label.
    """
    digest = hashlib.sha256(spki + label.encode()).digest()
    return RoomId(base64.b32encode(digest).decode().lower()[:KEY_ROOM_LENGTH])


def thumbprint(spki: bytes) -> Owner:
    """SHA-256 of the DER SubjectPublicKeyInfo, base64url: the name of a camera key."""
    return Owner(encode(hashlib.sha256(spki).digest()))


def claim_text(
    *,
    nonce: str,
    connection: str,
    origin: str,
    room: str,
    label: str,
    verifier: str | None,
    root: Owner | None = None,
) -> bytes:
    """The bytes a camera signs (ECDSA P-256, SHA-256, signature as r ‖ s) to claim a room.

    Nonce and connection id make it good for this connection only, the origin for this server
    only. ``root`` is the owner's name after a rotation, None before the first. No field can hold
    a line feed, so no two claims have the same bytes. There is no time in it: the nonce is fresh,
    and a small computer without a clock battery must be able to claim.
    """
    lines = ["porthole claim v1", nonce, connection, origin, room, label, verifier or "-"]
    return "\n".join(lines + ([root] if root else [])).encode()


def rotation_text(*, root: Owner, number: int, old: bytes, new: bytes) -> bytes:
    """The bytes the old key signs to name the new one as its successor.

    ``root`` is the thumbprint of the camera's very first key, ``number`` counts its rotations
    from 1: a link is good at its own place of its own chain only.
    """
    lines = ("porthole rotation v1", root, str(number), encode(old), encode(new))
    return "\n".join(lines).encode()


def viewer_verifier(room: str, secret: str) -> str:
    """What the rendezvous keeps of a viewer secret: enough to check a join, useless in a link."""
    return encode(hashlib.sha256(f"porthole viewer v1\n{room}\n{secret}".encode()).digest())


def join_proof(verifier: str, *, nonce: str, connection: str, room: str) -> str:
    """A viewer's proof that it holds the secret: HMAC-SHA256, good for this connection only.

    Raises ValueError when the verifier is not base64url.
    """
    text = f"porthole join v1\n{nonce}\n{connection}\n{room}".encode()
    return encode(hmac.digest(decode(verifier), text, "sha256"))


def encode(data: bytes) -> str:
    """base64url without padding (RFC 4648 §5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of a base64url text without padding; raises ValueError when it is not one."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
