"""Broken set-ups, made for real: the doctor beside the camera names the fault in each."""

import random
from pathlib import Path
from typing import Any

import pytest

from publisher.identity import Keyring
from rendezvous.wire.messages import Ping, Pong
from tests.support.cameras import PASSWORD, rtsp_camera
from tests.support.certificates import write_certificate
from tests.support.chaos_proxy import chaos_proxy
from tests.support.coturn import LOOPBACK, Coturn, running_coturn
from tests.support.doctor import (
    QUICK_SOURCE,
    Report,
    consult,
    consult_process,
    proxy_without_websockets,
    read,
    silent_udp,
)
from tests.support.faketime import far_ahead
from tests.support.peers import Key, claim, connect
from tests.support.ports import free_port
from tests.support.redis import running_redis
from tests.support.server import only, running_server

ONE_LOOP = True  # the doctor is a process of its own
_PATIENTLY = ("--seconds", "60")  # at the most; it takes one when all is well
_UNHURRIED = only()  # a camera of tests answers no ping while the doctor looks


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A device whose camera was started before."""
    keyring = Keyring(tmp_path)
    keyring.viewer_secret(keyring.camera_key().room())
    return tmp_path


def words_of(state: Path, server: str, *words: str) -> tuple[str, ...]:
    """The settings of this device."""
    source = () if "--source" in words else ("--source", QUICK_SOURCE)
    return ("--state", str(state), "--server", server, "--seconds", "0.5", *source, *words)


async def examine(state: Path, server: str, *words: str) -> Report:
    """What the doctor of this device finds."""
    return await consult("publisher", *words_of(state, server, *words))


def turn(server: Coturn, *transports: str, secret: str = "") -> dict[str, Any]:
    """Settings of a rendezvous that names this server over these transports."""
    return {
        "stun": (server.stun_url,),
        "turn": tuple(server.url(transport) for transport in transports),
        "turn_secret": secret or server.secrets[0],
    }


# ── all well ─────────────────────────────────────────────────────────────────────────────────


async def test_a_healthy_set_up_is_all_well(state: Path) -> None:
    """Also over each transport of TURN, with credentials that the rendezvous has issued."""
    with running_coturn(*LOOPBACK) as relay:
        async with running_server(**turn(relay, "udp", "tcp", "tls")) as running:
            trust = {"SSL_CERT_FILE": str(relay.certificate)}
            words = words_of(state, running.origin, *_PATIENTLY)
            report = await consult_process("publisher", *words, environ=trust)
    assert not report.wrong
    assert report.status == 0
    assert {
        "websocket",
        "room_ours",
        "stun",
        "turn",
        "nat_none",
        "format",
        "gop",
    } <= report.codes.keys()
    relayed = [step for step in report.steps if step["title"].startswith("TURN")]
    assert [step["findings"][-1]["code"] for step in relayed] == ["turn"] * 3


async def test_what_is_printed_has_sentences_and_no_secret(state: Path) -> None:
    """Each step as it runs; the link's secret and TURN's are nobody's business."""
    with running_coturn(*LOOPBACK) as relay:
        async with running_server(**turn(relay, "udp")) as running:
            report = await read("publisher", *words_of(state, running.origin, *_PATIENTLY))
    assert report.output.rstrip().endswith("All is well.")
    assert "The room is ours" in report.output
    secrets = {*Keyring(state).viewer_secrets().values(), *relay.secrets}
    assert not any(secret in report.output for secret in secrets)


def made(folder: Path) -> list[Path]:
    """What there is in it by now."""
    return list(folder.iterdir())


async def test_a_device_without_a_key_is_examined_and_none_is_made(tmp_path: Path) -> None:
    async with running_server() as running:
        report = await examine(tmp_path, running.origin)
    assert report.codes["key_missing"] == report.codes["room_untested"] == "note"
    assert not made(tmp_path)


async def test_a_camera_that_is_live_keeps_its_room(state: Path) -> None:
    """It is not claimed a second time: its epoch is what it was, and its connection stays."""
    keyring = Keyring(state)
    key, room = keyring.camera_key(), keyring.camera_key().room()
    secret = keyring.viewer_secret(room)
    async with (
        running_server(limits=_UNHURRIED) as running,
        connect(running.host, running.port) as camera,
    ):
        await claim(camera, Key(key.private), room, secret=secret)
        report = await examine(state, running.origin)
        assert report.codes["room_live"] == "well"
        assert "room_ours" not in report.codes
        await camera.send(Ping())
        await camera.expect(Pong)


