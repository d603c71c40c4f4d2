"""Ctrl-C, `kill` and a closed terminal all mean: stop in order."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Somebody wants the stack to stop; no error, so no `except Exception` may swallow it."""


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Turns the first signal into StopRequested in the main thread; later ones change nothing."""

    def ask(number: int, frame: FrameType | None) -> None:
        # From here on the stack is being stopped, which must itself not be interrupted.
        for other in _SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise StopRequested

    before = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
