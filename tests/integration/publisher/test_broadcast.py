"""WHIP out against a scripted server: every answer that RFC 9725 knows, and those it does not."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from http.client import HTTPMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiortc.codecs
import pytest

from publisher.errors import WhipError
from publisher.identity import Keyring
from publisher.legs.rtp import RtpLeg
from publisher.media.fanout import FanOut
from publisher.media.format import Format
from publisher.rtc import peer, private
from publisher.rtc.ice import checks
from publisher.signalling.claiming import Room, claim
from publisher.signalling.connection import ServerAddress, connect
from publisher.sources.address import Address
from publisher.sources.catalog import source_for
from publisher.supervisor import broadcast as module
from publisher.supervisor.backoff import Backoff
from publisher.supervisor.broadcast import Broadcast
from publisher.supervisor.camera import Camera
from publisher.supervisor.room import Place
from publisher.whip import http
from publisher.whip.endpoint import Endpoint
from rendezvous.wire.messages import IcePolicy, IceServer, Source, SourceState
from tests.support.probe import ahead
from tests.support.scripted_whip import (
    TOKEN,
    Reply,
    WhipServer,
    accept,
    silence,
    status,
    whip_server,
)
from tests.support.server import running_server
from tests.support.waiting import PATIENCE, until

BASELINE = Format("42e01f", "opus", ())
MAIN = Format("4d401f", "opus", ())


def endpoint(url: str, token: str = TOKEN) -> Endpoint:
    return Endpoint(url, token, ssl.create_default_context())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF", (0.02, 0.05))
    monkeypatch.setattr(module, "HOPELESS_BACKOFF", (0.05, 0.1))


@asynccontextmanager
async def started(what: Broadcast | Camera) -> AsyncIterator[None]:
    task = asyncio.create_task(what.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def broadcasting(*script: Reply) -> AsyncIterator[tuple[WhipServer, Broadcast]]:
    """A camera that has a format but sends nothing: enough to negotiate and connect."""
    async with whip_server(*script) as server:
        running = Broadcast(endpoint(server.url), FanOut())
        running.use(BASELINE)
        async with started(running):
            yield server, running


def a_camera(place: Place | None, sfu: Endpoint) -> Camera:
    source = source_for(Address.parse("test:?size=640x360"), rtsp_transport="tcp")
    return Camera(source, place, sfu, most_viewers=1, keep_alive=True, on_claimed=lambda _: None)


# ── the stream ───────────────────────────────────────────────────────────────────────────────


async def test_picture_and_sound_reach_an_sfu() -> None:
    async with whip_server() as server, started(a_camera(None, endpoint(server.url))):
        sfu = await server.session()
        await until(lambda: len(sfu.codes) >= 30 and sfu.blocks >= 30)
    assert ahead(sfu.codes)


async def test_the_offer_is_as_the_rfc_wants_it() -> None:
    async with broadcasting() as (server, _):
        await server.session()
    (offer,) = server.offers
    assert offer.count("a=sendonly") == 2  # §4.2.1: sendonly
    assert "a=group:BUNDLE 0 1" in offer  # §4.2.3: bundled
    assert offer.count("a=rtcp-mux") == 2
    assert "a=setup:actpass" in offer
    streams = {line.split()[0] for line in offer.splitlines() if line.startswith("a=msid:")}
    assert len(streams) == 1  # §4.2.4: a single MediaStream
    assert "a=end-of-candidates" in offer


async def test_every_request_carries_the_token_and_the_post_its_type() -> None:
    async with broadcasting() as (server, _):
        await server.session()
    assert {r.method for r in server.requests} == {"OPTIONS", "POST", "DELETE"}
    assert {r.headers["Authorization"] for r in server.requests} == {f"Bearer {TOKEN}"}
    (post,) = (r for r in server.requests if r.method == "POST")
    assert post.headers["Content-Type"] == "application/sdp"


async def test_a_stop_deletes_the_session() -> None:
    async with broadcasting() as (server, _):
        await server.session()
        assert server.methods() == ["POST"]
    assert server.methods() == ["POST", "DELETE"]
    assert server.requests[-1].path == "/session/0"


@pytest.fixture
def all_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the program lets aiortc negotiate, for one test."""
    monkeypatch.setitem(aiortc.codecs.CODECS, "video", [*aiortc.codecs.CODECS["video"]])
    private._add_profiles(private.CAMERA_PROFILES)