async def test_a_camera_that_runs_with_other_settings_keeps_its_room_as_well(state: Path) -> None:
    """It was started public, and the settings say so no more."""
    key = Keyring(state).camera_key()
    async with (
        running_server(limits=_UNHURRIED) as running,
        connect(running.host, running.port) as camera,
    ):
        await claim(camera, Key(key.private), key.room(), secret=None)
        report = await examine(state, running.origin)
        assert report.codes["room_live"] == "note"
        await camera.send(Ping())
        await camera.expect(Pong)


# ── the way to the rendezvous ────────────────────────────────────────────────────────────────


async def test_a_wrong_host_name(state: Path) -> None:
    report = await examine(state, "no-such-host.invalid")
    assert report.faults == {"name_unknown"}
    assert report.status == 1


async def test_a_closed_port(state: Path) -> None:
    report = await examine(state, f"127.0.0.1:{free_port()}")
    assert report.faults == {"port_closed"}


@pytest.mark.parametrize(
    ("names", "ends", "code"),
    [
        (("other.example",), 1.0, "certificate_name"),
        (("127.0.0.1",), -0.5, "certificate_expired"),
        (("127.0.0.1",), 1.0, "certificate_untrusted"),
    ],
)
async def test_a_certificate_that_is_not_believed(
    state: Path, names: tuple[str, ...], ends: float, code: str
) -> None:
    """For another name; over; signed by nobody."""
    pem = state / "server.pem"
    write_certificate(pem, names, ends=ends)
    trusted = () if code == "certificate_untrusted" else ("--server-ca", str(pem))
    async with running_server(tls_cert=pem) as running:
        report = await examine(state, running.origin, "--tls", *trusted)
    assert report.faults == {code}


async def test_a_wrong_clock_is_not_blamed_on_the_certificate(
    state: Path, certificate: Path
) -> None:
    """By this machine's clock it has expired; the server's own shows that the clock is wrong."""
    async with running_server(tls_cert=certificate) as running:
        words = words_of(state, running.origin, "--tls", "--server-ca", str(certificate))
        report = await consult_process("publisher", *words, wrap=far_ahead())
    assert report.faults == {"clock_wrong"}
    assert "1000 days ahead" in report.about("clock_wrong")["sentence"]


async def test_tls_at_a_server_without(state: Path) -> None:
    async with running_server() as running:
        report = await examine(state, running.origin, "--tls")
    assert report.faults == {"server_without_tls"}


async def test_no_tls_at_a_server_that_wants_it(state: Path, certificate: Path) -> None:
    async with running_server(tls_cert=certificate) as running:
        report = await examine(state, running.origin)
    assert report.faults == {"tls_required"}


async def test_a_proxy_that_passes_no_websockets_on(state: Path) -> None:
    """The camera gets in, and no browser does."""
    port = free_port()
    async with (
        running_server(public_origin=(f"127.0.0.1:{port}",)) as running,
        proxy_without_websockets(port, running.port),
    ):
        report = await examine(state, f"127.0.0.1:{port}")
    assert report.faults == {"websocket_blocked"}
    assert "400 Bad Request" in report.about("websocket_blocked")["sentence"]
    assert report.codes["room_ours"] == "well"


# ── the room ─────────────────────────────────────────────────────────────────────────────────


async def test_a_room_that_another_key_has_taken(state: Path) -> None:
    Keyring(state).viewer_secret("Door")
    async with (
        running_server(limits=_UNHURRIED) as running,
        connect(running.host, running.port) as rival,
    ):
        await claim(rival, Key(), "Door")
        report = await examine(state, running.origin, "--room", "Door")
    assert report.faults == {"room_unavailable"}


async def test_a_server_that_knows_itself_by_another_name(state: Path) -> None:
    """As behind a forwarded port that nobody has told it of."""
    async with (
        running_server(public_origin=("watch.example.org:4545",)) as running,
        chaos_proxy(running.port, random.Random()) as forwarded,
    ):
        report = await examine(state, f"127.0.0.1:{forwarded.port}")
    assert report.faults == {"origin_unknown"}


async def test_a_server_that_has_lost_its_redis(state: Path) -> None:
    with running_redis() as redis:
        async with running_server(redis=redis.url) as running:
            redis.stop()
            report = await examine(state, running.origin)
    assert report.faults == {"store_unavailable"}


