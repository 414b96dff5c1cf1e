"""docs/hosting.md takes a Debian machine from nothing to rendezvous and TURN on port 443."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.hosting.__main__ import main
from rendezvous.program.settings import convert
from rendezvous.settings import Settings
from tests.support.certificates import write_certificate

_MACHINE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_SITE = ("--name", "watch.example.org", "--turn-name", "turn.example.org")
_ADDRESS = ("--address", "203.0.113.7")


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """What ``main`` sets is the process's, and so every other test's that runs in it."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("story", ["one-address", "two-addresses"])
def test_every_command_of_the_document_does_what_it_says(story: str) -> None:
    """tests/support/hosting_story.py looks at what is true after each."""
    if subprocess.run((*_MACHINE, "true"), check=False, capture_output=True).returncode:
        pytest.skip("NO NAMESPACES HERE: run as root to see docs/hosting.md at work")
    command = (*_MACHINE, sys.executable, "-m", "tests.support.hosting_story", story)
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 0, f"{told.stdout}{told.stderr}"


def _lines(root: Path, path: str) -> list[str]:
    return (root / path).read_text().splitlines()


def test_a_folder_shows_what_would_be_written(tmp_path: Path) -> None:
    """With a NAT before the machine, IPv6, and settings of the operator's own."""
    more = tmp_path / "etc/porthole/more.toml"
    more.parent.mkdir(parents=True)
    more.write_text('[[region]]\nturn = ["turn:us"]\nturn_secret = "x"\n')
    where = ("--address", "10.0.0.7", "--address", "2001:db8::7", "--external", "203.0.113.7")
    assert main(["--root", str(tmp_path), "set-up", *_SITE, *where]) == 0
    text = (tmp_path / "etc/porthole/rendezvous.toml").read_text()
    settings = convert(tomllib.loads(text), Settings)
    assert settings.public_origin == ("watch.example.org:443", "watch.example.org:4545")
    assert settings.region[0].turn == ("turn:us",)
    assert "    bind [2001:db8::7]:443" in _lines(tmp_path, "etc/haproxy/haproxy.cfg")
    assert "external-ip=203.0.113.7/10.0.0.7" in _lines(tmp_path, "etc/turnserver.conf")


@pytest.mark.parametrize(
    ("addresses", "alone"), [(("2001:db8::7",), True), (("203.0.113.7", "2001:db8::7"), False)]
)
def test_a_machine_that_has_ipv6_alone_lends_that(
    tmp_path: Path, addresses: tuple[str, ...], *, alone: bool
) -> None:
    where = [word for address in addresses for word in ("--address", address)]
    assert main(["--root", str(tmp_path), "set-up", *_SITE, *where]) == 0
    said = "allocation-default-address-family=ipv6" in _lines(tmp_path, "etc/turnserver.conf")
    assert said == alone


def test_a_second_address_needs_no_proxy(tmp_path: Path) -> None:
    second = ("--turn-address", "203.0.113.8")
    assert main(["--root", str(tmp_path), "set-up", *_SITE, *_ADDRESS, *second]) == 0
    assert not (tmp_path / "etc/haproxy").exists()
    assert "tls-listening-port=443" in _lines(tmp_path, "etc/turnserver.conf")


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (("rotate",), "set-up"),
        (("certificate", "--cert", "c", "--key", "k"), "set-up"),
        (("set-up", *_SITE), "--address"),
        (("set-up", *_SITE, "--address", "watch.example.org"), "203.0.113.7"),
        (("set-up", "--name", "watch", "--turn-name", "turn.example.org", *_ADDRESS), "'watch'"),
        (("set-up", "--name", "a.b", "--turn-name", "a.b", *_ADDRESS), "a name each"),
        (("set-up", *_SITE, *_ADDRESS, "--turn-address", "203.0.113.7"), "in common"),
        (("set-up", *_SITE, *_ADDRESS, "--external", "here"), "'here'"),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], cure: str
) -> None:
    assert main(["--root", str(tmp_path), *words]) == 78
    assert cure in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def _files(root: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in root.rglob("*") if file.is_file()}


def test_a_key_of_another_certificate_is_not_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both services would stop, and not start again."""
    own, other, root = (tmp_path / name for name in ("own.pem", "other.pem", "root"))
    write_certificate(own)
    write_certificate(other)
    assert main(["--root", str(root), "set-up", *_SITE, *_ADDRESS]) == 0
    before = _files(root)
    words = ("--root", str(root), "certificate", "--cert", str(own), "--key")
    assert main([*words, str(other)]) == 78
    assert "Cannot use the certificate" in capsys.readouterr().err
    assert _files(root) == before
    assert main([*words, str(own)]) == 0
    assert not [f for f in (root / "etc/porthole/tls").iterdir() if f.stat().st_mode & 0o007]


def test_a_folder_that_coturn_cannot_enter_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever keeps passwords there may have closed it."""
    own, root = tmp_path / "own.pem", tmp_path / "root"
    write_certificate(own)
    assert main(["--root", str(root), "set-up", *_SITE, *_ADDRESS]) == 0
    (root / "etc/porthole").chmod(0o700)
    words = ("certificate", "--cert", str(own), "--key", str(own))
    assert main(["--root", str(root), *words]) == 78
    assert "chmod o+x /etc/porthole" in capsys.readouterr().err


@pytest.mark.parametrize("more", ['ice_policy = "relay', 'stun = ["stun:elsewhere"]'])
def test_settings_of_ones_own_that_no_server_could_read_change_nothing(
    tmp_path: Path, more: str
) -> None:
    """Not TOML, and a word that is above already."""
    assert main(["--root", str(tmp_path), "set-up", *_SITE, *_ADDRESS]) == 0
    own = tmp_path / "etc/porthole/more.toml"
    own.write_text(more)
    before = _files(tmp_path)
    assert main(["--root", str(tmp_path), "set-up", *_SITE, "--address", "203.0.113.9"]) == 78
    assert main(["--root", str(tmp_path), "rotate"]) == 78
    assert _files(tmp_path) == before
    own.write_text('ice_policy = "relay"')
    assert main(["--root", str(tmp_path), "set-up"]) == 0
    assert own.stat().st_mode & 0o777 == 0o600


def test_no_answer_is_passed_over(tmp_path: Path) -> None:
    """Who says one later has to say all: the former may not fit."""
    assert main(["--root", str(tmp_path), "set-up", *_SITE, *_ADDRESS]) == 0
    assert main(["--root", str(tmp_path), "set-up", "--external", "203.0.113.9"]) == 78


def test_a_place_that_cannot_be_written_to_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "etc").write_text("a file")
    assert main(["--root", str(tmp_path), "set-up", *_SITE, *_ADDRESS]) == 74
    assert "etc" in capsys.readouterr().err
