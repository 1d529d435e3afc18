"""What the API takes and answers. These models are the API's description (`/api/openapi.json`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamer.domain.errors import Act, BadInput
from streamer.domain.meeting import MeetingState

Model = TypeVar("Model", bound=BaseModel)
Text = Annotated[str, Field(min_length=1, max_length=500)]

PersonCommand = Literal[
    "prepare", "line_up", "go_live", "end", "cancel", "postpone", "slate", "take_scene", "mute",
    "restart_leg", "give_floor", "take_floor_back", "graphics", "sound",
]  # fmt: skip
"""The commands of a meeting that a person may send."""


class Body(BaseModel):
    """A request body: fields that are not known are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class TitleBody(Body):
    """The title of a meeting in the languages of the service."""

    kk: Text = Field(description="Kazakh")
    ru: Text = Field(description="Russian")
    en: str = Field("", max_length=500, description="English")


class PlanBody(Body):
    """A meeting to be planned."""

    region: str = Field(description="slug of the region's file, such as abai")
    title: TitleBody
    starts: str = Field(description="wall time in the region's zone: 2027-02-19T10:00")
    ends: str | int = Field(description="wall time like `starts`, or minutes after the start")
    destinations: list[str] | None = Field(
        None, description="ids of the accounts to send to; left out: every enabled one"
    )
    hall: str = Field("", description="id of the hall; left out: the region's first")
    speaker: str = Field("", max_length=300, description="who reports")
    end_by_schedule: bool | None = Field(
        None, description="end at the planned end; left out: as the service is configured"
    )


class PatchBody(Body):
    """What changes of a plan; what is left out stays. A new `starts` keeps the length."""

    title: TitleBody | None = None
    starts: str | None = Field(None, description="wall time in the region's zone")
    ends: str | int | None = Field(None, description="wall time, or minutes after the start")
    destinations: list[str] | None = None
    hall: str | None = None
    speaker: str | None = Field(None, max_length=300)
    end_by_schedule: bool | None = None
    reason: str = Field("", max_length=500, description="why; kept in the history")


class CommandBody(Body):
    """A command to a meeting with what it needs."""

    command: PersonCommand
    scene: str | None = Field(None, max_length=100, description="take_scene: hall, slate, …")
    fade: bool | None = Field(
        None, description="take_scene, give_floor, take_floor_back: fade in 300 ms instead of a cut"
    )
    muted: bool | None = Field(None, description="mute, sound: true or false")
    leg: str | None = Field(None, max_length=200, description="restart_leg: such as relay:youtube")
    site: str | None = Field(None, max_length=100, description="give_floor: id of the site")
    feed: str | None = Field(
        None, max_length=100, description="sound: such as feed:hall, feed:site:semey-city"
    )
    gain_db: float | None = Field(None, ge=-40, le=20, description="sound: how much louder, in dB")
    delay_ms: int | None = Field(
        None, ge=-500, le=1000, description="sound: how much later than it comes, in ms"
    )
    graphic: str | None = Field(
        None,
        max_length=50,
        description="graphics: lower_third, question, next, clock or live_mark",
    )
    shown: dict[str, Any] | None = Field(
        None, description="graphics: what it shows; left out, it is hidden"
    )
    reason: str | None = Field(None, max_length=500, description="end, cancel, postpone: why")


class ErrorBody(BaseModel):
    """An error that says who must act."""

    code: str
    message: str
    act: Act
    tried: dict[str, Any]


class ErrorAnswer(BaseModel):
    """Every error of the API; `allowed` stands there when a command was not possible."""

    error: ErrorBody
    allowed: list[str] | None = None


class NamesAnswer(BaseModel):
    """A name in the languages of the service."""

    kk: str
    ru: str
    en: str


class MeetingAnswer(BaseModel):
    """A meeting's plan and state. Instants are ISO 8601 in UTC; wall times have no offset."""

    id: str
    region: str
    region_names: NamesAnswer
    title: NamesAnswer
    starts_at: str
    ends_at: str
    zone: str
    wall_start: str
    destinations: list[str]
    speaker: str
    hall: str
    end_by_schedule: bool
    state: MeetingState
    reason: str
    prepare_at: str
    line_up_at: str
    give_up_at: str
    allowed: list[str] = Field(description="commands that are possible in this state")


