"""This machine: is it in a network, are there ports for media, and has it time for a camera?"""

import os
import socket
from collections.abc import Sequence

from publisher.rtc.ice import hosts
from publisher.rtc.ice.hosts import Network
from rendezvous.probes.findings import Finding, fault, note, warning, well

# Never written to: asking for the way to an address sends nothing (RFC 5737, RFC 3849).
_ANYWHERE = {socket.AF_INET: ("192.0.2.1", 9), socket.AF_INET6: ("2001:db8::1", 9)}


def examine(network: Network, viewers: int, *, alone: bool) -> list[Finding]:
    """Networks, UDP ports and processor; ``alone``: the rendezvous is on this machine, too."""
    own = [address for family in _ANYWHERE if (address := own_address(family))]
    media = hosts.addresses(network)
    findings = [judge_networks(own, alone=alone)]
    if network.interfaces:
        findings.append(judge_media(media))
    if network.ports and media:
        findings.append(judge_ports(_free(network.ports, media), viewers * len(media)))
    return [*findings, judge_load(os.getloadavg()[0], os.cpu_count() or 1)]


def _free(ports: range, addresses: Sequence[str]) -> int:
    """How many sockets for media there could be now."""
    return sum(_is_free(address, port) for address in addresses for port in ports)


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


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


def judge_media(addresses: Sequence[str]) -> Finding:
    """``addresses``: those that the setting ``interfaces`` leaves for media. Pure."""
    if addresses:
        return well("media_addresses", f"Media may use {', '.join(addresses)}.")
    return fault(
        "no_media_address",
        "The setting interfaces leaves no address for media.",
        "Only viewers who are relayed see a picture.",
        "Name an interface that this machine has, or leave it out.",
    )


def judge_ports(free: int, needed: int) -> Finding:
    """Of the setting ``udp_ports``; each viewer takes a port for each address. Pure."""
    if free >= needed:
        return well("udp_ports", f"{free} UDP ports are free, and {needed} are needed at most.")
    cure = "Give it more (--udp-ports), and see ss -ulnp who has those that are taken."
    sentence = f"{free} UDP ports are free for media, and all viewers together need {needed}."
    if free:
        return warning("udp_ports_few", sentence, "The last viewers are relayed.", cure)
    return fault("udp_ports_taken", sentence, "Only viewers who are relayed see a picture.", cure)


def judge_load(load: float, processors: int) -> Finding:
    """``load``: how many want to compute at once, on the average of a minute. Pure."""
    sentence = f"Its load is {load:.1f}, on {processors} processors."
    if load <= processors:
        return well("cpu", sentence)
    return note("cpu_busy", sentence, "Pictures may stutter.", "See top what takes so much.")
