"""What more corrections bring is told from three retrains on, by an interval that keeps its promise."""

from collections.abc import Callable

import numpy as np
import pytest

from chestct.learning.expectation import MeasuredGain, expected_gain

CURVES: dict[str, Callable[[float], float]] = {
    "logarithm": lambda n: 0.03 * np.log(1.0 + n / 10.0),
    "levels off soon": lambda n: 0.12 * (1.0 - np.exp(-n / 20.0)),
    "levels off late": lambda n: 0.12 * (1.0 - np.exp(-n / 80.0)),
    "power": lambda n: 0.15 * (1.0 - (1.0 + n / 20.0) ** -0.5),
    "flat": lambda _: 0.05,
}


def gains(*pairs: tuple[int, float], error: float = 0.01) -> list[MeasuredGain]:
    return [MeasuredGain(corrections, gain, error) for corrections, gain in pairs]


@pytest.mark.parametrize("counts", [(20, 40, 60), (20, 50, 80, 120, 160)])
@pytest.mark.parametrize("curve", CURVES)
def test_the_interval_holds_the_true_gain_of_many_kinds_of_curves(
    curve: str, counts: tuple[int, ...]
) -> None:
    true, draws, error, held = CURVES[curve], 300, 0.02, 0
    generator = np.random.default_rng(7)
    further = true(counts[-1] + 50) - true(counts[-1])
    for _ in range(draws):
        noise = generator.normal(0.0, error, len(counts))
        measured = [(n, true(n) + off) for n, off in zip(counts, noise, strict=True)]
        expected = expected_gain(gains(*measured, error=error))
        assert expected is not None
        held += expected.interval[0] <= further <= expected.interval[1]
    assert held >= 0.9 * draws


def test_a_curve_without_noise_is_continued_and_the_interval_shrinks_with_the_errors() -> None:
    true = CURVES["levels off late"]
    measured = [(n, true(n)) for n in (20, 50, 80, 120, 160)]
    sharp, blurred = (expected_gain(gains(*measured, error=error)) for error in (0.001, 0.03))
    assert sharp is not None
    assert blurred is not None
    assert sharp.difference == pytest.approx(true(210) - true(160), abs=0.004)
    assert (sharp.more_corrections, sharp.corrections, sharp.retrains) == (50, 160, 5)
    assert np.diff(sharp.interval) < np.diff(blurred.interval) / 5


def test_the_order_of_the_retrains_does_not_matter() -> None:
    measured = gains((20, 0.02), (40, 0.05), (60, 0.06))
    forwards, backwards = expected_gain(measured), expected_gain(measured[::-1])
    assert forwards is not None
    assert backwards is not None
    assert forwards.as_dict() == backwards.as_dict()


def test_gains_that_scatter_by_more_than_their_errors_widen_the_interval() -> None:
    smooth = expected_gain(gains((20, 0.02), (40, 0.04), (60, 0.052)))
    rough = expected_gain(gains((20, 0.02), (40, 0.14), (60, 0.052)))
    assert smooth is not None
    assert rough is not None
    assert np.diff(rough.interval) > 2 * np.diff(smooth.interval)


@pytest.mark.parametrize(
    "measured",
    [
        [],
        gains((20, 0.02), (60, 0.06)),
        gains((60, 0.02), (60, 0.03), (60, 0.01)),
        gains((8, 0.02), (16, 0.03), (24, 0.01)),
    ],
    ids=["none", "two", "all on as many corrections", "too few corrections"],
)
def test_what_draws_no_curve_expects_nothing(measured: list[MeasuredGain]) -> None:
    assert expected_gain(measured) is None
