"""What goes wrong with one server is said once, holds up no other, and gives nothing away."""

import asyncio
import logging
from typing import Any

import pytest
from aioice import stun

from publisher.rtc.ice import gatherer, turn
from publisher.rtc.ice.gatherer import Gatherer
from publisher.rtc.ice.urls import Server
from publisher.rtc.ice.ways import Way
from rendezvous.wire.messages import IceServer
from tests.support.waiting import PATIENCE


class Camera:
    """Takes what is found."""

    def __init__(self) -> None:
        self.hosts: list[Any] = []
        self.relayed: list[Server] = []

    def make_relay_protocol(self) -> Any:
        return object()

    def add_reflexive(self, *_: object) -> None:
        """See gatherer.Agent."""

    def add_relayed(self, _: object, server: Server) -> None:
        self.relayed.append(server)

    def retire(self, _: object) -> None:
        """See gatherer.Agent."""


@pytest.fixture(autouse=True)
def unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatherer, "_said", {})


async def gathered(*servers: IceServer) -> tuple[Camera, Gatherer]:
    camera = Camera()
    made = Gatherer(camera, servers)
    await asyncio.wait_for(made.start(), PATIENCE)
    return camera, made


def turn_server(name: str, *more: str) -> IceServer:
    urls = (f"turn:{name}", *more)
    return IceServer(urls=urls, username="u", credential=f"of {name}")


async def test_urls_that_cannot_be_used_are_said_once_and_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrong = IceServer(urls=("turn:user:secret@192.0.2.9", "stuns:192.0.2.9", "http:\n//x"))
    for _ in range(3):
        await gathered(wrong)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3
    assert "'192.0.2.9' is not a STUN or TURN URL" in caplog.text
    assert "secret" not in caplog.text
    assert "\n//" not in caplog.text


async def test_a_defect_with_one_server_concerns_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def ways(self: Gatherer, group: list[Server]) -> list[Way]:
        if group[0].host == "192.0.2.1":
            raise KeyError("what nobody has thought of")
        await asyncio.sleep(0)
        return await known(self, group)

    async def allocate(server: Server, *_: object) -> None:
        """It works."""

    known = Gatherer._ways
    monkeypatch.setattr(Gatherer, "_ways", ways)
    monkeypatch.setattr(turn, "allocate", allocate)
    camera, _ = await gathered(turn_server("192.0.2.1"), turn_server("192.0.2.2"))
    assert [server.host for server in camera.relayed] == ["192.0.2.2"]
    assert "could not be asked" in caplog.text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ((401, "Unauthorized"), "refuses the credentials (401)"),
        ((486, "Allocation Quota Reached"), "has no more allocations for this user (486)"),
        ((508, "Insufficient Capacity"), "refuses with 508"),
    ],
)
async def test_what_a_server_refuses_is_said_in_words_and_counted(
    error: tuple[int, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    async def allocate(*_: object) -> None:
        refusal = stun.Message(stun.Method.ALLOCATE, stun.Class.ERROR)
        refusal.attributes["ERROR-CODE"] = error
        raise stun.TransactionFailed(refusal)

    monkeypatch.setattr(turn, "allocate", allocate)
    for _ in range(3):
        camera, made = await gathered(turn_server("192.0.2.1", "turn:192.0.2.1?transport=tcp"))
        assert not camera.relayed
        assert made.faults == {words: 2}
    assert [record.message for record in caplog.records] == [
        f"ICE server 192.0.2.1:3478 ({transport}) {words}." for transport in ("UDP", "TCP")
    ]


async def test_who_stops_waits_until_all_have_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    async def allocate(server: Server, *_: object) -> None:
        try:
            await asyncio.Future()
        finally:
            for _turn in range(3):  # as TLS does
                await asyncio.sleep(0)
            ended.append(server.host)

    monkeypatch.setattr(turn, "allocate", allocate)
    made = Gatherer(Camera(), [turn_server(f"192.0.2.{number}") for number in range(1, 4)])
    made.start()
    for _ in range(10):
        await asyncio.sleep(0)
    await asyncio.wait_for(made.close(), PATIENCE)
    assert len(ended) == 3
    assert asyncio.all_tasks() == {asyncio.current_task()}
