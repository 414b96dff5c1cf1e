"""Camera and viewer meet at the real coturn, and neither learns where the other is."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, WebSocket

from tests.support.browser import visitor
from tests.support.coturn import Coturn, running_coturn
from tests.support.daemon import publisher
from tests.support.player import Player
from tests.support.server import Program, running_program
from tests.support.waiting import until

RELAY = "127.0.0.77"  # nobody else's: an address that is another one is somebody's own
SHOWN = {RELAY, "127.0.0.1", "0.0.0.0"}  # the second is every browser's o= (RFC 8829 §5.2.1)

_KEEP = """
  globalThis.connections = [];
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...given) { super(...given); connections.push(this); }
  };"""
_REPORTS = """async () => {
    const connected = connections.find(({ connectionState }) => connectionState === 'connected');
    return connected ? [...(await connected.getStats()).values()] : [];
}"""


@pytest.fixture
def turn() -> Iterator[Coturn]:
    here = ("allow-loopback-peers", f"allowed-peer-ip={RELAY}", "verbose")
    with running_coturn(*here, host=RELAY) as server:
        yield server


@asynccontextmanager
async def rendezvous_with(turn: Coturn, state: Path) -> AsyncIterator[Program]:
    words = [word for kind in ("udp", "tcp") for word in ("--turn", turn.url(kind))]
    secret = {"RENDEZVOUS_TURN_SECRET": turn.secrets[0]}
    async with running_program(*words, state=state / "names", environ=secret) as program:
        yield program


@asynccontextmanager
async def overheard(chromium: Browser, link: str) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page at the link, and every signalling message that it sends or receives."""
    said: list[str] = []

    def listen(connection: WebSocket) -> None:
        for event in ("framesent", "framereceived"):
            connection.on(event, lambda frame: said.append(str(frame)))

    async with visitor(chromium, patient=True) as context:
        await context.add_init_script(_KEEP)
        page = await context.new_page()
        page.on("websocket", listen)
        await page.goto(link)
        yield page, said


def candidates(said: list[str]) -> list[str]:
    """Of both sides: in descriptions, and trickled."""
    texts = [json.loads(text) for text in said]
    lines = [line for m in texts for line in str(m.get("sdp", "")).splitlines()]
    trickled = [m["candidate"]["candidate"] for m in texts if m.get("candidate")]
    return [text for text in (*lines, *trickled) if "candidate:" in text]


def addresses(said: list[str]) -> set[str]:
    """All that look like one in what the two said of themselves; of IPv6 a part is enough."""
    told = [text for text in said if json.loads(text)["type"] in ("offer", "answer", "candidate")]
    v4 = r"\b\d+\.\d+\.\d+\.\d+\b"
    v6 = r"(?<=IP6 )\S+|[0-9a-f]{1,4}::?[0-9a-f]{1,4}:[0-9a-f:]+"
    unmarked = [re.sub(r"a=fingerprint:\S+ \S+?(?=\\|\s|$)", "", text) for text in told]
    return set(re.findall(f"{v4}|{v6}", "\n".join(unmarked)))


def said_all(said: list[str]) -> bool:
    """Whether both sides have told that they have no more candidates."""
    texts = [json.loads(text) for text in said]
    ends = [m for m in texts if m["type"] == "candidate" and m["candidate"] is None]
    return len(ends) == 2


async def relayed_pair(page: Page) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The two ends of the path that media takes; None until both are known to be relays.

    A check may come before the candidate that it comes from: the browser calls it reflexive then.
    """
    reports = {report["id"]: report for report in await page.evaluate(_REPORTS)}
    chosen = (r.get("selectedCandidatePairId") for r in reports.values())
    selected = reports.get(next(filter(None, chosen), ""))
    if selected is None:
        return None
    ends = reports[selected["localCandidateId"]], reports[selected["remoteCandidateId"]]
    return ends if {end["candidateType"] for end in ends} == {"relay"} else None


def peers_of(turn: Coturn) -> set[str]:
    """Whom the relay was told to send to, by its log."""
    return set(re.findall(r"peer ([\d.]+)\S* lifetime", turn.log.read_text()))


async def test_no_address_of_either_side_reaches_the_other(
    turn: Coturn, chromium: Browser, tmp_path: Path
) -> None:
    """By the camera's wish alone, and the picture plays.

    Both keep to it by themselves: there is nothing for the server to leave out.
    """
    async with rendezvous_with(turn, tmp_path) as server:
        where = ("--server", f"127.0.0.1:{server.port}", "--room", "MyRoom")
        hidden = ("--ice-policy", "relay", "--source", "test:")
        async with publisher("start", *where, *hidden, state=tmp_path / "camera") as camera:
            async with overheard(chromium, await camera.link()) as (page, said):
                await Player(page).live()
                local, remote = await until(lambda: relayed_pair(page))
                await until(lambda: said_all(said))
            assert (local["address"], remote["address"]) == (RELAY, RELAY)
            assert len(candidates(said)) >= 2
            assert all(" typ relay" in text for text in candidates(said))
            assert addresses(said) <= SHOWN
        server.terminate()
        _, log = await server.ended()
        assert "not_relayed" not in log
        await until(lambda: peers_of(turn))
    assert peers_of(turn) == {RELAY}
