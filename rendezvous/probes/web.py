"""What a rendezvous says to browsers: what time it is there, and whether a WebSocket opens."""

import asyncio
import base64
import datetime as dt
import email.utils
import secrets
import ssl
from http import HTTPStatus
from typing import Final

from rendezvous.probes.channels import PATIENCE, SilentError, connect
from rendezvous.probes.findings import Finding, fault, well
from rendezvous.probes.names import resolve
from rendezvous.probes.stun import Address

_PLAIN: Final = ("GET /healthz HTTP/1.1", "Connection: close")
_UPGRADE: Final = (  # RFC 6455 §4.1
    "GET /ws HTTP/1.1",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
)


async def time_there(address: Address, tls: ssl.SSLContext | None, name: str) -> dt.datetime | None:
    """The Date of an answer (RFC 9110 §6.6.1); raises SilentError or ssl.SSLError."""
    return date_of(await _head(address, tls, name, _PLAIN))


def date_of(head: str) -> dt.datetime | None:
    """From the head of an HTTP answer."""
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "date":
            try:
                return email.utils.parsedate_to_datetime(value.strip()).astimezone(dt.UTC)
            except ValueError:
                return None
    return None


async def websocket(host: str, port: int, tls: ssl.SSLContext | None) -> Finding:
    """Whether browsers can open one; ``tls`` None: in clear."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    request = (*_UPGRADE, f"Sec-WebSocket-Key: {key}")
    for address in await resolve(host, port):
        try:
            return judge_websocket(await _head(address, tls, host, request))
        except (SilentError, ssl.SSLError):
            continue
    return judge_websocket("")


def judge_websocket(head: str) -> Finding:
    """``head``: of the answer to the request for one; empty without any. Pure."""
    _, _, status = head.partition("\r\n")[0].partition(" ")
    if status.startswith(str(HTTPStatus.SWITCHING_PROTOCOLS.value)):
        return well("websocket", "A WebSocket opens there, over which browsers hear of cameras.")
    heard = f"the answer is “{status}”" if status else "there is no answer"
    return fault(
        "websocket_blocked",
        f"A WebSocket does not open there: {heard}.",
        "Browsers do not find the camera, though it gets in itself: nobody can watch.",
        "A proxy in between has to pass on WebSockets (Upgrade), or simply TCP as it comes.",
    )


async def _head(
    address: Address, tls: ssl.SSLContext | None, name: str, lines: tuple[str, ...]
) -> str:
    """Of the answer, empty without one; raises SilentError or ssl.SSLError."""
    reader, writer = await connect(address, tls, name)
    host = f"[{name}]" if ":" in name else name
    try:
        writer.write("\r\n".join((*lines, f"Host: {host}", "", "")).encode())
        async with asyncio.timeout(PATIENCE):
            return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return ""
    finally:
        writer.transport.abort()
