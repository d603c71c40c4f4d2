"""From the slices that a snapshot names to training samples: all that a retrain needs, in one place."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from chestct import partial_labels
from chestct.catalog.catalog import Catalog
from chestct.errors import InputError, TrainingDataError, UnfitSampleError
from chestct.labels import Label
from training.data import snapshot as snapshots
from training.data.dataset import TrainingSample
from training.data.phantom_samples import phantom_samples
from training.data.sample_check import SetAside, cautions, sentence, sifted
from training.data.snapshot import SliceReference, Truth
from training.data.snapshot_choice import PHANTOM_SEEDS

# Others than `PHANTOM_SEEDS`: those that are an alarm are never learned from.
_REPLAYED_PHANTOM_SEEDS = (880_001, 880_002, 880_003)


@dataclass(frozen=True, eq=False)
class CorrectedSlice:
    """A correction to learn from, and where its slice lies: neighbours resemble each other."""

    study: str
    index: int
    sample: TrainingSample

    @property
    def as_read(self) -> TrainingSample:
        """What the reader said and no more, to be scored on: lungs that the champion gave are left open."""
        return replace(self.sample, partial_labels=partial_labels.without_lungs(self.sample.partial_labels))


@dataclass(frozen=True, eq=False)
class RetrainSamples:
    """The slices of one retrain.

    Args:
        corrected: the readers' corrections.
        replay: what keeps the champion's knowledge: reference labels, its own predictions, and phantoms for
            the kinds of lesion that the corrections lack.
        test: of test patients, may be empty; the `source` of each says which Truth it is: reference labels or
            a test reading.
        phantoms: an alarm against damage, never empty.
        calibration: kept from learning, for the temperature; may be empty.
        set_aside: slices of the snapshot that cannot be used.
        set_aside_sentence: names them; empty where there are none.
        near_copies_sentence: names slices that were refused as near copies of a test patient's; may be empty.
        cautions: what a reader of the challenger's card should know of `learned`.
    """

    corrected: tuple[CorrectedSlice, ...]
    replay: tuple[TrainingSample, ...]
    test: tuple[TrainingSample, ...]
    phantoms: tuple[TrainingSample, ...]
    calibration: tuple[TrainingSample, ...]
    set_aside: tuple[SetAside, ...]
    set_aside_sentence: str
    near_copies_sentence: str
    cautions: tuple[str, ...]

    @property
    def learned(self) -> tuple[TrainingSample, ...]:
        """Corrections and replay, at least one."""
        return (*(item.sample for item in self.corrected), *self.replay)


def load_retrain_samples(catalog: Catalog, snapshot_id: str) -> RetrainSamples:
    """Reads every slice of a snapshot once; one whose file or labels cannot be used is set aside by name.

    Raises:
        TrainingDataError: nothing is left to learn from.
        NotFoundError: a file of the storage is gone, as where a disk is not mounted.
    """
    snapshot = snapshots.read(catalog, snapshot_id)
    loaded: dict[SliceReference, TrainingSample] = {}
    corrected_studies = {item.study for item in snapshot.corrections}

    def load(reference: SliceReference) -> TrainingSample:
        try:
            loaded[reference] = _load(catalog, reference, snapshot.champion, corrected_studies)
        except InputError as error:
            # The file is named by its hash; a person looks for the slice.
            raise UnfitSampleError(_name(reference), str(error)) from error
        return loaded[reference]

    def those(references: Iterable[SliceReference]) -> tuple[TrainingSample, ...]:
        return tuple(loaded[reference] for reference in references if reference in loaded)

    lesson = (*snapshot.corrections, *snapshot.replay)
    set_aside = sifted((*lesson, *snapshot.test, *snapshot.calibration), load).set_aside
    learned, set_aside_sentence = those(lesson), sentence(set_aside)
    if not learned and set_aside:
        raise TrainingDataError(f"no slice is left to learn from: {set_aside_sentence}")
    return RetrainSamples(
        corrected=tuple(
            CorrectedSlice(item.study, item.index, loaded[item])
            for item in snapshot.corrections
            if item in loaded
        ),
        replay=(*those(snapshot.replay), *phantom_samples(_REPLAYED_PHANTOM_SEEDS)),
        test=those(snapshot.test),
        # Snapshots from before they were an alarm name them only where they stood in for patients.
        phantoms=tuple(phantom_samples(snapshot.phantom_seeds or PHANTOM_SEEDS)),
        calibration=those(snapshot.calibration),
        set_aside=set_aside,
        set_aside_sentence=set_aside_sentence,
        near_copies_sentence=snapshots.near_copy_sentence(snapshot),
        cautions=tuple(cautions(learned)),
    )


def _name(reference: SliceReference) -> str:
    return f"{reference.study} slice {reference.index}"


def _load(
    catalog: Catalog, reference: SliceReference, champion: str, corrected_studies: Set[str]
) -> TrainingSample:
    slice_record = catalog.slices.get(reference.slice_id)
    return TrainingSample.of_slice(
        catalog.slices.read_pixels(slice_record),
        slice_record.intensity,
        _truth(catalog, reference, champion, corrected_studies),
        source=reference.truth.value,
        patient=reference.patient,
        name=_name(reference),
    )


def _truth(
    catalog: Catalog, reference: SliceReference, champion: str, corrected_studies: Set[str]
) -> npt.NDArray[np.uint8]:
    """(H, W) partial labels of a slice."""
    if reference.truth is Truth.REFERENCE or reference.label_map_path is None:
        labels = catalog.slices.reference_labels(reference.slice_id)
        if labels is None:
            raise UnfitSampleError(_name(reference), "its reference labels are gone; ask for a new retrain")
        return labels
    label_map = catalog.storage.read_label_map(reference.label_map_path)
    if reference.truth is Truth.DISTILLED:
        # Where readers corrected the study, its lesions are theirs to teach: the champion's would hold back
        # what it learns from them.
        of_lungs_only = reference.study in corrected_studies
        return (partial_labels.from_lungs_of if of_lungs_only else partial_labels.from_label_map)(label_map)
    if reference.truth is Truth.TEST_READING:
        return partial_labels.from_lesion_label_map(label_map)
    # A reader marks lesions and says nothing of the lung. The champion's lung keeps what it knows of lungs,
    # and lets the fit see the slice cropped to them, as it will when it serves.
    predicted = catalog.predictions.of_slice(reference.slice_id, champion)
    if predicted is None:
        return partial_labels.from_lesion_label_map(label_map)
    lungs = catalog.storage.read_label_map(predicted.label_map_path)
    return partial_labels.from_lesions_in_lungs(label_map, lungs != Label.BACKGROUND)
