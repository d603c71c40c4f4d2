"""The section of the page about learning: what each retrain brought, what the next corrections may bring."""

from dataclasses import dataclass, field

from chestct.catalog.catalog import Catalog
from chestct.derived.learning import learning_of, learning_stamp
from chestct.learning.decisions import Change
from chestct.learning.figures import Learning, VersionLearning
from chestct.learning.sentences import evidence_name, sentences
from chestct.settings import Settings
from ml_backend.page.language import Translator
from ml_backend.page.remembered import Remembered

_VERSIONS_SHOWN = 8


@dataclass(frozen=True)
class LearningSection:
    """Everything in the section, worded when it is shown."""

    figures: Learning

    @property
    def rows(self) -> tuple[VersionLearning, ...]:
        """Retrained versions, the newest first."""
        return self.figures.versions[: -_VERSIONS_SHOWN - 1 : -1]

    def sentences(self, text: Translator) -> list[str]:
        """What the figures say."""
        return sentences(self.figures, text.language)

    def cells(self, version: VersionLearning, text: Translator) -> list[tuple[str, str]]:
        """A row of the table: what stands in each column, and a note below it."""
        seconds = version.effort and version.effort.seconds
        unknown = text("not_known_yet")
        return [
            (version.version, ""),
            (text.named("serves", version.serves) if version.serves else "", ""),
            (_change(version.unseen, text), _evidence(version.unseen, text)),
            (_change(version.open_slices, text), ""),
            (unknown if version.corrections is None else text.number(version.corrections, ",d"), ""),
            (unknown if seconds is None else text.number(seconds, ",.0f"), ""),
        ]


@dataclass(frozen=True, eq=False)
class LearningPanel:
    """Works the figures out when a version, a decision or a correction has come."""

    settings: Settings
    catalog: Catalog
    _remembered: Remembered[LearningSection] = field(default_factory=Remembered[LearningSection])

    def section(self) -> LearningSection:
        """What there is to say now.

        Raises:
            ServiceUnavailableError: the catalog or its storage does not answer.
        """
        return self._remembered.get(learning_stamp(self.catalog), self._work_out)

    def _work_out(self) -> LearningSection:
        return LearningSection(learning_of(self.catalog, self.settings.weights_dir))


def _change(change: Change | None, text: Translator) -> str:
    """ "0.700 to 0.750 (+0.020 to +0.080)"; what is not known yet is said."""
    if change is None:
        return text("not_known_yet")
    before, after = (text.number(score, ".3f") for score in (change.before, change.after))
    words = text("score_change", before=before, after=after)
    if change.interval is None:
        return words
    low, high = (text.number(end, "+.3f") for end in change.interval)
    return f"{words} ({text('from_to', low=low, high=high)})"


def _evidence(unseen: Change | None, text: Translator) -> str:
    """On whom patients never seen were judged: "own test patients: 5; look 2"."""
    if unseen is None:
        return ""
    name = evidence_name(unseen.evidence, text.language)
    if unseen.looks is None:
        return f"{name}: {unseen.cases}"
    return text("evidence_look", name=name, patients=unseen.cases, look=unseen.looks)
