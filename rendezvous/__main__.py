"""``rendezvous``: reads the settings, serves until told to stop, and leaves with a sentence.

``rendezvous doctor`` finds out instead what is wrong with such settings.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence

import uvloop

from rendezvous.program import logs
from rendezvous.program.errors import ProgramError
from rendezvous.server import Server
from rendezvous.settings import Settings, load

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the program; the exit status is 0, or that of the ProgramError that ended it."""
    words = sys.argv[1:] if argv is None else argv
    try:
        if list(words[:1]) == ["doctor"]:
            return _examine(words[1:])
        settings = load(words, os.environ)
        logs.setup(settings.log_level)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings))
    except ProgramError as error:
        print(f"rendezvous: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    return 0


def _examine(words: Sequence[str]) -> int:
    # A server does not load what only the doctor needs.
    from rendezvous.doctor import command  # noqa: PLC0415

    return command.run(words, os.environ)


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    failures: list[ProgramError] = []

    def fail(error: ProgramError) -> None:
        failures.append(error)
        stop.set()

    server = Server(settings, on_failure=fail)
    loop.add_signal_handler(signal.SIGHUP, _reload, server)
    await server.start()
    try:
        _announce(server)
        await stop.wait()
        if failures:
            raise failures[0]
        await server.drain()
    finally:
        await server.stop()


def _reload(server: Server) -> None:
    try:
        server.reload()
    except ProgramError as error:
        log.error("%s Nothing has changed.", error)  # noqa: TRY400  # its sentence says all
    else:
        log.info("The list of allowed rooms and the TURN secrets were read again.")


def _announce(server: Server) -> None:
    scheme = "https" if server.tls else "http"
    for host, port in server.addresses:
        shown = f"[{host}]" if ":" in host else host
        print(f"Listening on {scheme}://{shown}:{port}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
