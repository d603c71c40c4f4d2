"""`learning.html`: what each retrain brought, and what the next corrections may bring."""

from collections.abc import Sequence

from chestct.learning.decisions import Change
from chestct.learning.figures import Effort, Learning, VersionLearning
from chestct.learning.sentences import evidence_name, sentences
from training.report.learning_plots import changes_plot, gains_plot
from training.report.rendering import rendered

NOT_KNOWN = "not known yet"
_USES = {"all": "everything", "open studies": "its studies' open slices", "nothing": "nothing (refused)"}


def learning_page(learning: Learning) -> str:
    """The figures as one HTML page that asks nothing of another file."""
    versions = learning.versions
    unseen = [(version.version, version.unseen) for version in versions if version.unseen]
    opened = [(version.version, version.open_slices) for version in versions if version.open_slices]
    points = [
        (version.version, version.corrections, version.open_slices)
        for version in versions
        if version.open_slices and version.corrections and version.parent == versions[-1].parent
    ]
    done, wanted = learning.test_readings
    return rendered(
        "learning.html",
        sentences=sentences(learning),
        unseen=changes_plot(unseen, "Lesion Dice on patients never seen, by version") if unseen else None,
        opened=changes_plot(opened, "Lesion Dice on held-back slices, by version") if opened else None,
        gains=gains_plot(points, learning.expected) if points else None,
        rows=[_row(version) for version in versions],
        reasons=[(version.version, version.reasons) for version in reversed(versions) if version.reasons],
        since=_effort(learning.since),
        test_readings=f"{done} of {wanted}" if wanted else "",
        not_known=NOT_KNOWN,
    )


def _row(version: VersionLearning) -> Sequence[str]:
    unseen, opened = version.unseen, version.open_slices
    return (
        version.version,
        _USES.get(version.serves or "", version.serves or "not decided"),
        "" if unseen is None else evidence_name(unseen.evidence),
        "" if unseen is None else f"{unseen.cases}",
        "" if unseen is None or unseen.looks is None else f"{unseen.looks}",
        _change(unseen),
        _change(opened),
        NOT_KNOWN if version.corrections is None else f"{version.corrections}",
        NOT_KNOWN if version.effort is None else _effort(version.effort),
    )


def _change(change: Change | None) -> str:
    """ "0.700 to 0.750: +0.050 (+0.020 to +0.080)"."""
    if change is None:
        return NOT_KNOWN
    words = f"{change.before:.3f} to {_score(change)}: {change.difference:+.3f}"
    return words if change.interval is None else f"{words} ({_ends(change.interval)})"


def _score(change: Change) -> str:
    if change.after_interval is None:
        return f"{change.after:.3f}"
    low, high = change.after_interval
    return f"{change.after:.3f} [{low:.3f}, {high:.3f}]"


def _ends(interval: tuple[float, float]) -> str:
    return f"{interval[0]:+.3f} to {interval[1]:+.3f}"


def _effort(effort: Effort) -> str:
    """ "30 corrections, 15 test readings, 2,400 s" of readers."""
    words = f"{effort.corrections} corrections"
    if effort.test_readings:
        words += f", {effort.test_readings} test readings"
    readings = effort.corrections + effort.test_readings
    if effort.seconds is None:
        return words if not readings else f"{words}, time {NOT_KNOWN}"
    timed = "" if effort.timed == readings else f" (of {effort.timed} timed)"
    return f"{words}, {effort.seconds:,.0f} s{timed}"
