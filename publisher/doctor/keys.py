"""The camera's key and its viewers' secrets: are they there, whole, and nobody else's?"""

import secrets
from dataclasses import dataclass

from publisher.identity import CameraKey, IdentityError, Keyring
from publisher.settings import CameraSettings, Settings
from publisher.signalling.claiming import Room
from rendezvous.probes.findings import Report, note, of_error, warning, well
from rendezvous.wire.identity import encode


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims what. A ``stand_in`` has a key of its own and its room, for want of the real."""

    key: CameraKey
    room: Room
    stand_in: bool = False


def examine(settings: Settings, report: Report) -> CameraKey | None:
    """The camera's key, if there is one; nothing is made."""
    keyring = Keyring(settings.state_directory)
    try:
        key = keyring.existing_key()
    except IdentityError as error:
        missing = error.code == "key_missing"
        report.add(
            note(error.code, error.sentence, "", "publisher start makes one.")
            if missing
            else of_error(error, "The camera does not start: nobody can watch.")
        )
        return None
    report.add(well("key", f"The camera is key:{key.owner}."))
    for file in keyring.exposed():
        report.add(
            warning(
                "key_exposed",
                f"{file} can be read by other users of this machine.",
                "Whoever has it is the camera, or sees it.",
                f"chmod 600 {file}",
            )
        )
    return key


def claimant(settings: Settings, camera: CameraSettings, key: CameraKey | None) -> Claimant:
    """For one camera; a stand-in where the key or the viewer secret was not made yet.

    A camera whose secret file is gone may run with the secret that it had: its room is left alone.
    """
    if key is not None:
        name = camera.room or key.room(camera.label)
        label = "" if camera.room else camera.label
        kept = Keyring(settings.state_directory).viewer_secrets().get(name)
        secret = None if camera.public else kept
        if camera.public or secret is not None:
            return Claimant(key, Room(name, label, secret, camera.ice_policy))
    passing = CameraKey.generate()
    return Claimant(
        passing, Room(passing.room(), "", encode(secrets.token_bytes(16))), stand_in=True
    )
