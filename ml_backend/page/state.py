"""The state of the loop, gathered for the page; a service that is down is said, not an error."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import Release, RetrainRequest, VersionRecord
from chestct.errors import ServiceUnavailableError, WeightsError
from chestct.job_queue import JobQueue
from chestct.model.card import stored_card
from chestct.settings import Settings
from chestct.wording import Message

_DECISIONS_SHOWN, _REQUESTS_SHOWN = 5, 3
# Scores of a card -> the texts that name them.
_FIGURES = {
    "lesion_dice": "figure_lesion",
    "ground_glass_dice": "ground_glass",
    "consolidation_dice": "consolidation",
    "lung_dice": "lung",
}


@dataclass(frozen=True)
class Figure:
    """One Dice score of a card: mean over patients in [0, 1], its 95 % interval, the key of its name."""

    source: str
    name: str
    mean: float
    interval: tuple[float, float] | None
    patients: int | None


@dataclass(frozen=True)
class Card:
    """What the page shows of a model card; `missing` says why it shows nothing."""

    data_licence: str = ""
    figures: tuple[Figure, ...] = ()
    missing: Message | None = None


@dataclass(frozen=True)
class LoopState:
    """Everything on the page.

    Args:
        champion: the release's default.
        counts: as `Catalog.counts`.
        queue: as `JobQueue.status`, None where none is configured or `queue_trouble` says what is wrong.
        label_studio_url: the project's page, or Label Studio's; None where none is configured.
    """

    release: Release | None
    champion: VersionRecord | None
    card: Card
    counts: dict[str, int]
    versions: tuple[VersionRecord, ...]
    decisions: tuple[VersionRecord, ...]
    requests: tuple[RetrainRequest, ...]
    queue: Mapping[str, Any] | None
    queue_trouble: str
    label_studio_url: str | None

    def percent(self, count: str) -> float:
        """Share of the slices that a count names, in [0, 100]."""
        return 100.0 * self.counts[count] / self.counts["slices"] if self.counts["slices"] else 0.0


def loop_state(settings: Settings, catalog: Catalog, queue: JobQueue | None) -> LoopState:
    """Looks at the catalog, the champion's card and the queue.

    Raises:
        ServiceUnavailableError: the catalog does not answer.
    """
    release = catalog.versions.release()
    champion = catalog.versions.get(release.default) if release else None
    versions = tuple(reversed(catalog.versions.all()))
    queue_status, queue_trouble = None, ""
    if queue is not None:
        try:
            queue_status = queue.status()
        except ServiceUnavailableError as error:
            queue_trouble = str(error)
    requests = catalog.requests.all()
    return LoopState(
        release=release,
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


def label_studio_address(settings: Settings) -> str:
    """As browsers reach it, without a slash at its end; empty where none is configured."""
    return (settings.label_studio_public_url or settings.label_studio_url or "").rstrip("/")


def _project_page(settings: Settings) -> str | None:
    home = label_studio_address(settings)
    # At the very first `lungloop up` the server starts before its project exists.
    return f"{home}/projects/{settings.project_id}/data" if home and settings.project_id else home or None


def _card(weights_dir: Path, version: str) -> Card:
    try:
        card = stored_card(weights_dir, version)
    except WeightsError as error:
        return Card(missing=Message("card_unreadable", {"version": version, "error": error}))
    metrics = card.get("metrics")
    return Card(
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
                body, mean, interval = str(source or "test_patients"), score["mean"], score.get("interval")
                yield Figure(body, name, float(mean), _interval(interval), score.get("patients"))


def _interval(ends: object) -> tuple[float, float] | None:
    if isinstance(ends, list) and len(ends) == 2 and all(isinstance(end, int | float) for end in ends):
        return float(ends[0]), float(ends[1])
    return None
