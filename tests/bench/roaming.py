"""How soon the picture is back when networks change, and what the dead still cost.

Times are from the moment when packets can flow again, on the new way or the old one.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page

from tests.support.bench import Figure, benchmark, median, percentile
from tests.support.browser import page_at
from tests.support.lab.access import ADDRESS, PORT, SYMMETRIC, Access, Place
from tests.support.lab.lab import Lab, flows_of, laboratory, since
from tests.support.lab.paths import MediaPath, media_path
from tests.support.lab.screen import Screen
from tests.support.lab.stage import Stage, publisher, stage
from tests.support.player import Player

_SITES = (2, 3)  # between which somebody moves
_MOVES = 6
_SHORT_AWAY, _SHORT_ROUNDS = 1.0, 6  # seconds
_LONG_AWAY, _LONG_ROUNDS = 30.0, 3
_MINUTES_AWAY, _PAGES = 600.0, 4  # more come back at once than two cores take
_GRACE = 10.0  # seconds that a viewer who vanished may cost anything


@dataclass(frozen=True, slots=True)
class Scene:
    """A camera that is watched."""

    stage: Stage
    screens: Sequence[Screen]

    @property
    def lab(self) -> Lab:
        """Where it plays."""
        return self.stage.lab

    async def back_after(self, moment: float) -> float:
        """Seconds until the last of them was back."""
        return max(await asyncio.gather(*(s.back_after(moment) for s in self.screens)))

    async def path(self) -> MediaPath | None:
        """The way that media takes now."""
        before = await self.lab.count()
        await asyncio.sleep(1.0)
        return media_path(since(before, await self.lab.count()))


@asynccontextmanager
async def watched(
    camera: Access, viewer: Access, *, viewers: int = 1, turns: int = 1
) -> AsyncIterator[Scene]:
    """A camera at site 1, and pages in a browser at site 2, which are live."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lab = await stack.enter_async_context(laboratory())
        programs = await stack.enter_async_context(stage(lab, folder, turns=turns))
        await lab.seat(camera=Place(camera, 1), viewer=Place(viewer, _SITES[0]))
        daemon = await stack.enter_async_context(publisher(lab, folder))
        link = await daemon.link()
        pages = [
            await stack.enter_async_context(page_at(programs.chromium, link))
            for _ in range(viewers)
        ]
        yield Scene(programs, [await _live(page) for page in pages])


async def _live(page: Page) -> Screen:
    await Player(page).live()
    return await Screen.watched(page)


async def _moves(scene: Scene, host: str, access: Access, sites: Sequence[int]) -> list[float]:
    times = []
    for turn in range(_MOVES):
        moment = time.time()
        await scene.lab.seat(**{host: Place(access, sites[turn % len(sites)])})
        times.append(await scene.back_after(moment))
    return times


async def _absences(scene: Scene, host: str, seconds: float, rounds: int) -> list[float]:
    times = []
    for _ in range(rounds):
        await scene.lab.unplug(host)
        await asyncio.sleep(seconds)
        await scene.lab.plug(host)
        times.append(await scene.back_after(time.time()))
    return times


def _figures(name: str, times: list[float], at_most: float) -> list[Figure]:
    return [
        Figure(f"{name}.median", median(times), "s"),
        Figure(f"{name}.p95", percentile(times, 95), "s", at_most=at_most),
    ]


@benchmark
async def roaming() -> AsyncIterator[Figure]:
    """The viewer goes to another home, and the camera does."""
    async with watched(PORT, PORT, viewers=2) as scene:
        times = await _moves(scene, "viewer", PORT, (3, 2))
        for figure in _figures("viewer-moved", times, 3):
            yield figure
        times = await _moves(scene, "camera", PORT, (4, 1))
        for figure in _figures("camera-moved", times, 5):
            yield figure


