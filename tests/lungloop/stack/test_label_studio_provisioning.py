"""Provisioning a local Label Studio: again changes nothing, a moved backend keeps its row."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from chestct.errors import SettingsError
from chestct.settings import Settings
from lungloop.stack import label_studio
from ml_backend.label_studio.client import LabelStudio


class FakeLabelStudio:
    """As much of Label Studio's API as provisioning asks for."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {
            "projects": [],
            "ml": [],
            "webhooks": [],
            "storages": [],
        }
        self.views: list[str] = []
        self._next = 1

    def answer(self, request: httpx.Request) -> httpx.Response:
        parts = request.url.path.strip("/").split("/")[1:]
        kind = parts[0]
        body = json.loads(request.content) if request.content else {}
        if parts == ["projects", "validate"] or kind == "dm":
            if request.method == "POST" and kind == "dm":
                self.views.append(body["data"]["title"])
            return httpx.Response(200, json=[])
        found = self.rows[kind]
        numbers = [int(part) for part in parts if part.isdecimal()]
        one = next((row for row in found if numbers and row["id"] == numbers[0]), None)
        if numbers and one is None:
            return httpx.Response(404)
        if request.method == "POST":
            one = {"id": self._next, "created_at": f"2026-01-0{self._next}", "is_active": True, **body}
            self._next += 1
            found.append(one)
        elif request.method == "PATCH" and one is not None:
            one.update(body)
        elif request.method == "DELETE" and one is not None:
            found.remove(one)
            return httpx.Response(204)
        listed: Any = {"results": found} if kind == "projects" else found
        return httpx.Response(200, json=listed if one is None else one)


@pytest.fixture
def fake() -> FakeLabelStudio:
    return FakeLabelStudio()


@pytest.fixture
def client(fake: FakeLabelStudio) -> LabelStudio:
    return LabelStudio("http://ls", "token", httpx.MockTransport(fake.answer))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(
        Settings.load({"LUNGLOOP_HOME": str(tmp_path)}),
        label_studio_files_root=str(tmp_path),
        backend_url="http://127.0.0.1:9090",
    )


def test_a_project_is_made_once_and_its_pictures_are_served(
    client: LabelStudio, fake: FakeLabelStudio, settings: Settings
) -> None:
    first = label_studio.ensure_project(client, settings)
    assert label_studio.ensure_project(client, settings) == first
    assert len(fake.rows["projects"]) == 1
    assert [row["path"] for row in fake.rows["storages"]] == [str(settings.home / "storage" / "picture")]
    assert (settings.home / "storage" / "picture").is_dir()


def test_a_renamed_project_stays_ours(client: LabelStudio, fake: FakeLabelStudio, settings: Settings) -> None:
    first = label_studio.ensure_project(client, settings)
    fake.rows["projects"][0]["title"] = "Chest CT, spring"
    assert label_studio.ensure_project(client, settings).id == first.id


def test_a_stranger_that_got_the_id_of_our_deleted_project_is_left_alone(
    client: LabelStudio, fake: FakeLabelStudio, settings: Settings
) -> None:
    first = label_studio.ensure_project(client, settings)
    fake.rows["projects"][0] |= {"title": "Not ours", "created_at": "2027-01-01"}
    assert label_studio.ensure_project(client, settings).id != first.id


def test_a_backend_that_moved_to_another_port_keeps_its_row_and_loses_its_old_webhook(
    client: LabelStudio, fake: FakeLabelStudio, settings: Settings
) -> None:
    project = label_studio.ensure_project(client, settings)
    first = label_studio.connect_backend(client, project.id, settings, "base-1")
    fake.rows["webhooks"].append({"id": 99, "url": "https://elsewhere/hook", "is_active": True})
    moved = replace(settings, backend_url="http://127.0.0.1:9191")
    assert label_studio.connect_backend(client, project.id, moved, "base-2") == first
    assert [(row["url"], row["title"]) for row in fake.rows["ml"]] == [("http://127.0.0.1:9191", "base-2")]
    assert {row["url"] for row in fake.rows["webhooks"]} == {
        "https://elsewhere/hook",
        "http://127.0.0.1:9191/webhook",
    }
    assert client.project(project.id).model_version == "base-2"


