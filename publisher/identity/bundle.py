"""A camera's identity as one text of PEM blocks (RFC 7468): a file of the keyring, and a backup.

The private key is PKCS #8, as openssl reads it, with a passphrase or without. The predecessors
are public. A backup also holds the viewer secrets, encrypted to the private key, so that one
passphrase protects everything. The private key is the last block: a text that was cut off has none.
"""

import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from publisher.identity.key import CameraKey
from rendezvous.wire.identity import is_room_id
from rendezvous.wire.messages import Predecessor

_PRIVATE = "PRIVATE KEY"
_PREDECESSOR = "PORTHOLE PREDECESSOR"
_SECRETS = "PORTHOLE VIEWER SECRETS"
_BLOCK = re.compile(
    r"-----BEGIN (?P<label>[A-Z0-9 ]+)-----\s(?P<body>[A-Za-z0-9+/=\s]*)-----END (?P=label)-----"
)
_LINE = 64  # characters of base64 (RFC 7468 §2)
_NONCE = 12  # bytes, for AES-GCM


class DamagedError(ValueError):
    """The text is no identity, or not all of one."""


class LockedError(ValueError):
    """The key is encrypted, and the passphrase is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A key with its chain, and viewer secrets by room."""

    key: CameraKey
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def dump(self, passphrase: bytes | None = None) -> bytes:
        """The text; without a passphrase whoever reads it is the camera."""
        lock = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        private = self.key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock).decode()
        blocks = [_pem(_PREDECESSOR, msgspec.json.encode(link)) for link in self.key.chain]
        if self.secrets:
            blocks.append(_pem(_SECRETS, self._sealed()))
        return "".join([*blocks, private]).encode()

    @classmethod
    def load(cls, text: bytes, passphrase: bytes | None = None) -> "Bundle":
        """From its text; raises LockedError or DamagedError."""
        try:
            return cls._load(_blocks(text.decode()), passphrase)
        except (ValueError, InvalidTag) as error:  # msgspec's and binascii's are ValueErrors
            if isinstance(error, LockedError):
                raise
            raise DamagedError(str(error)) from error

    @classmethod
    def _load(cls, blocks: Sequence["_Block"], passphrase: bytes | None) -> "Bundle":
        (private,) = [block.pem for block in blocks if block.label.endswith(_PRIVATE)]
        chain = [
            msgspec.json.decode(block.body, type=Predecessor)
            for block in blocks
            if block.label == _PREDECESSOR
        ]
        key = CameraKey(_private_key(private, passphrase), tuple(chain))
        key.require_chain()
        sealed = [block.body for block in blocks if block.label == _SECRETS]
        return cls(key, _opened(key, sealed[0]) if sealed else {})

    def _sealed(self) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + _cipher(self.key).encrypt(
            nonce, json.dumps(dict(self.secrets)).encode(), None
        )


@dataclass(frozen=True, slots=True)
class _Block:
    label: str
    pem: bytes = field(repr=False)
    body: bytes = field(repr=False)


def _blocks(text: str) -> list[_Block]:
    """All of them; raises ValueError when there is one that cannot be read, or of no known kind."""
    found = [
        _Block(match["label"], match.group().encode(), base64.b64decode(match["body"]))
        for match in _BLOCK.finditer(text)
    ]
    known = (_PREDECESSOR, _SECRETS, _PRIVATE, f"ENCRYPTED {_PRIVATE}")
    if len(found) != text.count("-----BEGIN") or any(b.label not in known for b in found):
        raise ValueError("a block is damaged")
    return found


def _opened(key: CameraKey, sealed: bytes) -> dict[str, str]:
    plain = _cipher(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
    secrets = msgspec.json.decode(plain, type=dict[str, str])
    if not all(map(is_room_id, secrets)):  # they become names of files
        raise ValueError("a viewer secret is of no room")
    return secrets


def _cipher(key: CameraKey) -> AESGCM:
    scalar = key.private.private_numbers().private_value.to_bytes(32)
    return AESGCM(HKDF(hashes.SHA256(), 32, None, b"porthole viewer secrets v1").derive(scalar))


def _private_key(pem: bytes, passphrase: bytes | None) -> ec.EllipticCurvePrivateKey:
    locked = b"ENCRYPTED" in pem.partition(b"\n")[0]
    if locked and not passphrase:
        raise LockedError("it has a passphrase")
    try:
        key = load_pem_private_key(pem, passphrase if locked else None)
    except ValueError:
        if locked:
            raise LockedError("the passphrase is wrong") from None
        raise
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError("the key is not on P-256")


def _pem(label: str, body: bytes) -> str:
    text = base64.b64encode(body).decode()
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])
