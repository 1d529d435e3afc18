"""What happened in a meeting: the lines of the as-run log.

One record per event: a stable name, the time, and plain values. Events are past tense. The same
record goes to the journal on disk, to Redis, to SQL and into the archive.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class EventName(StrEnum):
    """Every event there is; the docstring says what its `data` holds."""

    MEETING_STATE_CHANGED = "meeting_state_changed"
    """from, to, command, by, reason."""
    RUN_STARTED = "run_started"
    """run (id), worker, resumed (bool): a process took the meeting."""
    RUN_FINISHED = "run_finished"
    """run: everything is closed; the run's folder is complete."""
    COMMAND_DONE = "command_done"
    """id, command, by, position (in the inbox), scene (the one that is wanted now)."""
    COMMAND_REFUSED = "command_refused"
    """id, command, by, position, error (as `StreamerError.as_dict`)."""
    LEG_STATE_CHANGED = "leg_state_changed"
    """leg, kind, from, to, error, act, tries."""
    RELAY_CONNECTED = "relay_connected"
    """leg, destination, target (redacted address), backup (bool)."""
    RELAY_LOST = "relay_lost"
    """leg, destination, target, bytes, seconds, reason, act: one interval of delivery ended."""
    RECORDING_PART_STARTED = "recording_part_started"
    """leg, recorder (a|a2|b), part (1-based), path (relative to the meeting's folder),
    programme_s (time of its first frame on the programme clock)."""
    RECORDING_PART_FINISHED = "recording_part_finished"
    """leg, recorder, part, path, bytes, reason."""
    SOURCE_LOST = "source_lost"
    """feed, programme_s: nothing came from a source; the slate is on."""
    SOURCE_BACK = "source_back"
    """feed, programme_s, seconds (length of the outage)."""
    SCENE_TAKEN = "scene_taken"
    """scene, by, programme_s, automatic (bool)."""
    MUTED = "muted"
    """muted (bool), by."""
    FLOOR_GIVEN = "floor_given"
    """site, by: who may be heard besides the hall."""
    FLOOR_TAKEN_BACK = "floor_taken_back"
    """site, by."""
    GRAPHICS_CHANGED = "graphics_changed"
    """graphic (lower_third|question|next|clock|live_mark), shown (its texts, null: hidden), by."""
    SOUND_CHANGED = "sound_changed"
    """feed, gain_db, delay_ms, muted, by."""
    SIGNAL_FAULT = "signal_fault"
    """feed (a feed's id or `programme`), detector (no_bytes|black|frozen|silent|clipping|low|
    loud|offset), value (what was measured), limit, programme_s. Told once."""
    SIGNAL_RECOVERED = "signal_recovered"
    """feed, detector, seconds (length of the fault), programme_s. Told once."""
    FEEDS_REDUCED = "feeds_reduced"
    """feeds (ids shown as still pictures until they are on), capacity (feeds at full rate),
    reason."""
    SOURCE_CHANGED = "source_changed"
    """feed, before, after (picture and sound as the source sends them): in `pass` mode."""
    CONFIGURATION_FROZEN = "configuration_frozen"
    """sha256 of the frozen configuration."""
    DISK_PROBLEM = "disk_problem"
    """path, error, act."""
    DISK_RECOVERED = "disk_recovered"
    """path."""
    INGEST_REFUSED = "ingest_refused"
    """feed, address (of the caller), reason."""
    STORE_LOST = "store_lost"
    """store (redis|sql), error: events wait in the journal."""
    STORE_BACK = "store_back"
    """store, waited (events that were kept)."""
    OFF_AIR_CONFIRMED = "off_air_confirmed"
    """seconds: since bytes last moved to a destination, now that no process is left to send."""
    OFF_AIR_NOT_CONFIRMED = "off_air_not_confirmed"
    """seconds: so long was waited, and a process that sends is still there."""
    PACKAGE_SEALED = "package_sealed"
    """path, files, bytes, manifest_sha256."""
    PACKAGE_FAILED = "package_failed"
    """error."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the as-run log. `at` is POSIX seconds UTC; `seq` counts within the meeting."""

    meeting: str
    seq: int
    at: float
    name: EventName
    data: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(
            {"meeting": self.meeting, "seq": self.seq, "at": round(self.at, 3),
             "name": str(self.name), "data": self.data},
            ensure_ascii=False, separators=(",", ":"),
        )  # fmt: skip

    @staticmethod
    def from_json(line: str | bytes) -> Event:
        """The event of one line; ValueError when the line is not one (a torn last line)."""
        raw = json.loads(line)
        if not isinstance(raw, dict):
            raise ValueError("an event is an object")
        try:
            return Event(
                meeting=raw["meeting"], seq=int(raw["seq"]), at=float(raw["at"]),
                name=EventName(raw["name"]), data=raw["data"],
            )  # fmt: skip
        except KeyError as missing:
            raise ValueError(f"an event without {missing}") from None