def test_slices_and_studies_are_two_projects_and_the_one_in_use_goes_on(
    client: LabelStudio, fake: FakeLabelStudio, settings: Settings
) -> None:
    slices = label_studio.ensure_project(client, settings)
    studies = label_studio.ensure_project(client, replace(settings, tasks="study"))
    assert (slices.title, studies.title) == ("LungLoop", "LungLoop studies")
    assert 'valueList="$images"' in studies.label_config
    assert 'valueList="$images"' not in slices.label_config
    assert fake.views == ["Slices", "Studies"]
    assert label_studio.ensure_project(client, settings) == studies
    assert label_studio.ensure_project(client, replace(settings, tasks="slice")) == slices
    assert label_studio.ensure_project(client, settings) == slices
    assert len(fake.rows["projects"]) == 2


def test_the_project_that_an_earlier_release_noted_is_the_one_of_slices(
    client: LabelStudio, fake: FakeLabelStudio, settings: Settings
) -> None:
    first = label_studio.ensure_project(client, settings)
    fake.rows["projects"][0]["title"] = "Renamed"
    note = settings.home / "label-studio-project.json"
    note.write_text(json.dumps({"project_id": first.id, "uid": first.uid}))
    assert label_studio.ensure_project(client, settings).id == first.id


@pytest.mark.parametrize("note", ["", "[]", '{"in_use": "volumes"}', '{"slice": 7}'])
def test_a_damaged_note_costs_nothing_but_the_look_for_the_title(
    client: LabelStudio, settings: Settings, note: str
) -> None:
    first = label_studio.ensure_project(client, settings)
    (settings.home / "label-studio-project.json").write_text(note)
    assert label_studio.ensure_project(client, settings) == first


@pytest.mark.parametrize("kind", ["slice", "study"])
def test_a_projects_language_changes_when_asked_for_and_stays_otherwise(
    client: LabelStudio, settings: Settings, kind: str
) -> None:
    english = label_studio.ensure_project(client, replace(settings, tasks=kind))
    russian = label_studio.ensure_project(client, replace(settings, tasks=kind, language="ru"))
    assert russian.id == english.id
    assert "Матовое стекло" not in english.label_config
    assert "Матовое стекло" in russian.label_config
    assert label_studio.ensure_project(client, replace(settings, tasks=kind)) == russian


def test_a_configuration_that_an_earlier_release_shipped_is_still_ours_to_change(
    client: LabelStudio, fake: FakeLabelStudio, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    label_studio.ensure_project(client, settings)
    earlier = fake.rows["projects"][0]["label_config"].replace("doubts", "hesitates").strip()
    fake.rows["projects"][0]["label_config"] = earlier
    digest = hashlib.sha256(f"{earlier}\n".encode()).hexdigest()
    monkeypatch.setattr(label_studio, "_SHIPPED_BEFORE", frozenset({digest}))
    updated = label_studio.ensure_project(client, replace(settings, language="en"))
    assert updated.label_config == label_studio.shipped_config("slice", "en")


def test_a_configuration_that_readers_changed_is_left_alone(
    client: LabelStudio, fake: FakeLabelStudio, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    label_studio.ensure_project(client, settings)
    theirs = fake.rows["projects"][0]["label_config"].replace("Header", "Header ")
    fake.rows["projects"][0]["label_config"] = theirs
    assert label_studio.ensure_project(client, replace(settings, language="ru")).label_config == theirs
    assert "readers' own" in capsys.readouterr().err


@pytest.mark.parametrize("storage", ["/elsewhere/storage", "s3://bucket/lungloop"])
def test_a_storage_that_label_studio_cannot_serve_is_refused(settings: Settings, storage: str) -> None:
    with pytest.raises(SettingsError, match="LUNGLOOP_STORAGE_URL"):
        label_studio.pictures_folder(replace(settings, storage_url=storage))
