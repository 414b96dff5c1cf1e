"""WHEP as draft-ietf-wish-whep-03 wants it, and RFC 9725 (WHIP) where WHEP copies it.

Tests are named by the section of the draft. Where we deviate, because players in use do, or
because of what our cameras are:

* §4.4.1 wants 428 for a PATCH without If-Match: whip-whep never sends one, and there is only one
  ICE session that it could mean. It passes.
* §4.4.3 keeps ``If-Match: *`` for ICE restarts: MediaMTX's page sends it with every fragment. What
  is a restart is told by its credentials alone.
* §4.8.1 wants the token in every request: MediaMTX's page sends none in PATCH and DELETE. The
  session's URL, 256 random bits, is enough; but a token that is sent must be the right one.
* §4.2.2 lets a server offer (406): ours never does, for its cameras answer. A POST without an
  offer, which older players ask for one with, is malformed. Nothing else gets 406 either:
  Eyevinn's player would ask again without sound.
* §4.5.1 wants rtcp-mux-only in the answer: our cameras say rtcp-mux, and multiplex always.
* §4.4 recommends ICE restarts: our cameras cannot; 422, and the session stays as it is.
* §5 wants HTTPS: whether there is a certificate is the owner's choice.
"""

import asyncio
import ssl
from itertools import product
from pathlib import Path

import aiohttp
import pytest

from rendezvous.wire.messages import (
    Answer,
    Candidate,
    End,
    Session,
    Source,
    SourceState,
)
from tests.support.peers import VIEWER_SECRET, Key, claim, connect
from tests.support.server import Running, only, running_server
from tests.support.waiting import until
from tests.support.whep_offers import FRAGMENT, SDP, TCP, UDP, fragment, offer
from tests.support.whep_requests import (
    ANSWER,
    ENDPOINT,
    ROOM,
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

# ── §4.1 HTTP usage ──────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("camera")
async def test_4_1_get_and_head_succeed_with_no_content(http: aiohttp.ClientSession) -> None:
    for method, url in product(("GET", "HEAD"), (ENDPOINT, "/whep/Unknown", await watch(http))):
        async with http.request(method, url) as response:
            assert response.status == 204
            assert await response.read() == b""


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_4_1_other_methods_are_refused_with_those_allowed(
    http: aiohttp.ClientSession, method: str
) -> None:
    async with http.request(method, ENDPOINT) as response:
        refused(await Reply.read(response), 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


# ── §4.2 playback session set up ─────────────────────────────────────────────────────────────


async def test_4_2_1_an_offer_is_answered_with_201_and_the_session(
    http: aiohttp.ClientSession, camera: Camera
) -> None:
    response = await post(http)
    assert response.status == 201
    assert response.content_type == SDP
    assert response.body.decode() == ANSWER
    assert response.headers["Location"].startswith(f"{ENDPOINT}/")
    assert response.headers["Accept-Patch"] == FRAGMENT
    assert response.headers["Cache-Control"] == "no-store"
    (session,) = camera.of(Session)
    assert session.sdp == offer().replace("actpass", "active")


async def test_4_2_2_the_server_never_offers(http: aiohttp.ClientSession, camera: Camera) -> None:
    async with http.post(ENDPOINT, headers={"Content-Type": SDP, **bearer()}) as response:
        refused(await Reply.read(response), 400, "malformed")
    assert camera.heard == []


@pytest.mark.usefixtures("camera")
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", FRAGMENT])
async def test_4_2_4_another_content_type_is_refused(
    http: aiohttp.ClientSession, content_type: str
) -> None:
    response = await post(http, **{"Content-Type": content_type})
    refused(response, 415, "media_type_unsupported")
    assert response.headers["Accept-Post"] == SDP


@pytest.mark.usefixtures("camera")
async def test_4_2_4_parameters_of_the_content_type_do_no_harm(
    http: aiohttp.ClientSession,
) -> None:
    response = await post(http, **{"Content-Type": f"{SDP.upper()}; charset=utf-8"})
    assert response.status == 201


@pytest.mark.parametrize("body", ["hello", "v=0\r\n", "{}", "v=0\r\nm=video\x00"])
async def test_4_2_4_a_malformed_offer_is_refused(
    http: aiohttp.ClientSession, camera: Camera, body: str
) -> None:
    refused(await post(http, body=body), 400, "malformed")
    assert camera.heard == []


@pytest.mark.usefixtures("camera")
@pytest.mark.parametrize(
    ("direction", "status"), [("recvonly", 201), ("sendrecv", 201), ("sendonly", 422)]
)
async def test_4_2_5_an_offer_asks_to_receive(
    http: aiohttp.ClientSession, direction: str, status: int
) -> None:
    assert (await post(http, body=offer(direction))).status == status


async def test_4_2_8_without_a_camera_it_is_409_with_retry_after(
    running: Running, http: aiohttp.ClientSession
) -> None:
    async with camera_of(running):
        pass
    await until(lambda: not running.server.core.book.peers)
    response = await post(http)
    refused(response, 409, "camera_away")
    assert int(response.headers["Retry-After"]) > 0
    assert nothing_is_left(running, connections=0)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (Source(state=SourceState.STARTING), "source_starting"),
        (Source(state=SourceState.LOST, code="source_unreachable"), "source_unreachable"),
        (Source(state=SourceState.UNPLAYABLE, code="b_frames", message="B!"), "b_frames"),
    ],
)
async def test_4_2_8_without_a_picture_it_is_409_with_what_is_wrong(
    running: Running, http: aiohttp.ClientSession, source: Source, code: str
) -> None:
    async with camera_of(running, source=source) as camera:
        response = await post(http)
        refused(response, 409, code)
        assert int(response.headers["Retry-After"]) > 0
        assert camera.heard == []
        await camera.peer.send(Source(state=SourceState.LIVE))
        await until(lambda: _watchable(http))


