"""A network that changes is noticed within a second, and who relies on it is told once."""

import asyncio
import socket
from collections.abc import Callable, Iterator

import pytest

from publisher.supervisor import network
from publisher.supervisor.network import NetworkWatch, is_local, source_addresses
from tests.chaos.virtual import VirtualLoop
from tests.support.waiting import PATIENCE

Sources = tuple[str | None, ...]


class Machine:
    """What a watch looks at; time is the loop's, plus what the machine has slept."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.slept = 0.0
        self.sources: Sources = ("192.0.2.7", None)
        self.calls: list[float] = []
        self.watch = NetworkWatch(
            lambda: self.calls.append(loop.time()),
            clock=lambda: loop.time() + self.slept,
            sources=lambda: self.sources,
        )

    def after(self, seconds: float, happens: Callable[[], object]) -> None:
        self.loop.call_at(self.loop.time() + seconds, happens)

    def runs_for(self, seconds: float) -> list[float]:
        """When it was told, in seconds from now."""
        began = self.loop.time()
        watching = self.loop.create_task(self.watch.run())
        self.loop.run_until_complete(asyncio.wait([watching], timeout=seconds))
        watching.cancel()
        self.loop.run_until_complete(asyncio.wait([watching]))
        return [at - began for at in self.calls]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """One whose kernel tells nothing."""

    def refused() -> socket.socket:
        raise PermissionError

    monkeypatch.setattr(network, "_netlink", refused)
    loop = VirtualLoop()
    yield Machine(loop)
    loop.finish()


def test_nothing_is_told_while_nothing_changes(machine: Machine) -> None:
    assert machine.runs_for(3600.0) == []


def test_another_address_or_route_is_seen_without_the_kernel_s_help(machine: Machine) -> None:
    machine.after(10.5, lambda: setattr(machine, "sources", ("198.51.100.7", None)))
    machine.after(20.5, lambda: setattr(machine, "sources", (None, None)))
    told = machine.runs_for(60.0)
    assert [round(at) for at in told] == [11, 21]


def test_a_machine_that_wakes_up_asks_anew(machine: Machine) -> None:
    machine.after(10.5, lambda: setattr(machine, "slept", 3600.0))
    assert [round(at) for at in machine.runs_for(60.0)] == [11]


def test_many_messages_of_one_change_are_one_and_more_than_one_a_second_are_not_told(
    machine: Machine,
) -> None:
    for n in range(100):
        machine.after(10 + n / 1000, machine.watch.note)  # one change
        machine.after(20 + n / 10, machine.watch.note)  # ten seconds of changes
    told = machine.runs_for(60.0)
    assert told[0] == pytest.approx(10 + network.SETTLE_SECONDS)
    assert 10 <= len(told[1:]) <= 12


def test_an_address_of_this_machine_is_told_from_one_that_it_does_not_have() -> None:
    assert is_local("127.0.0.1")
    assert not is_local("192.0.2.1")
    assert not is_local("2001:db8::1")


def test_a_source_address_is_one_of_this_machine_or_there_is_no_route() -> None:
    sources = source_addresses()
    assert len(sources) == 2
    assert all(source is None or is_local(source) for source in sources)


async def test_the_kernel_s_word_is_passed_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its socket is closed with the watch."""
    kernel, netlink = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    netlink.setblocking(False)
    monkeypatch.setattr(network, "_netlink", lambda: netlink)
    monkeypatch.setattr(network, "LOOK_SECONDS", 3600.0)
    told = asyncio.Event()
    with kernel:
        watching = asyncio.create_task(NetworkWatch(told.set).run())
        await asyncio.sleep(0)
        kernel.send(b"a message about an address")
        async with asyncio.timeout(PATIENCE):  # it would not look by itself before
            await told.wait()
        watching.cancel()
        await asyncio.wait([watching])
    assert netlink.fileno() == -1


def test_the_kernel_lets_us_listen() -> None:
    """To links, addresses and routes; root is not needed."""
    with network._netlink() as netlink:
        assert netlink.getsockname()[1] == network._GROUPS
