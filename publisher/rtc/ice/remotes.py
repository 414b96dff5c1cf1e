"""Which of the other side's candidates checks may be sent to.

A viewer says where to, and is not to be believed: what it names gets STUN requests from the
camera. Those go wherever a browser would send them too, the camera's own network included, for that
is where many viewers are; but not to this machine's services, to many receivers at once, or to
ports that no ICE agent has (libwebrtc refuses them as well).
"""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from aioice.candidate import Candidate

from publisher.rtc.ice.candidates import COMPONENT

MOST: Final = 64  # signalled ones of a session
_SERVICES: Final = range(1024)
_WEB: Final = (80, 443)  # where TURN servers of others may have relayed addresses
_BROADCAST: Final = IPv4Address("255.255.255.255")


def is_usable(candidate: Candidate, address: str, *, trusted: bool, on_loopback: bool) -> bool:
    """Whether the candidate, which has this address, may be checked.

    ``trusted``: the camera's owner has named the other side, which may be on this machine.
    ``on_loopback``: a person has told this camera to be reached there.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if candidate.component != COMPONENT or candidate.transport.lower() != "udp":
        return False
    if not _is_host(ip) or not 0 < candidate.port < 65536:  # noqa: PLR2004
        return False
    return trusted or (
        _is_port_of_agents(candidate.port, ip) and (on_loopback or not ip.is_loopback)
    )


def _is_port_of_agents(port: int, ip: IPv4Address | IPv6Address) -> bool:
    return port not in _SERVICES or (port in _WEB and ip.is_global)


def _is_host(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv6Address) and (ip.ipv4_mapped or ip.is_link_local):
        return False  # another family's, or nobody's without the name of our interface
    return not (ip.is_unspecified or ip.is_multicast or ip == _BROADCAST)
