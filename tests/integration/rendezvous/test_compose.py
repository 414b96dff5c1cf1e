"""docker-compose.yml is valid, and every command in it does what it is there for."""

import asyncio
import re
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from rendezvous.wire.messages import Joined
from tests.support import peers
from tests.support.compose import ROOT, Compose, Service
from tests.support.light_viewer import Link, watching
from tests.support.ports import free_port
from tests.support.redis import running_redis
from tests.support.waiting import PATIENCE, until

ONE_LOOP = True
ATTEMPT = 5.0  # seconds, after which a player tries again
PATIENT = Retry(ConstantBackoff(0.05), round(PATIENCE / 0.05))


async def joined(link: Link) -> bool:
    """Whether a viewer is led to the camera, through the proxy, by whichever node."""
    try:
        async with (
            asyncio.timeout(ATTEMPT),
            peers.connect(link.host, link.port, transport="ws") as viewer,
        ):
            return isinstance(await peers.join(viewer, link.room, link.secret), Joined)
    except (OSError, aiohttp.ClientError, AssertionError, peers.ClosedError):
        return False  # the proxy has led it to the node that was killed just now


async def test_every_command_runs_and_a_viewer_watches_through_the_proxy(tmp_path: Path) -> None:
    """Whichever of the two nodes is killed, camera and viewers meet at the other."""
    compose = Compose(tmp_path)
    async with AsyncExitStack() as stack:

        async def start(name: str) -> Service:
            return await stack.enter_async_context(compose.running(name))

        await (await start("redis")).says("Ready to accept connections")
        nodes = {name: await start(name) for name in ("rendezvous-a", "rendezvous-b")}
        for node in nodes.values():
            await node.says("Listening on")
        await start("proxy")
        publisher = await start("publisher")
        link = Link.parse((await publisher.says("Watch: (.*)"))[1])
        assert link.port == compose.ports["4545"]
        assert set(compose.services) == compose.started
        async with watching(link):
            pass
        for name, node in tuple(nodes.items()):
            node.kill()
            await until(lambda: joined(link))
            nodes[name] = await start(name)
            await nodes[name].says("Listening on(.|\n)*Listening on")
        for node in nodes.values():
            node.kill()  # they would wait for their camera to move


async def test_haproxy_understands_its_settings() -> None:
    """Without a warning."""
    check = ("/usr/sbin/haproxy", "-c", "-f", str(ROOT / "deploy/haproxy.cfg"))
    process = await asyncio.create_subprocess_exec(
        *check, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert (process.returncode, said) == (0, b"Configuration file is valid\n")


def copy_of(name: str, folder: Path, without: str) -> Path:
    """The settings, but for those that this test has its own for."""
    copy = folder / name
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
    copy.write_text(re.sub(rf"(?m)^(?:{without}) .*$", "", text))
    return copy


@pytest.mark.parametrize("name", ["redis.conf", "redis-ha.conf"])
def test_redis_takes_its_settings(tmp_path: Path, name: str) -> None:
    """And nodes find what they ask for."""
    settings = copy_of(name, tmp_path, "bind|port|requirepass|masterauth")
    with running_redis("--include", str(settings)) as server, server.client() as client:
        taken: Any = client.config_get(
            "maxmemory", "maxmemory-policy", "appendonly", "min-replicas-to-write"
        )
    replicas = "1" if name == "redis-ha.conf" else "0"
    assert taken == {
        "maxmemory": str(256 * 2**20),
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "min-replicas-to-write": replicas,
    }


def test_sentinel_takes_its_settings(tmp_path: Path) -> None:
    """And watches the service that the nodes ask for."""
    settings, port = copy_of("sentinel.conf", tmp_path, "port|sentinel auth-pass"), free_port()
    text = settings.read_text()
    with running_redis() as server:
        watched = text.replace("192.0.2.11 6379", f"127.0.0.1 {server.port}")
        settings.write_text(f"port {port}\nbind 127.0.0.1\n{watched}")
        with subprocess.Popen(("redis-sentinel", settings), stdout=subprocess.DEVNULL) as process:
            try:
                with redis.Redis(port=port, protocol=2, retry=PATIENT) as client:
                    master: Any = client.execute_command("SENTINEL", "MASTER", "porthole")
                assert str(server.port).encode() in master
            finally:
                process.kill()
