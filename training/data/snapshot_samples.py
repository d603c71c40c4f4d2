"""From the slices that a snapshot names to training samples."""

from collections.abc import Iterable

from chestct import partial_labels
from chestct.catalog.catalog import Catalog
from chestct.errors import InputError, UnfitSampleError
from training.data.dataset import TrainingSample
from training.data.sample_check import Sifted, sifted
from training.data.snapshot import SliceReference, Truth


def load_samples(catalog: Catalog, references: Iterable[SliceReference]) -> list[TrainingSample]:
    """The slices with what is known of them.

    Raises:
        UnfitSampleError: labels of record that the snapshot names are gone.
        NotFoundError, InputError: a file of the storage is gone or damaged.
    """
    return [_load(catalog, reference) for reference in references]


def load_sound_samples(catalog: Catalog, references: Iterable[SliceReference]) -> Sifted:
    """The same, but a slice whose file or labels cannot be used is set aside by name.

    Raises:
        NotFoundError: a file of the storage is gone, as where a disk is not mounted.
    """

    def load(reference: SliceReference) -> TrainingSample:
        try:
            return _load(catalog, reference)
        except InputError as error:
            # The file is named by its hash; a person looks for the slice.
            raise UnfitSampleError(_name(reference), str(error)) from error

    return sifted(references, load)


def _name(reference: SliceReference) -> str:
    return f"{reference.study} slice {reference.index}"


def _load(catalog: Catalog, reference: SliceReference) -> TrainingSample:
    item = catalog.slices.get(reference.slice_id)
    name = _name(reference)
    if reference.truth is Truth.REFERENCE or reference.label_map_path is None:
        known = catalog.slices.reference_labels(reference.slice_id)
        if known is None:
            raise UnfitSampleError(name, "its labels of record are gone; ask for a new retrain")
    else:
        label_map = catalog.storage.read_label_map(reference.label_map_path)
        # A reader marks lesions and says nothing of the lung; the champion's own map names it all.
        from_map = (
            partial_labels.from_lesion_label_map
            if reference.truth is Truth.CORRECTION
            else partial_labels.from_label_map
        )
        known = from_map(label_map)
    return TrainingSample.of_slice(
        catalog.slices.read_pixels(item),
        item.intensity,
        known,
        source=reference.truth.value,
        patient=reference.patient,
        name=name,
    )
