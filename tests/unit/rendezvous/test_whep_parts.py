"""What the WHEP gateway reads and writes, without a server: offers, fragments, header fields."""

import contextlib
import json
from http import HTTPStatus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rendezvous.gateways.whep import headers, problems, sdp
from rendezvous.gateways.whep.problems import ProblemError
from rendezvous.gateways.whep.rates import Rates
from rendezvous.wire.messages import (
    End,
    EndReason,
    Error,
    ErrorCode,
    IceServer,
    Source,
)
from tests.support.whep_offers import TCP, UDP, UFRAG, fragment, offer

# ── offers ───────────────────────────────────────────────────────────────────────────────────


def test_an_offer_is_remembered_with_its_credentials() -> None:
    read = sdp.read_offer(offer().encode())
    assert read.text == offer()
    assert read.ufrags == {UFRAG}


@pytest.mark.parametrize("ends", ["\r\n", "\n"])
def test_lines_may_end_as_rfc_8866_asks_and_as_programs_do(ends: str) -> None:
    assert sdp.read_offer(offer().replace("\r\n", ends).encode()).ufrags == {UFRAG}


@pytest.mark.parametrize("direction", ["recvonly", "sendrecv"])
def test_an_offer_may_ask_to_receive_in_two_ways(direction: str) -> None:
    sdp.read_offer(offer(direction).encode())


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_an_offer_that_receives_nothing_is_told_apart(direction: str) -> None:
    with pytest.raises(sdp.DirectionError):
        sdp.read_offer(offer(direction).encode())


def test_a_direction_of_the_whole_session_counts_for_sections_without_one() -> None:
    text = offer().replace("a=recvonly\r\n", "").replace("t=0 0\r\n", "t=0 0\r\na=inactive\r\n")
    with pytest.raises(sdp.DirectionError):
        sdp.read_offer(text.encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   \r\n",
        b"hello",
        b"v=1\r\nm=video 9 X 96\r\n",
        b"v=0\r\n",
        offer().encode() + b"\xff",
        offer().encode() + b"a=\x00\r\n",
        offer().encode() + b"not a line\r\n",
        offer().encode("utf-16"),
    ],
)
def test_what_is_no_offer_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(sdp.SdpError, match=r"\w+ \w+.*\."):
        sdp.read_offer(body)


def test_the_player_becomes_the_dtls_client_unless_it_has_chosen() -> None:
    read = sdp.read_offer(offer().encode())
    assert sdp.for_camera(read) == offer().replace("a=setup:actpass", "a=setup:active")
    chosen = offer().replace("actpass", "passive")
    assert sdp.for_camera(sdp.read_offer(chosen.encode())) == chosen


# ── fragments (RFC 8840) ─────────────────────────────────────────────────────────────────────


def test_a_fragment_gives_candidates_with_their_section_and_the_end() -> None:
    read = sdp.read_fragment(fragment(UDP, complete=True).encode())
    assert read.ufrags == {UFRAG}
    first, end = read.candidates
    assert first is not None
    assert (first.candidate, first.sdp_mid) == (UDP, "0")
    assert end is None


def test_credentials_may_come_before_the_first_section() -> None:
    """As the package whip-whep writes them."""
    text = f"a=ice-ufrag:{UFRAG}\r\na=ice-pwd:x\r\nm=audio 9 X 0\r\na=mid:0\r\na={UDP}\r\n"
    read = sdp.read_fragment(text.encode())
    assert read.ufrags == {UFRAG}
    assert len(read.candidates) == 1


def test_sections_that_each_have_no_more_end_once() -> None:
    text = fragment(UDP, complete=True) + "m=video 9 X 0\r\na=mid:1\r\na=end-of-candidates\r\n"
    assert sdp.read_fragment(text.encode()).candidates.count(None) == 1


def test_transports_that_no_camera_speaks_are_left_out_in_silence() -> None:
    assert sdp.read_fragment(fragment(TCP).encode()).candidates == ()
    assert len(sdp.read_fragment(fragment(TCP, UDP).encode()).candidates) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a=group:BUNDLE 0\r\n",
        "nonsense",
        f"a={UDP}\r\n",
        fragment(UDP + " x" * 2000),
        fragment(*[UDP] * 65),
    ],
)
def test_what_is_no_fragment_is_refused(text: str) -> None:
    with pytest.raises(sdp.SdpError):
        sdp.read_fragment(text.encode())


_LINES = st.lists(
    st.sampled_from([*offer().splitlines(), *fragment(UDP, TCP, complete=True).splitlines()])
    | st.text(max_size=40)
).map("\r\n".join)


