"""Network namespaces: made, named and removed. Root's work, by iproute2.

A namespace stands for a host. Programs in it see a hosts file of their own, which
``ip netns exec`` puts over /etc/hosts.
"""

import asyncio
import functools
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.support.lab.router import TUN

_PREFIX: Final = "porthole-lab"
_QUEUE_PACKETS: Final = "10000"
_RUN, _ETC = Path("/run/netns"), Path("/etc/netns")


class CommandError(Exception):
    """``ip`` did not do what it was told; the text is its own."""


def missing() -> str:
    """What this machine lacks for namespaces and TUN devices, in words; empty: nothing."""
    if os.geteuid() != 0:
        return "root, who alone may make network namespaces"
    if not shutil.which("ip"):
        return "the command ip (Debian's iproute2)"
    try:
        os.close(os.open(TUN, os.O_RDWR))
    except OSError as error:
        return f"{TUN} ({error.strerror})"
    return _refusal()


@functools.cache
def _refusal() -> str:
    """Containers may lack the right, though their user is root, and a chroot cannot be left."""
    name = f"{_PREFIX}-{os.getpid()}-trial"
    commands = (("add", name), ("exec", name, "true"), ("del", name))
    tried = [
        subprocess.run(["ip", "netns", *c], check=False, capture_output=True) for c in commands
    ]
    told = " ".join(done.stderr.decode().strip() for done in tried if done.returncode)
    return f"the right to make network namespaces ({told})" if told else ""


async def ip(*words: str, batch: Sequence[str] = ()) -> None:
    """Runs ``ip``, once for all lines of a batch. Raises CommandError."""
    process = await asyncio.create_subprocess_exec(
        "ip",
        *words,
        *(("-batch", "-") if batch else ()),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate("".join(f"{line}\n" for line in batch).encode())
    if process.returncode:
        raise CommandError(f"ip {' '.join((*words, *batch))}: {errors.decode().strip()}")


class Namespace:
    """One host's. Names carry our process id, so that runs do not meet."""

    def __init__(self, host: str) -> None:
        self.name = f"{_PREFIX}-{os.getpid()}-{host}"

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before a command so that it runs there."""
        return ("ip", "netns", "exec", self.name)

    async def make(self, hosts: Mapping[str, tuple[str, ...]]) -> None:
        """``hosts``: the addresses of each name."""
        await ip("netns", "add", self.name)
        await ip("-n", self.name, "link", "set", "lo", "up")
        folder = _ETC / self.name
        folder.mkdir(parents=True)
        # Chromium resolves STUN servers as rooted names, which a hosts file takes literally.
        lines = [f"{at} {name} {name}.\n" for name, known in hosts.items() for at in known]
        (folder / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n" + "".join(lines))
        # No name server, rather than this machine's, which nobody there can reach: seconds each.
        (folder / "resolv.conf").write_text("")

    async def adopt(self, device: str, name: str) -> None:
        """Takes a device in, under a name that a real host's has: programs go by it."""
        await ip("link", "set", device, "netns", self.name, "name", name)
        # No link-local addresses: nobody else on the line could have one.
        # And a queue that forgives the router a busy moment: losses are its own, and counted.
        own = ("addrgenmode", "none", "txqueuelen", _QUEUE_PACKETS)
        await ip("-n", self.name, "link", "set", name, *own)

    async def readdress(self, name: str, addresses: Sequence[str]) -> None:
        """Gives a device these addresses in the place of others, and the default routes.

        Each is an address with its prefix's length. The device stays up, as when a lease ends.
        """
        lines = [f"addr flush dev {name}", f"link set {name} up"]
        for everywhere, mark in (("0.0.0.0/0", "."), ("::/0", ":")):
            own = [address for address in addresses if mark in address]
            # Nobody is asked whether an address is taken: it would take a second.
            lines += [f"addr add {a} dev {name}" + " nodad" * (mark == ":") for a in own]
            lines += [f"route add {everywhere} dev {name}"] if own else []
        for family in ("-4", "-6"):  # in a batch it could not be said
            await ip("-n", self.name, family, "route", "flush", "dev", name)
        await ip("-n", self.name, batch=lines)

    async def remove(self) -> None:
        """Whatever of it there is."""
        await remove(self.name)


async def remove(name: str) -> None:
    """Removes a namespace; its programs must have ended."""
    with suppress(CommandError):
        await ip("netns", "del", name)
    shutil.rmtree(_ETC / name, ignore_errors=True)


def stale() -> list[str]:
    """The namespaces that runs which were killed have left behind."""
    found = (re.fullmatch(rf"{_PREFIX}-(\d+)-.*", path.name) for path in _RUN.glob(f"{_PREFIX}-*"))
    return [match[0] for match in found if match and not Path(f"/proc/{match[1]}").exists()]
