"""The programme clock: ticks counted from one epoch, over every run of a meeting."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

LEAD_S = 1.0
"""The first frame has programme time one second: sound that an encoder puts before its first
picture (AAC priming, 21 ms) never gets a negative timestamp."""


@dataclass(frozen=True, slots=True)
class ProgrammeClock:
    """`epoch` is the POSIX time at which programme time is zero."""

    epoch: float
    fps: int

    @staticmethod
    def open(path: Path, fps: int) -> ProgrammeClock:
        """The clock of the meeting in whose folder `path` lies; made at the first call. Blocking.

        An outage is a hole in programme time: a run that takes over goes on where time is now.
        """
        try:
            epoch = float(json.loads(path.read_text())["epoch"])
        except (OSError, ValueError, KeyError, TypeError):
            epoch = time.time() - LEAD_S
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".new")
            with open(fresh, "w") as file:
                json.dump({"epoch": epoch}, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.rename(path)
        return ProgrammeClock(epoch, fps)

    def next_tick(self) -> int:
        """The tick that is due next."""
        return int((time.time() - self.epoch) * self.fps) + 1
