"""How soon the picture is back, counted from the moment when it could be."""

import time
from collections.abc import AsyncIterator

from tests.bench.stage import watched_camera
from tests.support.bench import Figure, benchmark, median
from tests.support.browser import page_at
from tests.support.player import Player
from tests.support.server import running_program

_ROUNDS = 3
_AWAY_SECONDS = 20.0


@benchmark
async def camera_returns() -> AsyncIterator[Figure]:
    """The camera is away for twenty seconds; the page stays and is not reloaded."""
    async with watched_camera() as stage:
        times = []
        for _ in range(_ROUNDS):
            stage.camera.stop()
            gone = time.monotonic()
            await stage.player.says("Camera lost")
            while time.monotonic() - gone < _AWAY_SECONDS:
                await stage.page.wait_for_timeout(500)
            stage.camera.start()
            back = time.monotonic()
            await stage.player.says("Live")
            times.append(time.monotonic() - back)
    yield Figure("median", median(times), "s", at_most=3)
    yield Figure("worst", max(times), "s", at_most=3)


@benchmark
async def rendezvous_returns() -> AsyncIterator[Figure]:
    """The rendezvous is killed and started again; a new viewer opens the link at once."""
    async with watched_camera() as stage:
        before = await stage.player.frames()
        stage.rendezvous.process.kill()
        await stage.rendezvous.process.wait()
        port = stage.rendezvous.port
        async with running_program(state=stage.state / "r.sqlite", port=port):
            back = time.monotonic()
            async with page_at(stage.chromium, stage.page.url) as newcomer:
                await Player(newcomer).says("Live")
                took = time.monotonic() - back
            stayed = await stage.player.frames() > before
            freezes = (await stage.player.stats())["freezes"]
    yield Figure("new-viewer", took, "s", at_most=5)
    yield Figure("running-picture-stayed", float(stayed), "", at_least=1)
    yield Figure("running-picture-freezes", freezes, "", at_most=0)
