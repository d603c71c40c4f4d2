"""The ML protocol as Label Studio 1.23 speaks it."""

import re
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from chestct.catalog.catalog import Catalog
from chestct.errors import ServiceUnavailableError
from chestct.settings import Settings
from ml_backend.app import create_app
from ml_backend.metrics import Counters
from ml_backend.model import Backend

BRUSH = "brushlabels"


@pytest.fixture
def client(settings: Settings, backend: Backend, study: str) -> FlaskClient:
    return create_app(settings, backend).test_client()


@pytest.fixture
def body(catalog: Catalog, slice_xml: str, study: str) -> dict[str, Any]:
    """A /predict body of the three slices."""
    tasks = [
        {
            "id": 10 + one.index,
            "data": {"image": "/data/upload/x.png", "study": one.study_name, "slice": one.index},
        }
        for one in catalog.slices.all()
    ]
    return {"tasks": tasks, "project": "7.1767225600", "label_config": slice_xml, "params": {"context": None}}


def predict(client: FlaskClient, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    return answer.get_json()["results"]


def test_health_and_setup_answer_what_label_studio_expects(client: FlaskClient, slice_xml: str) -> None:
    assert client.get("/health").get_json() == {"status": "UP"}
    setup = {"project": "7.1", "schema": slice_xml, "hostname": "http://x", "access_token": "t"}
    assert client.post("/setup", json=setup).get_json() == {"model_version": "base-1"}


def test_setup_names_what_the_configuration_lacks(client: FlaskClient) -> None:
    answer = client.post("/setup", json={"schema": '<View><Image name="i" value="$i"/></View>'})
    assert answer.status_code == 400
    assert "Consolidation" in answer.get_json()["detail"]


def test_one_result_for_each_task_in_order(client: FlaskClient, body: dict[str, Any]) -> None:
    results = predict(client, body)
    painted = [[region["value"][BRUSH][0] for region in one["result"]] for one in results]
    assert painted == [["Ground glass"], ["Consolidation"], []]
    assert {one["model_version"] for one in results} == {"base-1"}


def test_predictions_come_from_the_catalog_the_second_time(
    client: FlaskClient, body: dict[str, Any], segmenters: dict[str, Any]
) -> None:
    assert predict(client, body) == predict(client, body)
    assert segmenters["base-1"].calls == 3


def test_what_cannot_be_predicted_fails_alone_and_names_no_real_version(
    client: FlaskClient, body: dict[str, Any], backend: Backend
) -> None:
    broken = [
        {"id": 1, "data": {"image": "http://169.254.169.254/"}},
        "no task",
        {"id": 2, "data": {"image": "/data/local-files/?d=../../etc/passwd"}},
        {"id": 3},
    ]
    results = predict(client, {**body, "tasks": [*broken, body["tasks"][0]]})
    failed = {"result": [], "score": 0.0, "model_version": "base-1 failed"}
    assert results[:4] == [failed] * 4
    assert results[4]["model_version"] == "base-1"
    assert 'lungloop_predicted_tasks_total{outcome="failed"} 4' in client.get("/metrics").text


def test_a_surprise_in_one_task_costs_only_that_task(
    client: FlaskClient, body: dict[str, Any], backend: Backend
) -> None:
    def surprise(pixels: Any) -> bool:
        if pixels.max() == 150:
            raise RuntimeError("out of memory")
        return False

    backend.champion.segmenter().fails_on = surprise  # type: ignore[attr-defined]
    versions = [one["model_version"] for one in predict(client, body)]
    assert versions == ["base-1 failed", "base-1", "base-1"]


def test_without_a_champion_or_a_configuration_every_task_fails_softly(
    settings: Settings, backend: Backend, slice_xml: str
) -> None:
    client = create_app(settings, backend).test_client()
    assert client.post("/setup", json={"schema": slice_xml}).status_code == 503
    results = predict(client, {"tasks": [{}, {}], "label_config": slice_xml})
    assert [one["model_version"] for one in results] == ["no model failed"] * 2
    assert len(predict(client, {"tasks": [{}, {}, {}], "label_config": "<View/>"})) == 3


def test_a_promotion_by_another_process_is_served_at_once(
    client: FlaskClient, body: dict[str, Any], catalog: Catalog
) -> None:
    predict(client, body)
    catalog.versions.register("retrained-2", "base-1", None)
    catalog.versions.set_champion("retrained-2")
    assert client.post("/setup", json={}).get_json() == {"model_version": "retrained-2"}
    assert {one["model_version"] for one in predict(client, body)} == {"retrained-2"}
    catalog.versions.rollback()
    assert {one["model_version"] for one in predict(client, body)} == {"base-1"}


def test_concurrent_identical_requests_compute_each_slice_once(
    settings: Settings, backend: Backend, body: dict[str, Any], segmenters: dict[str, Any]
) -> None:
    app = create_app(settings, backend)
    segmenter: Any = backend.champion.segmenter()
    segmenter.may_go_on.clear()
    answers: list[list[dict[str, Any]]] = []
    one_task = {**body, "tasks": body["tasks"][:1]}
    threads = [
        threading.Thread(target=lambda: answers.append(predict(app.test_client(), one_task)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert segmenter.has_begun.wait(10)
    time.sleep(0.1)
    segmenter.may_go_on.set()
    for thread in threads:
        thread.join(20)
    assert segmenter.calls == 1
    assert len(answers) == 4
    assert all(answer == answers[0] for answer in answers)


def test_other_routes_answer_while_a_prediction_is_computed(
    settings: Settings, backend: Backend, body: dict[str, Any], study: str
) -> None:
    app = create_app(settings, backend)
    segmenter: Any = backend.champion.segmenter()
    segmenter.may_go_on.clear()
    busy = threading.Thread(target=predict, args=(app.test_client(), body))
    busy.start()
    assert segmenter.has_begun.wait(10)
    client = app.test_client()
    for call, limit_seconds in (
        (lambda: client.get("/health"), 1.0),
        (lambda: client.post("/setup", json={}), 3.0),
        (lambda: client.post("/webhook", json={"action": "START_TRAINING", "project": {"id": 7}}), 1.0),
    ):
        started_at = time.perf_counter()
        assert call().status_code == 200
        assert time.perf_counter() - started_at < limit_seconds
    segmenter.may_go_on.set()
    busy.join(20)


def test_what_does_not_fit_the_time_limit_is_left_to_a_job(
    settings: Settings, backend: Backend, body: dict[str, Any], queue: Any
) -> None:
    now = [0.0]

    def takes_an_hour(pixels: Any) -> bool:
        now[0] += 3600
        return False

    backend.predictor.clock = lambda: now[0]
    backend.champion.segmenter().fails_on = takes_an_hour  # type: ignore[attr-defined]
    client = create_app(settings, backend).test_client()
    versions = [one["model_version"] for one in predict(client, body)]
    assert versions == ["base-1", "base-1 failed", "base-1 failed"]
    assert queue.asked == [("preannotate",)]
    queue.is_down = True
    now[0] = 0.0
    assert len(predict(client, body)) == 3


def test_hundreds_of_tasks_of_one_slice_are_computed_once(
    client: FlaskClient, body: dict[str, Any], segmenters: dict[str, Any]
) -> None:
    assert len(predict(client, {**body, "tasks": body["tasks"][:1] * 300})) == 300
    assert segmenters["base-1"].calls == 1


@pytest.mark.parametrize(
    ("event", "asked"),
    [
        ({"action": "ANNOTATION_CREATED", "annotation": {"id": 1, "task": 5}}, ("sync", 5)),
        ({"action": "ANNOTATION_UPDATED", "annotation": {"id": 1, "task": {"id": 5}}}, ("sync", 5)),
        ({"action": "ANNOTATIONS_CREATED", "annotation": [{"task": 5}, {"task": 6}]}, ("sync", None)),
        ({"action": "ANNOTATIONS_CREATED", "annotation": [{"task": 5}]}, ("sync", 5)),
        ({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}]}, ("sync", None)),
    ],
)
def test_an_annotation_event_only_asks_for_a_sync(
    client: FlaskClient, queue: Any, catalog: Catalog, event: dict[str, Any], asked: tuple[object, ...]
) -> None:
    answer = client.post("/webhook", json={"project": {"id": 7}, **event})
    assert (answer.status_code, answer.get_json()["status"]) == (200, "queued")
    assert queue.asked == [asked]
    assert catalog.corrections.all() == []


def test_start_training_is_kept_in_the_catalog_even_while_the_queue_is_down(
    client: FlaskClient, queue: Any, catalog: Catalog
) -> None:
    event = {"action": "START_TRAINING", "project": {"id": 7}}
    assert client.post("/webhook", json=event).status_code == 200
    queue.is_down = True
    answer = client.post("/webhook", json=event)
    assert (answer.status_code, answer.get_json()["error"]) == (503, "service unavailable")
    assert [request.requested_by for request in catalog.requests.pending()] == ["button", "button"]


def test_events_of_other_projects_and_other_kinds_are_ignored(client: FlaskClient, queue: Any) -> None:
    for event in (
        {"action": "ANNOTATION_CREATED", "annotation": {"task": 1}, "project": {"id": 8}},
        {"action": "TASKS_CREATED", "project": {"id": 7}},
        {"action": "anything"},
    ):
        assert client.post("/webhook", json=event).get_json()["status"] == "ignored"
    assert queue.asked == []


@pytest.mark.parametrize(
    ("path", "arguments", "status"),
    [
        ("/predict", {"data": "{", "content_type": "application/json"}, 400),
        ("/predict", {"json": []}, 400),
        ("/predict", {"json": {}}, 400),
        ("/predict", {"json": {"tasks": {}, "label_config": ""}}, 400),
        ("/predict", {"json": {"tasks": []}}, 400),
        ("/predict", {"data": "[" * 100_000, "content_type": "application/json"}, 400),
        ("/predict", {"data": "tasks=1"}, 415),
        ("/webhook", {"json": {}}, 400),
        ("/webhook", {"data": "{}", "content_type": "text/plain"}, 415),
        ("/setup", {"json": {"schema": 5}}, 400),
        ("/setup", {"json": {"schema": "<!DOCTYPE x><View/>"}}, 400),
        ("/nowhere", {"json": {}}, 404),
        ("/health", {"json": {}}, 405),
    ],
)
def test_a_callers_fault_is_told_in_json(
    client: FlaskClient, path: str, arguments: dict[str, Any], status: int
) -> None:
    answer = client.post(path, **arguments)
    assert answer.status_code == status
    assert set(answer.get_json()) == {"error", "detail"}
    assert "Traceback" not in answer.text


def test_a_body_over_the_limit_is_refused(settings: Settings, backend: Backend) -> None:
    app = create_app(settings, backend)
    app.config["MAX_CONTENT_LENGTH"] = 100
    answer = app.test_client().post("/predict", json={"tasks": ["x" * 200]})
    assert (answer.status_code, set(answer.get_json())) == (413, {"error", "detail"})


def test_our_own_fault_tells_nothing_of_the_inside(settings: Settings, backend: Backend) -> None:
    def broken() -> None:
        raise RuntimeError("secret")

    app = create_app(settings, backend)
    app.add_url_rule("/broken", "broken", broken)
    answer = app.test_client().get("/broken")
    assert answer.status_code == 500
    assert answer.get_json()["error"] == "internal error"
    assert "secret" not in answer.text


def test_versions_and_metrics_tell_what_is_known(
    client: FlaskClient, body: dict[str, Any], catalog: Catalog
) -> None:
    catalog.versions.register("retrained-2", "base-1", None)
    assert client.get("/versions").get_json() == {"versions": ["base-1", "retrained-2"]}
    predict(client, body)
    lines = client.get("/metrics").text.splitlines()
    assert 'lungloop_predicted_tasks_total{outcome="computed"} 3.0' in lines
    assert 'lungloop_requests_total{route="/predict",status="200"} 1.0' in lines
    assert "lungloop_slices 3.0" in lines
    assert 'lungloop_champion_info{version="base-1"} 1.0' in lines
    release = 'name="base-1",open_studies_version=""'
    assert f'lungloop_release_info{{default="base-1",{release}}} 1.0' in lines


def test_a_catalog_that_does_not_answer_is_503_and_health_stays_up(
    settings: Settings, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise ServiceUnavailableError("the database", "is locked")

    monkeypatch.setattr(type(backend.catalog.versions), "release", down)
    client = create_app(settings, backend).test_client()
    assert client.get("/health").status_code == 200
    assert client.post("/setup", json={}).status_code == 503
    assert client.get("/").status_code == 503
    assert "lungloop_database_up 0" in client.get("/metrics").text


def test_with_a_key_every_call_but_health_shows_it(settings: Settings, backend: Backend, study: str) -> None:
    client = create_app(replace(settings, backend_key="söcret"), backend).test_client()
    assert client.get("/health", base_url="http://backend:9090").status_code == 200
    shown = client.post("/setup", json={}, base_url="http://backend:9090", auth=("lungloop", "söcret"))
    assert shown.status_code == 200
    assert client.post("/setup", json={}, auth=("other", "söcret")).status_code == 401
    assert client.post("/setup", json={}, auth=("lungloop", "wrong")).status_code == 401
    for path in ("/", "/versions", "/metrics", "/static/page.css", "/nowhere"):
        refused = client.get(path)
        assert (refused.status_code, refused.get_json()["error"]) == (401, "not allowed")
        assert "Basic" in refused.headers["WWW-Authenticate"]


def test_a_token_header_is_a_key_too(settings: Settings, backend: Backend, study: str) -> None:
    client = create_app(replace(settings, backend_key="k" * 40), backend).test_client()
    for header, status in (("Token " + "k" * 40, 200), ("Token k", 401), ("Bearer " + "k" * 40, 401)):
        assert client.get("/versions", headers={"Authorization": header}).status_code == status


@pytest.mark.parametrize(
    ("host", "remote", "status"),
    [
        ("127.0.0.1:9090", "127.0.0.1", 200),
        ("localhost", "127.0.0.1", 200),
        ("[::1]:9090", "::1", 200),
        ("evil.test", "127.0.0.1", 403),
        ("localhost.evil.test", "127.0.0.1", 403),
        ("localhost", "192.0.2.7", 403),
    ],
)
def test_without_a_key_only_this_machine_is_served(
    client: FlaskClient, host: str, remote: str, status: int
) -> None:
    answer = client.get("/versions", headers={"Host": host}, environ_base={"REMOTE_ADDR": remote})
    assert answer.status_code == status


def test_a_scraper_reads_every_number_and_two_applications_share_none(
    settings: Settings, backend: Backend, client: FlaskClient
) -> None:
    client.get("/nowhere")
    families = {family.name: family for family in text_string_to_metric_families(client.get("/metrics").text)}
    (sample,) = families["lungloop_requests"].samples
    assert sample.labels == {"route": "unknown", "status": "404"}
    assert "lungloop_slices" in families
    assert not [name for name in families if name.endswith("_created")]
    other = create_app(settings, replace(backend, counters=Counters())).test_client()
    assert "unknown" not in other.get("/metrics").text


def test_each_answer_names_its_request_by_the_callers_id_or_one_of_ours(client: FlaskClient) -> None:
    assert client.get("/health", headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    # A foreign id goes into our logs: nothing but a short word is taken over.
    for sent in ("", "x" * 200, "two words"):
        ours = client.get("/health", headers={"X-Request-ID": sent}).headers["X-Request-ID"]
        assert re.fullmatch("[0-9a-f]{32}", ours)
