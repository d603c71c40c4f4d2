"""Synthetic chest CTs whose truth is known: to try the product, and to test it without patients."""

from chestct.phantoms.files import write_phantoms
from chestct.phantoms.volume import DEFAULT_SHAPE, Phantom, phantom_study

__all__ = ["DEFAULT_SHAPE", "Phantom", "phantom_study", "write_phantoms"]
