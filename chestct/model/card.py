"""What a version's card says, for those that must not load a network to read it.

`chestct.model.weights` reads cards too, and loads torch (2 s, 250 MB).
"""

import json
from pathlib import Path

from chestct.severity.interval import InvolvementCalibration


def calibration_of_version(weights_dir: Path, version: str) -> InvolvementCalibration | None:
    """Of the interval of an involvement; None where the card has none, or there is no card to read."""
    try:
        card = json.loads((weights_dir / version / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    calibration = card.get("calibration") if isinstance(card, dict) else None
    return InvolvementCalibration.of_card(calibration) if isinstance(calibration, dict) else None
