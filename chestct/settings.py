"""The only reader of the environment: a frozen object built once at each entry point."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from chestct.errors import SettingsError

# What a task of a new project shows, and the languages of the shipped labelling configurations.
TaskKind = Literal["slice", "study"]
TASK_KINDS: tuple[TaskKind, ...] = get_args(TaskKind)
Language = Literal["en", "ru"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
LOG_STYLES = ("text", "json")
# The names of `chestct.acquisition.strategies.STRATEGIES`, whose package needs NumPy (a test compares them).
STRATEGY_NAMES = ("random", "foreground-random", "entropy", "disagreement", "clasp-pe", "decision")

_CHECKOUT = Path(__file__).resolve().parent.parent


def _whole(default: int | None, least: int = 0, most: int | None = None) -> Any:
    """A whole number within limits."""

    def parse(text: str) -> int:
        value = int(text)
        if value < least or (most is not None and value > most):
            raise ValueError(value)
        return value

    limits = f"of {least} or more" if most is None else f"from {least} to {most}"
    return field(default=default, metadata={"parse": parse, "expected": f"a whole number {limits}"})


def _one_of(choices: tuple[str, ...], default: str | None = None) -> Any:
    """One of these words."""
    expected = " or ".join(choices)
    return field(
        default=default, metadata={"parse": lambda text: choices[choices.index(text)], "expected": expected}
    )


@dataclass(frozen=True)
class Settings:
    """Where state lives and how services are reached.

    Each field is set by `LUNGLOOP_<FIELD IN CAPITALS>`; while a local stack runs, its
    `stack.json` supplies what the environment leaves out.

    Args:
        home: state of this installation (database, storage, logs, stack.json).
        database_url: SQLAlchemy URL; SQLite in `home` by default.
        storage_url: folder or fsspec URL of the pixel files.
        redis_url: the queue; None where no queue was set up.
        weights_dir: folder of model versions.
        label_studio_url, label_studio_token, project_id: the project that readers work in.
        label_studio_public_url: its address for browsers, where that is another one (Compose).
        label_studio_files_root: what Label Studio's `/data/local-files/?d=` is relative to.
        backend_url: where Label Studio reaches the backend.
        backend_key: what callers of the backend must send; None only on loopback.
        tasks: whether a task shows one slice ("slice") or a whole study ("study"); None goes on with what
            the home did before, slices at first.
        language: of the labelling configuration ("en", "ru"); None leaves a project's as it is, English
            at first.
        ml_backend_id: the backend's row in Label Studio, whose title follows the champion.
        retrain_every: ask for a retrain after this many new corrections; 0 = only when asked.
        retrain_steps: optimiser steps of a retrain's fit; 0 = as many as its corrections carry.
        sync_seconds: how often the worker reconciles corrections with Label Studio.
        scan_max_mib: how large one upload to the scan page may be, in MiB.
        scan_keep_minutes: after how many minutes such an upload and its results are deleted.
        strategy: how open slices are ordered, one of STRATEGY_NAMES; None takes the default.
        control_percent: of what readers are given is chosen by foreground-aware chance instead, to measure
            what the strategy gains.
        blank_percent: of slices come without pre-label, to measure what pre-labels save and how they pull.
        twice_percent: of slices are meant to be read by two readers, to measure their agreement.
        test_percent: of the patients without reference labels are held back to judge models by, 3 to 12 of
            them, from 12 such patients on; 0 = none.
        test_slices: of each of them are read early and without pre-label; 0 = no patient is held back.
        train_seed: seed of every random choice in training.
        log: of the backend and the workers: "text", or "json" (an object a line, with the id of its request
            or job).
        shared_data: labelled research data for training from scratch, where present.
    """

    home: Path = field(metadata={"parse": Path})
    database_url: str
    storage_url: str
    weights_dir: Path = field(metadata={"parse": lambda text: Path(text).resolve()})
    redis_url: str | None = None
    label_studio_url: str | None = None
    label_studio_public_url: str | None = None
    label_studio_token: str | None = None
    label_studio_files_root: str | None = None
    project_id: int | None = _whole(None)
    tasks: str | None = _one_of(TASK_KINDS)
    language: str | None = _one_of(LANGUAGES)
    ml_backend_id: int | None = _whole(None)
    backend_url: str | None = None
    backend_key: str | None = None
    retrain_every: int = _whole(0)
    retrain_steps: int = _whole(0)
    sync_seconds: int = _whole(30, least=1)
    scan_max_mib: int = _whole(1024, least=1)
    scan_keep_minutes: int = _whole(60, least=1)
    strategy: str | None = _one_of(STRATEGY_NAMES)
    # The limits of `chestct.acquisition.allocation.Shares`.
    control_percent: int = _whole(10, most=50)
    blank_percent: int = _whole(5, most=99)
    twice_percent: int = _whole(5, most=99)
    # The limits of `chestct.catalog.splits.OwnTesting`.
    test_percent: int = _whole(20, most=50)
    test_slices: int = _whole(5, most=20)
    train_seed: int = _whole(42)
    log: str = _one_of(LOG_STYLES, "text")
    shared_data: Path | None = field(default=None, metadata={"parse": Path})

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Settings from the environment, then the running stack, then defaults.

        Raises:
            SettingsError: a number is not a number, or stack.json is damaged.
        """
        variables = {
            key.removeprefix("LUNGLOOP_").lower(): value
            for key, value in (os.environ if environment is None else environment).items()
            if key.startswith("LUNGLOOP_") and value
        }
        home = Path(variables.pop("home", ".lungloop")).resolve()
        texts = {**_read_stack(home / "stack.json"), **variables, "home": home}
        beside_checkout = _CHECKOUT.parent / "shared" / "data"
        values: dict[str, Any] = {
            "database_url": f"sqlite:///{home / 'catalog.sqlite3'}",
            "storage_url": str(home / "storage"),
            "weights_dir": _CHECKOUT / "weights",
            "shared_data": beside_checkout if beside_checkout.is_dir() else None,
        }
        for setting in fields(cls):
            text = texts.get(setting.name)
            if text is None or text == "":
                continue
            try:
                values[setting.name] = setting.metadata.get("parse", str)(str(text))
            except ValueError as error:
                variable, expected = f"LUNGLOOP_{setting.name.upper()}", setting.metadata["expected"]
                raise SettingsError(f"{variable} is {str(text)!r}; expected {expected}") from error
        return cls(**values)


def _read_stack(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        stack = json.loads(path.read_text())
    except ValueError as error:
        raise SettingsError(f"{path} is not JSON ({error}); stop the stack and delete it") from error
    if not isinstance(stack, dict):
        raise SettingsError(f"{path} holds {type(stack).__name__}, expected an object; delete it")
    return stack
