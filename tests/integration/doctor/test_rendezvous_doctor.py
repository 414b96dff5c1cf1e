"""Broken installations, made for real: the doctor beside the server names the fault in each."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path

import pytest

from tests.support.cameras import http_port
from tests.support.certificates import write_certificate
from tests.support.coturn import LOOPBACK, Coturn, running_coturn
from tests.support.doctor import Report, consult, consult_process, read
from tests.support.faketime import far_ahead
from tests.support.ports import free_port
from tests.support.redis import running_redis
from tests.support.server import running_server

ONE_LOOP = True  # the doctor has a loop of its own
SECRET = "s3cret-of-turn"
_IPV6 = "allocation-default-address-family=ipv6"
_OPEN_TO_ALL = "allowed-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"


@asynccontextmanager
async def installation(tmp_path: Path, *words: str) -> AsyncIterator[tuple[str, ...]]:
    """A server that runs, and its settings as words."""
    state = tmp_path / "rooms.sqlite"
    async with running_server(state=state) as running:
        origin = running.origin
        yield ("--state", str(state), "--listen", origin, "--public-origin", origin, *words)


def turn(server: Coturn, *transports: str, secret: str = "") -> tuple[str, ...]:
    """Settings that name this server over these transports."""
    urls = [word for way in transports for word in ("--turn", server.url(way))]
    file = server.certificate.with_name("secret")
    file.touch(mode=0o600)
    file.write_text(secret or server.secrets[0])
    return ("--stun", server.stun_url, *urls, "--turn-secret-file", str(file))


def relay(*lines: str) -> AbstractContextManager[Coturn]:
    """A secret without blanks, for a file holds one a line."""
    return running_coturn(*lines, secrets=(SECRET,))


async def test_a_healthy_installation_is_all_well(tmp_path: Path) -> None:
    with relay(*LOOPBACK) as server:
        async with installation(tmp_path, *turn(server, "udp", "tcp", "tls")) as words:
            trust = {"SSL_CERT_FILE": str(server.certificate)}
            report = await consult_process("rendezvous", *words, environ=trust)
    assert not report.wrong
    assert report.status == 0
    assert {"state", "listening", "origin", "websocket"} <= report.codes.keys()
    assert {"stun", "turn", "turn_denies"} <= report.codes.keys()


async def test_what_is_printed_has_no_secret(tmp_path: Path) -> None:
    with relay(*LOOPBACK) as server:
        async with installation(tmp_path, *turn(server, "udp")) as words:
            report = await read("rendezvous", *words)
    assert report.output.rstrip().endswith("All is well.")
    assert SECRET not in report.output


# ── store ────────────────────────────────────────────────────────────────────────────────────


async def test_a_redis_that_is_down() -> None:
    report = await consult("rendezvous", "--redis", f"redis://127.0.0.1:{free_port()}")
    assert "redis_unavailable" in report.faults


async def test_a_redis_that_forgets() -> None:
    with running_redis() as redis:
        report = await consult("rendezvous", "--redis", redis.url)
    assert report.codes["redis_forgets"] == "warning"


async def test_a_redis_by_whose_clock_it_is_another_day() -> None:
    with running_redis() as redis:
        words = ("--redis", redis.url)
        report = await consult_process("rendezvous", *words, wrap=far_ahead())
    assert report.codes["clock_wrong"] == "warning"


async def test_a_damaged_file_of_rooms(tmp_path: Path) -> None:
    (tmp_path / "rooms.sqlite").write_bytes(b"these are no rooms " * 100)
    report = await consult("rendezvous", "--state", str(tmp_path / "rooms.sqlite"))
    assert "state_damaged" in report.faults


# ── certificate ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("names", "ends", "code"),
    [(("other.example",), 60.0, "certificate_name"), (("localhost",), -0.5, "certificate_expired")],
)
async def test_a_certificate_that_nobody_believes(
    tmp_path: Path, names: tuple[str, ...], ends: float, code: str
) -> None:
    write_certificate(tmp_path / "cert.pem", names, ends=ends)
    words = ("--tls-cert", str(tmp_path / "cert.pem"), "--public-origin", "localhost:4545")
    report = await consult("rendezvous", *words)
    assert code in report.faults


async def test_a_certificate_without_its_key(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("nothing")
    report = await consult("rendezvous", "--tls-cert", str(tmp_path / "cert.pem"))
    assert "tls_unusable" in report.faults


# ── ports and origins ────────────────────────────────────────────────────────────────────────


async def test_a_server_that_does_not_run(tmp_path: Path) -> None:
    words = ("--state", str(tmp_path / "x.sqlite"), "--listen", f"127.0.0.1:{free_port()}")
    report = await consult("rendezvous", *words)
    assert report.codes["not_running"] == "warning"


async def test_a_port_that_something_else_has() -> None:
    with http_port() as address:
        port = address.partition("127.0.0.1:")[2].partition("/")[0]
        report = await consult("rendezvous", "--listen", f"127.0.0.1:{port}")
    assert "port_taken" in report.faults


async def test_a_public_origin_that_leads_to_a_server_of_another_name(tmp_path: Path) -> None:
    """The server was started with other settings: cameras that dial this name are refused."""
    async with running_server(listen=("0.0.0.0:0",), public_origin=("a.example:1",)) as running:
        words = ("--listen", f"0.0.0.0:{running.port}", "--state", str(tmp_path / "x.sqlite"))
        report = await consult("rendezvous", *words, "--public-origin", f"127.1:{running.port}")
    assert report.faults == {"origin_unknown"}


async def test_a_public_origin_that_leads_nowhere(tmp_path: Path) -> None:
    async with installation(tmp_path, "--public-origin", "no-such-host.invalid:4545") as words:
        report = await consult("rendezvous", *words)
    assert report.faults == {"name_unknown"}


# ── relays ───────────────────────────────────────────────────────────────────────────────────


async def test_a_turn_server_with_another_secret(tmp_path: Path) -> None:
    with relay(*LOOPBACK) as server:
        async with installation(tmp_path, *turn(server, "udp", secret="another")) as words:
            report = await consult("rendezvous", *words)
    assert report.faults == {"turn_secret"}


async def test_a_secret_that_everybody_can_read(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    closed = ("--turn", f"turn:127.0.0.1:{free_port()}?transport=tcp")
    report = await consult("rendezvous", *closed, "--turn-secret-file", str(file))
    assert report.codes["secret_exposed"] == "warning"
    assert SECRET not in report.output


async def test_a_turn_server_whose_clock_is_ahead(tmp_path: Path) -> None:
    """It refuses fresh credentials as expired, which is not the secret's fault."""
    server = Coturn(tmp_path, *LOOPBACK, secrets=(SECRET,), wrap=far_ahead())
    try:
        server.start()
        async with installation(tmp_path, *turn(server, "udp")) as words:
            report = await consult("rendezvous", *words)
    finally:
        server.stop()
    assert report.faults == {"clock_wrong"}


