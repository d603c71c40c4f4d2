"""Choosing what a retrain learns from and is tested on, as the catalog stands."""

from collections.abc import Sequence

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord, VersionState
from chestct.errors import TrainingDataError
from chestct.labels import Split
from training.data.near_copies import near_copies
from training.data.snapshot import SliceReference, Snapshot, Truth, read_if_kept

# Our choices. A slice of 512 x 512 takes 1.3 MB in memory while training; replay beyond some
# hundred slices is drawn from too rarely in one retrain to matter.
REPLAY_LIMIT = 400
# Enough slices of a patient for a Dice that hardly moves with one more, at 0.1 s a slice and model.
TEST_SLICES_PER_PATIENT = 48
# One temperature needs few slices, but not one or two.
CALIBRATION_SLICES, CALIBRATION_ONE_IN, FEWEST_CALIBRATION_SLICES = 32, 6, 6
# Seeds of the phantoms that are an alarm against damage; phantom imports use small seeds.
PHANTOM_SEEDS = (990_001, 990_002, 990_003)


def take_snapshot(catalog: Catalog, champion: str) -> Snapshot:
    """Chooses the data of a retrain as the catalog stands now.

    Raises:
        TrainingDataError: patients of the two sides overlap, which would be a bug of the catalog.
    """
    train = catalog.slices.all(split=Split.TRAIN)
    frozen = catalog.slices.all(split=Split.TEST)
    frozen_keys = {item.key for item in frozen}
    usable = {item.id: item for item in train if item.key not in frozen_keys}
    chosen = _corrections(catalog, usable)
    corrected = {item.slice_id for item in chosen}
    uncorrected = [item for item in usable.values() if item.id not in corrected]
    records, calibration = _records(uncorrected)
    distilled = _distilled(catalog, uncorrected, champion, wanted=len(chosen) - len(records))
    used = [usable[item.slice_id] for item in (*chosen, *records, *distilled, *calibration)]
    copies = near_copies(catalog, used, frozen)

    def unlike(items: Sequence[SliceReference]) -> tuple[SliceReference, ...]:
        return tuple(item for item in items if item.slice_id not in copies)

    snapshot = Snapshot(
        champion=champion,
        corrections=unlike(chosen),
        replay=unlike((*records, *distilled)),
        test=_test(catalog, frozen),
        calibration=unlike(calibration),
        phantom_seeds=PHANTOM_SEEDS,
        left_out=len(train) - len(usable),
        near_copies=tuple(copies.values()),
    )
    _check_sides(snapshot)
    return snapshot


def nothing_new(catalog: Catalog, champion: str, snapshot: Snapshot) -> str | None:
    """Why there is nothing to learn, None where there is."""
    if not snapshot.corrections:
        return "nothing new: there is no correction of a patient in training yet"
    for version in catalog.versions.all():
        of_champion = champion in (version.version, version.parent)
        if not of_champion or version.snapshot is None or version.state is VersionState.CHALLENGER:
            continue
        earlier = read_if_kept(catalog, version.snapshot)
        if earlier is not None and earlier.learned == snapshot.learned:
            how = "refused" if version.state is VersionState.REFUSED else "learned"
            return f"nothing new: {version.version} was trained on these very corrections ({how})"
    return None


def _corrections(catalog: Catalog, usable: dict[int, SliceRecord]) -> tuple[SliceReference, ...]:
    chosen = sorted(catalog.corrections.chosen(Split.TRAIN), key=lambda correction: correction.slice_id)
    return tuple(
        _reference(usable[item.slice_id], Truth.CORRECTION, item.label_map_path, item.id)
        for item in chosen
        if item.slice_id in usable
    )


def _records(
    uncorrected: Sequence[SliceRecord],
) -> tuple[tuple[SliceReference, ...], tuple[SliceReference, ...]]:
    """Reference labels to learn from, and those kept for the temperature."""
    # In the order of their hashes: a fixed draw over all patients.
    labelled = sorted(
        (item for item in uncorrected if item.has_reference_labels), key=lambda item: (item.key, item.id)
    )
    kept = min(CALIBRATION_SLICES, len(labelled) // CALIBRATION_ONE_IN)
    if kept < FEWEST_CALIBRATION_SLICES:
        kept = 0
    references = tuple(_reference(item, Truth.REFERENCE) for item in labelled)
    return references[kept : kept + REPLAY_LIMIT], references[:kept]


def _distilled(
    catalog: Catalog, uncorrected: Sequence[SliceRecord], champion: str, wanted: int
) -> tuple[SliceReference, ...]:
    """The champion's own predictions against forgetting, where reference labels are few.

    Of all kinds of slices, in the order of their hashes: the ones it is sure of teach it nothing it could
    lose.
    """
    by_id = {item.id: item for item in uncorrected if not item.has_reference_labels}
    predictions = {found.slice_id: found for found in catalog.predictions.by_version(champion)}
    drawn = sorted((item for item in by_id.values() if item.id in predictions), key=lambda item: item.key)
    return tuple(
        _reference(item, Truth.DISTILLED, predictions[item.id].label_map_path)
        for item in drawn[: max(0, min(wanted, REPLAY_LIMIT))]
    )


def _test(catalog: Catalog, frozen: Sequence[SliceRecord]) -> tuple[SliceReference, ...]:
    """Reference labels and test readings; a slice that has both, by its reading."""
    by_id = {item.id: item for item in frozen}
    readings = {
        reading.slice_id: _reference(
            by_id[reading.slice_id], Truth.TEST_READING, reading.label_map_path, reading.id
        )
        for reading in catalog.own_test_readings.all()
        if reading.slice_id in by_id
    }
    labelled = [item for item in frozen if item.has_reference_labels and item.id not in readings]
    references = [_reference(item, Truth.REFERENCE) for item in _spread(labelled)]
    return tuple(sorted((*references, *readings.values()), key=lambda item: item.slice_id))


def _spread(labelled: Sequence[SliceRecord]) -> list[SliceRecord]:
    """At most so many slices a patient, over all that it has."""
    by_patient: dict[str, list[SliceRecord]] = {}
    for item in labelled:
        by_patient.setdefault(item.patient, []).append(item)
    chosen: list[SliceRecord] = []
    for slices in by_patient.values():
        count = min(len(slices), TEST_SLICES_PER_PATIENT)
        chosen += [slices[position * len(slices) // count] for position in range(count)]
    return chosen


def _reference(
    item: SliceRecord, truth: Truth, label_map_path: str | None = None, correction_id: int | None = None
) -> SliceReference:
    return SliceReference(
        item.id, item.key, item.study_name, item.patient, item.index, truth, label_map_path, correction_id
    )


def _check_sides(snapshot: Snapshot) -> None:
    learned_from = {item.patient for item in (*snapshot.corrections, *snapshot.replay, *snapshot.calibration)}
    both = learned_from & {item.patient for item in snapshot.test}
    if both:
        raise TrainingDataError(f"patients {sorted(both)} are on both sides of the split; nothing is trained")
