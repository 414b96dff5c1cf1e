"""Of the ways to a TURN server the best that works wins, and silence holds up nobody."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import pytest

from publisher.rtc.ice import ways as module
from publisher.rtc.ice.urls import Server, Transport
from publisher.rtc.ice.ways import Way, Ways
from tests.chaos.virtual import VirtualLoop
from tests.support.waiting import until

UDP, TCP, TLS = (
    Way(Server("turn.test", 3478, kind, relays=True), "192.0.2.1") for kind in Transport
)
Attempt: TypeAlias = Callable[[Way], Awaitable[str]]


class Scene:
    """Ways whose ends the test decides."""

    def __init__(self, *ways: Way) -> None:
        self.begun: list[Way] = []
        self.events: list[str] = []
        self.failures: list[tuple[Way, str]] = []
        self.ends: dict[Way, asyncio.Future[str]] = {}
        self.ways: Ways[str] = Ways(
            ways,
            self._attempt,
            take=lambda found: self.events.append(f"take {found}"),
            drop=lambda found: self.events.append(f"drop {found}"),
            failed=lambda way, error: self.failures.append((way, str(error))),
        )

    def run(self, seconds: float = 3600.0) -> "asyncio.Task[None]":
        return asyncio.create_task(self.ways.run(seconds))

    async def _attempt(self, way: Way) -> str:
        self.begun.append(way)
        self.ends[way] = asyncio.get_running_loop().create_future()
        return await self.ends[way]

    async def works(self, way: Way) -> None:
        await until(lambda: way in self.ends)
        self.ends[way].set_result(way.server.transport.name)

    def has(self, events: int) -> bool:
        return len(self.events) >= events

    async def fails(self, way: Way, reason: str) -> None:
        await until(lambda: way in self.ends)
        self.ends[way].set_exception(OSError(reason))


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has a head start to speak of."""
    monkeypatch.setattr(module, "HEAD_START_SECONDS", 0.001)


async def test_the_best_way_begins_and_the_others_need_not_when_it_works() -> None:
    scene = Scene(TLS, TCP, UDP)
    running = scene.run()
    await scene.works(UDP)
    await running
    assert scene.begun == [UDP]
    assert scene.events == ["take UDP"]


def test_a_silent_way_does_not_hold_up_the_next() -> None:
    async def story() -> Scene:
        scene = Scene(UDP, TCP, TLS)
        running = scene.run(seconds=8.0)
        await scene.works(TCP)
        await running
        return scene

    loop = VirtualLoop()
    scene = loop.run_until_complete(story())
    loop.finish()
    assert scene.events == ["take TCP"]
    assert scene.failures == [(UDP, "no answer")]


async def test_a_way_that_fails_gives_its_head_start_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_START_SECONDS", 3600)
    scene = Scene(UDP, TCP)
    running = scene.run(seconds=7200)
    await scene.fails(UDP, "refused")
    await scene.works(TCP)
    await running
    assert scene.failures == [(UDP, "refused")]
    assert scene.events == ["take TCP"]


@pytest.mark.usefixtures("hurried")
async def test_a_better_way_that_was_late_takes_the_place_of_a_worse_one() -> None:
    """One allocation is kept, and it is the best."""
    scene = Scene(UDP, TCP, TLS)
    running = scene.run()
    await until(lambda: TLS in scene.ends)
    for count, way in zip((1, 3, 5), (TLS, TCP, UDP), strict=True):
        await scene.works(way)
        await until(partial(scene.has, count))
    await running
    assert scene.events == ["take TLS", "take TCP", "drop TLS", "take UDP", "drop TCP"]


@pytest.mark.usefixtures("hurried")
async def test_what_works_at_the_same_moment_is_not_kept_twice() -> None:
    scene = Scene(UDP, TCP)
    running = scene.run()
    await until(lambda: TCP in scene.ends)
    scene.ends[UDP].set_result("UDP")
    scene.ends[TCP].set_result("TCP")
    await running
    taken = [event for event in scene.events if event.startswith("take")]
    dropped = [event for event in scene.events if event.startswith("drop")]
    assert taken[-1] == "take UDP"
    assert dropped == ["drop TCP"]


@pytest.mark.usefixtures("hurried")
async def test_who_gives_up_leaves_nothing_running() -> None:
    scene = Scene(UDP, TCP)
    running = scene.run()
    await until(lambda: TCP in scene.ends)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert all(end.cancelled() for end in scene.ends.values())
    assert not scene.events


async def test_no_ways_are_no_fault() -> None:
    scene = Scene()
    await scene.run()
    assert not scene.events + scene.failures


def test_addresses_of_one_name_follow_each_other_sooner_than_transports() -> None:
    other = Way(UDP.server, "2001:db8::1")
    assert UDP.head_start(other) < UDP.head_start(TCP) == UDP.head_start(None)