async def _watchable(http: aiohttp.ClientSession) -> bool:
    return (await post(http)).status == 201


async def test_4_2_8_a_session_whose_player_vanished_is_freed(
    running: Running, http: aiohttp.ClientSession, camera: Camera
) -> None:
    """The camera notices, on the media path; whatever ends the session there ends it here."""
    session = await watch(http)
    await camera.end_all("media_lost")
    await until(lambda: nothing_is_left(running))
    refused(await patch(http, session), 404, "session_unknown")


# ── §4.3 termination ─────────────────────────────────────────────────────────────────────────


async def test_4_3_delete_ends_the_session_and_the_camera_hears_of_it(
    running: Running, http: aiohttp.ClientSession, camera: Camera
) -> None:
    session = await watch(http)
    assert (await delete(http, session)).status == 200
    await until(lambda: camera.of(End))
    assert camera.of(End)[0].reason == "left"
    assert nothing_is_left(running)
    refused(await patch(http, session), 404, "session_unknown")
    assert (await delete(http, session)).status == 404


@pytest.mark.parametrize("url", [ENDPOINT, "/whep/Unknown", f"{ENDPOINT}/session"])
async def test_4_3_options_lets_pages_of_other_sites_in(
    http: aiohttp.ClientSession, url: str
) -> None:
    headers = {
        "Origin": "https://player.example.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,if-match",
    }
    async with http.options(url, headers=headers) as response:
        assert response.status == 200
        assert response.headers["Accept-Post"] == SDP
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers
        methods = response.headers["Access-Control-Allow-Methods"].split(", ")
        assert {"PATCH", "DELETE"} <= set(methods) if url.endswith("session") else "POST" in methods
        allowed = response.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert {"authorization", "content-type", "if-match"} <= set(allowed)
        assert "Link" not in response.headers


@pytest.mark.usefixtures("camera")
async def test_4_3_pages_may_read_what_they_need_and_every_refusal(
    http: aiohttp.ClientSession,
) -> None:
    for response in (await post(http), await post(http, secret=WRONG), await post(http, body="x")):
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"Location", "ETag", "Link", "Retry-After"} <= set(exposed)


# ── §4.4.1 PATCH ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("camera")
async def test_4_4_1_another_content_type_is_refused(http: aiohttp.ClientSession) -> None:
    response = await patch(http, await watch(http), offer(), **{"Content-Type": SDP})
    refused(response, 415, "media_type_unsupported")
    assert response.headers["Accept-Patch"] == FRAGMENT


@pytest.mark.usefixtures("camera")
@pytest.mark.parametrize("body", ["hello", f"a={UDP}\r\n", "m=video 9 X 0\r\n"])
async def test_4_4_1_a_malformed_fragment_is_refused(
    http: aiohttp.ClientSession, body: str
) -> None:
    refused(await patch(http, await watch(http), body), 400, "malformed")


