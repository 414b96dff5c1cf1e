"""An event loop whose time jumps from timer to timer, and whose nodes can be stopped and killed.

Everything that runs on it is the real code; only time, and what is outside of a process, is ours.
Whatever a node starts inherits its context variable, so that a node can be frozen as SIGSTOP does
it: nothing of it runs, its timers come late, and it does not know.
"""

import asyncio
import contextlib
import heapq
import itertools
from asyncio import Handle, TimerHandle
from collections import deque
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVarTuple, Unpack

_Ts = TypeVarTuple("_Ts")

_NODE: ContextVar[str | None] = ContextVar("node", default=None)


class StandstillError(Exception):
    """Nothing will ever happen again, and somebody waits."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Deterministic: the same callbacks in the same order, every time."""

    _ready: deque[Handle]

    def __init__(self) -> None:
        super().__init__()
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._numbers = itertools.count()  # of the same moment, the first comes first
        self._now = 1_000.0
        self._stopped: dict[str, list[Handle]] = {}
        self._dead: set[str] = set()
        self.defects: list[str] = []
        self.set_exception_handler(self._keep_defect)

    def time(self) -> float:
        """Seconds; they pass when nobody has anything to do."""
        return self._now

    # ── nodes ────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def context_of(node: str) -> Context:
        """What callbacks of the node are to be scheduled with."""
        context = copy_context()
        context.run(_NODE.set, node)
        return context

    def stop_node(self, node: str) -> None:
        """SIGSTOP."""
        self._stopped.setdefault(node, [])

    def continue_node(self, node: str) -> None:
        """SIGCONT: what was due meanwhile happens now."""
        self._ready.extend(self._stopped.pop(node, ()))

    def kill_node(self, node: str) -> None:
        """SIGKILL: nothing of it ever runs again."""
        self._dead.add(node)
        self._stopped.pop(node, None)

    # ── asyncio's insides ────────────────────────────────────────────────────────────────────

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> TimerHandle:
        """See asyncio."""
        handle = TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def _run_once(self) -> None:
        if not self._ready:
            self._now = max(self._now, self._next_timer())
        while self._timers and self._timers[0][0] <= self._now:
            self._ready.append(heapq.heappop(self._timers)[2])
        for _ in range(len(self._ready)):
            self._run(self._ready.popleft())

    def _next_timer(self) -> float:
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            raise StandstillError
        return self._timers[0][0]

    def _run(self, handle: Handle) -> None:
        if handle.cancelled():
            return
        node = handle._context.get(_NODE)  # type: ignore[attr-defined]
        if node in self._dead:
            return
        if node in self._stopped:
            self._stopped[node].append(handle)
        else:
            handle._run()

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """It is left where it is; there are few."""

    def _keep_defect(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.defects.append(f"{context['message']}: {context.get('exception')!r}")

    def finish(self) -> None:
        """Lets go of what still waits, without running it."""
        for task in asyncio.all_tasks(self):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine = task.get_coro()
            with contextlib.suppress(RuntimeError):  # who awaits in a finally
                if coroutine is not None:
                    coroutine.close()
        self.close()