@pytest.mark.usefixtures("all_profiles")
async def test_a_new_format_is_a_new_session() -> None:
    async with broadcasting() as (server, running):
        await server.session(0)
        running.use(MAIN)
        await server.session(1)
        assert server.methods() == ["POST", "DELETE", "POST"]
    assert "4d001f" not in server.offers[0]
    # An SFU's whole audience hears of the profile that comes first.
    assert 0 < server.offers[1].index("42e01f") < server.offers[1].index("4d001f")


async def test_a_server_that_takes_no_sound_gets_the_picture() -> None:
    def reject(answer: str) -> str:
        head, _, rest = answer.partition("m=audio ")
        return f"{head}m=audio 0 {rest.partition(' ')[2]}"

    async with broadcasting(accept(reject)) as (server, _):
        await server.session(1)
    assert "m=audio" in server.offers[0]
    assert "m=audio" not in server.offers[1]
    assert server.methods() == ["POST", "DELETE", "POST", "DELETE"]


async def test_ice_servers_are_those_that_options_names() -> None:
    link = '<turn:127.0.0.1:9?transport=tcp>; rel="ice-server"; username="u"; credential="c"'
    async with whip_server() as server:
        server.links = [f"<https://x>; rel=help, {link}", '<stun:127.0.0.1:9>; rel="ice-server"']
        servers = await endpoint(server.url).ice_servers()
    assert [s.urls for s in servers] == [("turn:127.0.0.1:9?transport=tcp",), ("stun:127.0.0.1:9",)]
    assert (servers[0].username, servers[0].credential) == ("u", "c")


