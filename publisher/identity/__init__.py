"""Who the camera is: its key and the chain of its rotations, its links, and where they are kept."""

from publisher.identity.errors import IdentityError
from publisher.identity.key import CameraKey
from publisher.identity.keyring import Keyring

__all__ = ["CameraKey", "IdentityError", "Keyring"]