async def test_a_relay_into_the_machine_that_it_runs_on(tmp_path: Path) -> None:
    open_to_all = ("allow-loopback-peers", "allowed-peer-ip=0.0.0.0-255.255.255.255")
    with relay(*open_to_all) as server:
        async with installation(tmp_path, *turn(server, "udp")) as words:
            report = await consult("rendezvous", *words)
    assert report.faults == {"turn_reaches_inside"}


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((_IPV6, *LOOPBACK), "turn_denies"),
        ((_IPV6, "allow-loopback-peers", _OPEN_TO_ALL), "turn_reaches_inside"),
        (LOOPBACK, "turn_no_address"),
    ],
)
async def test_a_relay_that_has_ipv6_alone(
    tmp_path: Path, lines: tuple[str, ...], code: str
) -> None:
    """It is asked about addresses that it could reach; and whether it lends any."""
    with running_coturn(*lines, secrets=(SECRET,), host="::1") as server:
        async with installation(tmp_path, *turn(server, "udp")) as words:
            report = await consult("rendezvous", *words)
    assert code in report.codes
    assert report.faults == {code} - {"turn_denies"}


async def test_wrong_settings_are_a_finding() -> None:
    report: Report = await consult("rendezvous", "--turn", "turn:turn.example.org")
    assert report.faults == {"setting_missing"}
    assert report.status == 78
