"""What is wrong is said in a sentence with a code, on the terminal and in the page."""

from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.browser import page_at
from tests.support.cameras import http_port, rtsp_camera, silent_port
from tests.support.daemon import publisher
from tests.support.player import Player
from tests.support.ports import free_port
from tests.support.server import Program


def start(rendezvous: Program, source: str, *words: str) -> list[str]:
    """A publisher of the source."""
    server = f"127.0.0.1:{rendezvous.port}"
    return ["start", "--server", server, "--room", "MyRoom", "--source", source, *words]


async def test_a_camera_that_is_not_there_is_named_on_both_sides(
    rendezvous: Program, chromium: Browser, tmp_path: Path
) -> None:
    source = f"rtsp://admin:s3cret@127.0.0.1:{free_port()}/live"
    async with publisher(*start(rendezvous, source), state=tmp_path) as camera:
        await camera.says(r"\[source_unreachable\]")
        async with page_at(chromium, await camera.link()) as page:
            await Player(page).says("The camera does not answer")
            assert "s3cret" not in await page.content() + await Player(page).words()
        assert "s3cret" not in camera.terminal


async def test_a_wrong_password_is_named_and_never_printed(
    rendezvous: Program, tmp_path: Path
) -> None:
    with rtsp_camera("auth") as real:
        source = real.address.replace("//", "//admin:wr0ng@")
        async with publisher(*start(rendezvous, source), state=tmp_path) as camera:
            await camera.says(r"\[source_unauthorized\].*user name or the password")
            assert "wr0ng" not in camera.terminal


async def test_a_wrong_path_is_named(rendezvous: Program, tmp_path: Path) -> None:
    with rtsp_camera("plain") as real:
        source = real.address.replace("/live", "/nothing")
        async with publisher(*start(rendezvous, source), state=tmp_path) as camera:
            await camera.says(r"\[source_not_found\]")


async def test_what_is_no_camera_is_named(rendezvous: Program, tmp_path: Path) -> None:
    with http_port() as source:
        async with publisher(*start(rendezvous, source), state=tmp_path) as camera:
            await camera.says(r"\[source_not_a_camera\]")


async def test_a_camera_that_accepts_and_is_silent_is_named(
    rendezvous: Program, tmp_path: Path
) -> None:
    with silent_port() as source:
        async with publisher(*start(rendezvous, source), state=tmp_path) as camera:
            await camera.says(r"\[source_unreachable\]")


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (["start", "--room", "no spaces", "--source", "test:"], "room_malformed", 78),
        (["start", "--source", "gopher://x"], "source_malformed", 64),
        (["start", "--source", "test:?size=huge"], "source_malformed", 64),
        (["start"], "source_missing", 64),
        (["startWebRTC", "roomID=X", "source=test:", "token=abc"], "token_refused", 78),
        (["sing"], "usage", 64),
    ],
)
async def test_a_wrong_command_line_ends_with_one_sentence(
    tmp_path: Path, words: list[str], code: str, status: int
) -> None:
    async with publisher(*words, state=tmp_path) as camera:
        await camera.says(rf"publisher: \[{code}\] ")
        assert await camera.ended() == status
        assert len(camera.lines) == 1
        assert "Traceback" not in camera.terminal


async def test_a_rendezvous_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    words = ["start", "--server", f"127.0.0.1:{free_port()}", "--source", "test:"]
    async with publisher(*words, state=tmp_path) as camera:
        await camera.says(r"\[server_unreachable\].*Trying again")
        assert camera.process.returncode is None


async def test_keep_alive_off_gives_up_as_evostream_does(tmp_path: Path) -> None:
    server = ["ersIP=127.0.0.1", f"ersPort={free_port()}"]
    words = ["startWebRTC", *server, "source=test:", "KEEPALIVE=0"]
    async with publisher(*words, state=tmp_path) as camera:
        await camera.says(r"publisher: \[server_unreachable\]")
        assert await camera.ended() == 1
