"""From a finished meeting to ARCHIVED: the package is sealed beside everything else."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path

from streamer.archive import journal
from streamer.archive.seal import Sealed, seal
from streamer.config.secrets import resolve
from streamer.config.spec import MeetingSpec
from streamer.domain.errors import StreamerError, Unavailable
from streamer.domain.events import Event, EventName
from streamer.domain.lifecycle import Command, after
from streamer.domain.meeting import Meeting
from streamer.ports.archive_store import ArchiveStore
from streamer.store.live import Live
from streamer.store.records import Records

RETRY_S = 30.0
log = logging.getLogger(__name__)


class Sealing:
    """Seals one meeting at a time; `take` is asked again and again and never waits."""

    def __init__(
        self, records: Records, live: Live, store: ArchiveStore, *, home: Path, archive: Path
    ) -> None:
        self._records, self._live, self._store = records, live, store
        self._home, self._archive = home, archive
        self._task: asyncio.Task[None] | None = None
        self._not_before: dict[str, float] = {}

    async def take(self, meeting: Meeting) -> bool:
        """True when the meeting's run has finished: it is being sealed, or will be."""
        if self._task is not None:
            if not self._task.done():
                return await self._finished(meeting)
            self._task.result()
            self._task = None
        if not await self._finished(meeting):
            return False
        if time.monotonic() >= self._not_before.get(meeting.id, 0.0):
            self._task = asyncio.create_task(self._seal(meeting), name=f"seal {meeting.id}")
        return True

    async def close(self) -> None:
        """Stop in the middle, if need be: the next leader goes on where it stood."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _finished(self, meeting: Meeting) -> bool:
        events = await self._records.as_run(meeting.id, limit=100_000)
        return any(event.name is EventName.RUN_FINISHED for event in events)

    async def _seal(self, meeting: Meeting) -> None:
        log.info("sealing %s", meeting.id)
        try:
            sealed = await self._package(meeting)
        except (StreamerError, OSError) as error:
            self._not_before[meeting.id] = time.monotonic() + RETRY_S
            log.exception("sealing %s failed; tried again in %.0f s", meeting.id, RETRY_S)
            await self._tell(meeting, EventName.PACKAGE_FAILED, {"error": str(error)})
            return
        await self._tell(
            meeting, EventName.PACKAGE_SEALED,
            {"path": sealed.key, "files": sealed.files, "bytes": sealed.bytes,
             "manifest_sha256": sealed.manifest_sha256},
        )  # fmt: skip
        target = after(meeting.state, Command.SEALED)
        await self._close_snapshot(meeting, str(target))
        await self._tell(
            meeting, EventName.MEETING_STATE_CHANGED,
            {"from": str(meeting.state), "to": str(target), "command": str(Command.SEALED),
             "by": "archive", "reason": ""},
        )  # fmt: skip

    async def _close_snapshot(self, meeting: Meeting, state: str) -> None:
        """The run's last snapshot says ENDING; consoles that look at it should know the rest."""
        try:
            snapshot = await self._live.snapshot(meeting.id)
            if snapshot is not None:
                await self._live.put_snapshot(meeting.id, {**snapshot, "state": state})
        except Unavailable as error:
            log.warning("could not close the snapshot: %s", error)

    async def _package(self, meeting: Meeting) -> Sealed:
        frozen = await self._records.frozen(meeting.id)
        if frozen is None:
            raise StreamerError("the meeting has no frozen configuration", code="not_frozen")
        spec = MeetingSpec.model_validate_json(frozen)
        return await seal(
            self._home / "meetings" / meeting.id, meeting, spec,
            store=self._store, staging=self._home / "staging",
            chain_file=self._archive / "chain.ndjson",
            secrets=await asyncio.to_thread(_known_secrets, spec),
        )  # fmt: skip

    async def _tell(self, meeting: Meeting, name: EventName, data: dict[str, object]) -> None:
        """Put an event on record after the run's journal was closed."""
        known = await self._records.as_run(meeting.id, limit=100_000)
        path = self._home / "meetings" / meeting.id / "as-run.ndjson"
        written = (await asyncio.to_thread(journal.read, path)).events
        seq = max((event.seq for event in (*known, *written)), default=0) + 1
        event = Event(meeting.id, seq, time.time(), name, dict(data))
        await self._records.apply(event)
        try:
            await self._live.publish(event)
        except Unavailable as error:
            log.warning("could not announce %s: %s", name, error)


def _known_secrets(spec: MeetingSpec) -> list[str]:
    """What must not be found in the package, as far as this process can know it. Blocking."""
    references = [d.key for d in spec.destinations]
    references += [d.backup_key for d in spec.destinations if d.backup_key]
    references += [s for source in spec.sources for s in (source.passphrase, source.key) if s]
    found = []
    for reference in references:
        if reference.startswith("store:"):
            continue
        try:
            found.append(resolve(reference, dict(os.environ)))
        except StreamerError:
            continue  # a secret that is not known here cannot be looked for here
    return found
