"""The kept home that the code at e944d34 made: where it lies, how it is unpacked, what code says of it.

`make_old_home.py` (beside the archive) asked the same questions of the old code; the answers are
`expected.json`. Only commands are asked here, because their names and JSON are a contract.
"""

import contextlib
import csv
import hashlib
import io
import json
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
from PIL import Image

KEPT = Path(__file__).resolve().parents[1] / "contracts" / "old_home"
ARCHIVE, EXPECTED = KEPT / "old_home.tar.gz", KEPT / "expected.json"
# Relative to where it is unpacked: LUNGLOOP_HOME, LUNGLOOP_WEIGHTS_DIR, and one study that it knows.
HOME, WEIGHTS, DATA = "home", "weights", "data"

Json = Any
Ask = Callable[..., Json]


def unpack(folder: Path) -> Path:
    """The home with its weights and one of its studies, in a folder that it was never in before."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


def expected() -> dict[str, Json]:
    """What the code at e944d34 said of it."""
    return json.loads(EXPECTED.read_text(encoding="utf-8"))


def answers(ask: Ask, out: Path) -> dict[str, Json]:
    """What the commands say of a home, without what depends on the machine or is worded for people.

    Args:
        ask: runs a command of ours with `--json` and gives its value.
        out: an empty folder for exports.
    """
    status = ask("status")
    versions = ask("models", "list")
    return {
        "counts": status["counts"],
        "champion": status["champion"],
        "versions": versions,
        "cards": {one["version"]: ask("models", "show", one["version"])["card"] for one in versions},
        "next": [_in_order(one) for one in ask("next", "-n", "100")],
        "to_settle": [
            {key: one[key] for key in ("study", "grade", "possible_grades") if key in one}
            for one in ask("next", "--to-settle", "-n", "100")
        ],
        "readings": None if status["readers"] is None else status["readers"]["readings"],
        "exports": {
            name: _exported(ask, out / name, name) for name in ("png", "nifti", "npy", "coco", "dicom-seg")
        },
        "every_version": _exported(ask, out / "all", "png", "--all-versions"),
    }


def tables(database: Path) -> dict[str, list[dict[str, Json]]]:
    """Every row of every table, straight from the file: what must not get lost when it is opened."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return {
            name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')]
            for name in [str(row["name"]) for row in names]
            if name != "alembic_version"
        }


def pixels_hash(array: npt.NDArray[Any]) -> str:
    """Of shape, type and values, whatever file they came from."""
    array = np.ascontiguousarray(array)
    return hashlib.sha256(f"{array.shape}{array.dtype.name}".encode() + array.tobytes()).hexdigest()


def in_label_studio(tasks: list[dict[str, Json]]) -> list[dict[str, Json]]:
    """Tasks as its API lists them: what readers did and were shown, without times and book-keeping."""
    return [
        {
            "id": task["id"],
            "data": task["data"],
            "annotations": sorted(
                (
                    {
                        **{
                            key: one[key]
                            for key in (
                                "id", "was_cancelled", "ground_truth", "lead_time", "updated_at",
                                "parent_prediction", "completed_by",
                            )
                        },
                        "result": _hash(one["result"]),
                    }
                    for one in task["annotations"]
                ),
                key=lambda one: one["id"],
            ),
            "predictions": sorted(
                (
                    {"id": one["id"], "model_version": one["model_version"], "result": _hash(one["result"])}
                    for one in task["predictions"]
                ),
                key=lambda one: one["id"],
            ),
        }
        for task in sorted(tasks, key=lambda one: one["id"])
    ]  # fmt: skip


def lost(now: Json, before: Json, where: str = "") -> list[str]:
    """Where something differs from what it was, as paths; code that came later may say more, not less."""
    if isinstance(before, dict) and isinstance(now, dict):
        missing = [f"{where}/{key} is gone" for key in before if key not in now]
        return missing + [
            line for key in before if key in now for line in lost(now[key], before[key], f"{where}/{key}")
        ]
    if isinstance(before, list) and isinstance(now, list) and len(now) == len(before):
        pairs = enumerate(zip(now, before, strict=True))
        return [line for number, (one, was) in pairs for line in lost(one, was, f"{where}/{number}")]
    return [] if now == before else [f"{where} was {before!r}, is {now!r}"]


def _hash(value: Json) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _in_order(one: dict[str, Json]) -> dict[str, Json]:
    # The reason of a slice in the order is kept in the database; other reasons are worded anew each time.
    kept = ("study", "slice", "place", "score", "model_version")
    return {key: one[key] for key in kept} | ({} if one["place"] is None else {"why": one["why"]})


def _exported(ask: Ask, out: Path, file_format: str, *options: str) -> dict[str, Json]:
    report = ask("export", str(out), "--format", file_format, *options)
    with (out / "dataset.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    found: dict[str, Json] = {"rows": report["rows"], "studies": report["studies"], "table": rows}
    if file_format in ("png", "nifti"):
        masks = {row["mask"] for row in rows}
        found["masks"] = {name: pixels_hash(_pixels(out / name)) for name in sorted(masks)}
    if file_format == "npy":
        found["arrays"] = {
            path.name: pixels_hash(np.load(path, allow_pickle=False)) for path in sorted(out.rglob("*.npy"))
        }
    return found


def _pixels(path: Path) -> npt.NDArray[Any]:
    if path.suffix == ".png":
        return np.asarray(Image.open(path))
    return np.asarray(nibabel.loadsave.load(path).dataobj)  # type: ignore[attr-defined]


def ask_in_process(run: Callable[[list[str]], int]) -> Ask:
    """`ask` by a function that runs a command line here and returns its exit code."""

    def ask(*arguments: str) -> Json:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = run([*arguments, "--json"])
        assert code == 0, f"lungloop {arguments} exited {code}"
        return json.loads(said.getvalue())

    return ask
