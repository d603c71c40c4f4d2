"""`segment --tta` looks at every slice from four sides, the plain command as the card says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.intensity import Intensity
from chestct.model.architecture import architecture_of
from chestct.model.card import ModelCard
from chestct.model.network import build_network
from chestct.model.views import THOROUGH
from chestct.model.weights import save_version
from lungloop import cli


def test_tta_averages_more_views_than_the_card_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(3)
    once = {"looks": {"whole": True, "lung": False}}
    card = ModelCard("v1", architecture_of("tu-tf_efficientnet_lite0"), input_size=64, decision=once)
    save_version(tmp_path / "weights", build_network(card.architecture).state_dict(), card)
    monkeypatch.setenv("LUNGLOOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LUNGLOOP_WEIGHTS_DIR", str(tmp_path / "weights"))
    pixels = np.random.default_rng(3).integers(0, 256, (80, 96), dtype=np.uint8)
    path = tmp_path / "slice.png"
    Image.fromarray(pixels).save(path)

    found = {}
    for name, options in (("card", []), ("tta", ["--tta"])):
        out = tmp_path / name
        assert cli.run(["segment", str(path), "--out", str(out), "--model", "v1", *options]) == 0
        found[name] = np.asarray(Image.open(out / "slice.label.png"))

    for name, views in (("card", None), ("tta", THOROUGH)):
        segmenter = UNetSegmenter.load(tmp_path / "weights", "v1", views=views)
        assert np.array_equal(found[name], segmenter.segment(pixels, Intensity.PICTURE).label_map)
    # An unfitted network has no idea of left and right, so a mirrored look changes its mind.
    assert not np.array_equal(found["card"], found["tta"])
