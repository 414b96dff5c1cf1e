"""Which way media takes, as the router saw it: nobody's word is taken for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tests.support.lab.control import Counted, Flow
from tests.support.lab.lab import flows_of, names
from tests.support.lab.packets import TCP, UDP
from tests.support.lab.stage import TURN_PORT, WEB_PORT

_RELAYS: Final = frozenset(
    address for name, own in names().items() if name.startswith("turn") for address in own
)
_TRANSPORTS: Final = {(UDP, TURN_PORT): "udp", (TCP, TURN_PORT): "tcp", (TCP, WEB_PORT): "tls"}
# To an address that the relay gave to the other side: this one needs none.
_TO_A_RELAYED_ADDRESS: Final = "plain"


@dataclass(frozen=True, slots=True)
class MediaPath:
    """How media goes from the camera to the viewer."""

    camera: str | None
    """The camera's way to the relay: udp, tcp, tls, or plain; None: there is no relay."""
    viewer: str | None
    """The viewer's way."""

    @property
    def direct(self) -> bool:
        """Whether no relay sees it."""
        return self.camera is None and self.viewer is None

    def __str__(self) -> str:
        return "direct" if self.direct else f"relayed {self.camera}→{self.viewer}"


def media_path(
    counted: Counted, camera: str = "camera", viewer: str = "viewer"
) -> MediaPath | None:
    """The way of most bytes, from the camera and to the viewer; None: there was nothing."""
    sent, got = _media(flows_of(counted, camera, "out")), _media(flows_of(counted, viewer, "in"))
    return MediaPath(_transport(sent), _transport(got)) if sent and got else None


def _media(flows: Iterable[Flow]) -> Flow | None:
    """The largest that is not with the rendezvous."""
    rendezvous = names()["rendezvous.lab"]
    return next((flow for flow in flows if flow.address not in rendezvous), None)


def _transport(flow: Flow) -> str | None:
    if flow.address not in _RELAYS:
        return None
    return _TRANSPORTS.get((flow.protocol, flow.port), _TO_A_RELAYED_ADDRESS)