@pytest.mark.usefixtures("camera")
async def test_4_4_1_each_session_has_a_strong_entity_tag_of_its_own(
    http: aiohttp.ClientSession,
) -> None:
    tags = {(await post(http)).headers["ETag"] for _ in range(3)}
    assert len(tags) == 3
    assert all(tag[0] == tag[-1] == '"' for tag in tags)


@pytest.mark.usefixtures("camera")
async def test_4_4_1_an_outdated_entity_tag_is_412(http: aiohttp.ClientSession) -> None:
    response = await post(http)
    session, tag = response.headers["Location"], response.headers["ETag"]
    for if_match in ('"xyzzy"', f"W/{tag}"):
        answer = await patch(http, session, **{"If-Match": if_match})
        refused(answer, 412, "etag_unknown")
    for if_match in (tag, f'"xyzzy", {tag}', "*"):
        assert (await patch(http, session, **{"If-Match": if_match})).status == 204


@pytest.mark.usefixtures("camera")
async def test_4_4_1_delete_ignores_entity_tags(http: aiohttp.ClientSession) -> None:
    session = await watch(http)
    assert (await delete(http, session, **{"If-Match": '"xyzzy"'})).status == 200


# ── §4.4.2 trickle ICE ───────────────────────────────────────────────────────────────────────


async def test_4_4_2_candidates_reach_the_camera_and_the_answer_is_204_and_nothing_more(
    http: aiohttp.ClientSession, camera: Camera
) -> None:
    response = await patch(http, await watch(http), fragment(UDP, complete=True))
    assert (response.status, response.body) == (204, b"")
    assert "ETag" not in response.headers
    await until(lambda: len(camera.of(Candidate)) == 2)
    first, end = camera.of(Candidate)
    assert (first.candidate.candidate, first.candidate.sdp_mid) == (UDP, "0")
    assert end.candidate is None


async def test_4_4_2_the_camera_is_told_to_put_all_its_candidates_into_the_answer(
    http: aiohttp.ClientSession, camera: Camera
) -> None:
    await watch(http)
    (session,) = camera.of(Session)
    assert session.trickle is False


async def test_4_4_2_candidates_of_another_transport_are_left_out_in_silence(
    http: aiohttp.ClientSession, camera: Camera
) -> None:
    session = await watch(http)
    assert (await patch(http, session, fragment(TCP, complete=True))).status == 204
    assert (await patch(http, session, fragment(TCP, UDP))).status == 204
    await until(lambda: len(camera.of(Candidate)) == 2)
    texts = [c.candidate and c.candidate.candidate for c in camera.of(Candidate)]
    assert texts == [None, UDP]


async def test_4_4_2_overlapping_requests_all_succeed(
    http: aiohttp.ClientSession, camera: Camera
) -> None:
    session = await watch(http)
    responses = await asyncio.gather(*(patch(http, session) for _ in range(20)))
    assert {response.status for response in responses} == {204}
    await until(lambda: len(camera.of(Candidate)) == 20)


@pytest.mark.usefixtures("camera")
async def test_4_4_2_more_candidates_than_a_session_may_have_are_refused(
    http: aiohttp.ClientSession,
) -> None:
    session = await watch(http)
    assert (await patch(http, session, fragment(*[UDP] * 60))).status == 204
    response = await patch(http, session, fragment(*[UDP] * 60))
    refused(response, 422, "too_many_candidates")
    assert (await delete(http, session)).status == 200


# ── §4.4.3 ICE restarts ──────────────────────────────────────────────────────────────────────


async def test_4_4_3_a_restart_is_422_and_the_session_goes_on(
    http: aiohttp.ClientSession, camera: Camera
) -> None:
    session = await watch(http)
    response = await patch(http, session, fragment(UDP, ufrag="ysXw"), **{"If-Match": "*"})
    refused(response, 422, "ice_restart_unsupported")
    assert (await patch(http, session)).status == 204
    assert camera.of(End) == []


# ── §4.6 load, §4.7 ICE servers ──────────────────────────────────────────────────────────────


async def test_4_6_a_full_room_is_503_with_retry_after() -> None:
    async with (
        running_server(viewers_per_room=1) as running,
        camera_of(running),
        aiohttp.ClientSession(f"http://{running.origin}") as http,
    ):
        session = await watch(http)
        response = await post(http)
        refused(response, 503, "room_full")
        assert int(response.headers["Retry-After"]) > 0
        await delete(http, session)
        assert (await post(http)).status == 201