class MeetingsAnswer(BaseModel):
    """Meetings in the order of their start."""

    meetings: list[MeetingAnswer]


class CommandAnswer(BaseModel):
    """The command was taken; its outcome comes as an event with the same id."""

    command_id: str


class NextStep(BaseModel):
    """The next command of the plan. `due_at` is POSIX seconds, None when nothing is planned."""

    command: str
    due_at: float | None


class LiveAnswer(BaseModel):
    """The snapshot of the meeting's run (docs/architecture.md) and what follows from it."""

    model_config = ConfigDict(extra="allow")

    meeting: str
    state: MeetingState
    now: float = Field(description="the server's clock, POSIX seconds")
    stale_s: float | None = Field(
        description="age of the snapshot in seconds; None when the meeting has no run"
    )
    allowed: list[str]
    next: NextStep | None


class EventAnswer(BaseModel):
    """One line of the as-run log (streamer/domain/events.py)."""

    meeting: str
    seq: int
    at: float
    name: str
    data: dict[str, Any]


class EventsAnswer(BaseModel):
    """A piece of the as-run log."""

    events: list[EventAnswer]


class PackageAnswer(BaseModel):
    """The sealed package of a meeting."""

    files: int
    bytes: int
    manifest_sha256: str


class ArchivedMeeting(BaseModel):
    """A meeting that took place; `package` is None until it is sealed."""

    meeting: MeetingAnswer
    package: PackageAnswer | None
    watch: str = Field(description="address of the HLS playlist")


class ArchiveAnswer(BaseModel):
    """A page of the archive of a year, newest first."""

    meetings: list[ArchivedMeeting]
    page: int
    pages: int


class PartAnswer(BaseModel):
    """One unbroken piece of a recording."""

    recorder: str
    part: int
    path: str
    bytes: int | None
    reason: str


class GapAnswer(BaseModel):
    """A hole in the recording: `offset` and `seconds` in seconds, `at` POSIX seconds."""

    at: float
    offset: float
    seconds: float


class FileAnswer(BaseModel):
    """One file of the package, as its manifest names it."""

    path: str
    bytes: int
    sha256: str
    address: str | None = Field(description="None: for signed-in staff only")


class RunLine(EventAnswer):
    """A public line of the as-run log with its place in the recording, seconds from its start."""

    offset: float | None


class ArchivedMeetingAnswer(ArchivedMeeting):
    """Everything of one archived meeting."""

    as_run: list[RunLine]
    parts: list[PartAnswer]
    gaps: list[GapAnswer]
    files: list[FileAnswer]


class PublicSound(BaseModel):
    """A playlist of sound alone. Where there is one sound, its language is not said."""

    language: str
    name: str
    address: str


class PublicState(BaseModel):
    """What everybody may know of a meeting now. `watch`: the HLS playlist of all renditions."""

    state: MeetingState
    starts_at: str
    watch: str | None
    sounds: list[PublicSound]


class Health(BaseModel):
    """`ok`, and per part what is wrong (empty when nothing)."""

    ok: bool
    parts: dict[str, str] = {}


async def body_of(request: web.Request, model: type[Model]) -> Model:
    """The request's JSON body as `model`; BadInput that names each field that is wrong."""
    try:
        raw = await request.json()
    except ValueError:
        raise BadInput(
            "the body is not JSON; send an object with Content-Type application/json",
            code="not_json",
        ) from None
    return validated(model, raw)


def validated(model: type[Model], raw: object) -> Model:
    """`raw` as `model`; BadInput that names each field that is wrong and what would be right."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        wrong = {_path(one["loc"]): _right(one, model) for one in error.errors(include_url=False)}
        raise BadInput(
            "; ".join(f"{field}: {text}" for field, text in wrong.items()),
            code="wrong_fields", fields=wrong,
        ) from None  # fmt: skip


def _path(location: tuple[int | str, ...]) -> str:
    # The branches of a union (`ends: str | int`) appear in the location; a person knows the field.
    shown = [part for part in location if part not in ("str", "int", "constrained-str")]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in shown)
    return path.lstrip(".") or "body"


def _right(error: Any, model: type[BaseModel]) -> str:
    kind = error["type"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        known = ", ".join(model.model_fields)
        return f"is not known; known here: {known}" if len(error["loc"]) == 1 else "is not known"
    return str(error["msg"])
