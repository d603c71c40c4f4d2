"""Fingerprints come with a study, and to studies from before when they are asked for."""

import numpy as np
import pytest
import sqlalchemy as sa

from chestct.acquisition.fingerprint import fingerprint
from chestct.catalog import tables
from chestct.catalog.incoming import kept_fingerprint
from chestct.catalog.pixels import from_png
from chestct.derived.fingerprints import fill_fingerprints
from chestct.intensity import Intensity

_FALLING = np.tile(np.linspace(250, 0, 32).astype(np.uint8), (32, 1))


def kept(catalog):
    query = sa.select(tables.slices.c.fingerprint).order_by(tables.slices.c.id)
    with catalog._database.reading() as connection:
        return list(connection.execute(query).scalars())


@pytest.fixture
def forgotten(catalog, make_study):
    """Slices as a version before fingerprints left them, and what they ought to have."""
    pictures = [_FALLING[:, ::-1], _FALLING, np.roll(_FALLING, 9, axis=1)]
    catalog.studies.add(make_study(slices=pictures, intensity=Intensity.PICTURE), "images")
    known = kept(catalog)
    with catalog._database.writing() as connection:
        connection.execute(sa.update(tables.slices).values(fingerprint=None))
    return catalog.slices.all(), known


def test_a_new_study_has_the_fingerprints_of_the_pictures_that_readers_see(catalog, make_study):
    random = np.random.default_rng(3)
    slices = [random.integers(-1000, 400, (32, 32)).astype(np.int16) for _ in range(4)]
    catalog.studies.add(make_study(slices=slices), "nifti")
    shown = [from_png(catalog.slices.read_picture(one), "picture") for one in catalog.slices.all()]
    assert [number % 2**64 for number in kept(catalog)] == [fingerprint(picture) for picture in shown]


def test_a_fingerprint_fits_a_signed_number():
    # Every cell is followed by a brighter one, so all 64 bits are set.
    assert fingerprint(_FALLING[:, ::-1]) == 2**64 - 1
    assert kept_fingerprint(_FALLING[:, ::-1]) == -1
    assert kept_fingerprint(_FALLING) == 0


def test_missing_fingerprints_are_worked_out_of_open_slices_first(catalog, forgotten, correct):
    slices, known = forgotten
    correct(slices[0].id, label_map=np.ones((32, 32), np.uint8))
    assert fill_fingerprints(catalog, limit=2) == 2
    assert kept(catalog) == [None, *known[1:]]
    assert fill_fingerprints(catalog) == 1
    assert kept(catalog) == known
    assert fill_fingerprints(catalog) == 0


def test_a_picture_that_is_lost_or_damaged_counts_as_unknown_and_is_named(catalog, forgotten, caplog):
    slices, known = forgotten
    catalog.storage.local_path(slices[0].picture_path).write_bytes(b"damaged")
    catalog.storage.local_path(slices[1].picture_path).unlink()
    assert fill_fingerprints(catalog) == 3
    assert kept(catalog) == [0, 0, known[2]]
    assert slices[0].picture_path in caplog.text
    assert slices[1].picture_path in caplog.text
