"""Whether the estimates from readers' logs recover effects that are known, at the rate that they state.

Compared: over synthetic logs (`_reader_log.py`: readers of different pace who read unequal
shares, patients and slices of different difficulty, log-normal times, 2 % of tasks left open over lunch),
the share of logs whose 95 % interval holds the known effect, with the stated 95 %; and the error of the
estimated seconds with that of a plain difference of means. Where the saving grows with a slice's
difficulty, the truth is that of a middling slice: the same figure over one log of very many readings.
"""

from dataclasses import replace

import numpy as np
from _reader_log import PhantomReaders, phantom_log
from _results import Measurement, write

from chestct.reader_study.automation_bias import automation_bias
from chestct.reader_study.estimates import Estimate
from chestct.reader_study.gain import gain_per_slice
from chestct.reader_study.reading import Reading
from chestct.reader_study.seconds_saved import seconds_saved

_LOGS = 300
_LEAST_COVERAGE = 0.93
_USUAL = PhantomReaders()
_KINDS = {
    "20 s saved": _USUAL,
    "nothing saved": replace(_USUAL, saved_seconds=0.0, automation_bias=0.0, gained_pixels=0.0),
    "a saving that grows with difficulty, 20 s on average": replace(_USUAL, saving_grows=True),
    "20 s saved, one reader": replace(_USUAL, readers=1),
    "20 s saved, 10 patients of 40 slices": replace(_USUAL, patients=10, slices_per_patient=40),
}


def main() -> None:
    measurements = []
    for name, given in _KINDS.items():
        logs = [phantom_log(seed, given) for seed in range(_LOGS)]
        truth = _typical_saving(given)
        measurements += _seconds(name, truth, logs)
        if not given.saving_grows:
            measurements.append(
                _coverage(f"pull, {name}", [automation_bias(log) for log in logs], given.automation_bias)
            )
            gains = [gain_per_slice(log) for log in logs]
            measurements.append(_coverage(f"gain a slice, {name}", gains, given.gained_pixels))
    write("seconds_saved", measurements)


def _seconds(name: str, truth: float, logs: list[list[Reading]]) -> list[Measurement]:
    found = [seconds_saved(log) for log in logs]
    means = np.asarray([one.mean for one in found if one.mean is not None])
    plain = np.asarray([_plain_difference(log) for log in logs])
    widths = [one.interval[1] - one.interval[0] for one in found if one.interval]
    error, plain_error = (float(np.sqrt(np.mean((each - truth) ** 2))) for each in (means, plain))
    return [
        _coverage(f"seconds saved, {name}", found, truth, f"; median width {np.median(widths):.0f} s"),
        Measurement(
            f"seconds saved, {name}: root mean square error of the estimate",
            error,
            "seconds",
            f"difference of plain means: {plain_error:.1f} s; truth {truth:.1f} s, "
            f"mean of the estimates {means.mean():.1f} s",
            "less than plain means",
            error < plain_error,
        ),
    ]


def _coverage(name: str, found: list[Estimate], truth: float, more: str = "") -> Measurement:
    known = [one.interval for one in found if one.interval is not None]
    rate = float(np.mean([low <= truth <= high for low, high in known]))
    return Measurement(
        f"{name}: share of logs whose interval holds the truth",
        rate,
        f"of {len(known)} logs",
        f"stated 95 %{more}; {len(found) - len(known)} of {len(found)} logs had too few readings",
        f"at least {_LEAST_COVERAGE}",
        rate >= _LEAST_COVERAGE,
    )


def _typical_saving(given: PhantomReaders) -> float:
    if not given.saving_grows:
        return given.saved_seconds
    many = phantom_log(10_000, replace(given, patients=10_000, unassisted_share=0.5))
    return seconds_saved(many, resamples=2).mean or 0.0


def _plain_difference(log: list[Reading]) -> float:
    sides = ([one.seconds or 0.0 for one in log if bool(one.prelabelled) is side] for side in (False, True))
    blank, shown = (float(np.mean(side)) for side in sides)
    return blank - shown


if __name__ == "__main__":
    main()
