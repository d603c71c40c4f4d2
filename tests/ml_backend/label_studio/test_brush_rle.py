"""Brush RLE: byte-identical with Label Studio's SDK, and safe against what anybody may send."""

import contextlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chestct.errors import InputError
from ml_backend.label_studio import brush_rle

SDK_PYTHON = Path(__file__).parents[3] / ".venv-label-studio" / "bin" / "python"
ORACLE = """
import json, sys
import numpy as np
from label_studio_sdk.converter.brush import decode_rle, mask2rle
for line in sys.stdin:
    case = json.loads(line)
    shape = case["shape"]
    bits = np.unpackbits(np.array(case["bits"], dtype=np.uint8))[: shape[0] * shape[1]]
    mask = bits.reshape(shape) * np.uint8(255)
    decoded = decode_rle(case["rle"]).reshape(*shape, 4)[:, :, 3]
    same_bytes, reads_ours = mask2rle(mask) == case["rle"], bool((decoded == mask).all())
    print(json.dumps({"same_bytes": same_bytes, "reads_ours": reads_ours}))
"""

masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))


@given(masks)
@settings(max_examples=150, deadline=None)
def test_any_mask_survives_the_round_trip(mask: np.ndarray) -> None:
    assert (brush_rle.decode_mask(brush_rle.encode(mask), *mask.shape) == mask).all()


def test_four_by_one_mask_is_packed_as_counted_by_hand() -> None:
    # 16 values; 8-bit words; run sizes 3, 4, 8, 16. Then: a run (1) of size 0 (00) of 8 zeros
    # (111) 00000000, and the same of 8 values of 255; then padding to a whole byte.
    bits = (
        f"{16:032b}" + f"{7:05b}" + f"{2:04b}{3:04b}{7:04b}{15:04b}"
        "1" "00" "111" "00000000"
        "1" "00" "111" "11111111"
    )  # fmt: skip
    bits += "0" * (8 - len(bits) % 8)
    by_hand = [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]
    assert brush_rle.encode(np.array([[False, False, True, True]])) == by_hand


@pytest.mark.skipif(not SDK_PYTHON.is_file(), reason="no Label Studio environment: `make up` makes it")
def test_bytes_are_those_of_label_studios_sdk() -> None:
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:300, :200]
    shapes = [
        np.zeros((3, 5), bool),
        np.ones((1, 1), bool),
        np.ones((300, 200), bool),
        rng.random((33, 47)) > 0.5,
        rng.random((200, 300)) > 0.999,
        (rows - 150) ** 2 + (columns - 90) ** 2 < 70**2,
        np.arange(256 * 257).reshape(256, 257) < 2**14,  # exactly one run of 65,536 values
    ]
    cases = [{"shape": m.shape, "bits": np.packbits(m).tolist(), "rle": brush_rle.encode(m)} for m in shapes]
    lines = "\n".join(json.dumps(case) for case in cases)
    answer = subprocess.run(
        [SDK_PYTHON, "-c", ORACLE], input=lines, capture_output=True, text=True, check=True, timeout=120
    )
    found = [json.loads(line) for line in answer.stdout.splitlines()]
    assert found == [{"same_bytes": True, "reads_ours": True}] * len(cases)


def test_values_one_by_one_and_soft_edges_are_read() -> None:
    # The browser packs colours too: here two pixels, (9, 8, 7, 128) and (9, 8, 7, 127), value by value.
    values = [9, 8, 7, 128, 9, 8, 7, 127]
    bits = f"{8:032b}" + f"{7:05b}" + f"{2:04b}{3:04b}{7:04b}{15:04b}" + "0" + "00" + "111"
    bits += "".join(f"{value:08b}" for value in values)
    bits += "0" * (-len(bits) % 8)
    rle = [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]
    assert brush_rle.decode(rle, 1, 2).tolist() == [[128, 127]]
    assert brush_rle.decode_mask(rle, 1, 2).tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("rle", "reason"),
    [
        ([], "cut short"),
        ([0, 0, 0], "cut short"),
        (["a"] * 20, "whole numbers"),
        ([300] * 20, "whole numbers"),
        ([-1] * 20, "whole numbers"),
        (None, "whole numbers"),
        (brush_rle.encode(np.ones((4, 5), bool)), "expected 4 x 4 x 4 = 64"),
        (brush_rle.encode(np.ones((4, 4), bool))[:-2], "cut short"),
        ([255, 255, 255, 255, *brush_rle.encode(np.ones((4, 4), bool))[4:]], "expected 4 x 4 x 4 = 64"),
    ],
)
def test_hostile_rle_is_refused_with_its_reason(rle: list[int], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        brush_rle.decode(rle, 4, 4)


def test_a_run_that_leaves_the_picture_is_refused() -> None:
    bits = f"{64:032b}" + f"{7:05b}" + f"{2:04b}{3:04b}{7:04b}{15:04b}" + "1" + "11" + "1" * 16 + "1" * 8
    bits += "0" * (-len(bits) % 8)
    rle = [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]
    with pytest.raises(InputError, match="leaves the picture"):
        brush_rle.decode(rle, 4, 4)


@given(st.lists(st.integers(0, 255), max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(data: list[int]) -> None:
    header = brush_rle.encode(np.zeros((4, 4), bool))[:6]
    with contextlib.suppress(InputError):
        assert brush_rle.decode([*header, *data], 4, 4).shape == (4, 4)
