"""The description of the API is a valid one, and complete."""

import re
from typing import Any

import openapi_spec_validator
import pytest

from streamer.web.openapi import describe
from streamer.web.routes import API


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return describe(API, "https://meetings.example.kz")


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(references(item) for item in value))
    return set()


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_every_operation_is_whole(document: dict[str, Any]) -> None:
    ids = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            ids.append(operation["operationId"])
            assert operation["summary"]
            assert operation["responses"]
            named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path)), path
            assert all(p["required"] for p in operation.get("parameters", []) if p["in"] == "path")
            assert ("requestBody" in operation) == (method in ("post", "patch"))
            assert all(response["description"] for response in operation["responses"].values())
    assert len(ids) == len(set(ids)), "operation ids are unique"


def test_what_needs_a_right_says_so(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            staff = path.startswith("/api/meetings")
            assert bool(operation["security"]) == staff, path
            assert ("401" in operation["responses"]) == staff, path


def test_the_commands_are_those_of_the_design(document: dict[str, Any]) -> None:
    body = document["components"]["schemas"]["CommandBody"]
    assert set(body["properties"]["command"]["enum"]) >= {
        "prepare", "line_up", "go_live", "give_floor", "take_floor_back", "take_scene", "slate",
        "mute", "restart_leg", "end", "cancel",
    }  # fmt: skip


def test_a_validator_agrees(document: dict[str, Any]) -> None:
    openapi_spec_validator.validate(document)
