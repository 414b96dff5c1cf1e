"""What docs/hosting.md tells, done on a Debian machine of one's own: ``… STORY`` in namespaces.

The files are this machine's until something is written, then this process's alone; so are network
and processes. Not real are the downloads (apt-get, pip), systemd, and the authority that certbot
asks. Everything raises.
"""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.request import urlopen

from rendezvous.wire.messages import IceServer
from tests.support import peers
from tests.support.turn_client import RefusedError, turn_client_at
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/hosting.md"
NAME, TURN = "watch.example.org", "turn.example.org"
# Ordinary ones here: no relay leads to those that the document has.
ADDRESSES = {"203.0.113.7": "44.0.0.7", "203.0.113.8": "44.0.0.8"}
_FIRST, _SECOND = ADDRESSES.values()
_STAND_INS = Path("/run/stand-ins")
_WORK = Path("/run/work")
_KEY = peers.Key()
DOWNLOADS = _WORK / "downloads"
_PORTHOLE = Path("/opt/porthole/bin")
_STEP = 0.02

# ── the machine ──────────────────────────────────────────────────────────────────────────────


def make_machine(turn_address: str) -> None:
    """Folders, addresses, names and programs of its own."""
    _run("mount", "--make-rprivate", "/")
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    _copy_settings(Path("/run/etc"))
    _run("mount", "--bind", "/run/etc", "/etc")
    _shadow(Path("/opt"))
    Path("/etc/turnserver.conf").write_text("listening-ip=127.0.0.1\nuserdb=:memory:\n")
    Path("/etc/haproxy/haproxy.cfg").write_text("# as the package brings it\n")
    _run("ip", "link", "set", "lo", "up")
    for address in ADDRESSES.values():
        _run("ip", "address", "add", f"{address}/32", "dev", "lo")
    Path("/etc/hosts").write_text(f"{_FIRST} {NAME}\n{turn_address} {TURN}\n")
    _make_stand_ins()


def _copy_settings(to: Path) -> None:
    """Those of this machine, without what laboratories that run beside us make and remove there."""
    to.mkdir()
    kept = (str(entry) for entry in Path("/etc").iterdir() if entry.name != "netns")
    _run("cp", "-a", *kept, str(to))


def _shadow(folder: Path) -> None:
    """The same, and what is made there from now on is made in memory."""
    real = Path(f"/run{folder}")
    real.mkdir()
    _run("mount", "--bind", str(folder), str(real))
    _run("mount", "-t", "tmpfs", "tmpfs", str(folder))
    for entry in real.iterdir():
        (folder / entry.name).symlink_to(entry)


def _make_stand_ins() -> None:
    _WORK.mkdir()
    units = Path(__file__).with_name("units.py")  # the standard library is all that it needs
    _script(_STAND_INS / "systemctl", f'exec {sys.executable} -IS {units} "$@"')
    _script(_STAND_INS / "apt-get", f'echo apt-get "$@" >>{DOWNLOADS}')
    story = f"{sys.executable} -m tests.support.hosting_story"
    _script(_STAND_INS / "certbot", f'cd {ROOT} && exec {story} certbot "$@"')
    _script(_PORTHOLE / "pip", f'echo pip "$@" >>{DOWNLOADS}')
    program = Path(sys.executable).with_name("rendezvous")
    _script(_PORTHOLE / "rendezvous", f'exec {program} "$@"')


