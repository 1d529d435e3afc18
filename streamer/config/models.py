"""The whole configuration; the one place to import its models from."""

from dataclasses import dataclass

from streamer.config.region import (
    Destination,
    DestinationKind,
    FloorSettings,
    GraphicsSettings,
    Hall,
    Language,
    Languages,
    LocalNames,
    Mode,
    RegionConfig,
    RegionKind,
    Site,
    SiteKind,
    Source,
    SourceKind,
)
from streamer.config.scenes import SHIPPED, Layout, Scenes, SignPlace
from streamer.config.secrets import SecretRef
from streamer.config.service import (
    DetectorSettings,
    LogLevel,
    Preset,
    ProgrammeOverrides,
    ProgrammeSettings,
    RecordingSettings,
    RelaySettings,
    ScheduleSettings,
    ServiceConfig,
    Settings,
    SoundSettings,
    ViewingSettings,
    WebSettings,
    WorkerSettings,
)
from streamer.config.values import nearest
from streamer.domain.errors import NotFound

__all__ = [
    "SHIPPED",
    "Configuration",
    "Destination",
    "DestinationKind",
    "DetectorSettings",
    "FloorSettings",
    "GraphicsSettings",
    "Hall",
    "Language",
    "Languages",
    "Layout",
    "LocalNames",
    "LogLevel",
    "Mode",
    "Preset",
    "ProgrammeOverrides",
    "ProgrammeSettings",
    "RecordingSettings",
    "RegionConfig",
    "RegionKind",
    "RelaySettings",
    "Scenes",
    "ScheduleSettings",
    "SecretRef",
    "ServiceConfig",
    "Settings",
    "SignPlace",
    "Site",
    "SiteKind",
    "SoundSettings",
    "Source",
    "SourceKind",
    "ViewingSettings",
    "WebSettings",
    "WorkerSettings",
]


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that was read from one `configs` folder."""

    service: ServiceConfig
    regions: dict[str, RegionConfig]
    scenes: Scenes = SHIPPED

    def region(self, slug: str) -> RegionConfig:
        """The region `slug`; NotFound (`unknown_region`) with the nearest name."""
        if slug in self.regions:
            return self.regions[slug]
        possible = sorted(self.regions)
        near = nearest(slug, possible)
        raise NotFound(
            f"there is no region '{slug}'; "
            + (f"did you mean '{near}'?" if near else f"possible: {', '.join(possible)}"),
            code="unknown_region", region=slug, possible=possible,
        )  # fmt: skip
