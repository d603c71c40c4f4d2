"""Makes `old_home.tar.gz` and `expected.json`: a small home with a history, by the code at e944d34.

Run at a checkout of e944d34 with its two environments (`make up` makes them):

    PYTHONPATH=.:tests/end_to_end:tests/formats:FOLDER .venv/bin/python FOLDER/make_old_home.py OUT

FOLDER is this file's, with `small_model.py` and a copy of `old_home.py`. Everything happens below the fixed
folder ROOT, because its path gets into the home (source of a study, storage of Label Studio) and a path of
somebody's machine should not. Two readers work through Label Studio's API: studies first, then slices.
"""

import argparse
import csv
import gzip
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dicom_series
import httpx
import numpy as np
from ml_backend.brush_rle import encode
from old_home import answers, in_label_studio, pixels_hash
from PIL import Image
from running_stack import Stack, start_stack, stop_stack, wait_until
from small_model import write_small_version

from chestct.catalog.catalog import Catalog
from chestct.labels import BRUSH_LABEL_NAMES, LESIONS, Label, Split
from chestct.phantoms import write_phantoms

ROOT = Path("/tmp/old-home")
HOME, WEIGHTS, DATA, LATER = ROOT / "home", ROOT / "weights", ROOT / "data", ROOT / "later"
SIDE, SLICES, STUDIES = 64, 4, 4
BASE = "base-0"  # no shipped version has this name
# Of the home, what is no state: logs, pidfiles, the queue (empty by then), traces of a running stack.
LEFT_OUT = ("logs", "run", "queue", "training", "phantoms")
Json = dict[str, Any]


def main() -> None:
    """Makes the data, lives through the history, packs what is left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--base", type=Path, help="folder of a base-0 from an earlier run")
    given = parser.parse_args()
    shutil.rmtree(ROOT, ignore_errors=True)
    if given.base is None:
        write_small_version(WEIGHTS, BASE, SIDE, range(100, 116), steps=550)
    else:
        shutil.copytree(given.base, WEIGHTS / BASE)
    write_data()
    label_studio = {}
    with running("study") as stack:
        read_studies(stack)
        label_studio["study"] = settled(stack)
    with running("slice") as stack:
        read_slices(stack)
        retrain_and_change_the_champion(stack)
        label_studio["slice"] = settled(stack)
    tidy()
    told = answers(ask, ROOT / "exports")
    told |= {"catalog": catalog_view(), "label_studio": label_studio}
    given.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True)
    (given.out / "expected.json").write_text(text + "\n", encoding="utf-8")
    pack(given.out / "old_home.tar.gz")


def write_data() -> None:
    """Four phantoms (two of three with labels) and a DICOM series now, two pictures with masks for later."""
    write_phantoms(DATA, STUDIES, seed=7, shape=(SLICES, SIDE, SIDE))
    dicom_series.ROWS = dicom_series.COLUMNS = 32
    dicom_series.write_series(LATER / "dicom" / "case", dicom_series.SERIES["axial, feet first"])
    rng = np.random.default_rng(3)
    for number in range(2):
        picture = rng.integers(20, 60, (SIDE, SIDE), np.uint8)
        picture[16:40, 10:30] += 120
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[16:40, 10:30] = Label.GROUND_GLASS
        for folder, image in (("pictures", picture), ("masks", mask)):
            (LATER / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(LATER / folder / f"loose_{number}.png")


@contextmanager
def running(tasks: str) -> Iterator[Stack]:
    """`lungloop up` on the home, until the end of the block."""
    stack = start_stack(
        HOME,
        DATA,
        WEIGHTS,
        LUNGLOOP_TASKS=tasks,
        LUNGLOOP_SYNC_SECONDS="3600",
        LUNGLOOP_RETRAIN_STEPS="40",
        LUNGLOOP_TWICE_PERCENT="20",
    )
    try:
        yield stack
    finally:
        stop_stack(stack)


def ask(*arguments: str) -> Any:
    """A command of the old code on the home, with nothing running."""
    environment = {**os.environ, "LUNGLOOP_HOME": str(HOME), "LUNGLOOP_WEIGHTS_DIR": str(WEIGHTS)}
    done = subprocess.run(
        [sys.executable, "-m", "lungloop", *arguments, "--json"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return json.loads(done.stdout)


# --- readers


def region(mask: np.ndarray, label: Label, **more: object) -> Json:
    """One brush region as the editor submits it."""
    return {
        "from_name": "lesions", "to_name": "image", "type": "brushlabels", "origin": "manual",
        "original_width": mask.shape[1], "original_height": mask.shape[0], "image_rotation": 0,
        "value": {"format": "rle", "rle": encode(mask), "brushlabels": [BRUSH_LABEL_NAMES[label]]},
        **more,
    }  # fmt: skip


def choice(name: str, value: str) -> Json:
    """One chosen value as the editor submits it."""
    return {
        "from_name": name, "to_name": "image", "type": "choices", "origin": "manual",
        "value": {"choices": [value]},
    }  # fmt: skip


def drawn(row: int, side: int = SIDE) -> np.ndarray:
    """A reader's answer: ground-glass with a consolidated core, and a lone pixel in the corner."""
    label_map = np.zeros((side, side), np.uint8)
    label_map[row : row + 12, 8:26] = Label.GROUND_GLASS
    label_map[row + 3 : row + 7, 12:18] = Label.CONSOLIDATION
    label_map[0, 0] = Label.GROUND_GLASS
    return label_map


