"""What stands between this machine and the Internet, as STUN servers see it.

Only the mapping shows: whether a NAT gives one outside address to one inside port, whomever it
sends to (RFC 4787 §4.1). Two servers, or one with a second address (RFC 5780 §4.3), tell.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from rendezvous.probes import stun
from rendezvous.probes.channels import SilentError, from_one_port, over_udp
from rendezvous.probes.findings import Finding, note, warning, well
from rendezvous.probes.stun import Address, Attribute, Kind, Method

_MOST: Final = 6  # servers to ask: each may name another (RFC 5780 §7.4)


async def measure(targets: Sequence[Address]) -> tuple[Address, dict[Address, Address]]:
    """Our port, and how each server that answers over UDP sees it. IPv4 only."""
    async with over_udp(targets[0]) as anywhere:
        host = anywhere.local[0]
    seen: dict[Address, Address] = {}
    waiting = list(dict.fromkeys(targets))
    async with from_one_port(host) as towards:
        local = towards(targets[0]).local
        for target in waiting:  # it grows
            try:
                answer = await towards(target).ask(stun.message(Method.BINDING, Kind.REQUEST))
            except SilentError:
                continue
            if mapped := answer.address(Attribute.XOR_MAPPED_ADDRESS):
                seen[target] = mapped
            other = stun.plain_address(answer.attributes.get(Attribute.OTHER_ADDRESS, b""))
            if other and other not in waiting and len(waiting) < _MOST:
                waiting.append(other)
    return local, seen


def judge(local: Address, seen: Mapping[Address, Address], *, relay: bool) -> Finding:
    """``seen``: how servers saw the one port, one at least; ``relay``: there is a TURN server."""
    outside = set(seen.values())
    if outside == {local}:
        return well("nat_none", f"There is no NAT here: servers see {local[0]} itself.")
    if len(outside) > 1:
        return _symmetric(relay=relay)
    if len(seen) > 1:
        return well(
            "nat_independent",
            f"The NAT here is friendly: all servers see the same address, {min(outside)[0]}. "
            "Most viewers can connect directly.",
        )
    return note(
        "nat_unknown",
        f"There is a NAT here; from outside it is {min(outside)[0]}. Its kind takes two STUN "
        "servers to tell.",
    )


def _symmetric(*, relay: bool) -> Finding:
    sentence = "The NAT here gives each destination another port (“symmetric”)."
    meaning = "Viewers behind a NAT of their own mostly need a relay."
    if relay:
        return note("nat_symmetric", sentence, meaning)
    return warning(
        "nat_symmetric", sentence, meaning, "Give the rendezvous a TURN server (--turn)."
    )
