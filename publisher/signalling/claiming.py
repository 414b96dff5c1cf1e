"""The opening of a camera's conversation: hello, claim, claimed."""

import asyncio
import secrets
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import msgspec

from publisher.errors import SignallingError
from publisher.identity import CameraKey
from publisher.signalling.connection import Connection, ServerAddress, refusal
from rendezvous.wire import identity
from rendezvous.wire.messages import (
    VERSION,
    Claim,
    Claimed,
    Error,
    Hello,
    IcePolicy,
    Message,
    Source,
    Welcome,
)

ANSWER_SECONDS = 10.0
AGENT = "porthole-publisher/0.1"

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Room:
    """What the camera claims, and for whom."""

    room: str
    label: str
    secret: str | None  # None: public
    ice_policy: IcePolicy = IcePolicy.ALL
    instance: str = field(default_factory=partial(secrets.token_urlsafe, 16), compare=False)
    """Tells this process from another one with the same key; a claim that it repeats is no turn."""

    @property
    def verifier(self) -> str | None:
        """What the server learns of the secret."""
        return None if self.secret is None else identity.viewer_verifier(self.room, self.secret)

    def link(self, address: ServerAddress) -> str:
        """What a person opens to watch; the fragment never leaves the browser."""
        return f"{address.url}#{self.room}" + (f".{self.secret}" if self.secret else "")

    def __repr__(self) -> str:
        return f"Room({self.room!r})"


async def claim(
    connection: Connection, address: ServerAddress, key: CameraKey, room: Room, source: Source
) -> Claimed:
    """Takes the room on a fresh connection. Raises SignallingError."""
    connection.send(Hello(version=VERSION, agent=AGENT))
    connection.welcome = await _expect(connection, Welcome)
    connection.send(_signed(connection.welcome, address, key, room, source))
    return await _expect(connection, Claimed)


def answer_challenge(
    connection: Connection,
    address: ServerAddress,
    key: CameraKey,
    room: Room,
    source: Source,
    *,
    nonce: str,
) -> None:
    """Claims the room once more, on the connection that holds it. Raises SignallingError.

    A server asks for it when it cannot know any more that the room is still this camera's.
    """
    if connection.welcome:
        welcome = msgspec.structs.replace(connection.welcome, nonce=nonce)
        connection.send(_signed(welcome, address, key, room, source))


def _signed(
    welcome: Welcome, address: ServerAddress, key: CameraKey, room: Room, source: Source
) -> Claim:
    return key.claim(
        welcome,
        origin=address.origin,
        room=room.room,
        label=room.label,
        verifier=room.verifier,
        source=source,
        ice_policy=room.ice_policy,
        instance=room.instance,
    )


async def _expect(connection: Connection, kind: type[M]) -> M:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            message = await connection.receive()
    except TimeoutError:
        raise SignallingError("server_silent", "The rendezvous does not answer.") from None
    if isinstance(message, Error):
        raise refusal(message)
    if isinstance(message, kind):
        return message
    raise SignallingError("server_foreign", "What answers there is not a rendezvous.")
