"""A TCP connection that notices within seconds when the other end is gone, at both programs."""

import socket
from typing import Any

_USER_TIMEOUT = 20_000  # ms until unacknowledged data ends a connection
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 2}  # seconds, seconds, count


def tune(connection: Any) -> None:
    """Small messages leave at once, and silence ends. A socket, or asyncio's view of one."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in {**_KEEPALIVE, "TCP_USER_TIMEOUT": _USER_TIMEOUT}.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
