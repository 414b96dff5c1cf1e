"""The camera's end of one peer connection: answers or offers, and knows whether it lives."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence

from aioice.candidate import Candidate
from aioice.ice import Connection
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidStateError
from aiortc.rtcicetransport import parse_stun_turn_uri
from aiortc.rtcrtpparameters import RTCRtpCodecCapability
from aiortc.sdp import candidate_from_sdp

from publisher.errors import PublisherError
from publisher.rtc import private, sdp
from publisher.rtc.channel import SMALLEST_LIMIT, ChannelDoor
from publisher.rtc.ice.agent import Agent
from publisher.rtc.ice.candidates import LocalCandidate, to_wire
from publisher.rtc.ice.nomination import Route
from publisher.rtc.path import Path
from publisher.rtc.sender import CameraSender, DirectSender
from publisher.rtc.stream import RtpStream
from rendezvous.wire.messages import SDP_BYTES, IceCandidate, IcePolicy, IceServer

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0
MOST_REFUSED_CHANNELS = 1


class OfferRefusedError(PublisherError):
    """The viewer's offer cannot be answered."""


class AnswerRefusedError(PublisherError):
    """What was answered to our offer cannot carry the stream."""


class Peer:
    """One RTCPeerConnection, which answers a browser or offers to an SFU.

    Calls must not overlap: aiortc is not re-entrant. ``on_picture_lost`` is called whenever the
    receiver says that it cannot go on without a key frame.

    ``on_candidate`` is called with each local candidate that is not in the description, and in the
    end once with None, never before ``answer`` has returned. Without it the other side cannot
    trickle, and its description waits for all candidates, 0.8 s at the most.
    """

    def __init__(
        self,
        ice_servers: Sequence[IceServer],
        policy: IcePolicy,
        on_state: Callable[[str], None],
        on_picture_lost: Callable[[], None],
        on_candidate: Callable[[IceCandidate | None], None] | None = None,
    ) -> None:
        self._on_picture_lost = on_picture_lost
        self._on_candidate = on_candidate
        self._path: Path | None = None
        self._ice_servers = ice_servers
        self._connection = RTCPeerConnection(_configuration(ice_servers, policy))
        self._connection.on("connectionstatechange", lambda: on_state(self.state))
        self._connection.on("datachannel", self._knock)
        self._wanted: list[tuple[MediaStreamTrack, Sequence[str]]] = []
        self._senders: list[CameraSender] = []
        self._door: ChannelDoor | None = None
        self._refused_channels = 0
        self._ending: asyncio.Task[None] | None = None
        self._heard = time.monotonic()
        self._agent: Agent | None = None
        self._adopted = False
        self._described = False
        self._mid = ""
        self._complete = False

    @property
    def state(self) -> str:
        """W3C's RTCPeerConnectionState; aiortc knows no "disconnected"."""
        return self._connection.connectionState

    @property
    def silence(self) -> float:
        """Seconds since the viewer's last sign of life on the media path."""
        return time.monotonic() - self._heard

    @property
    def local_address(self) -> str | None:
        """The IP address that media leaves from, on the way to a TURN server too; None: no way."""
        return private.local_address(self._connection)

    @property
    def route(self) -> Route | None:
        """Whether media is relayed, and over what; None: it has no way now."""
        return self._agent.route if self._agent else None

    @property
    def losses(self) -> dict[str, int]:
        """What went wrong on the way to the network, in words, and how often."""
        return self._agent.losses if self._agent else {}

    @property
    def keyframe_requests(self) -> int:
        """PLIs and FIRs so far (RFC 4585 §6.3.1, RFC 5104 §4.3.1)."""
        return sum(sender.plis for sender in self._senders)

    @property
    def retransmission_requests(self) -> int:
        """Packets that NACKs (RFC 4585 §6.2.1) named so far."""
        return sum(sender.nacks for sender in self._senders)

    @property
    def retransmissions(self) -> int:
        """Packets that were sent again so far; stock senders do not say."""
        return sum(stream.repaired for stream in self._streams())

    @property
    def refused_retransmissions(self) -> int:
        """Packets that were asked for and not sent again: too old, or too many."""
        return sum(stream.unrepaired for stream in self._streams())

    @property
    def unencrypted(self) -> int:
        """Bursts that were not sent because libsrtp refused them."""
        return sum(stream.unencrypted for stream in self._streams())

    def _streams(self) -> Iterator[RtpStream]:
        for sender in self._senders:
            if isinstance(sender, DirectSender) and sender.stream:
                yield sender.stream

    @property
    def estimate(self) -> int | None:
        """What the viewer thinks that the path carries, in bit/s; None: it has not said."""
        return next((s.estimate for s in self._senders if s.estimate is not None), None)

    def send(self, track: MediaStreamTrack, codecs: Sequence[str]) -> None:
        """Will send the track, as one of these codecs in this order; before the offer is taken.

        Codecs are names as in SDP, for H.264 followed by the profile: ``H264/640c1f``.
        """
        self._wanted.append((track, codecs))

    def open_to(self, door: ChannelDoor) -> None:
        """Will send through a data channel of the viewer's instead; before the offer is taken."""
        self._door = door

    def _knock(self, channel: RTCDataChannel) -> None:
        if self._door and self._door.lets_in(channel):
            return
        logger.debug("data channel refused: %r %r", channel.label, channel.protocol)
        channel.close()
        self._refused_channels += 1
        # aiortc keeps a channel until the viewer has agreed to its end.
        if self._refused_channels > MOST_REFUSED_CHANNELS:
            self.hang_up()

    async def answer(self, offer: str) -> str:
        """The answer. Raises OfferRefusedError."""
        if not self._door and not sdp.has_h264(offer):
            raise OfferRefusedError(
                "offer_refused",
                "This browser does not offer H.264, which the camera sends.",
                "Use Chrome, Edge or Safari, or give Firefox its OpenH264 plugin.",
            )
        if self._door and sdp.message_limit(offer) < SMALLEST_LIMIT:
            raise OfferRefusedError(
                "offer_refused",
                "This viewer takes only tiny messages, and the picture comes in larger ones.",
                f"Announce a max-message-size of at least {SMALLEST_LIMIT} bytes.",
            )
        try:
            answer = await self._answer(sdp.for_answering(offer), offer)
        except Exception as error:  # aiortc's parser fails in many ways; the viewer's fault in all
            logger.debug("offer refused: %r", error)
            raise OfferRefusedError(
                "offer_refused", "The camera cannot make sense of the viewer's offer."
            ) from error
        if len(answer) > SDP_BYTES:
            raise OfferRefusedError("offer_refused", "The viewer's offer asks for too much.")
        return answer

    def _add_transceivers(self, offer: str) -> None:
        """For what the viewer wants to receive; aiortc answers nothing at all with one too many."""
        for track, codecs in self._wanted:
            if sdp.has_section(offer, track.kind):
                self._add_transceiver(track, codecs)
        self._wanted.clear()

    def _add_transceiver(self, track: MediaStreamTrack, codecs: Sequence[str]) -> None:
        transceiver = self._connection.addTransceiver(track, direction="sendonly")
        # Before the negotiation: later they have no effect, and it would be VP8.
        transceiver.setCodecPreferences(_preferences(track.kind, codecs))
        sender = private.sender_type().adopt(transceiver.sender, self.heard, self._on_picture_lost)
        if isinstance(sender, DirectSender):
            sender.path_over = self._path_over
        self._senders.append(sender)

    def _path_over(self, ice: Connection) -> Path:
        """The one path of all streams: they are bundled."""
        if self._path is None:
            self._path = Path(ice)
        return self._path

    async def _answer(self, offer: str, hidden: str) -> str:
        connection = self._connection
        self._add_transceivers(offer)
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        private.bound_inbound(connection)
        self._adopt()
        self._resolve(sdp.mdns_candidates(hidden))
        await connection.setLocalDescription(await connection.createAnswer())
        if not self._door and private.negotiated(connection, "video") != "video/H264":
            raise ValueError("no H.264 in common")
        return self._describe()

    async def offer(self) -> str:
        """An offer of the tracks with all local candidates; ``accept`` comes next, once."""
        connection = self._connection
        for track, codecs in self._wanted:
            self._add_transceiver(track, codecs)
        self._wanted.clear()
        self._adopt()
        await connection.setLocalDescription(await connection.createOffer())
        if not self._agent:
            private.watch_consent(connection, self.heard)
        return self._describe()

    def _adopt(self) -> None:
        if self._adopted:
            return
        self._adopted = True
        wait = self._on_candidate is None
        self._agent = private.adopt_agent(self._connection, self._ice_servers, self, wait=wait)
        if not self._agent:
            private.watch_ice(self._connection, self.heard)

    # ── local candidates ─────────────────────────────────────────────────────────────────────

    def _describe(self) -> str:
        """The local description. Candidates that come from now on are not in it."""
        text = str(self._connection.localDescription.sdp)
        self._mid = sdp.first_mid(text)
        complete = self._complete or not self._agent
        if not self._described and complete:
            asyncio.get_running_loop().call_soon(self._trickle, None)
        self._described = True
        return text if complete or not self._on_candidate else sdp.incomplete(text)

    def gathered(self, candidate: LocalCandidate | None) -> None:
        """See ice.agent.Listener."""
        self._complete = candidate is None
        if self._described:
            private.begin_checks(self._connection)
            self._trickle(candidate)

    def _trickle(self, candidate: LocalCandidate | None) -> None:
        if self._on_candidate and candidate and self._agent:
            self._on_candidate(to_wire(candidate, self._mid, self._agent.local_username))
        elif self._on_candidate:
            self._on_candidate(None)

    # ── the other side ───────────────────────────────────────────────────────────────────────

    async def accept(self, answer: str) -> None:
        """Takes the answer to our offer and connects. Raises AnswerRefusedError."""
        for sender in self._senders:
            if not sdp.has_section(answer, sender.kind):
                raise _refused(sender.kind)
        if not sdp.has_h264(answer):
            raise _refused("video")
        try:
            description = RTCSessionDescription(sdp.without_mdns(answer), "answer")
            await self._connection.setRemoteDescription(description)
        except Exception as error:  # aiortc's parser fails in many ways; the peer's fault in all
            logger.debug("answer refused: %r", error)
            raise AnswerRefusedError(
                "answer_malformed", "The publisher cannot make sense of the server's answer."
            ) from error

    async def add_candidate(self, candidate: IceCandidate | None) -> None:
        """A trickled candidate. What cannot be used is left out, and so is None: no more to come.

        Told that, aioice gives up as soon as its list is empty or has failed, although a browser
        whose addresses are hidden is just about to knock. The session's own timer decides.
        """
        if candidate is None or not candidate.candidate:
            return
        if sdp.is_mdns(candidate.candidate):
            self._resolve([candidate.candidate])
            return
        try:
            parsed = candidate_from_sdp(candidate.candidate.removeprefix("candidate:"))
            parsed.sdpMid = candidate.sdp_mid
            parsed.sdpMLineIndex = candidate.sdp_m_line_index
            await self._connection.addIceCandidate(parsed)
        except (ValueError, AssertionError, IndexError, InvalidStateError) as error:
            logger.debug("candidate left out: %r", error)

    def _resolve(self, hidden: Sequence[str]) -> None:
        """Candidates behind mDNS names, which may resolve to nothing: beside the rest."""
        for text in hidden:
            with contextlib.suppress(ValueError):
                candidate = Candidate.from_sdp(text.removeprefix("candidate:"))
                if self._agent:
                    self._agent.resolve(candidate)

    def hang_up(self) -> None:
        """Ends it from where nobody can wait; ``on_state`` says when it has ended."""
        if self._ending is None:
            self._ending = asyncio.create_task(self.close())

    async def close(self) -> None:
        """Ends it; idempotent. Never takes long, whatever the network does."""
        try:
            await asyncio.wait_for(self._connection.close(), CLOSE_SECONDS)
        except TimeoutError:
            logger.warning("A peer connection did not close in %.0f s.", CLOSE_SECONDS)
        finally:
            if self._path:
                self._path.close()

    def heard(self) -> None:
        """See ice.agent.Listener."""
        self._heard = time.monotonic()


