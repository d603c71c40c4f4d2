"""Does the expectation for the next corrections hold the true gain, whatever the learning curve?

Nine true curves, four plans of retrains, two errors of measurement, 1,000 draws each (--draws). The baseline
is a straight line through the last two retrains, which has no interval.
"""

import argparse
from collections.abc import Callable

import numpy as np
from _results import Measurement, write

from chestct.learning.expectation import MORE_CORRECTIONS, MeasuredGain, expected_gain

_LEAST_COVERAGE = 0.9
_PLANS = ((20, 40, 60), (10, 30, 60), (20, 50, 80, 120, 160), tuple(range(20, 180, 20)))
_ERRORS = (0.01, 0.03)
_STRAIGHT = "straight"
_CURVES: dict[str, Callable[[float], float]] = {
    "logarithm": lambda n: 0.03 * np.log(1.0 + n / 10.0),
    "power": lambda n: 0.15 * (1.0 - (1.0 + n / 20.0) ** -0.5),
    "flat": lambda _: 0.05,
    **{
        f"levels off over {scale}": lambda n, scale=scale: 0.12 * (1.0 - np.exp(-n / scale))
        for scale in (20, 30, 45, 80, 120)
    },
    _STRAIGHT: lambda n: 0.0008 * n,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    rows = {
        (name, plan, error): _coverage(curve, plan, error, draws)
        for name, curve in _CURVES.items()
        for plan in _PLANS
        for error in _ERRORS
    }
    measurements = []
    for what, is_straight in (("that level off", False), ("that stay straight", True)):
        chosen = {key: row for key, row in rows.items() if (key[0] == _STRAIGHT) is is_straight}
        worst = min(chosen, key=lambda key: chosen[key][0])
        coverage = chosen[worst][0]
        ours, line = (float(np.mean([row[place] for row in chosen.values()])) for place in (1, 2))
        measurements.append(
            Measurement(
                f"curves {what}: smallest share of draws whose interval holds the true gain",
                coverage,
                f"of {draws} draws ({worst[0]}, retrains on {worst[1]}, error {worst[2]})",
                f"a line through the last two errs by {line:.3f} Dice on average, this by {ours:.3f}",
                "none: told in docs/models.md" if is_straight else f"at least {_LEAST_COVERAGE}",
                None if is_straight else coverage >= _LEAST_COVERAGE,
            )
        )
    write("expected_gain", measurements)


def _coverage(
    true: Callable[[float], float], plan: tuple[int, ...], error: float, draws: int
) -> tuple[float, float, float]:
    """Share of draws that hold the truth, and the mean error of the expectation and of the baseline."""
    generator = np.random.default_rng(11)
    further = float(true(plan[-1] + MORE_CORRECTIONS) - true(plan[-1]))
    held, ours, line = 0, 0.0, 0.0
    for _ in range(draws):
        gains = [
            MeasuredGain(n, float(true(n) + off), error)
            for n, off in zip(plan, generator.normal(0.0, error, len(plan)), strict=True)
        ]
        expected = expected_gain(gains)
        if expected is None:
            raise RuntimeError(f"nothing was expected of retrains on {plan}")
        held += bool(expected.interval[0] <= further <= expected.interval[1])
        ours += abs(expected.difference - further)
        slope = (gains[-1].gain - gains[-2].gain) / (plan[-1] - plan[-2])
        line += abs(MORE_CORRECTIONS * slope - further)
    return held / draws, ours / draws, line / draws


if __name__ == "__main__":
    main()
