"""Damaged versions are told from sound ones, by phantoms and by what changes on the hospital's slices."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from chestct.labels import Label
from training.evaluate.patient_score import PatientScore
from training.retraining.gate_damage import damage_of
from training.retraining.gate_evidence import DamageEvidence, Pair, SliceChange

LabelMap = np.ndarray
PHANTOM = PatientScore(
    "phantom",
    0.933,
    ground_glass_dice=0.9,
    consolidation_dice=0.8,
    lung_dice=0.98,
    involvement_predicted=0.3,
    true_lesion_pixels=1000,
)


def _phantoms(**challenger: float) -> list[Pair]:
    return [(PHANTOM, replace(PHANTOM, **challenger))]


def _slice(involvement: float, dense: float = 0.2) -> LabelMap:
    """10 x 10 pixels of lung, the first of them lesion, the first of those consolidation."""
    flat = np.full(100, Label.LUNG, np.uint8)
    lesion = round(100 * involvement)
    flat[:lesion] = Label.GROUND_GLASS
    flat[: round(dense * lesion)] = Label.CONSOLIDATION
    return flat.reshape(10, 10)


def _changed(
    challenger: Callable[[LabelMap], LabelMap], involvements: tuple[float, ...]
) -> list[SliceChange]:
    return [SliceChange.of("p", _slice(share), challenger(_slice(share))) for share in involvements]


USUAL = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


def _same(label_map: LabelMap) -> LabelMap:
    return label_map


def _swapped(label_map: LabelMap) -> LabelMap:
    return np.array([0, 2, 1, 3], np.uint8)[label_map]


def _everything(label_map: LabelMap) -> LabelMap:
    return np.where(label_map == Label.LUNG, np.uint8(Label.GROUND_GLASS), label_map)


def _nothing(label_map: LabelMap) -> LabelMap:
    return np.full_like(label_map, Label.LUNG)


def _all_ground_glass(label_map: LabelMap) -> LabelMap:
    return np.where(label_map == Label.CONSOLIDATION, np.uint8(Label.GROUND_GLASS), label_map)


def test_a_sound_retrain_loses_some_dice_on_phantoms_and_is_not_damaged() -> None:
    damaged, cautions, figures = damage_of(
        DamageEvidence(_phantoms(lesion_dice=0.875), _changed(_same, USUAL))
    )
    assert (damaged, cautions, figures["holds"]) == ([], [], True)


@pytest.mark.parametrize(
    ("challenger", "said"),
    [
        ({"lesion_dice": 0.4}, "lesion Dice falls from 0.933 to 0.400"),
        ({"lesion_dice": float("nan")}, "lesion Dice falls"),
        ({"lung_dice": 0.5}, "lung Dice falls from 0.980 to 0.500"),
        ({"ground_glass_dice": 0.05, "consolidation_dice": 0.1}, "kinds are swapped"),
        ({"involvement_predicted": 0.95}, "95% of the lungs of phantoms are called lesion"),
    ],
)
def test_phantoms_that_are_no_longer_read_are_damage(challenger: dict[str, float], said: str) -> None:
    damaged, _, _ = damage_of(DamageEvidence(_phantoms(**challenger), []))
    assert len(damaged) == 1 and said in damaged[0]


@pytest.mark.parametrize(
    ("challenger", "said"),
    [(_swapped, "swapped"), (_everything, "nearly all lung"), (_nothing, "lesions vanish")],
)
def test_damage_shows_on_the_hospital_s_slices_where_phantoms_were_replayed(
    challenger: Callable[[LabelMap], LabelMap], said: str
) -> None:
    damaged, _, _ = damage_of(DamageEvidence(_phantoms(), _changed(challenger, USUAL)))
    assert len(damaged) == 1 and said in damaged[0]


def test_a_reader_who_marks_only_ground_glass_is_no_damage() -> None:
    phantoms = _phantoms(consolidation_dice=0.0, ground_glass_dice=0.75)
    damaged, cautions, _ = damage_of(DamageEvidence(phantoms, _changed(_all_ground_glass, USUAL)))
    assert (damaged, cautions) == ([], [])


def test_kinds_that_changed_much_are_a_caution() -> None:
    # 70 % of what the champion sees is consolidation; slices without it agree.
    changes = [
        SliceChange.of("p", _slice(0.4, dense), _all_ground_glass(_slice(0.4, dense)))
        for dense in (0.0, 0.9, 0.95, 1.0)
    ]
    damaged, cautions, _ = damage_of(DamageEvidence(_phantoms(), changes))
    assert not damaged and cautions[0].startswith("caution: 29% of what both versions call lesion")


def test_a_severe_hospital_of_which_the_champion_saw_half_is_no_damage() -> None:
    truth = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.85)
    changes = [SliceChange.of("p", _slice(share / 2), _slice(share)) for share in truth]
    damaged, _, figures = damage_of(DamageEvidence(_phantoms(), changes))
    assert not damaged and figures["lesion_kept"] > 1.8


def test_false_lesions_that_vanish_are_no_damage() -> None:
    changes = [SliceChange.of("p", _slice(share), _slice(0.0)) for share in (0.01, 0.02, 0.03, 0.04)]
    assert damage_of(DamageEvidence(_phantoms(), changes))[0] == []


def test_without_a_phantom_damage_cannot_be_excluded() -> None:
    assert damage_of(DamageEvidence([], []))[0] == [
        "no phantom was scored, so damage cannot be told; retrain again"
    ]
