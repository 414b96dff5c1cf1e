"""Many viewers at once: each comes and goes without the others noticing, and leaves nothing."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser

from rendezvous.wire.messages import End, Offer
from tests.support import browser as browsers
from tests.support import peers
from tests.support.browser import page_at
from tests.support.daemon import publisher
from tests.support.light_viewer import Link, come_and_go, watching
from tests.support.player import Player
from tests.support.server import Program
from tests.support.waiting import until

SMALL = "test:?size=320x192&fps=30&bitrate=200000"  # eight decoders share the machine


def start(rendezvous: Program, *words: str) -> list[str]:
    """A publisher of a small picture."""
    server = f"127.0.0.1:{rendezvous.port}"
    return ["start", "--server", server, "--room", "MyRoom", "--source", SMALL, *words]


@pytest.mark.alone
async def test_eight_watch_and_however_some_leave_the_others_see_on(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    """Two seconds without a packet are an interruption; eight decoders must not be kept so long."""
    async with AsyncExitStack() as stack:
        camera = await stack.enter_async_context(publisher(*start(rendezvous), state=tmp_path))
        link = await camera.link()
        idle = camera.sockets
        victim = await stack.enter_async_context(browsers.browser(autoplay=True))
        pages = [page_at(chromium, link, patient=True) for _ in range(5)]
        staying = [await stack.enter_async_context(page) for page in pages]
        leaving = await stack.enter_async_context(page_at(chromium, link))
        closing = await stack.enter_async_context(page_at(chromium, link))
        killed = await victim.new_page()
        await killed.goto(link)
        players = [Player(page) for page in (*staying, leaving, closing, killed)]
        await asyncio.gather(*(player.live() for player in players))
        assert camera.sockets > idle

        streams = [await player.stream() for player in players[:5]]
        await leaving.goto("about:blank")
        await closing.close()
        await browsers.kill(victim)
        await until(lambda: "5 left" in camera.terminal)
        for player, stream in zip(players[:5], streams, strict=True):
            await player.moves()
            assert await player.stream() == stream
        for page in staying:
            await page.close()
        await until(lambda: camera.sockets == idle)


async def test_a_viewer_too_many_is_told_so(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    async with (
        publisher(*start(rendezvous, "--viewers", "1"), state=tmp_path) as camera,
        page_at(chromium, await camera.link(), patient=True) as first,
    ):
        await Player(first).live()
        async with page_at(chromium, first.url) as second:
            await Player(second).says("All places are taken")
        await Player(first).moves()


async def test_a_link_without_its_secret_opens_nothing(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    async with publisher(*start(rendezvous), state=tmp_path) as camera:
        link = await camera.link()
        for guess in (link.rpartition(".")[0], f"{link[:-4]}AAAA", link.replace("MyRoom", "Other")):
            async with page_at(chromium, guess) as page:
                await Player(page).says("No camera under this link yet")


async def test_a_public_room_needs_no_secret(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    async with publisher(*start(rendezvous, "--public"), state=tmp_path) as camera:
        link = await camera.link()
        assert link.endswith("/#MyRoom")
        async with page_at(chromium, link) as page:
            await Player(page).live()


async def test_a_room_is_not_taken_by_another_camera(rendezvous: Program, tmp_path: Path) -> None:
    async with publisher(*start(rendezvous), state=tmp_path / "a") as owner:
        await owner.link()
        async with publisher(*start(rendezvous), state=tmp_path / "b") as thief:
            await thief.says("room_unavailable")
            assert await thief.ended() == 1
        assert owner.process.returncode is None


async def test_hostile_offers_are_refused_and_hurt_nobody(
    rendezvous: Program, tmp_path: Path
) -> None:
    async with publisher(*start(rendezvous), state=tmp_path) as camera:
        link = Link.parse(await camera.link())
        async with watching(link) as other:
            for sdp in _hostile_offers():
                async with peers.connect(link.host, link.port, transport="ws") as viewer:
                    joined = await peers.joined(viewer, link.room, link.secret)
                    await viewer.send(Offer(session=joined.session, sdp=sdp))
                    end = await viewer.expect(End)
                    assert (end.session, end.reason) == (joined.session, "offer_refused")
            await other.packets(other.received + 20)
        assert "Traceback" not in camera.terminal
        assert camera.process.returncode is None


def _hostile_offers() -> list[str]:
    section = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=mid:{}\r\n"
    h264 = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=rtpmap:1 H264/90000\r\n"
    return [
        peers.SDP,
        h264,
        h264 + "".join(section.format(number) for number in range(200)),
        h264 + "m=video 9 UDP/TLS/RTP/SAVPF 1\r\na=fingerprint:sha-256 00\r\n",
        h264 + "a=candidate:\r\nm=video x\r\n",
        "\x00" * 1000 + h264,
    ]


async def test_joining_and_leaving_again_and_again_costs_nothing(
    rendezvous: Program, tmp_path: Path
) -> None:
    """Memory settles in the first two hundred, when the allocator has found its arenas."""
    async with publisher(*start(rendezvous), state=tmp_path) as camera:
        link = Link.parse(await camera.link())
        idle = camera.sockets
        await come_and_go(link, times=200)
        settled = camera.rss
        await come_and_go(link, times=100)
        await until(lambda: camera.sockets == idle)
        assert camera.rss - settled < 3 * 1024 * 1024
