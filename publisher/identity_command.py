"""``publisher identity``: shows who the camera is, backs it up, restores it, rotates its key."""

import argparse
import getpass
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from publisher.identity import CameraKey, IdentityError, Keyring
from publisher.identity.bundle import Bundle, DamagedError, LockedError
from publisher.settings import CameraSettings, Settings, read_settings
from publisher.signalling.claiming import Room
from rendezvous.program.errors import UsageError
from rendezvous.wire.messages import ROTATIONS

PASSPHRASE = "PUBLISHER_PASSPHRASE"  # noqa: S105  # the variable's name

USAGE = """\
usage: publisher identity show      what servers know this camera by, its rooms and its links
       publisher identity export    a backup: key, chain of rotations, viewer secrets
       publisher identity restore   the backup, on this device or on another
       publisher identity rotate    a new key; rooms and links stay

examples:
  publisher identity show --config /etc/porthole/publisher.toml
  publisher identity show --server watch.example.org --label yard --secrets
  publisher identity export --to camera.backup          asks for a passphrase
  PUBLISHER_PASSPHRASE=… publisher identity export > camera.backup
  publisher identity restore --from camera.backup --state /var/lib/porthole
  publisher identity rotate && systemctl restart publisher

The settings of publisher start say where the key is (--state) and which cameras there are
(--config, --server, --room, --label).

The camera's key is its identity: key rooms are made from it, and open rooms belong to the first
key that claimed them. rotate makes a new key that the old one names as its successor; rooms stay
those of the very first key. Rotating revokes nothing: whoever has a copy of an older key can still
claim the rooms. If a key was stolen, begin anew with an empty --state directory; the rooms are
then new ones. A key can be rotated 8 times.

Deleting a room's file in STATE/viewer-secrets makes its earlier links useless.
"""


def run(words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Does what the words after ``publisher identity`` say. Raises ProgramError."""
    action = words[0].lower() if words else "--help"
    if action in ("help", "-h", "--help") or {"-h", "--help"} & set(words[1:]):
        print(USAGE)  # noqa: T201
    elif action in _ACTIONS:
        parse, perform = _ACTIONS[action]
        parser = _Parser(prog=f"publisher identity {action}", add_help=False, allow_abbrev=False)
        parse(parser)
        chosen, rest = parser.parse_known_args(words[1:])
        chosen.passphrase = environ.get(PASSPHRASE, "")
        plain = {name: value for name, value in environ.items() if name != PASSPHRASE}
        perform(chosen, read_settings("start", rest, plain))
    else:
        raise UsageError("usage", "There is no such action.", "See publisher identity --help")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]  # it raises all the same
        raise UsageError("usage", f"{message}.", "See publisher identity --help")


# ── show ─────────────────────────────────────────────────────────────────────────────────────


def _show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--secrets", action="store_true")


def _show(chosen: argparse.Namespace, settings: Settings) -> None:
    keyring = Keyring(settings.state_directory)
    key = keyring.existing_key()
    secrets = keyring.viewer_secrets()
    _say(f"Camera      key:{key.owner}")
    _say(f"Rotations   {len(key.chain)} of {ROTATIONS}")
    for camera in filter(settings.has_room, settings.cameras):
        room = camera.room or key.room(camera.label)
        _say(f"Room        {room}{f'  (label {camera.label})' if camera.label else ''}")
        secret = secrets.get(room) if chosen.secrets else "…"
        _say(f"Link        {_link(settings, camera, key, secret)}")
    if not chosen.secrets:
        _say("With --secrets the links are whole: whoever has one can watch.")


def _link(settings: Settings, camera: CameraSettings, key: CameraKey, secret: str | None) -> str:
    if secret is None and not camera.public:
        return "made when the camera is first started"
    room = Room(camera.room or key.room(camera.label), "", None if camera.public else secret)
    return room.link(settings.addresses[0])


# ── export and restore ───────────────────────────────────────────────────────────────────────


def _export_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", metavar="FILE", type=Path)
    parser.add_argument("--clear", action="store_true")


def _export(chosen: argparse.Namespace, settings: Settings) -> None:
    keyring = Keyring(settings.state_directory)
    bundle = Bundle(keyring.existing_key(), keyring.viewer_secrets())
    text = bundle.dump(None if chosen.clear else _new_passphrase(chosen.passphrase))
    if chosen.to is None:
        sys.stdout.write(text.decode())
    else:
        _write(chosen.to, text)
    if chosen.clear:
        _warn("This backup is not encrypted: whoever reads it is the camera.")


def _write(path: Path, text: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        sentence = f"Cannot write {path}: {error.strerror}."
        raise IdentityError("backup_unwritable", sentence, "Name another file.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)


def _restore_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="source", metavar="FILE", type=Path)
    parser.add_argument("--replace", action="store_true")


def _restore(chosen: argparse.Namespace, settings: Settings) -> None:
    bundle = _load(_backup(chosen.source), chosen.passphrase)
    Keyring(settings.state_directory).restore(bundle, replace=chosen.replace)
    _say(f"Restored    key:{bundle.key.owner}")
    _say(f"Links       {len(bundle.secrets)}")
    _warn("Stop the publisher on the other device: two with one key take the room in turns.")


def _backup(path: Path | None) -> bytes:
    if path is None:
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise IdentityError("backup_unreadable", f"Cannot read {path}: {error.strerror}.") from None


def _load(text: bytes, given: str) -> Bundle:
    try:
        try:
            return Bundle.load(text)
        except LockedError:
            return Bundle.load(text, _passphrase(given, "Passphrase of the backup: "))
    except LockedError:
        sentence = "The passphrase does not open this backup."
        raise IdentityError("passphrase_wrong", sentence) from None
    except DamagedError:
        raise IdentityError(
            "backup_malformed", "This is no backup of a camera, or a damaged one."
        ) from None


def _new_passphrase(given: str) -> bytes:
    first = _passphrase(given, "Passphrase for the backup: ")
    if _passphrase(given, "Once more: ") != first:
        raise IdentityError("passphrase_differs", "The two passphrases differ.")
    return first


def _passphrase(given: str, question: str) -> bytes:
    if not given and sys.stdin.isatty():
        given = getpass.getpass(question)
    if not given:
        raise IdentityError(
            "passphrase_missing",
            "There is no passphrase for the backup.",
            f"Set {PASSPHRASE}; export --clear goes without.",
        )
    return given.encode()


# ── rotate ───────────────────────────────────────────────────────────────────────────────────


def _rotate(_chosen: argparse.Namespace, settings: Settings) -> None:
    key = Keyring(settings.state_directory).rotate()
    _say(f"Camera      key:{key.owner}")
    _say(f"Rotations   {len(key.chain)} of {ROTATIONS}")
    _say("Rooms and links stay. Restart the publisher, and make a new backup.")
    _warn("Rotating revokes nothing: copies of older keys can still claim the rooms.")


def _say(line: str) -> None:
    print(line)  # noqa: T201


def _warn(sentence: str) -> None:
    print(f"publisher: {sentence}", file=sys.stderr)  # noqa: T201


_ACTIONS: dict[
    str,
    tuple[
        Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace, Settings], None]
    ],
] = {
    "show": (_show_options, _show),
    "export": (_export_options, _export),
    "restore": (_restore_options, _restore),
    "rotate": (lambda _parser: None, _rotate),
}
