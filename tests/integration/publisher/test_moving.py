"""A real publisher moves between the nodes of a real service, and its viewers notice nothing."""

import re
from pathlib import Path

from tests.support.daemon import Publisher, publisher
from tests.support.light_viewer import LightViewer, Link, answering_pings
from tests.support.peers import connect
from tests.support.ports import free_port
from tests.support.redis import running_redis
from tests.support.server import Program, running_program
from tests.support.waiting import until

ONE_LOOP = True


async def home_of(camera: Publisher, claims: int) -> int:
    """The port of the node that the camera has claimed its room at, this being so many claims."""

    def claimed() -> list[str]:
        return re.findall(r"127\.0\.0\.1:(\d+): room claimed", camera.terminal)

    await until(lambda: len(claimed()) >= claims)
    return int(claimed()[-1])


async def test_pictures_run_on_while_nodes_stop_and_die(tmp_path: Path) -> None:
    """One is stopped as for a restart, then started and the other one killed."""
    with running_redis() as redis:
        shared = ("--redis", redis.url)
        async with (
            running_program(*shared, state=None, port=free_port()) as first,
            running_program(*shared, state=None, port=free_port()) as second,
        ):
            nodes = {node.port: node for node in (first, second)}
            servers = ",".join(f"127.0.0.1:{port}" for port in nodes)
            words = ("start", "--server", servers, "--source", "test:?size=320x180")
            async with publisher(*words, state=tmp_path) as camera:
                link = Link.parse(await camera.link())
                home = nodes.pop(await home_of(camera, 1))
                (other,) = nodes.values()
                await _watch_through(camera, link, home, other, shared)


async def _watch_through(
    camera: Publisher, link: Link, home: Program, other: Program, shared: tuple[str, str]
) -> None:
    viewer = LightViewer()
    try:
        async with connect(other.host, other.port) as peer:
            await viewer.watch(peer, link)
            async with answering_pings(peer):
                await viewer.packets(20)
                home.terminate()
                assert await home_of(camera, 2) == other.port
                await viewer.packets(viewer.received + 50)
                assert "server_lost" not in camera.terminal
        await home.ended()
        async with running_program(*shared, state=None, port=home.port):
            other.process.kill()
            assert await home_of(camera, 3) == home.port
            await viewer.packets(viewer.received + 50)
        assert "A viewer is gone" not in camera.terminal
    finally:
        await viewer.connection.close()
