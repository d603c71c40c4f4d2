"""What the backend needs to know of a project's labelling configuration: tag and label names."""

from dataclasses import dataclass
from functools import lru_cache
from xml.etree import ElementTree

from chestct.errors import LabelConfigError
from chestct.labels import BRUSH_LABEL_NAMES, LESIONS, Label, SeverityGrade

_LONGEST_CONFIG = 1_000_000
# The choice by which a reader vouches for every slice of a study task (docs/adr/0016).
ALL_SLICES_VIEWED = "All slices viewed"
# Key of a slice task's data that holds the address of its heat map, as a list of one (docs/adr/0021).
UNCERTAINTY_KEY = "doubt"
_LABEL_OF_NAME = {name: label for label, name in BRUSH_LABEL_NAMES.items()}


@dataclass(frozen=True)
class LabelConfig:
    """Names that results must carry to be shown, and that annotations come back with.

    Args:
        image_tag: name of the Image tag (`to_name`).
        image_key: key of the task's `data` that holds the picture's address, or the list of them.
        brush_tag: name of the BrushLabels tag (`from_name`).
        label_names: every label of that tag, those that are not ours included.
        shows_studies: whether a task shows all slices of a study (`valueList`) or one slice (`value`).
        grade_tag: name of the Choices tag with CT-0 to CT-4; None without one, and on slice tasks,
            because a slice has no grade.
        viewed_tag: name of the Choices tag with `ALL_SLICES_VIEWED`; None without one.
        shows_uncertainty: whether a second picture, at `UNCERTAINTY_KEY`, shows the model's uncertainty.
    """

    image_tag: str
    image_key: str
    brush_tag: str
    label_names: frozenset[str]
    shows_studies: bool = False
    grade_tag: str | None = None
    viewed_tag: str | None = None
    shows_uncertainty: bool = False

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

    Raises:
        LabelConfigError: not XML, a DOCTYPE (never needed, and a way to read files and to exhaust
            memory), no Image, or no BrushLabels on an Image with both lesion labels.
    """
    root = _parse_safely(xml)
    images = {
        str(tag.get("name")): source
        for tag in root.iter("Image")
        if tag.get("name") and (source := _source(tag)).startswith("$")
    }
    if not images:
        raise LabelConfigError(
            'the labelling configuration has no <Image name="image" value="$image"/> or '
            '<Image name="image" valueList="$images"/>; see annotation_configs'
        )
    of_studies = {tag.get("name") for tag in root.iter("Image") if tag.get("valueList")}
    brushes = [brush for brush in root.iter("BrushLabels") if brush.get("toName") in images]
    needed = {BRUSH_LABEL_NAMES[label] for label in LESIONS}
    for brush in brushes:
        label_names = _names(brush, "Label")
        if brush.get("name") and needed <= label_names:
            image_tag = str(brush.get("toName"))
            shows_studies = image_tag in of_studies
            return LabelConfig(
                image_tag,
                images[image_tag].removeprefix("$"),
                str(brush.get("name")),
                label_names,
                shows_studies,
                _choices_tag(root, image_tag, frozenset(SeverityGrade)) if shows_studies else None,
                _choices_tag(root, image_tag, frozenset({ALL_SLICES_VIEWED})) if shows_studies else None,
                any(f"${UNCERTAINTY_KEY}" == source for tag, source in images.items() if tag != image_tag),
            )
    offered = [sorted(_names(brush, "Label")) for brush in brushes]
    raise LabelConfigError(
        f"the labelling configuration needs a <BrushLabels> on its <Image> with the labels {sorted(needed)}; "
        f"found {offered or 'no BrushLabels on an Image'}; see annotation_configs/slice.xml"
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


def _source(image: ElementTree.Element) -> str:
    return image.get("valueList") or image.get("value", "")


def _choices_tag(root: ElementTree.Element, image_tag: str, names: frozenset[str]) -> str | None:
    """The first Choices on the image that offers all these names."""
    for choices in root.iter("Choices"):
        if choices.get("name") and choices.get("toName") == image_tag and names <= _names(choices, "Choice"):
            return choices.get("name")
    return None


def _names(control: ElementTree.Element, tag: str) -> frozenset[str]:
    # Results carry the alias where there is one (Label Studio 1.23), so that a label or a choice may
    # be shown in the reader's language and still be named in the contract's.
    names = (option.get("alias") or option.get("value") for option in control.iter(tag))
    return frozenset(name for name in names if name)
