"""Checkpoints of a fit: killed at any moment, it goes on where the last one was written."""

import hashlib
import json
import logging
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from chestct.files import atomic_file
from training.data.dataset import TrainingSample
from training.fitting.average import WeightAverage
from training.fitting.config import FitConfig

_log = logging.getLogger(__name__)


def fit_identity(samples: Sequence[TrainingSample], config: FitConfig, start_from: Path | None) -> str:
    """Hash of all that decides a fit's outcome, so that no other fit's checkpoint is taken up."""
    digest = hashlib.sha256(json.dumps([config.as_dict(), str(start_from)], sort_keys=True).encode())
    for sample in samples:
        digest.update(f"{sample.source}/{sample.patient}".encode())
        digest.update(sample.image.tobytes())
        digest.update(sample.partial_labels.tobytes())
    return digest.hexdigest()


class CheckpointFile:
    """One file in a work folder, replaced in one step."""

    def __init__(self, work_dir: Path, identity: str) -> None:
        work_dir.mkdir(parents=True, exist_ok=True)
        self._path = work_dir / "checkpoint.pt"
        self._identity = identity

    def save(self, state: dict[str, Any]) -> None:
        """Replaces the old state by this one."""
        with atomic_file(self._path) as file:
            torch.save({**state, "identity": self._identity}, file)

    def load(self) -> dict[str, Any] | None:
        """The newest state of this very fit, or None: there is none, or it is another fit's."""
        if not self._path.is_file():
            return None
        try:
            # weights_only: tensors and plain values, never code.
            state = torch.load(self._path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            _log.warning("%s is damaged (%s); the fit starts over", self._path, error)
            return None
        if state.get("identity") != self._identity:
            _log.warning("%s belongs to another fit; this one starts over", self._path)
            return None
        return state


def state_of(
    step: int, network: torch.nn.Module, optimiser: torch.optim.Optimizer, average: WeightAverage
) -> dict[str, Any]:
    """All that a fit needs to go on with `step`, as tensors and plain values."""
    return {
        "step": step,
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": average.state_dict(),
    }


def restore(
    state: dict[str, Any],
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    average: WeightAverage,
) -> int:
    """Puts what `state_of` gave back in place; returns the step to go on with."""
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    average.load_state_dict(state["average"])
    return int(state["step"])
