"""Claims' signatures: the golden ones hold, and nothing else does."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from rendezvous.rooms.signatures import SignatureError, verify
from rendezvous.wire import identity
from tests.support.peers import Key

GOLDEN = Path(__file__).parents[2] / "wire" / "identity.json"
VECTORS = json.loads(GOLDEN.read_text(encoding="utf-8"))
KEY = Key()
TEXT = b"a claim"
SIGNATURE = identity.decode(KEY.sign(TEXT))


@pytest.mark.parametrize("case", VECTORS["claims"], ids=lambda case: case["room"])
def test_golden_claims(case: dict[str, Any]) -> None:
    """The text is made as written down, and the signature belongs to it."""
    names = ("nonce", "connection", "origin", "room", "label", "verifier")
    text = identity.claim_text(**{name: case[name] for name in names})
    assert text == case["text"].encode()
    spki, signature = identity.decode(VECTORS["spki"]), identity.decode(case["signature"])
    verify(spki=spki, signature=signature, text=text)
    with pytest.raises(SignatureError):
        verify(spki=KEY.spki, signature=signature, text=text)


@given(st.integers(0, 63), st.integers(1, 255))
def test_a_signature_with_any_byte_changed_is_refused(place: int, change: int) -> None:
    """Every bit counts."""
    changed = bytearray(SIGNATURE)
    changed[place] ^= change
    with pytest.raises(SignatureError):
        verify(spki=KEY.spki, signature=bytes(changed), text=TEXT)


@given(st.binary(max_size=200), st.binary(max_size=100))
def test_rubbish_is_refused_without_any_other_error(spki: bytes, signature: bytes) -> None:
    """Whatever it is."""
    for key, signed in ((spki, SIGNATURE), (KEY.spki, signature)):
        with pytest.raises(SignatureError):
            verify(spki=key, signature=signed, text=TEXT)


def _der(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_other_kinds_of_keys_are_refused() -> None:
    """P-256 is the only one, so that every camera and browser can have it."""
    for key in (
        ec.generate_private_key(ec.SECP384R1()).public_key(),
        rsa.generate_private_key(65537, 2048).public_key(),
    ):
        with pytest.raises(SignatureError, match="P-256"):
            verify(spki=_der(key), signature=SIGNATURE, text=TEXT)


def test_one_key_has_one_name() -> None:
    """The compressed form of the same point would have another thumbprint."""
    point = KEY.private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    prefix = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    with pytest.raises(SignatureError, match="uncompressed"):
        verify(spki=prefix + point, signature=SIGNATURE, text=TEXT)
