"""The client's HTTP: tokens, faults in the project's words, limits."""

from collections.abc import Callable

import httpx
import pytest

from chestct.errors import InputError, LungLoopError, NotFoundError, ServiceUnavailableError
from chestct.settings import Settings
from ml_backend.label_studio.client import LabelStudio

Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer, token: str = "t" * 40) -> LabelStudio:
    return LabelStudio("http://label-studio.test/", token, httpx.MockTransport(answer))


def test_a_legacy_key_is_sent_as_token() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        return httpx.Response(200, json={"release": "1.23.2"})

    assert client(answer).release() == "1.23.2"
    assert seen == ["Token " + "t" * 40]


def test_a_personal_access_token_buys_an_access_token_and_a_new_one_when_it_is_refused() -> None:
    good = ["access-1"]
    bought: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/token/refresh":
            bought.append(good[0])
            return httpx.Response(200, json={"access": good[0]})
        allowed = request.headers.get("Authorization") == f"Bearer {good[0]}"
        return httpx.Response(200 if allowed else 401, json={"release": "1"})

    label_studio = client(answer, "head.body.signature")
    label_studio.release()
    label_studio.release()
    assert bought == ["access-1"]
    good[0] = "access-2"
    label_studio.release()
    assert bought == ["access-1", "access-2"]


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (httpx.Response(401, json={}), ServiceUnavailableError, "refuses the token"),
        (httpx.Response(302, headers={"Location": "/user/login"}), ServiceUnavailableError, "refuses"),
        (httpx.Response(404, json={}), NotFoundError, "/api/projects/3/"),
        (httpx.Response(400, json={"detail": "too short"}), InputError, "too short"),
        (httpx.Response(500, text="oops"), ServiceUnavailableError, "failed with 500: oops"),
        (httpx.Response(200, text="<html>"), ServiceUnavailableError, "no JSON"),
    ],
)
def test_every_fault_is_told_in_the_projects_words(
    answer: httpx.Response, error: type[LungLoopError], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        client(lambda request: answer).project(3)


def test_a_dropped_connection_is_tried_again_for_reading_only() -> None:
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        if len(calls) == 1 or request.method == "POST":
            raise httpx.RemoteProtocolError("disconnected", request=request)
        return httpx.Response(200, json={"release": "1"})

    assert client(answer).release() == "1"
    with pytest.raises(ServiceUnavailableError, match="disconnected"):
        client(answer).create_tasks(1, [{}])
    assert calls == ["GET", "GET", "POST"]


def test_a_time_out_is_a_service_that_does_not_answer() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("", request=request)

    with pytest.raises(ServiceUnavailableError, match="does not answer \\(ReadTimeout\\)"):
        client(answer).release()


def test_a_file_over_the_limit_is_refused() -> None:
    label_studio = client(lambda request: httpx.Response(200, content=b"x" * 11))
    assert label_studio.http.bytes("/data/upload/a", 11) == b"x" * 11
    with pytest.raises(InputError, match="larger than 10 bytes"):
        label_studio.http.bytes("/data/upload/a", 10)


def test_tasks_that_were_not_all_made_are_an_error() -> None:
    short = client(lambda request: httpx.Response(201, json={"task_ids": [1]}))
    with pytest.raises(InputError, match="1 tasks of 2"):
        short.create_tasks(1, [{}, {}])


def test_missing_settings_name_their_variables() -> None:
    with pytest.raises(ServiceUnavailableError, match="LUNGLOOP_LABEL_STUDIO_TOKEN"):
        LabelStudio.from_settings(Settings.load({}))
