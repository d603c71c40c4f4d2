"""The adapter under label-studio-ml: 1.0.9 as released, 2.x by a stand-in of its base class.

2.x is on no package index, so its base class is imitated here: what it calls and in which order.
"""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from chestct.catalog.catalog import Catalog

REPOSITORY = Path(__file__).parents[2]
PYTHON_1_0_9 = REPOSITORY / ".venv-label-studio-ml" / "bin" / "python"

# Both run in a process of their own: label_studio_ml must not be importable in this one.
FAKE_SEGMENTER = """
import numpy as np
from chestct.prediction import SlicePrediction
from ml_backend import model

class Segmenter:
    version = "base-1"
    involvement_calibration = None
    def segment(self, pixels, intensity):
        return SlicePrediction((pixels > 100).astype(np.uint8), 0.25, 0.1)

model.load_with_torch = lambda settings: lambda version: Segmenter()
"""
SERVE_1_0_9 = """
import json, sys
from label_studio_ml.api import init_app
from ml_backend.label_studio_ml_adapter import LungLoopMLBase
app = init_app(LungLoopMLBase, model_dir=sys.argv[1])
call = app.test_client()
body = json.load(sys.stdin)
setup = {"project": "7.1", "schema": body["label_config"], "hostname": "", "access_token": ""}
answers = {
    "health": call.get("/health"),
    "setup": call.post("/setup", json=setup),
    "predict": call.post("/predict", json=body),
}
print(json.dumps({name: [answer.status_code, answer.get_json()] for name, answer in answers.items()}))
"""
STAND_IN_2 = """
import json, sys, types

class LabelStudioMLBase:
    cache = {}
    def __init__(self, project_id=None, label_config=None):
        self.project_id = project_id or ""
        if label_config is not None:
            self.set("label_config", label_config)
        self.setup()
    def setup(self): ...
    def get(self, key): return self.cache.get((self.project_id, key))
    def set(self, key, value): self.cache[self.project_id, key] = value
    @property
    def label_config(self): return self.get("label_config")
    @property
    def model_version(self): return self.get("model_version")
    def predict(self, tasks, context=None, **kwargs): raise NotImplementedError
    def fit(self, event, data, **kwargs): ...

package, module = types.ModuleType("label_studio_ml"), types.ModuleType("label_studio_ml.model")
module.LabelStudioMLBase = LabelStudioMLBase
sys.modules |= {"label_studio_ml": package, "label_studio_ml.model": module}
from ml_backend.label_studio_ml_adapter import LungLoopMLBase

body = json.load(sys.stdin)
model = LungLoopMLBase(project_id="7", label_config=body["label_config"])
print(json.dumps({
    "version": model.model_version,
    "predict": model.predict(body["tasks"], context=None, login="", password=""),
    "fit": [model.fit("TASKS_CREATED", {}), model.fit((), event="TASKS_CREATED", data={})],
}))
"""


@pytest.fixture
def body(catalog: Catalog, study: str, slice_xml: str) -> dict[str, Any]:
    tasks = [{"id": 1, "data": {"image": "x", "study": study, "slice": 0}}, {"id": 2, "data": {}}]
    return {"tasks": tasks, "project": "7.1", "label_config": slice_xml, "params": {"context": None}}


def run(python: Path | str, script: str, body: dict[str, Any], folder: Path) -> dict[str, Any]:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("LUNGLOOP_")},
        "PYTHONPATH": str(REPOSITORY),
        "OMP_NUM_THREADS": "1",
        "LUNGLOOP_HOME": str(folder),
        "LUNGLOOP_DATABASE_URL": f"sqlite:///{folder / 'catalog.sqlite3'}",
        "LUNGLOOP_STORAGE_URL": str(folder / "storage"),
    }
    (folder / "models").mkdir()
    answer = subprocess.run(
        [python, "-c", textwrap.dedent(FAKE_SEGMENTER + script), str(folder / "models")],
        input=json.dumps(body),
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


@pytest.mark.skipif(
    not PYTHON_1_0_9.is_file(), reason="no environment of label-studio-ml 1.0.9: `make test` makes it"
)
def test_label_studio_ml_1_0_9_serves_the_model(body: dict[str, Any], tmp_path: Path) -> None:
    answers = run(PYTHON_1_0_9, SERVE_1_0_9, body, tmp_path)
    assert answers["health"][0] == 200
    assert answers["health"][1]["status"] == "UP"
    # 1.0.9 says "INITIAL" until a job of its own has run; the results carry the true version.
    assert answers["setup"] == [200, {"model_version": "INITIAL"}]
    status, predicted = answers["predict"]
    assert status == 200
    assert [one["model_version"] for one in predicted["results"]] == ["base-1", "base-1 failed"]
    (region,) = predicted["results"][0]["result"]
    assert region["value"]["brushlabels"] == ["Ground glass"]


def test_the_shape_of_label_studio_ml_2_is_served(body: dict[str, Any], tmp_path: Path) -> None:
    answers = run(sys.executable, STAND_IN_2, body, tmp_path)
    assert answers["version"] == "base-1"
    assert [one["model_version"] for one in answers["predict"]] == ["base-1", "base-1 failed"]
    assert answers["fit"] == [{"status": "ignored"}, {"status": "ignored"}]
