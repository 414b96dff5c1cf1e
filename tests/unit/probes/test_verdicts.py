"""What the doctors conclude from what they saw, without a network."""

import datetime as dt
import json

import pytest

from publisher.doctor import camera, local
from publisher.doctor.camera import Observed
from publisher.media.format import B_FRAMES, FOREIGN, H265, Format
from publisher.media.outlets import Transcode
from publisher.media.packets import SECOND
from rendezvous.doctor import relays
from rendezvous.probes import certificates, dialling, ice, nat, web
from rendezvous.probes.asking import Outcome
from rendezvous.probes.certificates import Certificate
from rendezvous.probes.findings import Finding, Report, fault, note, warning, well
from rendezvous.probes.rendering import Terminal, as_json
from rendezvous.probes.servers import parse
from rendezvous.wire.messages import Track

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
INSIDE, OUTSIDE, ELSEWHERE = ("10.0.0.7", 5000), ("203.0.113.9", 5000), ("203.0.113.9", 6000)
ONE, TWO = ("192.0.2.1", 3478), ("192.0.2.2", 3478)


def codes(findings: list[Finding]) -> set[str]:
    """Of what somebody has to do something about."""
    report = Report()
    report.begin("")
    report.add(*findings)
    verdicts = ("fault", "warning")
    return {found.code for found in report.steps[0].findings if found.verdict.value in verdicts}


# ── NAT and servers ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        ({ONE: INSIDE, TWO: INSIDE}, "nat_none"),
        ({ONE: OUTSIDE, TWO: OUTSIDE}, "nat_independent"),
        ({ONE: OUTSIDE, TWO: ELSEWHERE}, "nat_symmetric"),
        ({ONE: OUTSIDE}, "nat_unknown"),
    ],
)
def test_the_kind_of_a_nat_shows_in_its_mappings(
    seen: dict[tuple[str, int], tuple[str, int]], code: str
) -> None:
    assert nat.judge(INSIDE, seen, relay=True).code == code


def test_a_symmetric_nat_wants_a_relay() -> None:
    seen = {ONE: OUTSIDE, TWO: ELSEWHERE}
    assert codes([nat.judge(INSIDE, seen, relay=False)]) == {"nat_symmetric"}
    assert not codes([nat.judge(INSIDE, seen, relay=True)])


def outcome(url: str, code: str = "") -> Outcome:
    """Of a server that answers, or has this fault."""
    return Outcome(parse(url), (fault(code, "") if code else well("turn", ""),))


def test_udp_is_blocked_when_nothing_comes_back_over_it() -> None:
    udp, tcp = "turn:a", "turn:a?transport=tcp"
    assert codes(ice.judge([outcome(udp, "turn_silent"), outcome(tcp)])) == {"udp_blocked"}
    assert not codes(ice.judge([outcome(udp, "turn_closed"), outcome(tcp)]))
    assert not codes(ice.judge([outcome(udp), outcome(tcp)]))


def test_a_room_without_a_relay_is_warned_of() -> None:
    assert codes(ice.judge([])) == {"no_ice_servers"}
    assert codes(ice.judge([outcome("stun:a")])) == {"no_turn"}


@pytest.mark.parametrize(
    ("url", "host", "port", "transport"),
    [
        ("stun:a.example", "a.example", 3478, "udp"),
        ("turn:[2001:db8::1]:99?transport=tcp", "2001:db8::1", 99, "tcp"),
        ("turns:a.example", "a.example", 5349, "tls"),
        ("turns:a.example?transport=udp", "a.example", 5349, "dtls"),
    ],
)
def test_urls_of_servers(url: str, host: str, port: int, transport: str) -> None:
    server = parse(url)
    assert (server.host, server.port, server.transport) == (host, port, transport)


@pytest.mark.parametrize(
    "url", ["turn:", "http://a", "turn:a?transport=sctp", "stun:a b", "turn:a:0"]
)
def test_what_is_no_url_of_a_server(url: str) -> None:
    with pytest.raises(ValueError, match="no STUN or TURN server"):
        parse(url)


def test_a_relay_into_a_network_is_worse_the_nearer_it_is() -> None:
    assert codes(relays.judge_permitted(["127.0.0.1"], [])) == {"turn_reaches_inside"}
    assert codes(relays.judge_permitted([], ["10.0.0.1"])) == {"turn_reaches_private"}
    assert not codes(relays.judge_permitted([], []))


# ── certificates and clocks ──────────────────────────────────────────────────────────────────


def certificate(*names: str, begins: int = -1, ends: int = 90) -> Certificate:
    """Valid between two days from now."""
    day = dt.timedelta(days=1)
    return Certificate(names, NOW + begins * day, NOW + ends * day, self_signed=False)


def test_a_wildcard_stands_for_one_label() -> None:
    wild = certificate("*.example.org")
    assert wild.covers("a.example.org")
    assert not wild.covers("example.org")
    assert not wild.covers("a.b.example.org")
    assert certificate("2001:db8::1").covers("2001:db8::1")


@pytest.mark.parametrize(
    ("begins", "ends", "code"),
    [(-9, -1, "certificate_expired"), (1, 9, "certificate_early"), (-9, 9, "certificate_expires")],
)
def test_the_time_of_a_certificate(begins: int, ends: int, code: str) -> None:
    seen = certificate("a", begins=begins, ends=ends)
    assert codes([certificates.judge_time(seen, NOW)]) == {code}


