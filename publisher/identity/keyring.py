"""Where one device keeps its key and its viewers' secrets: readable by their owner only.

Every file appears whole or not at all. Two first starts at once end with one key, two rotations
at once with a chain of both.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from publisher.identity.bundle import Bundle, DamagedError, LockedError
from publisher.identity.errors import IdentityError
from publisher.identity.key import CameraKey
from rendezvous.wire import identity
from rendezvous.wire.identity import is_room_id

_KEY_FILE = "camera.key"
_REPLACED = "camera.key.replaced"
_LOCK = ".lock"
_SECRETS = "viewer-secrets"


class Keyring:
    """What one camera device keeps in its state directory. Everything raises IdentityError."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key_file = directory / _KEY_FILE

    def camera_key(self) -> CameraKey:
        """The key, made at the first start."""
        kept = _read(self._key_file)
        if kept is None:
            kept = _keep(self._key_file, Bundle(CameraKey.generate()).dump())
        return self._parse(kept)

    def existing_key(self) -> CameraKey:
        """The key, for who must not make one."""
        kept = _read(self._key_file)
        if kept is None:
            raise IdentityError(
                "key_missing",
                f"There is no camera key in {self._directory}.",
                "publisher start makes one; --state (or --config) names another directory.",
            )
        return self._parse(kept)

    def rotate(self) -> CameraKey:
        """A new key in the place of the old one, which has named it."""
        with self._locked():
            new = self.existing_key().rotated()
            _replace(self._key_file, Bundle(new).dump())
        return new

    def restore(self, bundle: Bundle, *, replace: bool = False) -> None:
        """Keeps a backup's key and secrets; another key is replaced only if that is meant."""
        with self._locked():
            content = Bundle(bundle.key).dump()
            kept = _read(self._key_file)
            if kept is not None and kept != content:
                self._set_aside(kept, replace=replace)
            for room, secret in bundle.secrets.items():
                _replace(self._secret_file(room), secret.encode())
            _replace(self._key_file, content)

    def viewer_secret(self, room: str) -> str:
        """The room's viewer secret, 128 random bits, made at its first use.

        Deleting its file makes all earlier links useless.
        """
        path = self._secret_file(room)
        kept = _read(path)
        if kept is None:
            kept = _keep(path, identity.encode(secrets.token_bytes(16)).encode())
        return kept.decode().strip()

    def viewer_secrets(self) -> dict[str, str]:
        """Those that were made so far, by room."""
        folder = self._directory / _SECRETS
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        return {room: self.viewer_secret(room) for room in filter(is_room_id, names)}

    def exposed(self) -> list[Path]:
        """Files with secrets in them that others than their owner may read or write."""
        folder = self._directory / _SECRETS
        files = [self._key_file, *(sorted(folder.iterdir()) if folder.is_dir() else ())]
        return [file for file in files if file.is_file() and file.stat().st_mode & 0o077]

    def _secret_file(self, room: str) -> Path:
        return self._directory / _SECRETS / room

    def _set_aside(self, kept: bytes, *, replace: bool) -> None:
        if not replace:
            raise IdentityError(
                "key_exists",
                f"{self._key_file} holds another key already.",
                f"With --replace it is set aside as {_REPLACED}; or name another --state.",
            )
        _replace(self._directory / _REPLACED, kept)

    def _parse(self, content: bytes) -> CameraKey:
        try:
            return Bundle.load(content).key
        except LockedError:
            sentence = f"{self._key_file} is encrypted."
            cure = "Only a backup may be: publisher identity restore --from FILE."
            raise IdentityError("key_locked", sentence, cure) from None
        except DamagedError:
            raise IdentityError(
                "key_malformed",
                f"{self._key_file} holds no P-256 key with an unbroken chain.",
                "Restore it from a backup; deleting it gives the camera a new identity and new "
                "rooms.",
            ) from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        path = self._directory / _LOCK
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unusable(path, error) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from None


def _keep(path: Path, content: bytes) -> bytes:
    """Writes the first content of a file; what is there by then, if somebody was faster."""
    try:
        with _drafted(path, content) as draft:
            try:
                os.link(draft, path)
            except FileExistsError:
                return path.read_bytes()
    except OSError as error:
        raise _unusable(path, error) from None
    return content


def _replace(path: Path, content: bytes) -> None:
    try:
        with _drafted(path, content) as draft:
            draft.replace(path)
    except OSError as error:
        raise _unusable(path, error) from None


@contextlib.contextmanager
def _drafted(path: Path, content: bytes) -> Iterator[Path]:
    """The content in a file of its own beside the path, on the disk; gone afterwards."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _unusable(path: Path, error: OSError) -> IdentityError:
    return IdentityError(
        "state_unusable",
        f"Cannot use {path}: {error.strerror}.",
        "Choose a directory with --state, or mend its permissions.",
    )
