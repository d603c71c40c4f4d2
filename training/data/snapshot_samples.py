"""From the slices that a snapshot names to training samples: all that a retrain needs, in one place."""

from collections.abc import Iterable
from dataclasses import dataclass

from chestct import partial_labels
from chestct.catalog.catalog import Catalog
from chestct.errors import InputError, TrainingDataError, UnfitSampleError
from training.data import snapshot as snapshots
from training.data.dataset import TrainingSample
from training.data.phantom_samples import phantom_samples
from training.data.sample_check import SetAside, cautions, sentence, sifted
from training.data.snapshot import SliceReference, Truth
from training.data.snapshot_choice import PHANTOM_SEEDS


@dataclass(frozen=True, eq=False)
class RetrainSamples:
    """The slices of one retrain.

    Args:
        learned: corrections and replay, at least one.
        test: of test patients, may be empty; the `source` of each says which Truth it is: reference labels or
            a test reading.
        phantoms: an alarm against damage, never empty.
        new_cases: the newest corrected slices that the champion has not learned from.
        calibration: kept from learning, for the temperature; may be empty.
        set_aside: slices of the snapshot that cannot be used.
        set_aside_sentence: names them; empty where there are none.
        cautions: what a reader of the challenger's card should know of `learned`.
    """

    learned: tuple[TrainingSample, ...]
    test: tuple[TrainingSample, ...]
    phantoms: tuple[TrainingSample, ...]
    new_cases: tuple[TrainingSample, ...]
    calibration: tuple[TrainingSample, ...]
    set_aside: tuple[SetAside, ...]
    set_aside_sentence: str
    cautions: tuple[str, ...]


def load_retrain_samples(catalog: Catalog, snapshot_id: str) -> RetrainSamples:
    """Reads every slice of a snapshot once; one whose file or labels cannot be used is set aside by name.

    Raises:
        TrainingDataError: nothing is left to learn from.
        NotFoundError: a file of the storage is gone, as where a disk is not mounted.
    """
    snapshot = snapshots.read(catalog, snapshot_id)
    new_corrections = snapshots.new_corrections(catalog, snapshot)
    loaded: dict[SliceReference, TrainingSample] = {}

    def load(reference: SliceReference) -> TrainingSample:
        try:
            loaded[reference] = _load(catalog, reference)
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
    learned_cautions = tuple(cautions(learned))
    return RetrainSamples(
        learned,
        test=those(snapshot.test),
        # Snapshots from before they were an alarm name them only where they stood in for patients.
        phantoms=tuple(phantom_samples(snapshot.phantom_seeds or PHANTOM_SEEDS)),
        new_cases=those(new_corrections),
        calibration=those(snapshot.calibration),
        set_aside=set_aside,
        set_aside_sentence=set_aside_sentence,
        cautions=learned_cautions,
    )


def _name(reference: SliceReference) -> str:
    return f"{reference.study} slice {reference.index}"


def _load(catalog: Catalog, reference: SliceReference) -> TrainingSample:
    slice_record = catalog.slices.get(reference.slice_id)
    if reference.truth is Truth.REFERENCE or reference.label_map_path is None:
        truth = catalog.slices.reference_labels(reference.slice_id)
        if truth is None:
            raise UnfitSampleError(_name(reference), "its reference labels are gone; ask for a new retrain")
    else:
        label_map = catalog.storage.read_label_map(reference.label_map_path)
        # A reader marks lesions and says nothing of the lung; the champion's own map names it all.
        from_map = (
            partial_labels.from_lesion_label_map
            if reference.truth in (Truth.CORRECTION, Truth.TEST_READING)
            else partial_labels.from_label_map
        )
        truth = from_map(label_map)
    return TrainingSample.of_slice(
        catalog.slices.read_pixels(slice_record),
        slice_record.intensity,
        truth,
        source=reference.truth.value,
        patient=reference.patient,
        name=_name(reference),
    )
