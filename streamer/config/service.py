"""The settings of the service, as they stand in `configs/streamer.yaml`.

Every field has a description; `configs/streamer.yaml` is the manual that shows each of them.
"""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamer.config.values import (
    AnchoredPath,
    DatabaseUrl,
    Duration,
    FolderUrl,
    FrameRate,
    Pixels,
    Port,
    RedisUrl,
    Text,
    WebUrl,
    fault,
)


class Settings(BaseModel):
    """Frozen, strict about unknown keys, and silent about values in its errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True
    )


class Preset(StrEnum):
    """Presets of the H.264 encoder, from the cheapest to the best picture per bit."""

    ULTRAFAST = "ultrafast"
    SUPERFAST = "superfast"
    VERYFAST = "veryfast"
    FASTER = "faster"
    FAST = "fast"
    MEDIUM = "medium"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


VideoKbps = Annotated[int, Field(ge=200, le=50_000)]
AudioKbps = Annotated[int, Field(ge=48, le=320)]
GopSeconds = Annotated[int, Field(ge=1, le=4)]


class ProgrammeSettings(Settings):
    """The one encode that every destination and recorder gets a copy of."""

    width: Pixels = Field(default=1280, description="Width of the picture in pixels.")
    height: Pixels = Field(default=720, description="Height of the picture in pixels.")
    fps: FrameRate = Field(default=25, description="Pictures per second.")
    video_kbps: VideoKbps = Field(default=3000, description="Video bit rate in kbit/s, constant.")
    audio_kbps: AudioKbps = Field(default=128, description="Audio bit rate in kbit/s.")
    preset: Preset = Field(default=Preset.SUPERFAST, description="Preset of the H.264 encoder.")
    gop_s: GopSeconds = Field(default=2, description="Seconds between key frames.")


class ProgrammeOverrides(Settings):
    """What a region wants otherwise than the service; what is left out stays the same."""

    width: Pixels | None = Field(default=None, description="Width of the picture in pixels.")
    height: Pixels | None = Field(default=None, description="Height of the picture in pixels.")
    fps: FrameRate | None = Field(default=None, description="Pictures per second.")
    video_kbps: VideoKbps | None = Field(
        default=None, description="Video bit rate in kbit/s, constant."
    )
    audio_kbps: AudioKbps | None = Field(default=None, description="Audio bit rate in kbit/s.")
    preset: Preset | None = Field(default=None, description="Preset of the H.264 encoder.")
    gop_s: GopSeconds | None = Field(default=None, description="Seconds between key frames.")

    def over(self, programme: ProgrammeSettings) -> ProgrammeSettings:
        """`programme` with what is set here in its place."""
        return programme.model_copy(update=self.model_dump(exclude_none=True))


class SoundSettings(Settings):
    """How loud the programme is."""

    loudness_lufs: float = Field(
        default=-23, ge=-31, le=-14,
        description="Loudness of the programme in LUFS (EBU R 128 asks for -23).",
    )  # fmt: skip
    hold_loudness: bool = Field(
        default=True, description="Whether the loudness is held by itself; false: gains by hand."
    )


class DetectorSettings(Settings):
    """When a picture or sound counts as wrong. Every fault is told once, and once when it is over.

    Levels are dBFS; a fault is told at the latest 5 s after it began, whatever stands here.
    """

    no_bytes_after: Duration = Field(
        default=timedelta(seconds=2), description="How long nothing arrives before it is told."
    )
    black_after: Duration = Field(
        default=timedelta(seconds=3), description="How long a picture is black before it is told."
    )
    black_luma: int = Field(
        default=24, ge=0, le=64,
        description="Luma (16 is black, 235 white) up to which a point of the picture is black.",
    )  # fmt: skip
    frozen_after: Duration = Field(
        default=timedelta(seconds=4),
        description="How long a picture stands still before it is told.",
    )
    silent_after: Duration = Field(
        default=timedelta(seconds=4), description="How long a sound is silent before it is told."
    )
    silent_db: float = Field(
        default=-60, ge=-90, le=-30, description="Level in dBFS below which a sound is silent."
    )
    low_db: float = Field(
        default=-45, ge=-70, le=-20,
        description="Level in dBFS of speech below which a sound is too low.",
    )  # fmt: skip
    loud_db: float = Field(
        default=-9, ge=-30, le=-1,
        description="Mean level in dBFS above which a sound is too loud.",
    )  # fmt: skip
    offset_ms: int = Field(
        default=80, ge=20, le=1000,
        description="How far in ms sound and picture may be apart, where it can be measured.",
    )  # fmt: skip


class ViewingSettings(Settings):
    """The official site's player (HLS), beside the full picture."""

    sound_only: bool = Field(default=True, description="A rendition with sound alone.")
    low: bool = Field(
        default=True,
        description="A rendition of 360 lines for weak lines; costs a tenth of a core.",
    )


