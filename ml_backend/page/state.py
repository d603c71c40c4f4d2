"""The state of the loop, gathered for the page; a part that does not answer is said, not an error."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import RetrainRequest, VersionRecord
from chestct.errors import ServiceUnavailableError, WeightsError
from chestct.job_queue import JobQueue
from chestct.model.card import stored_card
from chestct.settings import Settings

_DECISIONS_SHOWN, _REQUESTS_SHOWN = 5, 3
_FIGURES = {
    "lesion_dice": "Lesion",
    "ground_glass_dice": "Ground glass",
    "consolidation_dice": "Consolidation",
    "lung_dice": "Lung",
}


@dataclass(frozen=True)
class Figure:
    """One Dice score of a card: mean over patients in [0, 1] and its 95 % interval."""

    source: str
    name: str
    mean: float
    interval: tuple[float, float] | None
    patients: int | None


@dataclass(frozen=True)
class Card:
    """What the page shows of a model card."""

    architecture: str = ""
    data_licence: str = ""
    figures: tuple[Figure, ...] = ()
    missing: str = ""


@dataclass(frozen=True)
class LoopState:
    """Everything on the page.

    Args:
        counts: as `Catalog.counts`.
        queue: as `JobQueue.status`, None where `queue_trouble` says why not.
        label_studio_url: the project's page, or Label Studio's; None where none is configured.
    """

    champion: VersionRecord | None
    card: Card
    counts: dict[str, int]
    versions: tuple[VersionRecord, ...]
    decisions: tuple[VersionRecord, ...]
    requests: tuple[RetrainRequest, ...]
    queue: Mapping[str, Any] | None
    queue_trouble: str
    label_studio_url: str | None

    @property
    def corrected_percent(self) -> float:
        """Share of the slices that a reader has corrected, in [0, 100]."""
        return 100.0 * self.counts["corrected"] / self.counts["slices"] if self.counts["slices"] else 0.0

    @property
    def predicted_percent(self) -> float:
        """Share of the slices that the champion has looked at, in [0, 100]."""
        return 100.0 * self.counts["predicted"] / self.counts["slices"] if self.counts["slices"] else 0.0


def loop_state(settings: Settings, catalog: Catalog, queue: JobQueue | None) -> LoopState:
    """Looks at the catalog, the champion's card and the queue.

    Raises:
        ServiceUnavailableError: the catalog does not answer.
    """
    champion = catalog.versions.champion()
    versions = tuple(reversed(catalog.versions.all()))
    queue_status, queue_trouble = _queue_state(queue)
    requests = catalog.requests.all()
    return LoopState(
        champion=champion,
        card=_card(settings.weights_dir, champion.version) if champion else Card(),
        counts=catalog.counts(),
        versions=versions,
        decisions=tuple(version for version in versions if version.decision)[:_DECISIONS_SHOWN],
        requests=tuple(reversed(requests))[:_REQUESTS_SHOWN],
        queue=queue_status,
        queue_trouble=queue_trouble,
        label_studio_url=_project_page(settings),
    )


def _queue_state(queue: JobQueue | None) -> tuple[Mapping[str, Any] | None, str]:
    """What runs, or the sentence that says why nobody knows."""
    if queue is None:
        return None, "No queue is configured."
    try:
        return queue.status(), ""
    except ServiceUnavailableError as error:
        return None, str(error)


def _project_page(settings: Settings) -> str | None:
    address = settings.label_studio_public_url or settings.label_studio_url
    if not address:
        return None
    home = address.rstrip("/")
    # At the very first `lungloop up` the server starts before its project exists.
    return home if settings.project_id is None else f"{home}/projects/{settings.project_id}/data"


def _card(weights_dir: Path, version: str) -> Card:
    try:
        card = stored_card(weights_dir, version)
    except WeightsError as error:
        return Card(missing=f"The card of {version} cannot be read: {error}.")
    metrics = card.get("metrics")
    return Card(
        architecture=str(card.get("architecture", "")),
        data_licence=str(card.get("data_licence", "")),
        figures=tuple(_figures(metrics)) if isinstance(metrics, Mapping) else (),
    )


def _figures(metrics: Mapping[str, Any]) -> Iterator[Figure]:
    """Scores by body of data, or of one body without a name."""
    for source, scores in [("", metrics), *metrics.items()]:
        if not isinstance(scores, Mapping):
            continue
        for key, name in _FIGURES.items():
            score = scores.get(key)
            if isinstance(score, Mapping) and isinstance(score.get("mean"), int | float):
                interval = _interval(score.get("interval"))
                yield Figure(str(source), name, float(score["mean"]), interval, score.get("patients"))


def _interval(ends: object) -> tuple[float, float] | None:
    if isinstance(ends, list) and len(ends) == 2 and all(isinstance(end, int | float) for end in ends):
        return float(ends[0]), float(ends[1])
    return None
