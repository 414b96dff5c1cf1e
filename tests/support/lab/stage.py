"""The programs of the laboratory: each is the real one, on the host where it belongs."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import Browser

from tests.support import daemon
from tests.support.browser import CHROMIUM, browser
from tests.support.certificates import write_certificate
from tests.support.coturn import Coturn
from tests.support.daemon import Publisher
from tests.support.lab.access import Place
from tests.support.lab.lab import Host, Lab
from tests.support.server import Program, running_program

WEB_PORT: Final = 443  # of the rendezvous and of TURN over TLS: what every network lets out
TURN_PORT: Final = 3478
THIN: Final = "test:?size=640x360&bitrate=250000"
SOURCE: Final = "test:?size=640x360&bitrate=600000&gop=60"
ORIGIN: Final = f"rendezvous.lab:{WEB_PORT}"
PAGE_ORIGIN: Final = f"http://{ORIGIN}"

# Everybody here has addresses that no relay of an operator's may send to.
_PEERS: Final = (
    "allowed-peer-ip=198.51.100.0-198.51.100.255",
    "allowed-peer-ip=203.0.113.0-203.0.113.255",
)
_BROWSER: Final = (
    # The page's origin is what it would be with a certificate: WebCodecs are for such only.
    f"--unsafely-treat-insecure-origin-as-secure={PAGE_ORIGIN}",
    # TURN over TLS: the certificate is the laboratory's own.
    "--ignore-certificate-errors",
)


def _listens(host: Host, port: int) -> bool:
    """Whether a program in the host's namespace has a UDP socket on the port."""
    table = subprocess.run((*host.prefix, "cat", "/proc/net/udp"), check=True, capture_output=True)
    return f":{port:04X} ".encode() in table.stdout


@contextmanager
def turn_server(lab: Lab, folder: Path, name: str = "turn") -> Iterator[Coturn]:
    """Debian's coturn with the operators' file, on one of the laboratory's hosts."""
    host = lab.hosts[name]
    v4, v6 = host.addresses
    own = folder / name
    own.mkdir()
    server = Coturn(
        own,
        *_PEERS,
        f"listening-ip={v6}",
        f"relay-ip={v6}",
        host=v4,
        port=TURN_PORT,
        tls_port=WEB_PORT,
        wrap=host.prefix,
        ready=lambda: _listens(host, TURN_PORT),
    )
    write_certificate(server.certificate, (f"{name}.lab",))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def ice_words(*turn_hosts: str) -> list[str]:
    """Options of a rendezvous that hands out STUN and TURN, over UDP, TCP and TLS, on each."""
    words = []
    for name in turn_hosts:
        plain = f"{name}.lab:{TURN_PORT}"
        words += ["--stun", f"stun:{plain}"]
        for url in (
            f"turn:{plain}?transport=udp",
            f"turn:{plain}?transport=tcp",
            f"turns:{name}.lab:{WEB_PORT}?transport=tcp",
        ):
            words += ["--turn", url]
    return words


@asynccontextmanager
async def rendezvous(
    lab: Lab, folder: Path, *turns: Coturn, words: tuple[str, ...] = ()
) -> AsyncIterator[Program]:
    """The real rendezvous on its host, over both families, with these TURN servers."""
    hosts = [turn.log.parent.name for turn in turns]
    secret = {"RENDEZVOUS_TURN_SECRET": turns[0].secrets[0]} if turns else {}
    origins = ("--listen", f"[::]:{WEB_PORT}", "--public-origin", ORIGIN)
    async with running_program(
        *origins,
        *ice_words(*hosts),
        *words,
        state=folder / "rendezvous.sqlite",
        host="0.0.0.0",
        port=WEB_PORT,
        environ=secret,
        prefix=lab.hosts["rendezvous"].prefix,
    ) as program:
        yield program


def _trusted(folder: Path) -> Path:
    """The certificates of all TURN servers, in one file."""
    trusted = folder / "trusted.pem"
    trusted.write_bytes(b"".join(pem.read_bytes() for pem in sorted(folder.glob("*/turn.pem"))))
    return trusted


@asynccontextmanager
async def publisher(
    lab: Lab, folder: Path, *words: str, host: str = "camera", source: str = SOURCE
) -> AsyncIterator[Publisher]:
    """The real publisher on a host; it trusts the certificates of the laboratory's TURN servers."""
    state = folder / host
    state.mkdir(exist_ok=True)
    trusted = _trusted(folder)
    async with daemon.publisher(
        *("start", "--server", ORIGIN, "--room", "Lab", "--source", source),
        *words,
        state=state,
        environ={"SSL_CERT_FILE": str(trusted)},
        program=(*lab.hosts[host].prefix, daemon.COMMAND),
    ) as running:
        yield running


@asynccontextmanager
async def chromium(lab: Lab, folder: Path, host: str = "viewer") -> AsyncIterator[Browser]:
    """Debian's Chromium on a host: playwright speaks to it through pipes, which it inherits."""
    script = folder / f"chromium-{host}"
    script.write_text(f'#!/bin/sh\nexec {" ".join(lab.hosts[host].prefix)} {CHROMIUM} "$@"\n')
    script.chmod(0o755)
    async with browser(autoplay=True, arguments=_BROWSER, executable=str(script)) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Stage:
    """All programs but the camera's, which comes and goes."""

    lab: Lab
    folder: Path
    turns: tuple[Coturn, ...]
    rendezvous: Program
    chromium: Browser


@asynccontextmanager
async def stage(lab: Lab, folder: Path, *, turns: int = 1) -> AsyncIterator[Stage]:
    """Rendezvous, TURN servers and a browser; the hosts of people are seated later."""
    async with AsyncExitStack() as stack:
        names = ("turn", "turn2")[:turns]
        servers = tuple(stack.enter_context(turn_server(lab, folder, name)) for name in names)
        program = await stack.enter_async_context(rendezvous(lab, folder, *servers))
        running = await stack.enter_async_context(chromium(lab, folder))
        yield Stage(lab, folder, servers, program, running)


class Camera:
    """The one camera: it goes on from test to test for as long as it stays where it is."""

    def __init__(self, scene: Stage) -> None:
        self._scene = scene
        self._running = AsyncExitStack()
        self._link = ""

    async def at(self, place: Place) -> str:
        """Its link, when it is there."""
        seat = self._scene.lab.hosts["camera"].seat
        if seat is None or seat.place != place:
            await self.stop()
            await self._scene.lab.seat(camera=place)
            started = publisher(self._scene.lab, self._scene.folder, source=THIN)
            self._link = await (await self._running.enter_async_context(started)).link()
        return self._link

    async def stop(self) -> None:
        """Ends it, if it runs."""
        await self._running.aclose()
