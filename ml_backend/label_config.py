"""What the backend needs to know of a project's labelling configuration: tag and label names."""

from dataclasses import dataclass
from functools import lru_cache
from xml.etree import ElementTree

from chestct.errors import LabelConfigError
from chestct.labels import BRUSH_LABEL_NAMES, LESIONS, Label

_LONGEST_CONFIG = 1_000_000
_LABEL_OF_NAME = {name: label for label, name in BRUSH_LABEL_NAMES.items()}


@dataclass(frozen=True)
class LabelConfig:
    """Names that results must carry to be shown, and that annotations come back with.

    Args:
        image_tag: name of the Image tag (`to_name`).
        image_key: key of the task's `data` that holds the picture's address.
        brush_tag: name of the BrushLabels tag (`from_name`).
        label_names: every label of that tag, those that are not ours included.
    """

    image_tag: str
    image_key: str
    brush_tag: str
    label_names: frozenset[str]

    @property
    def labels(self) -> tuple[Label, ...]:
        """Classes that the reader can paint, and that are therefore pre-labelled."""
        return tuple(label for label, name in BRUSH_LABEL_NAMES.items() if name in self.label_names)

    def label_of(self, name: str) -> Label | None:
        """Class of a brush label; None for a label of the project's own, which is not ours to read.

        Raises:
            LabelConfigError: the configuration has no such label.
        """
        if name not in self.label_names:
            raise LabelConfigError(
                f"the label {name!r} is not in the configuration, which has {sorted(self.label_names)}; "
                "was the configuration changed after this was drawn?"
            )
        return _LABEL_OF_NAME.get(name)


@lru_cache(maxsize=32)
def parse_label_config(xml: str) -> LabelConfig:
    """Finds the picture and the brush in a labelling configuration.

    Args:
        xml: the project's `label_config`.
    Raises:
        LabelConfigError: not XML, a DOCTYPE (never needed, and a way to read files and to exhaust
            memory), no Image, or no BrushLabels on an Image with both lesion labels.
    """
    root = _parse_safely(xml)
    images = {
        tag.get("name"): tag.get("value", "")
        for tag in root.iter("Image")
        if tag.get("name") and tag.get("value", "").startswith("$")
    }
    if not images:
        raise LabelConfigError(
            'the labelling configuration has no <Image name="image" value="$image"/>; '
            "see annotation_configs/slice.xml"
        )
    brushes = [brush for brush in root.iter("BrushLabels") if brush.get("toName") in images]
    needed = {BRUSH_LABEL_NAMES[label] for label in LESIONS}
    for brush in brushes:
        label_names = _label_names(brush)
        if brush.get("name") and needed <= label_names:
            image_tag = str(brush.get("toName"))
            return LabelConfig(
                image_tag, images[image_tag].removeprefix("$"), str(brush.get("name")), label_names
            )
    found = [sorted(_label_names(brush)) for brush in brushes]
    raise LabelConfigError(
        f"the labelling configuration needs a <BrushLabels> on its <Image> with the labels {sorted(needed)}; "
        f"found {found or 'no BrushLabels on an Image'}; see annotation_configs/slice.xml"
    )


def _parse_safely(xml: str) -> ElementTree.Element:
    if len(xml) > _LONGEST_CONFIG:
        raise LabelConfigError(
            f"the labelling configuration has {len(xml)} characters; that is no configuration"
        )
    if "<!doctype" in xml.lower():
        raise LabelConfigError(
            "the labelling configuration has a DOCTYPE, which is refused; delete that line"
        )
    try:
        return ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError) as error:
        raise LabelConfigError(f"the labelling configuration is not XML: {error}") from error


def _label_names(brush: ElementTree.Element) -> frozenset[str]:
    # Results carry a label's alias where it has one (Label Studio 1.23), so that a label may be
    # shown in the reader's language and still be named in the contract's.
    names = (label.get("alias") or label.get("value") for label in brush.iter("Label"))
    return frozenset(name for name in names if name)
