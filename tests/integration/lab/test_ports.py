"""A port that is asked for stays whoever's asked, whatever runs beside."""

import socket
import subprocess
import sys

from tests.support.cameras import ROOT
from tests.support.ports import free_port

ASK = "from tests.support.ports import free_port; print([free_port() for _ in range(100)])"


def test_nobody_is_given_the_same_port() -> None:
    own = [free_port() for _ in range(100)]
    assert len(set(own)) == 100
    asked = [subprocess.Popen([sys.executable, "-c", ASK], cwd=ROOT, stdout=-1) for _ in range(2)]
    for process in asked:
        told = process.communicate()[0].decode()
        assert not set(own) & set(map(int, told.strip("[]\n").split(", ")))


def test_it_can_be_listened_on_by_either_protocol() -> None:
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(("127.0.0.1", port))
