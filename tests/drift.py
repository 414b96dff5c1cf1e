"""Whether pictures stay live: ``python -m tests.drift --minutes 10``. Fails when a delay grows.

One camera, one Chromium, both legs side by side and both heard. Prints each minute's median delay
from glass to glass.
"""

import argparse
import asyncio
import sys
from statistics import median

from playwright.async_api import Page

from tests.bench.stage import watched_camera
from tests.support import probe
from tests.support.browser import page_at
from tests.support.player import Player

DRIFT = 50  # ms that the end may be later than the beginning
_PAUSE, _LOOK = 25.0, 5.0  # seconds; two pages are looked at one after the other in each minute
_SETTLE = 15.0  # seconds until Chromium has aligned sound and picture


async def main(minutes: int) -> int:
    """Watches both legs; 0 when neither has fallen behind."""
    async with watched_camera() as stage:
        untouched = stage.page.url.replace("/#", "/?audio=aac#")
        async with page_at(stage.chromium, untouched) as page:
            await Player(page).live()
            return await _watch({"rtp": stage.page, "fmp4": page}, minutes)


async def _watch(pages: dict[str, Page], minutes: int) -> int:
    delays: dict[str, list[float]] = {leg: [] for leg in pages}
    for page in pages.values():
        await probe.sound(page)
    await asyncio.sleep(_SETTLE)
    for minute in range(1, minutes + 1):
        for leg, page in pages.items():
            await asyncio.sleep(_PAUSE)
            delays[leg].append((await probe.pictures_during(page, seconds=_LOOK)).delay)
        now = ", ".join(f"{leg} {delays[leg][-1]:.0f} ms" for leg in pages)
        print(f"minute {minute}: {now}", flush=True)
    return max(_judge(leg, seen) for leg, seen in delays.items())


def _judge(leg: str, delays: list[float]) -> int:
    """0 when the last third of the minutes is about as late as the first."""
    third = max(1, len(delays) // 3)
    drift = median(delays[-third:]) - median(delays[:third])
    well = drift <= DRIFT  # not so when a minute had no picture to measure
    print(f"{leg}: drift {drift:+.0f} ms, at most {DRIFT} ms: {'ok' if well else 'SHORT'}")
    return not well


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=10)
    sys.exit(asyncio.run(main(parser.parse_args().minutes)))
