"""The router as a process: TUN devices on one side, the network of `routing` between them.

    python -m tests.support.lab.router

Commands come on standard input, answers leave on standard output (`control`); it ends with its
input. The devices vanish with it.
"""

import asyncio
import errno
import fcntl
import os
import struct
import sys
from ipaddress import ip_address
from typing import Final

import msgspec
import uvloop

from tests.support.lab.control import (
    Answer,
    Command,
    Configure,
    Count,
    Counted,
    Done,
    Failed,
    Flow,
    Open,
)
from tests.support.lab.routing import Routing

TUN: Final = "/dev/net/tun"
_TUNSETIFF: Final = 0x400454CA  # linux/if_tun.h
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_MOST_BYTES: Final = 65_536
_PORTION: Final = 64  # packets of one device before the others have their turn
# Of a device that is down, gone, or whose host has no room: what a real link does is lose it.
_LOST: Final = (errno.EIO, errno.EAGAIN, errno.ENOBUFS, errno.EINVAL, errno.ENOMEM, errno.EBADFD)
_LONGEST_LINE: Final = 1 << 20  # of a command


class Router:
    """Carries packets between devices."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._devices: dict[str, int] = {}
        self._routing = Routing(self._write, self._loop.call_later)

    def obey(self, command: Command) -> Done:
        """Does what a test wants. Raises OSError."""
        match command:
            case Open(device=device, kernel_name=kernel_name):
                self._open(device, kernel_name)
            case Configure(topology=topology):
                self._routing.configure(topology)
            case Count():
                return Done(self._counted())
        return Done()

    def _open(self, device: str, kernel_name: str) -> None:
        descriptor = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
        request = struct.pack("16sH14x", kernel_name.encode(), _IFF_TUN | _IFF_NO_PI)
        fcntl.ioctl(descriptor, _TUNSETIFF, request)
        self._devices[device] = descriptor
        self._loop.add_reader(descriptor, self._read, device, descriptor)

    def _read(self, device: str, descriptor: int) -> None:
        for _ in range(_PORTION):
            try:
                data = os.read(descriptor, _MOST_BYTES)
            except OSError:  # nothing more, or the device is gone
                return
            self._routing.send(device, bytearray(data), self._loop.time())

    def _write(self, device: str, data: bytes) -> None:
        try:
            os.write(self._devices[device], data)
        except OSError as error:
            if error.errno not in _LOST:
                raise
            self._routing.drops["host"] += 1

    def _counted(self) -> Counted:
        flows = self._routing.flows.items()
        return Counted(
            drops=dict(self._routing.drops),
            flows=tuple(
                Flow(device, way, protocol, str(ip_address(address)), port, *amounts)
                for (device, way, protocol, address, port), amounts in flows
            ),
            waits=self._routing.longest_waits(),
        )


async def main() -> None:
    """Obeys until its input ends."""
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader(limit=_LONGEST_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    router = Router()
    async for line in commands:
        answer = _answer(router, line)
        print(msgspec.json.encode(answer).decode(), flush=True)


def _answer(router: Router, line: bytes) -> Answer:
    try:
        return router.obey(msgspec.json.decode(line, type=Command))
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        return Failed(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    uvloop.run(main())
