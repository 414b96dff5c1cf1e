"""Who reaches whom: every kind of network at the camera × every kind at the viewer.

One page for each camera, loaded once; the viewer's network changes under it while it is stopped.
What is measured is the time from pressing play to the first picture that is presented. The path is
what the laboratory's router saw, compared with what theory says and with what the page says.
"""

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Error as BrowserError
from playwright.async_api import Page

from tests.support.bench import Figure, benchmark
from tests.support.browser import page_at
from tests.support.lab.access import KINDS, OPEN, Access, Place
from tests.support.lab.lab import Lab, laboratory, since
from tests.support.lab.paths import MediaPath, media_path
from tests.support.lab.stage import Stage, publisher, stage
from tests.support.lab.theory import is_direct, is_direct_in_silence, names_itself
from tests.support.player import Player

_SLOWEST, _SLOWEST_ON_LAN = 2000, 300  # ms
_PATIENCE = 12.0  # seconds for a first picture
_SETTLE = 0.4  # seconds: Chromium breaks what it has begun when it hears of another address
_WATCH = 0.4  # seconds of media by which the path is told
_TELL = 3.0  # seconds: the page measures once a second
_MOVE = 6.0  # seconds in which ICE may find the direct path after a relayed one

_STOP = "document.querySelector('porthole-player').stop()"
_PLAY = """async () => {
    const player = document.querySelector('porthole-player');
    const shown = new Promise((frame) => player.video.requestVideoFrameCallback(frame));
    const pressed = performance.now();
    player.start();
    await shown;
    return performance.now() - pressed;
}"""


@dataclass(frozen=True, slots=True)
class Pair:
    """A camera's network and a viewer's, or one LAN for both; servers that answer or do not."""

    camera: Access
    viewer: Access
    lan: bool = False
    silent: bool = False

    @property
    def direct(self) -> bool:
        """What theory says."""
        if self.lan:
            return names_itself(self.viewer) or not self.silent
        possible = is_direct_in_silence if self.silent else is_direct
        return possible(self.camera, self.viewer)

    def __str__(self) -> str:
        words = f"{self.camera.name:<10} {self.viewer.name if not self.lan else 'its LAN':<10}"
        return f"{words} {'silence' if self.silent else '':<8}"


@dataclass(frozen=True, slots=True)
class Row:
    """What came of it."""

    pair: Pair
    waited: float | None
    """Milliseconds; None: no picture came."""
    path: MediaPath | None
    told: str
    """What the page says: direct or relayed."""

    @property
    def as_theory_says(self) -> bool:
        """Whether it went directly if it could."""
        return self.path is not None and self.path.direct == self.pair.direct

    @property
    def told_rightly(self) -> bool:
        """Whether the page knows."""
        return self.path is not None and self.told == _name(self.path.direct)

    def __str__(self) -> str:
        waited = "no picture" if self.waited is None else f"{self.waited:6.0f} ms"
        theory = "" if self.as_theory_says else f"theory: {_name(self.pair.direct)}"
        told = "" if self.told_rightly else f"the page says {self.told}"
        return f"{self.pair} {waited:>10}  {self.path!s:<20} {theory} {told}".rstrip()


def _name(direct: bool) -> str:  # noqa: FBT001
    return "direct" if direct else "relayed"


@benchmark
async def reach() -> AsyncIterator[Figure]:
    """The whole matrix with TURN at hand; both on one LAN; and who needs no server, in silence."""
    for title, pairs, at_most in (
        ("", _matrix(), _SLOWEST),
        ("on-a-lan.", _lans(), _SLOWEST_ON_LAN),
        ("in-silence.", _in_silence(), _SLOWEST),
    ):
        rows = [row async for row in _table(pairs)]
        for figure in _figures(title, rows, at_most):
            yield figure


def _matrix() -> list[Pair]:
    return [Pair(camera, viewer) for camera, viewer in itertools.product(KINDS, KINDS)]