class ScheduleSettings(Settings):
    """When things happen around the announced times."""

    prepare_before: Duration = Field(
        default=timedelta(minutes=60),
        description="How long before the start a meeting is prepared.",
    )
    line_up_before: Duration = Field(
        default=timedelta(minutes=30),
        description="How long before the start recorders and tests begin.",
    )
    overrun: Duration = Field(
        default=timedelta(minutes=60),
        description="How long after the planned end no destination is given up.",
    )
    end_by_schedule: bool = Field(
        default=False, description="Whether the planned end also ends the meeting by itself."
    )
    off_air_slate: Duration = Field(
        default=timedelta(seconds=10),
        description="How long the slate stays at the end before outputs close.",
    )

    @model_validator(mode="after")
    def _line_up_after_prepare(self) -> Self:
        if self.line_up_before > self.prepare_before:
            raise fault(
                "line-up would begin before the meeting is prepared",
                "write a duration that is not longer than prepare_before",
                "line_up_before",
            )
        return self


class RecordingSettings(Settings):
    """What goes to disk."""

    second_disk: AnchoredPath | None = Field(
        default=None, description="Folder on another disk for a second master recording."
    )
    hls_part_s: int = Field(
        default=2, ge=1, le=10, description="Length of an HLS segment in seconds."
    )
    warn_free_gb: float = Field(
        default=10, ge=0, description="Free space in GB below which staff are warned."
    )


class RelaySettings(Settings):
    """When a destination counts as lost."""

    # A silent stall must be seen within 10 s, whatever is written here.
    stall_s: float = Field(
        default=7.0,
        ge=2,
        le=8,
        description="Seconds without a byte after which a relay is replaced.",
    )
    connect_timeout_s: float = Field(
        default=7.0, ge=1, le=8, description="Seconds a destination has to accept a connection."
    )


class WebSettings(Settings):
    """Pages and API."""

    host: Text = Field(default="127.0.0.1", description="Address on which the pages are served.")
    port: Port = Field(default=8080, description="Port on which the pages are served.")
    public_url: WebUrl | None = Field(
        default=None,
        description="Address by which the public reaches the pages, when behind a proxy.",
    )


class WorkerSettings(Settings):
    """One worker agent."""

    capacity: int = Field(
        default=4, ge=1, le=200, description="Meetings that one worker runs at once."
    )
    feeds: int | None = Field(
        default=None, ge=1, le=64,
        description="Feeds that one meeting may decode at full rate at once; without it measured.",
    )  # fmt: skip


class ServiceConfig(Settings):
    """The service: `configs/streamer.yaml`."""

    home: AnchoredPath = Field(
        default=Path("var"),
        description="Folder of everything the service writes.",
    )
    log_level: LogLevel = Field(
        default=LogLevel.INFO, description="Least important messages to log."
    )
    # Addresses of stores may carry a password (from the environment): not in a repr.
    redis_url: RedisUrl | None = Field(
        default=None, repr=False, description="Redis to use; without it the service starts its own."
    )
    database_url: DatabaseUrl | None = Field(
        default=None, repr=False, description="Database to use; without it SQLite inside `home`."
    )
    archive_url: FolderUrl | None = Field(
        default=None,
        description="Folder of the sealed packages; without it `archive` inside `home`.",
    )
    ffmpeg: AnchoredPath | None = Field(
        default=None,
        description="The ffmpeg program; without it the one that is installed with the service.",
    )
    web: WebSettings = Field(default=WebSettings(), description="Pages and API.")
    programme: ProgrammeSettings = Field(default=ProgrammeSettings(), description="The encode.")
    schedule: ScheduleSettings = Field(
        default=ScheduleSettings(), description="Times around a meeting."
    )
    recording: RecordingSettings = Field(
        default=RecordingSettings(), description="What goes to disk."
    )
    relay: RelaySettings = Field(
        default=RelaySettings(), description="When a destination counts as lost."
    )
    sound: SoundSettings = Field(default=SoundSettings(), description="How loud the programme is.")
    detectors: DetectorSettings = Field(
        default=DetectorSettings(), description="When a picture or sound counts as wrong."
    )
    viewing: ViewingSettings = Field(
        default=ViewingSettings(), description="The official site's player."
    )
    worker: WorkerSettings = Field(default=WorkerSettings(), description="One worker agent.")

    @property
    def archive_folder(self) -> Path:
        """Where the sealed packages are."""
        return Path(self.archive_url) if self.archive_url else self.home / "archive"
