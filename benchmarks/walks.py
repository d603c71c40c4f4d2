"""How far does the catalog travel in one retrain and in one pre-annotation?

Each is run once on stand-ins (a threshold for the network, a Label Studio in memory), traced. A *stay* is a
file of the product entered while the catalog, or something that holds it, is an argument of the call; a
*return* is a stay in a file that was left before. The catalog's own files do not count. Fewer of both: less
to read before a change to the loop is safe. At e944d34 a retrain took 11 stays with 6 returns, a
pre-annotation 31 with 24.

    python benchmarks/walks.py [--files]     --files lists every stay in its order
"""

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from chestct.catalog.catalog import Catalog
from chestct.settings import Settings
from ml_backend.label_studio.tasks import create_missing_tasks
from ml_backend.prelabelling.champion import Champion
from ml_backend.prelabelling.preannotate import preannotate
from training.retraining.retrain import run_retrain

_CHECKOUT = Path(__file__).resolve().parents[1]
_PACKAGES = tuple(f"{_CHECKOUT / package}/" for package in ("chestct", "ml_backend", "training", "lungloop"))
_OWN = f"{_CHECKOUT / 'chestct' / 'catalog'}/"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", action="store_true")
    asked = parser.parse_args()
    for name, walk in (("retrain", walk_of_retrain), ("pre-annotation", walk_of_preannotation)):
        with tempfile.TemporaryDirectory() as folder:
            files = walk(Path(folder))
        stays = [file for at, file in enumerate(files) if at == 0 or files[at - 1] != file]
        print(f"{name}: {len(stays)} stays, {len(stays) - len(set(stays))} returns")  # noqa: T201
        if asked.files:
            print("\n".join(f"  {file}" for file in stays))  # noqa: T201


def walk_of_retrain(folder: Path) -> list[str]:
    """Files in the order in which a retrain enters them with the catalog in hand."""
    stand_in = _module("tests/training/retrain_stand_in.py")
    settings = Settings.load({"LUNGLOOP_HOME": str(folder), "LUNGLOOP_WEIGHTS_DIR": str(folder / "weights")})
    hospital = stand_in.Hospital.build(settings)
    hospital.correct(hospital.learning[0])
    files = _traced(
        lambda: run_retrain(settings, hospital.catalog, folder / "work", trainer=stand_in.ThresholdTrainer())
    )
    hospital.catalog.close()
    return files


def walk_of_preannotation(folder: Path) -> list[str]:
    """The same of a pre-annotation with tasks in Label Studio."""
    fakes = _module("tests/ml_backend/conftest.py")
    settings = replace(
        Settings.load({"LUNGLOOP_HOME": str(folder)}), label_studio_url="http://label-studio.test"
    )
    label_studio = fakes.FakeLabelStudio()
    with Catalog.open(settings.database_url, settings.storage_url) as catalog:
        fakes.study.__wrapped__(catalog)
        client = label_studio.client()
        create_missing_tasks(catalog, client, 7, folder)
        champion = Champion(catalog, fakes.FakeSegmenter)
        return _traced(lambda: preannotate(catalog, champion, client, 7))


def _traced(work: Callable[[], Any]) -> list[str]:
    files: list[str] = []
    seen = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        file = frame.f_code.co_filename
        caller = frame.f_back
        door = (caller.f_code, caller.f_lineno, frame.f_code) if caller else None
        # A loop passes the same door for every slice: once is enough.
        if event == "call" and file.startswith(_PACKAGES) and not file.startswith(_OWN) and door not in seen:
            seen.add(door)
            names = frame.f_code.co_varnames[: frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount]
            if any(_holds_catalog(frame.f_locals.get(name)) for name in names):
                files.append(str(Path(file).relative_to(_CHECKOUT)))

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return files


def _holds_catalog(value: object, depth: int = 2) -> bool:
    """Whether a value is the catalog or one of its stores, or has one among its attributes."""
    if type(value).__module__.startswith("chestct.catalog.") and not type(value).__module__.endswith(
        "records"
    ):
        return True
    parts = getattr(value, "__dict__", {}) if depth else {}
    return any(_holds_catalog(part, depth - 1) for part in list(parts.values()))


def _module(path: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(Path(path).stem, _CHECKOUT / path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[Path(path).stem] = module
    specification.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