def regions(label_map: np.ndarray, **more: object) -> list[Json]:
    """The regions of a label map, one for each lesion class."""
    return [region(label_map == label, label, **more) for label in LESIONS if (label_map == label).any()]


def submit(client: httpx.Client, task: Json, result: list[Json], **more: object) -> int:
    """Submits an annotation that started from the task's newest pre-label; gives its id."""
    prelabel = max((one["id"] for one in task["predictions"]), default=None)
    body = {"result": result, "lead_time": 20.0, "parent_prediction": prelabel, **more}
    answer = client.post(f"/api/tasks/{task['id']}/annotations/", json=body)
    answer.raise_for_status()
    return int(answer.json()["id"])


def change(client: httpx.Client, annotation: int, **fields: object) -> None:
    """A reader opens an annotation again and presses Update."""
    client.patch(f"/api/annotations/{annotation}/", json=fields).raise_for_status()


def second_reader(stack: Stack) -> httpx.Client:
    """Somebody who signs up by invitation."""
    url = stack.facts["label_studio_url"]
    with stack.label_studio as client:
        invitation = client.get("/api/invite").json()["invite_url"]
    browser = httpx.Client(base_url=url, follow_redirects=True, timeout=60)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(invitation).text)
    assert token is not None
    form = {
        "csrfmiddlewaretoken": token.group(1),
        "email": "second@clinic.test",
        "password": "a-long-password",
        "allow_newsletters": "false",
    }
    browser.post(invitation, data=form, headers={"Referer": url + invitation}).raise_for_status()
    token_of = browser.get("/api/current-user/token").json()["token"]
    browser.close()
    return httpx.Client(base_url=url, headers={"Authorization": f"Token {token_of}"}, timeout=60)


def read_studies(stack: Stack) -> None:
    """One study corrected and graded, one vouched for (and graded again), one skipped, one left open."""
    stack.lungloop("import", str(LATER / "dicom"), "--layout", "dicom")
    wait_until("the DICOM study has its pre-label", lambda: all(t["predictions"] for t in stack.tasks()), 120)
    tasks = {task["data"]["study"]: task for task in stack.tasks()}
    dicom = next(name for name in tasks if not name.startswith("study_"))
    with stack.label_studio as client:
        shown = tasks["study_0003"]["predictions"][0]["result"]
        untouched = [{**one, "origin": "prediction"} for one in shown if one.get("item_index") != 1]
        touched = [one for one in untouched if one["type"] == "brushlabels"]
        submit(
            client, tasks["study_0003"],
            [*touched, *regions(drawn(20), item_index=1), choice("severity", "CT-1")], lead_time=120.0,
        )  # fmt: skip
        vouched = [
            *regions(drawn(5, 32), item_index=0), *regions(drawn(9, 32), item_index=2),
            choice("viewed", "All slices viewed"),
        ]  # fmt: skip
        graded = submit(client, tasks[dicom], [*vouched, choice("severity", "CT-2")], lead_time=90.0)
        submit(client, tasks["study_0002"], [], was_cancelled=True)
        stack.lungloop("sync")
        change(client, graded, result=[*vouched, choice("severity", "CT-3")], lead_time=95.0)
    stack.lungloop("sync")


