"""Whether a Redis will do, asked once at the start: better no start than names that get lost."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rendezvous.program.errors import SettingsError, UnavailableError
from rendezvous.stores.contract import StoreUnavailableError
from rendezvous.stores.redis.address import RedisAddress
from rendezvous.stores.redis.client import TIMEOUT, Client

log = logging.getLogger(__name__)

_OLDEST = (6, 2)  # ZADD GT; scripts that ask for the time and write
_VERSION = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a Redis says of itself: INFO's facts, how many shards it has, and its time."""

    facts: dict[str, str]
    shards: int
    time: int  # seconds since 1970, by its clock


@dataclass(frozen=True, slots=True)
class Doubt:
    """What may do harm, though the operator may know better."""

    code: str
    sentence: str
    cure: str


async def require_fitness(
    address: RedisAddress, *, replicas: int, open_rooms: bool, patience: float = TIMEOUT
) -> None:
    """Raises UnavailableError or SettingsError with a cure; warns of what only may do harm.

    ``patience``: seconds for each answer.
    """
    seen = await inspect(address, patience=patience)
    judge(address, seen.facts, shards=seen.shards)
    warn(address, seen.facts, replicas=replicas, open_rooms=open_rooms)


async def inspect(address: RedisAddress, *, patience: float = TIMEOUT) -> Inspection:
    """Asks it; raises UnavailableError with a cure when it does not answer in so many seconds."""
    client = Client(address, timeout=patience)
    try:
        facts = parse_info(await client.command("INFO"))
        seconds, _ = await client.command("TIME")
        return Inspection(facts, await _shards(client, facts), int(seconds))
    except StoreUnavailableError as error:
        raise UnavailableError(
            "redis_unavailable",
            f"Cannot use Redis: {error}.",
            "See that it runs and can be reached from here, and that --redis, "
            "RENDEZVOUS_REDIS_PASSWORD and --redis-ca are right.",
        ) from None
    finally:
        await client.close()


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
    for doubt in doubts(address, facts, replicas=replicas, open_rooms=open_rooms):
        log.warning("%s %s", doubt.sentence, doubt.cure)


def doubts(
    address: RedisAddress, facts: dict[str, str], *, replicas: int, open_rooms: bool
) -> Iterator[Doubt]:
    """``facts`` are INFO's; what may do harm. Pure."""
    if open_rooms and facts.get("aof_enabled") == "0":
        yield Doubt(
            "redis_forgets",
            f"{address} keeps no log on disk: after a restart chosen room names are anybody's "
            "until their cameras claim them again.",
            "Set appendonly yes, or start with --no-open-rooms.",
        )
    connected = int(facts.get("connected_slaves", "0"))
    if connected < replicas:
        yield Doubt(
            "redis_replicas",
            f"{address} has {connected} replicas; until it has {replicas}, no room can be claimed.",
            "Start its replicas, or lower --redis-replicas.",
        )
    if connected and "min_slaves_good_slaves" not in facts:
        yield Doubt(
            "redis_alone",
            f"{address} has replicas, but goes on without them.",
            "Set min-replicas-to-write 1, so that a primary that was cut off takes no claims.",
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
