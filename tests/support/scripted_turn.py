"""A TURN server that forgets as soon as RFC 8656 lets it, without a socket, in any loop's time."""

import asyncio
import struct
from collections.abc import Callable
from typing import Any, Final

from aioice import stun
from aioice.stun import Class, Message, Method
from aioice.turn import make_integrity_key

ADDRESS: Final = ("192.0.2.9", 3478)
RELAY: Final = ("192.0.2.9", 50000)
USERNAME, PASSWORD = "user", "password"
_REALM: Final = "porthole.test"
_KEY: Final = make_integrity_key(USERNAME, _REALM, PASSWORD)
_ALLOCATION, _PERMISSION, _CHANNEL = 600.0, 300.0, 600.0  # seconds: §3.2, §9 and §12
_NONCE_SECONDS: Final = 600.0  # coturn's stale-nonce
_Address = tuple[str, int]


class TurnServer:
    """Made with what gets its answers; ``received`` is what it has been sent."""

    def __init__(self, answer: Callable[[bytes], None]) -> None:
        self.relayed: list[bytes] = []
        """What it would have sent to peers."""
        self.refused = 0
        """Data whose allocation, channel or permission has ended."""
        self.asked: list[Method] = []
        """Requests that it has granted."""
        self.deaf: Callable[[Message], bool] = lambda _: False
        """Which requests are lost."""
        self.refusals: list[tuple[int, str]] = []
        """Errors for the next requests."""
        self.channels: dict[int, tuple[_Address, float]] = {}
        """Every peer that was bound to one, and until when."""
        self._answer = answer
        self._allocated_until = 0.0
        self._permitted_until: dict[str, float] = {}

    def received(self, data: bytes) -> None:
        """From the client, over UDP."""
        if data[0] & 0xC0 == 0x40:
            channel, length = struct.unpack("!HH", data[:4])
            self._relay(channel, data[4 : 4 + length])
            return
        request = stun.parse_message(data)
        if not self.deaf(request):
            self._answer(bytes(self._answered(request)))

    def _relay(self, channel: int, data: bytes) -> None:
        peer, until = self.channels.get(channel, (("", 0), 0.0))
        permitted = self._permitted_until.get(peer[0], 0.0)
        if _now() < min(until, permitted, self._allocated_until):
            self.relayed.append(data)
        else:
            self.refused += 1

    def _answered(self, request: Message) -> Message:
        nonce = b"%d" % (_now() // _NONCE_SECONDS)
        if request.attributes.get("NONCE") != nonce:
            code = (438, "Stale Nonce") if "NONCE" in request.attributes else (401, "Unauthorized")
            challenge = {"ERROR-CODE": code, "NONCE": nonce, "REALM": _REALM}
            return _response(request, Class.ERROR, challenge)
        if self.refusals:
            return _response(request, Class.ERROR, {"ERROR-CODE": self.refusals.pop(0)})
        self.asked.append(request.message_method)
        return _response(request, Class.RESPONSE, self._granted(request))

    def _granted(self, request: Message) -> dict[str, Any]:
        match request.message_method:
            case Method.CHANNEL_BIND:
                peer = request.attributes["XOR-PEER-ADDRESS"]
                channel = request.attributes["CHANNEL-NUMBER"]
                self.channels[channel] = (peer, _now() + _CHANNEL)
                self._permitted_until[peer[0]] = _now() + _PERMISSION
                return {}
            case method:  # Allocate or Refresh
                lifetime = min(_ALLOCATION, request.attributes.get("LIFETIME", _ALLOCATION))
                self._allocated_until = _now() + lifetime
                seen = {"XOR-RELAYED-ADDRESS": RELAY, "XOR-MAPPED-ADDRESS": ADDRESS}
                return {"LIFETIME": int(lifetime)} | (seen if method is Method.ALLOCATE else {})


def _now() -> float:
    return asyncio.get_running_loop().time()


def _response(request: Message, kind: Class, attributes: dict[str, Any]) -> Message:
    made = Message(request.message_method, kind, request.transaction_id, attributes)
    if "NONCE" not in attributes:
        assert request.check_message_integrity(_KEY)
        made.add_message_integrity(_KEY)
    return made
