"""Refusals over HTTP: a status, and problem details (RFC 9457) with our stable code in them.

The status is for players, which know nothing of our codes (draft-ietf-wish-whep §4.1 wants them
to fall back on its class); the code and the sentence are for whoever looks into it.
"""

import json
import math
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import hdrs, web

from rendezvous.wire.messages import End, EndReason, Error, ErrorCode, Source, SourceState

RETRY_AFTER = 5.0  # seconds, where nobody knows better
_SOON = 2.0  # seconds, until a source that starts has started

_MEDIA_TYPE = "application/problem+json"

_STATUS: Mapping[str, HTTPStatus] = {
    ErrorCode.MALFORMED: HTTPStatus.BAD_REQUEST,
    ErrorCode.MESSAGE_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorCode.NOT_ALLOWED: HTTPStatus.CONFLICT,
    ErrorCode.ROOM_MALFORMED: HTTPStatus.NOT_FOUND,
    ErrorCode.ROOM_UNKNOWN: HTTPStatus.UNAUTHORIZED,
    ErrorCode.ROOM_FULL: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.SESSION_UNKNOWN: HTTPStatus.NOT_FOUND,
    ErrorCode.STORE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.SHUTTING_DOWN: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.TOO_MANY_CANDIDATES: HTTPStatus.UNPROCESSABLE_ENTITY,
    EndReason.OFFER_REFUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    EndReason.ANSWER_TIMEOUT: HTTPStatus.GATEWAY_TIMEOUT,
    EndReason.CAMERA_FULL: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""What the core or the camera said. Any other error is a defect; any other end may pass."""


class ProblemError(Exception):
    """A request is refused; ``response`` says so."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self._headers = dict(headers or {})

    def response(self) -> web.Response:
        """The refusal in both its forms."""
        body = {
            # No page explains each code, so the type is the status's own (RFC 9457 §4.2.1).
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": str(self),
            "code": str(self.code),
        }
        headers = {hdrs.CONTENT_TYPE: _MEDIA_TYPE, **self._headers}
        if self.retry_after is not None:
            headers[hdrs.RETRY_AFTER] = str(math.ceil(self.retry_after))
        return web.Response(status=self.status, body=json.dumps(body).encode(), headers=headers)


def of_error(error: Error) -> ProblemError:
    """What the core refused."""
    status = _STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    retry_after = error.retry_after
    if retry_after is None and status is HTTPStatus.SERVICE_UNAVAILABLE:
        retry_after = RETRY_AFTER
    return ProblemError(status, error.code, error.message, retry_after=retry_after)


def of_end(end: End) -> ProblemError:
    """A session that ended before it had begun."""
    status = _STATUS.get(end.reason, HTTPStatus.SERVICE_UNAVAILABLE)
    final = status is HTTPStatus.UNPROCESSABLE_ENTITY
    detail = end.message or f"The session was ended: {end.reason}."
    return ProblemError(status, end.reason, detail, retry_after=None if final else RETRY_AFTER)


def camera_away() -> ProblemError:
    """The room is known, its camera is not there."""
    sentence = "The camera is not connected."
    return ProblemError(HTTPStatus.CONFLICT, "camera_away", sentence, retry_after=RETRY_AFTER)


def not_live(source: Source) -> ProblemError:
    """The publisher is there and has no picture; a player could not be told so later."""
    code = source.code or f"source_{source.state}"
    sentence = source.message or f"The camera has no picture yet: {source.state}."
    retry_after = _SOON if source.state is SourceState.STARTING else RETRY_AFTER
    return ProblemError(HTTPStatus.CONFLICT, code, sentence, retry_after=retry_after)


def unauthorized(detail: str, *, token_given: bool) -> ProblemError:
    """The same for every room, known or not (RFC 6750 §3)."""
    challenge = 'Bearer realm="porthole"' + (', error="invalid_token"' if token_given else "")
    return ProblemError(
        HTTPStatus.UNAUTHORIZED,
        ErrorCode.ROOM_UNKNOWN,
        detail,
        headers={hdrs.WWW_AUTHENTICATE: challenge},
    )


def malformed(detail: str) -> ProblemError:
    """The body is not what its type says."""
    return ProblemError(HTTPStatus.BAD_REQUEST, ErrorCode.MALFORMED, detail)


def shutting_down() -> ProblemError:
    """The server closed the session's connection without another word."""
    return of_error(Error(code=ErrorCode.SHUTTING_DOWN, message="The server is about to stop."))
