"""Lots are drawn once for each slice and never move."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chestct.acquisition.allocation import Allocation, Arm, Shares, draw
from chestct.catalog.catalog import Catalog


@pytest.fixture
def slices(catalog, make_study):
    catalog.studies.add(make_study(slice_count=20), "nifti")
    return catalog.slices.all()


def test_a_slice_gets_the_lot_of_its_key(catalog, slices):
    shares = Shares(control=0.4, unassisted=0.4, double_read=0.4)
    catalog.allocations.allocate([one.id for one in slices[:15]], shares)
    assert catalog.allocations.all() == {one.id: draw(one.key, shares) for one in slices[:15]}
    assert catalog.allocations.of_slice(slices[0].id) == draw(slices[0].key, shares)
    assert catalog.allocations.of_slice(slices[15].id) is None


def test_what_was_drawn_stays_when_the_shares_change(catalog, slices):
    nothing = Shares(control=0.0, unassisted=0.0, double_read=0.0)
    catalog.allocations.allocate([one.id for one in slices[:5]], nothing)
    catalog.allocations.allocate(
        [one.id for one in slices], Shares(control=0.5, unassisted=0.99, double_read=0.99)
    )
    drawn = catalog.allocations.all()
    assert {drawn[one.id] for one in slices[:5]} == {Allocation(Arm.ACTIVE, True, False)}
    assert len(drawn) == 20
    assert {drawn[one.id].prelabelled for one in slices[5:]} == {False}


def test_another_catalog_draws_the_same_in_another_order(catalog, slices, make_study, tmp_path):
    shares = Shares(control=0.5, unassisted=0.5, double_read=0.5)
    catalog.allocations.allocate([one.id for one in slices], shares)
    with Catalog.open(f"sqlite:///{tmp_path / 'other.sqlite3'}", str(tmp_path / "other")) as other:
        other.studies.add(make_study("another first", seed=5), "nifti")
        other.studies.add(make_study(slice_count=20), "nifti")
        by_key = {one.key: one.id for one in other.slices.all()}
        other.allocations.allocate([by_key[one.key] for one in reversed(slices)], shares)
        assert [other.allocations.of_slice(by_key[one.key]) for one in slices] == [
            catalog.allocations.of_slice(one.id) for one in slices
        ]


def test_draws_at_once_leave_one_lot_a_slice(catalog, slices):
    ids = [one.id for one in slices]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: catalog.allocations.allocate(ids, Shares()), range(8)))
    assert catalog.allocations.all() == {one.id: draw(one.key, Shares()) for one in slices}
