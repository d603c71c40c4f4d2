"""Which version a benchmark measures where none is named."""

import re
from pathlib import Path

from chestct.model.card import list_versions


def newest_base(weights_dir: Path) -> str:
    """The shipped version with the highest number: base-10 comes after base-9."""
    shipped = [name for name in list_versions(weights_dir) if re.fullmatch(r"base-\d+", name)]
    if not shipped:
        raise SystemExit(f"{weights_dir} holds no base-*; name a version")
    return max(shipped, key=lambda name: int(name.removeprefix("base-")))
