"""A real browser for tests: Debian's Chromium, which decodes H.264 and AAC, through Playwright."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
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
# What a page gives up, or calls stalled, after some seconds: after ten times as many. For tests
# that claim that nothing happens to a picture, on a machine that may stand still for a moment. The
# line to the server goes by Date.now, as ever: it is asked before it is given up.
PATIENT = """(() => {
    const [now, later] = [performance.now.bind(performance), setTimeout];
    performance.now = () => now() / 10;
    globalThis.setTimeout = (run, pause = 0, ...rest) => later(run, 10 * pause, ...rest);
})();"""

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
            executable_path=executable,
            args=[*_QUIET, *free, *arguments],
            timeout=1000 * PATIENCE,
        )
        try:
            yield chromium
        finally:
            await chromium.close()


@asynccontextmanager
async def visitor(
    chromium: Browser, *, encoded: bool = False, patient: bool = False, trusting: bool = False
) -> AsyncIterator[BrowserContext]:
    """Someone with a browser of their own: no cookies shared, the probe in every page.

    With ``encoded`` the pages also describe the coded pictures that they receive; this needs a
    worker that a page's content security policy would not allow, so the policy is off then. With
    ``patient`` no page gives anything up soon; with ``trusting`` any certificate will do.
    """
    context = await chromium.new_context(bypass_csp=encoded, ignore_https_errors=trusting)
    try:
        context.set_default_timeout(1000 * PATIENCE)
        await context.add_init_script(_scripts(encoded=encoded, patient=patient))
        yield context
    finally:
        await context.close()


def _scripts(*, encoded: bool, patient: bool) -> str:
    """In one, for their order counts: the probe keeps the clock that it finds."""
    probes = (_PROBE, *((_ENCODED_PROBE,) if encoded else ()))
    return "\n".join([*(probe.read_text() for probe in probes), PATIENT if patient else ""])


@asynccontextmanager
async def page_at(
    chromium: Browser,
    url: str,
    *,
    encoded: bool = False,
    patient: bool = False,
    trusting: bool = False,
) -> AsyncIterator[Page]:
    """A new visitor's page; see ``visitor``."""
    how = {"encoded": encoded, "patient": patient, "trusting": trusting}
    async with visitor(chromium, **how) as context:
        page = await context.new_page()
        await page.goto(url)
        yield page


async def kill(chromium: Browser) -> None:
    """Kills a browser as ``kill -9`` would: nobody is told."""
    session = await chromium.new_browser_cdp_session()
    processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    for process in processes:
        with suppress(ProcessLookupError):  # it went with one that it needs
            os.kill(process["id"], signal.SIGKILL)
