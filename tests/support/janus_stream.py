"""Debian's Janus as it sends one RTP stream to many viewers: its streaming plugin."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiortc import RTCPeerConnection, RTCSessionDescription

from tests.support.janus_whip import Handle, janus
from tests.support.ports import free_port

_STREAM = 1


@dataclass(frozen=True, slots=True)
class JanusStream:
    """A running Janus, fed by RTP to a UDP port."""

    base: str
    client: aiohttp.ClientSession
    process: asyncio.subprocess.Process
    udp: int

    async def offer(self) -> tuple[Handle, str]:
        """What Janus offers to a new viewer."""
        handle = Handle(self.client, self.base, "streaming")
        await handle.attach()
        said = await handle.ask({"request": "watch", "id": _STREAM})
        return handle, said["jsep"]["sdp"]

    async def connect(self, handle: Handle, offer: str, viewer: RTCPeerConnection) -> None:
        """Answers, and has the stream sent."""
        await viewer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await viewer.setLocalDescription(await viewer.createAnswer())
        answer = {"type": "answer", "sdp": viewer.localDescription.sdp}
        await handle.ask({"request": "start"}, answer)


@asynccontextmanager
async def janus_stream(directory: Path) -> AsyncIterator[JanusStream]:
    """Janus on free ports of 127.0.0.1."""
    udp = free_port()
    async with janus(directory, "streaming", _configuration(udp)) as (base, client, process):
        yield JanusStream(base, client, process, udp)


def _configuration(udp: int) -> str:
    return f"""
        camera: {{
            type = "rtp"
            id = {_STREAM}
            media = ({{
                type = "video"
                mid = "v"
                port = {udp}
                pt = 96
                codec = "h264"
                fmtp = "profile-level-id=42e01f;packetization-mode=1"
            }})
        }}"""