@pytest.mark.usefixtures("camera")
async def test_4_6_a_server_that_is_about_to_stop_is_503(
    running: Running, http: aiohttp.ClientSession
) -> None:
    session = await watch(http)
    await running.server.drain()
    refused(await post(http), 503, "shutting_down")
    assert (await patch(http, session)).status == 204


async def test_4_6_a_port_that_wants_tls_redirects_with_307_and_answers_under_tls(
    certificate: Path, client_tls: ssl.SSLContext
) -> None:
    async with (
        running_server(tls_cert=certificate, allow_clear=False) as running,
        connect(running.host, running.port, tls=client_tls) as peer,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_tls)) as http,
    ):
        await claim(peer, Key(), ROOM)
        camera = asyncio.create_task(Camera(peer).run())
        clear, secure = f"http://{running.origin}", f"https://{running.origin}"
        headers = {"Content-Type": SDP}
        async with http.post(
            f"{clear}{ENDPOINT}", data=offer(), headers=headers, allow_redirects=False
        ) as response:
            assert response.status == 307
            assert response.headers["Location"] == f"{secure}{ENDPOINT}"
        assert (await post(http, f"{secure}{ENDPOINT}")).status == 201
        camera.cancel()
        await asyncio.wait((camera,))


@pytest.mark.usefixtures("camera")
async def test_4_7_the_ice_servers_are_links_of_the_201(http: aiohttp.ClientSession) -> None:
    stun, turn = (await post(http)).headers.getall("Link")
    assert stun == '<stun:s.example:1>; rel="ice-server"'
    assert turn.startswith('<turn:t.example:2>; rel="ice-server"; username="')
    assert turn.endswith('"; credential-type="password"')
    assert '; credential="' in turn


@pytest.mark.usefixtures("camera")
async def test_4_7_options_with_the_token_has_them_before_there_is_an_offer(
    running: Running, http: aiohttp.ClientSession
) -> None:
    """RFC 9725 §4.6; a preflight carries no token and gets none."""
    async with http.options(ENDPOINT, headers=bearer()) as response:
        assert response.status == 200
        assert len(response.headers.getall("Link")) == 2
    async with http.options(ENDPOINT, headers=bearer(WRONG)) as response:
        refused(await Reply.read(response), 401, "room_unknown")
        assert "Link" not in response.headers
    assert nothing_is_left(running)


# ── §4.8 authentication ──────────────────────────────────────────────────────────────────────


async def test_4_8_without_or_with_a_wrong_token_known_and_unknown_rooms_are_alike(
    running: Running, http: aiohttp.ClientSession, camera: Camera
) -> None:
    async with camera_of(running, "Away"):
        pass
    for secret, challenge in (
        (None, 'Bearer realm="porthole"'),
        (WRONG, 'Bearer realm="porthole", error="invalid_token"'),
    ):
        answers = set()
        for room in (ROOM, "Away", "Never"):
            response = await post(http, f"/whep/{room}", secret=secret)
            refused(response, 401, "room_unknown")
            assert response.headers["WWW-Authenticate"] == challenge
            fields = tuple((k, v) for k, v in response.headers.items() if k != "Date")
            answers.add((fields, response.body))
        assert len(answers) == 1
    assert camera.heard == []


@pytest.mark.usefixtures("camera")
async def test_4_8_another_credential_is_refused_and_never_ignored(
    running: Running, http: aiohttp.ClientSession
) -> None:
    async with camera_of(running, "Public", secret=None):
        for room in (ROOM, "Public"):
            fields = {"Authorization": "Basic dXNlcjpwYXNz"}
            response = await post(http, f"/whep/{room}", secret=None, **fields)
            refused(response, 401, "room_unknown")


async def test_4_8_a_public_room_needs_no_token_but_pages_of_other_sites_need_leave() -> None:
    """Public is who can reach the server; not every page that such a person looks at."""
    friend, foe = "https://friend.example.org", "https://foe.example.org"
    async with (
        running_server(allow_origin=(friend,)) as running,
        camera_of(running, secret=None),
        aiohttp.ClientSession(f"http://{running.origin}") as http,
    ):
        for origin in (friend, f"http://{running.origin}"):
            assert (await post(http, secret=None, Origin=origin)).status == 201
        assert (await post(http, secret=None)).status == 201
        for room in (ROOM, "Never"):
            response = await post(http, f"/whep/{room}", secret=None, Origin=foe)
            refused(response, 403, "origin_refused")


