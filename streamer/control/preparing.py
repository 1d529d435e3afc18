"""From a plan to a meeting that a worker may take: configuration frozen, work offered."""

from __future__ import annotations

from streamer.config.models import Configuration, RegionConfig
from streamer.config.spec import MeetingSpec, freeze
from streamer.domain.errors import NotAllowed
from streamer.domain.lifecycle import Command, after
from streamer.domain.meeting import Meeting, MeetingState
from streamer.store.live import Live
from streamer.store.records import Records


class Preparing:
    """`prepare` is asked by the schedule and by people; the first one wins."""

    def __init__(self, records: Records, live: Live, configuration: Configuration) -> None:
        self._records, self._live, self._configuration = records, live, configuration

    async def prepare(self, meeting_id: str, by: str) -> None:
        """Freeze the meeting and offer it. Raises NotAllowed when it is not PLANNED any more."""
        meeting = await self._records.meeting(meeting_id)
        after(meeting.state, Command.PREPARE)
        region = self._configuration.region(meeting.region)
        spec = self._freeze(region, meeting)
        await self._live.ping()  # nothing is begun that could not be offered
        moved = await self._records.set_state(
            meeting_id, MeetingState.PLANNED, MeetingState.PREPARING, by=by
        )
        if not moved:
            raise NotAllowed("somebody else has prepared this meeting just now", code="raced")
        await self._records.freeze(meeting_id, spec.model_dump_json(), spec.sha256)
        await self.offer(meeting_id)

    async def offer(self, meeting_id: str) -> None:
        """Offer a prepared meeting to the workers; safe to call again."""
        spec = await self._records.frozen(meeting_id)
        if spec is None:
            meeting = await self._records.meeting(meeting_id)
            fresh = self._freeze(self._configuration.region(meeting.region), meeting)
            spec = fresh.model_dump_json()
            await self._records.freeze(meeting_id, spec, fresh.sha256)
        await self._live.put_spec(meeting_id, spec)
        await self._live.offer_work(meeting_id)

    def _freeze(self, region: RegionConfig, meeting: Meeting) -> MeetingSpec:
        configuration = self._configuration
        return freeze(configuration.service, region, meeting, configuration.scenes)
