"""What retrains have brought, read from the catalog, the snapshots and the cards."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionRecord
from chestct.catalog.snapshots import SnapshotReadings, readings_of
from chestct.errors import WeightsError
from chestct.labels import Split
from chestct.learning.figures import Effort, Learning, Retrain, learning_figures
from chestct.model.card import stored_card


def learning_of(catalog: Catalog, weights_dir: Path) -> Learning:
    """What there is to say now.

    Args:
        weights_dir: for the cards; a version without one only lacks the interval of its own score.
    Raises:
        ServiceUnavailableError: the catalog or the storage does not answer.
    """
    efforts = _Efforts(catalog.corrections.all())
    retrains = []
    for version in catalog.versions.all():
        if version.snapshot is None:
            continue
        readings = readings_of(catalog.storage, version.snapshot)
        retrains.append(
            Retrain(
                version=version.version,
                parent=version.parent,
                created_at=version.created_at,
                state=version.state.value,
                decision=version.decision,
                corrections=len(readings.learned) if readings else None,
                effort=efforts.of(readings) if readings else None,
                metrics=_metrics(weights_dir, version.version),
            )
        )
    now = SnapshotReadings(
        frozenset(correction.id for correction in catalog.corrections.chosen(Split.TRAIN)),
        frozenset(correction.id for correction in catalog.own_test_readings.all()),
    )
    state = catalog.own_test_readings.state()
    return learning_figures(retrains, efforts.of(now), (state.done, state.slices))


def learning_stamp(catalog: Catalog) -> tuple[object, ...]:
    """Something that changes whenever the figures do, for who keeps them."""
    versions = tuple((version.version, version.state.value) for version in catalog.versions.all())
    return (catalog.reader_log.stamp(), versions)


class _Efforts:
    """What is new in one set of readings after another.

    Label Studio's lead time is of the whole annotation: it grows when a reader goes back to it, and the
    slices of a study task share one. So time is counted by annotation, and only as far as it grew.
    """

    def __init__(self, corrections: Iterable[CorrectionRecord]) -> None:
        self._corrections = {correction.id: correction for correction in corrections}
        self._seen: set[int] = set()
        self._counted: dict[tuple[str, int], float] = {}

    def of(self, readings: SnapshotReadings) -> Effort:
        """What these readings hold that none before did."""
        learned, judged = readings.learned - self._seen, readings.judged - self._seen
        self._seen |= learned | judged
        new = [self._corrections[row] for row in sorted(learned | judged) if row in self._corrections]
        timed = [correction for correction in new if (correction.lead_time_seconds or 0.0) > 0.0]
        seconds = sum(map(self._grown, timed))
        return Effort(len(learned), len(judged), seconds if timed else None, len(timed))

    def _grown(self, correction: CorrectionRecord) -> float:
        annotation = (correction.project_uid, correction.annotation_id)
        before = self._counted.get(annotation, 0.0)
        self._counted[annotation] = max(before, correction.lead_time_seconds or 0.0)
        return self._counted[annotation] - before


def _metrics(weights_dir: Path, version: str) -> Mapping[str, Any] | None:
    try:
        metrics = stored_card(weights_dir, version).get("metrics")
    except WeightsError:
        return None
    return metrics if isinstance(metrics, Mapping) else None
