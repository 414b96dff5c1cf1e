"""Debian's stock Firefox for tests, through WebDriver BiDi; see firefox.mjs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.waiting import PATIENCE

_SUPPORT = Path(__file__).parent
_SCRIPT = _SUPPORT / "firefox.mjs"
_PROBE = _SUPPORT / "page_probe.js"
_PUPPETEER = (
    _SUPPORT.parents[1] / ".tools/node_modules/puppeteer-core/lib/esm/puppeteer/puppeteer-core.js"
)
_ANSWER_SECONDS = 2 * PATIENCE  # a probe inside the page waits for that long itself


class FirefoxPage:
    """The browser's one page; ``evaluate`` is as Playwright's, so the probes work on it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def goto(self, url: str) -> None:
        """Opens the address."""
        await self._ask(visit=url)

    async def click(self, selector: str) -> None:
        """A visitor's click; ``>>>`` reaches into an element's shadow tree."""
        await self._ask(click=selector)

    async def evaluate(self, expression: str, arg: Any = None) -> Any:
        """The value of the expression, or what the function makes of the argument."""
        return await self._ask(evaluate=expression, argument=arg)

    async def ready(self) -> str:
        """Name and version, once it runs."""
        return str((await self._answer())["ready"])

    async def _ask(self, **words: Any) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        answer = await self._answer()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]

    async def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = await asyncio.wait_for(self._process.stdout.readline(), _ANSWER_SECONDS)
        if not line:
            raise RuntimeError("Firefox has ended; is firefox-esr installed?")
        return dict(json.loads(line))


@asynccontextmanager
async def firefox() -> AsyncIterator[FirefoxPage]:
    """A Firefox with a fresh profile and the browser's own settings, headless."""
    process = await asyncio.create_subprocess_exec(
        *("node", str(_SCRIPT), str(_PUPPETEER), str(_PROBE)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 24,  # what the probes tell is one line
    )
    assert process.stdin
    try:
        page = FirefoxPage(process)
        await page.ready()
        yield page
    finally:
        process.stdin.close()
        await process.wait()
