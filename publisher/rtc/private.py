"""Where we reach into aiortc and aioice, why, and whether it still holds.

Each change here mends something that has no public way. ``install`` runs once at start; when the
libraries have moved on it changes nothing and says what is lost, so that stock behaviour remains.
"""

import asyncio
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import aioice.ice
import aiortc
import aiortc.codecs
import aiortc.rtcrtpsender
from aioice.turn import TurnTransport
from aiortc import (
    RTCDtlsTransport,
    RTCPeerConnection,
    RTCRtpCodecParameters,
    RTCRtpSender,
)
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpHeaderExtensionParameters

from publisher.rtc import selftest
from publisher.rtc.ice import trial, turn
from publisher.rtc.ice.agent import Agent, Listener
from publisher.rtc.ice.hosts import Network
from publisher.rtc.sender import PLAYOUT_DELAY, CameraSender, DirectSender
from rendezvous.wire.messages import IceServer

logger = logging.getLogger(__name__)

INBOUND_BYTES: Final = 16 * 1024  # stock: 1 MiB; viewers send texts of a few words
GATHER_SECONDS: Final = 0.8  # stock: 5 s whenever a server is silent; where there are no agents
HISTORY_PACKETS: Final = 1024  # of stock senders; 128 is less than one IDR at 8 Mbit/s
_beginning: set[asyncio.Future[None]] = set()
CAMERA_PROFILES: Final = ("4d001f", "64001f", "640c1f")  # stock: 42001f and 42e01f only


_network = Network()


def install(network: Network = _network, authority: str = "") -> None:
    """Applies all changes, or none with a warning when a name is missing.

    Every connection of this process uses the host's addresses and ports as the network says. The
    authority, a PEM file, is believed by TURN over TLS as the system's are.
    """
    global _network  # noqa: PLW0603  # one machine has one
    _network = network
    turn.trust(authority)
    sender_type()
    has_agents()
    missing = list(_missing())
    if missing:
        logger.warning(
            "aiortc %s is not the version this was written for (%s): ICE may be slow, lost packets "
            "may stay lost. Install aiortc 1.16.",
            aiortc.__version__,
            ", ".join(missing),
        )
        return
    component: Any = aioice.ice.Connection.get_component_candidates
    component.__defaults__ = (GATHER_SECONDS,)
    history: Any = aiortc.rtcrtpsender
    history.RTP_HISTORY_SIZE = HISTORY_PACKETS
    _add_profiles(CAMERA_PROFILES)
    _add_extension(PLAYOUT_DELAY)


def _missing() -> Iterable[str]:
    gather = inspect.signature(aioice.ice.Connection.get_component_candidates)
    if gather.parameters.get("timeout") is None or list(gather.parameters)[-1] != "timeout":
        yield "gathering timeout"
    if not hasattr(aiortc.rtcrtpsender, "RTP_HISTORY_SIZE"):
        yield "RTP history"
    if "_RTCRtpSender__ntp_timestamp" not in RTCRtpSender._run_rtcp.__code__.co_names:  # noqa: SLF001
        yield "sender report clock"
    if not hasattr(RTCRtpSender, "_handle_rtcp_packet"):
        yield "RTCP"
    if not hasattr(aioice.ice.Connection, "request_received"):
        yield "ICE checks"
    if not hasattr(aiortc.RTCSctpTransport, "_receive_data_chunk"):
        yield "data channels"
    if not hasattr(aioice.ice.StunProtocol, "request"):
        yield "answers to ICE checks"
    if not isinstance(aiortc.codecs.CODECS.get("video"), list):
        yield "codecs"
    if not isinstance(getattr(aiortc.codecs, "HEADER_EXTENSIONS", {}).get("video"), list):
        yield "header extensions"


def _add_profiles(profiles: Iterable[str]) -> None:
    """Lets a camera's true profile be negotiated: Safari shows High announced as Baseline black."""
    codecs = aiortc.codecs.CODECS["video"]
    known = {codec.parameters.get("profile-level-id") for codec in codecs}
    free = max(codec.payloadType or 0 for codec in codecs) + 1
    for profile in profiles:
        if profile not in known:
            codecs += _h264(profile, free)
            free += 2


def _add_extension(uri: str) -> None:
    """Lets a header extension of pictures be negotiated."""
    kinds = aiortc.codecs.HEADER_EXTENSIONS
    if all(extension.uri != uri for extension in kinds["video"]):
        free = max(extension.id for known in kinds.values() for extension in known) + 1
        kinds["video"].append(RTCRtpHeaderExtensionParameters(id=free, uri=uri))


def _h264(profile: str, payload_type: int) -> list[RTCRtpCodecParameters]:
    feedback = [
        RTCRtcpFeedback(type="nack"),
        RTCRtcpFeedback(type="nack", parameter="pli"),
        RTCRtcpFeedback(type="goog-remb"),
    ]
    return [
        RTCRtpCodecParameters(
            mimeType="video/H264",
            clockRate=90_000,
            payloadType=payload_type,
            rtcpFeedback=feedback,
            parameters={
                "level-asymmetry-allowed": "1",
                "packetization-mode": "1",
                "profile-level-id": profile,
            },
        ),
        RTCRtpCodecParameters(
            mimeType="video/rtx",
            clockRate=90_000,
            payloadType=payload_type + 1,
            parameters={"apt": payload_type},
        ),
    ]


