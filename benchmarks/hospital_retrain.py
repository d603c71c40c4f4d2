"""What does a retrain gain at an unseen hospital, and how long does it take, without any service?

As `hospital_loop.py`, but in one process: slices are read in the order of the worklist, the retrain is called
directly. Minutes instead of an hour; what Label Studio shows is taken from the catalog.

    python benchmarks/hospital_retrain.py --leave-out R10 [--readings 30] [--data ../shared/data/new-hospital]

With `--reader everything` or `nothing` the reader marks every pixel, or none: nothing may be promoted.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _hospital import HumanMasks, LabelMap, Score, Volume, bring_in, score_slice, score_version, volumes_of
from _weights import newest_base

from chestct.acquisition.allocation import Shares
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState, SliceRecord
from chestct.labels import Label
from chestct.progress import Progress
from chestct.settings import Settings
from ml_backend.prelabelling.champion import Champion, load_with_torch
from ml_backend.prelabelling.preannotate import preannotate
from ml_backend.prelabelling.worklist import OrderChoices
from training.retraining.retrain import run_retrain

Json = dict[str, Any]
READERS = ("human masks", "everything", "nothing")
# Nothing shown without pre-label, no control arm: every reading counts for the retrain.
_CHOICES = OrderChoices(shares=Shares(0.0, 0.0, 0.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    shared = Settings.load().shared_data
    default = Path("no shared data") if shared is None else shared / "new-hospital"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--leave-out", required=True)
    parser.add_argument("--readings", type=int, default=30)
    parser.add_argument("--reader", choices=READERS, default=READERS[0])
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        sys.stderr.write(f"{arguments.data} is not there: nothing to measure\n")
        return
    volumes = volumes_of(arguments.data)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(volumes, arguments, Path(folder))
    sys.stdout.write(json.dumps(outcome, indent=2) + "\n")


def run(volumes: list[Volume], arguments: argparse.Namespace, work: Path) -> Json:
    left_out, readings, settings = arguments.leave_out, arguments.readings, Settings.load()
    weights = work / "weights"
    base = newest_base(settings.weights_dir)
    weights.mkdir()
    (weights / base).symlink_to(settings.weights_dir / base)
    settings = replace(settings, home=work, weights_dir=weights)
    team = [volume for volume in volumes if volume.patient != left_out]
    with Catalog.open(f"sqlite:///{work / 'catalog.sqlite3'}", str(work / "storage")) as catalog:
        bring_in(catalog, team)
        catalog.versions.ensure_base(base)
        champion = Champion(catalog, load_with_torch(settings))
        preannotate(catalog, champion, None, None, choices=_CHOICES)
        read(catalog, team, base, readings, arguments.reader)
        started = time.monotonic()
        outcome = run_retrain(settings, catalog, work / "retrain", on_progress=_tell)
        seconds = time.monotonic() - started
        preannotate(catalog, champion, None, None, choices=_CHOICES)
        release = catalog.versions.required_release()
        others = [volume for volume in volumes if volume.patient == left_out]
        return {
            "left_out": left_out,
            "readings": readings,
            "reader": arguments.reader,
            "retrain_seconds": round(seconds),
            "outcome": outcome.sentence,
            "served": release.name,
            "open": {name: _scores(catalog, team, name) for name in dict.fromkeys((base, release.name))},
            "left_out_by_default": {
                version: {
                    who: score.as_dict() for who, score in score_version(weights, version, others).items()
                }
                for version in dict.fromkeys((base, release.default))
            },
        }


def read(catalog: Catalog, team: list[Volume], base: str, readings: int, reader: str) -> None:
    """The first slices of the worklist, corrected to the human masks, or marked without looking."""
    masks = HumanMasks(team)

    def drawn(item: SliceRecord, shown: LabelMap) -> LabelMap | None:
        if reader == READERS[0]:
            return masks.of_slice(item, shown)
        return np.full_like(shown, Label.GROUND_GLASS if reader == "everything" else Label.BACKGROUND)

    for number, ordered in enumerate(catalog.worklist.next(readings), start=1):
        item = ordered.slice
        prediction = catalog.predictions.of_slice(item.id, base)
        assert prediction is not None
        catalog.corrections.add(
            slice_id=item.id,
            project_uid="benchmark",
            task_id=item.id,
            annotation_id=number,
            annotation_updated_at=f"2026-01-01T{number // 60:02d}:{number % 60:02d}:00Z",
            state=CorrectionState.SUBMITTED,
            annotator="reader",
            via="benchmark",
            label_map=drawn(item, catalog.storage.read_label_map(prediction.label_map_path)),
            model_version=base,
        )


def _scores(catalog: Catalog, team: list[Volume], version: str) -> Json:
    """By study, of the slices that are open in partly corrected studies."""
    by_name = {volume.name: volume for volume in team}
    corrected = {catalog.slices.get(row.slice_id).study_id for row in catalog.corrections.current()}
    scores: dict[str, Score] = defaultdict(Score)
    for item in catalog.slices.open():
        if item.study_id in corrected:
            scores[item.study_name] += _score(catalog, by_name[item.study_name], item, version)
    pooled = sum(scores.values(), Score()).as_dict()
    return {"pooled": pooled, **{study: score.as_dict() for study, score in scores.items()}}


def _score(catalog: Catalog, volume: Volume, item: SliceRecord, version: str) -> Score:
    prediction = catalog.predictions.of_slice(item.id, version)
    assert prediction is not None
    return score_slice(volume, item.index, catalog.storage.read_label_map(prediction.label_map_path))


def _tell(progress: Progress) -> None:
    sys.stderr.write(f"\r{progress.fraction:4.0%} {progress.stage:<24}")


if __name__ == "__main__":
    main()
