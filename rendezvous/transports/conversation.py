"""What every transport does with its messages, whatever they came in."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator

from rendezvous.relay.hub import Connection, Hub
from rendezvous.wire.codec import WireError
from rendezvous.wire.identity import ConnectionId

log = logging.getLogger(__name__)


def new_connection_id() -> ConnectionId:
    """128 random bits: part of what a claim signs."""
    return ConnectionId(secrets.token_urlsafe(16))


async def converse(hub: Hub, connection: Connection, messages: AsyncIterator[bytes | None]) -> None:
    """Hands one message after the other to the hub, no faster than allowed, until the end.

    None is something that is no message and costs its sender as much: a control frame.
    """
    pace = hub.pace()
    clock = asyncio.get_running_loop().time
    hub.opened(connection)
    try:
        async for data in messages:
            if (delay := pace.delay(clock())) > 0:
                await asyncio.sleep(delay)
            if data is not None:
                await hub.received(connection, data)
    except WireError as error:
        hub.refused(connection, error)
    except Exception:
        log.exception("A defect in a connection")
    finally:
        hub.lost(connection)