@benchmark
async def roaming_relayed() -> AsyncIterator[Figure]:
    """The same where only a relay connects them."""
    async with watched(SYMMETRIC, SYMMETRIC) as scene:
        times = await _moves(scene, "viewer", SYMMETRIC, (3, 2))
        for figure in _figures("viewer-moved", times, 3):
            yield figure
        times = await _moves(scene, "camera", SYMMETRIC, (4, 1))
        for figure in _figures("camera-moved", times, 5):
            yield figure


@benchmark
async def network_gone() -> AsyncIterator[Figure]:
    """For a second, and for half a minute: the viewer's, and the camera's."""
    async with watched(PORT, ADDRESS) as scene:
        for host in ("viewer", "camera"):
            times = await _absences(scene, host, _SHORT_AWAY, _SHORT_ROUNDS)
            for figure in _figures(f"{host}.for-1-s", times, 5):
                yield figure
            times = await _absences(scene, host, _LONG_AWAY, _LONG_ROUNDS)
            for figure in _figures(f"{host}.for-30-s", times, 5):
                yield figure


@benchmark
async def network_gone_for_minutes() -> AsyncIterator[Figure]:
    """Ten of them, and the viewers': each has what Chromium remembers of failures to itself."""
    async with watched(PORT, ADDRESS, viewers=_PAGES) as scene:
        await scene.lab.unplug("viewer")
        await asyncio.sleep(_MINUTES_AWAY)
        await scene.lab.plug("viewer")
        moment = time.time()
        times = await asyncio.gather(*(s.back_after(moment) for s in scene.screens))
    yield Figure("viewer.median", median(times), "s")
    yield Figure("viewer.worst", max(times), "s", at_most=5)


@benchmark
async def vanished_viewer() -> AsyncIterator[Figure]:
    """Its network is cut for good: what the camera sends to it ten seconds later, in ten more."""
    async with watched(PORT, PORT) as scene:
        lab = scene.lab
        face = _face(scene)
        await lab.unplug("viewer")
        await asyncio.sleep(_GRACE)
        before = await lab.count()
        await asyncio.sleep(_GRACE)
        sent = flows_of(since(before, await lab.count()), "camera", "out")
    to_it = sum(flow.packets for flow in sent if flow.address == face)
    yield Figure("packets-after-10-s", to_it, "", at_most=0)


def _face(scene: Scene) -> str:
    """The address of the viewer's home, as the camera knows it."""
    seat = scene.lab.hosts["viewer"].seat
    assert seat
    return seat.place.gateways[-1].address


@benchmark
async def dead_turn_server() -> AsyncIterator[Figure]:
    """The TURN server in use is killed, or falls silent, while another one lives."""
    async with watched(SYMMETRIC, SYMMETRIC, turns=2) as scene:
        yield Figure("relayed.killed", await _after_death(scene, silent=False), "s", at_most=5)
    async with watched(SYMMETRIC, SYMMETRIC, turns=2) as scene:
        yield Figure("relayed.silent", await _after_death(scene, silent=True), "s", at_most=5)
    async with watched(PORT, PORT) as scene:
        path = await scene.path()
        moment = time.time()
        scene.stage.turns[0].stop()
        await asyncio.sleep(_GRACE)
        gap = await scene.screens[0].gap_after(moment)
    yield Figure("direct.is-direct", float(path is not None and path.direct), "", at_least=1)
    yield Figure("direct.longest-gap", gap, "s", at_most=0.3)


async def _after_death(scene: Scene, *, silent: bool) -> float:
    name = await _turn_in_use(scene.lab)
    moment = time.time()
    if silent:
        await scene.lab.unplug(name)
    else:
        next(turn for turn in scene.stage.turns if turn.log.parent.name == name).stop()
    return await scene.back_after(moment)


async def _turn_in_use(lab: Lab) -> str:
    """The host through which most bytes come to the viewer."""
    before = await lab.count()
    await asyncio.sleep(1.0)
    largest = flows_of(since(before, await lab.count()), "viewer", "in")[0]
    return next(n for n in ("turn", "turn2") if largest.address in lab.hosts[n].addresses)
