"""The curve of a fit: JSON lines always, TensorBoard events where that package is installed."""

import importlib.util
import json
from pathlib import Path
from types import TracebackType
from typing import Any

FILE_NAME = "curve.jsonl"


class Curve:
    """One row per step; a resumed fit replaces what it does once more.

    Args:
        work_dir: of the fit, existing; holds `curve.jsonl` and TensorBoard's event files.
        first: the step that the fit goes on with; rows from there on are dropped.
    """

    def __init__(self, work_dir: Path, first: int) -> None:
        self.path = work_dir / FILE_NAME
        kept = self.path.read_text().splitlines()[:first] if self.path.is_file() else []
        # A line at a time: whoever watches the file sees each step, and a kill loses none.
        self._rows = self.path.open("w", buffering=1)
        self._rows.writelines(f"{row}\n" for row in kept)
        self._events = _event_writer(work_dir, first)

    def __enter__(self) -> "Curve":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._rows.close()
        if self._events is not None:
            self._events.close()

    def add(self, step: int, seconds: float, facts: dict[str, float]) -> None:
        """A step's figures.

        Args:
            step: from 0.
            seconds: since this process began to fit.
        """
        self._rows.write(json.dumps({"step": step, "seconds": round(seconds, 2)} | facts) + "\n")
        if self._events is not None:
            for name, value in facts.items():
                self._events.add_scalar(f"fit/{name}", value, step)

    def flush(self) -> None:
        """Brings all rows to disk; called with each checkpoint, so the two always agree."""
        self._rows.flush()
        if self._events is not None:
            self._events.flush()


def _event_writer(work_dir: Path, first: int) -> Any | None:
    if importlib.util.find_spec("tensorboard") is None:
        return None
    # Imported here: an optional extra that takes a second to load, for fits alone.
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(work_dir), purge_step=first)
