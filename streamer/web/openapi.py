"""The API's description (OpenAPI 3.1), made from the table of addresses and the models."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from streamer.web.endpoints import Endpoint
from streamer.web.models import ErrorAnswer

REFERENCE = "#/components/schemas/{model}"
PARAMETER = re.compile(r"\{(\w+)(?::[^}]+)?\}")
STATUS_WORDS = {
    200: "done", 201: "made", 202: "taken; the outcome comes as an event",
    401: "not signed in", 403: "no right, or no CSRF token", 404: "there is no such thing",
    409: "not possible now", 422: "what was sent cannot be used", 429: "too many tries",
    503: "a part of the service is away; try again",
}  # fmt: skip


def describe(endpoints: tuple[Endpoint, ...], server: str | None) -> dict[str, Any]:
    """The OpenAPI document of `endpoints`; `server` is the public address when it is known."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = PARAMETER.sub(r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Meeting streamer",
            "version": _version(),
            "description": "Plan, run and watch reporting meetings. Times are UTC unless they"
            " are called wall times. Every error is {\"error\": {code, message, act, tried}}.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(endpoints),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "streamer_session"},
            },
        },
    }  # fmt: skip
    if server:
        document["servers"] = [{"url": server}]
    return document


def _version() -> str:
    try:
        return version("meeting-streamer")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "0"


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": _operation_id(endpoint),
        "tags": [endpoint.tag],
        "responses": _responses(endpoint),
        # An empty list says that the address is open to everybody.
        "security": [{"token": []}, {"session": []}] if endpoint.right else [],
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in PARAMETER.findall(endpoint.path)
    ] + [
        {"name": query.name, "in": "query", "description": query.description,
         "schema": {"type": query.kind}}
        for query in endpoint.query
    ]  # fmt: skip
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(endpoint.body)}
    return operation


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    good: dict[str, Any] = {"description": STATUS_WORDS[endpoint.status]}
    if endpoint.answer is not None:
        good["content"] = _content(endpoint.answer)
    else:
        good["content"] = {endpoint.media: {"schema": {"type": "string"}}}
    refusals = set(endpoint.errors) | ({401, 403} if endpoint.right else set())
    return {
        str(endpoint.status): good,
        **{
            str(status): {"description": STATUS_WORDS[status], "content": _content(ErrorAnswer)}
            for status in sorted(refusals)
        },
    }


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": REFERENCE.format(model=model.__name__)}}}


def _schemas(endpoints: tuple[Endpoint, ...]) -> dict[str, Any]:
    bodies = {endpoint.body for endpoint in endpoints if endpoint.body}
    answers = {endpoint.answer for endpoint in endpoints if endpoint.answer} | {ErrorAnswer}
    _, schema = models_json_schema(
        sorted(
            [*((body, "validation") for body in bodies),
             *((answer, "serialization") for answer in answers)],
            key=lambda pair: pair[0].__name__,
        ),
        ref_template=REFERENCE,
    )  # fmt: skip
    found: dict[str, Any] = schema["$defs"]
    return found


def _operation_id(endpoint: Endpoint) -> str:
    words = re.findall(r"[a-z]+", PARAMETER.sub("", endpoint.path.removeprefix("/api")))
    one = "one" if PARAMETER.search(endpoint.path) else ""
    return "_".join(filter(None, (endpoint.method.lower(), *words, one)))
