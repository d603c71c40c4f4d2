"""Where the lungs of a synthetic person lie: cage, mediastinum and domes of the diaphragm.

`level` runs from 0 at the lung bases to 1 at the apices. Sizes are those of an adult (recalled from
anatomy texts) and differ by person.
"""

from dataclasses import dataclass

import numpy as np

from chestct.phantoms.grid import Grid, Plane, smooth_union

# Height of the imaged chest; MosMedData's 33 to 53 slices of 8 mm are 264 to 424 mm.
CHEST_HEIGHT_MM = 288.0
CARINA_LEVEL, HILUM_LEVEL = 0.60, 0.53
_ARCH_LEVEL, _ARCH_HALF = 0.66, 0.055
_HEART_LEVEL, _HEART_HALF = 0.30, 0.25


@dataclass(frozen=True)
class Person:
    """What differs between people; millimetres, levels and ratios."""

    size: float
    body_half_width: float
    body_half_depth: float
    fat: float
    heart: float
    dome_right: float
    dome_left: float
    rib_phase: float
    tilt: float
    wave: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Person":
        """A person of ordinary build."""
        dome_right = rng.uniform(0.23, 0.30)
        return cls(
            size=rng.uniform(0.93, 1.04),
            body_half_width=rng.uniform(156.0, 168.0),
            body_half_depth=rng.uniform(104.0, 115.0),
            fat=rng.uniform(6.0, 17.0),
            heart=rng.uniform(0.92, 1.1),
            dome_right=dome_right,
            dome_left=dome_right - rng.uniform(0.035, 0.07),
            rib_phase=rng.uniform(0.0, 27.0),
            tilt=rng.uniform(-0.035, 0.035),
            wave=rng.uniform(0.0, 6.28),
        )


def shoulder(level: float) -> float:
    """0 in the chest, growing to 1 where the cage narrows to the neck."""
    return max(0.0, (level - 0.55) / 0.45)


def cage(grid: Grid, person: Person, level: float) -> Plane:
    """Signed distance to the inside of the ribs."""
    up = shoulder(level)
    half_width = person.size * 130.0 * (1.0 - 0.40 * up**2.2) * (0.96 + 0.04 * float(np.sin(np.pi * level)))
    half_depth = person.size * 89.0 * (1.0 - 0.36 * up**2)
    return grid.stadium(0.0, 2.0 + 8.0 * up, half_width, half_depth, 36.0 * (1.0 - 0.5 * up))


def lungs(grid: Grid, person: Person, level: float, within: Plane) -> Plane:
    """Signed distance to both lungs, airways not yet taken out.

    Args:
        within: of `cage` at the same level.
    """
    up = shoulder(level)
    apex = float(np.sqrt(max(0.0, 1.0 - max(0.0, (level - 0.42) / 0.56) ** 3.2))) + 1e-3
    spread = (67.0 - 17.0 * up**1.5) * person.size
    sides = [grid.ellipse(side * spread, 5.0 + 12.0 * up, 80.0 * apex, 101.0 * apex) for side in (-1.0, 1.0)]
    lobes = np.maximum(within, np.minimum(*sides))
    return np.maximum(np.maximum(lobes, -_mediastinum(grid, person, level)), -diaphragm(grid, person, level))


def heart(grid: Grid, person: Person, level: float, margin_mm: float = 0.0) -> Plane | None:
    """Signed distance to the heart: most of it left of the midline, its tip to the left front."""
    height = (level - _HEART_LEVEL) / (_HEART_HALF * person.heart)
    if abs(height) >= 1.0:
        return None
    size = person.heart * float(np.sqrt(1.0 - height**2))
    ventricles = grid.ellipse(30.0, -24.0, 56.0 * size + margin_mm, 39.0 * size + margin_mm, turn=-0.45)
    atrium = grid.ellipse(-6.0, -14.0, 36.0 * size + margin_mm, 37.0 * size + margin_mm)
    return smooth_union(ventricles, atrium, 14.0)


def arch(level: float) -> float:
    """Half length of the aortic arch in this slice as a share of its full size; 0 where it is not."""
    return float(np.sqrt(max(0.0, 1.0 - ((level - _ARCH_LEVEL) / _ARCH_HALF) ** 2)))


def diaphragm(grid: Grid, person: Person, level: float) -> Plane:
    """Signed distance (roughly) to the domes: negative where liver and spleen stand."""
    top = np.where(grid.x < 0, np.float32(person.dome_right), np.float32(person.dome_left))
    side = (np.abs(grid.x) - 58.0) / 64.0
    back = (grid.y + 14.0) / 84.0
    wavy = 4.0 * np.sin(grid.x / 21.0 + person.wave) * np.sin(grid.y / 26.0 + person.wave)
    height = np.float32(level * CHEST_HEIGHT_MM) - top * np.float32(CHEST_HEIGHT_MM)
    return (0.55 * (height + side * side * 44.0 + back * back * 60.0 + wavy)).astype(np.float32)


def _mediastinum(grid: Grid, person: Person, level: float) -> Plane:
    """Signed distance to all that lies between the lungs."""
    upper = float(np.clip((level - 0.45) / 0.25, 0.0, 1.0))
    # Narrow in front where the lungs nearly meet, wide at the great vessels.
    half = np.interp(grid.y[:, 0], [-95, -72, -38, 8, 40, 90], [7, 11, 22 + 5 * upper, 26, 19, 17])
    bulges = 2.5 * np.sin(grid.y[:, 0] / 13.0 + person.wave + 9.0 * level)
    profile = ((half + bulges) * person.size).astype(np.float32)[:, None]
    distance = np.abs(grid.x - np.float32(3.0)) - profile
    spine_y = 68.0 - 10.0 * shoulder(level)
    distance = smooth_union(distance, grid.ellipse(0.0, spine_y + 2.0, 27.0, 24.0), 6.0)
    pericardium = heart(grid, person, level, margin_mm=4.0)
    if pericardium is not None:
        # The heart blends into the vessels above and the diaphragm below without a notch.
        distance = smooth_union(distance, pericardium, 9.0)
    hila = max(0.0, 1.0 - ((level - HILUM_LEVEL) / 0.09) ** 2)
    if hila > 0.0:
        for side in (-1.0, 1.0):
            hilum = grid.ellipse(side * 35.0, 2.0, 14.0 * hila + 1.0, 17.0 * hila + 1.0)
            distance = smooth_union(distance, hilum, 8.0)
    if arch(level) > 0.0:
        bow = grid.ellipse(22.0, 8.0, 17.0 * arch(level) + 1.0, 40.0 * arch(level) + 1.0)
        distance = smooth_union(distance, bow, 6.0)
    if level < _ARCH_LEVEL:
        distance = smooth_union(distance, grid.ellipse(23.0, 48.0, 14.5, 14.5), 3.0)
    return distance
