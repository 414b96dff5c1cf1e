"""The composition root: makes the parts, starts them in order and stops them in reverse."""

import asyncio
import contextlib
import logging
import secrets
import ssl
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import metadata

from rendezvous.gateways.whep.gateway import Whep
from rendezvous.program.errors import ProgramError, SettingsError
from rendezvous.relay.counters import Counters
from rendezvous.relay.hub import Hub
from rendezvous.relay.mail import Mail
from rendezvous.rooms.book import Book, Ice
from rendezvous.rooms.core import Core
from rendezvous.rooms.limits import Limits
from rendezvous.settings import (
    Settings,
    ice_servers,
    page_origins,
    redis_address,
    room_policy,
    split_address,
)
from rendezvous.stores.contract import Store
from rendezvous.stores.embedded import EmbeddedStore
from rendezvous.transports import tcp
from rendezvous.transports.conversation import Conversations
from rendezvous.transports.gate import DoorLimits, Gate
from rendezvous.transports.http import Http
from rendezvous.transports.origins import PublicOrigins
from rendezvous.transports.pages import Pages, player_files
from rendezvous.transports.port import Doors, Port
from rendezvous.transports.proxied import SIGNATURE_1, SIGNATURE_2
from rendezvous.transports.proxies import TrustedProxies
from rendezvous.transports.sniffer import Recogniser
from rendezvous.wire.identity import NodeId, Owner, RoomId
from rendezvous.wire.messages import ErrorCode, IceServer

log = logging.getLogger(__name__)

_COME_BACK_AFTER = 1.0  # seconds, for goaway
_GO_ELSEWHERE_AFTER = 0.2  # the same, when another node is there already
_DRAIN_PATIENCE = 3.0  # seconds for sessions under negotiation, and for cameras to move


def version() -> str:
    """The version of the installed package."""
    try:
        return metadata.version("porthole")
    except metadata.PackageNotFoundError:  # run from a source tree that was never installed
        return "0"


def _log_failure(error: ProgramError) -> None:
    log.critical("%s", error)


