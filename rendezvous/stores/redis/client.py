"""redis-py, behind three methods: the only module that knows how it is used safely.

* RESP2, pinned: RESP3 changes the shapes of replies.
* One connection a client, used by one task: nobody waits in a pool, and no pool ever raises.
* A time-out is never tried again here, a broken connection once: servers restart.
* Whatever goes wrong, the connection is not used again; its replies could be another call's.
* hiredis writes commands and reads replies: in Python that is as much work as all else of a claim.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from hiredis import pack_command
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as BrokenConnectionError
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from rendezvous.stores.contract import StoreUnavailableError
from rendezvous.stores.redis.address import RedisAddress

Command: TypeAlias = tuple[str | int | bytes, ...]

TIMEOUT = 1.0  # seconds for a connection to be made, and for a reply
_SENTINEL_TIMEOUT = 0.3  # seconds; another one may know
_AGAIN = 0.1  # seconds until a task is cancelled once more
_PACK: Callable[[Any], bytes] = pack_command  # declared for tuples of one element only
_SENTINEL: Callable[..., Sentinel] = Sentinel  # whose own declaration has no types


class Client:
    """A connection to Redis that is made again when it broke. For one task at a time.

    ``timeout``: seconds for it to be made, and for a reply; ``block``: what a call itself may wait
    in Redis. Replies are text, or bytes if they are not to be decoded.
    """

    def __init__(
        self,
        address: RedisAddress,
        *,
        timeout: float = TIMEOUT,
        block: float = 0.0,
        decode: bool = True,
    ) -> None:
        self._address = address
        options = {**_options(address, timeout, block), "decode_responses": decode}
        self._sentinel = _sentinel(address) if address.name else None
        if self._sentinel is not None and address.name is not None:
            self._redis = self._sentinel.master_for(address.name, **options)
        else:
            ((host, port),) = address.hosts
            self._redis = Redis(host=host, port=port, **options)
        pool = self._redis.connection_pool
        pool.connection_class = _packing(pool.connection_class)

    async def pipeline(self, commands: Sequence[Command]) -> list[Any]:
        """Their replies, errors included as ResponseError; raises StoreUnavailableError."""
        pipe = self._redis.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        try:
            replies: list[Any] = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            await self._drop()
            raise StoreUnavailableError(f"{self._address}: {error}") from error
        except BaseException:
            await self._drop()
            raise
        if any(isinstance(reply, ReadOnlyError) for reply in replies):
            await self._drop()  # a replica now: the name may lead to another server
        return replies

    async def command(self, *command: str | int) -> Any:
        """Its reply; raises StoreUnavailableError, also when Redis refuses it."""
        (reply,) = await self.pipeline([command])
        if isinstance(reply, ResponseError):
            raise StoreUnavailableError(f"{self._address}: {reply}") from reply
        return reply

    async def close(self) -> None:
        """Gives the connections back, also those that do not close in time. Idempotent."""
        for client in (self._redis, *(self._sentinel.sentinels if self._sentinel else ())):
            with contextlib.suppress(RedisError, OSError):  # redis-py has let go of it all the same
                await client.aclose()

    async def _drop(self) -> None:
        with contextlib.suppress(RedisError, OSError):  # it is being closed for an error already
            await self._redis.connection_pool.disconnect()


async def end(task: asyncio.Task[Any]) -> None:
    """Cancels a task that talks to Redis until it ends: redis-py swallows a cancellation at times.

    What it raised or returned is nobody's.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_AGAIN)
    if not task.cancelled():
        task.exception()  # or asyncio complains that it was never retrieved


class _Packing:
    # What redis-py has of hiredis for replies, whenever it is there, it has for commands in its
    # blocking connections only.
    def pack_commands(self, commands: Iterable[Command]) -> list[bytes]:
        return [b"".join(map(_PACK, map(tuple, commands)))]


def _packing(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    return type(kind.__name__, (_Packing, kind), {})


def _options(address: RedisAddress, timeout: float, block: float) -> dict[str, Any]:
    return {
        "db": address.database,
        "username": address.user,
        "password": address.password,
        "socket_timeout": timeout + block,
        "socket_connect_timeout": timeout,
        "health_check_interval": 0,
        "retry": Retry(NoBackoff(), 1, supported_errors=(BrokenConnectionError,)),
        "protocol": 2,
        "client_name": "porthole",
        **_tls(address),
    }


def _tls(address: RedisAddress) -> dict[str, Any]:
    if not address.tls:
        return {}
    return {
        "ssl": True,
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
        "ssl_check_hostname": True,
        "ssl_ca_certs": str(address.ca) if address.ca else None,
    }


def _sentinel(address: RedisAddress) -> Sentinel:
    options = {
        "socket_timeout": _SENTINEL_TIMEOUT,
        "socket_connect_timeout": _SENTINEL_TIMEOUT,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "decode_responses": True,
        **_tls(address),
    }
    return _SENTINEL(list(address.hosts), sentinel_kwargs=options)
