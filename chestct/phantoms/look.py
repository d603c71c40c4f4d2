"""How phantoms look: what differs between scanners and between courses of the disease.

Anatomy and grades stay; what changes is what a model that has seen one hospital does not know of the next.
"""

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Look:
    """One appearance of disease and reconstruction; the default's phantoms are those of every release.

    Args:
        glass_hu: ground-glass of a study is drawn from this range of HU, before it thickens inwards.
        thickening_hu: how much denser ground-glass becomes towards the middle of a patch.
        mottle_hu: strength of the fine mottle inside lesions.
        septa_hu: density that thickened septa add inside lesions; 0 draws none.
        peripheral_mm: depth from the pleura over which disease thins out.
        pleural: how strongly patches keep to the pleura.
        patch_mm: radii of patches.
        patches: patches of a lung without and with full involvement.
        solid_hu: consolidation.
        solid_share: consolidation, as a share of what the grade usually has.
        noise_hu: white and smoothed part of scanner noise.
        blotches_hu: noise over centimetres, as iterative reconstruction of low-dose scans leaves; 0 draws
            none.
        edge_gain: how much the kernel raises edges: 0 is the smooth one of the default, 1 and more a sharp
            lung kernel.
        dependent_hu: density that blood and shallow breath add to the lowest (posterior) lung; no disease.
    """

    glass_hu: Range = (-590.0, -480.0)
    thickening_hu: float = 110.0
    mottle_hu: float = 150.0
    septa_hu: float = 0.0
    peripheral_mm: float = 26.0
    pleural: float = 1.0
    patch_mm: Range = (16.0, 42.0)
    patches: tuple[int, int] = (3, 14)
    solid_hu: float = 18.0
    solid_share: float = 1.0
    noise_hu: tuple[float, float] = (13.0, 26.0)
    blotches_hu: float = 0.0
    edge_gain: float = 0.0
    dependent_hu: float = 0.0


USUAL = Look()

# A low-dose scan with a sharp lung kernel, in shallow breath: faint reticular ground-glass in small patches
# along the pleura, beside dependent lung that is grey without being ill.
LOW_DOSE_RETICULAR = Look(
    glass_hu=(-740.0, -690.0),
    thickening_hu=70.0,
    mottle_hu=60.0,
    septa_hu=170.0,
    peripheral_mm=15.0,
    pleural=1.5,
    patch_mm=(9.0, 24.0),
    patches=(6, 26),
    solid_hu=-90.0,
    solid_share=0.45,
    noise_hu=(34.0, 30.0),
    blotches_hu=18.0,
    edge_gain=0.7,
    dependent_hu=150.0,
)
