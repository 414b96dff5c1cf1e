"""Whether a Redis will do, asked once at the start: better no start than names that get lost."""

import logging
import re
from typing import Any

from rendezvous.program.errors import SettingsError, UnavailableError
from rendezvous.stores.contract import StoreUnavailableError
from rendezvous.stores.redis.address import RedisAddress
from rendezvous.stores.redis.client import Client

log = logging.getLogger(__name__)

_OLDEST = (6, 2)  # ZADD GT; scripts that ask for the time and write
_VERSION = re.compile(r"(\d+)\.(\d+)")


async def require_fitness(address: RedisAddress, *, replicas: int, open_rooms: bool) -> None:
    """Raises UnavailableError or SettingsError with a cure; warns of what only may do harm."""
    client = Client(address)
    try:
        facts = parse_info(await client.command("INFO"))
        shards = await _shards(client, facts)
    except StoreUnavailableError as error:
        raise UnavailableError(
            "redis_unavailable",
            f"Cannot use Redis: {error}.",
            "See that it runs and can be reached from here, and that --redis, "
            "RENDEZVOUS_REDIS_PASSWORD and --redis-ca are right.",
        ) from None
    finally:
        await client.close()
    judge(address, facts, shards=shards)
    warn(address, facts, replicas=replicas, open_rooms=open_rooms)


async def _shards(client: Client, facts: dict[str, str]) -> int:
    if facts.get("cluster_enabled") != "1":
        return 1
    return int(parse_info(await client.command("CLUSTER", "INFO")).get("cluster_size", "1"))


def parse_info(reply: Any) -> dict[str, str]:
    """What INFO says, whether redis-py has read it already or not."""
    if isinstance(reply, dict):
        return {str(name): str(value) for name, value in reply.items()}
    lines = (line.partition(":") for line in str(reply).splitlines())
    return {name: value for name, colon, value in lines if colon}


def judge(address: RedisAddress, facts: dict[str, str], *, shards: int = 1) -> None:
    """``facts`` are INFO's; raises SettingsError with a cure."""
    _require_version(address, facts)
    if facts.get("role", "master") != "master":
        raise _unfit(f"{address} is a replica.", "Name the primary, or the Sentinels that know it.")
    if facts.get("maxmemory_policy", "noeviction") != "noeviction":
        raise _unfit(
            f"{address} forgets keys when its memory is full ({facts['maxmemory_policy']}), "
            "and with them who owns a room.",
            "Set maxmemory-policy noeviction.",
        )
    if shards > 1:
        raise _unfit(
            f"{address} is a Cluster of {shards} shards.", "Use one primary, with Sentinels."
        )


def warn(address: RedisAddress, facts: dict[str, str], *, replicas: int, open_rooms: bool) -> None:
    """``facts`` are INFO's; says what may do harm, and what to do about it."""
    if open_rooms and facts.get("aof_enabled") == "0":
        log.warning(
            "%s keeps no log on disk: after a restart chosen room names are anybody's until their "
            "cameras claim them again. Set appendonly yes, or start with --no-open-rooms",
            address,
        )
    connected = int(facts.get("connected_slaves", "0"))
    if connected < replicas:
        log.warning(
            "%s has %d replicas; until it has %d, no room can be claimed",
            *(address, connected, replicas),
        )
    if connected and "min_slaves_good_slaves" not in facts:
        log.warning(
            "%s has replicas, but goes on without them: set min-replicas-to-write 1, so that a "
            "primary that was cut off takes no claims",
            address,
        )


def _require_version(address: RedisAddress, facts: dict[str, str]) -> None:
    found = _VERSION.match(facts.get("redis_version", ""))
    if found is None or (int(found[1]), int(found[2])) < _OLDEST:
        raise _unfit(
            f"{address} is version {facts.get('redis_version', 'unknown')}.",
            f"Redis {'.'.join(map(str, _OLDEST))} or newer is needed.",
        )


def _unfit(sentence: str, cure: str) -> SettingsError:
    return SettingsError("redis_unfit", sentence, cure)
