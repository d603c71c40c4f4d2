"""Does correcting slices make the next pre-labels better, at a hospital that the model has never seen?

The real stack on volumes in the layout of COVID-19-CT-Seg, imported without their masks. A synthetic reader
answers what Label Studio serves, in its order and through its API, by the human masks; after 10, 30 and 60
readings Start Training is pressed. Compared, before and after each: (a) the pre-labels that Label Studio
shows on the slices still open in the studies that were partly read, and (b) what is served by default on a
patient who was left out of all this; each patient is left out in turn. Slices that are drawn to be
shown without pre-label do not count for (a).

    python benchmarks/hospital_loop.py [--data ../shared/data/new-hospital] [--leave-out R10]

An hour a patient left out on two idle cores. The details go to `--out`, patient by patient; a patient that
is there already is done again only where it is named. LUNGLOOP_RETRAIN_STEPS and the like reach the stack.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _hospital import (
    HumanMasks,
    LabelMap,
    Score,
    Volume,
    bring_in,
    label_maps_of,
    score_slice,
    score_version,
    volumes_of,
)
from _hospital_report import measurements, show
from _results import write
from _stack import running_stack, shown_prelabels, start_training, wait_until_idle
from _weights import newest_base

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord
from chestct.settings import Settings
from lungloop.demo.reader import SyntheticReader
from ml_backend.label_studio.client import LabelStudio

Json = dict[str, Any]
_READINGS = (10, 30, 60)
_OUT = Path(__file__).parent / "results" / "hospital_loop_details.json"


@dataclass(frozen=True)
class Served:
    """Which versions serve: all by default, and the open slices of the studies that one learnt from."""

    name: str
    default: str
    open_version: str | None


def served(catalog: Catalog) -> Served:
    """What serves now. One place to change where a release says more than the champion."""
    release = catalog.versions.release()
    if release is None:
        raise RuntimeError("the stack has no champion")
    return Served(release.name, release.default, release.open_version)


def main() -> None:
    arguments = _arguments()
    if not arguments.data.is_dir():
        sys.stderr.write(f"{arguments.data} is not there: nothing to measure\n")
        return
    volumes = volumes_of(arguments.data)
    patients = sorted({volume.patient for volume in volumes})
    details: Json = json.loads(arguments.out.read_text()) if arguments.out.is_file() else {}
    for patient in [arguments.leave_out] if arguments.leave_out else patients:
        if patient in details and patient != arguments.leave_out:
            continue
        with tempfile.TemporaryDirectory() as folder:
            work = arguments.work or Path(folder)
            details[patient] = leave_out(patient, volumes, arguments, work / f"without-{patient}")
        arguments.out.parent.mkdir(exist_ok=True)
        arguments.out.write_text(json.dumps(details, indent=2) + "\n")
        show(patient, details[patient])
    if set(patients) <= details.keys() and not arguments.trial:
        write("hospital_loop", measurements([details[patient] for patient in patients]))


def leave_out(patient: str, volumes: Sequence[Volume], arguments: argparse.Namespace, work: Path) -> Json:
    """One run of the loop by a team that does not have this patient."""
    settings, home, weights = Settings.load(), work / "home", work / "weights"
    base = newest_base(settings.weights_dir)
    shutil.copytree(settings.weights_dir / base, weights / base)
    of_team = [volume for volume in volumes if volume.patient != patient]
    left_out = [volume for volume in volumes if volume.patient == patient]
    home.mkdir(parents=True)
    with Catalog.open(f"sqlite:///{home / 'catalog.sqlite3'}", str(home / "storage")) as catalog:
        bring_in(catalog, of_team)
    started = time.monotonic()
    with (
        running_stack(home, weights) as running,
        Catalog.open(running.database_url, running.storage_url, create=False) as catalog,
    ):
        up_seconds = time.monotonic() - started
        loop = Loop(running, catalog, of_team, left_out)
        stages = [loop.stage(count) for count in arguments.readings]
    return {
        "left_out": patient,
        "team": {volume.name: len(volume.slice_names) for volume in of_team},
        "up_seconds": up_seconds,
        "stages": stages,
    }


class Loop:
    """A team at work: reads, presses Start Training, and looks at what is shown then."""

    def __init__(
        self, settings: Settings, catalog: Catalog, of_team: Sequence[Volume], left_out: Sequence[Volume]
    ) -> None:
        self._settings, self._catalog = settings, catalog
        self._volumes = {volume.name: volume for volume in of_team}
        self._left_out = left_out
        self._client = LabelStudio.from_settings(settings)
        project_id = int(settings.project_id or 0)
        self._reader = SyntheticReader(catalog, self._client, project_id, HumanMasks(of_team))
        self._read = 0
        self._of_version: dict[str, dict[str, Score]] = {}
        wait_until_idle(settings)
        self._first = self._shown()[1]

    def stage(self, count: int) -> Json:
        """Reads up to so many slices in all, trains, and scores before and after."""
        started = time.monotonic()
        readings = []
        while self._read < count:
            new = self._reader.read_next()
            if not new:
                break
            self._read += len(new)
            readings += new
            # A person is slower than the jobs that follow a correction.
            wait_until_idle(self._settings, idle_seconds=1.0)
        reading_seconds = time.monotonic() - started
        before, known = served(self._catalog), {row.version for row in self._catalog.versions.all()}
        shown_before = self._shown()
        outcome, retrain_seconds = start_training(self._settings, self._client, self._catalog)
        decided = time.monotonic()
        wait_until_idle(self._settings)
        after, shown_after = served(self._catalog), self._shown()
        new_versions = [row for row in self._catalog.versions.all() if row.version not in known]
        return {
            "readings": self._read,
            "pre_labels_shown": sum(reading.model_version is not None for reading in readings),
            "reading_seconds": reading_seconds,
            "retrain_seconds": retrain_seconds,
            "follow_seconds": time.monotonic() - decided,
            "outcome": outcome,
            "versions": [
                {"version": row.version, "state": row.state.value, "decision": row.decision}
                for row in new_versions
            ],
            "served": {"before": vars(before), "after": vars(after)},
            "shown_version": {"before": shown_before[0], "after": shown_after[0]},
            "open_slices": self._open_scores(
                {
                    "at_first": self._first,
                    "before": shown_before[1],
                    "after": shown_after[1],
                    # Where one was refused: what it would have shown.
                    "new_version": self._found_by(new_versions[-1].version) if new_versions else {},
                }
            ),
            "left_out": {
                version: {who: score.as_dict() for who, score in self._scores(version).items()}
                for version in (before.default, after.default, *(row.version for row in new_versions))
            },
        }

    def _shown(self) -> tuple[str, dict[int, LabelMap]]:
        return shown_prelabels(self._settings, self._client, self._catalog)

    def _scores(self, version: str) -> dict[str, Score]:
        if version not in self._of_version:
            weights = self._settings.weights_dir
            self._of_version[version] = score_version(weights, version, self._left_out)
        return self._of_version[version]

    def _found_by(self, version: str) -> dict[int, LabelMap]:
        """Slice id -> what a version finds, in all studies of the team."""
        found: dict[int, LabelMap] = {}
        for study in self._catalog.studies.all():
            label_maps = label_maps_of(self._settings.weights_dir, version, self._volumes[study.name])
            found |= {item.id: label_maps[item.index] for item in self._catalog.slices.of_study(study.id)}
        return found

    def _open_scores(self, shown: Mapping[str, Mapping[int, LabelMap]]) -> Json:
        """Pooled and by study, over the same slices for each of the times."""
        shown = {name: label_maps for name, label_maps in shown.items() if label_maps}
        slices = [
            item for item in self._open_slices() if all(item.id in of_time for of_time in shown.values())
        ]
        scores: Json = {}
        for name, label_maps in shown.items():
            by_study: dict[str, Score] = {}
            for item in slices:
                score = score_slice(self._volumes[item.study_name], item.index, label_maps[item.id])
                by_study[item.study_name] = by_study.get(item.study_name, Score()) + score
            scores[name] = {
                "pooled": sum(by_study.values(), Score()).as_dict(),
                "by_study": {study: score.as_dict() for study, score in by_study.items()},
            }
        return scores

    def _open_slices(self) -> list[SliceRecord]:
        """Slices with a pre-label, still open in studies that were partly read."""
        allocations = self._catalog.allocations.all()
        corrected = {row.slice_id for row in self._catalog.corrections.current()}
        slices = self._catalog.slices.all()
        of_studies = {item.study_id for item in slices if item.id in corrected}
        unassisted = {slice_id for slice_id, drawn in allocations.items() if not drawn.prelabelled}
        return [
            item
            for item in self._catalog.slices.open()
            if item.study_id in of_studies and item.id not in unassisted
        ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    shared = Settings.load().shared_data
    default = Path("no shared data") if shared is None else shared / "new-hospital"
    parser.add_argument("--data", type=Path, default=default, help="layout of COVID-19-CT-Seg")
    parser.add_argument("--leave-out", help="this patient only; all in turn otherwise")
    parser.add_argument("--readings", type=int, nargs="+", default=list(_READINGS))
    parser.add_argument("--out", type=Path, default=_OUT)
    parser.add_argument("--work", type=Path, help="keeps homes and weights here")
    parser.add_argument("--trial", action="store_true", help="leave the kept results as they are")
    return parser.parse_args()


if __name__ == "__main__":
    main()
