"""Does the gate promote what is better, and not what is equal, worse or damaged?

Simulated teams, 1,000 draws each (--draws): 3, 5, 10 and 20 patients, 1 look
and 10 looks at the same patients with a new version each time (independent, which is the worst case), six
spreads of the patients' changes; open studies of 1 to 6 patients with 6 to 60 held-back slices that err
together; damaged versions as label maps of phantoms, scored as a retrain scores. Baseline: the gate before
this one (lower end of the paired bootstrap interval at least -0.01, and a gain on the corrected cases, which
is always there after a fit).
"""

import argparse
import sys
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from _gate_damage import DAMAGED, SOUND, Hospital
from _gate_draws import (
    SPREADS,
    open_changes,
    pairs_of,
    pairs_with_every_score,
    patients_changes,
    places_of,
    slice_pairs,
)
from _results import Measurement, write

from training.retraining.gate import decide
from training.retraining.gate_evidence import EvidenceSource, Serves, UnseenEvidence
from training.retraining.gate_open_studies import lesion_weights, open_studies_finding
from training.retraining.gate_rules import LARGEST_PATIENT_LOSS
from training.retraining.gate_statistics import (
    EQUAL_PROMOTED,
    LOOKS,
    MARGIN,
    WORSE_PROMOTED,
    change_of_patients,
    change_of_slices,
    needed_difference,
    needed_of_patients,
    neighbour_correlation,
)
from training.retraining.gate_unseen import unseen_verdict

