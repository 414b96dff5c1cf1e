"""Tells when this machine's network may be another one, and when the machine has slept.

Whoever waits need not sit the wait out then, and whoever relies on a connection can ask whether it
is still there. It is told too often rather than too rarely: to ask costs one message.
"""

import asyncio
import contextlib
import errno
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

logger = logging.getLogger(__name__)

SETTLE_SECONDS: Final = 0.05  # one change of the network is many messages of the kernel
CALM_SECONDS: Final = 1.0  # between two calls: some machines start containers all day
LOOK_SECONDS: Final = 1.0  # where the kernel tells nothing, and for the clock
SLEPT_SECONDS: Final = 3.0  # later than planned

# linux/rtnetlink.h: links, and IPv4 and IPv6 addresses and routes
_GROUPS: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
_MESSAGE_BYTES: Final = 65_536
# Documentation addresses (RFC 5737, RFC 3849) stand for the internet; nothing is sent to them.
_FAR: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))

# Counts what the machine sleeps, as the loop's clock does not.
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def is_local(address: str) -> bool:
    """Whether this machine has the address now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL  # anything else says nothing about the address
    return True


def source_addresses() -> tuple[str | None, ...]:
    """What packets to the internet would leave from, IPv4 and IPv6; None: there is no route."""
    return tuple(_source(family, far) for family, far in _FAR)


def _source(family: socket.AddressFamily, far: str) -> str | None:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None


class NetworkWatch:
    """Calls back, at most once a second, until it is cancelled."""

    def __init__(
        self,
        changed: Callable[[], None],
        *,
        clock: Callable[[], float] = lambda: time.clock_gettime(_CLOCK),
        sources: Callable[[], tuple[str | None, ...]] = source_addresses,
    ) -> None:
        """``clock`` goes on while the machine sleeps; ``sources`` is what is looked at."""
        self._changed = changed
        self._clock = clock
        self._sources = sources
        self._told = -CALM_SECONDS  # by the loop's clock
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Watches for ever."""
        try:
            with _kernel(self.note):
                await self._look()
        finally:
            if self._timer:
                self._timer.cancel()

    def note(self) -> None:
        """Something has changed; there is probably more to come."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            calm = self._told + CALM_SECONDS - loop.time()
            self._timer = loop.call_later(max(SETTLE_SECONDS, calm), self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._told = asyncio.get_running_loop().time()
        self._changed()

    async def _look(self) -> None:
        sources = self._sources()
        while True:
            began = self._clock()
            await asyncio.sleep(LOOK_SECONDS)
            before, sources = sources, self._sources()
            slept = self._clock() - began - LOOK_SECONDS > SLEPT_SECONDS
            if slept:
                logger.info("This machine has slept.")
            if slept or sources != before:
                self.note()


@contextmanager
def _kernel(on_message: Callable[[], None]) -> Iterator[None]:
    """Calls back for what Linux tells about links, addresses and routes (rtnetlink(7))."""
    with contextlib.ExitStack() as stack:
        try:
            netlink = stack.enter_context(_netlink())
        except (AttributeError, OSError):  # not Linux, or a sandbox: looking has to do
            yield
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(netlink, _read, netlink, on_message)
        stack.callback(loop.remove_reader, netlink)
        yield


def _netlink() -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
    netlink = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    try:
        netlink.bind((0, _GROUPS))
    except OSError:
        netlink.close()
        raise
    return netlink


def _read(netlink: socket.socket, on_message: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):  # ENOBUFS: there were more than it could keep, that is all
        netlink.recv(_MESSAGE_BYTES)
    on_message()
