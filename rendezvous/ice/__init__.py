"""STUN and TURN servers for sessions, with credentials made anew for each.

Where we share a secret with a TURN server they are those of coturn's ``use-auth-secret``: the user
name carries when it ends and a hash of the room, so that a quota counts per room; the password is
an HMAC of it. Where somebody else runs the server they are what the settings say.
"""

import base64
import hmac
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rendezvous.program.logs import room_hash
from rendezvous.wire.messages import IceServer

LIFETIME = 1800.0  # seconds; allocations outlive it, only new ones need a new credential


@dataclass(frozen=True, slots=True)
class Region:
    """Servers that are reached with one credential: signed with the secret, or fixed."""

    stun: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)
    username: str = field(default="", repr=False)
    credential: str = field(default="", repr=False)

    def servers(self, user: str) -> Iterator[IceServer]:
        """For who may use TURN under this name until the time in it."""
        if self.stun:
            yield IceServer(urls=self.stun)
        if self.turn and self.secret:
            signed = credential(self.secret, user)
            yield IceServer(urls=self.turn, username=user, credential=signed)
        elif self.turn:
            yield IceServer(urls=self.turn, username=self.username, credential=self.credential)


@dataclass(frozen=True, slots=True)
class IceServers:
    """All regions: which one is near shows when a connection is made."""

    regions: tuple[Region, ...] = ()
    lifetime: float = LIFETIME
    clock: Callable[[], float] = time.time

    @property
    def relays(self) -> bool:
        """Whether there is a TURN server, without which nobody can be relayed."""
        return any(region.turn for region in self.regions)

    def for_room(self, room: str) -> tuple[IceServer, ...]:
        """The servers for one connection in this room, with fresh credentials."""
        user = f"{int(self.clock() + self.lifetime)}:{room_hash(room)}"
        return tuple(server for region in self.regions for server in region.servers(user))


def credential(secret: str, username: str) -> str:
    """base64(HMAC-SHA1(secret, username)): what coturn computes for the same user name."""
    return base64.b64encode(hmac.digest(secret.encode(), username.encode(), "sha1")).decode()