def test_who_is_wrong_about_the_time_is_told_by_the_server() -> None:
    """Both clocks agree: the certificate is over. Only ours says so: ours is wrong."""
    over, year = certificate("a", ends=-1), dt.timedelta(days=365)
    refused = dialling.judge_refused(over, "a", ours=NOW, theirs=NOW)
    assert codes(refused) == {"certificate_expired"}
    refused = dialling.judge_refused(over, "a", ours=NOW, theirs=NOW - dt.timedelta(days=1))
    assert codes(refused) == {"clock_wrong"}
    good = certificate("a", begins=-100)
    refused = dialling.judge_refused(good, "a", ours=NOW - year, theirs=NOW)
    assert codes(refused) == {"clock_wrong"}


def test_a_certificate_that_is_right_in_itself_has_no_known_issuer() -> None:
    refused = dialling.judge_refused(certificate("a"), "a", ours=NOW, theirs=None)
    assert codes(refused) == {"certificate_untrusted"}


def test_a_date_is_read_from_any_head() -> None:
    head = "HTTP/1.1 200 OK\r\nDATE: Tue, 01 Jan 2030 00:00:00 GMT\r\n\r\n"
    assert web.date_of(head) == NOW
    assert web.date_of("HTTP/1.1 200 OK\r\nDate: soon\r\n\r\n") is None
    assert web.date_of("") is None


def test_a_websocket_opens_or_what_came_instead_is_said() -> None:
    assert not codes([web.judge_websocket("HTTP/1.1 101 Switching Protocols\r\nDate: x\r\n\r\n")])
    for head, said in (("HTTP/1.1 403 Forbidden\r\n\r\n", "“403 Forbidden”"), ("", "no answer")):
        blocked = web.judge_websocket(head)
        assert blocked.code == "websocket_blocked"
        assert said in blocked.sentence


# ── the camera ───────────────────────────────────────────────────────────────────────────────

PLAIN = Format("42e01f", None, (Track(kind="video", codec="H.264"),))


def observed(media: Format | None = PLAIN, gop: float = 1.0, **counts: int) -> Observed:
    """Two key frames with so many seconds between them."""
    keys = [0, round(gop * SECOND)]
    return Observed(media, pictures=60, size=250_000, keys=keys, seconds=2.0, **counts)


def with_obstacle(obstacle: object, codec: str) -> Format:
    """A stream that RTP cannot carry."""
    return Format("", None, PLAIN.tracks, video_codec=codec, obstacle=obstacle)  # type: ignore[arg-type]


def test_a_camera_without_a_key_frame_shows_nothing() -> None:
    assert codes(camera.judge(observed(None), Transcode.AUTO)) == {"no_key_frames"}


def test_long_groups_of_pictures_and_losses_are_warned_of() -> None:
    assert not codes(camera.judge(observed(), Transcode.AUTO))
    assert codes(camera.judge(observed(gop=10.0), Transcode.AUTO)) == {"gop_long"}
    assert codes(camera.judge(observed(lost=3), Transcode.AUTO)) == {"source_losses"}


@pytest.mark.parametrize(
    ("obstacle", "codec", "transcode", "expected"),
    [
        (H265, "hevc", Transcode.AUTO, {"codec_h265"}),
        (H265, "hevc", Transcode.ALWAYS, set()),
        (B_FRAMES, "h264", Transcode.NEVER, {"b_frames"}),
        (FOREIGN, "mjpeg", Transcode.AUTO, set()),
        (FOREIGN, "mjpeg", Transcode.NEVER, {"codec_unsupported"}),
    ],
)
def test_what_rtp_cannot_carry_is_judged_by_what_is_done_about_it(
    obstacle: object, codec: str, transcode: Transcode, expected: set[str]
) -> None:
    seen = observed(with_obstacle(obstacle, codec))
    assert codes(camera.judge(seen, transcode)) == expected


def test_a_device_without_a_way_out_is_alone() -> None:
    assert codes([local.judge_networks([], alone=False)]) == {"no_network"}
    assert not codes([local.judge_networks([], alone=True)])


def test_ports_and_interfaces_for_media_have_to_be_there() -> None:
    assert codes([local.judge_media([])]) == {"no_media_address"}
    assert codes([local.judge_ports(0, 20)]) == {"udp_ports_taken"}
    assert codes([local.judge_ports(5, 20)]) == {"udp_ports_few"}
    assert not codes([local.judge_ports(20, 20)])


# ── the report ───────────────────────────────────────────────────────────────────────────────


def test_each_step_and_finding_is_written_as_it_comes() -> None:
    lines: list[str] = []
    terminal = Terminal(lines.append, coloured=False)
    report = terminal.report()
    report.begin("The road")
    assert lines[-1] == "\nThe road"
    report.add(well("fine", "It is fine."), fault("broken", "It is not.", "Dark.", "Mend it."))
    assert lines[1:] == [
        "  ✓ It is fine.",
        "  ✗ [broken] It is not.",
        "    → Dark.",
        "    ⚒ Mend it.",
    ]
    terminal.close(report)
    assert lines[-1].startswith("1 fault:")


def test_notes_leave_all_well_and_warnings_do_not() -> None:
    report = Report()
    report.begin("")
    report.add(note("a", "A."))
    assert report.well
    report.add(warning("b", "B."))
    assert not report.well


def test_programs_get_the_same_as_one_object() -> None:
    report = Report()
    report.begin("The road")
    report.add(fault("broken", "It is not.", "Dark.", "Mend it."))
    found = json.loads(as_json(report))
    assert found["well"] is False
    assert found["steps"][0]["findings"][0] == {
        "verdict": "fault",
        "code": "broken",
        "sentence": "It is not.",
        "meaning": "Dark.",
        "cure": "Mend it.",
    }
