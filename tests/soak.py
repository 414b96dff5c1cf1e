"""Long runs: ``python -m tests.soak --minutes 30``. Fails when something grows that should not."""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.support.daemon import Publisher, publisher
from tests.support.light_viewer import Link, come_and_go, watching
from tests.support.server import running_program
from tests.support.waiting import until

SOURCE = "test:?size=640x360&bitrate=500000"
WARM_UP = 300  # joins, until the allocator has found its arenas
ROUND = 200
LEAST = 500  # joins that are looked at, however short the run
GROWTH = 0.05  # of the resident memory after the warm-up


async def main(minutes: float) -> int:
    """Viewers come and go while one stays; 0 when nothing has grown."""
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        async with running_program(state=state / "r.sqlite") as rendezvous:
            server = f"127.0.0.1:{rendezvous.port}"
            words = ["start", "--server", server, "--room", "Soak", "--source", SOURCE]
            async with publisher(*words, state=state) as camera:
                try:
                    return await _soak(camera, minutes)
                except BaseException:
                    print("The publisher's last words:", *camera.lines[-20:], sep="\n", flush=True)
                    raise


async def _soak(camera: Publisher, minutes: float) -> int:
    link = Link.parse(await camera.link())
    end = time.monotonic() + 60 * minutes
    async with watching(link) as staying:
        idle = camera.sockets
        await come_and_go(link, WARM_UP)
        settled, joins, worst = camera.rss, 0, 0.0
        while time.monotonic() < end or joins < LEAST:
            await come_and_go(link, ROUND)
            joins += ROUND
            await until(lambda: camera.sockets == idle, 20)
            await staying.packets(staying.received + 10)
            growth = camera.rss / settled - 1
            worst = max(worst, growth)
            print(f"{joins} joins: {camera.rss / 1e6:.1f} MB ({growth:+.1%})", flush=True)
    print(f"growth {worst:.1%}, at most {GROWTH:.0%}: {'ok' if worst <= GROWTH else 'SHORT'}")
    return worst > GROWTH


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    sys.exit(asyncio.run(main(parser.parse_args().minutes)))
