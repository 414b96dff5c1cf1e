"""A relayed address at a TURN server (RFC 8656), for as long as a probe needs one."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from rendezvous.probes import stun
from rendezvous.probes.channels import Channel, SilentError
from rendezvous.probes.stun import Address, Attribute, Kind, Message, Method

UNAUTHORIZED: Final = 401
STALE_NONCE: Final = 438
FORBIDDEN: Final = 403
MISMATCH: Final = 437  # this client has, or had just now, an allocation
FAMILY_NOT_SUPPORTED: Final = 440
QUOTA: Final = 486
_CHALLENGES: Final = 3  # who are you; that nonce is stale; and now
_UDP: Final = bytes([17, 0, 0, 0])  # REQUESTED-TRANSPORT, RFC 8656 §18.7
_IPV6: Final = bytes([2, 0, 0, 0])  # REQUESTED-ADDRESS-FAMILY, §18.6


class RefusedError(Exception):
    """The server answers with an error; ``number`` is its code."""

    def __init__(self, number: int) -> None:
        super().__init__(f"error {number}")
        self.number = number


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user of a TURN server."""

    username: str
    password: str = field(repr=False)


class Allocation:
    """A relayed address of our own; ``allocated`` makes and releases it."""

    def __init__(self, channel: Channel, credentials: Credentials) -> None:
        self._channel = channel
        self._credentials = credentials
        self._challenge: dict[int, bytes] = {}
        self.relayed: Address = ("", 0)
        self.mapped: Address | None = None
        """Where the server sees us."""

    async def open(self) -> None:
        """Raises RefusedError or SilentError."""
        answer = await self._allocate()
        relayed = answer.address(Attribute.XOR_RELAYED_ADDRESS)
        if relayed is None:
            raise RefusedError(answer.error)
        self.relayed, self.mapped = relayed, answer.address(Attribute.XOR_MAPPED_ADDRESS)

    async def _allocate(self) -> Message:
        """Of IPv4, or of IPv6 at a server that has nothing else (RFC 8656 §7.2)."""
        wanted: dict[int, bytes] = {Attribute.REQUESTED_TRANSPORT: _UDP}
        try:
            return await self._ask(Method.ALLOCATE, wanted)
        except RefusedError as refusal:
            if refusal.number != FAMILY_NOT_SUPPORTED:
                raise
        wanted[Attribute.REQUESTED_ADDRESS_FAMILY] = _IPV6
        return await self._ask(Method.ALLOCATE, wanted)

    async def release(self) -> None:
        """Gives the address back; raises RefusedError or SilentError."""
        await self._ask(Method.REFRESH, {Attribute.LIFETIME: bytes(4)})

    async def permit(self, peer: Address) -> None:
        """Lets the peer in; raises RefusedError (403: the server forbids it) or SilentError."""
        request = stun.message(Method.CREATE_PERMISSION, Kind.REQUEST)
        request.attributes[Attribute.XOR_PEER_ADDRESS] = stun.xor(peer, request.transaction)
        _require_success(await self._channel.ask(request, self._sign(request)))

    def send(self, peer: Address, data: bytes) -> None:
        """Lets the server send a datagram; nobody tells whether it arrived."""
        said = stun.message(Method.SEND, Kind.INDICATION)
        said.attributes[Attribute.XOR_PEER_ADDRESS] = stun.xor(peer, said.transaction)
        said.attributes[Attribute.DATA] = data
        self._channel.say(said)

    async def receive(self, patience: float) -> bytes:
        """The next datagram that was relayed to us; raises SilentError."""
        heard = await self._channel.hear(patience)
        return heard.attributes.get(Attribute.DATA, b"")

    async def _ask(self, method: Method, attributes: Mapping[int, bytes]) -> Message:
        """Once more when the server wants to know who asks, or has another nonce by now."""
        for _ in range(_CHALLENGES):
            request = stun.message(method, Kind.REQUEST, dict(attributes))
            answer = await self._channel.ask(request, self._sign(request))
            if not self._challenged_by(answer):
                break
        return _require_success(answer)

    def _sign(self, request: Message) -> bytes:
        """The key to sign with; none before the server has sent its realm (RFC 8489 §9.2.3)."""
        if not self._challenge:
            return b""
        user = self._credentials
        request.attributes[Attribute.USERNAME] = user.username.encode()
        request.attributes.update(self._challenge)
        return stun.long_term_key(user.username, self._challenge[Attribute.REALM], user.password)

    def _challenged_by(self, answer: Message) -> bool:
        first = answer.error == UNAUTHORIZED and not self._challenge
        if not first and answer.error != STALE_NONCE:
            return False
        kinds = (Attribute.REALM, Attribute.NONCE)
        self._challenge |= {k: v for k in kinds if (v := answer.attributes.get(k)) is not None}
        return Attribute.REALM in self._challenge


def _require_success(answer: Message) -> Message:
    if answer.kind is Kind.ERROR:
        raise RefusedError(answer.error)
    return answer


@asynccontextmanager
async def allocated(channel: Channel, credentials: Credentials) -> AsyncIterator[Allocation]:
    """An address at the server behind the channel; raises RefusedError or SilentError."""
    allocation = Allocation(channel, credentials)
    await allocation.open()
    try:
        yield allocation
    finally:
        # What it was made for is done; if the server keeps it, it is over in ten minutes.
        with contextlib.suppress(RefusedError, SilentError):
            await allocation.release()