@pytest.mark.usefixtures("camera")
async def test_4_8_with_the_token_a_page_may_be_of_any_site(http: aiohttp.ClientSession) -> None:
    assert (await post(http, Origin="https://anywhere.example.org")).status == 201


@pytest.mark.usefixtures("camera")
@pytest.mark.parametrize("secret", [VIEWER_SECRET, None])
async def test_4_8_1_a_session_wants_its_token_or_none(
    http: aiohttp.ClientSession, secret: str | None
) -> None:
    session = await watch(http)
    refused(await patch(http, session, secret=WRONG), 401, "room_unknown")
    assert (await delete(http, session, secret=WRONG)).status == 401
    assert (await patch(http, session, secret=secret)).status == 204
    assert (await delete(http, session, secret=secret)).status == 200


async def test_a_room_that_cannot_be_is_404(http: aiohttp.ClientSession) -> None:
    refused(await post(http, "/whep/no%20room!"), 404, "room_malformed")


# ── what becomes of a session ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (None, 504, "answer_timeout"),
        (End(session="A" * 22, reason="offer_refused", message="No H.264."), 422, "offer_refused"),
        (End(session="A" * 22, reason="camera_full"), 503, "camera_full"),
        (End(session="A" * 22, reason="a_reason_of_tomorrow"), 503, "a_reason_of_tomorrow"),
    ],
)
async def test_what_the_camera_says_instead_of_an_answer_is_said_to_the_player(
    reply: End | None, status: int, code: str
) -> None:
    async with (
        running_server(limits=only(answer=600.0)) as running,
        camera_of(running) as camera,
        aiohttp.ClientSession(f"http://{running.origin}") as http,
    ):
        camera.reply = reply
        posting = asyncio.create_task(post(http))
        await until(lambda: camera.of(Session))
        if reply is None:
            running.wind(600.0)
        response = await posting
        problem = refused(response, status, code)
        assert problem["detail"] == (
            reply.message if reply and reply.message else problem["detail"]
        )
        assert ("Retry-After" in response.headers) == (status != 422)
        await until(lambda: nothing_is_left(running))


async def test_a_camera_that_goes_instead_of_answering_is_409(
    running: Running, http: aiohttp.ClientSession
) -> None:
    async with camera_of(running) as camera:
        camera.reply = None
        posting = asyncio.create_task(post(http))
        await until(lambda: camera.of(Session))
    refused(await posting, 409, "camera_away")
    await until(lambda: nothing_is_left(running, connections=0))


async def test_a_session_answers_pings_and_outlives_every_silence() -> None:
    async with (
        running_server(limits=only(ping=300.0, idle=1000.0)) as running,
        camera_of(running),
        aiohttp.ClientSession(f"http://{running.origin}") as http,
    ):
        session = await watch(http)
        for _ in range(10):
            running.wind(300.0)
            await _all_are_heard(running, since=running.now)
        assert (await patch(http, session)).status == 204


async def _all_are_heard(running: Running, *, since: float) -> None:
    peers = running.server.core.book.peers
    await until(lambda: len(peers) == 2 and min(p.heard_at for p in peers.values()) >= since)


async def test_a_camera_that_never_comes_back_frees_the_session() -> None:
    async with (
        running_server(limits=only(kept=600.0)) as running,
        aiohttp.ClientSession(f"http://{running.origin}") as http,
    ):
        async with camera_of(running):
            session = await watch(http)
        await until(lambda: len(running.server.core.book.peers) == 1)
        assert running.server.whep.sessions == 1  # the picture may well go on
        running.wind(600.0)
        await until(lambda: nothing_is_left(running, connections=0))
        assert (await delete(http, session)).status == 404


async def test_a_player_that_hangs_up_before_the_answer_leaves_nothing(
    running: Running, camera: Camera
) -> None:
    camera.reply = None
    async with aiohttp.ClientSession(f"http://{running.origin}") as http:
        posting = asyncio.create_task(post(http))
        await until(lambda: camera.of(Session))
        posting.cancel()
    (session,) = camera.of(Session)
    await until(lambda: running.server.gate.strangers == 0)  # the server has seen it hang up
    await camera.peer.send(Answer(session=session.session, sdp=ANSWER))
    await until(lambda: camera.of(End))
    assert nothing_is_left(running)


@pytest.mark.usefixtures("camera")
async def test_a_server_that_stops_takes_its_sessions_along(http: aiohttp.ClientSession) -> None:
    """The fixtures stop it with sessions open, and warnings are errors."""
    for _ in range(3):
        await watch(http)
