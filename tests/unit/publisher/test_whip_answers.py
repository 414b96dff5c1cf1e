"""What WHIP servers say in headers and statuses is understood, however it is written."""

import datetime as dt
import email.utils
from http.client import HTTPMessage

import pytest

from publisher.whip.http import Request, Response, origin
from publisher.whip.links import ice_servers
from publisher.whip.refusals import LONGEST_PAUSE, refusal
from rendezvous.wire.messages import IceServer

TURN = IceServer(urls=("turn:t.example:3478?transport=udp",), username="u;,", credential='p"w')


@pytest.mark.parametrize(
    "header",
    [
        r'<turn:t.example:3478?transport=udp>; rel="ice-server"; username="u;,"; credential="p\"w"',
        r'<turn:t.example:3478?transport=udp>;REL=ice-server;credential="p\"w";username="u;,"',
        r"""<https://x>; rel="help", <turn:t.example:3478?transport=udp> ; rel="x ice-server" ;
        username="u;,"; credential="p\"w"; credential-type="password"; flag""",
    ],
)
def test_a_turn_server_is_read_however_it_is_written(header: str) -> None:
    assert ice_servers([header]) == (TURN,)


def test_links_come_in_one_header_or_in_several() -> None:
    one, other = '<stun:a>; rel="ice-server"', '<stun:b>; rel="ice-server"'
    assert ice_servers([f"{one}, {other}"]) == ice_servers([one, other])
    assert [server.urls for server in ice_servers([one, other])] == [("stun:a",), ("stun:b",)]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "stun:a; rel=ice-server",
        "<stun:a>",
        '<stun:a>; rel="help"',
        '<https://a>; rel="ice-server"',
        '<stun:a; rel="ice-server"',
        f'<stun:{"a" * 600}>; rel="ice-server"',
        "<stun:a>" + "; " * 30_000,
        '<stun:a>; x="' + "\\" * 30_000,
    ],
)
def test_what_is_no_ice_server_is_left_out(header: str) -> None:
    assert ice_servers([header]) == ()


def test_the_number_of_servers_is_bounded() -> None:
    assert len(ice_servers(['<stun:a>; rel="ice-server"'] * 99)) == 8


# ── statuses ─────────────────────────────────────────────────────────────────────────────────


def answer(status: int, retry_after: str = "") -> Response:
    headers = HTTPMessage()
    if retry_after:
        headers["Retry-After"] = retry_after
    return Response(status, headers, b"")


@pytest.mark.parametrize("status", [100, 200, 204, 302, *range(400, 430), 500, 503, 599, 999])
def test_every_status_has_a_sentence_that_names_the_server(status: int) -> None:
    error = refusal("https://sfu.example", answer(status))
    assert "https://sfu.example" in error.sentence
    assert error.sentence.endswith(".")
    assert error.code.startswith("whip_")
    assert error.cure or error.mendable


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), (" 0 ", 0.0), ("soon", 0.0), ("", 0.0), ("-5", 0.0), ("9" * 400, LONGEST_PAUSE)],
)
def test_retry_after_is_seconds_or_nothing(text: str, seconds: float) -> None:
    assert refusal("x", answer(503, text)).retry_after == seconds


def test_retry_after_may_be_a_date() -> None:
    date = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(minutes=1)
    before = date - dt.datetime.now(dt.UTC)
    pause = refusal("x", answer(503, email.utils.format_datetime(date))).retry_after
    after = date - dt.datetime.now(dt.UTC)
    assert after.total_seconds() <= pause <= before.total_seconds()


# ── what may be shown ────────────────────────────────────────────────────────────────────────


def test_a_url_is_shown_without_what_may_be_a_key() -> None:
    url = "https://user:pw@sfu.example:8443/k3y/publish?token=s3cret"
    assert origin(url) == "https://sfu.example:8443"
    shown = repr(Request("POST", url, {"Authorization": "Bearer s3cret"}))
    assert "k3y" not in shown
    assert "s3cret" not in shown
