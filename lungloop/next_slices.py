"""What to label next, in the order in which Label Studio serves it, and why."""

from dataclasses import asdict, dataclass

from chestct.catalog.catalog import Catalog


@dataclass(frozen=True)
class NextSlice:
    """One open slice.

    Args:
        score: the champion's confidence in [0, 1]; None where it has not looked at the slice.
        why: one sentence for a person.
    """

    study: str
    slice: int
    score: float | None
    model_version: str | None
    why: str

    def as_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)


def next_slices(catalog: Catalog, count: int) -> list[NextSlice]:
    """The open slices that the champion is least sure of; those it has not seen come last."""
    champion = catalog.champion()
    version = None if champion is None else champion.version
    scores = {} if version is None else {one.slice_id: one.score for one in catalog.predictions(version)}
    open_slices = catalog.open_slices()
    ordered = sorted(open_slices, key=lambda one: (one.id not in scores, scores.get(one.id, 0.0), one.id))
    total = sum(one.id in scores for one in open_slices)
    rows = []
    for place, one in enumerate(ordered[:count], start=1):
        score = scores.get(one.id)
        why = (
            "no prediction yet: run `lungloop preannotate`"
            if score is None
            else f"number {place} of {total} by uncertainty: {version} is {score:.0%} sure of it"
        )
        rows.append(NextSlice(one.study_name, one.index, score, version if score is not None else None, why))
    return rows
