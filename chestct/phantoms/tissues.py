"""A healthy chest slice in Hounsfield units.

HU of tissues: any radiology text (air -1000, lung -850, fat -100, water 0, muscle and blood 40 to 60,
trabecular bone 200, cortical bone 700).
"""

import numpy as np

from chestct.phantoms.grid import Grid, Plane, paint, smooth_union
from chestct.phantoms.lungs import (
    CARINA_LEVEL,
    CHEST_HEIGHT_MM,
    Person,
    arch,
    cage,
    diaphragm,
    heart,
    lungs,
    shoulder,
)

AIR_HU = -1000.0
_LUNG_HU, _FAT_HU, _MUSCLE_HU, _BLOOD_HU, _LIVER_HU = -864.0, -100.0, 52.0, 42.0, 62.0
_MARROW_HU, _CORTEX_HU, _CARTILAGE_HU = 190.0, 620.0, 130.0
_RIB_SPACING_MM, _RIB_DROP_MM = 27.0, 120.0
# Ribs end in cartilage in front, at this angle from the spine.
_CARTILAGE_FROM = 2.55


def slice_without_disease(grid: Grid, person: Person, level: float) -> tuple[Plane, Plane]:
    """One axial slice without noise, vessels of the lung, and disease.

    Args:
        level: 0 at the lung bases to 1 at the apices; may lie a little outside.
    Returns:
        (H, W) float32 HU, and the share of each pixel that is lung.
    """
    hu = np.full(grid.x.shape, AIR_HU, dtype=np.float32)
    within = cage(grid, person, level)
    body = _body(grid, person, level, within)
    _table(hu, grid, person)
    paint(hu, grid.inside(body), 10.0)
    paint(hu, grid.inside(body + np.float32(2.0)), _FAT_HU)
    _wall(hu, grid, person, level, within, body)
    _between_lungs(hu, grid, person, level, within)
    _spine(hu, grid, level)
    lung = grid.inside(lungs(grid, person, level, within), 0.5)
    # Blood sinks in a lying person: posterior lung is denser.
    gravity = np.clip((grid.y + 80.0) / 160.0, 0.0, 1.0) ** 2
    paint(hu, lung, (_LUNG_HU + 55.0 * gravity + 22.0 * (1.0 - level)).astype(np.float32))
    return hu, lung * (1.0 - _airways(hu, grid, level))


def _body(grid: Grid, person: Person, level: float, within: Plane) -> Plane:
    up = shoulder(level)
    body = grid.stadium(
        0.0,
        2.0 - 3.0 * up,
        person.body_half_width * (1.0 - 0.06 * up),
        person.body_half_depth * (1.0 - 0.10 * up),
        46.0,
    )
    return smooth_union(body, within - np.float32(22.0 + person.fat * 0.5), 14.0)


def _table(hu: Plane, grid: Grid, person: Person) -> None:
    top = person.body_half_depth + 9.0 - grid.x**2 / 950.0
    slab = np.abs(grid.y - top - 7.0) - 5.0 + 100.0 * (np.abs(grid.x) > 172.0)
    paint(hu, grid.inside(slab), -880.0)
    paint(hu, grid.inside(np.abs(slab) - 0.8), -150.0)


def _wall(hu: Plane, grid: Grid, person: Person, level: float, within: Plane, body: Plane) -> None:
    """Muscle, ribs, shoulder blades, collar bones, breastbone."""
    angle = grid.from_spine
    upper = float(np.clip((level - 0.4) / 0.3, 0.0, 1.0))
    thickness = (
        12.0 + 14.0 * np.clip(1.2 - angle, 0.0, 1.0) + (3.0 + 17.0 * upper) * np.clip(angle - 1.9, 0.0, 0.7)
    )
    thickness += 9.0 * upper + 1.5 * np.cos(7.0 * angle + person.wave)
    muscle = np.maximum(within - thickness, body + np.float32(person.fat))
    paint(hu, grid.inside(muscle, 1.0), _MUSCLE_HU)
    # Sheets of fat between the layers of muscle.
    sheet = np.abs(within - 13.0 - 2.5 * np.sin(4.0 * angle + person.wave)) - 1.0
    paint(hu, grid.inside(np.maximum(sheet, muscle + 2.0)) * np.float32(0.8), _FAT_HU)
    # Ribs slope down to the front, so a slice cuts each of them somewhere else.
    height = level * CHEST_HEIGHT_MM + person.rib_phase + _RIB_DROP_MM / np.pi * angle
    off_rib = np.mod(height, _RIB_SPACING_MM) - _RIB_SPACING_MM / 2
    rib = (np.sqrt((off_rib / 6.0) ** 2 + ((within - 5.5) / 3.6) ** 2) - 1.0) * 3.6
    _bone(hu, grid, np.maximum(rib, (angle - _CARTILAGE_FROM) * 60.0), 1.2)
    paint(hu, grid.inside(np.maximum(rib, (_CARTILAGE_FROM - angle) * 60.0)), _CARTILAGE_HU)
    if level > 0.5:
        reach = min(1.0, (level - 0.5) / 0.25)
        blade = np.abs(within - 18.0 - 3.5 * np.cos(6.0 * angle)) - 2.4
        _bone(hu, grid, np.maximum(blade, (np.abs(angle - 0.92) - 0.40 * reach) * 90.0), 1.0)
    if level > 0.88:
        for side in (-1.0, 1.0):
            _bone(hu, grid, grid.ellipse(side * 62.0, -54.0, 40.0, 6.0, turn=side * 0.35), 1.4)
    if level > 0.28:
        sternum_y = 2.0 + 8.0 * shoulder(level) - person.size * 89.0 * (1.0 - 0.36 * shoulder(level) ** 2)
        _bone(hu, grid, grid.ellipse(0.0, sternum_y - 5.0, 18.0 + 6.0 * upper, 5.5), 1.2)


