"""The section of the page about readers: sentences with intervals, times over versions, a second look."""

import threading
from dataclasses import dataclass
from string import ascii_uppercase

from markupsafe import Markup

from chestct.catalog.catalog import Catalog
from chestct.reader_study.effort import Effort
from chestct.reader_study.figures import ReadersFigures, figures_of
from chestct.reader_study.second_look import Suspicion
from chestct.reader_study.sentences import sentences
from chestct.settings import Settings
from ml_backend.page.times_plot import times_plot

_VERSIONS_SHOWN, _SUSPICIONS_SHOWN = 12, 8


@dataclass(frozen=True)
class SecondLook:
    """A label to look at again.

    Args:
        link: its task in Label Studio; None where the task is of another project, or none is known.
    """

    name: str
    reasons: tuple[str, ...]
    link: str | None


@dataclass(frozen=True)
class ReadersSection:
    """Everything in the section.

    Args:
        rows: (letter of a reader, what slices took). Readers are told apart and not named: whoever
            reaches the page sees it, and how fast a colleague works is not everybody's business.
        plot: of seconds a slice; None before any time is known.
    """

    readings: int
    sentences: tuple[str, ...]
    plot: Markup | None
    rows: tuple[tuple[str, Effort], ...]
    second_look: tuple[SecondLook, ...]


class ReadersPanel:
    """Works the figures out when the log has changed, and keeps them until then: the page reloads itself.

    Args:
        settings: where Label Studio is.
        catalog: the readers' log.
    """

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self._settings = settings
        self._catalog = catalog
        self._lock = threading.Lock()
        self._stamp: tuple[object, ...] | None = None
        self._section: ReadersSection | None = None

    def section(self) -> ReadersSection:
        """What the log says now.

        Raises:
            ServiceUnavailableError: the catalog does not answer.
        """
        with self._lock:
            stamp = self._catalog.reader_log.stamp()
            if self._section is None or stamp != self._stamp:
                versions = [version.version for version in self._catalog.versions.all()]
                readings = self._catalog.reader_log.readings()
                figures = figures_of(readings, self._catalog.reader_log.pairs(readings), versions)
                self._section, self._stamp = _section(figures, self._settings), stamp
            return self._section


def _section(figures: ReadersFigures, settings: Settings) -> ReadersSection:
    times = [(row.name, row.seconds) for row in figures.by_version if row.seconds is not None]
    return ReadersSection(
        readings=figures.estimates.readings,
        sentences=tuple(sentences(figures.estimates)),
        plot=times_plot(times[-_VERSIONS_SHOWN:]) if times else None,
        rows=tuple((_letters(number), row) for number, row in enumerate(figures.by_reader)),
        second_look=tuple(_second_look(one, settings) for one in figures.second_look[:_SUSPICIONS_SHOWN]),
    )


def _second_look(one: Suspicion, settings: Settings) -> SecondLook:
    reading = one.reading
    address = settings.label_studio_public_url or settings.label_studio_url
    project_id = reading.project_uid.partition(":")[0]
    link = None
    if address and project_id == str(settings.project_id):
        link = f"{address.rstrip('/')}/projects/{project_id}/data?task={reading.task_id}"
    return SecondLook(f"{reading.study_name}, slice {reading.slice_index}", one.reasons, link)


def _letters(number: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    letters = ""
    number += 1
    while number:
        number, place = divmod(number - 1, len(ascii_uppercase))
        letters = ascii_uppercase[place] + letters
    return letters