_PATIENTS = (3, 5, 10, 20)
_GAINS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.10)
_WORSE = -MARGIN - 0.0001
# Studies, held-back slices, and how far apart they lie.
_LAYOUTS = (
    (1, 6, 3),
    (1, 12, 1),
    (2, 10, 3),
    (3, 10, 3),
    (1, 30, 3),
    (3, 30, 3),
    (6, 30, 3),
    (6, 60, 1),
    (6, 60, 3),
)
_OPEN_GAINS = (0.03, 0.05, 0.06, 0.08, 0.10)
_NEIGHBOURS = (0.0, 0.75)
# An estimate of 1,000 draws is this much too high in one of 40 cases.
_ERROR_OF_DRAWS = 2.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    _check(min(draws, 300))
    measurements = [*_unseen_errors(draws), *_unseen_power(draws), *_open_studies(draws)]
    write("gate_error_rates", [*measurements, *_damage(max(1, draws // 100))])


def old_gate(changes: npt.NDArray[np.float64], rng: np.random.Generator, resamples: int = 200) -> bool:
    """The rule before: bootstrap of patients; improvement is met by the corrected cases, just learned."""
    drawn = changes[rng.integers(len(changes), size=(resamples, len(changes)))].mean(axis=1)
    return bool(np.quantile(drawn, 0.025) >= -0.01)


def promotes(changes: npt.NDArray[np.float64], look: int) -> bool:
    """Whether the gate makes a version champion that shows these changes at this look.

    The gate's own arithmetic without scores and sentences, which would take fifty times as long; that both
    say the same is checked by `_check`.
    """
    change = change_of_patients(changes)
    needed = needed_of_patients(change, len(changes), look)
    return bool(change.difference >= needed and changes.min() >= -LARGEST_PATIENT_LOSS)


def serves(
    layout: tuple[int, int, int], changes: npt.NDArray[np.float64], pixels: npt.NDArray[np.float64]
) -> bool:
    """Whether the gate lets a recipe serve open studies that shows these changes, in the same way."""
    change = change_of_slices(changes, lesion_weights(pixels), _correlation(layout))
    return change.difference >= needed_difference(change)


@cache
def _correlation(layout: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    return neighbour_correlation(*places_of(layout))


def _check(draws: int) -> None:
    """The short way and the gate itself agree."""
    rng = np.random.default_rng(3)
    for number in range(draws):
        patients, look = _PATIENTS[number % 4], 1 + number % LOOKS
        changes = patients_changes(rng, SPREADS[number % 6], 0.05, patients)
        evidence = UnseenEvidence(EvidenceSource.OWN_TEST, pairs_of(changes), look - 1)
        if unseen_verdict(evidence).holds != promotes(changes, look):
            raise SystemExit(f"gate and benchmark disagree on {changes} at look {look}")
        layout = _LAYOUTS[number % len(_LAYOUTS)]
        drawn = open_changes(rng, layout, 0.05, 0.1, 0.5)
        if open_studies_finding(slice_pairs(layout, *drawn))[0].holds != serves(layout, *drawn):
            raise SystemExit(f"gate and benchmark disagree on {drawn}")


def _unseen_errors(draws: int) -> list[Measurement]:
    """Promotions of worse and equal versions; the worst spread of each number of patients."""
    measurements = []
    for name, mean, allowed in (("worse", _WORSE, WORSE_PROMOTED), ("equal", 0.0, EQUAL_PROMOTED)):
        for patients in _PATIENTS:
            rates = {spread: _over_looks(spread, mean, patients, draws) for spread in SPREADS}
            for looks, place in ((1, 0), (LOOKS, 1)):
                spread = max(rates, key=lambda key, place=place: rates[key][place])
                rate, before = rates[spread][place], max(row[place + 2] for row in rates.values())
                _row(f"{name}, {patients} patients, looks {looks}", [rates[key][place] for key in SPREADS])
                measurements.append(
                    _rate(
                        f"chance that a {name} version is promoted ({patients} patients, {looks} looks, "
                        f"worst spread: {spread})",
                        rate,
                        f"the gate before: up to {before:.3f}",
                        allowed,
                        draws,
                    )
                )
    return measurements


def _over_looks(spread: str, mean: float, patients: int, draws: int) -> tuple[float, float, float, float]:
    """Share of teams promoting at the first look, at any of ten, and the same by the old gate."""
    rng = np.random.default_rng([7, SPREADS.index(spread), patients])
    promoted = np.zeros((draws, 4))
    for team in promoted:
        looks = [patients_changes(rng, spread, mean, patients) for _ in range(LOOKS)]
        new = [promotes(changes, number) for number, changes in enumerate(looks, start=1)]
        old = [old_gate(changes, rng) for changes in looks]
        team[:] = new[0], any(new), old[0], any(old)
    first, ever, old_first, old_ever = promoted.mean(axis=0)
    return float(first), float(ever), float(old_first), float(old_ever)


def _unseen_power(draws: int) -> list[Measurement]:
    measurements = []
    for deviation in ("SD 0.02", "SD 0.05"):
        for patients in _PATIENTS:
            rng = np.random.default_rng([11, patients])
            curve, second, harm, guarded, before = [], 0.0, 0.0, 0.0, 0.0
            for gain in _GAINS:
                drawn = [patients_changes(rng, deviation, gain, patients) for _ in range(draws)]
                curve.append(float(np.mean([promotes(changes, 1) for changes in drawn])))
                if gain == 0.03:
                    second = float(np.mean([promotes(changes, 2) for changes in drawn]))
                    harm = float(np.mean([_with_every_score(rng, changes) for changes in drawn]))
                    guarded = float(np.mean([changes.min() < -LARGEST_PATIENT_LOSS for changes in drawn]))
                    before = float(np.mean([old_gate(changes, rng) for changes in drawn]))
            at = curve[_GAINS.index(0.03)]
            _row(f"power, {deviation}, {patients} patients, gains {_GAINS}", curve)
            _row(
                "  at +0.03: second look; first, with the noise of all scores; a patient loses over 0.10",
                [second, harm, guarded],
            )
            measurements.append(
                Measurement(
                    f"power to see +0.03 ({patients} patients of {deviation}, first look)",
                    at,
                    "of teams",
                    f"the gate before: {before:.2f}, at other error rates; with the noise of kinds, lung, "
                    f"grade and calibration {harm:.2f}; second look {second:.2f}",
                    "as high as the error rates allow",
                    None,
                )
            )
    return measurements


def _with_every_score(rng: np.random.Generator, changes: npt.NDArray[np.float64]) -> bool:
    pairs = pairs_with_every_score(rng, changes)
    return unseen_verdict(UnseenEvidence(EvidenceSource.OWN_TEST, pairs)).holds


def _open_studies(draws: int) -> list[Measurement]:
    measurements = []
    for layout in _LAYOUTS:
        words = f"{layout[1]} slices of {layout[0]} studies, {layout[2]} apart"
        for name, mean, allowed in (("worse", _WORSE, WORSE_PROMOTED), ("equal", 0.0, EQUAL_PROMOTED)):
            rates = [
                _served(layout, mean, deviation, neighbours, draws, heavy=heavy)
                for deviation, heavy in ((0.10, False), (0.15, False), (0.12, True))
                for neighbours in _NEIGHBOURS
            ]
            _row(f"open studies, {name}, {words}", rates)
            measurements.append(
                _rate(
                    f"chance that a {name} recipe serves open studies ({words})",
                    max(rates),
                    "none",
                    allowed,
                    draws,
                )
            )
        for deviation in (0.10, 0.15):
            curve = [_served(layout, gain, deviation, 0.5, draws) for gain in _OPEN_GAINS]
            _row(f"open studies, power, {words}, SD {deviation}, gains {_OPEN_GAINS}", curve)
            measurements.append(
                Measurement(
                    f"power to see +0.05 and +0.08 on open studies ({words}, SD {deviation}): at +0.08",
                    curve[_OPEN_GAINS.index(0.08)],
                    "of teams",
                    f"at +0.05: {curve[_OPEN_GAINS.index(0.05)]:.2f}",
                    "as high as the error rates allow",
                    None,
                )
            )
    return measurements


def _served(
    layout: tuple[int, int, int],
    mean: float,
    deviation: float,
    neighbours: float,
    draws: int,
    *,
    heavy: bool = False,
) -> float:
    rng = np.random.default_rng([13, *layout])
    drawn = (open_changes(rng, layout, mean, deviation, neighbours, heavy=heavy) for _ in range(draws))
    return float(np.mean([serves(layout, *changes) for changes in drawn]))


def _damage(draws: int) -> list[Measurement]:
    """All other evidence speaks for the version: only the alarm can refuse it."""
    hospital = Hospital.drawn()
    rng = np.random.default_rng(17)
    gain = UnseenEvidence(EvidenceSource.OWN_TEST, pairs_of([0.1] * 10))
    layout = (6, 60, 3)
    slices = slice_pairs(layout, *open_changes(rng, layout, 0.1, 0.05, 0.5))
    measurements = []
    for versions, expected in ((DAMAGED, 0.0), (SOUND, 1.0)):
        for name, version in versions.items():
            served = [
                decide(
                    gain,
                    slices,
                    hospital.evidence(rng, version, severe=severe, keeps_phantoms=keeps),
                ).serves
                is not Serves.NOTHING
                for severe in (False, True)
                for keeps in (False, True)
                for _ in range(draws)
            ]
            measurements.append(
                Measurement(
                    f"versions that serve something, where all else speaks for them: {name}",
                    float(np.mean(served)),
                    f"of {len(served)}, usual and severe hospitals, phantoms replayed or not",
                    "none",
                    "none" if expected == 0.0 else "all",
                    bool(np.mean(served) == expected),
                )
            )
    return measurements


def _rate(question: str, rate: float, baseline: str, allowed: float, draws: int) -> Measurement:
    slack = _ERROR_OF_DRAWS * (allowed * (1.0 - allowed) / draws) ** 0.5
    goal = f"at most {allowed}, and {slack:.3f} for {draws} draws"
    return Measurement(question, rate, "of teams", baseline, goal, rate <= allowed + slack)


def _row(name: str, figures: Sequence[float]) -> None:
    sys.stdout.write(f"  {name}: {'  '.join(f'{figure:.3f}' for figure in figures)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
