"""Hands work from any thread to the one that owns an object, and the outcome back."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from api.problems import ProblemError
from simulator.errors import InjectionError, ScenarioError

T = TypeVar("T")
Owned = TypeVar("Owned")

REFUSALS = (ProblemError, InjectionError, ScenarioError, ValueError)
"""Errors that are the asking side's only; any other also ends the thread that met it."""


class _Command(Generic[Owned]):
    def __init__(self, action: Callable[[Owned], Any]) -> None:
        self._action = action
        self.outcome: Future[Any] = Future()

    def carry_out(self, owned: Owned) -> None:
        if not self.outcome.set_running_or_notify_cancel():
            return
        try:
            self.outcome.set_result(self._action(owned))
        except REFUSALS as error:
            self.outcome.set_exception(error)
        except BaseException as error:
            self.outcome.set_exception(error)
            raise

    def fail(self, error: Exception) -> None:
        if self.outcome.set_running_or_notify_cancel():
            self.outcome.set_exception(error)


class Handover(Generic[Owned]):
    """A queue of actions on an object that one thread owns.

    Args:
        refuse: Makes the error for actions that come when the thread has ended.
        patience_s: How long to wait for an action to be begun; it is withdrawn then.
    """

    def __init__(self, refuse: Callable[[], ProblemError], *, patience_s: float = 60.0) -> None:
        self._refuse, self._patience_s = refuse, patience_s
        self._queue: queue.SimpleQueue[_Command[Owned]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_closed = False

    def do(self, action: Callable[[Owned], T]) -> T:
        """Have the owner carry out `action` and return its result, or raise its error.

        Raises:
            ProblemError: the owner has ended (as `refuse` says), or 503, it is too busy.
        """
        command = _Command(action)
        with self._lock:
            if self._is_closed:
                raise self._refuse()
            self._queue.put(command)
        try:
            result: T = command.outcome.result(self._patience_s)
        except TimeoutError:
            if command.outcome.cancel():
                detail = f"busy for more than {self._patience_s:g} s; try again"
                raise ProblemError(503, "busy", detail) from None
            result = command.outcome.result()
        return result

    def serve(self, owned: Owned, wait_s: float | None) -> bool:
        """Carry out the next action and return whether there was one.

        Args:
            owned: What the action is given.
            wait_s: How long to wait for one: None for ever, 0 not at all.
        """
        try:
            command = self._queue.get(block=wait_s is None or wait_s > 0, timeout=wait_s)
        except queue.Empty:
            return False
        command.carry_out(owned)
        return True

    def close(self) -> None:
        """Refuse what waits and what comes; the owner calls it at its end."""
        with self._lock:
            self._is_closed = True
        while not self._queue.empty():
            self._queue.get().fail(self._refuse())
