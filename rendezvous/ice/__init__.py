"""STUN and TURN servers for sessions, with credentials that are good for an hour.

The credentials are those of coturn's ``use-auth-secret``: the user name carries when it ends and
a hash of the room, so that a TURN quota counts per room; the password is an HMAC of it.
"""

import base64
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass

from rendezvous.program.logs import room_hash
from rendezvous.wire.messages import IceServer

TTL = 3600  # seconds; allocations outlive it, only new ones need a new credential


@dataclass(frozen=True, slots=True)
class IceServers:
    """The servers of the settings. The first TURN secret signs; TURN may still accept a second."""

    stun: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()
    secret: str | None = None
    clock: Callable[[], float] = time.time

    def for_room(self, room: str) -> tuple[IceServer, ...]:
        """The servers for a session of this room, with fresh credentials."""
        servers = [IceServer(urls=self.stun)] if self.stun else []
        if self.turn and self.secret:
            username = f"{int(self.clock()) + TTL}:{room_hash(room)}"
            servers.append(
                IceServer(
                    urls=self.turn,
                    username=username,
                    credential=credential(self.secret, username),
                )
            )
        return tuple(servers)

    def __repr__(self) -> str:
        return f"IceServers(stun={self.stun!r}, turn={self.turn!r})"


def credential(secret: str, username: str) -> str:
    """base64(HMAC-SHA1(secret, username)): what coturn computes for the same user name."""
    return base64.b64encode(hmac.digest(secret.encode(), username.encode(), "sha1")).decode()
