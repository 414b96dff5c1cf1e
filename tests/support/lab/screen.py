"""When a page shows pictures, so that a test can say for how long it showed none."""

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tests.support.probe import Page
from tests.support.waiting import PATIENCE, until

_GAP: Final = 0.5  # seconds without a picture: an interruption
_CALM: Final = 1.0  # seconds of pictures after which it is over
_RECORD: Final = """() => {
    const { video } = document.querySelector('porthole-player');
    const shown = (globalThis.portholeShown = []);
    const next = () => video.requestVideoFrameCallback(() => {
        shown.push(Date.now());
        if (shown.length > 10_000) shown.shift();
        next();
    });
    next();
}"""


@dataclass(frozen=True, slots=True)
class Screen:
    """Watches a page's player from `watched` on."""

    page: Page

    @classmethod
    async def watched(cls, page: Page) -> "Screen":
        """The page's own screen; its player must be there."""
        await page.evaluate(_RECORD)
        return cls(page)

    async def back_after(self, moment: float, within: float = PATIENCE) -> float:
        """Seconds from the moment (Unix time) until pictures came for good; 0: they always did.

        What happened at the moment must stop the picture within two seconds, if it does at all.
        Raises TimeoutError.
        """
        settled = moment + _GAP + 2 * _CALM
        began = await until(lambda: self._began(settled), within + settled - time.time())
        return float(max(0.0, began - moment))

    async def gap_after(self, moment: float) -> float:
        """The longest time without a picture since the moment, in seconds."""
        times = [moment, *(t for t in await self._times() if t > moment), time.time()]
        return max(b - a for a, b in pairwise(times))

    async def _began(self, settled: float) -> float | None:
        """When the pictures began that come now; None: they do not, or not for long enough."""
        times = await self._times()
        now = time.time()
        if not times or now < settled or now - times[-1] > _GAP:
            return None
        breaks = [b for a, b in pairwise(times) if b - a > _GAP]
        began = breaks[-1] if breaks else times[0]
        return began if now - began > _CALM else None

    async def _times(self) -> list[float]:
        shown = await self.page.evaluate("globalThis.portholeShown")
        return [milliseconds / 1000 for milliseconds in shown]
