"""A YAML 1.2 file as plain values, with the line of every key."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from streamer.config.faults import Fault, Place, spelled

_TAG = "tag:yaml.org,2002:"
_PLAIN = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp"))


@dataclass(slots=True)
class Document:
    """One file: its values, the line of each, and what is wrong with it so far.

    `readable` is False when the file could not be read as YAML at all; `data` is empty then.
    """

    file: str
    name: str
    """File name without its ending."""
    data: dict[str, Any] = field(default_factory=dict)
    readable: bool = True
    faults: list[Fault] = field(default_factory=list)
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """The line of `place`, or of the nearest thing around it that is in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def report(self, place: Place, wrong: str, right: str) -> None:
        self.faults.append(Fault(self.file, self.line(place), spelled(place), wrong, right))

    def entries(self, *keys: str) -> Iterator[tuple[Place, dict[str, Any]]]:
        """Every mapping in the lists `keys`, one list inside the other, where there are any."""
        found: list[tuple[Place, dict[str, Any]]] = [((), self.data)]
        for key in keys:
            found = [
                ((*place, key, index), entry)
                for place, owner in found
                for index, entry in enumerate(_list(owner.get(key)))
                if isinstance(entry, dict)
            ]
        yield from found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def read(path: Path) -> Document:
    """Read one file. Never raises for its content: what is wrong stands in `faults`."""
    document = Document(str(path), path.stem)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _unreadable(document, 0, "there is no such file", "create it")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        return _unreadable(document, line, "the text is not UTF-8", "save the file as UTF-8")
    except OSError as error:
        return _unreadable(document, 0, f"the file cannot be read ({error.strerror})",
                           "correct its rights")  # fmt: skip
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        line, wrong = _syntax(error)
        return _unreadable(document, line, wrong, "correct the line, or the one before it")
    except YAMLError:  # a character that YAML does not allow; ruamel gives no line for it
        return _unreadable(
            document, _control_line(text), "there is a control character in the text", "remove it"
        )
    _Plain(yaml, document).root(root)
    return document


def _unreadable(document: Document, line: int, wrong: str, right: str) -> Document:
    document.readable = False
    document.faults.append(Fault(document.file, line, "", wrong, right))
    return document


def _syntax(error: MarkedYAMLError) -> tuple[int, str]:
    # The words of the file are left out of the message: they may be a secret.
    problem = re.sub(r"'[^']{3,}'|\"[^\"]{3,}\"", "…", error.problem or "it cannot be read")
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    begun = error.context_mark.line + 1 if error.context_mark else line
    context = f" ({error.context}, line {begun})" if error.context else ""
    return line, f"this is not YAML: {problem}{context}"


def _control_line(text: str) -> int:
    found = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    return text.count("\n", 0, found.start()) + 1 if found else 0


class _Plain:
    """Turns the nodes of one file into plain values and notes the line of each key."""

    def __init__(self, yaml: YAML, document: Document) -> None:
        self._yaml = yaml
        self._document = document

    def root(self, node: Node | None) -> None:
        if node is None or (isinstance(node, ScalarNode) and node.tag == _TAG + "null"):
            return
        if not isinstance(node, MappingNode):
            _unreadable(
                self._document, node.start_mark.line + 1,
                "the file does not consist of settings", "write lines such as 'name: value'",
            )  # fmt: skip
            return
        value = self._value(node, ())
        self._document.data = value if isinstance(value, dict) else {}

    def _value(self, node: Node, place: Place) -> Any:
        if node.anchor:
            # One value per place: every line can then be read by itself, and nothing can refer
            # to itself without end.
            self._document.report(
                place, "anchors and aliases are not used here", "write the value itself"
            )
            return None
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, place)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return self._sequence(node, place)
        if isinstance(node, ScalarNode) and node.tag in _PLAIN:
            return self._scalar(node, place)
        self._document.report(place, "tags are not used here", "write the value without '!'")
        return None

    def _mapping(self, node: MappingNode, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode) or not isinstance(key.value, str) or not key.value:
                self._document.faults.append(
                    Fault(self._document.file, line, spelled(place),
                          "a setting has no proper name", "write 'name: value'")
                )  # fmt: skip
                continue
            inner = (*place, key.value)
            if key.value in values:
                first = self._document.lines[inner]
                self._document.faults.append(
                    Fault(self._document.file, line, spelled(inner),
                          f"this setting stands twice, first in line {first}", "remove one of them")
                )  # fmt: skip
                continue
            self._document.lines[inner] = line
            values[key.value] = self._value(value, inner)
        return values

    def _sequence(self, node: SequenceNode, place: Place) -> list[Any]:
        values = []
        for index, value in enumerate(node.value):
            inner = (*place, index)
            self._document.lines[inner] = value.start_mark.line + 1
            values.append(self._value(value, inner))
        return values

    def _scalar(self, node: ScalarNode, place: Place) -> Any:
        if node.tag in (_TAG + "str", _TAG + "timestamp"):
            return node.value
        try:
            return self._yaml.constructor.construct_object(node)
        except (ValueError, YAMLError):
            self._document.report(place, "this number cannot be read", "write digits, or quote it")
            return None
