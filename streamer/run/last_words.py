"""The last words of a meeting run: why it had to end, for its worker and for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from streamer.domain.errors import Act, StreamerError

NAME = "failure.json"


def write(folder: Path, error: Exception, clean: Callable[[str], str]) -> None:
    """Keep why the run of `folder` ends; nothing happens when the disk refuses that too."""
    if isinstance(error, StreamerError):
        reason, act = error.message, error.act
    elif isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        reason, act = f"{error.strerror or error}{where}", Act.CORRECT_SETTING
    else:
        reason, act = f"{type(error).__name__}: {error}", Act.CALL_US
    text = json.dumps({"reason": clean(reason), "act": str(act)}, ensure_ascii=False)
    try:
        (folder / NAME).write_text(text + "\n", encoding="utf-8")
    except OSError:
        return  # its worker sees for itself that the folder cannot be written


def read(folder: Path, since: float) -> tuple[str, Act] | None:
    """What a run that started at `since` (POSIX seconds) said; None when it said nothing."""
    path = folder / NAME
    try:
        if path.stat().st_mtime < since:
            return None
        said = json.loads(path.read_text(encoding="utf-8"))
        return str(said["reason"]), Act(said["act"])
    except (OSError, ValueError, KeyError):
        return None
