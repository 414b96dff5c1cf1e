"""All STUN and TURN servers of a session together: what they can do for viewers."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence

from rendezvous.probes import nat
from rendezvous.probes.asking import NO_RELAY, Outcome, ask
from rendezvous.probes.findings import Finding, Report, fault, note, warning
from rendezvous.probes.names import resolve
from rendezvous.probes.servers import Server


async def _as_it_is(outcome: Outcome) -> Outcome:
    return outcome


async def examine(
    chosen: Sequence[Server],
    tls: ssl.SSLContext,
    report: Report,
    *,
    second_look: Callable[[Outcome], Awaitable[Outcome]] = _as_it_is,
) -> list[Outcome]:
    """Asks all, reports in their order, and says what the whole means for viewers.

    ``second_look`` is for who knows more of the servers than their users do.
    """
    outcomes = []
    async with asyncio.TaskGroup() as group:  # at once: a silent one takes seconds
        asked = [group.create_task(ask(server, tls)) for server in chosen]
        for server, answer in zip(chosen, asked, strict=True):
            report.begin(f"{'TURN' if server.relays else 'STUN'}  {server.url}")
            outcome = await second_look(await answer)
            report.add(*outcome.findings)
            outcomes.append(outcome)
    report.begin("NAT and UDP" if chosen else "STUN and TURN")
    report.add(*await _nat(outcomes), *judge(outcomes))
    return outcomes


def judge(outcomes: Sequence[Outcome]) -> list[Finding]:
    """What the servers together can do for viewers. Pure."""
    if not outcomes:
        return [_nothing()]
    udp, tcp = _of(outcomes, "udp"), _of(outcomes, "tcp", "tls")
    findings = []
    if udp and all(outcome.silent for outcome in udp):
        findings.append(_no_udp(other_way=any(outcome.answered for outcome in tcp)))
    relays = [outcome for outcome in outcomes if outcome.server.relays]
    if not relays:
        findings.append(_no_relay())
    elif any(outcome.answered for outcome in relays) and not _of(relays, "tcp", "tls"):
        findings.append(_udp_only())
    return findings


def _of(outcomes: Sequence[Outcome], *transports: str) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.server.transport in transports]


def _nothing() -> Finding:
    return warning(
        "no_ice_servers",
        "The rendezvous names no STUN or TURN server.",
        "Only viewers in the camera's own network, or beside a camera without NAT, see a picture.",
        "Give the rendezvous a TURN server: --turn and its secret.",
    )


def _no_udp(*, other_way: bool) -> Finding:
    meaning = "Media has to go through a relay over TCP: later, and jerky when packets are lost."
    if not other_way:
        meaning = "There is no way at all for media out of this network."
    return fault(
        "udp_blocked",
        "No server answers over UDP" + (", though one does over TCP." if other_way else "."),
        meaning,
        "Let UDP out of this network (any port, or 3478 and 49152–65535), and into the servers.",
    )


def _no_relay() -> Finding:
    cure = "Give the rendezvous a TURN server: --turn and its secret."
    return warning("no_turn", "There is no TURN server.", NO_RELAY, cure)


def _udp_only() -> Finding:
    return note(
        "turn_udp_only",
        "TURN is offered over UDP only.",
        "Viewers in networks that let no UDP out see no picture.",
        "Name it with ?transport=tcp too, and as turns:HOST:443?transport=tcp.",
    )


async def _nat(outcomes: Sequence[Outcome]) -> list[Finding]:
    """From one port to all servers that answer over UDP."""
    over_udp = [one.server for one in _of(outcomes, "udp") if one.answered]
    found = await asyncio.gather(*(resolve(server.host, server.port) for server in over_udp))
    targets = [address for each in found for address in each[:1] if ":" not in address[0]]
    if not targets:
        return []
    local, seen = await nat.measure(targets)
    relay = any(one.answered and one.server.relays for one in outcomes)
    return [nat.judge(local, seen, relay=relay)] if seen else []
