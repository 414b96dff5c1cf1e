"""Addresses that browsers hide behind mDNS names (draft-ietf-mmusic-mdns-ice-candidates)."""

import logging
import re
from typing import Any, Final

from aioice import ice

logger = logging.getLogger(__name__)

MOST: Final = 8  # of one session; a browser has one for each of its addresses
_TRIES: Final = 3  # of a second each: radio networks lose multicasts
_NAME = re.compile(r"[0-9A-Za-z-]{1,63}\.local")


async def look_up(name: str, subscriber: Any) -> str | None:
    """The IPv4 address of the name, if its browser is near; takes seconds if it is not.

    The subscriber lets go of the socket with aioice's ``unref_mdns_protocol``.
    """
    if not _NAME.fullmatch(name):
        return None
    try:
        protocol = await ice.get_or_create_mdns_protocol(subscriber)
        for _ in range(_TRIES):
            if address := await protocol.resolve(name):
                return str(address)
    except OSError as error:  # no multicast here, or somebody else has the port
        logger.debug("mDNS cannot be used: %s", error)
    return None
