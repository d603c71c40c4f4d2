"""Loads segmentation-models-pytorch where a torchvision of another build stands beside torch.

The torchvision wheel of the package index is built for a CUDA torch. Beside a CPU torch its own
extension does not load, `import torchvision` stops with "operator torchvision::nms does not exist",
and timm and segmentation-models-pytorch stop with it. Neither needs that operator here, so its
schema is declared by hand and the import is tried again. On a matching pair nothing is done.
It can go once torch and torchvision come from one index in every supported installation.

Seen with torch 2.13.0+cpu and torchvision 0.28.0.
"""

import importlib
import sys
from types import ModuleType

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
# A torch.library.Library takes its operators along when it is collected: a global keeps it alive.
_declared: list[torch.library.Library] = []


def import_torchvision() -> ModuleType:
    """torchvision, with its two missing operators declared where its build does not fit torch's.

    Raises:
        RuntimeError: torchvision fails for another reason than the missing operators.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error) or _declared:
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        library.define(schema)
    _declared.append(library)
    return importlib.import_module("torchvision")


def import_smp() -> ModuleType:
    """segmentation_models_pytorch, importable beside any torchvision build."""
    import_torchvision()
    return importlib.import_module("segmentation_models_pytorch")
