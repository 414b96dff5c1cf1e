"""STUN and TURN servers: what sessions are handed, and what an operator may say about them."""

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from rendezvous.ice import IceServers, Region
from rendezvous.program.errors import SettingsError, UsageError
from rendezvous.program.logs import room_hash
from rendezvous.settings import ice_servers, load

HOME = {"HOME": "/home/somebody"}
TURN = ("--turn", "turn:t")


def test_turn_credentials_are_coturns() -> None:
    """Expiry and room hash in the name; base64(HMAC-SHA1(secret, name)) as the password."""
    region = Region(stun=("stun:s",), turn=("turn:t", "turns:t"), secret="hush")
    ice = IceServers((region,), lifetime=600.0, clock=lambda: 1_000_000.5)
    stun, turn = ice.for_room("MyRoom")
    assert (stun.urls, stun.username, stun.credential) == (("stun:s",), None, None)
    assert turn.urls == ("turn:t", "turns:t")
    assert turn.username == f"1000600:{room_hash('MyRoom')}"
    digest = hmac.new(b"hush", turn.username.encode(), hashlib.sha1).digest()
    assert turn.credential == base64.b64encode(digest).decode()
    assert "MyRoom" not in turn.username
    assert "hush" not in repr(ice)


def test_every_connection_gets_credentials_of_its_own_time() -> None:
    """None is handed out twice when time has passed, so none is old when it is used."""
    times = iter((1_000.0, 1_060.0))
    ice = IceServers((Region(turn=("turn:t",), secret="hush"),), clock=lambda: next(times))
    (first,), (second,) = ice.for_room("MyRoom"), ice.for_room("MyRoom")
    assert first.credential != second.credential


def test_there_is_no_server_by_default() -> None:
    """Least of all a public one."""
    assert IceServers().for_room("MyRoom") == ()
    assert not IceServers((Region(stun=("stun:s",)),)).relays


def test_a_provider_s_credential_is_handed_on_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "metered"
    file.write_text("p4ssword\n")
    settings = load(
        ["--turn", "turns:relay.example.net:443", "--turn-credential-file", str(file)],
        {**HOME, "RENDEZVOUS_TURN_USERNAME": "account"},
    )
    (server,) = ice_servers(settings).for_room("MyRoom")
    assert (server.username, server.credential) == ("account", "p4ssword")
    shown = repr((settings, ice_servers(settings), server))
    assert "account" not in shown
    assert "p4ssword" not in shown


def test_regions_have_their_own_servers_and_secrets(tmp_path: Path) -> None:
    """In the order in which they are said, the one of the flags first."""
    (tmp_path / "secret").write_text("new\nold\n")
    file = tmp_path / "rendezvous.toml"
    file.write_text(
        f"""
        stun = ["stun:here.example.org"]
        turn_lifetime = 10
        [[region]]
        turn = ["turn:eu.example.org", "turns:eu.example.org:443?transport=tcp"]
        turn_secret_file = "{tmp_path / "secret"}"
        [[region]]
        turn = ["turn:us.example.org"]
        turn_username = "account"
        turn_credential = "p4ssword"
        """
    )
    settings = load(["--config", str(file)], HOME)
    ice = ice_servers(settings)
    stun, europe, states = ice.for_room("MyRoom")
    assert stun.urls == ("stun:here.example.org",)
    assert europe.urls == ("turn:eu.example.org", "turns:eu.example.org:443?transport=tcp")
    assert (states.username, states.credential) == ("account", "p4ssword")
    assert [region.secret for region in ice.regions] == ["", "new", ""]
    assert ice.lifetime == 600.0
    assert "p4ssword" not in repr(settings)


def test_the_first_line_of_the_secret_file_signs(tmp_path: Path) -> None:
    """The second is the one before the rotation, for the TURN server's sake."""
    file = tmp_path / "secret"
    file.write_text("new\nold\n")
    settings = load([*TURN, "--turn-secret-file", str(file)], HOME)
    assert ice_servers(settings).regions[0].secret == "new"
    file.unlink()
    with pytest.raises(SettingsError) as refused:
        ice_servers(settings)
    assert str(file) in str(refused.value)


@pytest.mark.parametrize("name", ["secret", "username", "credential"])
def test_no_secret_is_taken_from_the_command_line(name: str) -> None:
    """Every user of the machine can read command lines."""
    with pytest.raises(UsageError):
        load([*TURN, f"--turn-{name}", "s3cret"], HOME)


@pytest.mark.parametrize(
    ("argv", "environ", "words"),
    [
        (TURN, {}, "RENDEZVOUS_TURN_SECRET"),
        (TURN, {"TURN_USERNAME": "me"}, "turn_credential_file"),
        (TURN, {"TURN_CREDENTIAL": "x"}, "turn_username"),
        (TURN, {"TURN_SECRET": "x", "TURN_USERNAME": "me", "TURN_CREDENTIAL": "y"}, "Leave out"),
        (("--turn", "stun:t"), {"TURN_SECRET": "x"}, "turn:"),
        (("--stun", "turn:t"), {}, "stun:"),
        (("--stun", "stun:s?transport=udp"), {}, "stun:HOST:PORT"),
        (("--stun", "stun:s") * 9, {}, "more than 8"),
        (("--turn", "turn: t"), {"TURN_SECRET": "x"}, "turn:HOST:PORT"),
        (("--turn", "turn:t:65536"), {"TURN_SECRET": "x"}, "turn:HOST:PORT"),
        (("--turn", "turn:me:pass@t"), {"TURN_SECRET": "x"}, "'turn:…@t'"),
        (("--turn-lifetime", "9"), {}, "turn_lifetime"),
        (("--turn-lifetime", "61"), {}, "turn_lifetime"),
        (("--ice-policy", "relay", "--stun", "stun:s"), {}, "--turn"),
    ],
)
def test_what_cannot_work_is_refused_with_the_cure(
    argv: tuple[str, ...], environ: dict[str, str], words: str
) -> None:
    variables = {f"RENDEZVOUS_{name}": value for name, value in environ.items()}
    with pytest.raises(SettingsError) as refused:
        load(argv, {**HOME, **variables})
    assert words in str(refused.value)


def test_too_many_regions_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "rendezvous.toml"
    file.write_text('[[region]]\nstun = ["stun:s"]\n' * 9)
    with pytest.raises(SettingsError):
        load(["--config", str(file)], HOME)
