"""Nobody reaches through our coturn what is not an ordinary address of the Internet."""

import ipaddress
import json
import subprocess
import sys
from typing import Any, cast

import pytest

from tests.support.coturn import running_coturn
from tests.support.special_addresses import ORDINARY, V4, V6, special_addresses
from tests.support.turn_client import TCP, RefusedError, turn_client
from tests.support.turn_probe import try_out

_IN_A_NETWORK = ("unshare", "--net", "--pid", "--fork", "--kill-child")
_FORBIDDEN = 403


@pytest.mark.parametrize("version", [4, 6])
def test_every_special_purpose_address_is_forbidden(version: int) -> None:
    peers = {str(address) for address in special_addresses() if address.version == version}
    with (
        running_coturn("relay-ip=::1") as server,
        turn_client(server.address, *server.user()) as client,
    ):
        client.allocate(version)
        codes = {peer: try_out(client, peer) for peer in peers}
    assert codes == dict.fromkeys(peers, _FORBIDDEN)


def test_nothing_reaches_a_special_purpose_address_where_all_addresses_answer() -> None:
    """The relay could reach them here, and ordinary ones are reached."""
    if subprocess.run((*_IN_A_NETWORK, "true"), check=False, capture_output=True).returncode:
        pytest.skip("NO NETWORK NAMESPACES HERE: run as root to see that nothing arrives")
    command = (*_IN_A_NETWORK, sys.executable, "-m", "tests.support.turn_probe")
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert set(found["arrived"]) == set(ORDINARY)
    assert {peer for peer, code in found["refused"].items() if code == 0} == set(ORDINARY)


def test_the_list_has_all_that_python_knows_to_be_special() -> None:
    """``ipaddress`` has the registries of its own time."""
    ours = [ipaddress.ip_network(network) for network, _ in (*V4, *V6)]
    kinds: Any = (ipaddress.IPv4Address, ipaddress.IPv6Address)
    for kind in kinds:
        for network in cast("list[Any]", kind._constants._private_networks):
            assert any(network.version == n.version and network.subnet_of(n) for n in ours), network


def test_a_peer_of_another_kind_of_transport_is_refused() -> None:
    """Relayed TCP would reach what listens, where UDP reaches what answers."""
    with running_coturn() as server, turn_client(server.address, *server.user()) as client:
        with pytest.raises(RefusedError) as refused:
            client.allocate(transport=TCP)
        assert refused.value.code == 442  # unsupported transport
