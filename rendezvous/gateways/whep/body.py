"""Reads the body of a request: of the right type, of a bounded size."""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import hdrs, web

from rendezvous.gateways.whep import problems
from rendezvous.gateways.whep.problems import ProblemError
from rendezvous.wire.messages import SDP_BYTES


async def read(request: web.BaseRequest, media_type: str, accept: Mapping[str, str]) -> bytes:
    """The body, which must be of this type; ``accept`` tells the player. Raises ProblemError.

    How long it may take is the connection's deadline.
    """
    if request.content_type != media_type:
        raise _unsupported(f"The body must be {media_type}.", accept)
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        # A few bytes could become very many.
        raise _unsupported("The body must not be compressed.", {hdrs.ACCEPT_ENCODING: "identity"})
    if (request.content_length or 0) > SDP_BYTES:
        raise _too_large()
    await _continue(request)
    return await _read(request)


async def _continue(request: web.BaseRequest) -> None:
    # aiohttp does this in its router, which we have none of (RFC 9110 §10.1.1).
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


async def _read(request: web.BaseRequest) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > SDP_BYTES:
                raise _too_large()
    except web.RequestPayloadError as error:
        raise problems.malformed(f"The body breaks off: {error}.") from None
    return bytes(body)


def _unsupported(sentence: str, headers: Mapping[str, str]) -> ProblemError:
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    return ProblemError(status, "media_type_unsupported", sentence, headers=headers)


def _too_large() -> ProblemError:
    sentence = f"A session description may have {SDP_BYTES} bytes at the most."
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return ProblemError(status, "message_too_large", sentence)
