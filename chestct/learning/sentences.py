"""The figures as sentences: the same words in the terminal, the report and on the page."""

from pathlib import Path

from chestct.learning.decisions import Change
from chestct.learning.expectation import MORE_CORRECTIONS
from chestct.learning.figures import Learning
from chestct.wording import Message, read_texts, worded

TEXTS = read_texts(Path(__file__).with_name("sentences.toml"))


def sentences(learning: Learning, language: str = "en") -> list[str]:
    """For patients never seen, for open slices and for the next corrections, one each; or what is missing."""
    if not learning.versions:
        return [_said("no_retrain", language)]
    return [
        _of_newest(learning, "unseen", language),
        _of_newest(learning, "open_slices", language),
        _expected(learning, language),
    ]


def evidence_name(evidence: str, language: str = "en") -> str:
    """What cases are, for people; a word that is not known here as it is."""
    key = f"evidence_{evidence}"
    return _said(key, language) if key in TEXTS else evidence


def _of_newest(learning: Learning, kind: str, language: str) -> str:
    """Of the newest version that was measured so."""
    for version in reversed(learning.versions):
        change: Change | None = getattr(version, kind)
        if change is not None:
            return _said(
                kind,
                language,
                version=version.version,
                before=change.before,
                after=change.after,
                difference=change.difference,
                between=_between(change.interval, language),
                evidence=evidence_name(change.evidence, language),
                cases=change.cases,
            )
    return _said(f"{kind}_unknown", language)


def _expected(learning: Learning, language: str) -> str:
    expected = learning.expected
    if expected is None:
        why = "" if learning.why_not is None else worded(learning.why_not, TEXTS, language)
        return _said("expected_unknown", language, more=MORE_CORRECTIONS, why=why)
    return _said(
        "expected",
        language,
        more=expected.more_corrections,
        difference=expected.difference,
        between=_between(expected.interval, language),
        retrains=expected.retrains,
    )


def _between(interval: tuple[float, float] | None, language: str) -> str:
    return "" if interval is None else _said("between", language, low=interval[0], high=interval[1])


def _said(kind: str, language: str, **values: object) -> str:
    return worded(Message(kind, values), TEXTS, language)
