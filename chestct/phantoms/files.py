"""Phantoms on disk, in the folder layout of MosMedData."""

import csv
import io
from pathlib import Path

import numpy as np

from chestct.errors import InputError
from chestct.files import write_atomic, writing
from chestct.formats.nifti import write_label_map_nifti, write_volume_nifti
from chestct.labels import SeverityGrade
from chestct.phantoms.look import USUAL, Look
from chestct.phantoms.volume import DEFAULT_SHAPE, phantom_study
from chestct.progress import OnProgress, Progress, unheard

# CT-4 is left out: two of MosMedData's 1,110 studies have it.
_GRADES_IN_TURN = (SeverityGrade.CT_1, SeverityGrade.CT_2, SeverityGrade.CT_0, SeverityGrade.CT_3)
# Each third study comes without labels: work that is left for the reader.
_UNLABELLED_EVERY = 3
# Reference labels, which an import reads, and truth that it does not.
_LABELS, _TRUTH = "labels", "truth"
_COLUMNS = ("study_id", "category", "study_file", "mask_file")


def write_phantoms(
    folder: Path,
    count: int,
    seed: int = 42,
    shape: tuple[int, int, int] = DEFAULT_SHAPE,
    on_progress: OnProgress = unheard,
    *,
    look: Look = USUAL,
    truth_apart: bool = False,
) -> tuple[Path, ...]:
    """Writes `count` phantom studies that `chestct.formats.mosmed` reads.

    Grades run CT-1, CT-2, CT-0, CT-3 in turn. Two of three studies (of 6 studies, 4) come with their full
    label map in `labels/`; each third has none. The same arguments write the same bytes.

    Args:
        folder: created where missing; files of the same names are replaced.
        count: 1 or more.
        seed: 0 or more.
        shape: (S, H, W) of each study's view.
        on_progress: told each study.
        look: of disease and reconstruction.
        truth_apart: keep the label map of every study in `truth/`, where no import looks, and none in
            `labels/`: patients without reference labels whose truth is known all the same.
    Returns:
        The study files, in order.
    Raises:
        InputError: count below 1, an unusable shape, or the folder cannot be written.
    """
    if count < 1:
        raise InputError("count", f"is {count}; expected 1 phantom or more")
    written, registry = [], []
    masks = _TRUTH if truth_apart else _LABELS
    for number in range(1, count + 1):
        grade = _GRADES_IN_TURN[(number - 1) % len(_GRADES_IN_TURN)]
        name = f"study_{number:04d}"
        phantom = phantom_study(seed + number - 1, grade, shape, name, look=look)
        geometry = phantom.geometry
        path = folder / "studies" / grade.value / f"{name}.nii.gz"
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            (folder / masks).mkdir(exist_ok=True)
        write_volume_nifti(path, np.stack(phantom.study.slices), geometry)
        if truth_apart or number % _UNLABELLED_EVERY:
            write_label_map_nifti(folder / masks / f"{name}_labels.nii.gz", phantom.label_map, geometry)
        written.append(path)
        registry.append((number, grade.value, f"/{path.relative_to(folder).as_posix()}", ""))
        on_progress(Progress(number, count))
    table = folder / "dataset_registry.csv"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_COLUMNS, *registry])
    with writing(table):
        write_atomic(table, text.getvalue(), durable=False)
    return tuple(written)


def written_truth(study_file: Path) -> Path | None:
    """The label map that `write_phantoms` wrote beside a study file; None where there is none."""
    # <folder>/studies/<grade>/<name>.nii.gz
    folder, name = study_file.parents[2], study_file.name.removesuffix(".nii.gz")
    files = (folder / masks / f"{name}_labels.nii.gz" for masks in (_TRUTH, _LABELS))
    return next((path for path in files if path.is_file()), None)
