"""Where rooms are remembered: a file of ours, or Redis."""

import datetime as dt
import os
import sqlite3
import stat
from pathlib import Path

from rendezvous.probes.dialling import CLOCK_SECONDS
from rendezvous.probes.findings import Finding, fault, note, of_error, warning, well
from rendezvous.program.errors import ProgramError
from rendezvous.stores.redis import check
from rendezvous.stores.redis.address import RedisAddress

_LOST = "Cameras lose the names of their rooms."
_NOBODY = "The server does not start, or lets nobody in."


# ── a file ───────────────────────────────────────────────────────────────────────────────────


def examine_file(path: Path) -> list[Finding]:
    """The embedded store's; it is read, and not changed."""
    if not os.path.exists(path):  # noqa: PTH110  # Path's raises where a folder cannot be entered
        return [_missing(path)]
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK):
        return [
            fault(
                "state_unusable",
                f"This user cannot write {path}.",
                _NOBODY,
                "Run the doctor as the server's user; or give that user the file and its folder.",
            )
        ]
    return [_readable(path), *_exposed(path)]


def _missing(path: Path) -> Finding:
    """The nearest folder that exists decides whether it can be made."""
    folder = next(parent for parent in path.parents if os.path.isdir(parent))  # noqa: PTH112  # as above
    if os.access(folder, os.W_OK | os.X_OK):
        return note("state_missing", f"There is no {path} yet; the first start makes it.")
    return fault(
        "state_unusable",
        f"This user cannot make {path}: {folder} is not its own.",
        _NOBODY,
        "Run the doctor as the server's user, or name another file with --state.",
    )


def _readable(path: Path) -> Finding:
    try:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            (sound,) = database.execute("PRAGMA quick_check(1)").fetchone()
            (rooms,) = database.execute("SELECT count(*) FROM room").fetchone()
        finally:
            database.close()
    except sqlite3.Error as error:
        sound, rooms = str(error), 0
    if sound != "ok":
        return fault(
            "state_damaged",
            f"{path} cannot be read: {sound}.",
            _LOST,
            "Stop the server and restore the file; without one, move it away and start anew.",
        )
    return well("state", f"{path} remembers {rooms} rooms.")


def _exposed(path: Path) -> list[Finding]:
    folder = stat.S_IMODE(path.parent.stat().st_mode)
    if not (path.stat().st_mode & 0o044 and folder & 0o011):
        return []
    return [
        warning(
            "state_exposed",
            f"{path} can be read by other users of this machine.",
            "Whoever reads it can watch the rooms in it.",
            f"chmod 700 {path.parent}",
        )
    ]


# ── Redis ────────────────────────────────────────────────────────────────────────────────────


async def examine_redis(
    address: RedisAddress, *, replicas: int, open_rooms: bool, now: float
) -> list[Finding]:
    """As the server does at its start, and its clock; ``now`` in seconds since 1970."""
    try:
        seen = await check.inspect(address)
        check.judge(address, seen.facts, shards=seen.shards)
    except ProgramError as error:
        return [of_error(error, _NOBODY)]
    doubts = check.doubts(address, seen.facts, replicas=replicas, open_rooms=open_rooms)
    return [
        well("redis", f"{address} answers, and will do."),
        *(warning(doubt.code, doubt.sentence, _LOST, doubt.cure) for doubt in doubts),
        *_clock(address, seen.time - now),
    ]


def _clock(address: RedisAddress, apart: float) -> list[Finding]:
    if abs(apart) <= CLOCK_SECONDS:
        return []
    span = dt.timedelta(seconds=round(abs(apart)))
    return [
        warning(
            "clock_wrong",
            f"The clocks of this machine and of {address} are {span} apart.",
            "After a change of machines TURN credentials may be over early.",
            "Let both machines keep their time by NTP (timedatectl set-ntp true).",
        )
    ]
