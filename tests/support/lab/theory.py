"""Which pairs can connect, and how, by what their networks are: pure, and apart from the lab.

The viewer is a browser that hides its private addresses (mDNS), so without STUN the camera knows
none of the viewer's, while the viewer knows the camera's.
"""

from tests.support.lab.access import Access
from tests.support.lab.topology import Dependence

_STRICTNESS = (Dependence.NOTHING, Dependence.ADDRESS, Dependence.ADDRESS_AND_PORT)


def is_direct(camera: Access, viewer: Access) -> bool:
    """Whether packets can flow between two homes without a relay, when STUN answers."""
    if not (camera.rules.udp and viewer.rules.udp):
        return False  # nobody listens for ICE over TCP
    if camera.v6 and viewer.v6:
        return True  # nothing is translated, and each opens its own filter
    both = camera.v4 and viewer.v4
    return both and (_reaches(camera, viewer) or _reaches(viewer, camera))


def is_direct_in_silence(camera: Access, viewer: Access) -> bool:
    """The same when neither STUN nor TURN says anything: the camera must be open to strangers."""
    if not (camera.rules.udp and viewer.rules.udp and names_itself(viewer)):
        return False
    common_v4 = camera.v4 and viewer.v4 and not camera.nats
    common_v6 = camera.v6 and viewer.v6
    return camera.filtering is None and (common_v4 or common_v6)


def names_itself(viewer: Access) -> bool:
    """Whether a hidden address is an address at all: one without a name (mDNS) is not used.

    Chromium on Linux announces names over IPv4 only: it binds to ff02::fb without saying on which
    device, which is EINVAL. Without IPv4 it has no address before a STUN server tells it one.
    """
    return viewer.v4


def _reaches(one: Access, other: Access) -> bool:
    """Whether one's first packet arrives at the other's reflexive address, which it must know."""
    if _mapping(other) is not Dependence.NOTHING:
        return False  # that address is for the STUN server only
    if other.filtering is not Dependence.ADDRESS_AND_PORT:
        return True  # the other has sent to one's address before
    return _mapping(one) is Dependence.NOTHING


def _mapping(access: Access) -> Dependence:
    """Of all NATs in a row: that of the strictest."""
    found = [nat.mapping for nat in access.nats]
    return max(found, key=_STRICTNESS.index, default=Dependence.NOTHING)
