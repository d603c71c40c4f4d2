"""A whole phantom: chest CT in HU with a label map that is known pixel by pixel."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chestct import partial_labels
from chestct.errors import InputError
from chestct.geometry import Geometry
from chestct.intensity import Intensity, as_hu
from chestct.labels import LESIONS, Label, SeverityGrade
from chestct.phantoms.disease import lesion_levels
from chestct.phantoms.grid import FIELD_OF_VIEW_MM, Grid, enlarged
from chestct.phantoms.lesion_texture import dependent, diseased
from chestct.phantoms.look import USUAL, Look
from chestct.phantoms.lungs import CHEST_HEIGHT_MM, HILUM_LEVEL, Person
from chestct.phantoms.reconstruction import Noise, sharpened
from chestct.phantoms.tissues import AIR_HU, slice_without_disease
from chestct.phantoms.vessels import draw_tubes, grow_tree
from chestct.study import Study

DEFAULT_SHAPE = (36, 512, 512)
# Thin slices far apart, as in MosMedData (every tenth slice of a thin series).
_SLICE_THICKNESS_MM = 1.5
# Anatomy is drawn on at most this many pixels a side and enlarged: scanners blur as much.
_DRAWN_SIDE = 256
# Disease is planned on at most this many pixels a side: enough for patches of 15 mm and more.
_PLANNED_SIDE = 128
# By grade: involvement of the worse lung, clear of the boundaries at 25 and 50 % (MosMedData README), and
# share of the lesions that is consolidation: more of it in severe disease.
_DISEASE = {
    SeverityGrade.CT_0: ((0.0, 0.0), (0.0, 0.0)),
    SeverityGrade.CT_1: ((0.05, 0.20), (0.05, 0.2)),
    SeverityGrade.CT_2: ((0.29, 0.45), (0.15, 0.3)),
    SeverityGrade.CT_3: ((0.54, 0.70), (0.25, 0.45)),
    SeverityGrade.CT_4: ((0.79, 0.88), (0.3, 0.5)),
}
# Walls of small bronchi are thinner than a pixel, so they never reach the HU of tissue.
_TISSUE_HU, _BRONCHUS_WALL_HU = 35.0, -165.0
# Lesion levels below this leave no trace in the picture (ground-glass fades out at -1/12).
_NO_TRACE = -0.09

Volume = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Phantom:
    """A synthetic study and the truth about it.

    Args:
        study: int16 HU slices in MosMedData's geometry, with its grade and no reference labels.
        geometry: of study and label map.
        label_map: (S, H, W) uint8 values of Label, radiological view.
        involvement: diseased share of the right and of the left lung in the label map, in [0, 1].
    """

    study: Study
    geometry: Geometry
    label_map: npt.NDArray[np.uint8]
    involvement: tuple[float, float]

    def labelled_study(self) -> Study:
        """The study with its truth as reference labels."""
        return dataclasses.replace(
            self.study, partial_labels=dict(enumerate(partial_labels.from_label_map(self.label_map)))
        )


def phantom_study(
    seed: int,
    grade: SeverityGrade = SeverityGrade.CT_1,
    shape: tuple[int, int, int] = DEFAULT_SHAPE,
    name: str | None = None,
    involvement: tuple[float, float] | None = None,
    look: Look = USUAL,
) -> Phantom:
    """A chest CT from nothing but a seed; the same arguments give the same voxels.

    Args:
        seed: 0 or more.
        grade: wanted severity; sets how much of the worse lung is diseased.
        shape: (S, H, W) of the view; the field of view stays 358 x 358 x 288 mm, so fewer slices lie
            further apart (36 slices are 8 mm apart).
        name: of study and patient; `phantom_<seed>` by default.
        involvement: wanted diseased share of the right and of the left lung, in [0, 1], instead of one drawn
            for the grade; what came of it is in the phantom's own `involvement`.
        look: of disease and reconstruction.
    Raises:
        InputError: fewer than 2 slices, or not square with a power of two from 32 on a side.
    """
    side = shape[2]
    if shape[0] < 2 or shape[1] != side or side < 32 or side & (side - 1):
        raise InputError("shape", f"is {shape}; expected 2 slices or more of 32, 64, ... 512 pixels a side")
    rng = np.random.default_rng([seed, list(SeverityGrade).index(grade)])
    person = Person.drawn(rng)
    hu, lung = _healthy(person, shape[0], min(side, _DRAWN_SIDE))
    lesion, dense = _planned_disease(rng, grade, lung, involvement, look)
    tubes = _Tubes.grown(rng, lung, shape)
    noise = Noise.drawn(rng, side, look)
    finished = np.empty(shape, dtype=np.int16)
    label_map = np.zeros(shape, dtype=np.uint8)
    glass_hu = rng.uniform(*look.glass_hu)
    for index in range(shape[0]):
        share = enlarged(lung[index], side)
        picture = enlarged(hu[index], side)
        if look.dependent_hu:
            picture = picture + share * dependent(side, look.dependent_hu)
        label_map[index] = np.where(share > 0.5, np.uint8(Label.LUNG), np.uint8(Label.BACKGROUND))
        visible = share
        if lesion[index].max() > _NO_TRACE:
            levels = (enlarged(lesion[index], side), enlarged(dense[index], side))
            for level, lesion_class in zip(levels, LESIONS, strict=True):
                label_map[index][(share > 0.5) & (level > 0)] = lesion_class
            picture, solid = diseased(rng, picture, share, levels, glass_hu, look)
            visible = share - solid
        tubes.paint(index, picture, visible, share)
        if look.edge_gain:
            picture = sharpened(picture, look.edge_gain, side)
        finished[index] = as_hu(noise.add_to(picture, share, rng))
    name = name or f"phantom_{seed:04d}"
    geometry = _mosmed_geometry(shape)
    study = Study(
        name=name,
        patient=name,
        slices=tuple(finished),
        intensity=Intensity.HU,
        source=Path(name),
        geometry=geometry,
        grade=grade,
    )
    return Phantom(study, geometry, label_map, involvement_of(label_map))


def spacing_mm(shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Voxel size along (S, H, W) of a volume that covers the phantom's field of view."""
    return CHEST_HEIGHT_MM / shape[0], FIELD_OF_VIEW_MM / shape[1], FIELD_OF_VIEW_MM / shape[2]