async def test_a_room_that_is_refused_does_not_end_the_stream_to_the_sfu(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    owner, thief = (Keyring(tmp_path / name).camera_key() for name in ("owner", "thief"))
    room = Room("MyRoom", "", None)
    async with running_server() as rendezvous, whip_server() as server:
        address = ServerAddress(rendezvous.host, rendezvous.port)
        connection = await connect(address, None)
        try:
            await claim(connection, address, owner, room, Source(state=SourceState.LIVE))
            camera = a_camera(Place((address,), None, thief, room), endpoint(server.url))
            async with started(camera):
                await until(lambda: "[room_unavailable]" in caplog.text)
                sfu = await server.session()
                await until(lambda: sfu.codes)
        finally:
            await connection.close()


async def test_ice_servers_of_a_201_serve_the_next_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[tuple[str, ...]] = []

    class Leg(RtpLeg):
        def __init__(
            self,
            fan_out: FanOut,
            media: Format,
            servers: Iterable[IceServer],
            *rest: Any,
            **named: Any,
        ) -> None:
            given.append(tuple(url for server in servers for url in server.urls))
            super().__init__(fan_out, media, (), *rest, **named)

    monkeypatch.setattr(module, "RtpLeg", Leg)
    reply = accept(Link='<stun:127.0.0.1:9>; rel="ice-server"')
    async with broadcasting(reply) as (server, _):
        await (await server.session(0)).close()
        await server.session(1)
    assert given == [(), ("stun:127.0.0.1:9",)]


async def test_a_server_that_drops_every_stream_is_not_stormed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forgotten: list[bool] = []
    monkeypatch.setattr(Backoff, "reset", lambda _: forgotten.append(True))
    async with broadcasting() as (server, _):
        for number in range(3):
            await (await server.session(number)).close()
        await server.session(3)
        assert not forgotten
        monkeypatch.setattr(module, "SETTLED_SECONDS", 0.0)
        await (await server.session(3)).close()
        await until(lambda: forgotten)


# ── answers that are none ────────────────────────────────────────────────────────────────────


async def test_redirections_are_followed_with_the_token() -> None:
    script = (status(307, Location="/second"), status(308, Location="third?a=b"))
    async with broadcasting(*script) as (server, _):
        await server.session()
    posts = [r for r in server.requests if r.method == "POST"]
    assert [r.path_qs for r in posts[1:]] == ["/second", "/third?a=b"]
    assert {r.headers["Authorization"] for r in posts} == {f"Bearer {TOKEN}"}
    assert len(set(server.offers)) == 1


async def test_redirections_in_a_circle_end() -> None:
    async with whip_server(*[status(307, Location="/whip")] * 9) as server:
        with pytest.raises(WhipError) as caught:
            await endpoint(server.url).publish("v=0")
    assert caught.value.code == "whip_redirections"
    assert len(server.requests) == 6


@pytest.mark.parametrize("location", ["", "ftp://127.0.0.1/", "http://["])
async def test_a_redirection_to_nowhere_is_refused(location: str) -> None:
    async with whip_server(status(307, Location=location)) as server:
        with pytest.raises(WhipError) as caught:
            await endpoint(server.url).publish("v=0")
    assert caught.value.code == "whip_redirected_nowhere"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (400, "whip_offer_malformed"),
        (401, "whip_unauthorized"),
        (403, "whip_forbidden"),
        (404, "whip_not_found"),
        (405, "whip_no_endpoint"),
        (406, "whip_offer_refused"),
        (418, "whip_refused"),
        (422, "whip_offer_refused"),
        (200, "whip_refused"),
        (301, "whip_refused"),
    ],
)
async def test_what_time_cannot_mend_is_said_once_and_tried_again(
    number: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with broadcasting(status(number), status(number)) as (server, _):
        await server.session()
    said = [r.getMessage() for r in caplog.records if f"[{code}]" in r.getMessage()]
    assert len(said) == 1
    assert said[0].endswith("Trying again.")


@pytest.mark.parametrize("number", [409, 429, 500, 502, 503])
async def test_what_passes_is_mendable(number: int) -> None:
    async with whip_server(status(number)) as server:
        with pytest.raises(WhipError) as caught:
            await endpoint(server.url).publish("v=0")
    assert caught.value.mendable


async def test_a_busy_server_says_when_to_return() -> None:
    async with broadcasting(status(503, Retry_After="1")) as (server, _):
        await server.session()
    refused, accepted = (
        at for at, r in zip(server.times, server.requests, strict=True) if r.method == "POST"
    )
    assert accepted - refused >= 1.0


@pytest.mark.parametrize(
    "spoilt", [lambda _: "", lambda _: "<html>", lambda _: "v=0\r\nnonsense", lambda s: s[:300]]
)
async def test_a_malformed_answer_is_deleted_and_tried_again(
    spoilt: Callable[[str], str],
) -> None:
    async with broadcasting(accept(spoilt)) as (server, _):
        await server.session(1)
        assert server.methods() == ["POST", "DELETE", "POST"]


async def test_an_answer_without_h264_is_refused_with_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with broadcasting(accept(lambda s: s.replace("H264", "XH264"))) as (server, _):
        await server.session(1)
    assert "does not take H.264" in caplog.text


@pytest.mark.parametrize("location", ["", "gopher://127.0.0.1/1"])
async def test_a_session_without_a_name_still_carries_the_stream(location: str) -> None:
    async with broadcasting(accept(Location=location)) as (server, _):
        await server.session()
    assert server.methods() == ["POST"]


# ── servers that go away ─────────────────────────────────────────────────────────────────────


async def test_a_session_that_the_server_ends_is_followed_by_another() -> None:
    async with broadcasting() as (server, _):
        await (await server.session(0)).close()
        await server.session(1)


async def test_a_server_that_vanishes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_CONSENT_SECONDS", 0.3)
    monkeypatch.setattr(module, "SILENCE_SECONDS", 2.0)
    async with broadcasting() as (server, _):
        (await server.session(0)).vanish()
        await until(lambda: len(server.sessions) > 1)
        await server.session(1)


async def test_a_server_that_is_quiet_but_answers_checks_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock that goes on with each check: three times as far as silence may last."""
    looks: list[RtpLeg] = []
    monkeypatch.setattr(checks, "_CONSENT_SECONDS", 0.05)
    monkeypatch.setattr(module, "SILENCE_SECONDS", 10)
    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(module, "_cut_off", looks.append)
    async with broadcasting() as (server, _):
        clock = SimpleNamespace(monotonic=lambda: sum(sfu.checks for sfu in server.sessions))
        monkeypatch.setattr(peer, "time", clock)
        sfu = await server.session(0)
        sfu.become_lite()
        await until(lambda: sfu.checks >= 30)
        before = len(looks)
        await until(lambda: len(looks) > before or len(server.sessions) > 1)
        assert server.methods() == ["POST"]


async def test_a_server_that_is_not_there_is_an_error() -> None:
    async with whip_server() as server:
        gone = endpoint(server.url)
    with pytest.raises(WhipError) as caught:
        await gone.publish("v=0")
    assert caught.value.code == "whip_unreachable"


async def test_a_certificate_is_checked(certificate: Path, client_tls: ssl.SSLContext) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with whip_server(tls=tls) as server:
        assert await Endpoint(server.url, TOKEN, client_tls).ice_servers() == ()
        with pytest.raises(WhipError) as caught:
            await endpoint(server.url).publish("v=0")
    assert caught.value.code == "whip_untrusted"
    assert len(server.requests) == 1


async def test_what_does_not_speak_http_is_an_error() -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ESMTP\r\n")
        await writer.drain()
        writer.close()

    foreign = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with foreign:
        port = foreign.sockets[0].getsockname()[1]
        with pytest.raises(WhipError) as caught:
            await endpoint(f"http://127.0.0.1:{port}/").publish("v=0")
    assert caught.value.code in ("whip_foreign", "whip_unreachable")


async def test_an_answer_without_end_is_given_up() -> None:
    async with whip_server(accept(lambda s: s + "a=x\r\n" * 50_000)) as server:
        with pytest.raises(WhipError) as caught:
            await endpoint(server.url).publish(await an_offer())
    assert caught.value.code == "whip_foreign"


async def an_offer() -> str:
    leg = RtpLeg(FanOut(), BASELINE, (), IcePolicy.ALL, lambda _: None)
    try:
        return await leg.offer()
    finally:
        await leg.close()


async def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "EXCHANGE_SECONDS", 0.2)
    async with whip_server(silence()) as server:
        with pytest.raises(WhipError) as caught:
            await endpoint(server.url).publish("v=0")
        assert caught.value.code == "whip_silent"


async def test_a_stop_does_not_wait_for_a_server_that_never_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "EXCHANGE_SECONDS", 3600.0)
    async with asyncio.timeout(PATIENCE):
        async with broadcasting(silence()) as (server, _):
            await until(lambda: server.methods() == ["POST"])


# ── secrets ──────────────────────────────────────────────────────────────────────────────────


async def test_neither_token_nor_key_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="publisher")
    async with broadcasting(status(401), status(503), accept(lambda _: "")) as (server, _):
        await server.session(1)
    assert caplog.text
    assert TOKEN not in caplog.text
    assert "k3y" not in caplog.text


async def test_what_was_chosen_to_be_secret_is_never_sent_in_clear() -> None:
    async with whip_server() as server:
        secure = endpoint("https://sfu.example.org/whip")
        assert secure._weaker(server.url)
        with pytest.raises(WhipError):
            secure._redirected(
                "https://sfu.example.org/whip",
                http.Response(307, _location(server.url), b""),
            )


def _location(url: str) -> HTTPMessage:
    message = HTTPMessage()
    message["Location"] = url
    return message