def read_slices(stack: Stack) -> None:
    """Corrections by webhook and by sync, an update, a skip, a deletion, a ground truth, own masks."""
    tasks = {(task["data"]["study"], task["data"]["slice"]): task for task in stack.tasks()}
    truth = truth_of(stack, "study_0001")
    with stack.label_studio as client:
        first = [
            submit(client, tasks["study_0001", n], regions(truth[n]), lead_time=20.0 + n) for n in range(4)
        ]
        arrived(stack, first)
        change(client, first[1], result=regions(truth[1] | drawn(40)), lead_time=31.5)
        submit(client, tasks["study_0002", 0], [], was_cancelled=True)
        empty = submit(client, tasks["study_0002", 1], [], lead_time=4.0)
        deleted = submit(client, tasks["study_0002", 2], regions(drawn(30)))
        arrived(stack, [empty, deleted])
        client.delete(f"/api/annotations/{deleted}/").raise_for_status()
        stack.lungloop("sync")
        # The hook is off as when it gets lost: only a sync brings what comes now.
        hooks = client.get("/api/webhooks/", params={"project": stack.facts["project_id"]}).json()
        switch(client, hooks, on=False)
        from_nothing = submit(client, tasks["study_0002", 3], regions(drawn(12)), parent_prediction=None)
        stack.lungloop("sync")
        switch(client, hooks, on=True)
        arrived(stack, [from_nothing])
    with second_reader(stack) as other:
        time.sleep(1)  # its time must be later than the first reader's
        gold = submit(other, tasks["study_0001", 0], regions(truth[0] | drawn(30)), lead_time=48.0)
        change(other, gold, ground_truth=True)
        again = submit(other, tasks["study_0002", 1], regions(drawn(25)), lead_time=33.0)
        arrived(stack, [gold, again])
    stack.lungloop(
        "import", str(LATER / "pictures"), "--masks", str(LATER / "masks"),
        "--mask-labels", "1=ground_glass,2=consolidation,3=lung", "--masks-as", "prelabels",
    )  # fmt: skip
    loose = wait_until("the pictures have their own masks", lambda: pictures_with_prelabels(stack), 120)
    with stack.label_studio as client:
        arrived(stack, [submit(client, loose[0], regions(drawn(18)), lead_time=11.0)])
    stack.lungloop("sync")


def pictures_with_prelabels(stack: Stack) -> list[Json]:
    """Tasks of the pictures once each has a prediction."""
    found = [task for task in stack.tasks() if task["data"]["study"] == "pictures"]
    return found if len(found) == 2 and all(task["predictions"] for task in found) else []


def retrain_and_change_the_champion(stack: Stack) -> None:
    """One version by the gate; then people take the old one back, and think better of it."""
    stack.lungloop("retrain", "--wait")
    new = next(one for one in stack.json("models", "list") if one["version"] != BASE)
    print(new["version"], new["state"], new["decision"]["reasons"], flush=True)  # noqa: T201
    assert new["state"] == "champion", "the gate must promote it, so that its decision is the last about it"
    stack.lungloop("retrain", "--wait")  # nothing is new: answered without a version
    stack.lungloop("models", "promote", BASE, "--reason", "only trying")
    stack.lungloop("models", "rollback")


def settled(stack: Stack) -> list[Json]:
    """Waits until no job waits or runs; Label Studio's tasks then."""

    def quiet() -> bool:
        queue = stack.json("status")["queue"]
        return not queue["queued"] and not queue["running"]

    for _ in range(3):
        wait_until("the queue is empty", quiet, 240, every=1)
        time.sleep(2)
    assert stack.json("sync")["created"] == 0
    return in_label_studio(stack.tasks())


