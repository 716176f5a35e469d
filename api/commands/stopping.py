"""Stops a command in order: the first Ctrl-C or SIGTERM asks, the second interrupts."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SLICE_S = 0.1


class Stop:
    """Whether somebody asked to stop, and waits that end early when somebody does.

    A plain flag: a signal may arrive while a lock is held, so none may be taken on arrival.
    """

    def __init__(self) -> None:
        self.is_asked = False

    def ask(self, number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
        """Ask to stop (a signal handler); the second time it interrupts what is going on."""
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True

    def wait(self, seconds: float) -> bool:
        """Wait some seconds, or until somebody asks to stop; return whether somebody did."""
        until_s = time.monotonic() + seconds
        while not self.is_asked and (left_s := until_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _SLICE_S))
        return self.is_asked


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Take Ctrl-C and SIGTERM as a wish to stop for as long as the context lasts."""
    stop = Stop()
    before = {number: signal.signal(number, stop.ask) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt_on_sigterm() -> None:
    """Let SIGTERM end a command the way Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
