"""The camera's key is made once, kept private, rotated safely, and signs what servers check."""

import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from publisher.identity import CameraKey, IdentityError, Keyring
from publisher.identity.bundle import Bundle, DamagedError, LockedError
from rendezvous.rooms.chains import Chain
from rendezvous.wire import identity
from rendezvous.wire.messages import ROTATIONS, Claim, Source, SourceState, Welcome

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


# ── rotations ────────────────────────────────────────────────────────────────────────────────


def claim_of(key: CameraKey) -> Claim:
    room = key.room("yard")
    return key.claim(
        WELCOME, origin="host:4545", room=room, label="yard", verifier=None, source=SOURCE
    )


def test_a_rotated_key_claims_the_rooms_of_the_first(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    first = keyring.camera_key()
    second, third = keyring.rotate(), keyring.rotate()
    assert len({first.spki, second.spki, third.spki}) == 3
    assert {key.room("yard") for key in (first, second, third)} == {first.room("yard")}
    assert Keyring(tmp_path).camera_key().spki == third.spki
    claim = claim_of(third)
    assert Chain.of(claim).owner == first.owner
    text = identity.claim_text(
        nonce=WELCOME.nonce,
        connection=WELCOME.connection,
        origin=claim.origin,
        room=claim.room,
        label=claim.label,
        verifier=claim.verifier,
        root=first.owner,
    )
    Chain.of(claim).verify(signature=identity.decode(claim.signature), text=text)


def test_rotations_at_once_make_one_chain(tmp_path: Path) -> None:
    first = Keyring(tmp_path).camera_key()
    with ThreadPoolExecutor(4) as threads:
        keys = list(threads.map(lambda _: Keyring(tmp_path).rotate(), range(ROTATIONS)))
    assert sorted(len(key.chain) for key in keys) == list(range(1, ROTATIONS + 1))
    last = Keyring(tmp_path).camera_key()
    last.require_chain()
    assert (last.owner, len(last.chain)) == (first.owner, ROTATIONS)
    with pytest.raises(IdentityError) as caught:
        Keyring(tmp_path).rotate()
    assert caught.value.code == "chain_full"
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_what_is_not_there_is_neither_rotated_nor_made(tmp_path: Path) -> None:
    for attempt in (Keyring(tmp_path).rotate, Keyring(tmp_path).existing_key):
        with pytest.raises(IdentityError) as caught:
            attempt()
        assert caught.value.code == "key_missing"
    assert not (tmp_path / "camera.key").exists()


def test_a_chain_that_was_tampered_with_is_no_key(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    keyring.camera_key()
    other = CameraKey.generate().rotated()
    grafted = Bundle(CameraKey(keyring.rotate().private, other.chain)).dump()
    (tmp_path / "camera.key").write_bytes(grafted)
    with pytest.raises(IdentityError) as caught:
        keyring.camera_key()
    assert caught.value.code == "key_malformed"


# ── backups ──────────────────────────────────────────────────────────────────────────────────

SECRETS = {"MyRoom": "dmlld2VyLXNlY3JldC0wMQ"}


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_backup_is_the_identity_again(passphrase: bytes | None) -> None:
    key = CameraKey.generate().rotated()
    text = Bundle(key, SECRETS).dump(passphrase)
    loaded = Bundle.load(text, passphrase)
    assert (loaded.key.spki, loaded.key.chain, loaded.secrets) == (key.spki, key.chain, SECRETS)
    assert SECRETS["MyRoom"] not in text.decode() + repr(loaded)


def test_a_locked_backup_wants_its_passphrase() -> None:
    text = Bundle(CameraKey.generate(), SECRETS).dump(b"correct horse")
    for wrong in (None, b"wrong horse"):
        with pytest.raises(LockedError):
            Bundle.load(text, wrong)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("-----BEGIN PORTHOLE", "-----BEGIN PORTH0LE"),
        lambda text: text + text,
        lambda text: text.replace("VIEWER SECRETS-----\n", "VIEWER SECRETS-----\nAAAA"),
        lambda _: "",
    ],
)
def test_a_damaged_backup_is_none(damage: Callable[[str], str]) -> None:
    text = Bundle(CameraKey.generate().rotated(), SECRETS).dump().decode()
    with pytest.raises(DamagedError):
        Bundle.load(damage(text).encode())


def test_a_backup_cannot_write_elsewhere() -> None:
    """Rooms become names of files."""
    text = Bundle(CameraKey.generate(), {"../../etc/cron.d/x": "secret"}).dump()
    with pytest.raises(DamagedError, match="room"):
        Bundle.load(text)


def test_restoring_replaces_another_key_only_if_that_is_meant(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    mine, bundle = keyring.camera_key(), Bundle(CameraKey.generate(), SECRETS)
    with pytest.raises(IdentityError) as caught:
        keyring.restore(bundle)
    assert caught.value.code == "key_exists"
    assert keyring.camera_key().spki == mine.spki
    keyring.restore(bundle, replace=True)
    keyring.restore(bundle)
    assert keyring.camera_key().spki == bundle.key.spki
    assert keyring.viewer_secrets() == SECRETS
    assert Bundle.load((tmp_path / "camera.key.replaced").read_bytes()).key.spki == mine.spki
