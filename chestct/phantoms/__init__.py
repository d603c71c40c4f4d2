"""Made-up chest CTs whose truth is known: to try the product, and to test it without patients."""

from chestct.phantoms.files import write_phantoms
from chestct.phantoms.rare import cut_stack, with_touching_lungs, without_lung
from chestct.phantoms.volume import DEFAULT_SHAPE, Phantom, phantom_study

__all__ = [
    "DEFAULT_SHAPE",
    "Phantom",
    "cut_stack",
    "phantom_study",
    "with_touching_lungs",
    "without_lung",
    "write_phantoms",
]
