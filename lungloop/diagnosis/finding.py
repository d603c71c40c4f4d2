"""What one check says."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from chestct.errors import LungLoopError
from chestct.settings import Settings


class State(StrEnum):
    """How one thing stands."""

    FINE = "fine"
    WRONG = "wrong"
    SKIPPED = "skipped"  # has no meaning while the stack is down


@dataclass(frozen=True)
class Finding:
    """One line of `lungloop doctor`.

    Args:
        detail: what was seen.
        mend: how to fix it; empty where nothing is wrong.
    """

    check: str
    state: State
    detail: str
    mend: str = ""


class FaultError(LungLoopError):
    """Raised by a check: what is wrong, and how to fix it."""

    def __init__(self, detail: str, mend: str) -> None:
        self.detail, self.mend = detail, mend
        super().__init__(f"{detail}; {mend}")


class SkippedError(LungLoopError):
    """Raised by a check that cannot be made now; the message says why."""


Check = Callable[[Settings], str]


def run_check(name: str, check: Check, settings: Settings) -> Finding:
    """The check's finding; a check returns what it saw, or raises."""
    try:
        return Finding(name, State.FINE, check(settings))
    except SkippedError as reason:
        return Finding(name, State.SKIPPED, str(reason))
    except FaultError as error:
        return Finding(name, State.WRONG, error.detail, error.mend)
    except LungLoopError as error:
        return Finding(
            name, State.WRONG, str(error), "do what the message says, then `lungloop doctor` again"
        )
    except (OSError, ImportError, RuntimeError, ValueError, KeyError) as error:
        return Finding(
            name, State.WRONG, f"{type(error).__name__}: {error}", "run `make clean` and `make up`"
        )
