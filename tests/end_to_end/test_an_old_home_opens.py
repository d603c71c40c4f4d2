"""`lungloop up` on a home that the code at e944d34 made, at another path and on other ports.

Its Label Studio project, readers, annotations, pre-labels, champion and weights are all there, and the loop
goes on. What needs no service: `tests/contracts/test_old_home.py`.
"""

import json
from collections.abc import Iterator
from typing import Any

import old_home
import pytest
from running_stack import Stack, start_stack, stop_stack, wait_until

pytestmark = pytest.mark.end_to_end

Json = dict[str, Any]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack on the unpacked home; its data, one study that it knows, is offered to it again."""
    root = old_home.unpack(tmp_path_factory.mktemp("old"))
    running = start_stack(
        root / old_home.HOME, root / old_home.DATA, root / old_home.WEIGHTS, LUNGLOOP_SYNC_SECONDS="3600"
    )
    yield running
    stop_stack(running)


@pytest.fixture(scope="module")
def expected() -> Json:
    return old_home.expected()


def of_project(stack: Stack, kind: str) -> list[Json]:
    """Tasks of the project of slices or of studies, whichever of them is in use."""
    notes = json.loads((stack.home / "label-studio-project.json").read_text())
    query = {"project": notes[kind]["project_id"], "fields": "all", "page_size": 500}
    with stack.label_studio as client:
        answer = client.get("/api/tasks/", params=query)
        answer.raise_for_status()
        return old_home.in_label_studio(answer.json()["tasks"])


def test_counts_champion_and_versions_are_what_they_were(stack: Stack, expected: Json) -> None:
    status = stack.json("status")
    assert set(status["services"].values()) == {"up"}
    assert old_home.lost(status, {name: expected[name] for name in ("counts", "champion")}) == []
    # `up` may make a shipped version known that came after; it is no champion by that.
    listed = {one["version"]: one for one in stack.json("models", "list")}
    assert old_home.lost(listed, {one["version"]: one for one in expected["versions"]}) == []


@pytest.mark.parametrize("kind", ["slice", "study"])
def test_label_studio_holds_every_task_annotation_and_prelabel(
    stack: Stack, expected: Json, kind: str
) -> None:
    before = {task["id"]: task for task in expected["label_studio"][kind]}
    now = {task["id"]: task for task in of_project(stack, kind)}
    assert now.keys() == before.keys()
    for number, task in before.items():
        assert now[number]["data"] == task["data"]
        assert now[number]["annotations"] == task["annotations"]
        # Newer code may add pre-labels; what a reader started from stays.
        assert [one for one in now[number]["predictions"] if one in task["predictions"]] == task[
            "predictions"
        ]


def test_the_slices_are_served_from_where_the_home_lies_now(stack: Stack) -> None:
    with stack.label_studio as client:
        for task in of_project(stack, "slice"):
            for address in (task["data"]["image"], *task["data"]["doubt"]):
                picture = client.get(address)
                assert picture.is_success, picture.text
                assert picture.headers["content-type"] == "image/png"


def test_label_studio_works_with_the_champion_and_the_new_address(stack: Stack, expected: Json) -> None:
    with stack.label_studio as client:
        project = client.get(f"/api/projects/{stack.facts['project_id']}/").json()
        backends = client.get("/api/ml/", params={"project": stack.facts["project_id"]}).json()
        hooks = client.get("/api/webhooks/", params={"project": stack.facts["project_id"]}).json()
        people = {one["email"] for one in client.get("/api/users/").json()}
    assert project["model_version"] == expected["champion"]
    assert [(one["title"], one["url"].rstrip("/")) for one in backends] == [
        (expected["champion"], stack.facts["backend_url"].rstrip("/"))
    ]
    assert [one["url"] for one in hooks] == [stack.facts["backend_url"].rstrip("/") + "/webhook"]
    assert people == {"reader@lungloop.local", "second@clinic.test"}


def test_a_sync_finds_nothing_that_the_catalog_does_not_hold(stack: Stack) -> None:
    report = stack.json("sync")
    assert all(report[what] == 0 for what in ("created", "updated", "skipped", "deleted")), report
    assert not report["set_aside"]


def test_the_loop_goes_on(stack: Stack, expected: Json) -> None:
    task = next(one for one in stack.tasks() if not one["annotations"])
    prelabel = max(task["predictions"], key=lambda one: one["id"])
    assert prelabel["model_version"] == expected["champion"]
    with stack.label_studio as client:
        client.post(
            f"/api/tasks/{task['id']}/annotations/",
            json={"result": prelabel["result"], "lead_time": 9.0, "parent_prediction": prelabel["id"]},
        ).raise_for_status()
    wait_until(
        "the webhook's correction is counted",
        lambda: stack.json("status")["counts"]["corrected"] == expected["counts"]["corrected"] + 1,
        60,
    )


def test_a_rollback_reaches_label_studio(stack: Stack, expected: Json) -> None:
    former = next(one["version"] for one in expected["versions"] if one["state"] == "retired")
    assert stack.json("models", "rollback")["champion"] == former

    def title() -> str:
        with stack.label_studio as client:
            return client.get(f"/api/ml/{stack.facts['ml_backend_id']}").json()["title"]

    wait_until("the backend's row follows", lambda: title() == former, 120, every=2)
    stack.lungloop("models", "promote", str(expected["champion"]))
    assert stack.json("status")["champion"] == expected["champion"]
