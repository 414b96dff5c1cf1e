"""The real program with Redis: it starts or says why not, and ends when it must not go on."""

import subprocess
import sys

from rendezvous.program.errors import ProtocolError
from tests.support.peers import Key, claim, connect, signed_claim
from tests.support.ports import free_port
from tests.support.redis import running_redis
from tests.support.redis_middleman import late, middleman
from tests.support.server import running_program, start_program

ONE_LOOP = True

KEY = Key()


async def test_no_redis_no_start() -> None:
    """One sentence with the cure, and without the password."""
    environ = {"RENDEZVOUS_REDIS_PASSWORD": "s3cret"}
    redis = ("--redis", f"redis://127.0.0.1:{free_port()}")
    process = await start_program(*redis, state=None, environ=environ)
    _, errors = await process.communicate()
    assert process.returncode == 69
    assert errors.decode().startswith("rendezvous: Cannot use Redis: ")
    assert "s3cret" not in errors.decode()
    assert "Traceback" not in errors.decode()


async def test_a_redis_without_a_disk_is_warned_of() -> None:
    """Once, at the start, in words that name the cure."""
    with running_redis() as server:
        async with running_program("--redis", server.url, state=None) as program:
            program.terminate()
            _, errors = await program.ended()
    assert errors.count("Set appendonly yes, or start with --no-open-rooms") == 1


async def test_a_confused_redis_ends_the_program() -> None:
    """At once, with a status of its own: a supervisor starts it again, with nothing in mind."""
    with running_redis() as server:
        async with (
            middleman(server.port) as (man, url),
            running_program("--redis", url, state=None) as program,
            connect(program.host, program.port) as camera,
            connect(program.host, program.port) as other,
        ):
            await claim(camera, KEY, "MyRoom")
            man.tampering = late
            await other.send(signed_claim(other.welcome, KEY, room="Other", origin=other.origin))
            status, errors = await program.ended()
    assert status == ProtocolError.exit_status
    assert "with another call's reply" in errors
    assert "Traceback" not in errors


def test_one_node_needs_no_client_of_redis() -> None:
    """It is loaded with --redis only."""
    code = "import sys, rendezvous.__main__; sys.exit('redis' in sys.modules)"
    assert subprocess.run((sys.executable, "-c", code), check=False).returncode == 0