# ── STUN and TURN ────────────────────────────────────────────────────────────────────────────


async def test_a_server_without_stun_and_turn(state: Path) -> None:
    async with running_server() as running:
        report = await examine(state, running.origin, *_PATIENTLY)
    assert report.wrong == {"no_ice_servers"}


async def test_a_silent_stun_server(state: Path) -> None:
    with running_coturn(*LOOPBACK) as relay, silent_udp() as port:
        settings = turn(relay, "udp") | {"stun": (f"stun:127.0.0.1:{port}",)}
        async with running_server(**settings) as running:
            report = await examine(state, running.origin)
    assert report.faults == {"stun_silent"}


async def test_a_turn_server_with_another_secret(state: Path) -> None:
    with running_coturn(*LOOPBACK) as relay:
        async with running_server(**turn(relay, "udp", "tcp", secret="another")) as running:
            report = await examine(state, running.origin)
    assert report.faults == {"turn_credentials"}


async def test_a_network_that_lets_only_tcp_through(state: Path) -> None:
    """Every datagram vanishes, and the relay answers over TCP."""
    with running_coturn(*LOOPBACK) as relay, silent_udp() as port:
        blocked = (f"turn:127.0.0.1:{port}?transport=udp", relay.url("tcp"))
        async with running_server(turn=blocked, turn_secret=relay.secrets[0]) as running:
            report = await examine(state, running.origin)
    assert report.faults == {"turn_silent", "udp_blocked"}
    assert report.codes["turn"] == "well"


async def test_a_relay_that_forbids_its_own_addresses(state: Path) -> None:
    """Two who both need a relay cannot connect there."""
    with running_coturn() as relay:
        async with running_server(**turn(relay, "udp")) as running:
            report = await examine(state, running.origin)
    assert report.faults == {"turn_denies_itself"}


# ── the camera ───────────────────────────────────────────────────────────────────────────────


async def test_a_camera_with_another_password(state: Path) -> None:
    with rtsp_camera("auth") as camera:
        source = camera.address.replace("//", "//admin:wr0ng@")
        report = await examine(state, f"127.0.0.1:{free_port()}", "--source", source)
    assert report.faults == {"port_closed", "source_unauthorized"}
    assert "wr0ng" not in report.output
    assert PASSWORD not in report.output


@pytest.mark.parametrize(("variant", "code"), [("h265", "codec_h265"), ("b-frames", "b_frames")])
async def test_a_camera_that_webrtc_cannot_carry(state: Path, variant: str, code: str) -> None:
    """B-frames show in the first ten pictures, and these may take their time."""
    with rtsp_camera(variant) as camera:
        words = ("--source", camera.url, *_PATIENTLY)
        report = await examine(state, f"127.0.0.1:{free_port()}", *words)
    assert report.codes[code] == "warning"


async def test_a_camera_that_sends_no_more_key_frames(state: Path) -> None:
    source = "test:?size=320x240&fps=10&gop=100000"
    report = await examine(state, f"127.0.0.1:{free_port()}", "--source", source)
    assert report.codes["gop_long"] == "warning"


# ── this device ──────────────────────────────────────────────────────────────────────────────


async def test_a_key_that_others_can_read(state: Path) -> None:
    (state / "camera.key").chmod(0o644)
    report = await examine(state, f"127.0.0.1:{free_port()}")
    assert report.codes["key_exposed"] == "warning"


async def test_a_state_directory_that_is_a_file(state: Path) -> None:
    report = await examine(state / "camera.key", f"127.0.0.1:{free_port()}")
    assert "state_unusable" in report.faults


async def test_media_ports_that_somebody_else_has(state: Path) -> None:
    with silent_udp() as port:
        words = ("--udp-ports", f"{port}-{port}", "--interfaces", "lo")
        report = await examine(state, f"127.0.0.1:{free_port()}", *words)
    assert {"udp_ports_taken", "udp_ports_few"} & report.wrong


async def test_wrong_settings_are_a_finding(state: Path) -> None:
    report = await examine(state, "127.0.0.1", "--room", "no spaces")
    assert report.faults == {"room_malformed"}
    assert report.status == 78


async def test_evostreams_words_are_understood(state: Path) -> None:
    words = (f"state={state}", "ersIP=no-such-host.invalid", f"source={QUICK_SOURCE}")
    report = await consult("publisher", "--seconds", "0.5", *words)
    assert report.faults == {"name_unknown"}
