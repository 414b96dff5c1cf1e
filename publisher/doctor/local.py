"""This machine: is it in a network, and has it time for a camera?"""

import os
import socket
from collections.abc import Sequence

from rendezvous.probes.findings import Finding, fault, note, well

# Never written to: asking for the way to an address sends nothing (RFC 5737, RFC 3849).
_ANYWHERE = {socket.AF_INET: ("192.0.2.1", 9), socket.AF_INET6: ("2001:db8::1", 9)}


def examine(*, alone: bool) -> list[Finding]:
    """Networks and processor; ``alone``: the rendezvous is on this machine, too."""
    own = [address for family in _ANYWHERE if (address := own_address(family))]
    loads = os.getloadavg()[0], os.cpu_count() or 1
    return [judge_networks(own, alone=alone), judge_load(*loads)]


def own_address(family: socket.AddressFamily) -> str | None:
    """The address of this machine from which it would reach others; None without a way."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ANYWHERE[family])
        except OSError:
            return None
        return str(probe.getsockname()[0])


def judge_networks(own: Sequence[str], *, alone: bool) -> Finding:
    """``own``: the addresses from which this machine reaches others. Pure."""
    names = ", ".join(name for _, name in socket.if_nameindex() if name != "lo") or "none"
    if own:
        return well("network", f"This machine is {' and '.join(own)} (interfaces: {names}).")
    return (note if alone else fault)(
        "no_network",
        f"This machine has no way out (interfaces: {names}).",
        "Only viewers on this machine see a picture.",
        "Check cable, Wi-Fi and DHCP.",
    )


def judge_load(load: float, processors: int) -> Finding:
    """``load``: how many want to compute at once, on the average of a minute. Pure."""
    sentence = f"Its load is {load:.1f}, on {processors} processors."
    if load <= processors:
        return well("cpu", sentence)
    return note("cpu_busy", sentence, "Pictures may stutter.", "See top what takes so much.")
