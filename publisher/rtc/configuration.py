"""How aiortc's connections are made: with which servers, and for which codecs."""

import logging
from collections.abc import Sequence

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCRtpSender,
)
from aiortc.rtcicetransport import parse_stun_turn_uri
from aiortc.rtcrtpparameters import RTCRtpCodecCapability

from publisher.rtc import private
from rendezvous.wire.messages import IcePolicy, IceServer

logger = logging.getLogger(__name__)


def configuration(servers: Sequence[IceServer], policy: IcePolicy) -> RTCConfiguration:
    """Of a connection that is one bundle; where agents of ours ask the servers, aiortc has none."""
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
            logger.warning("ICE server left out: %r cannot be used here.", url.rpartition("@")[2])
        else:
            usable.append(url)
    return usable


def preferences(kind: str, wanted: Sequence[str]) -> list[RTCRtpCodecCapability]:
    """The codecs of these names, in their order.

    Names are as in SDP, for H.264 followed by the profile: ``H264/640c1f``.
    """
    known = RTCRtpSender.getCapabilities(kind).codecs
    chosen = [c for name in wanted for c in known if _name(c).lower() == name.lower()]
    return chosen + [c for c in known if c.name.lower() == "rtx"]


def _name(codec: RTCRtpCodecCapability) -> str:
    profile = codec.parameters.get("profile-level-id")
    return f"{codec.name}/{profile}" if profile else codec.name
