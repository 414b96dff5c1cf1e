"""The settings of ``rendezvous``: sources and their order, defaults, refusals, secrets."""

from pathlib import Path

import pytest

from rendezvous.program.errors import SettingsError
from rendezvous.settings import load, page_origins, split_address

HOME = {"HOME": "/home/somebody"}


def test_defaults() -> None:
    """Port 4545 everywhere, no public STUN server, ten viewers."""
    settings = load([], {**HOME, "XDG_STATE_HOME": "/var/state"})
    assert settings.listen == ("0.0.0.0:4545",)
    assert (settings.stun, settings.turn, settings.ice_policy) == ((), (), "all")
    assert settings.viewers_per_room == 10
    assert settings.state == Path("/var/state/porthole/rendezvous.sqlite")


def test_systemd_names_the_state_directory() -> None:
    """Before XDG."""
    environ = {"STATE_DIRECTORY": "/var/lib/porthole", "XDG_STATE_HOME": "/x"}
    assert load([], environ).state == Path("/var/lib/porthole/rendezvous.sqlite")


def test_flags_before_environment_before_file(tmp_path: Path) -> None:
    """Each may be used alone."""
    file = tmp_path / "rendezvous.toml"
    file.write_text('viewers_per_room = 3\nlog_level = "debug"\nlisten = ["127.0.0.1:1"]\n')
    environ = {"RENDEZVOUS_VIEWERS_PER_ROOM": "4", "RENDEZVOUS_LISTEN": "127.0.0.1:2 [::1]:2"}
    settings = load(["--config", str(file), "--viewers-per-room", "5"], environ)
    assert settings.viewers_per_room == 5
    assert settings.listen == ("127.0.0.1:2", "[::1]:2")
    assert settings.log_level == "debug"


def test_flags_repeat() -> None:
    """Lists on the command line."""
    settings = load(["--listen", ":1", "--listen", "[::]:2", "--allow-clear", *_CERT], {})
    assert settings.listen == (":1", "[::]:2")
    assert settings.allow_clear is True


_CERT = ["--tls-cert", "/cert.pem"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("4545", ("0.0.0.0", 4545)),
        (":4545", ("0.0.0.0", 4545)),
        ("localhost:1", ("localhost", 1)),
        ("[::]:65535", ("::", 65535)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    """What people write."""
    assert split_address(text) == address


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Site.example.org", "https://site.example.org"),
        ("https://site.example.org:443", "https://site.example.org"),
        ("http://site.example.org:80", "http://site.example.org"),
        ("https://site.example.org:80", "https://site.example.org:80"),
        ("http://[::1]:4545", "http://[::1]:4545"),
    ],
)
def test_page_origins_are_what_browsers_send(text: str, origin: str) -> None:
    """Lower case, and no port that the scheme has anyway."""
    assert page_origins(load(["--allow-origin", text], {})) == (origin,)


@pytest.mark.parametrize("text", ["https://x:65536", "https://x/path", "x", "https://"])
def test_page_origins_that_are_none(text: str) -> None:
    """A sentence, before anything is opened."""
    with pytest.raises(SettingsError):
        load(["--allow-origin", text], {})


@pytest.mark.parametrize("text", ["", "host", "host:", "::1:4545", "1.2.3.4:65536", "a:b:c"])
def test_addresses_that_are_none(text: str) -> None:
    """An IPv6 address needs its brackets."""
    with pytest.raises(SettingsError):
        split_address(text)