def arrived(stack: Stack, annotations: list[int]) -> None:
    """Waits for the webhooks of these annotations."""

    def all_there() -> bool:
        with stack.catalog() as catalog:
            return set(annotations) <= {row.annotation_id for row in catalog.all_corrections()}

    wait_until(f"annotations {annotations} are in the catalog", all_there, 60)


def switch(client: httpx.Client, hooks: list[Json], *, on: bool) -> None:
    """Label Studio 1.23 forgets a webhook's actions at every PATCH that does not repeat them."""
    for hook in hooks:
        fields = {"is_active": on, "actions": hook["actions"]}
        client.patch(f"/api/webhooks/{hook['id']}/", json=fields).raise_for_status()


def truth_of(stack: Stack, study: str) -> list[np.ndarray]:
    """The lesions of a phantom with labels of record, slice by slice."""
    with stack.catalog() as catalog:
        found = []
        for index in range(SLICES):
            record = catalog.record(catalog.slice_by(study, index).id)
            assert record is not None
            label_map = np.zeros(record.shape, np.uint8)
            for label in LESIONS:
                label_map[record == 1 << label] = label
            found.append(label_map)
    return found


# --- what the old catalog says


def catalog_view() -> Json:
    """Corrections, grades, tasks and splits as the catalog's own methods give them."""
    with Catalog.open(
        f"sqlite:///{HOME / 'catalog.sqlite3'}", str(HOME / "storage"), create=False
    ) as catalog:
        slices = {one.id: one for one in catalog.slices()}

        def row(one: Any) -> Json:
            shown = slices[one.slice_id]
            pixels = one.label_map_path and pixels_hash(catalog.storage.read_label_map(one.label_map_path))
            return {**asdict(one), "study": shown.study_name, "slice": shown.index, "pixels": pixels}

        projects = sorted({one.project_uid for one in catalog.all_corrections()})
        view = {
            "studies": {one.name: [one.key, one.patient, one.split, one.grade] for one in catalog.studies()},
            "test_patients": sorted({one.patient for one in catalog.studies() if one.split is Split.TEST}),
            "current_corrections": [row(one) for one in catalog.current_corrections()],
            "all_corrections": [row(one) for one in catalog.all_corrections()],
            "current_grades": [asdict(one) for one in catalog.current_grades()],
            "slice_tasks": {uid: catalog.tasks_of_project(uid) for uid in projects},
            "study_tasks": {uid: catalog.study_tasks_of_project(uid) for uid in projects},
            "open_slices": [one.id for one in catalog.open_slices()],
            "retrain_requests": [asdict(one) for one in catalog.retrain_requests()],
        }
    return json.loads(json.dumps(view))


# --- packing


def tidy() -> None:
    """Takes out what is no state, and folds each database into one small file."""
    for name in LEFT_OUT:
        shutil.rmtree(HOME / name, ignore_errors=True)
    for path in HOME.rglob("*.sqlite3"):
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("VACUUM")
        connection.close()


def pack(archive: Path) -> None:
    """One tar, the same bytes for the same files: sorted, without times, owners and modes of this run."""
    kept: list[Path] = [path for folder in (HOME, WEIGHTS) for path in sorted(folder.rglob("*"))]
    # One study as it was imported: importing it again must change nothing.
    kept += [DATA / "studies/CT-1/study_0001.nii.gz", DATA / "labels/study_0001_labels.nii.gz"]
    registry = DATA / "dataset_registry.csv"
    with registry.open(newline="") as file:
        rows = [row for row in csv.reader(file) if row[0] in ("study_id", "1")]
    with registry.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    kept.append(registry)

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        private = entry.name.endswith(("secrets.json", "label-studio-project.json"))
        entry.mode = 0o755 if entry.isdir() else 0o600 if private else 0o644
        return entry

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in kept:
            if path.is_file():
                tar.add(path, arcname=str(path.relative_to(ROOT)), filter=plain)
    archive.write_bytes(gzip.compress(packed.getvalue(), 9, mtime=0))
    print(f"{archive.stat().st_size} {archive}")  # noqa: T201


if __name__ == "__main__":
    main()
