"""The camera's end of one peer connection: answers or offers, and knows whether it lives."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence

from aioice.candidate import Candidate
from aiortc import MediaStreamTrack, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidStateError
from aiortc.sdp import candidate_from_sdp

from publisher.rtc import private, refusals, sdp
from publisher.rtc.channel import ChannelDoor
from publisher.rtc.configuration import configuration
from publisher.rtc.ice.agent import Agent
from publisher.rtc.ice.candidates import LocalCandidate
from publisher.rtc.ice.nomination import Route
from publisher.rtc.refusals import AnswerRefusedError, OfferRefusedError
from publisher.rtc.senders import Senders
from publisher.rtc.trickle import OnCandidate, Trickle
from rendezvous.wire.messages import SDP_BYTES, IceCandidate, IcePolicy, IceServer

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0
MOST_REFUSED_CHANNELS = 1


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
        on_candidate: OnCandidate | None = None,
    ) -> None:
        self._ice_servers = ice_servers
        self._connection = RTCPeerConnection(configuration(ice_servers, policy))
        self._connection.on("connectionstatechange", lambda: on_state(self.state))
        self._connection.on("datachannel", self._knock)
        self._senders = Senders(self.heard, on_picture_lost)
        self._trickle = Trickle(on_candidate)
        self._door: ChannelDoor | None = None
        self._refused_channels = 0
        self._ending: asyncio.Task[None] | None = None
        self._heard = time.monotonic()
        self._agent: Agent | None = None
        self._adopted = False

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
    def estimate(self) -> int | None:
        """What the viewer thinks that the path carries, in bit/s; None: it has not said."""
        return self._senders.estimate

    @property
    def losses(self) -> dict[str, int]:
        """What went wrong on the way to the viewer, in words, and how often."""
        return self._senders.losses | (self._agent.losses if self._agent else {})

    def send(self, track: MediaStreamTrack, codecs: Sequence[str]) -> None:
        """Will send the track, as one of these codecs in this order; before the offer is taken.

        Codecs are names as in SDP, for H.264 followed by the profile: ``H264/640c1f``.
        """
        self._senders.send(track, codecs)

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
        if self._door:
            refusals.check_offer_of_channel(offer)
        else:
            refusals.check_offer_of_media(offer)
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

    async def _answer(self, offer: str, hidden: str) -> str:
        connection = self._connection
        self._senders.add(connection, offer)
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        private.bound_inbound(connection)
        self._adopt()
        self._resolve(sdp.mdns_candidates(hidden))
        await connection.setLocalDescription(await connection.createAnswer())
        if not self._door and private.negotiated(connection, "video") != "video/H264":
            raise ValueError("no H.264 in common")
        return self._trickle.describe(connection.localDescription.sdp)

    async def offer(self) -> str:
        """An offer of the tracks with all local candidates; ``accept`` comes next, once."""
        connection = self._connection
        self._senders.add(connection)
        self._adopt()
        await connection.setLocalDescription(await connection.createOffer())
        if self._agent:
            self._agent.trusted = True
        else:
            private.watch_consent(connection, self.heard)
        return self._trickle.describe(connection.localDescription.sdp)

    def _adopt(self) -> None:
        if self._adopted:
            return
        self._adopted = True
        self._agent = private.adopt_agent(
            self._connection, self._ice_servers, self, wait=self._trickle.waits
        )
        if not self._agent:
            private.watch_ice(self._connection, self.heard)
            self._trickle.end()  # aiortc describes nothing before it has all

    # ── for the agent ────────────────────────────────────────────────────────────────────────

    def gathered(self, candidate: LocalCandidate | None) -> None:
        """See ice.agent.Listener."""
        if self._trickle.described:
            private.begin_checks(self._connection)
        if candidate is None:
            self._trickle.end()
        elif self._agent:
            self._trickle.add(candidate, self._agent.local_username)

    def heard(self) -> None:
        """See ice.agent.Listener."""
        self._heard = time.monotonic()

    # ── the other side ───────────────────────────────────────────────────────────────────────

    async def accept(self, answer: str) -> None:
        """Takes the answer to our offer and connects. Raises AnswerRefusedError."""
        refusals.check_answer(answer, self._senders.kinds)
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
            self._senders.close()
