"""The camera's key is made once, kept private, and signs what the server checks."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from publisher.identity import IdentityError, Keyring
from rendezvous.wire import identity
from rendezvous.wire.messages import Source, SourceState, Welcome

WELCOME = Welcome(version=1, server="test", connection="c" * 22, nonce="n" * 22)
SOURCE = Source(state=SourceState.STARTING)


def test_the_key_is_the_same_at_every_start(tmp_path: Path) -> None:
    first, second = (Keyring(tmp_path / "state").camera_key() for _ in range(2))
    assert first.spki == second.spki
    assert first.room("yard") == second.room("yard") != first.room()
    assert identity.is_key_room(first.room())


def test_key_and_secret_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "state")
    key, secret = keyring.camera_key(), keyring.viewer_secret("MyRoom")
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert len(files) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert secret not in repr(key)


def test_each_room_has_a_secret_of_its_own_that_stays(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    assert keyring.viewer_secret("A") == Keyring(tmp_path).viewer_secret("A")
    assert keyring.viewer_secret("A") != keyring.viewer_secret("B")
    assert len(identity.decode(keyring.viewer_secret("A"))) == 16


def test_a_claim_is_signed_for_this_connection_server_and_room(tmp_path: Path) -> None:
    key = Keyring(tmp_path).camera_key()
    claim = key.claim(
        WELCOME, origin="host:4545", room="MyRoom", label="", verifier="v" * 43, source=SOURCE
    )
    text = identity.claim_text(
        nonce=WELCOME.nonce,
        connection=WELCOME.connection,
        origin="host:4545",
        room="MyRoom",
        label="",
        verifier="v" * 43,
    )
    raw = identity.decode(claim.signature)
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key.private.public_key().verify(der, text, ec.ECDSA(hashes.SHA256()))
    assert identity.decode(claim.key) == key.spki


def test_a_broken_key_is_never_replaced_silently(tmp_path: Path) -> None:
    (tmp_path / "camera.key").write_text("not a key")
    with pytest.raises(IdentityError) as caught:
        Keyring(tmp_path).camera_key()
    assert caught.value.code == "key_malformed"
    assert (tmp_path / "camera.key").read_text() == "not a key"


def test_a_state_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(IdentityError) as caught:
        Keyring(tmp_path / "file").camera_key()
    assert caught.value.code == "state_unusable"
