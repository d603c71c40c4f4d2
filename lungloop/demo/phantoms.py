"""The demo's patients: phantoms without reference labels, whose truth lies where no import looks."""

from pathlib import Path

import numpy as np

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord, StudyRecord
from chestct.errors import NotFoundError
from chestct.formats.nifti import read_label_map_nifti
from chestct.labels import SeverityGrade
from chestct.phantoms import LOW_DOSE_RETICULAR, phantom_study, write_phantoms, written_truth
from chestct.progress import OnProgress
from lungloop.demo.truth import LabelMap

# Enough to see the loop at work; pre-annotation of all takes less than a minute on two cores.
_STUDIES, _SEED, _SHAPE = 8, 7, (12, 512, 512)
# Homes from before the demo had a look of its own hold phantoms of the usual one here, two of three of them
# with reference labels.
_FOLDER, _FOLDER_BEFORE = "demo", "phantoms"
# studies/<grade>/<name>.nii.gz below one of these.
_PARTS_OF_A_STUDY_FILE = 4


def make_demo_phantoms(home: Path, on_progress: OnProgress) -> Path:
    """Writes the demo's studies into a home, in MosMedData's layout; their folder."""
    folder = home / _FOLDER
    write_phantoms(folder, _STUDIES, _SEED, _SHAPE, on_progress, look=LOW_DOSE_RETICULAR, truth_apart=True)
    return folder


class PhantomTruth:
    """The truth of a home's phantoms, read when a slice is asked for; a `lungloop.demo.truth.Truth`.

    Raises:
        NotFoundError: none of the catalog's studies is a phantom of this home.
    """

    def __init__(self, catalog: Catalog, home: Path) -> None:
        self._catalog, self._home = catalog, home
        self._study_id, self._label_maps = -1, np.zeros((0, 0, 0), np.uint8)
        if not any(self._study_file(study) for study in catalog.studies.all()):
            raise NotFoundError(
                f"{home} holds no phantoms of the demo, and of other patients nobody knows the truth; start "
                "a demo in a new home: LUNGLOOP_HOME=~/lungloop-demo lungloop up"
            )

    def of_slice(self, slice_record: SliceRecord, shown: LabelMap) -> LabelMap | None:
        """The phantom's own label map; None for a slice of another study."""
        if slice_record.study_id != self._study_id:
            study = self._catalog.studies.get(slice_record.study_id)
            file = self._study_file(study)
            if file is None:
                return None
            truth = written_truth(file)
            label_maps = self._drawn_again(study, file) if truth is None else read_label_map_nifti(truth)[0]
            if label_maps is None:
                return None
            self._study_id, self._label_maps = study.id, label_maps
        return self._label_maps[slice_record.index]

    def _study_file(self, study: StudyRecord) -> Path | None:
        """The file of a phantom; its home may have moved since it was imported."""
        parts = Path(study.source).parts[-_PARTS_OF_A_STUDY_FILE:]
        if len(parts) < _PARTS_OF_A_STUDY_FILE or parts[0] not in (_FOLDER, _FOLDER_BEFORE):
            return None
        file = self._home.joinpath(*parts)
        return file if file.is_file() else None

    def _drawn_again(self, study: StudyRecord, file: Path) -> LabelMap | None:
        """The truth of a phantom of an older home that was written without it; its seed tells it."""
        name, grade = file.name.removesuffix(".nii.gz"), file.parent.name
        number = name.removeprefix("study_")
        if not number.isdecimal() or grade not in frozenset(SeverityGrade):
            return None
        phantom = phantom_study(_SEED + int(number) - 1, SeverityGrade(grade), _SHAPE, name)
        slices = self._catalog.slices.of_study(study.id)
        # What is no phantom of ours, or one of another version's, has other pixels.
        same = len(slices) == _SHAPE[0] and all(
            np.array_equal(self._catalog.slices.read_pixels(item), phantom.study.slices[item.index])
            for item in slices
        )
        return phantom.label_map if same else None
