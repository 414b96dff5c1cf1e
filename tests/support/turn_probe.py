"""Tries every special-purpose address through coturn in a network where all addresses answer.

``unshare --net python -m tests.support.turn_probe``: in the new network every address is this
machine's, so that what leaves the relay arrives, wherever it goes. Prints one JSON object: what
arrived, and the code with which each address was refused (0: it was not).
"""

import json
import socket
import subprocess

from tests.support.coturn import running_coturn
from tests.support.special_addresses import ORDINARY, special_addresses
from tests.support.turn_client import RefusedError, TurnClient, turn_client
from tests.support.waiting import PATIENCE

_PORT = 4000
_RELAYS = ("relay-ip=::1",)
_EVERY_ADDRESS = (
    ("link", "set", "lo", "up"),
    ("route", "add", "local", "0.0.0.0/0", "dev", "lo"),
    ("-6", "route", "add", "local", "::/0", "dev", "lo"),
)


def main() -> None:
    """Makes the network, tries, prints."""
    for words in _EVERY_ADDRESS:
        subprocess.run(("ip", *words), check=True)
    listeners = [_listener(family) for family in (socket.AF_INET, socket.AF_INET6)]
    peers = [*sorted(map(str, special_addresses())), *ORDINARY]
    refused: dict[str, int] = {}
    with running_coturn(*_RELAYS) as server:
        for version in (4, 6):
            with turn_client(server.address, *server.user()) as client:
                client.allocate(version)
                refused |= {p: try_out(client, p) for p in peers if (":" in p) == (version == 6)}
        arrived = [peer for listener in listeners for peer in _heard(listener)]
    print(json.dumps({"arrived": arrived, "refused": refused}))


def try_out(client: TurnClient, peer: str) -> int:
    """Sends to it without leave, after asking for leave, and over a channel."""
    code = 0
    client.send(peer, _PORT, peer.encode())
    for ask in (client.permit, client.bind):
        try:
            ask(peer, _PORT)
        except RefusedError as error:
            code = error.code
        client.send(peer, _PORT, peer.encode())
    return code


def _listener(family: socket.AddressFamily) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind(("", _PORT))
    listener.settimeout(PATIENCE)
    return listener


def _heard(listener: socket.socket) -> list[str]:
    """Who was written to, the last of them an ordinary address: nothing comes after it."""
    heard: list[str] = []
    while not heard or heard[-1] != ORDINARY[-1 if listener.family == socket.AF_INET6 else 1]:
        heard.append(listener.recv(100).decode())
    return heard


if __name__ == "__main__":
    main()
