"""What `hospital_loop.py` measured, for people and against the goals."""

import sys
from collections.abc import Sequence
from typing import Any

from _results import Measurement

Json = dict[str, Any]
_GAIN_GOAL, _LOSS_LIMIT = 0.05, -0.03


def show(patient: str, run: Json) -> None:
    """A table for people: a line a training."""
    sys.stdout.write(f"without {patient}: {run['team']}, ready after {run['up_seconds']:.0f} s\n")
    for stage in run["stages"]:
        shown = list(stage["open_slices"].values())
        served_by = [stage["served"][name]["default"] for name in ("before", "after")]
        of_left_out = [stage["left_out"][version][patient] for version in served_by]
        of_open = [times["pooled"] for times in shown]
        lines = [
            f"{stage['readings']} readings: {stage['outcome']}",
            f"  {stage['served']['after']['name']} serves, after {stage['retrain_seconds']:.0f} s",
            f"  {of_open[0]['slices']} open slices, {' -> '.join(stage['open_slices'])}: {_figures(of_open)}",
            *(
                f"    of {study}: {_figures([times['by_study'][study] for times in shown])}"
                for study in shown[0]["by_study"]
            ),
            f"  {patient} by default, before -> after: {_figures(of_left_out)}",
        ]
        sys.stdout.write("".join(f"  {line}\n" for line in lines))


def _figures(scores: Sequence[Json]) -> str:
    return (
        f"lesion Dice {_arrows(scores, 'lesion_dice', '.3f')}, lung {_arrows(scores, 'lung_dice', '.3f')}, "
        f"involvement error {_arrows(scores, 'involvement_error_points', '.1f')} points"
    )


def _arrows(scores: Sequence[Json], name: str, form: str) -> str:
    return " -> ".join("none" if score[name] is None else format(score[name], form) for score in scores)


def measurements(runs: Sequence[Json]) -> list[Measurement]:
    """Gain on open slices and on patients left out, after the last training of each run."""
    gains, losses = [], []
    for run in runs:
        first, last = run["stages"][0], run["stages"][-1]
        shown = last["open_slices"]
        gains.append(shown["after"]["pooled"]["lesion_dice"] - shown["at_first"]["pooled"]["lesion_dice"])
        versions = first["served"]["before"]["default"], last["served"]["after"]["default"]
        was, now = (
            stage["left_out"][version][run["left_out"]]["lesion_dice"]
            for stage, version in zip((first, last), versions, strict=True)
        )
        losses.append(now - was)
    mean = sum(gains) / len(gains)
    each = ", ".join(f"{gain:+.3f}" for gain in gains)
    others = ", ".join(f"{loss:+.3f}" for loss in losses)
    return [
        Measurement(
            "Pre-labels shown on open slices of partly read studies: gain after the last training?",
            mean,
            "lesion Dice",
            f"the shipped model's pre-labels on the same slices; by patient left out {each}",
            f"at least {_GAIN_GOAL}",
            mean >= _GAIN_GOAL,
        ),
        Measurement(
            "What is served by default on a patient left out: the least gain of a patient?",
            min(losses),
            "lesion Dice",
            f"the shipped model; by patient {others}",
            f"never below {_LOSS_LIMIT}",
            min(losses) >= _LOSS_LIMIT,
        ),
    ]
