"""Checking that a claim was signed by the key it names: ECDSA on P-256 with SHA-256."""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

_SCALAR = 32  # bytes of r and of s on P-256
_KEYS = 4_096  # of cameras that were here lately: a few megabytes; parsing is a quarter of a check


class SignatureError(Exception):
    """The key or the signature cannot be accepted."""


def verify(*, spki: bytes, signature: bytes, text: bytes) -> None:
    """Checks ``r ‖ s`` over the text; raises SignatureError, whatever the bytes are."""
    key = _load(spki)
    if len(signature) != 2 * _SCALAR:
        raise SignatureError("The signature must have 64 bytes: r and s.")
    r, s = (int.from_bytes(part) for part in (signature[:_SCALAR], signature[_SCALAR:]))
    try:
        key.verify(encode_dss_signature(r, s), text, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise SignatureError("The signature does not belong to this claim and key.") from None


@lru_cache(maxsize=_KEYS)
def _load(spki: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SignatureError("The key is no DER SubjectPublicKeyInfo.") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise SignatureError("The key is not on P-256.")
    _require_one_form(key, spki)
    return key


def _require_one_form(key: ec.EllipticCurvePublicKey, spki: bytes) -> None:
    # The owner's name is a hash of these bytes: one key must not have two names, or it could be
    # locked out of its own room by writing itself differently (compressed, explicit curve).
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != spki:
        raise SignatureError("The key must be the uncompressed DER SubjectPublicKeyInfo.")
