"""Decisions of the gate of now and of earlier ones are read for what they measured, and for no more."""

from typing import Any

import pytest

from chestct.learning.decisions import open_slices_change, serves_of, unseen_change

MEANS: dict[str, Any] = {"champion": 0.7, "challenger": 0.75, "difference": 0.05, "interval": [0.02, 0.08]}


def test_patients_never_seen_are_told_with_evidence_looks_and_interval() -> None:
    decision = {"figures": {"unseen": {"evidence": "own test patients", "patients": 4, "looks": 2, **MEANS}}}
    metrics = {"test": {"lesion_dice": {"mean": 0.75, "interval": [0.6, 0.85], "patients": 4}}}
    change = unseen_change(decision, metrics)
    assert change is not None
    assert change.as_dict() == {
        "evidence": "own test patients",
        "patients": 4,
        "before": 0.7,
        "after": 0.75,
        "difference": 0.05,
        "interval": [0.02, 0.08],
        "after_interval": [0.6, 0.85],
        "looks": 2,
    }


def test_the_interval_of_a_card_that_scored_other_patients_is_not_taken() -> None:
    decision = {"figures": {"unseen": {"evidence": "own test patients", "patients": 4, **MEANS}}}
    metrics = {"test": {"lesion_dice": {"mean": 0.71, "interval": [0.6, 0.85]}}}
    change = unseen_change(decision, metrics)
    assert change is not None
    assert change.after_interval is None


@pytest.mark.parametrize(
    "figures",
    [
        {},
        {"unseen": {"evidence": "none", "patients": 1, **MEANS}},
        {"unseen": {"evidence": "reference labels", "patients": 0, "champion": None}},
        {"evidence": "phantoms", "lesion_dice": {"patients": 3, **MEANS}},
        {"lesion_dice": {"patients": 3, **MEANS}},
        {"unseen": "broken", "lesion_dice": 5},
    ],
    ids=["nothing", "too few patients", "no lesion", "phantoms", "evidence not named", "not a table"],
)
def test_what_is_no_evidence_on_patients_is_not_known(figures: dict[str, Any]) -> None:
    assert unseen_change({"figures": figures}, {}) is None


def test_frozen_patients_of_an_earlier_gate_had_reference_labels() -> None:
    change = unseen_change(
        {"figures": {"evidence": "frozen patients", "lesion_dice": {"patients": 8, **MEANS}}}, {}
    )
    assert change is not None
    assert (change.evidence, change.cases, change.looks) == ("reference labels", 8, None)


def test_open_slices_are_told_where_slices_were_held_back() -> None:
    crossed = {"evidence": "crossed corrections", "studies": 6, "slices": 48, **MEANS}
    change = open_slices_change({"figures": {"open_studies": crossed}})
    assert change is not None
    assert (change.cases, change.studies, change.difference) == (48, 6, 0.05)
    # What an earlier gate called new cases had been learned from.
    assert open_slices_change({"figures": {"new_cases": {"patients": 3, **MEANS}}}) is None
    assert open_slices_change({"figures": {"open_studies": {"slices": 3, "champion": None}}}) is None


@pytest.mark.parametrize(
    ("decision", "serves"),
    [
        ({}, None),
        ({"promote": True}, "all"),
        ({"promote": False}, "nothing"),
        ({"promote": False, "serves": "open studies"}, "open studies"),
    ],
)
def test_old_decisions_served_all_or_nothing(decision: dict[str, Any], serves: str | None) -> None:
    assert serves_of(decision) == serves
