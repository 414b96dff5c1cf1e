"""What looks at pictures and listens is itself held against a film whose step is known."""

from playwright.async_api import Browser, Page

from tests.support import probe
from tests.support.browser import page_at
from tests.support.stepped_film import stepped_film
from tests.support.waiting import until

LATE = 0.1  # seconds
PART = 5  # seconds
LISTEN = 2.5  # seconds

PLAY = "(begins) => Object.assign(document.querySelector('video'), { currentTime: begins }).play()"
# What was heard before is out of the probe's ears by then.
WELL_IN = "(begins) => document.querySelector('video').currentTime > begins + 0.7"
TIME = "document.querySelector('video').currentTime"


async def test_a_sound_that_falls_behind_in_a_film_does_so_in_the_probe(chromium: Browser) -> None:
    """A browser on a busy machine shows a picture late, now and then; not every time."""
    film = stepped_film(0.0, LATE, seconds=PART)
    async with page_at(chromium, "about:blank") as page:
        await until(lambda: _falls_behind(page, film))


async def _falls_behind(page: Page, film: bytes) -> bool:
    """The film is put on anew: a browser whose sound stood still for seconds is deaf for good."""
    await probe.show(page, film)
    first, second = await _offset(page, 0), await _offset(page, PART)
    return abs(second - first - 1000 * LATE) <= 50


async def _offset(page: Page, begins: float) -> float:
    """Of the part that begins there, in milliseconds; looked at anew if it was over too soon."""
    while True:
        await page.evaluate(PLAY, begins)
        await page.wait_for_function(WELL_IN, arg=begins)
        seen = await probe.sync(page, "video", seconds=LISTEN)
        if await page.evaluate(TIME) < begins + PART:
            return seen.offset
