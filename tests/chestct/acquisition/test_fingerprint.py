"""Difference hashes of pictures whose 64 comparisons can be told by eye."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestct.acquisition.fingerprint import fingerprint, thumbnail
from chestct.errors import InputError


def stairs(width: int = 9, height: int = 8) -> np.ndarray:
    """(height, width) uint8, ten grey levels brighter from one ninth of the width to the next."""
    levels = (np.arange(width) * 9 // width * 10).astype(np.uint8)
    return np.tile(levels, (height, 1))


def test_where_every_cell_is_followed_by_a_brighter_one_all_bits_are_set() -> None:
    assert fingerprint(stairs()) == 2**64 - 1


def test_where_none_is_no_bit_is_set() -> None:
    assert fingerprint(stairs()[:, ::-1]) == 0


def test_the_first_bit_is_the_upper_left_comparison() -> None:
    picture = np.zeros((8, 9), np.uint8)
    picture[0, 1:] = 50
    assert fingerprint(picture) == 2**63
    picture = np.zeros((8, 9), np.uint8)
    picture[7, 8] = 50
    assert fingerprint(picture) == 1


@pytest.mark.parametrize("height, width", [(8, 9), (64, 90), (37, 500), (512, 512), (3, 9)])
def test_size_and_shape_of_the_picture_do_not_matter(height: int, width: int) -> None:
    assert fingerprint(stairs(width, height)) == 2**64 - 1


def test_noise_in_air_sets_no_bit() -> None:
    noise = np.random.default_rng(0).integers(0, 3, (64, 72)).astype(np.uint8)
    assert fingerprint(noise) == 0


@given(st.integers(0, 100))
def test_a_picture_made_brighter_all_over_keeps_its_fingerprint(brighter: int) -> None:
    assert fingerprint(stairs(90, 80) + np.uint8(brighter)) == fingerprint(stairs(90, 80))


def test_a_small_change_moves_few_bits_and_another_picture_many() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (8, 9)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
    spotted = picture.copy()
    spotted[:16, :16] = 255
    other = np.random.default_rng(2).integers(0, 255, (8, 9)).astype(np.uint8)
    assert (fingerprint(picture) ^ fingerprint(spotted)).bit_count() <= 1
    assert (fingerprint(picture) ^ fingerprint(other)).bit_count() > 16


@pytest.mark.parametrize("shape", [(0, 9), (8, 9, 3), (9,)])
def test_what_is_no_picture_is_refused_with_its_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="expected \\(H, W\\)"):
        fingerprint(np.zeros(shape, np.uint8))


@given(st.integers(1, 3), st.integers(0, 40))
def test_a_thumbnail_knows_neither_size_nor_brightness_nor_contrast(factor: int, brighter: int) -> None:
    picture = np.random.default_rng(1).integers(0, 100, (64, 64)).astype(np.uint8)
    other = np.kron(picture * 2 + brighter, np.ones((factor, factor))).astype(np.uint8)
    assert float(thumbnail(picture) @ thumbnail(other)) == pytest.approx(1.0, abs=1e-5)
    assert float(thumbnail(picture) @ thumbnail(255 - picture)) == pytest.approx(-1.0, abs=1e-5)


def test_a_picture_without_contrast_correlates_with_nothing() -> None:
    flat = thumbnail(np.full((200, 300), 77, np.uint8))
    assert flat.shape == (64 * 64,)
    assert not flat.any()
