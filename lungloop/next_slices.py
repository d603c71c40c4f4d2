"""What to label next, in the order in which Label Studio serves it, and why."""

from dataclasses import asdict, dataclass

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import OrderedSlice, Release, SliceRecord


@dataclass(frozen=True)
class NextSlice:
    """One open slice.

    Args:
        score: what Label Studio serves it by, the lowest first, in [0, 1]; None where the slice is not
            predicted yet.
        model_version: the release that serves, by its name.
        why: one sentence for a person.
        place: in the order kept for the release, from 1; slices that were read since leave gaps. None
            where the order does not hold the slice.
    """

    study: str
    slice: int
    score: float | None
    model_version: str | None
    why: str
    place: int | None = None

    def as_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)


def next_slices(catalog: Catalog, count: int) -> list[NextSlice]:
    """The open slices in the release's order; behind them those that it does not hold, the least sure first.

    Before an order was kept for the release, all are of the second kind.
    """
    release = catalog.versions.release()
    name = None if release is None else release.name
    rows = [_placed(entry) for entry in catalog.worklist.next(count) if entry.model_version == name]
    if len(rows) < count:
        others = catalog.worklist.unplaced(name, count - len(rows))
        predicted = 0 if rows or name is None else catalog.predictions.count_open(name)
        rows += [
            _not_placed(
                record, score, release, f"number {number} of {predicted} by uncertainty" if predicted else ""
            )
            for number, (record, score) in enumerate(others, start=1)
        ]
    return rows


def _placed(entry: OrderedSlice) -> NextSlice:
    record = entry.slice
    return NextSlice(
        record.study_name, record.index, entry.score, entry.model_version, entry.reason, place=entry.place + 1
    )


def _not_placed(record: SliceRecord, score: float | None, release: Release | None, where: str) -> NextSlice:
    if score is None or release is None:
        why = "no prediction yet: run `lungloop preannotate`"
        return NextSlice(record.study_name, record.index, None, None, why)
    version = release.version_of(record.study_id)
    why = f"{where or 'predicted since the order was made'}: {version} is {score:.0%} sure of it"
    return NextSlice(record.study_name, record.index, score, release.name, why)