def _healthy(person: Person, slices: int, side: int) -> tuple[Volume, Volume]:
    """HU and share of lung, (S, side, side), from just below the lungs to just above, foot first."""
    grid = Grid.of(side, FIELD_OF_VIEW_MM / side, person.tilt)
    levels = (np.arange(slices) + 0.5) / slices
    drawn = [slice_without_disease(grid, person, float(level)) for level in levels]
    return np.stack([hu for hu, _ in drawn]), np.stack([lung for _, lung in drawn])


def _mosmed_geometry(shape: tuple[int, int, int]) -> Geometry:
    """LAS, as MosMedData stores it: (W, H, S) with the first slice at the feet."""
    between, rows, columns = spacing_mm(shape)
    affine = np.diag([-columns, rows, between, 1.0])
    affine[:3, 3] = [FIELD_OF_VIEW_MM / 2, -FIELD_OF_VIEW_MM / 2, -CHEST_HEIGHT_MM / 2]
    # float32 is what the file keeps; rounding here makes what is written equal what is in memory.
    return Geometry((shape[2], shape[1], shape[0]), affine.astype(np.float32).astype(np.float64))


def _planned_disease(
    rng: np.random.Generator,
    grade: SeverityGrade,
    lung: Volume,
    involvement: tuple[float, float] | None,
    look: Look,
) -> tuple[Volume, Volume]:
    """Lesion and consolidation levels on a coarse grid, above 0 inside."""
    step = max(1, lung.shape[2] // _PLANNED_SIDE)
    side = lung.shape[2] // step
    coarse = lung.reshape(len(lung), side, step, side, step).mean(axis=(2, 4)) > 0.5
    right, left = coarse.copy(), coarse.copy()
    right[:, :, side // 2 :], left[:, :, : side // 2] = False, False
    worse_lung, consolidation = _DISEASE[grade]
    worse = rng.uniform(*worse_lung)
    other = worse * rng.uniform(0.35, 0.9)
    shares = (worse, other) if rng.random() < 0.55 else (other, worse)
    consolidated = rng.uniform(*consolidation) * look.solid_share
    return lesion_levels(
        rng, (right, left), spacing_mm(coarse.shape), involvement or shares, consolidated, look
    )


@dataclass(frozen=True, eq=False)
class _Tubes:
    """Shares of each voxel that are vessel, wall of a bronchus, and its air."""

    vessels: Volume
    walls: Volume
    lumens: Volume

    @classmethod
    def grown(cls, rng: np.random.Generator, lung: Volume, shape: tuple[int, int, int]) -> "_Tubes":
        """Trees in both lungs; each larger artery has a bronchus at its side, as in people."""
        tips_per_lung = 110 if shape[2] < _DRAWN_SIDE else 560
        spacing, drawn_spacing = spacing_mm(shape), spacing_mm(lung.shape)
        middle = lung.shape[2] // 2
        segments, radii = [], []
        for half, side in ((slice(None, middle), -1.0), (slice(middle, None), 1.0)):
            voxels = np.argwhere(lung[:, ::4, half][:, :, ::4] > 0.5) * (1, 4, 4)
            voxels[:, 2] += half.start or 0
            if len(voxels) == 0:
                continue
            chosen = voxels[rng.integers(len(voxels), size=tips_per_lung)]
            tips = (chosen + rng.uniform(-0.5, 0.5, chosen.shape)) * drawn_spacing
            centre = FIELD_OF_VIEW_MM / 2
            hilum = [HILUM_LEVEL * CHEST_HEIGHT_MM, centre - 6.0, centre + side * 38.0]
            grown = grow_tree(np.array(hilum, dtype=np.float32), tips.astype(np.float32))
            segments.append(grown[0])
            radii.append(grown[1])
        if not segments:
            nothing = np.zeros(shape, dtype=np.float32)
            return cls(nothing, nothing, nothing)
        all_segments, all_radii = np.concatenate(segments), np.concatenate(radii)
        airways = all_radii > 1.3
        beside = all_segments[airways]
        offset = (1.75 * all_radii[airways] + 0.6)[:, None]
        beside = beside + np.concatenate([0 * offset, offset, 0.3 * offset] * 2, axis=1)
        wide = all_radii[airways] * 0.9
        return cls(
            draw_tubes(all_segments, all_radii, shape, spacing, _SLICE_THICKNESS_MM),
            draw_tubes(beside, wide + 0.6, shape, spacing, _SLICE_THICKNESS_MM),
            draw_tubes(beside, wide, shape, spacing, _SLICE_THICKNESS_MM),
        )

    def paint(self, index: int, picture: Volume, visible: Volume, lung: Volume) -> None:
        """Draws them into a slice, in place; consolidation hides vessels, not the air in bronchi."""
        tubes = (self.vessels[index], self.walls[index], self.lumens[index])
        # Few pixels hold any: work on those alone.
        at = np.nonzero((tubes[0] + tubes[1]) * lung > 0)
        pixels_hu = picture[at]
        vessel, wall, lumen = (tube[at] for tube in tubes)
        pixels_hu += vessel * visible[at] * (_TISSUE_HU - pixels_hu)
        pixels_hu += wall * lung[at] * np.float32(0.7) * (_BRONCHUS_WALL_HU - pixels_hu)
        pixels_hu += lumen * lung[at] * (AIR_HU + 40.0 - pixels_hu)
        picture[at] = pixels_hu


def involvement_of(label_map: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """Diseased share of the lungs in the picture's left half (the right lung) and right half."""
    middle = label_map.shape[2] // 2
    halves = (label_map[:, :, :middle], label_map[:, :, middle:])
    right, left = (float(np.isin(half, LESIONS).sum() / max(1, np.count_nonzero(half))) for half in halves)
    return right, left
