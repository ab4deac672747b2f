"""Signals that end a campaign: one way out for all of them, for the conductor and for its workers."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from budgetsim.errors import HungUpError, StoppedError, TerminatedError

_ERRORS: Final[dict[signal.Signals, type[StoppedError]]] = {
    signal.SIGINT: StoppedError, signal.SIGTERM: TerminatedError, signal.SIGHUP: HungUpError,
}  # fmt: skip
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


class SignalReceived(BaseException):
    """A signal that ends the work, wherever it is."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.number = number

    def error(self, done: str) -> StoppedError:
        """What is told in the end.

        done : what there is, as a clause
        """
        return _ERRORS[self.number](f"Stopped by {self.number.name}: {done}. The same command goes on from there.")


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise `SignalReceived` at the first signal; later ones are held back until this is left.

    Signals reach the main thread alone: elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def receive(number: int, frame: FrameType | None) -> None:
        for each in _ERRORS:
            signal.signal(each, signal.SIG_IGN)
        raise SignalReceived(signal.Signals(number))

    # what was ignored from the start (nohup) stays so
    before = {n: old for n in _ERRORS if (old := signal.getsignal(n)) not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, receive)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def end_with_parent(parent: int) -> None:
    """End this process at once when its parent does, however that ends.

    parent : its process id, as it was when this process was started
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before this was asked for
            os._exit(1)
        return
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
