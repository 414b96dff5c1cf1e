"""What a test tells the router, and what it answers: one JSON object a line, one answer each."""

from typing import TypeAlias

from msgspec import Struct

from tests.support.lab.topology import Topology


class Open(Struct, tag="open"):
    """Make a TUN device; it is the caller's to move into a namespace."""

    device: str
    """Its name in the topology."""
    kernel_name: str
    """Its name as the kernel knows it, until it is moved."""


class Configure(Struct, tag="configure"):
    """This is the network from now on."""

    topology: Topology


class Count(Struct, tag="count"):
    """What was carried since the start?"""


class Flow(Struct, frozen=True):
    """What a host's device has exchanged with one remote endpoint, as the host knows it."""

    device: str
    way: str
    """``out``: sent by the host, whether it arrived or not. ``in``: given to it."""
    protocol: int
    address: str
    port: int
    packets: int
    bytes: int


class Counted(Struct):
    """Packets that were dropped, by reason; flows; the longest waits in each device's queues."""

    drops: dict[str, int] = {}
    flows: tuple[Flow, ...] = ()
    waits: dict[str, tuple[float, float]] = {}
    """Seconds, from and to the device."""


class Failed(Struct, tag="failed"):
    """It could not be done."""

    message: str


class Done(Struct, tag="done"):
    """It is done; ``counted`` if that was asked for."""

    counted: Counted | None = None


Command: TypeAlias = Open | Configure | Count
Answer: TypeAlias = Done | Failed