def _lans() -> list[Pair]:
    """At home, whatever the home's gateway is; STUN and TURN answer, or are silent."""
    homes = [access for access in KINDS if access is not OPEN]
    pairs = (Pair(home, home, lan=True, silent=s) for home in homes for s in (False, True))
    return [pair for pair in pairs if pair.direct]


def _in_silence() -> list[Pair]:
    everybody = (Pair(c, v, silent=True) for c, v in itertools.product(KINDS, KINDS))
    return [pair for pair in everybody if pair.direct]


def _figures(title: str, rows: list[Row], at_most: float) -> Iterable[Figure]:
    waits = [row.waited for row in rows if row.waited is not None]
    wrong = sum(not row.as_theory_says for row in rows)
    yield Figure(f"{title}pairs", len(rows), "")
    yield Figure(f"{title}pairs-without-a-picture", len(rows) - len(waits), "", at_most=0)
    yield Figure(f"{title}pairs-not-as-theory-says", wrong, "", at_most=0)
    erring = sum(not row.told_rightly for row in rows)
    yield Figure(f"{title}pages-that-err", erring, "", at_most=0)
    yield Figure(f"{title}median", sorted(waits)[len(waits) // 2], "ms")
    yield Figure(f"{title}slowest", max(waits), "ms", at_most=at_most)


async def _table(pairs: list[Pair]) -> AsyncIterator[Row]:
    """Measures pair after pair, and prints each."""
    async with _laboratory() as scene:
        for _, group in itertools.groupby(pairs, key=lambda pair: pair.camera):
            async for row in _with_one_camera(scene, list(group)):
                print(row, flush=True)
                yield row


@asynccontextmanager
async def _laboratory() -> AsyncIterator[Stage]:
    with tempfile.TemporaryDirectory() as name:
        async with laboratory() as lab, stage(lab, Path(name)) as scene:
            yield scene


async def _with_one_camera(scene: Stage, pairs: list[Pair]) -> AsyncIterator[Row]:
    lab = scene.lab
    await lab.seat(camera=Place(pairs[0].camera, site=1), viewer=_place(pairs[0]))
    async with (
        publisher(lab, scene.folder) as daemon,
        page_at(scene.chromium, await daemon.link()) as page,
    ):
        for pair in pairs:
            yield await _measure(lab, page, pair)


def _place(pair: Pair) -> Place:
    return Place(pair.camera if pair.lan else pair.viewer, site=1 if pair.lan else 2, number=3)


async def _measure(lab: Lab, page: Page, pair: Pair) -> Row:
    await page.evaluate(_STOP)
    await lab.seat(viewer=_place(pair))
    await (lab.unplug if pair.silent else lab.plug)("turn")
    await asyncio.sleep(_SETTLE)
    try:
        waited = await asyncio.wait_for(page.evaluate(_PLAY), _PATIENCE)
    except (TimeoutError, BrowserError):
        return Row(pair, None, None, "")
    path = await _path(lab, pair)
    return Row(pair, waited, path, await _told(page, path))


async def _told(page: Page, path: MediaPath | None) -> str:
    """What the page says of the path, once it is right, or after some seconds."""
    end = asyncio.get_running_loop().time() + _TELL
    while True:
        stats = await page.evaluate("document.querySelector('porthole-player').stats()")
        told = str(stats["path"]) if stats else await Player(page).words()
        if told == _name(path is not None and path.direct) or _over(end):
            return told
        await asyncio.sleep(_WATCH)


async def _path(lab: Lab, pair: Pair) -> MediaPath | None:
    """The path, once it is the direct one if there is one, or after some seconds."""
    end = asyncio.get_running_loop().time() + _MOVE
    while True:
        before = await lab.count()
        await asyncio.sleep(_WATCH)
        path = media_path(since(before, await lab.count()))
        right = path is not None and path.direct == pair.direct
        if right or _over(end):
            return path


def _over(end: float) -> bool:
    return asyncio.get_running_loop().time() > end
