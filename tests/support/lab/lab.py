"""The laboratory: hosts in namespaces of their own, and one router between all of them."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from tests.support.cameras import ROOT
from tests.support.lab import namespaces
from tests.support.lab.access import Place, ServerPlace, server
from tests.support.lab.control import Answer, Command, Configure, Count, Counted, Done, Flow, Open
from tests.support.lab.namespaces import Namespace
from tests.support.lab.topology import PERFECT, Attachment, Line, Topology
from tests.support.waiting import PATIENCE

DEVICE: Final = "eth0"  # what a host calls its device: programs leave out tun0 and its like


class LabError(Exception):
    """The laboratory could not be changed; the text is the router's or ip's."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a host is, and what its link is like."""

    place: Place | ServerPlace
    up: Line = PERFECT
    down: Line = PERFECT
    plugged: bool = True


@dataclass
class Host:
    """A machine of the laboratory."""

    name: str
    namespace: Namespace
    seat: Seat | None = None
    addressed: tuple[str, ...] = ()

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before a command so that it runs there."""
        return self.namespace.prefix

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its own, without their prefixes' lengths."""
        return tuple(address.partition("/")[0] for address in self.addressed)


@dataclass
class Lab:
    """Hosts by name, and their router."""

    hosts: dict[str, Host] = field(default_factory=dict)
    _router: asyncio.subprocess.Process | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def seat(self, **seats: Seat | Place | ServerPlace) -> None:
        """Moves these hosts at once; a Seat says what their links are like as well."""
        for name, seat in seats.items():
            self.hosts[name].seat = seat if isinstance(seat, Seat) else Seat(seat)
        await self._configure()

    async def link(self, host: str, *, up: Line = PERFECT, down: Line = PERFECT) -> None:
        """Makes a host's link another one."""
        await self._alter(host, up=up, down=down)

    async def unplug(self, host: str) -> None:
        """Nothing gets there or comes from there any more, and nobody is told."""
        await self._alter(host, plugged=False)

    async def plug(self, host: str) -> None:
        """The opposite."""
        await self._alter(host, plugged=True)

    async def count(self) -> Counted:
        """What the router has carried and dropped since the start."""
        return (await self._ask(Count())).counted or Counted()

    async def _alter(self, host: str, **changes: Line | bool) -> None:
        seat = self.hosts[host].seat
        assert seat, f"{host} has no seat"
        self.hosts[host].seat = replace(seat, **changes)  # type: ignore[arg-type]
        await self._configure()

    async def _configure(self) -> None:
        """The router first: a host that has a new address uses it at once."""
        await self._ask(Configure(self._topology()))
        for host in self.hosts.values():
            wanted = host.seat.place.addresses if host.seat else ()
            if wanted != host.addressed:
                await host.namespace.readdress(DEVICE, wanted)
                host.addressed = wanted

    def _topology(self) -> Topology:
        seated = [(host.name, host.seat) for host in self.hosts.values() if host.seat]
        gateways = {g.name: g for _, seat in seated for g in seat.place.gateways}
        return Topology(
            tuple(_attachment(name, seat) for name, seat in seated), tuple(gateways.values())
        )

    async def _ask(self, command: Command) -> Done:
        assert self._router, "the router does not run"
        assert self._router.stdin, "it has an input"
        assert self._router.stdout, "and an output"
        async with self._turn, asyncio.timeout(PATIENCE):
            self._router.stdin.write(msgspec.json.encode(command) + b"\n")
            line = await self._router.stdout.readline()
        if not line:
            raise LabError("The router has ended.")
        answer = msgspec.json.decode(line, type=Answer)
        if not isinstance(answer, Done):
            raise LabError(answer.message)
        return answer

    # ── beginning and end ───────────────────────────────────────────────────

    async def _start(self, names: Mapping[str, tuple[str, ...]], hosts: tuple[str, ...]) -> None:
        self._router = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.lab.router",
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 22,
        )
        for number, name in enumerate(hosts):
            await self._add(name, number, names)

    async def _add(self, name: str, number: int, names: Mapping[str, tuple[str, ...]]) -> None:
        namespace = Namespace(name)
        self.hosts[name] = Host(name, namespace)
        await namespace.make(names)
        kernel_name = f"lab{self._router.pid if self._router else 0}n{number}"
        await self._ask(Open(name, kernel_name))
        await namespace.adopt(kernel_name, DEVICE)

    async def _stop(self) -> None:
        if self._router:
            assert self._router.stdin
            self._router.stdin.close()  # it ends with its input
            await self._router.wait()
        for host in self.hosts.values():
            await host.namespace.remove()


def _attachment(name: str, seat: Seat) -> Attachment:
    addresses = tuple(address.partition("/")[0] for address in seat.place.addresses)
    return Attachment(name, seat.place.network, addresses, seat.up, seat.down, seat.plugged)


def flows_of(counted: Counted, host: str, way: str) -> list[Flow]:
    """A host's flows in one direction, the largest first."""
    own = [flow for flow in counted.flows if flow.device == host and flow.way == way]
    return sorted(own, key=lambda flow: -flow.bytes)


def since(before: Counted, after: Counted) -> Counted:
    """What was carried and dropped between two counts."""
    then = {(f.device, f.way, f.protocol, f.address, f.port): f for f in before.flows}
    flows = []
    for flow in after.flows:
        old = then.get((flow.device, flow.way, flow.protocol, flow.address, flow.port))
        grown = (flow.packets - old.packets, flow.bytes - old.bytes) if old else None
        packets, total = grown or (flow.packets, flow.bytes)
        if packets:
            flows.append(msgspec.structs.replace(flow, packets=packets, bytes=total))
    drops = {k: n - before.drops.get(k, 0) for k, n in after.drops.items()}
    return Counted({k: n for k, n in drops.items() if n}, tuple(flows), after.waits)


SERVERS: Final = {"rendezvous": 10, "turn": 20, "turn2": 21}
"""Hosts of the data centre, by the last byte of their address."""


def names() -> dict[str, tuple[str, ...]]:
    """What every host's hosts file says: ``turn.lab`` and so on, over IPv4 and IPv6."""
    return {
        f"{name}.lab": tuple(address.partition("/")[0] for address in server(number).addresses)
        for name, number in SERVERS.items()
    }


@asynccontextmanager
async def laboratory(*hosts: str) -> AsyncIterator[Lab]:
    """A laboratory: its servers, seated, and these hosts (``camera`` and ``viewer``), yet to be.

    Programs that run in it must have ended before it does.
    """
    lab = Lab()
    for left_behind in namespaces.stale():
        await namespaces.remove(left_behind)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(lab._stop)
        await lab._start(names(), (*SERVERS, *(hosts or ("camera", "viewer"))))
        await lab.seat(**{name: server(number) for name, number in SERVERS.items()})
        yield lab
