"""The only reader of the environment: a frozen object built once at each entry point."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from chestct.errors import SettingsError

# What a task of a new project shows, and the languages of the shipped labelling configurations.
TaskKind = Literal["slice", "study"]
TASK_KINDS: tuple[TaskKind, ...] = get_args(TaskKind)
Language = Literal["en", "ru"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
# The names of `chestct.acquisition.strategies.STRATEGIES`, whose package needs NumPy (a test compares them).
STRATEGY_NAMES = ("random", "foreground-random", "entropy", "disagreement", "clasp-pe", "decision")

_CHECKOUT = Path(__file__).resolve().parent.parent


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
        retrain_steps: optimiser steps of a retrain.
        sync_seconds: how often the worker reconciles corrections with Label Studio.
        scan_max_mib: how large one upload to the scan page may be, in MiB.
        scan_keep_minutes: after how many minutes such an upload and its results are deleted.
        strategy: how open slices are ordered, one of STRATEGY_NAMES; None takes the default.
        control_percent: of what readers are given is chosen by foreground-aware chance instead, to measure
            what the strategy gains.
        blank_percent: of slices come without pre-label, to measure what pre-labels save and how they pull.
        twice_percent: of slices are meant to be read by two readers, to measure their agreement.
        train_seed: seed of every random choice in training.
        shared_data: labelled research data for training from scratch, where present.
    """

    home: Path
    database_url: str
    storage_url: str
    weights_dir: Path
    redis_url: str | None = None
    label_studio_url: str | None = None
    label_studio_public_url: str | None = None
    label_studio_token: str | None = None
    label_studio_files_root: str | None = None
    project_id: int | None = None
    tasks: str | None = None
    language: str | None = None
    ml_backend_id: int | None = None
    backend_url: str | None = None
    backend_key: str | None = None
    retrain_every: int = 0
    retrain_steps: int = 120
    sync_seconds: int = 30
    scan_max_mib: int = 1024
    scan_keep_minutes: int = 60
    strategy: str | None = None
    control_percent: int = 10
    blank_percent: int = 5
    twice_percent: int = 5
    train_seed: int = 42
    shared_data: Path | None = None

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Settings from the environment, then the running stack, then defaults.

        Raises:
            SettingsError: a number is not a number, or stack.json is damaged.
        """
        given = {
            key.removeprefix("LUNGLOOP_").lower(): value
            for key, value in (os.environ if environment is None else environment).items()
            if key.startswith("LUNGLOOP_") and value
        }
        home = Path(given.get("home", ".lungloop")).resolve()
        stack = _read_stack(home / "stack.json")

        def text(name: str) -> str | None:
            found = given.get(name, stack.get(name))
            return None if found is None else str(found)

        def number(name: str, default: int, least: int = 0, most: int | None = None) -> int:
            found = text(name)
            if found is None:
                return default
            try:
                value = int(found)
            except ValueError:
                value = least - 1
            if value < least or (most is not None and value > most):
                wanted = f"of {least} or more" if most is None else f"from {least} to {most}"
                raise SettingsError(f"LUNGLOOP_{name.upper()} is {found!r}; expected a whole number {wanted}")
            return value

        def row_id(name: str) -> int | None:
            return None if text(name) is None else number(name, 0)

        def one_of(name: str, known: tuple[str, ...]) -> str | None:
            found = text(name)
            if found is not None and found not in known:
                raise SettingsError(f"LUNGLOOP_{name.upper()} is {found!r}; expected {' or '.join(known)}")
            return found

        shared = text("shared_data")
        beside_checkout = _CHECKOUT.parent / "shared" / "data"
        return cls(
            home=home,
            database_url=text("database_url") or f"sqlite:///{home / 'catalog.sqlite3'}",
            storage_url=text("storage_url") or str(home / "storage"),
            weights_dir=Path(text("weights_dir") or _CHECKOUT / "weights").resolve(),
            redis_url=text("redis_url"),
            label_studio_url=text("label_studio_url"),
            label_studio_public_url=text("label_studio_public_url"),
            label_studio_token=text("label_studio_token"),
            label_studio_files_root=text("label_studio_files_root"),
            project_id=row_id("project_id"),
            tasks=one_of("tasks", TASK_KINDS),
            language=one_of("language", LANGUAGES),
            ml_backend_id=row_id("ml_backend_id"),
            backend_url=text("backend_url"),
            backend_key=text("backend_key"),
            retrain_every=number("retrain_every", 0),
            retrain_steps=number("retrain_steps", 120, least=1),
            sync_seconds=number("sync_seconds", 30, least=1),
            scan_max_mib=number("scan_max_mib", 1024, least=1),
            scan_keep_minutes=number("scan_keep_minutes", 60, least=1),
            strategy=one_of("strategy", STRATEGY_NAMES),
            # The limits of `chestct.acquisition.allocation.Shares`.
            control_percent=number("control_percent", 10, most=50),
            blank_percent=number("blank_percent", 5, most=99),
            twice_percent=number("twice_percent", 5, most=99),
            train_seed=number("train_seed", 42),
            shared_data=Path(shared) if shared else beside_checkout if beside_checkout.is_dir() else None,
        )


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
