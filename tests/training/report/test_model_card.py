"""The readable card: complete where the card is, and honest where it is not."""

from html.parser import HTMLParser

import numpy as np

from chestct.model.card import ModelCard
from chestct.partial_labels import from_lesion_label_map, from_masks
from training.data.dataset import TrainingSample
from training.evaluate.card_data import data_of
from training.report.document import Document, Section, as_html, as_markdown
from training.report.model_card import model_card_page


def figure(mean: float, low: float, high: float) -> dict:
    return {"mean": mean, "interval": [low, high], "patients": 12}


MEDSEG = {
    "patients": 12, "slices": 12, "lesion_dice": figure(0.7622, 0.6812, 0.823),
    "consolidation_dice": figure(0.4309, 0.3171, 0.5326), "mean_iou": figure(0.5656, 0.5043, 0.6371),
}  # fmt: skip


def page(**given: object) -> str:
    plain = {"version": "base-9", "architecture": "unet/efficientnet-b0", "metrics": {"medseg": MEDSEG}}
    return as_markdown(model_card_page(ModelCard(**{**plain, **given})))  # type: ignore[arg-type]


def sample(partial_labels: np.ndarray, source: str, patient: str) -> TrainingSample:
    return TrainingSample(np.zeros(partial_labels.shape, np.float32), partial_labels, source, patient, "s")


def test_the_card_shows_each_mean_with_its_interval():
    assert (
        "| MedSeg | 12 | 12 | 0.762 [0.681, 0.823] | no score | 0.431 [0.317, 0.533] | no score |" in page()
    )
    assert "| Mean IoU | 0.566 [0.504, 0.637] |" in page()


def test_a_figure_that_no_data_has_is_neither_listed_nor_explained():
    assert "Surface" not in page()
    assert "Calibration error (ECE" not in page()


def test_the_weakest_finding_and_what_is_unlabelled_are_named_as_failures():
    failures = page(known_failures=("It misses faint ground-glass.",)).split("## Known failures")[1]
    assert "It misses faint ground-glass." in failures
    assert "lowest score is the consolidation Dice on MedSeg: 0.431 [0.317, 0.533]" in failures
    assert "MedSeg says nothing of: ground-glass, lung." in failures


def test_data_is_counted_from_the_samples_by_source_and_side():
    lesion, lung = np.array([[True, False]]), np.array([[True, True]])
    volume, picture = from_masks(lesion, lung), from_lesion_label_map(np.array([[1, 2, 0]], np.uint8))
    data = data_of(
        [sample(volume, "covid-ct-seg", "C01"), sample(volume, "covid-ct-seg", "C01")],
        [sample(volume, "covid-ct-seg", "C08"), sample(picture, "medseg", "m6")],
        {"medseg": "non-commercial"},
    )
    assert [one["source"] for one in data] == ["covid-ct-seg", "medseg"]
    assert data[0]["fitted"] == {"patients": 1, "slices": 2, "names": ["C01"]}
    assert data[0]["held_out"] == {"patients": 1, "slices": 1, "names": ["C08"]}
    shown = page(data=data)
    assert "| 1 patient, 2 slices: C01 | 1 patient, 1 slice: C08 | as above |" in shown
    assert "| MedSeg | background or lung, ground-glass, consolidation | none |" in shown


def test_many_patients_are_counted_and_not_named():
    known = from_lesion_label_map(np.array([[1, 0]], np.uint8))
    (entry,) = data_of([sample(known, "medseg", f"m{number}") for number in range(13)], [])
    assert entry["fitted"] == {"patients": 13, "slices": 13}


def test_a_retrained_version_tells_its_snapshot_its_parent_and_the_gates_reasons():
    card = ModelCard(
        "retrain-1", "unet/efficientnet-b0", parents=("base-1",), snapshot="abc",
        metrics={"test": {**MEDSEG, "evidence": "phantoms"}}, training={"command": "retrain"},
        calibration={"temperature": 1.2, "inherited_from": "base-1"},
    )  # fmt: skip
    shown = as_markdown(model_card_page(card, {"promote": False, "reasons": ["lesion Dice fell"]}))
    assert "Retrained from `base-1` on snapshot `abc`" in shown
    assert "Refused by the gate." in shown
    assert "- lesion Dice fell" in shown
    assert "temperature 1.2 is that of `base-1`" in shown
    assert "frozen test patients (phantoms)" in shown
    assert "weak evidence" in shown
    assert "LUNGLOOP_SHARED_DATA" not in shown


def test_calibration_on_the_scored_slices_is_said_to_flatter():
    given = {"temperature": 1.2, "slices": 12, "nll_before": 0.3, "nll_after": 0.2}
    assert "negative log-likelihood from 0.300 to 0.200" in page(calibration=given)
    assert "bright side" in page(calibration=given)
    assert "bright side" not in page(calibration={**given, "slices": 5})


def test_every_command_of_a_staged_fit_stands_on_its_own_line():
    shown = page(training={"command": "lungloop fit a; lungloop fit b", "config": {"steps": 5}})
    code = shown.split("```bash\n")[1].split("\n```")[0].splitlines()
    assert code[1:3] == ["lungloop fit a", "lungloop fit b"]
    assert code[3].startswith("lungloop evaluate ")


def test_a_card_without_scores_says_so():
    assert "holds no scores" in page(metrics={})


def test_markdown_cells_cannot_end_their_row():
    table = [("a", "b"), ("x|y", "two\nlines")]
    assert "| x\\|y | two lines |" in as_markdown(Document("t", [Section("h", table=table)]))


class Words(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not {"src", "href"} & {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        if self.lasttag != "style":
            self.words += data.split()


def test_html_and_markdown_say_the_same_and_html_fetches_nothing():
    card = ModelCard("v <1>", "unet/x", metrics={"medseg": MEDSEG}, data_licence="`CC` & <b>")
    document = model_card_page(card)
    read = Words(as_html(document))
    assert "script" not in read.tags
    assert "b" not in read.tags
    plain = as_markdown(document).replace("`", "").replace("|", " ").replace("#", " ")
    expected = [word for word in plain.split() if word.strip("-")]
    told = set(read.words)
    assert [word for word in expected if word not in told and word != "bash"] == []
