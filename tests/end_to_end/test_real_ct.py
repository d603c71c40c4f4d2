"""The same loop on real CT: Coronacases slices packed as a MosMedData folder.

The shared slices are 8-bit pictures, so their grey levels are mapped back to HU through the lung
window; that is not the scanner's HU, but a real chest in MosMedData's geometry. Only patients that
the shipped weights were never fitted on are used. Skipped where the research data is absent.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from running_stack import CHECKOUT, Stack, copy_weights, start_stack, stop_stack, wait_until
from test_the_loop_closes import submit

from chestct.intensity import LUNG_WINDOW_HU
from chestct.labels import LESIONS
from chestct.settings import Settings

pytestmark = pytest.mark.end_to_end
_SLICES_EACH = 5
# Coronacases are 512 x 512 rendered at 256: about 1.4 mm a pixel; MosMedData's slices lie 8 mm apart.
_AFFINE_LAS = np.diag([-1.4, 1.4, 8.0, 1.0])


def pack_as_mosmed(shared: Path, out: Path) -> dict[str, np.ndarray]:
    """Writes studies/CT-1/study_NNNN.nii.gz and masks/; gives study -> (S, H, W) lesion masks."""
    with (shared / "covid-ct-seg" / "slices.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "dev-validation"]
    truth = {}
    for number, volume in enumerate(sorted({row["volume"] for row in rows}), start=901):
        inside = [row for row in rows if row["volume"] == volume and int(row["lung_px"]) > 4000]
        chosen = [inside[int(k)] for k in np.linspace(0, len(inside) - 1, _SLICES_EACH + 2)[1:-1]]
        folder = shared / "covid-ct-seg" / volume
        grey, lesion = (
            np.stack([np.asarray(Image.open(folder / kind / f"{int(r['slice']):03d}.png")) for r in chosen])
            for kind in ("ct", "infection")
        )
        low, high = LUNG_WINDOW_HU
        name = f"study_{number:04d}"
        save(
            out / "studies" / "CT-1" / f"{name}.nii.gz",
            np.rint(low + grey / 255 * (high - low)).astype(np.int16),
        )
        save(out / "masks" / f"{name}_mask.nii.gz", (lesion > 127).astype(np.int16))
        truth[name] = lesion > 127
    return truth


def save(path: Path, view: np.ndarray) -> None:
    """A view (S, H, W) as LAS NIfTI: the inverse of rot90 on each slice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = np.stack([np.rot90(part, -1) for part in view], axis=2)
    nibabel.save(nibabel.Nifti1Image(stored, _AFFINE_LAS), path)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, dict[str, np.ndarray]]]:
    shared = Settings.load({}).shared_data
    if shared is None or not (shared / "covid-ct-seg").is_dir():
        pytest.skip("the shared research data is absent (LUNGLOOP_SHARED_DATA)")
    root = tmp_path_factory.mktemp("real")
    truth = pack_as_mosmed(shared, root / "data")
    copy_weights(CHECKOUT / "weights", root / "weights")
    running = start_stack(
        root / "home",
        root / "data",
        root / "weights",
        LUNGLOOP_SYNC_SECONDS="3600",
        LUNGLOOP_RETRAIN_STEPS="12",
    )
    yield running, truth
    stop_stack(running)


def test_the_loop_runs_on_real_ct_and_its_prelabels_agree_with_people(
    real: tuple[Stack, dict[str, np.ndarray]],
) -> None:
    stack, truth = real
    catalog = stack.catalog()
    champion = catalog.versions.champion()
    assert champion is not None
    overlap = marked = 0
    for study in catalog.studies.all():
        for found in catalog.slices.of_study(study.id):
            prediction = catalog.predictions.of_slice(found.id, champion.version)
            assert prediction is not None
            lesion = np.isin(catalog.storage.read_label_map(prediction.label_map_path), LESIONS)
            overlap += 2 * int((lesion & truth[study.name][found.index]).sum())
            marked += int(lesion.sum()) + int(truth[study.name][found.index].sum())
    catalog.close()
    assert overlap / marked > 0.5, "pre-labels of unseen patients overlap with the human masks"

    tasks = sorted(stack.tasks(), key=lambda task: task["id"])
    assert len(tasks) == _SLICES_EACH * len(truth)
    for task in tasks[:_SLICES_EACH]:
        label_map = truth[task["data"]["study"]][task["data"]["slice"]].astype(np.uint8)
        submit(stack, task, label_map, seconds=30)
    wait_until(
        "the corrections arrive", lambda: stack.json("status")["counts"]["corrected"] == _SLICES_EACH, 60
    )
    asked = stack.json("retrain", "--wait")
    newest = stack.json("models", "list")[-1]
    assert newest["parent"] == champion.version, asked
    assert newest["state"] in ("champion", "refused"), newest
    assert newest["decision"]["reasons"], "promoted or refused, the reason is on record"
