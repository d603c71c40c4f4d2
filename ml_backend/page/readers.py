"""The section of the page about readers: sentences with intervals, times over versions, a second look."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from string import ascii_uppercase

from markupsafe import Markup

from chestct.catalog.catalog import Catalog
from chestct.reader_study.effort import Effort
from chestct.reader_study.figures import ReadersFigures, figures_of
from chestct.reader_study.second_look import Suspicion
from chestct.reader_study.sentences import sentences
from chestct.reader_study.wording import said
from chestct.settings import Settings
from ml_backend.page.language import Translator
from ml_backend.page.remembered import Remembered
from ml_backend.page.state import label_studio_address
from ml_backend.page.times_plot import times_plot

_VERSIONS_SHOWN, _SUSPICIONS_SHOWN = 12, 8


@dataclass(frozen=True)
class SecondLook:
    """A label to look at again.

    Args:
        name: study and slice.
        reasons: a sentence each.
        link: its task in Label Studio; None where the task is of another project, or none is known.
    """

    name: str
    reasons: tuple[str, ...]
    link: str | None


@dataclass(frozen=True)
class ReadersSection:
    """Everything in the section, worded when it is shown."""

    figures: ReadersFigures
    settings: Settings

    @property
    def readings(self) -> int:
        """How many there are."""
        return self.figures.estimates.readings

    @property
    def rows(self) -> list[tuple[str, Effort]]:
        """(letter of a reader, what slices took).

        Readers are told apart and not named: whoever reaches the page sees it, and how fast a colleague
        works is not everybody's business.
        """
        return [(_letters(number), row) for number, row in enumerate(self.figures.by_reader)]

    def sentences(self, text: Translator) -> list[str]:
        """What the figures say."""
        return sentences(self.figures.estimates, text.language)

    def plot(self, text: Translator) -> Markup | None:
        """Seconds a slice by version; None before any time is known."""
        rows = [
            (text.named("version", row.name), row.seconds) for row in self.figures.by_version if row.seconds
        ]
        return times_plot(rows[-_VERSIONS_SHOWN:], text) if rows else None

    def second_look(self, text: Translator) -> Iterator[SecondLook]:
        """Labels to look at again, the most suspicious first."""
        for suspicion in self.figures.second_look[:_SUSPICIONS_SHOWN]:
            reading = suspicion.reading
            name = text("slice_of_study", study=reading.study_name, index=reading.slice_index)
            reasons = tuple(said(reason, text.language) for reason in suspicion.evidence)
            yield SecondLook(name, reasons, self._link(suspicion))

    def _link(self, suspicion: Suspicion) -> str | None:
        project_id = suspicion.reading.project_uid.partition(":")[0]
        address = label_studio_address(self.settings)
        if not address or project_id != str(self.settings.project_id):
            return None
        return f"{address}/projects/{project_id}/data?task={suspicion.reading.task_id}"


@dataclass(frozen=True, eq=False)
class ReadersPanel:
    """Works the figures out when the readers' log has changed."""

    settings: Settings
    catalog: Catalog
    _remembered: Remembered[ReadersSection] = field(default_factory=Remembered[ReadersSection])

    def section(self) -> ReadersSection:
        """What the log says now.

        Raises:
            ServiceUnavailableError: the catalog does not answer.
        """
        return self._remembered.get(self.catalog.reader_log.stamp(), self._work_out)

    def _work_out(self) -> ReadersSection:
        versions = [version.version for version in self.catalog.versions.all()]
        readings = self.catalog.reader_log.readings()
        figures = figures_of(readings, self.catalog.reader_log.pairs(readings), versions)
        return ReadersSection(figures, self.settings)


def _letters(number: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    before, letter = divmod(number, len(ascii_uppercase))
    return (_letters(before - 1) if before else "") + ascii_uppercase[letter]
