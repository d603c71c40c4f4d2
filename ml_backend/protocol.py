"""Label Studio's ML protocol (1.23): /health /setup /predict /webhook /versions, and /metrics."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from chestct.errors import InputError, ServiceUnavailableError
from ml_backend.model import Backend, LungLoopModel


def protocol(backend: Backend) -> Blueprint:
    """The routes that Label Studio calls.

    Args:
        backend: what they answer from; nothing of one call is remembered for the next.
    """
    routes = Blueprint("protocol", __name__)

    @routes.get("/health")
    def health() -> Response:
        return jsonify({"status": "UP"})

    @routes.post("/setup")
    def setup() -> Response:
        schema = _body().get("schema")
        if schema is not None and not isinstance(schema, str):
            raise InputError("schema", f"is {type(schema).__name__}, expected XML as text")
        return jsonify({"model_version": LungLoopModel(backend, schema).setup()})

    @routes.post("/predict")
    def predict() -> Response:
        body = _body()
        tasks, config = body.get("tasks"), body.get("label_config")
        if not isinstance(tasks, list):
            raise InputError("tasks", f"is {type(tasks).__name__}, expected a list of tasks")
        if not isinstance(config, str):
            raise InputError("label_config", f"is {type(config).__name__}, expected XML as text")
        params = body.get("params")
        context = params.get("context") if isinstance(params, dict) else None
        return jsonify({"results": LungLoopModel(backend, config).predict(tasks, context=context)})

    @routes.post("/webhook")
    def webhook() -> Response:
        body = _body()
        event = body.get("action")
        if not isinstance(event, str):
            raise InputError("action", f"is {event!r}, expected the name of an event")
        return jsonify(LungLoopModel(backend).fit(event, body))

    @routes.get("/versions")
    def versions() -> Response:
        return jsonify({"versions": [record.version for record in backend.catalog.versions.all()]})

    @routes.get("/metrics")
    def metrics() -> Response:
        gauges: dict[str, float] = {}
        release = None
        try:
            gauges |= backend.catalog.counts()
            release = backend.catalog.versions.release()
            gauges["database_up"] = 1
        except ServiceUnavailableError:
            gauges["database_up"] = 0
        return Response(backend.counters.text(gauges, release), content_type="text/plain; version=0.0.4")

    return routes


def _body() -> dict[str, Any]:
    try:
        body = request.get_json()
    except RecursionError as error:
        raise InputError("body", "is nested too deeply") from error
    if not isinstance(body, dict):
        raise InputError("body", f"is {type(body).__name__}, expected a JSON object")
    return body
