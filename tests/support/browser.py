"""A real browser for tests: Debian's Chromium, which decodes H.264 and AAC, through Playwright."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.support.waiting import PATIENCE

CHROMIUM = "/usr/bin/chromium"

_PROBE = Path(__file__).with_name("page_probe.js")
_ENCODED_PROBE = Path(__file__).with_name("encoded_probe.js")

# The last such option counts, so Playwright's own that matter here are repeated.
_OFF = (
    "WebUIOmniboxPopup",  # two pages for each window, made before anybody types into the address
    "WebUIOmniboxAimPopup",  # bar that is not there: half of what a visitor costs
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "OptimizationHints",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
)
_QUIET = (
    f"--disable-features={','.join(_OFF)}",
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page that is not in front shall play on: several of them watch at once.
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--disable-background-timer-throttling",
)


@asynccontextmanager
async def browser(
    *, autoplay: bool = False, arguments: tuple[str, ...] = (), executable: str = CHROMIUM
) -> AsyncIterator[Browser]:
    """A headless Chromium; with ``autoplay`` pages may sound before anybody touched them.

    ``executable`` may be a script that starts it somewhere else.
    """
    free = ("--autoplay-policy=no-user-gesture-required",) if autoplay else ()
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=executable, args=[*_QUIET, *free, *arguments]
        )
        try:
            yield chromium
        finally:
            await chromium.close()


@asynccontextmanager
async def visitor(chromium: Browser, *, encoded: bool = False) -> AsyncIterator[BrowserContext]:
    """Someone with a browser of their own: no cookies shared, the probe in every page.

    With ``encoded`` the pages also describe the coded pictures that they receive; this needs a
    worker that a page's content security policy would not allow, so the policy is off then.
    """
    context = await chromium.new_context(bypass_csp=encoded)
    context.set_default_timeout(1000 * PATIENCE)
    await context.add_init_script(path=_PROBE)
    if encoded:
        await context.add_init_script(path=_ENCODED_PROBE)
    try:
        yield context
    finally:
        await context.close()


@asynccontextmanager
async def page_at(chromium: Browser, url: str, *, encoded: bool = False) -> AsyncIterator[Page]:
    """A new visitor's page."""
    async with visitor(chromium, encoded=encoded) as context:
        page = await context.new_page()
        await page.goto(url)
        yield page


async def kill(chromium: Browser) -> None:
    """Kills a browser as ``kill -9`` would: nobody is told."""
    session = await chromium.new_browser_cdp_session()
    processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    for process in processes:
        os.kill(process["id"], signal.SIGKILL)