def _bone(hu: Plane, grid: Grid, distance: Plane, cortex_mm: float) -> None:
    paint(hu, grid.inside(distance), _CORTEX_HU)
    paint(hu, grid.inside(distance + np.float32(cortex_mm)), _MARROW_HU)


def _between_lungs(hu: Plane, grid: Grid, person: Person, level: float, within: Plane) -> None:
    """All inside the cage that is not lung: fat, heart, great vessels, liver, spleen, stomach."""
    inside_cage = grid.inside(within)
    paint(hu, inside_cage, -85.0)
    below = grid.inside(np.maximum(diaphragm(grid, person, level), within + np.float32(1.5)), 1.5)
    paint(hu, below, np.where(grid.x < 14.0, np.float32(_LIVER_HU), np.float32(48.0)))
    if level < 0.16:
        stomach = grid.ellipse(50.0, -36.0, 36.0, 27.0, turn=0.4)
        paint(hu, grid.inside(stomach) * below, 22.0)
        # Gas rises to the front of the stomach and lies level on its fluid.
        paint(hu, grid.inside(np.maximum(stomach + 4.0, grid.y + 42.0)) * below, AIR_HU)
    muscle = heart(grid, person, level)
    if muscle is not None:
        paint(hu, grid.inside(muscle, 1.5), _BLOOD_HU)
    for x, y, rx, ry in _great_vessels(level):
        paint(hu, grid.inside(grid.ellipse(x, y, rx, ry), 1.0) * inside_cage, _BLOOD_HU)
    paint(hu, grid.inside(grid.ellipse(6.0, 36.0, 7.0, 6.0), 1.0), 35.0)  # oesophagus


def _great_vessels(level: float) -> list[tuple[float, float, float, float]]:
    """Ellipses (x, y, rx, ry) of aorta, vena cava and pulmonary arteries at a level."""
    vessels: list[tuple[float, float, float, float]] = []
    if level < 0.66:
        vessels.append((23.0, 48.0, 12.5, 12.5))  # descending aorta
    if 0.42 < level < 0.64:
        vessels += [(-7.0, -30.0, 16.0, 16.0), (-22.0, -14.0, 9.0, 10.0)]  # ascending aorta, vena cava
    if 0.47 < level < 0.57:
        vessels += [(20.0, -26.0, 14.0, 13.0), (-2.0, -6.0, 33.0, 9.0)]  # pulmonary trunk, right artery
        vessels += [(-35.0, 2.0, 9.0, 12.0), (36.0, 4.0, 9.0, 12.0)]
    if arch(level) > 0.0:
        vessels.append((16.0, 8.0, 15.0 * arch(level) + 1.0, 40.0 * arch(level) + 1.0))
    if level > 0.64:
        vessels += [(-18.0, -14.0, 8.0, 8.0), (-4.0, -24.0, 6.5, 6.5)]  # vena cava, brachiocephalic artery
        vessels += [(13.0, -14.0, 5.0, 5.0), (20.0, 10.0, 5.5, 5.5)]  # left carotid and subclavian arteries
    return vessels


def _spine(hu: Plane, grid: Grid, level: float) -> None:
    """Vertebra or disc, canal, processes, and the muscles beside them."""
    y = 68.0 - 10.0 * shoulder(level)
    beside = np.maximum(grid.ellipse(0.0, y + 19.0, 42.0, 22.0), np.abs(grid.x) - np.float32(42.0))
    paint(hu, grid.inside(beside, 3.0), _MUSCLE_HU)
    processes = np.minimum(grid.ellipse(0.0, y + 28.0, 4.0, 13.0), grid.ellipse(0.0, y + 20.0, 30.0, 5.0))
    _bone(hu, grid, processes, 1.4)
    body = grid.ellipse(0.0, y, 18.0, 14.5)
    # Vertebrae are some 20 mm high with 5 mm of disc between.
    if abs((level * CHEST_HEIGHT_MM) % 26.0 - 13.0) > 10.5:
        paint(hu, grid.inside(body, 1.0), 95.0)
    else:
        _bone(hu, grid, body, 1.6)
    canal = grid.ellipse(0.0, y + 19.0, 9.0, 7.5)
    paint(hu, grid.inside(np.abs(canal) - np.float32(1.2)), 450.0)
    paint(hu, grid.inside(canal), 25.0)


def _airways(hu: Plane, grid: Grid, level: float) -> Plane:
    """Windpipe and main bronchi with their walls, painted; returns their share of each pixel."""
    if level > CARINA_LEVEL:
        tubes = [(0.0, 14.0, 9.0, 8.5)]
    elif level > 0.46:
        down = (CARINA_LEVEL - level) / (CARINA_LEVEL - 0.46)
        wide = 1.5 - 0.5 * down
        tubes = [
            (-9.0 - 22.0 * down, 14.0 + 2.0 * down, 7.5 * wide, 6.8),
            (10.0 + 24.0 * down, 15.0 + 4.0 * down, 6.6 * wide, 6.0),
        ]
    else:
        return np.zeros_like(hu)
    distance = np.minimum.reduce([grid.ellipse(*tube) for tube in tubes])
    wall = grid.inside(distance - np.float32(1.6))
    paint(hu, wall, 20.0)
    paint(hu, grid.inside(distance), AIR_HU)
    return wall
