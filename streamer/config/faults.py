"""Faults of configuration files: what is wrong, where, and what would be right."""

import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from streamer.config.values import nearest, shown
from streamer.domain.errors import BadInput

Place = tuple[str | int, ...]
"""Where a setting stands: ("destinations", 0, "url")."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to correct. `line` counts from 1; 0 when the fault has no line."""

    file: str
    line: int
    path: str
    wrong: str
    right: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path + ': ' if self.path else ''}{self.wrong}; {self.right}"


class ConfigurationFaults(BadInput):
    """The configuration cannot be used; every fault of every file is listed."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        count = len(self.faults)
        super().__init__(
            f"the configuration has {count} fault{'s' if count > 1 else ''}:\n"
            + "\n".join(map(str, self.faults)),
            code="configuration_faults", faults=[str(fault) for fault in self.faults],
        )  # fmt: skip


def spelled(place: Place) -> str:
    """`destinations[0].url`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else ("." if text else "") + part
    return text


Report = Callable[[Place, str, str], None]
"""Takes the place, what is wrong and what would be right."""

_TYPES = {
    "string_type": ("is not a text", "write a text; put it in quotes when it looks like a number"),
    "int_type": ("is not a whole number", "write digits, without quotes or a fraction"),
    "int_from_float": ("is not a whole number", "write digits, without quotes or a fraction"),
    "float_type": ("is not a number", "write digits without quotes"),
    "bool_type": ("is neither true nor false", "write true or false without quotes"),
    "tuple_type": ("is not a list", "begin each entry on a line of its own with '- '"),
    "model_type": ("is not a group of settings", "write its settings below it, indented"),
    "path_type": ("is not a path", "write a path as text"),
}
_LIMITS = {
    "greater_than_equal": ("is too small", "write at least {ge:g}"),
    "less_than_equal": ("is too large", "write at most {le:g}"),
    "finite_number": ("is not a number", "write digits"),
    "string_too_short": ("is empty", "write a text"),
    "string_too_long": ("is too long", "write at most {max_length} characters"),
    "enum": ("is not possible here", "write {expected}"),
}


def report_invalid(model: type[BaseModel], error: ValidationError, report: Report) -> None:
    """Say each fault of a pydantic error in plain words."""
    details = error.errors(include_url=False)
    # A misspelt key also leaves its true name missing: one mistake is said once.
    meant: set[Place] = set()
    for detail in details:
        if detail["type"] == "extra_forbidden":
            meant.add(_report_unknown(model, detail["loc"], report))
    for detail in details:
        place: Place = detail["loc"]
        if detail["type"] == "missing" and place not in meant:
            report(place, "this setting is missing", f"add {_example(model, place)}")
        elif detail["type"] not in ("missing", "extra_forbidden"):
            _report_value(detail, report)


def _report_unknown(model: type[BaseModel], place: Place, report: Report) -> Place:
    """Report an unknown key; the place that was probably meant."""
    owner, key = _model_at(model, place[:-1]), str(place[-1])
    known = list(owner.model_fields) if owner else []
    near = nearest(key, known)
    right = f"did you mean '{near}'?" if near else f"known here: {', '.join(known)}"
    report(place, f"there is no setting '{key}'", right)
    return (*place[:-1], near) if near else ()


def _report_value(detail: ErrorDetails, report: Report) -> None:
    kind, place, value = detail["type"], detail["loc"], detail["input"]
    context: dict[str, Any] = detail.get("ctx", {})
    if kind == "setting":
        key = context.get("key")
        report((*place, key) if key else place, context["wrong"], context["right"])
        return
    wrong, right = _TYPES.get(kind) or _LIMITS.get(kind) or ("cannot be used", detail["msg"])
    if kind in _TYPES and value is None:
        report(place, "this setting has no value", "write one, or remove the line")
    elif kind in ("string_too_short", "string_too_long"):
        report(place, f"this text {wrong}", right.format(**context))
    else:
        report(place, f"{shown(value)} {wrong}", right.format(**context))


def _example(model: type[BaseModel], place: Place) -> str:
    owner, key = _model_at(model, place[:-1]), str(place[-1])
    field = owner.model_fields.get(key) if owner else None
    return f"'{key}:' ({field.description})" if field else f"'{key}:'"


def _model_at(model: type[BaseModel], place: Place) -> type[BaseModel] | None:
    """The model that describes the settings at `place`."""
    current: type[BaseModel] | None = model
    for part in place:
        if isinstance(part, int):
            continue  # an entry of a list is described by the list's field
        field = current.model_fields.get(part) if current else None
        current = _model_in(field.annotation) if field else None
    return current


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside `Model`, `Model | None` or `tuple[Model, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, Annotated, Union, types.UnionType):
        found = (_model_in(inner) for inner in get_args(annotation))
        return next((inner for inner in found if inner), None)
    return None
