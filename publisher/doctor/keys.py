"""The camera's key and its viewers' secrets: are they there, whole, and nobody else's?"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_bytes
from typing import Final

from publisher.identity import CameraKey, IdentityError, Keyring
from publisher.settings import CameraSettings, Settings
from publisher.signalling.claiming import Room
from rendezvous.probes.findings import Finding, Report, fault, note, of_error, warning, well
from rendezvous.wire.identity import encode

_NOT_STARTED: Final = "The camera does not start: nobody can watch."


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims what. A ``stand_in`` has a key of its own and its room, for want of the real.

    ``before``: the room as a camera may have it that was started with other settings.
    """

    key: CameraKey
    room: Room
    before: Room | None = None
    stand_in: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """What this device keeps, as far as it was made: its key, and viewer secrets by room."""

    key: CameraKey | None = None
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


def examine(settings: Settings, report: Report) -> Identity:
    """What is kept, and whether others can read it; nothing is made."""
    keyring = Keyring(settings.state_directory)
    try:
        found = Identity(keyring.existing_key(), keyring.viewer_secrets())
        exposed = keyring.exposed()
    except IdentityError as error:
        report.add(_not_there(error))
        return Identity()
    except OSError as error:
        report.add(_unreadable(settings, error))
        return Identity()
    if found.key:
        report.add(well("key", f"The camera is key:{found.key.owner}."))
    report.add(*map(_exposed, exposed))
    return found


def _not_there(error: IdentityError) -> Finding:
    if error.code == "key_missing":
        return note(error.code, error.sentence, "", "publisher start makes one.")
    return of_error(error, _NOT_STARTED)


def _unreadable(settings: Settings, error: OSError) -> Finding:
    return fault(
        "state_unusable",
        f"Cannot use {error.filename or settings.state_directory}: {error.strerror}.",
        _NOT_STARTED,
        "Run the doctor as the camera's user, or mend the permissions.",
    )


def _exposed(file: Path) -> Finding:
    return warning(
        "key_exposed",
        f"{file} can be read by other users of this machine.",
        "Whoever has it is the camera, or sees it.",
        f"chmod 600 {file}",
    )


def claimant(camera: CameraSettings, identity: Identity) -> Claimant:
    """For one camera; a stand-in where the key or the viewer secret was not made yet.

    A camera whose secret file is gone may run with the secret that it had: its room is left alone.
    """
    if (key := identity.key) is not None:
        name = camera.room or key.room(camera.label)
        label = "" if camera.room else camera.label
        kept = identity.secrets.get(name)
        public = Room(name, label, None, camera.ice_policy)
        if kept is None and camera.public:
            return Claimant(key, public)
        if kept is not None:
            secret = replace(public, secret=kept)
            return Claimant(key, *((public, secret) if camera.public else (secret, public)))
    passing = CameraKey.generate()
    return Claimant(passing, Room(passing.room(), "", encode(token_bytes(16))), stand_in=True)
