"""What looks at pictures and listens is itself held against a film whose step is known."""

import pytest
from playwright.async_api import Browser

from tests.support import probe
from tests.support.browser import page_at
from tests.support.stepped_film import stepped_film

LATE = 0.1  # seconds
PART = 5  # seconds
LISTEN = 2.5  # seconds

# What was heard before is out of the probe's ears by then.
IN_THE_SECOND_PART = "(begins) => document.querySelector('video').currentTime > begins + 0.7"


async def test_a_sound_that_falls_behind_in_a_film_does_so_in_the_probe(chromium: Browser) -> None:
    async with page_at(chromium, "about:blank") as page:
        await probe.show(page, stepped_film(0.0, LATE, seconds=PART))
        first = await probe.sync(page, "video", seconds=LISTEN)
        await page.wait_for_function(IN_THE_SECOND_PART, arg=PART)
        second = await probe.sync(page, "video", seconds=LISTEN)
    assert second.offset - first.offset == pytest.approx(1000 * LATE, abs=50)
