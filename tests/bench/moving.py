"""Real cameras' signalling at a service of two nodes: one is killed, then the other one drained."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from publisher.identity import CameraKey
from publisher.signalling.claiming import Room
from publisher.signalling.connection import ServerAddress
from publisher.supervisor.room import Place, RoomKeeper
from rendezvous.wire.messages import Candidate, End, Offer, Resume, Session, Source, SourceState
from tests.support.bench import Figure, benchmark, percentile
from tests.support.redis import running_redis
from tests.support.server import Program, running_program
from tests.support.waiting import until

CAMERAS = 300
LIVE = Source(state=SourceState.LIVE)


class Nobody:
    """No viewers."""

    def open(self, opening: Session) -> None:
        """Is not called."""

    def put(self, message: Offer | Candidate | End) -> None:
        """Is not called."""

    def resumptions(self, room: str) -> Iterable[Resume]:
        """There is nothing to resume."""
        del room
        return ()


def camera(servers: tuple[ServerAddress, ...]) -> RoomKeeper:
    """One with a key room of its own."""
    key = CameraKey.generate()
    place = Place(servers, None, key, Room(key.room(), "", None))
    return RoomKeeper(
        place, Nobody(), source=lambda: LIVE, keep_alive=True, on_claimed=lambda _: None
    )


@asynccontextmanager
async def kept(cameras: list[RoomKeeper]) -> AsyncIterator[None]:
    """All of them have their rooms."""
    tasks = [asyncio.create_task(camera.run()) for camera in cameras]
    try:
        await until(lambda: all(camera._claimed_at for camera in cameras), within=60.0)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.gather(*(camera.close() for camera in cameras))


def at(cameras: list[RoomKeeper], node: Program) -> list[RoomKeeper]:
    """Those whose room is held there."""
    return [camera for camera in cameras if camera._nodes.current.port == node.port]


async def elsewhere(cameras: list[RoomKeeper], since: float) -> list[float]:
    """Seconds until each had its room again, once all have."""
    await until(lambda: all(camera._claimed_at > since for camera in cameras), within=60.0)
    return [camera._claimed_at - since for camera in cameras]


@benchmark
async def moving() -> AsyncIterator[Figure]:
    """A node is killed; it is back; the other one is stopped as for a restart."""
    logging.getLogger("publisher").setLevel(logging.ERROR)  # they say what the figures say
    clock = asyncio.get_running_loop().time
    with running_redis() as redis:
        shared = ("--redis", redis.url, "--strangers-per-address", "1000")
        async with (
            running_program(*shared, state=None) as first,
            running_program(*shared, state=None) as second,
        ):
            servers = tuple(ServerAddress(node.host, node.port) for node in (first, second))
            cameras = [camera(servers) for _ in range(CAMERAS)]
            async with kept(cameras):
                there, since = at(cameras, first), clock()
                first.process.kill()
                times = await elsewhere(there, since)
                yield Figure("cameras of the killed node", len(there), "cameras")
                yield Figure("elsewhere, 99 % of them", percentile(times, 99), "s", at_most=3.0)
                async with running_program(*shared, state=None, port=first.port):
                    since = clock()
                    second.terminate()
                    times = await elsewhere(cameras, since)
                    yield Figure("left a draining node, 99 %", percentile(times, 99), "s")
