"""The frozen configuration of one meeting: all that a meeting run needs to know, no secrets."""

import hashlib
import json
from datetime import UTC
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

from streamer.config.models import (
    SHIPPED,
    Destination,
    DetectorSettings,
    FloorSettings,
    GraphicsSettings,
    Language,
    Languages,
    Layout,
    LocalNames,
    Mode,
    ProgrammeSettings,
    RecordingSettings,
    RegionConfig,
    RelaySettings,
    Scenes,
    ScheduleSettings,
    ServiceConfig,
    Settings,
    SignPlace,
    Site,
    SoundSettings,
    Source,
    ViewingSettings,
)
from streamer.domain.meeting import Meeting

UtcTime = Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))]
"""An instant, kept in UTC."""


class MeetingSpec(Settings):
    """What a meeting is run by, from PREPARING on; later changes of files do not touch it.

    Reads and writes JSON by `model_dump_json` and `model_validate_json`.
    """

    id: str
    region: str
    """Slug of the region."""
    region_names: LocalNames
    title: LocalNames
    speaker: str
    hall: str
    """Id of the hall; "" when the region has none."""
    hall_names: LocalNames | None
    starts_at: UtcTime
    ends_at: UtcTime
    give_up_at: UtcTime
    zone: str
    """IANA time zone in which the meeting was announced."""
    wall_start: str
    """The announced local start, ISO without offset."""
    end_by_schedule: bool
    programme: ProgrammeSettings
    schedule: ScheduleSettings
    recording: RecordingSettings
    relay: RelaySettings
    sources: tuple[Source, ...]
    """The hall's: `hall`, and where there are any `slides`, `sign`, `interpreter`."""
    sites: tuple[Site, ...] = ()
    """All places of the region that can be linked."""
    mode: Mode = Mode.MIX
    languages: Languages = Languages()
    floor: FloorSettings = FloorSettings()
    graphics: GraphicsSettings = GraphicsSettings()
    scenes: tuple[Layout, ...] = SHIPPED.layouts
    sign: SignPlace = SHIPPED.sign
    sound: SoundSettings = SoundSettings()
    detectors: DetectorSettings = DetectorSettings()
    viewing: ViewingSettings = ViewingSettings()
    destinations: tuple[Destination, ...]
    """The chosen destinations that are enabled, in the order of the region's file."""
    home: Path
    """Home of the service; absolute."""

    @property
    def folder(self) -> Path:
        """The meeting's folder."""
        return self.home / "meetings" / self.id

    @property
    def sounds(self) -> tuple[Language, ...]:
        """Languages of the programme's sounds, in the order of its tracks: the main one first.

        A picture that is passed on has the sound it comes with.
        """
        second = self.languages.second if self.mode is Mode.MIX else None
        return (self.languages.main, second) if second else (self.languages.main,)

    @property
    def sha256(self) -> str:
        """Hash of the specification as canonical JSON: sorted keys, no spaces, UTF-8."""
        text = json.dumps(
            self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        return hashlib.sha256(text.encode()).hexdigest()


def freeze(
    service: ServiceConfig, region: RegionConfig, meeting: Meeting, scenes: Scenes = SHIPPED
) -> MeetingSpec:
    """Freeze the configuration into `meeting`.

    Raises BadInput (`unknown_destination`, `unknown_hall`) that names the possible ones. A chosen
    destination that was disabled since is left out: one account must not stop a meeting.
    """
    for id in meeting.destinations:
        region.destination(id)
    hall = region.hall(meeting.hall) if meeting.hall or region.halls else None
    return MeetingSpec(
        id=meeting.id,
        region=region.slug,
        region_names=region.names,
        title=LocalNames.of(meeting.title),
        speaker=meeting.speaker,
        hall=hall.id if hall else "",
        hall_names=hall.names if hall else None,
        starts_at=meeting.starts_at,
        ends_at=meeting.ends_at,
        give_up_at=meeting.give_up_at,
        zone=meeting.zone,
        wall_start=meeting.wall_start,
        end_by_schedule=meeting.end_by_schedule,
        programme=region.programme.over(service.programme),
        schedule=_schedule(service, meeting),
        recording=service.recording,
        relay=service.relay,
        sources=hall.sources if hall else (),
        sites=region.sites,
        mode=region.mode,
        languages=region.languages,
        floor=region.floor,
        graphics=region.graphics,
        scenes=scenes.layouts,
        sign=scenes.sign,
        sound=service.sound,
        detectors=service.detectors,
        viewing=service.viewing,
        destinations=tuple(
            one for one in region.destinations if one.enabled and one.id in meeting.destinations
        ),
        home=service.home.absolute(),
    )


def _schedule(service: ServiceConfig, meeting: Meeting) -> ScheduleSettings:
    """The service's times with those of the plan in their place."""
    return service.schedule.model_copy(
        update={
            "prepare_before": meeting.prepare_before,
            "line_up_before": meeting.line_up_before,
            "overrun": meeting.overrun,
            "end_by_schedule": meeting.end_by_schedule,
        }
    )
