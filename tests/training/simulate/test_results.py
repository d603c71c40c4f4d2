"""Figures of a simulation whose every score is made up: areas, pairs and the sentence, by hand."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

# Test folders are no packages (import mode importlib): neighbours are found by their folder.
sys.path.append(str(Path(__file__).parent))

from tiny_simulation import tiny_plan

from chestct.errors import TrainingDataError
from training.report.simulation import simulation_bands, simulation_page
from training.simulate.command import write_results
from training.simulate.plan import Cell, SimulationPlan, keep_plan
from training.simulate.records import OpenSlices, PatientDice, Records, RoundRecord
from training.simulate.results import gathered

SEEDS = 6
# Lesion Dice of both patients after each round; entropy is 0.1 better from round 1 on, at fewer pixels.
DICE = {"foreground-random": (0.4, 0.5, 0.6), "entropy": (0.4, 0.6, 0.7)}
PIXELS = {"foreground-random": (10, 10), "entropy": (5, 5)}


@pytest.fixture
def plan(tmp_path: Path) -> SimulationPlan:
    plan = tiny_plan(tmp_path / "data", seeds=SEEDS)
    keep_plan(tmp_path, plan)
    return plan


def write_rounds(folder: Path, plan: SimulationPlan, seeds: range) -> None:
    for seed in seeds:
        for strategy in plan.strategies:
            for number, dice in enumerate(DICE[strategy]):
                scores = {one: PatientDice("phantoms", dice, dice / 2, None) for one in ("ann", "bob")}
                left = OpenSlices((9,), {}, (7,)) if number < plan.rounds else None
                pixels = (99, 1) if number == 0 else (PIXELS[strategy][number - 1], 0)
                added = (2 * number, 2 * number + 1)
                record = RoundRecord(number, added, pixels, scores, left, 1.0)
                Records(folder).keep(Cell(strategy, seed), record)


def test_areas_and_differences_by_hand(tmp_path: Path, plan: SimulationPlan) -> None:
    write_rounds(tmp_path, plan, range(SEEDS))
    results = gathered(tmp_path)
    entropy = results["strategies"]["entropy"]
    assert entropy["curves"][0]["slices"] == [2.0, 4.0, 6.0]
    # The first set's pixels are every strategy's and do not count.
    assert entropy["curves"][0]["pixels"] == [0.0, 5.0, 10.0]
    # (0.4 + 0.6) / 2 and (0.6 + 0.7) / 2, equally long; the baseline's are 0.45 and 0.55.
    assert entropy["area_over_slices"] == pytest.approx(0.575)
    over_slices = results["comparisons"]["area_over_slices"]["entropy"]
    assert over_slices["difference"] == pytest.approx(0.075)
    assert over_slices["interval"] == pytest.approx([0.075, 0.075])
    assert over_slices["p"] == pytest.approx(2 / 2**12, abs=1e-5)  # 6 seeds x 2 patients, all of one size
    # Entropy came 10 pixels far; there the baseline was after its first round: (0.4 + 0.5) / 2.
    over_pixels = results["comparisons"]["area_over_pixels"]["entropy"]
    assert over_pixels["difference"] == pytest.approx(0.575 - 0.45)
    assert results["comparisons"]["last_round"]["entropy"]["difference"] == pytest.approx(0.1)
    assert entropy["last_round"]["ground_glass_dice"] == pytest.approx(0.35)
    assert entropy["last_round"]["consolidation_dice"] is None
    assert results["findings"][0] == (
        "By mean lesion Dice over labelled slices: entropy above foreground-random."
    )


def test_without_a_difference_the_text_says_that_nothing_beats_the_baseline(
    tmp_path: Path, plan: SimulationPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DICE, "entropy", DICE["foreground-random"])
    write_rounds(tmp_path, plan, range(SEEDS))
    assert gathered(tmp_path)["findings"][0].endswith("nothing beats foreground-random.")


def test_seeds_that_are_not_finished_are_left_out_and_said_so(tmp_path: Path, plan: SimulationPlan) -> None:
    with pytest.raises(TrainingDataError, match="no seed that every strategy has finished"):
        gathered(tmp_path)
    write_rounds(tmp_path, plan, range(2))
    results = gathered(tmp_path)
    assert (results["seeds"], results["complete"]) == ([0, 1], False)
    # Two seeds of plain gains, and still no verdict: the luck of two fits is in all of their pairs.
    assert results["comparisons"]["last_round"]["entropy"]["interval"] == pytest.approx([0.1, 0.1])
    assert "2 seeds are too few to say" in results["findings"][2]
    assert "Not finished" in simulation_page(results)


def test_results_do_not_say_where_the_data_lies(tmp_path: Path, plan: SimulationPlan) -> None:
    write_rounds(tmp_path, plan, range(SEEDS))
    write_results(tmp_path)
    for name in ("results.json", "report.html", "over-slices.svg", "over-pixels.svg"):
        assert str(tmp_path) not in (tmp_path / name).read_text()


def test_bands_run_from_the_lowest_to_the_highest_seed(tmp_path: Path, plan: SimulationPlan) -> None:
    write_rounds(tmp_path, plan, range(1))
    results = gathered(tmp_path)
    curve = results["strategies"]["entropy"]["curves"][0]
    other = curve | {"lesion_dice": [0.2, 0.2, 0.9]}
    results["strategies"]["entropy"]["curves"] = [curve, other]
    band = next(one for one in simulation_bands(results, "slices") if one.name == "entropy")
    assert band.x == (2.0, 4.0, 6.0)
    assert band.low == pytest.approx((0.2, 0.2, 0.7))
    assert band.mean == pytest.approx((0.3, 0.4, 0.8))
    assert band.high == pytest.approx((0.4, 0.6, 0.9))


def test_the_curves_are_pictures_of_their_own_too(tmp_path: Path, plan: SimulationPlan) -> None:
    write_rounds(tmp_path, plan, range(SEEDS))
    write_results(tmp_path)
    for along in ("slices", "pixels"):
        picture = ElementTree.fromstring((tmp_path / f"over-{along}.svg").read_text())
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
        said = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
        assert {"foreground-random", "entropy", "lesion Dice"} <= set(said)
        drawn = list(picture.iter("{http://www.w3.org/2000/svg}polyline"))
        dashed = [line for line in drawn if line.get("stroke-dasharray")]
        assert (len(drawn), len(dashed)) == (2, 1)  # the baseline alone is dashed
