"""The camera's room after an outage of its network, in virtual time: soon, whatever was missed.

Nothing tells the camera that the network is back; what the kernel may tell only makes it faster.
TCP is as Linux has it: a SYN goes out at once, after 1 s and after 3 s.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from publisher.errors import SignallingError
from publisher.signalling import connection as wire
from publisher.signalling.claiming import Room
from publisher.signalling.connection import ServerAddress
from publisher.supervisor import room as module
from publisher.supervisor.room import Place, RoomKeeper
from rendezvous.wire.messages import Message, ServerMessage, Source, SourceState
from tests.chaos.virtual import VirtualLoop

SYN_SECONDS = (0.0, 1.0, 3.0)
ROUND_TRIP = 0.1  # seconds; a claim takes four
LIVE = Source(state=SourceState.LIVE)
PHASES = 40


class Network:
    """It is there but for one outage."""

    def __init__(self, begins: float, lasts: float) -> None:
        self.begins, self.ends = begins, begins + lasts

    def carries(self, at: float) -> bool:
        return not self.begins <= at < self.ends


class Line:
    """A connection: alive or dead as TCP's is, which says nothing about it."""

    local_address = "127.0.0.1"

    def __init__(self, network: Network) -> None:
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()

    def send(self, message: Message) -> None:
        pass

    async def messages(self) -> AsyncGenerator[ServerMessage, None]:
        """Nothing but pings; their absence is noticed as by the real connection."""
        heard = self._loop.time()
        while self._loop.time() - heard < wire.SILENCE_SECONDS:
            await asyncio.wait([self._over], timeout=wire.LOOK_SECONDS)
            if self._network.carries(self._loop.time()):
                heard = self._loop.time()
        nothing: tuple[ServerMessage, ...] = ()
        for message in nothing:
            yield message
        raise SignallingError("server_lost", "Lost.")

    def abort(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Outage:
    """A camera that held its room when the network went."""

    def __init__(self, loop: VirtualLoop, begins: float, lasts: float) -> None:
        self.loop = loop
        self.network = Network(loop.time() + begins, lasts)
        self.claims: list[float] = []
        self.dials = 0
        place = Place((ServerAddress("a", 1),), None, cast(Any, None), Room("MyRoom", "", None))
        guests = SimpleNamespace(resumptions=lambda _: ())
        self.keeper = RoomKeeper(
            place,
            cast(Any, guests),
            source=lambda: LIVE,
            keep_alive=True,
            on_claimed=lambda _: None,
        )
        self.keeper._dialler = cast(Any, self)

    async def dial(self, _address: ServerAddress, changed: asyncio.Event) -> Line:
        """As the real one: a change of the network begins another attempt."""
        changed.clear()
        self.dials += 1
        began = self.loop.time()
        for at in SYN_SECONDS:
            await asyncio.sleep(began + at - self.loop.time())
            if self.network.carries(self.loop.time()):
                return Line(self.network)
        await asyncio.sleep(began + wire.CONNECT_SECONDS - self.loop.time())
        raise SignallingError("server_unreachable", "No answer.")

    async def claim(self, *_: object) -> SimpleNamespace:
        await asyncio.sleep(4 * ROUND_TRIP)
        self.claims.append(self.loop.time())
        return SimpleNamespace(epoch=len(self.claims))

    def lasts(self) -> float:
        """Seconds from the network's return until the room is held again; 0: it was not lost."""
        running = self.loop.create_task(self.keeper.run())
        end = self.network.ends + 60.0 - self.loop.time()
        self.loop.run_until_complete(asyncio.wait([running], timeout=end))
        running.cancel()
        self.loop.run_until_complete(asyncio.wait([running]))
        self.loop.run_until_complete(self.keeper.close())
        return max(0.0, self.claims[-1] - self.network.ends)


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.finish()


@pytest.mark.parametrize("seconds", [1.0, 8.0, 30.0, 600.0])
def test_the_room_is_held_again_within_seconds_of_the_network_s_return(
    loop: VirtualLoop, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Also when nothing says that it is back, and at every phase of the waits and attempts."""
    took = []
    for phase in range(PHASES):
        outage = Outage(loop, begins=20.0, lasts=seconds + 0.31 * phase)
        monkeypatch.setattr(module, "claim", outage.claim)
        took.append(outage.lasts())
    assert sorted(took)[int(0.95 * PHASES)] <= 4.5, took  # the picture needs the rest of the 5 s
    assert loop.defects == []


def test_an_outage_costs_few_attempts(loop: VirtualLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is away for ten minutes is not stormed when it returns."""
    outage = Outage(loop, begins=20.0, lasts=600.0)
    monkeypatch.setattr(module, "claim", outage.claim)
    outage.lasts()
    assert outage.dials < 600 / wire.CONNECT_SECONDS
