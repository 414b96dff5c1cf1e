"""One STUN or TURN server over one transport: does it answer, does it relay?"""

import ipaddress
import secrets
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from rendezvous.probes import stun
from rendezvous.probes.channels import PATIENCE, Channel, SilentError, over_tcp, over_udp
from rendezvous.probes.findings import Finding, Verdict, fault, note, well
from rendezvous.probes.names import resolve, shown
from rendezvous.probes.servers import Server
from rendezvous.probes.stun import Address, Attribute, Kind, Method
from rendezvous.probes.turn import (
    FORBIDDEN,
    MISMATCH,
    QUOTA,
    UNAUTHORIZED,
    Allocation,
    Credentials,
    RefusedError,
    allocated,
)

_TRIES: Final = 5  # of a round trip through the relay
_ONE_WAY: Final = PATIENCE / _TRIES  # seconds for one datagram
_NOBODY: Final = Credentials("", "")  # who was given none is refused
NO_RELAY: Final = (
    "Viewers who cannot connect directly, about one in five, see no picture at this server."
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one server."""

    server: Server
    findings: tuple[Finding, ...]

    @property
    def answered(self) -> bool:
        """Whether there is nothing to mend."""
        return all(found.verdict in (Verdict.WELL, Verdict.NOTE) for found in self.findings)

    @property
    def silent(self) -> bool:
        """Whether nothing came back, not even that nobody listens there."""
        return any(found.code in ("stun_silent", "turn_silent") for found in self.findings)


async def ask(server: Server, tls: ssl.SSLContext) -> Outcome:
    """Asks for what the server is there for; may wait PATIENCE seconds for each answer."""
    if server.transport == "dtls":
        found = (note("dtls_untested", "TURN over DTLS is not tested; few clients use it."),)
        return Outcome(server, found)
    addresses = await resolve(server.host, server.port)
    if not addresses:
        return Outcome(server, (_unknown(server),))
    return Outcome(server, await _ask_any(server, addresses, tls))


async def _ask_any(
    server: Server, addresses: Sequence[Address], tls: ssl.SSLContext
) -> tuple[Finding, ...]:
    """The first address that answers; a machine may have no way to the others' family."""
    refused = False
    for address in addresses:
        try:
            return await (_relay if server.relays else _reflect)(server, address, tls)
        except SilentError as silence:
            refused = refused or silence.refused
        except ssl.SSLError as error:
            return (_untrusted(error),)
        except RefusedError as refusal:
            return (_refused(server, refusal.number),)
    return (_silent(server, refused=refused),)


@asynccontextmanager
async def opened(server: Server, address: Address, tls: ssl.SSLContext) -> AsyncIterator[Channel]:
    """A channel over the server's transport; raises SilentError or ssl.SSLError."""
    if server.transport == "udp":
        way = over_udp(address)
    else:
        way = over_tcp(address, tls if server.transport == "tls" else None, server.host)
    async with way as channel:
        yield channel


@asynccontextmanager
async def lent(server: Server, address: Address, tls: ssl.SSLContext) -> AsyncIterator[Allocation]:
    """An address at the relay, over a channel of its own.

    Raises RefusedError, SilentError or ssl.SSLError.
    """
    async with AsyncExitStack() as ways:
        try:
            allocation = await _lend(server, address, tls, ways)
        except RefusedError as refusal:
            # Of an allocation that has ended coturn still knows the port a second later, and the
            # kernel may have chosen that one again: RFC 8656 §7.4 asks for another.
            if refusal.number != MISMATCH:
                raise
            allocation = await _lend(server, address, tls, ways)
        yield allocation


async def _lend(
    server: Server, address: Address, tls: ssl.SSLContext, ways: AsyncExitStack
) -> Allocation:
    channel = await ways.enter_async_context(opened(server, address, tls))
    way = allocated(channel, server.credentials or _NOBODY)
    return await ways.enter_async_context(way)


async def _reflect(server: Server, address: Address, tls: ssl.SSLContext) -> tuple[Finding, ...]:
    async with opened(server, address, tls) as channel:
        answer = await channel.ask(stun.message(Method.BINDING, Kind.REQUEST))
    seen = answer.address(Attribute.XOR_MAPPED_ADDRESS)
    if seen is None:
        raise RefusedError(answer.error)
    return (well("stun", f"It answers, and sees this machine as {shown(*seen)}."),)


async def _relay(server: Server, address: Address, tls: ssl.SSLContext) -> tuple[Finding, ...]:
    """Two addresses at the relay, and a datagram from the one to the other and back."""
    async with lent(server, address, tls) as one, lent(server, address, tls) as other:
        if ipaddress.ip_address(one.relayed[0]).is_unspecified:
            return (_NO_ADDRESS,)
        granted = well("turn_allocated", f"It lends {one.relayed[0]} over {_over(server)}.")
        return (granted, await _there_and_back(one, other))


async def _there_and_back(one: Allocation, other: Allocation) -> Finding:
    try:
        await one.permit(other.relayed)
        await other.permit(one.relayed)
    except RefusedError as refusal:
        return _does_not_relay(forbidden=refusal.number == FORBIDDEN)
    for _ in range(_TRIES):  # UDP behind the relay may lose one
        try:
            await _carry(one, other)
            await _carry(other, one)
        except SilentError:
            continue
        return well("turn", "It relays: a round trip to ourselves came back.")
    return _does_not_relay(forbidden=False)


async def _carry(sender: Allocation, receiver: Allocation) -> None:
    data = secrets.token_bytes(16)
    sender.send(receiver.relayed, data)
    while await receiver.receive(_ONE_WAY) != data:
        pass  # of an earlier try


def _over(server: Server) -> str:
    return server.transport.upper()


def _does_not_relay(*, forbidden: bool) -> Finding:
    if forbidden:
        return fault(
            "turn_denies_itself",
            "It lends addresses, but forbids to send to them.",
            "When both sides need a relay, as in relay-only rooms, there is no picture.",
            "Take the relay's own address out of denied-peer-ip, or set external-ip.",
        )
    return fault(
        "turn_relays_nothing",
        "It lends addresses, but what is sent to them does not come back.",
        NO_RELAY,
        "Open its relay ports (UDP, min-port to max-port) in the firewall; behind a NAT set "
        "external-ip.",
    )


_NO_ADDRESS: Final = fault(
    "turn_no_address",
    "It lends the address 0.0.0.0, which is none.",
    NO_RELAY,
    "Give it a relay-ip of IPv4; a coturn that has IPv6 alone wants "
    "allocation-default-address-family=ipv6.",
)


def _unknown(server: Server) -> Finding:
    return fault(
        "ice_name_unknown",
        f"The name {server.host} leads to no address.",
        NO_RELAY if server.relays else "",
        "Correct the setting of the rendezvous, or the DNS record.",
    )


def _silent(server: Server, *, refused: bool) -> Finding:
    kind = "turn" if server.relays else "stun"
    protocol = "UDP" if server.transport == "udp" else "TCP"
    where = f"{protocol} port {server.port}"
    if refused:
        sentence = f"The machine is there, but nothing listens on {where}."
        cure = "Start the server there, or correct its port in the settings of the rendezvous."
    else:
        sentence = f"Nothing answers on {where}."
        cure = f"See that the server runs, and that firewalls on the way let {where} through."
    meaning = (
        f"Nobody can use the relay over {_over(server)}."
        if server.relays
        else "Viewers outside of the camera's network may find no direct way to it."
    )
    return fault(f"{kind}_{'closed' if refused else 'silent'}", sentence, meaning, cure)


def _untrusted(error: ssl.SSLError) -> Finding:
    why = getattr(error, "verify_message", "") or "it does not speak TLS"
    return fault(
        "turn_untrusted",
        f"TLS fails there: {why}.",
        "Networks that allow nothing but TLS have no way to the camera.",
        "Give the TURN server a certificate for this name (cert, pkey), with its whole chain.",
    )


def _refused(server: Server, number: int) -> Finding:
    if number == UNAUTHORIZED:
        return fault(
            "turn_credentials",
            "It refuses the credentials that the rendezvous has made.",
            NO_RELAY,
            "Compare the secret of the rendezvous with the server's static-auth-secret, and the "
            "clocks of the two machines; rendezvous doctor tells which.",
        )
    if number == QUOTA:
        return fault(
            "turn_quota",
            "It has no addresses left for this room, or in all.",
            NO_RELAY,
            "Raise user-quota and total-quota.",
        )
    kind = "turn" if server.relays else "stun"
    return fault(f"{kind}_refused", f"It answers with error {number}.", NO_RELAY)
