"""Events without secrets: every text is masked, our own words are left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

OUR_WORDS = frozenset({
    "id", "leg", "kind", "from", "to", "scene", "command", "recorder", "destination", "feed", "act",
    "code", "run", "sha256", "position", "state", "allowed",
})  # fmt: skip
"""Fields of events that hold words and numbers of ours: never a secret, never to be masked."""


def cleaned(value: Any, clean: Callable[[str], str], name: str = "") -> Any:
    """`value` with secrets masked in every text that is not one of our own words.

    Text by text: a key such as 2027 or hall must neither break a number nor change a scene.
    """
    if isinstance(value, dict):
        return {key: cleaned(inner, clean, key) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(inner, clean, name) for inner in value]
    return clean(value) if isinstance(value, str) and name not in OUR_WORDS else value
