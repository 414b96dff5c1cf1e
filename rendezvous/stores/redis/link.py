"""A line of calls to Redis, each a script: what is asked at one time travels together.

A caller waits for its own answer and may give up at any time; the exchange with Redis goes on
without it, because a command that is cancelled leaves its reply for the next one to read
(CVE-2023-28858). Every reply must begin with the nonce of its call. If one does not, replies have
been swapped, nothing that was read can be trusted, and the link is dead: the process shall end.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NoReturn, TypeAlias

from redis.exceptions import NoScriptError, ResponseError

from rendezvous.program.errors import ProgramError, ProtocolError
from rendezvous.stores.contract import StoreUnavailableError
from rendezvous.stores.redis.address import RedisAddress
from rendezvous.stores.redis.client import Client, Command, end
from rendezvous.stores.redis.script import Script

log = logging.getLogger(__name__)

Keys: TypeAlias = tuple[str, ...]
Arguments: TypeAlias = Command
Reply: TypeAlias = list[str]
"""What a script returned after the nonce, as text."""

_Replies: TypeAlias = list[Any]
_Form: TypeAlias = Callable[[Script, Keys, Arguments], Command]

DEADLINE = 1.0  # seconds that a caller waits; a server that needs longer is as good as away
_BATCH = 200  # calls in one exchange: some milliseconds of Redis's time
_WAITING = 10_000  # calls in line, a few exchanges after a storm; more are refused
_WAIT_MS = 500  # for replicas to have what was written
_NOT_COPIED = ResponseError("too few replicas have it")


@dataclass(slots=True)
class _Call:
    script: Script
    keys: Keys
    arguments: Arguments
    nonce: str
    durable: bool
    answer: asyncio.Future[Reply]

    def resolve(self, reply: Reply) -> None:
        if not self.answer.done():
            self.answer.set_result(reply)

    def fail(self, error: StoreUnavailableError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # seen: of many calls only the first failure is raised


class RedisLink:
    """``start``, any number of ``run``s at a time, ``stop``.

    ``replicas``: how many must have what a durable call wrote before it is answered;
    ``deadline``: seconds that a caller waits for its answer, and the link for Redis.
    ``on_confusion`` is called once, when replies were swapped.
    """

    def __init__(
        self,
        address: RedisAddress,
        *,
        replicas: int = 0,
        deadline: float = DEADLINE,
        on_confusion: Callable[[ProgramError], None],
    ) -> None:
        self._address = address
        self._replicas = replicas
        self._deadline = deadline
        self._on_confusion = on_confusion
        self._calls: asyncio.Queue[_Call] = asyncio.Queue(_WAITING)
        prefix = secrets.token_hex(8)  # so that no other process has the same
        self._nonces = (f"{prefix}.{number:x}" for number in count())
        self._client: Client | None = None
        self._worker: asyncio.Task[None] | None = None
        self._confused = False

    def start(self) -> None:
        """Connects when something is asked."""
        self._client = Client(self._address, timeout=self._deadline)
        self._worker = asyncio.create_task(self._work(self._client))

    async def stop(self) -> None:
        """Whoever still waits is told that the store is away. Idempotent."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await end(worker)
        client, self._client = self._client, None
        if client is not None:
            await client.close()
        self._refuse_waiting()

    async def run(
        self, script: Script, keys: Keys, *arguments: str | int | bytes, durable: bool = False
    ) -> Reply:
        """The script's reply; raises StoreUnavailableError within the deadline."""
        (reply,) = await self.run_all(script, [(keys, arguments)], durable=durable)
        return reply

    async def run_all(
        self, script: Script, calls: Sequence[tuple[Keys, Arguments]], *, durable: bool = False
    ) -> list[Reply]:
        """One reply for each call, in order; raises StoreUnavailableError when one has none.

        Each ``_BATCH`` of them has a deadline of its own.
        """
        replies: list[Reply] = []
        for first in range(0, len(calls), _BATCH):
            batch = calls[first : first + _BATCH]
            self._require_room(len(batch))
            replies += await self._ask([self._line_up(script, *c, durable=durable) for c in batch])
        return replies

    def _require_room(self, calls: int) -> None:
        if self._worker is None:
            raise StoreUnavailableError("The store is not open.")
        if self._confused:
            raise StoreUnavailableError(f"{self._address} confused its replies.")
        if self._calls.qsize() + calls > _WAITING:
            raise StoreUnavailableError(f"{self._calls.qsize()} calls wait for {self._address}.")

    def _line_up(self, script: Script, keys: Keys, arguments: Arguments, *, durable: bool) -> _Call:
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        call = _Call(script, keys, arguments, next(self._nonces), durable, answer)
        self._calls.put_nowait(call)
        return call

    async def _ask(self, calls: list[_Call]) -> list[Reply]:
        answers = [call.answer for call in calls]
        try:
            async with asyncio.timeout(self._deadline):
                return [await answer for answer in answers]  # what gather would do, in less time
        except TimeoutError:
            sentence = f"{self._address} did not answer within {self._deadline} s."
            raise StoreUnavailableError(sentence) from None
        finally:
            for answer in answers:
                answer.cancel()  # what was not sent yet need not be

    # ── the worker ───────────────────────────────────────────────────────────────────────────

    async def _work(self, client: Client) -> None:
        while not self._confused:
            batch = [await self._calls.get()]
            while not self._calls.empty() and len(batch) < _BATCH:
                batch.append(self._calls.get_nowait())
            wanted = [call for call in batch if not call.answer.done()]
            if wanted:
                await self._exchange(client, wanted)
        await client.close()
        self._refuse_waiting()

    async def _exchange(self, client: Client, calls: list[_Call]) -> None:
        failure = StoreUnavailableError("The store is being closed.")
        try:
            self._deliver(calls, await self._send_known(client, calls))
        except StoreUnavailableError as error:
            failure = error
        except Exception as error:
            log.exception("A defect of the link to Redis")
            failure = StoreUnavailableError(str(error))
        finally:
            for call in calls:
                call.fail(failure)

    async def _send_known(self, client: Client, calls: list[_Call]) -> _Replies:
        replies = await self._send(client, calls, Script.by_hash)
        unknown = [number for number, reply in enumerate(replies) if _is_unknown(reply)]
        if unknown:
            again = await self._send(client, [calls[n] for n in unknown], Script.by_text)
            for number, reply in zip(unknown, again, strict=True):
                replies[number] = reply
        return replies

    async def _send(self, client: Client, calls: list[_Call], form: _Form) -> _Replies:
        commands = [form(c.script, c.keys, (c.nonce, *c.arguments)) for c in calls]
        if self._replicas == 0 or not any(call.durable for call in calls):
            return await client.pipeline(commands)
        *replies, copies = await client.pipeline([*commands, ("WAIT", self._replicas, _WAIT_MS)])
        if isinstance(copies, int) and copies >= self._replicas:
            return replies
        return [_NOT_COPIED if c.durable else r for c, r in zip(calls, replies, strict=True)]

    def _deliver(self, calls: list[_Call], replies: _Replies) -> None:
        for call, reply in zip(calls, replies, strict=True):
            if not isinstance(reply, ResponseError) and not _answers(call, reply):
                self._confuse(call)
        for call, reply in zip(calls, replies, strict=True):
            if isinstance(reply, ResponseError):
                call.fail(StoreUnavailableError(f"{self._address}, {call.script.name}: {reply}"))
            else:
                call.resolve([str(part) for part in reply[1:]])

    def _confuse(self, call: _Call) -> NoReturn:
        self._confused = True
        error = ProtocolError(
            "store_confused",
            f"{self._address} answered '{call.script.name}' with another call's reply.",
            "Nothing that it said can be trusted any more. Start again; if it comes back, look at "
            "what is between this server and Redis.",
        )
        self._on_confusion(error)
        raise StoreUnavailableError(str(error))

    def _refuse_waiting(self) -> None:
        while not self._calls.empty():
            self._calls.get_nowait().fail(StoreUnavailableError("The store was closed."))


def _is_unknown(reply: Any) -> bool:
    return isinstance(reply, NoScriptError)


def _answers(call: _Call, reply: Any) -> bool:
    return isinstance(reply, list) and bool(reply) and reply[0] == call.nonce
