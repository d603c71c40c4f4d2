import dataclasses

import pytest
import torch
from tiny_shared_data import write_shared_data

from chestct.errors import TrainingDataError, WeightsError
from chestct.model.card import list_versions, read_card
from chestct.model.weights import load_version, save_version
from chestct.settings import Settings
from training.commands.fit import run_fit
from training.commands.mean_of_versions import mean_weights, run_mean
from training.fitting.options import FitOptions
from training.report.document import as_markdown
from training.report.model_card import model_card_page


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    """Two one-step fits from one parent, and one with another decision."""
    folder = tmp_path_factory.mktemp("mean")
    settings = Settings.load(
        {
            "LUNGLOOP_HOME": str(folder / "home"),
            "LUNGLOOP_WEIGHTS_DIR": str(folder / "weights"),
            "LUNGLOOP_SHARED_DATA": str(write_shared_data(folder / "shared")),
        }
    )
    run_fit(settings, "parent", FitOptions(steps=1, seed=1, phantoms=1))
    for seed, version in ((2, "left"), (3, "right")):
        run_fit(settings, version, FitOptions(steps=1, seed=seed, phantoms=1, start_from="parent"))
    card, weights = load_version(settings.weights_dir, "left")
    other = dataclasses.replace(card, version="other", decision={"lesion_threshold": 0.5})
    save_version(settings.weights_dir, weights, other)
    return settings


def test_tensors_are_averaged_and_counters_kept():
    left = {"kernel": torch.tensor([1.0, 3.0]), "steps": torch.tensor(7)}
    right = {"kernel": torch.tensor([3.0, 3.0]), "steps": torch.tensor(9)}
    mean = mean_weights([left, right])
    assert mean["kernel"].tolist() == [2.0, 3.0]
    assert mean["steps"].item() == 7
    assert left["kernel"].tolist() == [1.0, 3.0]


def test_a_mean_is_a_version_with_its_own_scores_and_the_way_to_make_it(settings):
    card = run_mean(settings, "mean", ["left", "right"])
    assert card.parents == ("parent",)
    assert "| Mean of | `left`, `right` |" in as_markdown(model_card_page(card, None))
    assert card.metrics["covid-ct-seg"]["patients"] == 1
    commands = card.training["command"].split("; ")
    assert [command.split()[2] for command in commands] == ["parent", "left", "right", "mean"]
    assert commands[-1] == "lungloop models mean mean left right"
    assert card.weights_sha256 != read_card(settings.weights_dir, "left").weights_sha256
    name = "segmentation_head.0.weight"
    (left, mean, right) = (load_version(settings.weights_dir, v)[1][name] for v in ("left", "mean", "right"))
    torch.testing.assert_close(mean, (left + right) / 2, atol=1e-3, rtol=1e-2)
    with pytest.raises(WeightsError, match="'mean' exists"):
        run_mean(settings, "mean", ["left", "right"])


@pytest.mark.parametrize(
    ("versions", "reason"),
    [
        (["left"], "two versions or more; it got left"),
        (["left", "left"], "two versions or more"),
        (["left", "other"], "left and other differ in decision"),
        (["left", "absent"], "absent"),
    ],
)
def test_versions_that_have_no_mean_are_named_and_nothing_is_written(settings, versions, reason):
    before = list_versions(settings.weights_dir)
    with pytest.raises(WeightsError, match=reason):
        run_mean(settings, "never", versions)
    assert list_versions(settings.weights_dir) == before


def test_without_shared_data_a_mean_says_what_is_missing(settings):
    nowhere = dataclasses.replace(settings, shared_data=None)
    with pytest.raises(TrainingDataError, match="LUNGLOOP_SHARED_DATA"):
        run_mean(nowhere, "never", ["left", "right"])
