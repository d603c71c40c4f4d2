"""Masks made elsewhere (ITK-SNAP, 3D Slicer, Kaggle, Label Studio) joined to studies on their way in."""

from lungloop.external_masks.joining import MasksAs, with_masks
from lungloop.external_masks.targets import parse_mask_labels

__all__ = ["MasksAs", "parse_mask_labels", "with_masks"]
