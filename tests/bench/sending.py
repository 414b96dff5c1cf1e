"""What a viewer costs the sending process, beside aiortc as it comes and beside Janus.

All three send the same 720p30 of 2 Mbit/s to the same receivers, which lose 2 % of the packets and
ask for them again. The numbers of viewers take turns, so that a machine that slows down slows all.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection

from rendezvous.wire.messages import End
from tests.support import peers
from tests.support.bench import Figure, benchmark
from tests.support.daemon import Publisher, publisher
from tests.support.janus_stream import JanusStream, janus_stream
from tests.support.light_viewer import LightViewer, Link, answering_pings
from tests.support.processes import cpu_seconds, resident
from tests.support.rtp_receiver import RtpReceiver
from tests.support.server import running_program
from tests.support.waiting import until

VIEWERS: Final = (1, 8, 48)
SECONDS: Final = 6.0
LOSS: Final = 0.02
_PLACES: Final = str(2 * max(VIEWERS))
_ROOT: Final = Path(__file__).parents[2]
_STOCK: Final = """
from publisher.rtc import selftest
def fail():
    raise selftest.SelfTestError("the road under comparison is closed")
selftest.check = fail
from publisher.__main__ import main
main()
"""
_PUBLISHERS: Final = {"ours": None, "stock": [sys.executable, "-c", _STOCK]}


@asynccontextmanager
async def even_camera(udp: int) -> AsyncIterator[str]:
    """The camera of all three, in a process of its own; its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.even_camera", "--udp", str(udp),
        cwd=_ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout
        yield (await process.stdout.readline()).decode().split()[1]
    finally:
        process.kill()
        await process.wait()


@dataclass
class Sender:
    """A sending process and a way to watch it."""

    pid: int
    join: Callable[[AsyncExitStack], Awaitable[RtpReceiver]]
    costs: dict[int, float] = field(default_factory=dict)  # µs by viewers
    memory: dict[int, float] = field(default_factory=dict)  # MB by viewers
    missing: int = 0  # packets that were never repaired
    repaired: int = 0

    async def measure(self, viewers: int) -> None:
        """Notes what so many viewers cost for each packet and viewer."""
        async with AsyncExitStack() as stack:
            receivers = [await self.join(stack) for _ in range(viewers)]
            await until(lambda: all(r.received > 200 for r in receivers), 20)
            for receiver in receivers:
                receiver.forget()
                receiver.loss = LOSS
            spent = cpu_seconds(self.pid)
            await asyncio.sleep(SECONDS)
            spent = cpu_seconds(self.pid) - spent
            self.costs[viewers] = spent * 1e6 / sum(r.arrived for r in receivers)
            self.memory[viewers] = resident(self.pid) / 1e6
            await self._repair(receivers)

    async def _repair(self, receivers: list[RtpReceiver]) -> None:
        """The last losses need a moment, without new ones."""
        for receiver in receivers:
            receiver.loss = 0.0
        await asyncio.sleep(0.5)
        self.missing += sum(len(r.video.missing) for r in receivers if r.video)
        self.repaired += sum(r.repaired for r in receivers)


# ── the three ────────────────────────────────────────────────────────────────────────────────


def _of_publisher(process: Publisher, link: Link) -> Sender:
    async def join(stack: AsyncExitStack) -> RtpReceiver:
        peer = await stack.enter_async_context(peers.connect(link.host, link.port, transport="ws"))
        viewer = LightViewer()
        stack.push_async_callback(viewer.connection.close)
        receivers: list[RtpReceiver] = []
        session = await viewer.watch(peer, link, lambda c: receivers.append(RtpReceiver(c)))
        await stack.enter_async_context(answering_pings(peer))
        stack.push_async_callback(peer.send, End(session=session, reason="left"))
        stack.callback(receivers[0].close)
        return receivers[0]

    return Sender(process.process.pid, join)


def _of_janus(janus: JanusStream) -> Sender:
    async def join(stack: AsyncExitStack) -> RtpReceiver:
        configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        viewer = RTCPeerConnection(configuration)
        stack.push_async_callback(viewer.close)
        handle, offer = await janus.offer()
        stack.push_async_callback(handle.destroy)
        connecting = asyncio.create_task(janus.connect(handle, offer, viewer))
        await until(lambda: viewer.localDescription)
        receiver = RtpReceiver(viewer)
        await connecting
        stack.callback(receiver.close)
        return receiver

    return Sender(janus.process.pid, join)


@asynccontextmanager
async def senders_of(*names: str) -> AsyncIterator[tuple[dict[str, Sender], dict[str, str]]]:
    """Those of "janus", "ours" and "stock", running; and the links of the last two."""
    async with AsyncExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found: dict[str, Sender] = {}
        udp = 0
        if "janus" in names:
            janus = await stack.enter_async_context(janus_stream(state / "janus"))
            found["janus"], udp = _of_janus(janus), janus.udp
        camera = await stack.enter_async_context(even_camera(udp))
        server = await stack.enter_async_context(
            running_program("--viewers-per-room", _PLACES, state=state / "r.sqlite")
        )
        words = ["start", "--server", f"127.0.0.1:{server.port}", "--source", camera]
        words += ["--viewers", _PLACES]
        links = {}
        for name, program in _PUBLISHERS.items():
            if name not in names:
                continue
            process = await stack.enter_async_context(
                publisher(*words, "--room", name.title(), state=state / name, program=program)
            )
            links[name] = await process.link()
            found[name] = _of_publisher(process, Link.parse(links[name]))
            await process.says(": live: ")
        yield found, links


@benchmark
async def sending() -> AsyncIterator[Figure]:
    """CPU of the sending process by packet and viewer."""
    async with senders_of("janus", "ours", "stock") as (found, _):
        for viewers in VIEWERS:
            for sender in found.values():
                await sender.measure(viewers)
    ours, janus, stock = (found[name] for name in ("ours", "janus", "stock"))
    for viewers in VIEWERS:
        for name, sender in found.items():
            yield Figure(f"{viewers}.{name}", sender.costs[viewers], "µs")
        against_janus = ours.costs[viewers] / janus.costs[viewers]
        against_stock = ours.costs[viewers] / stock.costs[viewers]
        most = viewers == VIEWERS[-1]
        yield Figure(f"{viewers}.of-janus", against_janus, "", at_most=0.5 if most else 1.0)
        yield Figure(f"{viewers}.of-stock", against_stock, "", at_most=0.4 if most else None)
    some, many = VIEWERS[1:]
    further = (ours.memory[many] - ours.memory[some]) / (many - some)
    yield Figure(f"{some}.memory", ours.memory[some], "MB", at_most=100)
    yield Figure("memory-of-a-further-one", further, "MB", at_most=0.5)
    yield Figure("never-repaired", ours.missing, "packets", at_most=0)
    yield Figure("repaired", ours.repaired, "packets", at_least=1)
