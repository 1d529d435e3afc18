"""What a package says of its meeting: schema.org for the web, Dublin Core for libraries."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from streamer.archive.deliveries import Interval, moment
from streamer.config.models import LocalNames
from streamer.config.spec import MeetingSpec
from streamer.domain.events import Event, EventName
from streamer.domain.meeting import Meeting, MeetingState, Names, zone

SCHEMA_VERSION = 1
"""Version of our own part of `meeting.json`; raised when a reader would have to know."""

_OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
_DC = "http://purl.org/dc/elements/1.1/"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True, slots=True)
class Video:
    """The recordings of a meeting as staged; paths are relative to `data/`.

    `seconds` is the length of the composed viewing copy; None when there is none.
    """

    master: tuple[str, ...]
    playlist: str
    seconds: float | None


def meeting_json(
    meeting: Meeting,
    spec: MeetingSpec,
    events: Sequence[Event],
    deliveries: Sequence[Interval],
    video: Video,
) -> str:
    """`data/meeting.json`: JSON-LD with an Event, its live broadcast and its recording."""
    lasting = since_prepared(events)
    on_air, off_air = on_air_times(lasting)
    event: dict[str, Any] = {
        "@context": ["https://schema.org", {"dc": _DC}],
        "@type": "Event",
        "schemaVersion": SCHEMA_VERSION,
        "identifier": meeting.id,
        "name": _tagged(meeting.title),
        "startDate": _local(meeting.starts_at, meeting.zone),
        "endDate": _local(meeting.ends_at, meeting.zone),
        "eventStatus": "https://schema.org/EventScheduled",
        "eventAttendanceMode": "https://schema.org/MixedEventAttendanceMode",
        "inLanguage": ["kk", "ru"],
        "organizer": {"@type": "GovernmentOrganization", "name": _tagged(spec.region_names)},
        "location": {
            "@type": "Place",
            "name": _tagged(spec.hall_names or spec.region_names),
            "address": {"@type": "PostalAddress", "addressCountry": "KZ"},
        },
        "announced": {"wallStart": meeting.wall_start, "timeZone": meeting.zone},
        "dc:type": "Event",
    }
    if meeting.speaker:
        event["performer"] = {"@type": "Person", "name": meeting.speaker}
    event["subjectOf"] = _broadcast(meeting, spec, deliveries, on_air, off_air)
    if video.playlist or video.master:
        event["recordedIn"] = _video(meeting, video, on_air, off_air)
    event["clock"] = _clock(lasting)
    event["recordingParts"] = list(_parts(lasting))
    return json.dumps(event, ensure_ascii=False, indent=1) + "\n"


def dublin_core(meeting: Meeting, spec: MeetingSpec) -> str:
    """`data/dc.xml`: the fifteen elements of Dublin Core that apply, as OAI-PMH wants them."""
    ElementTree.register_namespace("oai_dc", _OAI_DC)
    ElementTree.register_namespace("dc", _DC)
    root = ElementTree.Element(f"{{{_OAI_DC}}}dc")

    def add(element: str, text: str, language: str = "") -> None:
        if text:
            child = ElementTree.SubElement(root, f"{{{_DC}}}{element}")
            child.text = text
            if language:
                child.set(_XML_LANG, language)

    for element, names in (("title", meeting.title), ("creator", spec.region_names)):
        for language in ("kk", "ru", "en"):
            add(element, getattr(names, language), language)
    add("contributor", meeting.speaker)
    add("date", _local(meeting.starts_at, meeting.zone))
    add("type", "MovingImage")
    add("format", "video/mp2t")
    add("format", "application/vnd.apple.mpegurl")
    add("identifier", meeting.id)
    add("language", "kk")
    add("language", "ru")
    add("coverage", spec.region_names.ru, "ru")
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def since_prepared(events: Sequence[Event]) -> Sequence[Event]:
    """The events of the last preparation and what followed.

    A meeting may be postponed after its run had begun. Clock and parts of that preparation are
    not those of the recording: the next one begins both anew.
    """
    for index in range(len(events) - 1, -1, -1):
        event = events[index]
        changed = event.name is EventName.MEETING_STATE_CHANGED
        if changed and event.data.get("to") == MeetingState.PREPARING:
            return events[index:]
    return events


def on_air_times(events: Iterable[Event]) -> tuple[float | None, float | None]:
    """POSIX seconds UTC at which the meeting became public, and at which it stopped being so."""
    on_air: float | None = None
    off_air: float | None = None
    for event in events:
        if event.name is EventName.MEETING_STATE_CHANGED:
            if event.data.get("to") == MeetingState.LIVE and on_air is None:
                on_air = event.at
            if event.data.get("from") == MeetingState.LIVE and event.data.get("to") != "LIVE":
                off_air = event.at
        elif event.name is EventName.OFF_AIR_CONFIRMED:
            off_air = event.at
    return on_air, off_air


def _broadcast(
    meeting: Meeting, spec: MeetingSpec, deliveries: Sequence[Interval],
    on_air: float | None, off_air: float | None,
) -> dict[str, Any]:  # fmt: skip
    reached = {row.destination for row in deliveries if row.connected_at is not None}
    channels = [
        {"@type": "BroadcastService", "identifier": d.id, "name": d.name}
        | ({"url": d.page} if d.page else {})
        for d in spec.destinations
        if d.id in reached
    ]
    return {
        "@type": "BroadcastEvent",
        "name": _tagged(meeting.title),
        "isLiveBroadcast": True,
        "startDate": moment(on_air) or None,
        "endDate": moment(off_air) or None,
        "publishedOn": channels,
    }


def _video(
    meeting: Meeting, video: Video, on_air: float | None, off_air: float | None
) -> dict[str, Any]:
    media = [
        {"@type": "MediaObject", "contentUrl": path, "encodingFormat": "video/mp2t"}
        for path in video.master
    ]
    result: dict[str, Any] = {
        "@type": "VideoObject",
        "name": _tagged(meeting.title),
        "uploadDate": moment(off_air) or None,
        "dateCreated": moment(on_air) or None,
        "associatedMedia": media,
        "dc:type": "MovingImage",
    }
    if video.playlist:
        result["contentUrl"] = video.playlist
        result["encodingFormat"] = "application/vnd.apple.mpegurl"
    if video.seconds is not None:
        result["duration"] = f"PT{video.seconds:.3f}S"
    return result


def _clock(events: Iterable[Event]) -> dict[str, Any]:
    """When programme time 0 was: the first part of the master tells both times of one moment.

    `recording_part_started` is written when its first frame is; good to a fraction of a second.
    """
    for event in events:
        at = event.data.get("programme_s")
        if event.name is EventName.RECORDING_PART_STARTED and isinstance(at, int | float):
            return {"programmeZero": moment(event.at - at), "from": f"event {event.seq}"}
    return {"programmeZero": None, "from": "no recording began"}


def _parts(events: Iterable[Event]) -> Iterable[dict[str, Any]]:
    for event in events:
        if event.name is EventName.RECORDING_PART_STARTED:
            yield {
                "recorder": event.data.get("recorder"),
                "part": event.data.get("part"),
                "startedAt": moment(event.at),
                "programmeSeconds": event.data.get("programme_s"),
            }


def _local(at: datetime, zone_name: str) -> str:
    """The instant with the offset that holds at the place: the wall time is the promise."""
    return at.astimezone(zone(zone_name)).isoformat(timespec="minutes")


def _tagged(names: Names | LocalNames) -> list[dict[str, str]]:
    return [
        {"@language": language, "@value": text}
        for language in ("kk", "ru", "en")
        if (text := getattr(names, language))
    ]
