"""What a person sees of a meeting whose run ends at its start, again and again."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.domain.errors import Act
from streamer.domain.legs import Health, LegKind, LegState
from streamer.domain.meeting import MeetingState
from streamer.run.last_words import read
from streamer.store.live import Live

SHOWN_FROM = 2
"""One failure mends itself unnoticed; from the second one on a person should know."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run ended, as far as it could still say so."""

    reason: str
    act: Act

    @staticmethod
    def of(folder: Path, since: float, code: int) -> Failure:
        """Of the run in `folder` that was started at `since` (POSIX seconds). Blocking."""
        said = read(folder, since)
        if said is not None:
            return Failure(*said)
        if not os.access(folder, os.W_OK):
            return Failure(f"cannot write {folder}; mend or free the disk", Act.CORRECT_SETTING)
        return Failure(f"it ended with {code} and said no more; its log is run.log", Act.CALL_US)

    @staticmethod
    def from_error(error: OSError) -> Failure:
        what = f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
        return Failure(f"{what}; mend or free the disk", Act.CORRECT_SETTING)


async def show(live: Live, meeting: str, worker: str, failure: Failure, failures: int) -> None:
    """Put a snapshot up in which the run itself is the leg that is red. Raises Unavailable.

    It says `run: ""`: nobody is there who could carry out a command. The next run that starts
    replaces it by its own.
    """
    before = await live.snapshot(meeting) or {"state": str(MeetingState.PREPARING), "seq": 0}
    now = time.time()
    leg: dict[str, Any] = {
        "id": "run", "kind": str(LegKind.RUN), "name": "meeting run", "state": str(LegState.FAILED),
        "wanted": True, "health": str(Health.RED), "bytes": 0, "tries": failures, "since": now,
        "moved_at": None, "error": failure.reason, "act": str(failure.act), "target": "",
        "detail": "", "pid": None,
    }  # fmt: skip
    snapshot = {
        "meeting": meeting, "state": before["state"], "seq": before.get("seq", 0), "at": now,
        "since": before.get("since", now), "run": "", "worker": worker, "legs": [leg],
    }  # fmt: skip
    await live.put_snapshot(meeting, snapshot)