def _script(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def certbot(*words: str) -> None:
    """An authority made anew each time, with the document's commands; then the hook."""
    assert {"-d", NAME, TURN} <= set(words)
    lineage = _WORK / "lineage"
    lineage.mkdir(exist_ok=True)
    made = says("From an authority of your own").rpartition("deploy/host")[0]
    subprocess.run(("sh", "-eu"), input=made, text=True, check=True, cwd=lineage)
    (lineage / "chain.pem").rename(lineage / "fullchain.pem")
    (lineage / "own.key").rename(lineage / "privkey.pem")
    shutil.copy(lineage / "ca.pem", _WORK)
    hook = words[words.index("--deploy-hook") + 1]
    environment = {**os.environ, "RENEWED_LINEAGE": str(lineage)}
    subprocess.run(hook, shell=True, check=True, env=environment)


# ── the document ─────────────────────────────────────────────────────────────────────────────


def says(heading: str) -> str:
    """The commands under a heading of the document, to be run by a shell."""
    text = DOCUMENT.read_text(encoding="utf-8")
    section = re.split(rf"^#+ {re.escape(heading)}$", text, flags=re.MULTILINE)[1]
    own = re.split(r"^#+ ", section, maxsplit=1, flags=re.MULTILINE)[0]
    commands = re.findall(r"^```sh\n(.*?)^```$", own, re.MULTILINE | re.DOTALL)
    assert commands, f"nothing to do under {heading}"
    return "".join(commands)


def do(heading: str) -> None:
    """What the document says there."""
    shell(says(heading))


def check() -> None:
    """What the document says; its own look at the rendezvous gives up after ten seconds."""
    wait()
    do("4. Does it work?")


def wait() -> None:
    """Until the rendezvous runs again, and coturn has the certificate that is to be believed."""
    end = time.monotonic() + PATIENCE
    while not (_answers() and _shows_its_certificate()):
        assert time.monotonic() < end, "the services do not come back"
        time.sleep(_STEP)


def _shows_its_certificate() -> bool:
    """It reads a new one when it comes to the signal that asks it to."""
    try:
        with socket.create_connection((TURN, 443), PATIENCE) as plain:
            trusted().wrap_socket(plain, server_hostname=TURN).close()
    except OSError:
        return False
    return True


def _answers() -> bool:
    try:
        with urlopen(f"https://{NAME}/healthz", timeout=1, context=trusted()) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def shell(text: str) -> None:
    """Runs commands of the document, as if in the checkout."""
    path = f"{_STAND_INS}:{os.environ['PATH']}"
    environment = {"HOME": str(_WORK), "PATH": path, "SSL_CERT_FILE": str(_WORK / "ca.pem")}
    # Files that the commands make belong into a folder of the test's.
    text = text.replace("deploy/", f"{ROOT}/deploy/").replace("$PWD/", "")
    for written, own in ADDRESSES.items():
        text = text.replace(written, own)
    subprocess.run(("sh", "-eux"), input=text, text=True, check=True, env=environment, cwd=_WORK)


# ── what must be true then ───────────────────────────────────────────────────────────────────


def trusted() -> ssl.SSLContext:
    """A client that believes the operator's authority only."""
    return ssl.create_default_context(cafile=str(_WORK / "ca.pem"))


async def credentials() -> tuple[IceServer, ...]:
    """What a viewer is handed: a camera claims at the one port, the viewer joins at the other."""
    tls = trusted()
    async with (
        peers.connect(NAME, 443, tls=tls) as camera,
        peers.connect(NAME, 4545, transport="ws", tls=tls) as viewer,
    ):
        await peers.claim(camera, _KEY, "MyRoom")
        return (await peers.joined(viewer, "MyRoom")).ice_servers


def relayed(servers: Sequence[IceServer]) -> dict[str, str]:
    """Where each TURN URL relays; refusals raise."""
    found = {}
    for server in servers:
        for url in server.urls if server.username else ():
            user = (server.username or "", server.credential or "")
            with turn_client_at(url, *user, trusted()) as client:
                found[url] = client.allocate()
    return found


def check_relays(turn_address: str) -> tuple[IceServer, ...]:
    """Over UDP, TCP, and TLS on 443, with what a viewer is handed; from the public address."""
    servers = asyncio.run(credentials())
    assert relayed(servers) == {
        f"turn:{TURN}:3478?transport=udp": turn_address,
        f"turn:{TURN}:3478?transport=tcp": turn_address,
        f"turns:{TURN}:443?transport=tcp": turn_address,
    }
    return servers


def check_files(*, shared: bool) -> None:
    """Who can read which secrets; and no command line has one."""
    secret = Path("/etc/porthole/turn-secret").read_text().split()[0]
    modes = {
        "/etc/porthole/turn-secret": (0o600, "root"),
        "/etc/porthole/rendezvous.toml": (0o600, "root"),
        "/etc/turnserver.conf": (0o640, "turnserver"),
        "/etc/porthole/tls/key.pem": (0o640, "turnserver"),
    }
    for name, (mode, group) in modes.items():
        file = Path(name)
        assert (file.stat().st_mode & 0o777, file.group(), file.owner()) == (mode, group, "root")
    kept = {str(file) for file in Path("/etc").rglob("*.before-porthole")}
    brought = {"/etc/turnserver.conf", *(["/etc/haproxy/haproxy.cfg"] if shared else [])}
    assert kept == {f"{name}.before-porthole" for name in brought}
    for file in (f for f in Path("/etc").rglob("*") if f.is_file() and _written_for_all(f)):
        assert secret not in file.read_text(errors="replace"), file
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            assert secret.encode() not in process.read_bytes(), process


def _written_for_all(file: Path) -> bool:
    """Whether everybody may read it, and it is not what the machine came with."""
    seen = file.stat()
    return bool(seen.st_mode & 0o004) and seen.st_mtime > _STAND_INS.stat().st_mtime


def check_repetition() -> None:
    """Nothing is written a second time."""
    before = {f: f.stat().st_mtime_ns for f in Path("/etc").rglob("*") if f.is_file()}
    _run("sh", "-c", f"PATH={_STAND_INS}:$PATH {ROOT}/deploy/host set-up")
    assert before == {f: f.stat().st_mtime_ns for f in before}


def check_rotation(turn_address: str, former: Sequence[IceServer]) -> None:
    """Old and new credentials open relays; after a leak only new ones do."""
    do("5. Later")
    wait()
    relayed(former)
    newer = check_relays(turn_address)
    _run("sh", "-c", f"PATH={_STAND_INS}:$PATH {ROOT}/deploy/host rotate --leaked")
    wait()
    for stale in (former, newer):
        with contextlib.suppress(RefusedError):
            relayed(stale)
            raise AssertionError("a credential of a leaked secret opens a relay")
    check_relays(turn_address)


def start_as_the_package_does() -> None:
    """With the settings of the package, until there are others."""
    for verb in ("unmask", "start"):
        _run(str(_STAND_INS / "systemctl"), verb, "coturn")


# ── the stories ──────────────────────────────────────────────────────────────────────────────


def one_address() -> None:
    """With an authority of one's own; later a new secret, and a leak."""
    make_machine(_FIRST)
    do("1. Programs")
    start_as_the_package_does()
    for heading in ("One address", "From an authority of your own"):
        do(heading)
    check()
    servers = check_relays(_FIRST)
    check_files(shared=True)
    check_repetition()
    check_rotation(_FIRST, servers)
    assert "pip install" in DOWNLOADS.read_text()


def two_addresses() -> None:
    """With certbot, and a renewal while a relay runs."""
    make_machine(_SECOND)
    do("1. Programs")
    start_as_the_package_does()
    for heading in ("Two addresses", "From Let's Encrypt"):
        do(heading)
    check()
    check_relays(_SECOND)
    check_files(shared=False)
    check_renewal(_SECOND)
    assert "apt-get install -y certbot" in DOWNLOADS.read_text()


def check_renewal(turn_address: str) -> None:
    """A renewed certificate is served, and the relay that ran is still there."""
    server = asyncio.run(credentials())[-1]
    url = f"turns:{TURN}:443?transport=tcp"
    with turn_client_at(url, server.username or "", server.credential or "", trusted()) as client:
        client.allocate()
        do("From Let's Encrypt")  # with a new key; trusted() believes that one only
        client.refresh(600)
    wait()
    check_relays(turn_address)


STORIES = {"one-address": one_address, "two-addresses": two_addresses, "certbot": certbot}


def main(story: str, *words: str) -> None:
    """Tells it; if it fails, what the services said as well."""
    try:
        STORIES[story](*words)
    except BaseException:
        for log in Path("/run/units").glob("*.log"):
            sys.stderr.write(f"── {log.name}\n{log.read_text()[-3000:]}")
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
