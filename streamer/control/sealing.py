"""From a finished meeting to ARCHIVED: the package is sealed beside everything else."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from streamer.archive import journal
from streamer.archive.seal import Sealed, seal
from streamer.config.secrets import resolve
from streamer.config.spec import MeetingSpec
from streamer.control.patience import Patience
from streamer.domain.errors import StreamerError, Unavailable
from streamer.domain.events import Event, EventName
from streamer.domain.lifecycle import Command, after
from streamer.domain.meeting import Meeting, MeetingState
from streamer.ports.archive_store import ArchiveStore
from streamer.store.live import Live
from streamer.store.records import Records
from streamer.store.secrets import SecretStore

FIRST_RETRY_S = 30.0
LONGEST_RETRY_S = 30 * 60.0
"""Each try may read gigabytes, beside meetings that are live."""
PAGE = 1000
STORE = "store:"
log = logging.getLogger(__name__)


class Sealing:
    """Seals one meeting at a time; `take` is asked again and again and never waits."""

    def __init__(
        self, records: Records, live: Live, store: ArchiveStore, secrets: SecretStore,
        *, home: Path, archive: Path,
    ) -> None:  # fmt: skip
        self._records, self._live, self._store, self._secrets = records, live, store, secrets
        self._home, self._archive = home, archive
        self._task: asyncio.Task[None] | None = None
        self._patience = Patience(FIRST_RETRY_S, LONGEST_RETRY_S)
        self._ending: dict[str, int] = {}
        """Meeting -> `seq` of its change to ENDING; there is one in the life of a meeting."""
        self._finished: set[str] = set()
        self._sealed: set[str] = set()

    async def take(self, meeting: Meeting) -> bool:
        """True when the meeting's run has finished: it is being sealed, or will be."""
        if meeting.id in self._sealed:
            return True  # `meeting` was read just before its last change of state
        if not await self._has_finished(meeting.id):
            return False
        if self._task is not None and self._task.done():
            self._task.result()
            self._task = None
        if self._task is None and not self._patience.waits(meeting.id):
            self._task = asyncio.create_task(self._seal(meeting), name=f"seal {meeting.id}")
        return True

    async def close(self) -> None:
        """Stop in the middle, if need be: the next leader goes on where it stood."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _has_finished(self, meeting: str) -> bool:
        """A run has said its last word, and said it of this end.

        A meeting that was postponed after its run had begun has the last word of that run on
        record, while the run of the new date may still be live.
        """
        if meeting in self._finished:
            return True
        async with aclosing(self._events(meeting, self._ending.get(meeting, 0))) as events:
            async for event in events:
                if _begins_ending(event):
                    self._ending[meeting] = event.seq
                elif event.name is EventName.RUN_FINISHED and meeting in self._ending:
                    self._finished.add(meeting)
                    return True
        return False

    async def _events(self, meeting: str, after_seq: int) -> AsyncGenerator[Event, None]:
        """What SQL knows of the meeting after `after_seq`, in order."""
        while True:
            page = await self._records.as_run(meeting, after_seq=after_seq, limit=PAGE)
            for event in page:
                yield event
            if len(page) < PAGE:
                return
            after_seq = page[-1].seq

    async def _seal(self, meeting: Meeting) -> None:
        log.info("sealing %s", meeting.id)
        try:
            sealed = await self._package(meeting)
            await self._tell_sealed(meeting, sealed)
        except Exception as error:  # whatever it is, the other meetings are sealed
            pause = self._patience.failed(meeting.id)
            log.exception("sealing %s failed; tried again in %.0f s", meeting.id, pause)
            await self._tell_failed(meeting, str(error) or type(error).__name__)
        else:
            self._patience.went_well(meeting.id)
            self._sealed.add(meeting.id)

    async def _tell_failed(self, meeting: Meeting, error: str) -> None:
        """Put the failure on record, each error once: it is tried again for days if need be."""
        try:
            async with aclosing(self._events(meeting.id, self._ending.get(meeting.id, 0))) as all_:
                async for event in all_:
                    if event.name is EventName.PACKAGE_FAILED and event.data.get("error") == error:
                        return
            await self._tell(meeting, EventName.PACKAGE_FAILED, {"error": error})
        except Exception:  # it is in the log above, and is told at the next failure
            log.exception("could not put the failure of %s on record", meeting.id)

    async def _tell_sealed(self, meeting: Meeting, sealed: Sealed) -> None:
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
            secrets=await known_secrets(spec, self._secrets),
        )  # fmt: skip

    async def _tell(self, meeting: Meeting, name: EventName, data: dict[str, object]) -> None:
        """Put an event on record after the run's journal was closed."""
        seq = self._ending.get(meeting.id, 0)
        async with aclosing(self._events(meeting.id, seq)) as events:
            async for known in events:
                seq = known.seq
        path = self._home / "meetings" / meeting.id / "as-run.ndjson"
        written = (await asyncio.to_thread(journal.read, path)).events
        seq = max(seq, *(event.seq for event in written), 0) + 1
        event = Event(meeting.id, seq, time.time(), name, dict(data))
        if not await self._records.apply(event):
            raise StreamerError(f"event {seq} came from elsewhere just now", code="raced")
        try:
            await self._live.publish(event)
        except Unavailable as error:
            log.warning("could not announce %s: %s", name, error)


def _begins_ending(event: Event) -> bool:
    return (
        event.name is EventName.MEETING_STATE_CHANGED
        and event.data.get("to") == MeetingState.ENDING
    )


async def known_secrets(spec: MeetingSpec, store: SecretStore) -> list[str]:
    """What must not be found in the package, as far as this process can know it.

    Raises Unavailable: a package is not sealed unchecked because the database was away.
    """
    references = [d.key for d in spec.destinations]
    references += [d.backup_key for d in spec.destinations if d.backup_key]
    sources = (*spec.sources, *(site.source for site in spec.sites if site.source))
    references += [secret for source in sources for secret in source.secrets]
    found = []
    for reference in references:
        try:
            if reference.startswith(STORE):
                found.append(await store.get(reference.removeprefix(STORE)))
            else:
                found.append(await asyncio.to_thread(resolve, reference, dict(os.environ)))
        except Unavailable:
            raise
        except StreamerError as error:
            # A secret that is not known here cannot be looked for here.
            log.warning("not looked for in the package: %s: %s", reference, error)
    return found
