"""Labelling configurations: what is found in them, and what is refused."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from chestct.errors import LabelConfigError
from chestct.labels import Label
from ml_backend.label_studio.label_config import parse_label_config

CONFIGS = Path(__file__).parents[3] / "annotation_configs"
LABELS = '<Label value="Ground glass"/><Label value="Consolidation"/>'
IMAGE = '<Image name="i" value="$picture"/>'


def config_xml(labels: str = LABELS, image: str = IMAGE, to_name: str = "i") -> str:
    return f'<View><BrushLabels name="b" toName="{to_name}">{labels}</BrushLabels>{image}</View>'


@pytest.mark.parametrize("name", ["slice.xml", "slice.ru.xml"])
def test_shipped_configurations_name_what_the_contract_says(name: str) -> None:
    config = parse_label_config((CONFIGS / name).read_text())
    assert (config.image_tag, config.image_key, config.brush_tag) == ("image", "image", "lesions")
    assert config.labels == (Label.GROUND_GLASS, Label.CONSOLIDATION)
    assert (config.shows_studies, config.grade_tag, config.viewed_tag) == (False, None, None)


@pytest.mark.parametrize("name", ["study.xml", "study.ru.xml"])
def test_shipped_configurations_of_studies_also_name_the_grades(name: str) -> None:
    config = parse_label_config((CONFIGS / name).read_text())
    assert (config.image_tag, config.image_key, config.brush_tag) == ("image", "images", "lesions")
    assert config.labels == (Label.GROUND_GLASS, Label.CONSOLIDATION)
    assert (config.shows_studies, config.grade_tag, config.viewed_tag) == (True, "severity", "viewed")


@pytest.mark.parametrize("kind", ["slice", "study"])
def test_the_russian_twin_differs_in_what_is_shown_only(kind: str) -> None:
    def skeleton(name: str) -> list[tuple[str, dict[str, str]]]:
        """Every tag with its attributes, by the names that results carry."""
        shown = ("value", "alias", "hint")
        return [
            (
                tag.tag,
                {
                    **{key: text for key, text in tag.attrib.items() if key not in shown},
                    "name in results": "" if tag.tag == "Header" else tag.get("alias", tag.get("value", "")),
                },
            )
            for tag in ElementTree.fromstring((CONFIGS / name).read_text()).iter()
        ]

    assert skeleton(f"{kind}.ru.xml") == skeleton(f"{kind}.xml")


GRADES = "".join(f'<Choice value="CT-{number}"/>' for number in range(5))


@pytest.mark.parametrize(
    ("choices", "grade_tag"),
    [
        (f'<Choices name="g" toName="i">{GRADES}</Choices>', "g"),
        (f'<Choices name="g" toName="i">{GRADES}<Choice value="CT-9"/></Choices>', "g"),
        (f'<Choices name="g" toName="other">{GRADES}</Choices>', None),
        ('<Choices name="g" toName="i"><Choice value="CT-0"/></Choices>', None),
        ("", None),
    ],
)
def test_a_grade_is_read_where_all_five_are_offered(choices: str, grade_tag: str | None) -> None:
    image = '<Image name="i" valueList="$pictures"/>' + choices
    config = parse_label_config(config_xml(image=image))
    assert (config.image_key, config.shows_studies, config.grade_tag) == ("pictures", True, grade_tag)
    assert parse_label_config(config_xml(image=IMAGE + choices)).grade_tag is None, "a slice has no grade"


def test_names_of_a_projects_own_are_found_and_a_lung_label_counts() -> None:
    config = parse_label_config(config_xml(LABELS + '<Label value="Lung"/><Label value="Tumour"/>'))
    assert (config.image_tag, config.image_key, config.brush_tag) == ("i", "picture", "b")
    assert config.labels == (Label.GROUND_GLASS, Label.CONSOLIDATION, Label.LUNG)
    assert config.label_of("Tumour") is None


def test_a_label_shown_in_another_language_is_known_by_its_alias() -> None:
    labels = '<Label value="Matt" alias="Ground glass"/><Label value="Dicht" alias="Consolidation"/>'
    assert parse_label_config(config_xml(labels)).labels == (Label.GROUND_GLASS, Label.CONSOLIDATION)


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ("", "not XML"),
        ("<View>", "not XML"),
        (config_xml(image=""), "no <Image"),
        (config_xml(image='<Image name="i" value="picture"/>'), "no <Image"),
        (f"<View>{IMAGE}</View>", "no BrushLabels on an Image"),
        (config_xml('<Label value="Lung"/>'), "Lung"),
        (config_xml(to_name="x"), "no BrushLabels on an Image"),
        ('<!DOCTYPE v [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + config_xml(), "DOCTYPE"),
        ("<View>" + " " * 1_000_001 + "</View>", "characters"),
    ],
)
def test_what_cannot_work_is_refused_with_its_reason(xml: str, reason: str) -> None:
    with pytest.raises(LabelConfigError, match=reason):
        parse_label_config(xml)


def test_a_label_that_the_configuration_lacks_is_an_error() -> None:
    with pytest.raises(LabelConfigError, match="'Nodule' is not in the configuration"):
        parse_label_config(config_xml()).label_of("Nodule")


def test_the_heat_map_is_known_and_is_not_what_readers_draw_on(slice_xml: str) -> None:
    config = parse_label_config(slice_xml)
    assert (config.image_key, config.shows_studies, config.shows_uncertainty) == ("image", False, True)
    without = slice_xml.replace('valueList="$doubt"', 'valueList="$other"')
    assert not parse_label_config(without).shows_uncertainty
