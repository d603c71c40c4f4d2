import subprocess
import sys

from chestct.model.torchvision_compat import import_smp


def test_smp_imports_beside_any_torchvision_build():
    assert import_smp().Unet is not None


def test_importing_twice_is_harmless():
    assert import_smp() is import_smp()


def test_the_vocabulary_does_not_load_torch():
    # A command that needs no model must not wait for torch; only a fresh process can tell.
    code = (
        "import sys, chestct.prediction, training.evaluate.metrics, chestct.inference.uncertainty;"
        "import training.evaluate.patient_score;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
