"""From the slices that a snapshot names to training samples."""

from collections.abc import Iterable

from chestct import candidates
from chestct.catalog.catalog import Catalog
from chestct.errors import TrainingDataError
from training.dataset import TrainingSample
from training.snapshot import SliceReference, Truth


def load_samples(catalog: Catalog, references: Iterable[SliceReference]) -> list[TrainingSample]:
    """The slices with what is known of them.

    Raises:
        TrainingDataError: labels of record that the snapshot names are gone.
        NotFoundError, InputError: a file of the storage is gone or damaged.
    """
    return [_load(catalog, reference) for reference in references]


def _load(catalog: Catalog, reference: SliceReference) -> TrainingSample:
    item = catalog.slice(reference.slice_id)
    name = f"{reference.study} slice {reference.index}"
    if reference.truth is Truth.RECORD or reference.label_map_path is None:
        known = catalog.record(reference.slice_id)
        if known is None:
            raise TrainingDataError(f"{name} has lost its labels of record; ask for a new retrain")
    else:
        label_map = catalog.storage.read_label_map(reference.label_map_path)
        # A reader marks lesions and says nothing of the lung; the champion's own map names it all.
        from_map = (
            candidates.from_lesion_label_map
            if reference.truth is Truth.CORRECTION
            else candidates.from_label_map
        )
        known = from_map(label_map)
    return TrainingSample.of_slice(
        catalog.read_pixels(item),
        item.intensity,
        known,
        source=reference.truth.value,
        patient=reference.patient,
        name=name,
    )
