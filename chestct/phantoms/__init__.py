"""Synthetic chest CTs whose truth is known: to try the product, and to test it without patients."""

from chestct.phantoms.files import write_phantoms, written_truth
from chestct.phantoms.look import LOW_DOSE_RETICULAR, USUAL, Look
from chestct.phantoms.volume import DEFAULT_SHAPE, Phantom, phantom_study

__all__ = [
    "DEFAULT_SHAPE",
    "LOW_DOSE_RETICULAR",
    "USUAL",
    "Look",
    "Phantom",
    "phantom_study",
    "write_phantoms",
    "written_truth",
]
