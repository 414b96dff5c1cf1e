"""What only the operator knows about the machine."""

import ipaddress
import re
from dataclasses import dataclass


class Unusable(Exception):  # noqa: N818  # what the operator said, not a defect
    """What was said cannot be used; the sentence goes to the operator."""


@dataclass(frozen=True)
class Choices:
    """What only the operator knows. Addresses are the machine's own, IPv4 or IPv6."""

    name: str
    turn_name: str
    address: tuple[str, ...]
    turn_address: tuple[str, ...] = ()
    external: str = ""

    @property
    def shared(self) -> bool:
        """Whether both services are behind one port 443."""
        return not self.turn_address

    @property
    def relays(self) -> tuple[str, ...]:
        """The addresses of the TURN server."""
        return self.turn_address or self.address

    def check(self) -> None:
        """Raises Unusable."""
        for name in (self.name, self.turn_name):
            if not re.fullmatch(r"(?=.{1,253}$)[a-z0-9-]+(\.[a-z0-9-]+)+", name):
                raise Unusable(f"'{name}' is no name of a host, as watch.example.org is.")
        if self.name == self.turn_name:
            raise Unusable("The two services need a name each: HAProxy and certificates go by it.")
        if not self.address:
            raise Unusable("Say the machine's public address with --address.")
        for text in (*self.address, *self.turn_address, *filter(None, [self.external])):
            _check_address(text)
        if set(self.address) & set(self.turn_address):
            raise Unusable("With --turn-address the two services have no address in common.")


def _check_address(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise Unusable(f"'{text}' is no address, as 203.0.113.7 or 2001:db8::7 are.") from None
