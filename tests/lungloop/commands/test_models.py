"""`models` and `segment` on an installation without any service."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from chestct.catalog.catalog import Catalog
from chestct.intensity import Intensity
from chestct.model.card import ModelCard
from chestct.model.network import build_network
from chestct.model.weights import save_version
from chestct.study import Study
from lungloop import cli

ARCHITECTURE = "unet/tu-tf_efficientnet_lite0"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("LUNGLOOP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LUNGLOOP_HOME", str(tmp_path))
    monkeypatch.setenv("LUNGLOOP_WEIGHTS_DIR", str(tmp_path / "weights"))
    for version in ("base-2", "base-10", "mine"):
        card = ModelCard(version, ARCHITECTURE, parents=("base-2",) if version == "mine" else ())
        save_version(tmp_path / "weights", {"tensor": torch.zeros(2, 2)}, card)
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite3'}", str(tmp_path / "storage")) as catalog:
        catalog.versions.ensure_base("base-2")
    return tmp_path


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    capsys.readouterr()
    assert cli.run(["models", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(set(row) == {"version", "state", "created_at", "parent", "decision"} for row in rows)
    return {row["version"]: row for row in rows}


def test_a_version_that_was_fitted_here_can_be_promoted_and_rolled_back(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["models", "promote", "mine", "--reason", "better on our scanner"]) == 0
    rows = listed(capsys)
    assert (rows["mine"]["state"], rows["mine"]["parent"]) == ("champion", "base-2")
    assert rows["mine"]["decision"] == {
        "promote": True,
        "by": "a person",
        "reasons": ["better on our scanner"],
    }
    assert rows["base-2"]["state"] == "retired"
    assert cli.run(["models", "rollback"]) == 0
    assert listed(capsys)["base-2"]["state"] == "champion"
    assert cli.run(["models", "rollback"]) == 2


def test_a_version_can_serve_only_the_studies_that_it_learned_from(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["models", "promote", "mine", "--open-studies"]) == 1
    assert "not known to have learned from any study" in capsys.readouterr().err
    with Catalog.open(f"sqlite:///{home / 'catalog.sqlite3'}", str(home / "storage")) as catalog:
        pictures = [np.full((64, 64), grey, np.uint8) for grey in range(2)]
        study = Study("case 1", "patient 1", pictures, Intensity.PICTURE, home / "case")
        stored, _ = catalog.studies.add(study, "images")
        catalog.versions.register("mine", "base-2", None, study_ids=[stored.id])
    assert cli.run(["models", "promote", "mine", "--open-studies", "--json"]) == 0
    release = {"name": "base-2+mine", "default": "base-2", "open_studies_version": "mine", "studies": 1}
    said = json.loads(capsys.readouterr().out)
    assert (said["champion"], said["release"]) == ("base-2", release)
    rows = listed(capsys)
    assert (rows["base-2"]["state"], rows["mine"]["state"]) == ("champion", "open studies")
    assert rows["mine"]["decision"]["serves"] == "open studies"
    assert cli.run(["models", "card", "mine"]) == 0
    assert "Promoted for the studies that it learned from by a person." in capsys.readouterr().out

    assert cli.run(["status", "--json"]) == 0
    state = json.loads(capsys.readouterr().out)
    assert (state["champion"], state["release"]) == ("base-2", release)
    assert cli.run(["status"]) == 0
    assert (
        "mine pre-labels what is open in the studies that it learned from (1), base-2 everything else"
        in capsys.readouterr().out
    )

    assert cli.run(["models", "rollback", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["champion"], said["release"]["name"]) == ("base-2", "base-2")
    assert listed(capsys)["mine"]["state"] == "retired"


def test_a_damaged_version_is_never_made_champion(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "weights/mine/model.safetensors").write_bytes(b"damaged")
    assert cli.run(["models", "promote", "mine"]) == 2
    assert "cannot serve" in capsys.readouterr().err
    assert "mine" not in listed(capsys)


def test_show_gives_the_card_and_the_decision(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["models", "show", "mine", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["card"]["version"] == "mine"
    assert shown["state"] is None


def test_segment_takes_the_champion_or_the_newest_shipped_model(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(1)
    card = ModelCard("base-11", ARCHITECTURE, input_size=64)
    save_version(home / "weights", build_network(ARCHITECTURE).state_dict(), card)
    picture = np.random.default_rng(0).integers(0, 255, (70, 90), dtype=np.uint8)
    (home / "in").mkdir()
    Image.fromarray(picture).save(home / "in" / "a.png")
    (home / "in" / "b.png").write_text("no picture")
    (home / "catalog.sqlite3").unlink()
    assert cli.run(["segment", str(home / "in"), "--out", str(home / "out"), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [entry.get("model_version") for entry in report] == ["base-11", None]
    with Image.open(home / "out" / "a.label.png") as label_map:
        assert label_map.size == (90, 70)
        assert np.array(label_map).max() <= 3

    (home / "in" / "b.png").unlink()
    with Catalog.open(f"sqlite:///{home / 'catalog.sqlite3'}", str(home / "storage")) as catalog:
        catalog.versions.ensure_base("base-2")
    # The champion's tensors are no network: that it is refused shows that it was the one that was taken.
    assert cli.run(["segment", str(home / "in"), "--out", str(home / "out")]) == 2
    assert "version base-2" in capsys.readouterr().err


def test_card_is_a_page_in_markdown_or_html(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["models", "card", "mine"]) == 0
    assert capsys.readouterr().out.startswith("# Model card: mine\n")
    for name, begin in (("card.md", "# Model card: mine\n"), ("card.html", "<!doctype html>\n")):
        assert cli.run(["models", "card", "mine", "--out", str(home / "pages" / name)]) == 0
        assert (home / "pages" / name).read_text().startswith(begin)
    assert cli.run(["models", "card", "mine", "--out", str(home / "card.pdf")]) == 2
    assert ".md or .html" in capsys.readouterr().err
    assert not (home / "card.pdf").exists()
    assert cli.run(["models", "card", "nobody"]) == 2


def test_card_tells_what_was_decided(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["models", "promote", "mine", "--reason", "better on our scanner"]) == 0
    capsys.readouterr()
    assert cli.run(["models", "card", "mine"]) == 0
    page = capsys.readouterr().out
    assert "Promoted by a person." in page
    assert "- better on our scanner" in page
