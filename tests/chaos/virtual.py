"""An event loop whose time jumps from timer to timer, and whose nodes can be stopped and killed.

Everything that runs on it is the real code; only time, and what is outside of a process, is ours.
Whatever a node starts inherits its context variable, so that a node can be frozen as SIGSTOP does
it: nothing of it runs, its timers come late, and it does not know.
"""

import asyncio
import contextlib
import heapq
import itertools
from asyncio import Handle, Task, TimerHandle
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVarTuple, Unpack
from weakref import WeakKeyDictionary

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
        self._tasks: WeakKeyDictionary[Task[Any], str | None] = WeakKeyDictionary()
        self.defects: list[str] = []
        self.set_exception_handler(self._keep_defect)
        self.set_task_factory(self._task)

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
        for task, owner in self._tasks.items():
            if owner == node:
                _forgive(task)

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

    def _task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        context: Context | None = None,
    ) -> "Task[Any]":
        task = Task(coroutine, loop=loop, context=context)
        self._tasks[task] = (context or copy_context()).get(_NODE)
        return task

    def _keep_defect(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.defects.append(f"{context['message']}: {context.get('exception')!r}")

    def finish(self) -> None:
        """Lets go of what still waits, without running it."""
        for task in asyncio.all_tasks(self):
            _forgive(task)
            coroutine = task.get_coro()
            with contextlib.suppress(RuntimeError):  # who awaits in a finally
                if coroutine is not None:
                    coroutine.close()
        self.close()


def _forgive(task: "Task[Any]") -> None:
    """Whose process was killed has no time to be awaited."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]
