"""The figures as sentences: the same words in the terminal and on the page."""

from collections.abc import Callable

from chestct.reader_study.estimates import Estimate
from chestct.reader_study.figures import WHOLE, ReadersEstimates


def sentences(estimates: ReadersEstimates) -> list[str]:
    """One sentence a question, with its interval, or with the reason why there is none."""
    return [
        _seconds(estimates.seconds_saved),
        _pull(estimates.pull),
        _gain(estimates.gain_per_slice, estimates.gain_per_minute),
        _agreement(estimates.agreement[WHOLE]),
    ]


def _seconds(found: Estimate) -> str:
    if found.mean is None:
        return f"Seconds that a pre-label saves: not known yet. {found.reason}"
    does = "saves" if found.mean >= 0 else "costs"
    return (
        f"A pre-label {does} {_amount(abs(found.mean))} s on a middling slice"
        f"{_between(found, _amount, negate=found.mean < 0)}: {_parts(found, lambda mean: f'{mean:.0f} s')}."
        f"{_caution(found)}"
    )


def _pull(found: Estimate) -> str:
    if found.mean is None:
        return f"How far readers are pulled toward the pre-label: not known yet. {found.reason}"
    way = "nearer to" if found.mean >= 0 else "farther from"
    return (
        f"Readers who see the pre-label end {abs(found.mean):.2f} Dice {way} the model than readers who do "
        f"not{_between(found, _dice, negate=found.mean < 0)}: {_parts(found, _dice)}.{_caution(found)}"
    )


def _gain(slices: Estimate, minutes: Estimate) -> str:
    if slices.mean is None:
        return f"What active learning gains: not known yet. {slices.reason}"
    said = (
        f"On slices that active learning chose, readers correct {_more(slices.mean)} pixels a slice than on "
        f"the control slices{_between(slices, _amount, negate=slices.mean < 0)}"
    )
    if minutes.mean is not None:
        said += f", and {_more(minutes.mean)} a minute{_between(minutes, _amount, negate=minutes.mean < 0)}"
    return f"{said}; {_parts(slices, _amount)}.{_caution(slices)}"


def _agreement(found: Estimate) -> str:
    if found.mean is None:
        return f"Agreement between readers: not known yet. {found.reason}"
    return (
        f"Two readers of one slice agree with a lesion Dice of {found.mean:.2f}{_between(found, _dice)}, "
        f"over {found.n} slices of {_patients(found.patients)}.{_alone(found)}"
    )


def _between(found: Estimate, form: Callable[[float], str], *, negate: bool = False) -> str:
    """The interval, turned round with a figure whose sign a word tells."""
    if found.interval is None:
        return f" (no interval: {found.reason.rstrip('.')})"
    low, high = found.interval
    ends = (-high, -low) if negate else (low, high)
    return f" (95 % interval {form(ends[0])} to {form(ends[1])})"


def _parts(found: Estimate, form: Callable[[float], str]) -> str:
    sides = [f"{form(part.mean)} on {part.n} {name}" for name, part in found.parts.items()]
    return f"{' and '.join(sides)} readings of {_patients(found.patients)}"


def _caution(found: Estimate) -> str:
    unsure = "" if found.excludes_zero else " This does not rule out that there is no difference."
    return unsure + _alone(found)


def _alone(found: Estimate) -> str:
    alone = found.resampled == "slice"
    return " So few patients speak for themselves only." if alone else ""


def _more(mean: float) -> str:
    return f"{_amount(abs(mean))} {'more' if mean >= 0 else 'fewer'}"


def _patients(count: int) -> str:
    return f"{count} patient{'' if count == 1 else 's'}"


def _amount(value: float) -> str:
    """Whole numbers, with one more digit where they are small."""
    rounded = round(value, 0 if abs(value) >= 10 else 1)
    return f"{rounded + 0.0:,.0f}" if abs(value) >= 10 else f"{rounded + 0.0:.1f}"


def _dice(value: float) -> str:
    return f"{value:.2f}"
