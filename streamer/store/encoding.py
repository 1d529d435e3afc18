"""JSON as it is stored."""

import json


def to_json(value: object) -> str:
    """JSON as it is stored: readable letters, and nothing that cannot be written as UTF-8.

    Lone surrogates (a file name or an error line of a child that is not UTF-8) become escapes.
    """
    raw = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return safe(raw)


def safe(raw: str) -> str:
    """JSON text whose lone surrogates are escaped; it reads back as the same value."""
    return raw.encode("utf-8", "backslashreplace").decode()
