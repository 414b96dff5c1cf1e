"""The router's mind: where a packet goes that came from a device. Pure; time is told, not read.

Networks are a tree, so a packet goes up through gateways until a network knows its destination,
and down through others from there.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, TypeAlias

from tests.support.lab.gateways import Blocked, GatewayState
from tests.support.lab.packets import MalformedPacketError, Packet
from tests.support.lab.shaping import Shaper
from tests.support.lab.topology import INTERNET, Attachment, Gateway, Topology

MOST_FLOWS: Final = 4096  # that are counted apart

Later: TypeAlias = Callable[[float, Callable[[], None]], object]
"""Calls back so many seconds from now."""
Deliver: TypeAlias = Callable[[str, bytes], None]
"""Gives a packet to the host at a device."""


@dataclass
class Socket:
    """Where a host's device is plugged in."""

    plan: Attachment
    up: Shaper
    down: Shaper


@dataclass
class Network:
    """What a network knows: who is in it, and the way out."""

    doors: dict[bytes, Socket | GatewayState] = field(default_factory=dict)
    uplink: GatewayState | None = None


Flow: TypeAlias = tuple[str, str, int, bytes, int]
"""A device; ``out`` or ``in`` as its host sees it; a protocol; the remote endpoint."""


class Routing:
    """Forwards packets; everything that it drops is counted under a reason."""

    def __init__(self, deliver: Deliver, later: Later) -> None:
        self._deliver = deliver
        self._later = later
        self._sockets: dict[str, Socket] = {}
        self._gateways: dict[str, GatewayState] = {}
        self._networks: dict[str, Network] = {}
        self.drops: Counter[str] = Counter()
        self.flows: dict[Flow, tuple[int, int]] = {}
        """Packets and bytes of each: what hosts have sent, and what they were given."""

    def configure(self, topology: Topology) -> None:
        """Takes another topology. Gateways and lines that stay as they were keep their memory."""
        self._gateways = {g.name: self._gateway(g) for g in topology.gateways}
        self._sockets = {a.device: self._socket(a) for a in topology.attachments}
        self._networks = {INTERNET: Network()}
        for gateway in self._gateways.values():
            self._network(gateway.plan.inside).uplink = gateway
        for gateway in self._gateways.values():
            if gateway.address:
                self._network(gateway.plan.outside).doors[gateway.address] = gateway
        for socket in self._sockets.values():
            for address in socket.plan.addresses:
                self._register(socket, ip_address(address).packed)

    def longest_waits(self) -> dict[str, tuple[float, float]]:
        """The longest that packets have waited in the queues from and to each device, seconds."""
        return {
            device: (socket.up.most_waiting, socket.down.most_waiting)
            for device, socket in self._sockets.items()
        }

    def send(self, device: str, data: bytearray, now: float) -> None:
        """A packet that the host at this device has sent."""
        socket = self._sockets.get(device)
        if socket is None or not socket.plan.plugged:
            self.drops["unplugged"] += 1
            return
        try:
            packet = Packet(data)
        except MalformedPacketError:
            self.drops["malformed"] += 1
            return
        self._count(device, "out", packet.protocol, packet.destination, len(packet))
        self._shape(socket.up, packet, now, lambda at: self._enter(socket, packet, at))

    def _enter(self, socket: Socket, packet: Packet, now: float) -> None:
        try:
            network = self._networks[socket.plan.network]
            self._forward(network, packet, now)
        except Blocked as reason:
            self.drops[str(reason)] += 1
        except MalformedPacketError:
            self.drops["malformed"] += 1

    def _forward(self, network: Network, packet: Packet, now: float) -> None:
        door = network.doors.get(packet.destination.address)
        if isinstance(door, Socket):
            self._leave(door, packet, now)
        elif door is not None:
            self._descend(door, packet, now)
        elif network.uplink is not None:
            self._ascend(network.uplink, packet, now)
        else:
            raise Blocked("unrouted")

    def _ascend(self, gateway: GatewayState, packet: Packet, now: float) -> None:
        hairpin = gateway.hairpins(packet)
        gateway.outward(packet, now)
        if hairpin:
            self._descend(gateway, packet, now)
        else:
            self._forward(self._networks[gateway.plan.outside], packet, now)

    def _descend(self, gateway: GatewayState, packet: Packet, now: float) -> None:
        gateway.inward(packet, now)
        self._forward_inside(self._networks[gateway.plan.inside], packet, now)

    def _forward_inside(self, network: Network, packet: Packet, now: float) -> None:
        """Never up again: what nobody inside has asked for would go round for ever."""
        if packet.destination.address not in network.doors:
            raise Blocked("unrouted")
        self._forward(network, packet, now)

    def _leave(self, socket: Socket, packet: Packet, now: float) -> None:
        self._shape(socket.down, packet, now, lambda _: self._arrive(socket, packet))

    def _arrive(self, socket: Socket, packet: Packet) -> None:
        # A host may have been unplugged, or moved, while the packet was on its way.
        current = self._sockets.get(socket.plan.device)
        if current is None or not current.plan.plugged:
            self.drops["unplugged"] += 1
            return
        self._count(socket.plan.device, "in", packet.protocol, packet.source, len(packet))
        self._deliver(socket.plan.device, bytes(packet))

    def _shape(
        self, shaper: Shaper, packet: Packet, now: float, then: Callable[[float], None]
    ) -> None:
        verdict = shaper.admit(len(packet), now)
        if isinstance(verdict, str):
            self.drops[verdict] += 1
        elif verdict <= 0:
            then(now)
        else:
            self._delay(shaper, verdict, lambda: then(now + verdict))

    def _delay(self, shaper: Shaper, seconds: float, then: Callable[[], None]) -> None:
        shaper.on_the_way += 1

        def arrived() -> None:
            shaper.on_the_way -= 1
            then()

        self._later(seconds, arrived)

    def _count(
        self, device: str, way: str, protocol: int, remote: tuple[bytes, int], size: int
    ) -> None:
        flow = (device, way, protocol, *remote)
        packets, total = self.flows.get(flow, (0, 0))
        if packets or len(self.flows) < MOST_FLOWS:
            self.flows[flow] = packets + 1, total + size
        else:
            self.drops["uncounted"] += 1

    # ── building ────────────────────────────────────────────────────────────

    def _network(self, name: str) -> Network:
        return self._networks.setdefault(name, Network())

    def _gateway(self, plan: Gateway) -> GatewayState:
        known = self._gateways.get(plan.name)
        return known if known and known.plan == plan else GatewayState(plan)

    def _socket(self, plan: Attachment) -> Socket:
        known = self._sockets.get(plan.device)
        up = known.up if known and known.plan.up == plan.up else Shaper(plan.up)
        down = known.down if known and known.plan.down == plan.down else Shaper(plan.down)
        return Socket(plan, up, down)

    def _register(self, socket: Socket, address: bytes) -> None:
        """In its network, and wherever it is known by the same address: where none translates."""
        network = self._network(socket.plan.network)
        network.doors[address] = socket
        gateway = network.uplink
        while gateway and not (gateway.plan.nat and len(address) == 4):
            network = self._network(gateway.plan.outside)
            network.doors[address] = gateway
            gateway = network.uplink
