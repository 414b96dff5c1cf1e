"""How Redis is named, what of it is shown, and which one will do."""

from pathlib import Path

import pytest

from rendezvous.program.errors import SettingsError, UsageError
from rendezvous.settings import Settings, load, redis_address
from rendezvous.stores.redis import check
from rendezvous.stores.redis.address import RedisAddress, parse
from rendezvous.stores.redis.check import judge, warn

HERE = RedisAddress((("127.0.0.1", 6379),))
FIT = {"redis_version": "7.0.15", "role": "master", "maxmemory_policy": "noeviction"}


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        (
            "redis://127.0.0.1",
            RedisAddress((("127.0.0.1", 6379),)),
            "redis://127.0.0.1:6379",
        ),
        (
            "rediss://me:p%40ss@[::1]:7000/3",
            RedisAddress((("::1", 7000),), tls=True, database=3, user="me", password="p@ss"),
            "rediss://[::1]:7000",
        ),
        (
            "redis+sentinel://:p@a,b:26380/rooms/1",
            RedisAddress((("a", 26379), ("b", 26380)), name="rooms", database=1, password="p"),
            "redis+sentinel://a:26379,b:26380/rooms",
        ),
        (
            "rediss+sentinel://a/rooms",
            RedisAddress((("a", 26379),), name="rooms", tls=True),
            "rediss+sentinel://a:26379/rooms",
        ),
    ],
)
def test_addresses(text: str, address: RedisAddress, shown: str) -> None:
    """What people write, and what they are shown: no password."""
    assert parse(text) == address
    assert str(address) == shown
    assert "p@ss" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:6379",
        "http://127.0.0.1",
        "redis://",
        "redis://a,b",
        "redis://a:65536",
        "redis://::1",
        "redis://a/name",
        "redis://a?ssl_cert_reqs=none",
        "redis+sentinel://a",
        "redis+sentinel://a/rooms/x",
    ],
)
def test_addresses_that_are_none(text: str) -> None:
    """A sentence, before anything is opened."""
    with pytest.raises(SettingsError, match="redis://host:port"):
        load(["--redis", text], {})


def test_a_password_is_not_shown() -> None:
    """Not in the sentence about an address that is none, nor in the settings."""
    with pytest.raises(SettingsError) as caught:
        parse("redis://me:s3cret@a:b")
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(load(["--redis", "redis://:s3cret@a"], {}))
    with pytest.raises(UsageError):
        load(["--redis", "redis://a", "--redis-password", "s3cret"], {})


def test_a_password_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    """Before the one in the address; the certificates to trust come along."""
    file = tmp_path / "secret"
    file.write_text("new\nold\n")
    argv = ["--redis", "redis://:none@a"]
    given = redis_address(load(argv, {"RENDEZVOUS_REDIS_PASSWORD": "s3cret"}))
    assert given is not None
    assert given.password == "s3cret"
    files = ["--redis-password-file", str(file), "--redis-ca", "/ca.pem"]
    given = redis_address(load([*argv, *files], {}))
    assert given is not None
    assert (given.password, given.ca) == ("new", Path("/ca.pem"))
    assert redis_address(Settings()) is None


def test_rooms_are_in_one_place(tmp_path: Path) -> None:
    """With Redis there is no file; both are a contradiction, and so is a password for nobody."""
    assert load(["--redis", "redis://a"], {}).state is None
    for argv in (
        ["--redis", "redis://a", "--state", str(tmp_path / "rooms.sqlite")],
        ["--redis-password-file", str(tmp_path / "secret")],
        ["--redis-replicas", "1"],
    ):
        with pytest.raises(SettingsError) as caught:
            load(argv, {})
        assert caught.value.code == "setting_contradicts"


@pytest.mark.parametrize(
    ("facts", "shards", "sentence"),
    [
        ({**FIT, "redis_version": "6.0.16"}, 1, "6.2 or newer"),
        ({}, 1, "unknown"),
        ({**FIT, "role": "slave"}, 1, "is a replica"),
        ({**FIT, "maxmemory_policy": "volatile-lru"}, 1, "noeviction"),
        (FIT, 3, "3 shards"),
    ],
)
def test_what_will_not_do(facts: dict[str, str], shards: int, sentence: str) -> None:
    """Said at the start, with what to do."""
    with pytest.raises(SettingsError, match=sentence) as caught:
        judge(HERE, facts, shards=shards)
    assert caught.value.code == "redis_unfit"
    assert caught.value.cure


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said of Redis; anything may be said of what an earlier test has left."""
    return [record.getMessage() for record in caplog.records if record.name == check.log.name]


@pytest.mark.parametrize(
    ("facts", "replicas", "warning"),
    [
        ({}, 0, ""),
        ({"connected_slaves": "1", "min_slaves_good_slaves": "1"}, 1, ""),
        ({}, 1, "until it has 1"),
        ({"connected_slaves": "1"}, 0, "min-replicas-to-write"),
        ({"aof_enabled": "1"}, 0, ""),
        ({"aof_enabled": "0"}, 0, "Set appendonly yes"),
    ],
)
def test_what_may_do_harm(
    facts: dict[str, str], replicas: int, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning: the operator may know better."""
    warn(HERE, {**FIT, **facts}, replicas=replicas, open_rooms=True)
    assert warning in "".join(said := warnings(caplog))
    assert bool(said) is bool(warning)


def test_key_rooms_need_no_disk(caplog: pytest.LogCaptureFixture) -> None:
    """A camera's key makes the name; where only those are allowed nothing can be given away."""
    warn(HERE, {**FIT, "aof_enabled": "0"}, replicas=0, open_rooms=False)
    assert not warnings(caplog)
