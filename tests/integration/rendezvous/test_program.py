"""The real program: its one line, its signals, its sentences and exit statuses."""

import signal
import socket
from pathlib import Path

import aiohttp
import pytest

from rendezvous.__main__ import main
from rendezvous.wire.messages import Claimed, Goaway, Ping, Pong
from tests.support.peers import Key, claim, connect, joined, signed_claim
from tests.support.processes import output
from tests.support.server import running_program, start_program
from tests.support.waiting import until

ONE_LOOP = True

KEY = Key()


async def run(*arguments: str, state: Path) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a run that ends by itself."""
    process = await start_program(*arguments, state=state)
    out, err = await output(process)
    return process.returncode or 0, out, err


async def test_it_serves_drains_and_leaves_with_zero(tmp_path: Path) -> None:
    """SIGTERM: goaway, then the end; the name is kept for the next start."""
    state = tmp_path / "rooms.sqlite"
    async with running_program(state=state) as program:
        async with aiohttp.ClientSession() as http:
            url = f"http://{program.host}:{program.port}/healthz"
            async with http.get(url) as response:
                assert (await response.json())["status"] == "ok"
        async with (
            connect(program.host, program.port) as camera,
            connect(program.host, program.port, transport="ws") as viewer,
        ):
            first = await claim(camera, KEY, "MyRoom")
            program.terminate()
            await camera.expect(Goaway)
            await viewer.expect(Goaway)
            await camera.closed()
            await viewer.closed()
        status, errors = await program.ended()
        assert status == 0
        assert "Traceback" not in errors
    async with (
        running_program(state=state) as program,
        connect(program.host, program.port) as camera,
        connect(program.host, program.port) as viewer,
    ):
        assert (await claim(camera, KEY, "MyRoom")).epoch > first.epoch
        await joined(viewer, "MyRoom")


async def test_a_hangup_reads_the_list_of_rooms_again(tmp_path: Path) -> None:
    """As systemctl reload sends it; cameras that are there stay."""
    allowed = tmp_path / "rooms"
    allowed.write_text("Door\n")
    listed = ("--allowed-rooms", str(allowed))
    async with (
        running_program(*listed, state=tmp_path / "rooms.sqlite") as program,
        connect(program.host, program.port) as door,
        connect(program.host, program.port) as yard,
    ):
        await claim(door, KEY, "Door")
        allowed.write_text("Yard\n")
        program.process.send_signal(signal.SIGHUP)

        async def permitted() -> bool:
            await yard.send(signed_claim(yard.welcome, KEY, room="Yard", origin=yard.origin))
            return isinstance(await yard.receive(), Claimed)

        await until(permitted)
        await door.send(Ping())
        await door.expect(Pong)


async def test_a_port_in_use_is_named_with_the_cure(tmp_path: Path) -> None:
    """One sentence, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, out, err = await run("--listen", f"127.0.0.1:{port}", state=tmp_path / "s")
    assert (status, out) == (69, "")
    assert f"Port {port} on 127.0.0.1 is already in use." in err
    assert f"--listen 127.0.0.1:{port + 1}" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        (["--lisen", "x"], {}, 64, "--lisen"),
        (["--listen", "nonsense"], {}, 78, "host:port"),
        (["--listen", "127.0.0.1:99999"], {}, 78, "host:port"),
        (["--listen", "192.0.2.1:0"], {}, 69, "Cannot listen"),
        (["--public-origin", "https://x"], {}, 78, "host:port"),
        (["--allow-origin", "friend"], {}, 78, "https://example.org"),
        (["--tls-cert", "/nowhere.pem"], {}, 78, "/nowhere.pem"),
        (["--tls-key", "/nowhere.pem"], {}, 78, "--tls-cert"),
        (["--turn", "turn:x"], {}, 78, "RENDEZVOUS_TURN_SECRET"),
        (["--stun", "x"], {}, 78, "stun:"),
        (["--ice-policy", "relay"], {}, 78, "--turn"),
        (["--ice-policy", "never"], {}, 78, "ice_policy"),
        (["--viewers-per-room", "0"], {}, 78, "viewers_per_room"),
        (["--trusted-proxy", "10.0.0.1/8"], {}, 78, "10.0.0.0/8"),
        (["--allowed-rooms", "/nowhere"], {}, 78, "/nowhere"),
        (["--log-level", "loud"], {}, 78, "debug, info"),
        (["--config", "/nowhere.toml"], {}, 78, "/nowhere.toml"),
        ([], {"RENDEZVOUS_LISTEM": "x"}, 78, "RENDEZVOUS_LISTEM"),
    ],
    ids=lambda wrong: " ".join([*wrong[0], *wrong[1]]),
)
def test_wrong_settings_end_with_a_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    wrong: tuple[list[str], dict[str, str], int, str],
) -> None:
    """And the exit status of sysexits(3)."""
    arguments, environ, status, words = wrong
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert main(["--state", str(tmp_path / "s"), *arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("rendezvous: ")
    assert words in err


async def test_two_programs_never_share_a_state_file(tmp_path: Path) -> None:
    """The second one leaves and names it."""
    async with running_program(state=tmp_path / "rooms.sqlite"):
        status, _, err = await run("--listen", "127.0.0.1:0", state=tmp_path / "rooms.sqlite")
        assert status == 69
        assert "Another rendezvous server uses the state file" in err


async def test_help_shows_examples(tmp_path: Path) -> None:
    """And every option with its default; secrets have none on the command line."""
    status, out, err = await run("--help", state=tmp_path / "s")
    assert (status, err) == (0, "")
    assert "examples:" in out
    assert "0.0.0.0:4545" in out
    assert "--turn-secret " not in out