def _refused(kind: str) -> AnswerRefusedError:
    if kind == "audio":
        return AnswerRefusedError("sound_refused", "The server does not take the camera's sound.")
    return AnswerRefusedError(
        "picture_refused",
        "The server does not take H.264, which the camera sends.",
        "Let it take H.264, packetization-mode 1.",
    )


def _configuration(servers: Sequence[IceServer], policy: IcePolicy) -> RTCConfiguration:
    return RTCConfiguration(
        # An empty list, never None: aiortc would ask a public server of its own choice.
        iceServers=[
            RTCIceServer(_usable(server.urls), server.username, server.credential)
            for server in servers
            if not private.has_agents()
        ],
        bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
        iceTransportPolicy=RTCIceTransportPolicy(policy.value),
    )


def _usable(urls: Sequence[str]) -> list[str]:
    """The URLs that aiortc understands: it takes no IPv6 literals, for one."""
    usable = []
    for url in urls:
        try:
            parse_stun_turn_uri(url)
        except ValueError:
            logger.warning("ICE server left out: %s cannot be used here.", url)
        else:
            usable.append(url)
    return usable


def _preferences(kind: str, wanted: Sequence[str]) -> list[RTCRtpCodecCapability]:
    known = RTCRtpSender.getCapabilities(kind).codecs
    chosen = [c for name in wanted for c in known if _name(c).lower() == name.lower()]
    return chosen + [c for c in known if c.name.lower() == "rtx"]


def _name(codec: RTCRtpCodecCapability) -> str:
    profile = codec.parameters.get("profile-level-id")
    return f"{codec.name}/{profile}" if profile else codec.name