@functools.cache
def sender_type() -> type[CameraSender]:
    """What to send with: our own road if it passes its test, otherwise aiortc's."""
    try:
        selftest.check()
    except Exception as error:  # noqa: BLE001  # libraries that have moved on fail in any way
        logger.warning(
            "aiortc %s is not the version this was written for (%r): each viewer costs several "
            "times as much. Install aiortc 1.16.",
            aiortc.__version__,
            error,
        )
        return CameraSender
    return DirectSender


@functools.cache
def has_agents() -> bool:
    """Whether our own ICE agents pass their test; otherwise aiortc gathers, and takes its time."""
    try:
        trial.check()
    except Exception as error:  # noqa: BLE001  # libraries that have moved on fail in any way
        logger.warning(
            "aioice is not the version this was written for (%r): silent STUN and TURN servers "
            "delay every viewer, and one of each is asked. Install aioice 0.13.",
            error,
        )
        return False
    turn.install()
    return True


def adopt_agent(
    connection: RTCPeerConnection, servers: Sequence[IceServer], listener: Listener, *, wait: bool
) -> Agent | None:
    """Our agent in the place of aioice's connection; ``wait`` as long as a peer needs it to.

    To be called when there is a transport, and before there is a local description.
    """
    if not has_agents():
        return None
    (stock,) = _ice(connection)
    return Agent.adopt(stock, servers, _network, listener, trickles=not wait)


def begin_checks(connection: RTCPeerConnection) -> None:
    """To be called at each local candidate: without any aiortc does not begin to connect."""
    names: Any = connection
    if _transports(connection)[0].transport.state == "new":
        task = asyncio.ensure_future(names._RTCPeerConnection__connect())  # noqa: SLF001
        _beginning.add(task)
        task.add_done_callback(_beginning.discard)


def watch_ice(connection: RTCPeerConnection, on_heard: Callable[[], None]) -> None:
    """Calls back at every ICE check of the peer: browsers send one every few seconds (RFC 7675).

    For where there are no agents of ours, which do so by themselves; as ``watch_consent``.
    """
    for ice in _ice(connection):
        stock = ice.request_received

        def heard(*arguments: Any, stock: Any = stock) -> None:
            on_heard()
            stock(*arguments)

        ice.request_received = heard


def watch_consent(connection: RTCPeerConnection, on_heard: Callable[[], None]) -> None:
    """Calls back at every answer to a check of ours; ICE-lite peers send none of their own.

    To be called when the candidates are gathered and nothing is connected yet.
    """
    for ice in _ice(connection):
        for protocol in ice._protocols:  # noqa: SLF001
            protocol.request = _noting(protocol.request, on_heard)


def _ice(connection: RTCPeerConnection) -> list[Any]:
    """Aioice's connection, if there is one yet: in a bundle the first transceiver's is all's."""
    return [dtls.transport._connection for dtls in _transports(connection)]  # noqa: SLF001


def _transports(connection: RTCPeerConnection) -> list[RTCDtlsTransport]:
    dtls = [transceiver.sender.transport for transceiver in connection.getTransceivers()[:1]]
    if not dtls and connection.sctp:
        dtls = [connection.sctp.transport]
    return dtls


def local_address(connection: RTCPeerConnection) -> str | None:
    """The IP address that datagrams of the nominated pair leave from."""
    for ice in _ice(connection):
        for pair in ice._nominated.values():  # noqa: SLF001
            transport: Any = pair.protocol.transport
            if isinstance(transport, TurnTransport):
                transport = transport._TurnTransport__inner_protocol.transport  # type: ignore[attr-defined]  # noqa: SLF001
            address: tuple[str, int] | None = transport.get_extra_info("sockname")
            return address[0] if address else None
    return None


def bound_inbound(connection: RTCPeerConnection) -> None:
    """Keeps a viewer from piling up data here: aiortc announces a window and never enforces it."""
    sctp: Any = connection.sctp
    if getattr(sctp, "_advertised_rwnd", 0) <= INBOUND_BYTES:
        return
    stock = sctp._receive_data_chunk  # noqa: SLF001

    async def bounded(chunk: Any) -> None:
        await stock(chunk)
        if sctp._advertised_rwnd < 0:  # noqa: SLF001
            raise ConnectionError("more data than there is room for")  # aiortc hangs up

    sctp._advertised_rwnd = INBOUND_BYTES  # noqa: SLF001
    sctp._receive_data_chunk = bounded  # noqa: SLF001


def _noting(stock: Callable[..., Awaitable[Any]], on_heard: Callable[[], None]) -> Any:
    async def request(*arguments: Any, **options: Any) -> Any:
        answer = await stock(*arguments, **options)
        on_heard()
        return answer

    return request


def negotiated(connection: RTCPeerConnection, kind: str) -> str | None:
    """The codec that would be sent, as in ``video/H264``; None when there is none."""
    for transceiver in connection.getTransceivers():
        codecs = transceiver._codecs  # noqa: SLF001
        if transceiver.kind == kind and codecs:
            return str(codecs[0].mimeType)
    return None
