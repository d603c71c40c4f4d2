"""The card has one reader, free of torch; it gives its calibration, and whatever is no card gives none."""

import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from chestct.errors import WeightsError
from chestct.model.card import calibration_of_version, list_versions, read_card
from chestct.severity.interval import CARD_KEY, InvolvementCalibration

CALIBRATION = InvolvementCalibration(quantile=1.5, level=0.9, studies=20, eps=0.5)


def test_the_calibration_of_a_card_is_read(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    card = {"calibration": {"temperature": 1.1, CARD_KEY: asdict(CALIBRATION)}}
    (tmp_path / "v" / "card.json").write_text(json.dumps(card))
    assert calibration_of_version(tmp_path, "v") == CALIBRATION


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"calibration": {"temperature": 1.1}}'])
def test_without_a_calibration_there_is_none(tmp_path: Path, text: str | None) -> None:
    (tmp_path / "v").mkdir()
    if text is not None:
        (tmp_path / "v" / "card.json").write_text(text)
    assert calibration_of_version(tmp_path, "v") is None


def test_listing_and_reading_cards_loads_no_torch() -> None:
    weights_dir = Path(__file__).parents[3] / "weights"
    asked = (
        "import sys\n"
        "from pathlib import Path\n"
        "from chestct.model.card import calibration_of_version, list_versions, read_card\n"
        "weights_dir = Path(sys.argv[1])\n"
        "for version in list_versions(weights_dir):\n"
        "    read_card(weights_dir, version), calibration_of_version(weights_dir, version)\n"
        "    print(version)\n"
        "assert 'torch' not in sys.modules\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", asked, str(weights_dir)], capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == list_versions(weights_dir) != []


def test_one_module_alone_names_the_cards_file() -> None:
    checkout = Path(__file__).parents[3]
    modules = [
        str(module.relative_to(checkout))
        for package in ("chestct", "lungloop", "ml_backend", "training")
        for module in (checkout / package).rglob("*.py")
        if re.search(r"\bcard\.json\b", module.read_text(encoding="utf-8"))
    ]
    assert modules == ["chestct/model/card.py"]


@pytest.mark.parametrize("version", ["base-1", "base-2", "base-3"])
def test_a_version_that_left_the_project_is_missed_with_both_ways_on(tmp_path: Path, version: str) -> None:
    with pytest.raises(WeightsError) as caught:
        read_card(tmp_path, version)
    assert f"{version} no longer comes with LungLoop" in str(caught.value)
    assert "lungloop models promote base-4" in str(caught.value)
    assert f"rev-list -n 1 HEAD -- weights/{version}" in str(caught.value)
