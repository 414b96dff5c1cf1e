"""WHEP over HTTP: ``/whep/<room>`` is a room's endpoint, ``/whep/<room>/<token>`` a session.

The gateway keeps no rules of its own about rooms: who asks becomes a viewer of the hub's, and what
the core says to that viewer is said to the player, in HTTP's words.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from http import HTTPStatus
from typing import TypeAlias

from aiohttp import hdrs, web

from rendezvous.gateways.whep import headers, problems, sdp
from rendezvous.gateways.whep.body import read
from rendezvous.gateways.whep.calls import (
    NO_TOKEN,
    WRONG_TOKEN,
    Call,
    Session,
    Visit,
    authorized,
    check_credential,
    require,
)
from rendezvous.gateways.whep.problems import ProblemError
from rendezvous.gateways.whep.rates import Rates
from rendezvous.gateways.whep.viewer import Viewer
from rendezvous.relay.hub import Hub
from rendezvous.wire.identity import ConnectionId
from rendezvous.wire.messages import IceServer, Joined

log = logging.getLogger(__name__)

_REQUESTS_PER_SECOND, _BURST = 20.0, 60  # from one address
_BODY_SECONDS = 10.0
_ANSWER_SECONDS = 25.0  # a little more than the viewer's own patience


_Handler: TypeAlias = Callable[[Call], Awaitable[web.Response]]


class Whep:
    """Answers every request under ``/whep/``."""

    prefix = "/whep/"

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._rates = Rates(_REQUESTS_PER_SECOND, _BURST)
        self._sessions: dict[str, Session] = {}
        self._endpoint: dict[str, _Handler] = {
            hdrs.METH_GET: _nothing,
            hdrs.METH_HEAD: _nothing,
            hdrs.METH_OPTIONS: self._describe,
            hdrs.METH_POST: self._watch,
        }
        self._resource: dict[str, _Handler] = {
            hdrs.METH_DELETE: self._end,
            hdrs.METH_GET: _nothing,
            hdrs.METH_HEAD: _nothing,
            hdrs.METH_OPTIONS: _describe_session,
            hdrs.METH_PATCH: self._trickle,
        }

    @property
    def sessions(self) -> int:
        """How many there are."""
        return len(self._sessions)

    async def answer(self, request: web.BaseRequest, visit: Visit) -> web.Response:
        """The response, whatever the request is."""
        visit.extend(_BODY_SECONDS)
        try:
            response = await self._answer(request, visit)
        except ProblemError as problem:
            self._hub.counters.add(f"whep_{problem.code}")
            response = problem.response()
        except (ConnectionError, asyncio.CancelledError):  # the player hung up
            raise
        except Exception:
            log.exception("A defect in WHEP")
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            response = ProblemError(status, "internal", "A defect of the server.").response()
        response.headers.update(headers.ALWAYS)
        return response

    async def _answer(self, request: web.BaseRequest, visit: Visit) -> web.Response:
        self._slow_down(visit.address)
        room, _, token = request.path.removeprefix(self.prefix).partition("/")
        session = self._sessions.get(token)
        # Preflights ask for everybody: they must not tell sessions that exist from others.
        handlers = self._resource if token else self._endpoint
        handler = handlers.get(request.method)
        if handler is None:
            raise _method_not_allowed(handlers)
        if token and request.method != hdrs.METH_OPTIONS:
            session = require(session, room)
        return await handler(Call(request, visit, room, session))

    def _slow_down(self, address: str) -> None:
        wait = self._rates.refused(address, asyncio.get_running_loop().time())
        if wait > 0:
            sentence = "There are too many requests from your address."
            status = HTTPStatus.TOO_MANY_REQUESTS
            raise ProblemError(status, "too_many_requests", sentence, retry_after=wait)

    # ── the endpoint ─────────────────────────────────────────────────────────────────────────

    async def _describe(self, call: Call) -> web.Response:
        """OPTIONS; with the token also the ICE servers, ahead of the offer (RFC 9725 §4.6)."""
        response = web.Response(headers=headers.preflight(self._endpoint))
        response.headers[hdrs.ALLOW] = ", ".join(self._endpoint)
        response.headers[headers.ACCEPT_POST] = headers.SDP
        if call.token is not None:
            response.headers.extend(headers.links(await self._ice_servers(call)))
        return response

    async def _ice_servers(self, call: Call) -> tuple[IceServer, ...]:
        try:
            with self._viewer(call.room) as viewer:
                joined = await self._join(call, viewer)
                viewer.leave()
                return joined.ice_servers
        except ProblemError as problem:
            if problem.status is HTTPStatus.UNAUTHORIZED:
                raise
            return ()  # no camera, or no place: then there is nothing to connect to

    async def _watch(self, call: Call) -> web.Response:
        """POST: an offer comes, a session begins."""
        offer = _offer(await read(call.request, headers.SDP, {headers.ACCEPT_POST: headers.SDP}))
        call.visit.extend(_ANSWER_SECONDS)
        with self._viewer(call.room) as viewer:
            joined = await self._join(call, viewer)
            answer = await viewer.offer(sdp.for_camera(offer))
            if call.request.transport is None:
                await viewer.end()  # to leave would keep the session, for a viewer to come back to
                raise ConnectionResetError("The player went before the answer came.")
            secret = call.token.secret if call.token else None
            session = Session(viewer, call.room, secret, offer)
            return self._created(session, joined, answer)

    @contextlib.contextmanager
    def _viewer(self, room: str) -> Iterator[Viewer]:
        """A viewer that is gone when what it came for fails."""
        viewer = Viewer(self._hub, room, ConnectionId(secrets.token_urlsafe(16)))
        try:
            yield viewer
        except BaseException:
            viewer.leave()
            raise

    async def _join(self, call: Call, viewer: Viewer) -> Joined:
        token = call.token
        check_credential(call)
        try:
            return await viewer.join(token.secret if token else None)
        except ProblemError as problem:
            if problem.status is not HTTPStatus.UNAUTHORIZED:
                raise
            sentence = WRONG_TOKEN if token else NO_TOKEN
            raise problems.unauthorized(sentence, token_given=token is not None) from None

    def _created(self, session: Session, joined: Joined, answer: str) -> web.Response:
        token = secrets.token_urlsafe(32)  # whoever knows the URL may end the session
        self._sessions[token] = session
        session.viewer.on_gone = partial(self._sessions.pop, token, None)
        response = web.Response(
            status=HTTPStatus.CREATED,
            body=answer.encode(),
            headers={
                hdrs.CONTENT_TYPE: headers.SDP,
                hdrs.LOCATION: f"{self.prefix}{session.room}/{token}",
                hdrs.ETAG: session.etag,
                headers.ACCEPT_PATCH: headers.FRAGMENT,
            },
        )
        response.headers.extend(headers.links(joined.ice_servers))
        return response

    # ── sessions ─────────────────────────────────────────────────────────────────────────────

    async def _trickle(self, call: Call) -> web.Response:
        """PATCH: more candidates of the player."""
        session = authorized(call)
        accept = {headers.ACCEPT_PATCH: headers.FRAGMENT}
        body = await read(call.request, headers.FRAGMENT, accept)
        if not headers.matches(call.request.headers.get(hdrs.IF_MATCH), session.etag):
            sentence = "This is not the entity tag of the session."
            raise ProblemError(HTTPStatus.PRECONDITION_FAILED, "etag_unknown", sentence)
        candidates = _fragment(body, session.offer).candidates
        async with session.trickling:
            await session.viewer.trickle(candidates)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _end(self, call: Call) -> web.Response:
        """DELETE; an entity tag, if there is one, makes no difference (whep §4.4.1)."""
        await authorized(call).viewer.end()
        return web.Response()


async def _nothing(_call: Call) -> web.Response:
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def _describe_session(_call: Call) -> web.Response:
    methods = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH")
    response = web.Response(headers=headers.preflight(methods))
    response.headers[hdrs.ALLOW] = ", ".join(methods)
    response.headers[headers.ACCEPT_PATCH] = headers.FRAGMENT
    response.headers[headers.ACCEPT_POST] = headers.SDP
    return response


def _offer(body: bytes) -> sdp.Offer:
    try:
        return sdp.read_offer(body)
    except sdp.DirectionError as error:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        raise ProblemError(status, "offer_refused", str(error)) from None
    except sdp.SdpError as error:
        raise problems.malformed(str(error)) from None


def _fragment(body: bytes, offer: sdp.Offer) -> sdp.Fragment:
    try:
        fragment = sdp.read_fragment(body)
    except sdp.SdpError as error:
        raise problems.malformed(str(error)) from None
    if not fragment.ufrags <= offer.ufrags:
        # Other credentials are a restart, and not late candidates of an earlier one (whep §4.4.3).
        sentence = "ICE cannot be restarted here; make a new session."
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        raise ProblemError(status, "ice_restart_unsupported", sentence)
    return fragment


def _method_not_allowed(handlers: dict[str, _Handler]) -> ProblemError:
    allow = ", ".join(handlers)
    sentence = f"This resource takes {allow}."
    status = HTTPStatus.METHOD_NOT_ALLOWED
    return ProblemError(status, "method_not_allowed", sentence, headers={hdrs.ALLOW: allow})
