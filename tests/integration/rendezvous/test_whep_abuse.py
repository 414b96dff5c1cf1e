"""WHEP as nobody should use it: each is refused clearly, nobody else notices, nothing leaks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from rendezvous.gateways.whep import gateway
from rendezvous.gateways.whep.rates import Rates
from rendezvous.wire.messages import (
    End,
)
from tests.support import peers
from tests.support.peers import VIEWER_SECRET
from tests.support.server import Running, only, running_server
from tests.support.waiting import until
from tests.support.whep_offers import SDP, offer
from tests.support.whep_requests import (
    ENDPOINT,
    WRONG,
    Camera,
    Reply,
    bearer,
    camera_of,
    delete,
    nothing_is_left,
    patch,
    post,
    refused,
    watch,
)


@pytest.mark.parametrize("chunked", [False, True])
async def test_abuse_a_body_over_the_limit_is_413_however_it_comes(
    running: Running, http: aiohttp.ClientSession, camera: Camera, *, chunked: bool
) -> None:
    body = (offer() + "a=x:" + "y" * 900_000).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 16_384):
            yield body[start : start + 16_384]

    headers = {"Content-Type": SDP, **bearer()}
    try:
        async with http.post(
            ENDPOINT, data=pieces() if chunked else body, headers=headers
        ) as response:
            refused(await Reply.read(response), 413, "message_too_large")
    except aiohttp.ClientConnectionError:  # refused while it was still sending
        assert running.server.counters.totals["whep_message_too_large"] == 1
    assert camera.heard == []


HOSTILE = {
    "NULs": offer().encode() + b"a=\x00\x00\r\n",
    "not UTF-8": offer().encode() + b"a=\xff\xfe\r\n",
    "quotes that double in JSON": (offer() + 'a="' * 8_000).encode()[:32_768],
    "backslashes": offer().encode() + b"a=" + b"\\" * 31_000 + b"\r\n",
    "a thousand sections": (offer() + "m=video 9 X 96\r\na=recvonly\r\n" * 1_000).encode()[:32_700]
    + b"\r\n",
    "one endless line": b"v=0\r\nm=" + b"x" * 32_000,
    "header injection": offer().encode() + b"a=mid:0\r\n\r\nHTTP/1.1 200 OK\r\n",
    "an array": b"[" * 32_768,
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
async def test_abuse_hostile_offers_end_in_a_clear_refusal_or_at_the_camera(
    running: Running, http: aiohttp.ClientSession, camera: Camera, name: str
) -> None:
    """Whoever else watches does not notice."""
    other = await watch(http)
    camera.reply = End(session="A" * 22, reason="offer_refused", message="No.")
    response = await post(http, body=HOSTILE[name])
    assert response.status in {400, 413, 422}
    assert response.content_type == "application/problem+json"
    assert (await patch(http, other)).status == 204
    assert (await delete(http, other)).status == 200
    await until(lambda: nothing_is_left(running))


@pytest.mark.usefixtures("camera")
@pytest.mark.parametrize(
    "head",
    [
        b"POST /whep/%ff HTTP/1.1\r\n",
        b"POST /whep/%00 HTTP/1.1\r\n",
        b"POST /whep/\xff HTTP/1.1\r\n",
        b"POST /whep/" + b"x" * 300 + b" HTTP/1.1\r\n",
        b"POST /whep/ HTTP/1.1\r\n",
        b"POST /whep/../MyRoom HTTP/1.1\r\n",
        b"POST /whep/MyRoom HTTP/1.1\r\nAuthorization: Bearer \xff\xfe\r\n",
        b"POST /whep/MyRoom HTTP/1.1\r\nAuthorization: Bearer " + b"x" * 7000 + b"\r\n",
        b"DELETE /whep/MyRoom/\xff HTTP/1.1\r\n",
    ],
)
async def test_abuse_a_hostile_request_is_refused_by_name(running: Running, head: bytes) -> None:
    """Never with a defect of ours."""
    body = offer().encode()
    length = f"Content-Length: {len(body)}"
    rest = f"Host: x\r\nConnection: close\r\nContent-Type: {SDP}\r\n{length}\r\n\r\n"
    reader, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(head + rest.encode() + body)
    async with asyncio.timeout(peers.DEADLINE):
        status = int((await reader.read()).split()[1])
    writer.close()
    assert 400 <= status < 500
    await until(lambda: nothing_is_left(running))


@pytest.mark.usefixtures("camera")
async def test_abuse_a_compressed_body_is_refused(http: aiohttp.ClientSession) -> None:
    response = await post(http, **{"Content-Encoding": "gzip"})
    assert response.status in {400, 415}


async def test_abuse_a_body_that_trickles_is_gone_in_time(
    running: Running, camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "_BODY_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection(running.host, running.port)
    head = f"POST {ENDPOINT} HTTP/1.1\r\nHost: x\r\nContent-Type: {SDP}\r\nContent-Length: 999\r\n"
    writer.write(f"{head}Authorization: Bearer {VIEWER_SECRET}\r\n\r\nv=0\r\n".encode())

    async def trickle() -> None:
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.05)

    trickling = asyncio.create_task(trickle())
    async with asyncio.timeout(peers.DEADLINE):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    trickling.cancel()
    await asyncio.gather(trickling, return_exceptions=True)
    writer.close()
    assert camera.heard == []
    await until(lambda: nothing_is_left(running))


async def test_abuse_requests_of_an_address_have_a_rate(
    running: Running, http: aiohttp.ClientSession
) -> None:
    running.server.whep._rates = Rates(1 / 3600, burst=60)  # however slow this machine is
    responses = await asyncio.gather(*(post(http, secret=None) for _ in range(90)))
    assert {response.status for response in responses} == {401, 429}
    late = next(response for response in responses if response.status == 429)
    refused(late, 429, "too_many_requests")
    assert int(late.headers["Retry-After"]) > 0


async def test_abuse_thousands_of_half_open_sessions_are_bounded_and_leave_nothing() -> None:
    """With the secret, which is as bad as it gets, and as if the rate limit were not there."""
    async with (
        running_server(limits=only(viewers_per_room=50)) as running,
        camera_of(running) as camera,
        aiohttp.ClientSession(
            f"http://{running.origin}", connector=aiohttp.TCPConnector(limit=40)
        ) as http,
    ):
        running.server.whep._rates = Rates(1e6, burst=1_000_000)
        for secret, statuses in ((VIEWER_SECRET, {201: 50, 503: 1950}), (WRONG, {401: 2000})):
            responses = await asyncio.gather(*(post(http, secret=secret) for _ in range(2000)))
            found = [response.status for response in responses]
            assert {status: found.count(status) for status in set(found)} == statuses
            assert running.server.whep.sessions == 50
            assert len(running.server.core.book.peers) == 51
        await camera.end_all()
        await until(lambda: nothing_is_left(running))


@pytest.mark.usefixtures("camera")
async def test_abuse_a_foreign_session_is_out_of_reach(
    running: Running, http: aiohttp.ClientSession
) -> None:
    session = await watch(http)
    room, token = session.rsplit("/", 1)
    assert len(token) == 43  # 256 bits
    other = "b3RoZXItc2VjcmV0LTAwMQ"
    async with camera_of(running, "Other", secret=other):
        for guess in (f"{room}/{token[:-1]}", f"{room}/A", f"/whep/Other/{token}"):
            for response in (await patch(http, guess), await delete(http, guess)):
                assert response.status == 404
        assert (await delete(http, session, secret=other)).status == 401
    assert (await patch(http, session)).status == 204
