"""What a page need not work out anew: it asks for itself every few seconds, and the answer takes seconds."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """A value, kept until the stamp of what it was made from changes; made by one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[object, T] | None = None

    def get(self, stamp: object, make: Callable[[], T]) -> T:
        """The value for that stamp, made where it is another one's."""
        with self._lock:
            if self._kept is None or self._kept[0] != stamp:
                self._kept = (stamp, make())
            return self._kept[1]
