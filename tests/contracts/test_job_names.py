"""Jobs travel as dotted names between packages that never import each other: each must resolve."""

import importlib
import inspect

import pytest

from chestct.job_queue import names

# What is passed to each, as chestct.job_queue.queue passes it: ids and strings only.
ARGUMENTS: dict[str, list[tuple[int | str, ...]]] = {
    names.SYNC: [(), (7,)],
    names.PREANNOTATE: [()],
    names.FOLLOW_CHAMPION: [("v0001-abcdef01",)],
    names.ORDER: [()],
    names.RETRAIN: [()],
    names.SIMULATE_CELL: [("/simulations/first", "entropy", 0)],
}


@pytest.mark.parametrize("name", names.JOB_NAMES)
def test_a_job_name_is_a_function_that_takes_what_is_sent(name: str) -> None:
    module, _, function = name.rpartition(".")
    found = getattr(importlib.import_module(module), function)
    for arguments in ARGUMENTS[name]:
        inspect.signature(found).bind(*arguments)


def test_every_job_has_a_word_for_status() -> None:
    assert set(names.KINDS) == set(names.JOB_NAMES)
