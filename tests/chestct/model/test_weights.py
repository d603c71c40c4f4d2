import json
from pathlib import Path

import pytest
import torch

from chestct.errors import WeightsError
from chestct.model.card import ModelCard, list_versions, read_card
from chestct.model.views import SLICE_ALONE, SLICE_OF_STUDY, Views
from chestct.model.weights import load_version, save_version

TENSORS = {
    "decoder.weight": torch.linspace(-1, 1, 9).reshape(3, 3),
    "norm.running_var": torch.tensor([70_000.0, 1e-9]),
    "norm.num_batches_tracked": torch.tensor(12),
}


def card(version: str = "v1", **given) -> ModelCard:
    return ModelCard(version=version, architecture="unet/tu-tf_efficientnet_lite0", **given)


def test_a_saved_version_comes_back(tmp_path):
    save_version(
        tmp_path, TENSORS, card(parents=("base-1",), snapshot="s1", calibration={"temperature": 1.5})
    )
    read, tensors = load_version(tmp_path, "v1")
    assert (read.version, read.parents, read.snapshot, read.temperature) == ("v1", ("base-1",), "s1", 1.5)
    assert read.window_hu == (-1350.0, 150.0)
    assert torch.equal(tensors["norm.num_batches_tracked"], torch.tensor(12))
    assert torch.allclose(tensors["decoder.weight"], TENSORS["decoder.weight"], atol=1e-3)


def test_vectors_keep_full_precision(tmp_path):
    # A variance above 65 504 would become infinite as float16.
    save_version(tmp_path, TENSORS, card())
    _, tensors = load_version(tmp_path, "v1")
    assert torch.equal(tensors["norm.running_var"], TENSORS["norm.running_var"])


def test_the_card_is_the_contract(tmp_path):
    folder = save_version(tmp_path, TENSORS, card())
    assert {entry.name for entry in folder.iterdir()} == {"model.safetensors", "card.json"}
    assert set(json.loads((folder / "card.json").read_text())) >= {
        *("version", "architecture", "classes", "window_hu", "input_size", "parents", "snapshot"),
        *("metrics", "calibration", "data_licence", "created_at"),
    }


def test_versions_are_listed_by_name_and_strangers_are_not(tmp_path):
    for version in ("v2", "v10", "base-1"):
        save_version(tmp_path, TENSORS, card(version))
    (tmp_path / ".v3.half-written").mkdir()
    (tmp_path / "notes").mkdir()
    assert list_versions(tmp_path) == ["base-1", "v10", "v2"]
    assert list_versions(tmp_path / "nowhere") == []


def test_a_version_never_changes(tmp_path):
    save_version(tmp_path, TENSORS, card())
    with pytest.raises(WeightsError, match="never change"):
        save_version(tmp_path, TENSORS, card())


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 101])
def test_a_name_cannot_leave_the_folder(tmp_path, name):
    with pytest.raises(WeightsError, match="no version name"):
        load_version(tmp_path, name)


def test_a_missing_version_names_those_that_exist(tmp_path):
    save_version(tmp_path, TENSORS, card())
    with pytest.raises(WeightsError, match="there are: v1"):
        read_card(tmp_path, "v9")


def test_weights_that_are_not_finite_are_never_written(tmp_path):
    with pytest.raises(WeightsError, match="NaN"):
        save_version(tmp_path, {"w": torch.tensor([float("nan")])}, card())
    assert list(tmp_path.iterdir()) == []


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 0xFF
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize("damage", [flip_a_byte, cut_short, Path.unlink])
def test_damaged_tensors_are_noticed(tmp_path, damage):
    folder = save_version(tmp_path, TENSORS, card())
    damage(folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"model\.safetensors"):
        load_version(tmp_path, "v1")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"version": "v1"}', '{"version": "other", "architecture": "unet/x"}']
)
def test_a_damaged_card_is_noticed(tmp_path, content):
    folder = save_version(tmp_path, TENSORS, card())
    (folder / "card.json").write_text(content)
    with pytest.raises(WeightsError, match=r"card\.json"):
        read_card(tmp_path, "v1")


def test_other_classes_are_refused(tmp_path):
    folder = save_version(tmp_path, TENSORS, card())
    stored = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(stored | {"classes": ["lung", "other"]}))
    with pytest.raises(WeightsError, match="classes"):
        read_card(tmp_path, "v1")


def test_fields_of_a_later_release_do_not_stop_this_one(tmp_path):
    folder = save_version(tmp_path, TENSORS, card())
    stored = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(stored | {"added_later": 1}))
    assert read_card(tmp_path, "v1").version == "v1"


def test_other_users_may_read_a_version(tmp_path):
    folder = save_version(tmp_path, TENSORS, card())
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "model.safetensors").stat().st_mode & 0o777 == 0o644


def test_a_card_without_a_decision_decides_as_ever(tmp_path):
    folder = save_version(tmp_path, TENSORS, card())
    stored = json.loads((folder / "card.json").read_text())
    del stored["decision"]
    (folder / "card.json").write_text(json.dumps(stored))
    read = read_card(tmp_path, "v1")
    assert read.lesion_threshold is None
    assert read.smallest_kind_share == 0
    assert (read.views, read.study_looks) == (SLICE_ALONE, SLICE_OF_STUDY)


def test_a_cards_decision_comes_back(tmp_path):
    save_version(tmp_path, TENSORS, card(decision={"lesion_threshold": 0.4, "study_looks": {"whole": True}}))
    read = read_card(tmp_path, "v1")
    assert read.lesion_threshold == 0.4
    assert (read.views, read.study_looks) == (SLICE_ALONE, Views(whole=True, lung=True))


@pytest.mark.parametrize(
    "decision",
    [
        {"lesion_threshold": 40},
        {"lesion_threshold": "high"},
        {"smallest_kind_share": 0.6},
        {"smallest_kind_share": -0.1},
        {"smallest_kind_share": "few"},
        {"looks": {"twice": True}},
        {"looks": {"whole": False, "lung": False}},
        [0.4],
    ],
)
def test_a_decision_that_cannot_be_followed_is_noticed(tmp_path, decision):
    folder = save_version(tmp_path, TENSORS, card())
    stored = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(stored | {"decision": decision}))
    with pytest.raises(WeightsError, match=r"card\.json"):
        read_card(tmp_path, "v1")
