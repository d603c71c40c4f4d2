"""A card gives its calibration; whatever is no card gives none."""

import json
from pathlib import Path

import pytest

from chestct.model.card import calibration_of_version
from chestct.severity.interval import CARD_KEY, InvolvementCalibration

CALIBRATION = InvolvementCalibration(quantile=1.5, level=0.9, studies=20, eps=0.5)


def test_the_calibration_of_a_card_is_read(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    card = {"calibration": {"temperature": 1.1, CARD_KEY: CALIBRATION.as_dict()}}
    (tmp_path / "v" / "card.json").write_text(json.dumps(card))
    assert calibration_of_version(tmp_path, "v") == CALIBRATION


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"calibration": {"temperature": 1.1}}'])
def test_without_a_calibration_there_is_none(tmp_path: Path, text: str | None) -> None:
    (tmp_path / "v").mkdir()
    if text is not None:
        (tmp_path / "v" / "card.json").write_text(text)
    assert calibration_of_version(tmp_path, "v") is None
