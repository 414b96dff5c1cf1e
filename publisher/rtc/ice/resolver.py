"""Names of servers, looked up beside everything else.

A network without Internet may let getaddrinfo(3) wait for many seconds. So each name has a thread
of its own, however many ask for it, and none that the process would wait for at its end.
"""

import asyncio
import ipaddress
import socket
import time
from concurrent.futures import Future
from itertools import chain, zip_longest
from threading import Thread
from typing import Final, TypeAlias

_KNOWN_SECONDS: Final = 60.0
_MOST_NAMES: Final = 64
_PER_FAMILY: Final = 2  # addresses of one name; each is tried in turn

Addresses: TypeAlias = tuple[str, ...]

_known: dict[str, tuple[float, Future[Addresses]]] = {}


async def resolve(host: str) -> Addresses:
    """The addresses of the host, IPv6 and IPv4 in turns (RFC 8305 §4); raises OSError."""
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        return await asyncio.wrap_future(_asked(host))


def _asked(host: str) -> Future[Addresses]:
    now = time.monotonic()
    until, future = _known.get(host, (0.0, None))
    if future and (not future.done() or (now < until and not future.exception())):
        return future
    if len(_known) >= _MOST_NAMES:
        _known.clear()
    future = Future()
    future.set_running_or_notify_cancel()  # who stops waiting must not take it from the others
    _known[host] = (now + _KNOWN_SECONDS, future)
    Thread(target=_look_up, args=(host, future), name="resolver", daemon=True).start()
    return future


def _look_up(host: str, future: Future[Addresses]) -> None:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:  # a label that IDNA does not allow
        future.set_exception(error if isinstance(error, OSError) else OSError(str(error)))
        return
    families = (socket.AF_INET6, socket.AF_INET)
    six, four = ([str(at[0]) for family, _, _, _, at in found if family == f] for f in families)
    mixed = chain.from_iterable(zip_longest(six[:_PER_FAMILY], four[:_PER_FAMILY]))
    future.set_result(tuple(address for address in mixed if address))