class Server:
    """One rendezvous server. ``start``, then ``drain`` if there is time, then ``stop``.

    Without ``settings.state`` and ``settings.redis`` names are remembered in memory only.
    A ``store`` of one's own comes with the ``mail`` that leads to other nodes, if there are any.
    ``on_failure`` is called when it is not safe to go on: stop, without draining.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        limits: Limits | None = None,
        door_limits: DoorLimits | None = None,
        store: Store | None = None,
        mail: Mail | None = None,
        on_failure: Callable[[ProgramError], None] = _log_failure,
        tick: float = 0.5,
    ) -> None:
        self._settings = settings
        limits = limits or Limits(viewers_per_room=settings.viewers_per_room)
        self._door_limits = replace(
            door_limits
            or DoorLimits(per_address=settings.strangers_per_address, in_all=settings.strangers),
            unadmitted=limits.unadmitted,
        )
        self.counters = Counters()
        self._proxies = TrustedProxies(settings.trusted_proxy)
        self.gate = Gate(self._door_limits, self._proxies)
        self._policy = room_policy(settings)
        self._ice = ice_servers(settings)
        self._store: Store = store or _store(settings, on_failure)
        self._mail = mail if store else _mail(settings, on_failure)
        self.core = Core(
            Book(
                node=NodeId(secrets.token_urlsafe(16)) if self._mail else None,
                server=f"porthole {version()}",
                limits=limits,
                ice=Ice(self._servers_for, settings.ice_policy, relays=self._ice.relays),
                permits=self._permits,
            )
        )
        self._tick = tick
        self._draining = False
        self._running = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Opens the store and the ports; raises ProgramError, and then nothing is left open."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        await self._store.start()
        self._running.push_async_callback(self._store.stop)
        hub = Hub(
            self.core,
            self._store,
            counters=self.counters,
            clock=asyncio.get_running_loop().time,
            tick=self._tick,
            mail=self._mail,
        )
        self._hub = hub
        conversations = Conversations(hub, self._door_limits)
        self._running.push_async_callback(conversations.stop)
        http = self._http(conversations)
        self._running.push_async_callback(http.stop)
        hub.start()
        self._running.push_async_callback(hub.stop)
        await self._open_ports(self._doors(conversations, http))

    async def _open_ports(self, doors: Doors) -> None:
        self._ports = [Port(*split_address(text), doors) for text in self._settings.listen]
        for port in self._ports:
            await port.start()
            self._running.push_async_callback(port.stop)

    def _http(self, conversations: Conversations) -> Http:
        self.whep = Whep(conversations.hub)
        allowed = page_origins(self._settings)
        return Http(
            conversations,
            Pages(player_files(), framed_by=allowed),
            self._door_limits,
            allow_origins=allowed,
            gateways=(self.whep,),
            proxies=self._proxies,
            health=self._health,
        )

    def _doors(self, conversations: Conversations, http: Http) -> Doors:
        tls = _tls(self._settings)
        recognisers = (*tcp.recognisers(conversations), *http.recognisers())
        foreign = tuple(self._no_proxy(signature) for signature in (SIGNATURE_1, SIGNATURE_2))
        recognisers += foreign
        refusals = (
            *foreign,
            tcp.refusal(b"{", ErrorCode.TLS_REQUIRED, "This port wants TLS.", self._door_limits),
            *http.clear_refusals(),
        )
        return Doors(
            gate=self.gate,
            limits=self._door_limits,
            counters=self.counters,
            origins=PublicOrigins(self._settings.public_origin),
            proxies=self._proxies,
            recognisers=recognisers,
            clear_recognisers=refusals if tls and not self._settings.allow_clear else recognisers,
            tls=tls,
        )

    def _no_proxy(self, signature: bytes) -> Recogniser:
        sentence = "Only proxies of --trusted-proxy may tell whose connection this is."
        count = partial(self.counters.add, "proxy_untrusted")
        return tcp.refusal(signature, ErrorCode.MALFORMED, sentence, self._door_limits, count)

    def _permits(self, room: RoomId, owner: Owner) -> bool:
        return self._policy.permits(room, owner)

    def _servers_for(self, room: RoomId) -> tuple[IceServer, ...]:
        return self._ice.for_room(room)

    def reload(self) -> None:
        """Reads the list of allowed rooms and the files of TURN secrets again, for what comes.

        Raises SettingsError, and then all is what it was.
        """
        self._policy, self._ice = room_policy(self._settings), ice_servers(self._settings)

    def _health(self) -> dict[str, str]:
        return {"status": "draining" if self._draining else "ok", "version": version()}

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Where it listens: host and port, the real ones."""
        return tuple(port.address for port in self._ports)

    @property
    def tls(self) -> bool:
        """Whether the ports speak TLS."""
        return self._settings.tls_cert is not None

    async def drain(self) -> None:
        """Sends everybody away, and waits for those who are about to connect.

        If there are other nodes the ports are shut first, so that a proxy leads everybody there.
        """
        self._draining = True
        after = _COME_BACK_AFTER
        if self._mail is not None:
            after = _GO_ELSEWHERE_AFTER
            for port in self._ports:
                await port.shut()
        await self._hub.drain(after=after, patience=_DRAIN_PATIENCE)

    async def stop(self) -> None:
        """Closes everything, the last opened first. Idempotent."""
        await self._running.aclose()


def _store(settings: Settings, on_failure: Callable[[ProgramError], None]) -> Store:
    address = redis_address(settings)
    if address is None:
        return EmbeddedStore(settings.state, rooms_per_owner=settings.rooms_per_key)
    # Whoever has one node needs no Redis, and does not wait for its client to be loaded.
    from rendezvous.stores.redis.store import RedisStore  # noqa: PLC0415

    return RedisStore(
        address,
        replicas=settings.redis_replicas,
        open_rooms=settings.open_rooms,
        rooms_per_owner=settings.rooms_per_key,
        on_confusion=on_failure,
    )


def _mail(settings: Settings, on_failure: Callable[[ProgramError], None]) -> Mail | None:
    address = redis_address(settings)
    if address is None:
        return None
    from rendezvous.relay.inbox import RedisMail  # noqa: PLC0415

    return RedisMail(address, on_confusion=on_failure)


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            "tls_unusable",
            f"Cannot use the certificate {settings.tls_cert}: {error}.",
            "It is a PEM chain; --tls-key names its key if that is in another file.",
        ) from None
    return context