@given(_LINES.map(str.encode) | st.binary(max_size=400))
@example(b"v=0\nm=\n")
@example(b"m=audio\na=mid\na=candidate")
def test_no_text_does_more_than_be_refused(body: bytes) -> None:
    for read in (sdp.read_offer, sdp.read_fragment):
        with contextlib.suppress(sdp.SdpError):
            read(body)


# ── header fields ────────────────────────────────────────────────────────────────────────────


def test_ice_servers_become_links_one_for_each_url() -> None:
    turn = IceServer(urls=("turn:a:1", "turns:a:2"), username='7:"x"', credential="a\\b=")
    ending = (
        'rel="ice-server"; username="7:\\"x\\""; credential="a\\\\b="; credential-type="password"'
    )
    assert headers.links([IceServer(urls=("stun:a:1",)), turn]) == [
        ("Link", '<stun:a:1>; rel="ice-server"'),
        ("Link", f"<turn:a:1>; {ending}"),
        ("Link", f"<turns:a:2>; {ending}"),
    ]


@pytest.mark.parametrize(
    ("if_match", "passes"),
    [
        (None, True),
        ("*", True),
        ('"abc"', True),
        ('"x", "abc"', True),
        ("abc", True),  # players that drop the quotes
        ('"abcd"', False),
        ('W/"abc"', False),  # If-Match compares strongly (RFC 9110 §13.1.1)
        ("", False),
    ],
)
def test_an_entity_tag_matches_or_does_not(if_match: str | None, *, passes: bool) -> None:
    assert headers.matches(if_match, '"abc"') is passes


@pytest.mark.parametrize(
    ("field", "token"),
    [
        (None, None),
        ("Bearer s3cret", headers.Token("s3cret")),
        ("bearer  s3cret ", headers.Token("s3cret")),
        ("Bearer", headers.Token(None)),
        ("Basic dXNlcjpwYXNz", headers.Token(None)),
        ("", headers.Token(None)),
        ("Bearer s3cr\udcfft", headers.Token(None)),  # bytes that are no UTF-8, in aiohttp's way
    ],
)
def test_a_token_is_told_from_another_credential(
    field: str | None, token: headers.Token | None
) -> None:
    assert headers.token(field) == token


# ── problems (RFC 9457) ──────────────────────────────────────────────────────────────────────


def described(problem: ProblemError) -> dict[str, object]:
    body = problem.response().body
    assert isinstance(body, bytes)
    made = json.loads(body)
    assert isinstance(made, dict)
    return made


def test_a_problem_says_its_status_in_both_forms_and_its_code() -> None:
    error = Error(code=ErrorCode.ROOM_FULL, message="All places are taken.", retry_after=4.2)
    problem = problems.of_error(error)
    response = problem.response()
    assert response.status == 503
    assert response.content_type == "application/problem+json"
    assert response.headers["Retry-After"] == "5"
    assert described(problem) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "All places are taken.",
        "code": "room_full",
    }


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_of_the_core_has_a_status(code: ErrorCode) -> None:
    assert problems.of_error(Error(code=code, message="x")).status >= HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("reason", list(EndReason))
def test_every_reason_of_an_end_has_a_status_and_a_sentence(reason: EndReason) -> None:
    problem = problems.of_end(End(session="A" * 22, reason=reason))
    assert problem.status in {422, 503, 504}
    assert described(problem)["detail"]
    assert ("Retry-After" in problem.response().headers) == (problem.status != 422)


@pytest.mark.parametrize("state", ["starting", "lost", "unplayable"])
def test_a_camera_without_a_picture_is_a_conflict_that_may_pass(state: str) -> None:
    problem = problems.not_live(Source(state=state))  # type: ignore[arg-type]
    assert (problem.status, problem.code) == (409, f"source_{state}")
    assert problem.retry_after


# ── rates ────────────────────────────────────────────────────────────────────────────────────


def test_an_address_has_a_burst_and_then_its_rate() -> None:
    rates = Rates(2, burst=3)
    assert [rates.refused("a", 10.0) for _ in range(3)] == [0, 0, 0]
    assert rates.refused("a", 10.0) == pytest.approx(0.5)
    assert rates.refused("b", 10.0) == 0
    assert rates.refused("a", 10.5) == 0
    assert rates.refused("a", 10.5) > 0


def test_refusals_do_not_lengthen_the_wait() -> None:
    rates = Rates(1, burst=1)
    assert rates.refused("a", 0.0) == 0
    for _ in range(100):
        assert rates.refused("a", 0.5) == pytest.approx(0.5)


def test_no_more_addresses_are_remembered_than_asked() -> None:
    rates = Rates(1, burst=1, remembered=2)
    for address in "abcd":
        assert rates.refused(address, 0.0) == 0
    assert rates.refused("d", 0.0) > 0
    assert rates.refused("a", 0.0) == 0
