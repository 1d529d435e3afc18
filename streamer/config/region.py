"""The settings of a region, as they stand in `configs/regions/<slug>.yaml`."""

from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from streamer.config.secrets import SecretRef
from streamer.config.service import ProgrammeOverrides, Settings
from streamer.config.values import (
    AnchoredPath,
    HexColour,
    Id,
    KatoCode,
    Port,
    RtmpUrl,
    SourceAddress,
    Text,
    WebUrl,
    ZoneName,
    fault,
    nearest,
)
from streamer.domain.errors import BadInput
from streamer.domain.meeting import Names


class LocalNames(Settings):
    """One thing's name in the languages of the service."""

    kk: Text = Field(description="In Kazakh.")
    ru: Text = Field(description="In Russian.")
    en: str = Field(default="", max_length=200, description="In English; may be left out.")

    @staticmethod
    def of(names: Names) -> "LocalNames":
        return LocalNames(kk=names.kk, ru=names.ru, en=names.en)

    def in_language(self, language: str) -> str:
        """The name in `language`, else in Kazakh, the state language."""
        return self.domain.in_language(language)

    @property
    def domain(self) -> Names:
        return Names(kk=self.kk, ru=self.ru, en=self.en)


class RegionKind(StrEnum):
    REGION = "region"
    CAPITAL = "capital"
    REPUBLICAN_CITY = "republican_city"


class SiteKind(StrEnum):
    DISTRICT = "district"
    CITY_REGIONAL = "city_regional"
    CITY_DISTRICT = "city_district"


class SourceKind(StrEnum):
    SRT = "srt"
    """We listen; the hall's encoder calls with a passphrase."""
    SRT_CALLER = "srt_caller"
    """We call an encoder that listens."""
    RTMP = "rtmp"
    """We listen; the hall's encoder publishes with a key."""
    RTSP = "rtsp"
    """We call a camera."""
    URL = "url"
    """We read HLS or another live or finished stream from a web server."""
    FILE = "file"
    """A file, played in real time."""
    TEST = "test"
    """A test picture that says aloud what it is."""
    LINK = "link"
    """A participant of the conference link."""


_TAKES: dict[SourceKind, frozenset[str]] = {
    SourceKind.SRT: frozenset({"host", "port", "passphrase", "latency_ms"}),
    SourceKind.SRT_CALLER: frozenset({"address", "passphrase", "token", "latency_ms"}),
    SourceKind.RTMP: frozenset({"host", "port", "key"}),
    SourceKind.RTSP: frozenset({"address", "login"}),
    SourceKind.URL: frozenset({"address", "login", "token"}),
    SourceKind.FILE: frozenset({"path"}),
    SourceKind.TEST: frozenset(),
    SourceKind.LINK: frozenset(),
}
_ALL_TAKE = ("id", "kind", "gain_db", "sound_delay_ms")
_NEEDS: dict[SourceKind, tuple[str, str]] = {
    SourceKind.SRT: ("port", "port: 9001"),
    SourceKind.SRT_CALLER: ("address", "address: srt://192.0.2.7:9001"),
    SourceKind.RTMP: ("port", "port: 9001"),
    SourceKind.RTSP: ("address", "address: rtsp://192.0.2.7:554/stream1"),
    SourceKind.URL: ("address", "address: https://example.kz/live/index.m3u8"),
    SourceKind.FILE: ("path", "path: /path/of/the/file"),
}
_SCHEMES: dict[SourceKind, tuple[str, ...]] = {
    SourceKind.SRT_CALLER: ("srt",),
    SourceKind.RTSP: ("rtsp", "rtsps"),
    SourceKind.URL: ("http", "https"),
}


def _ip(value: str) -> str:
    try:
        ip_address(value)
    except ValueError:
        raise fault(
            f"'{value}' is not an address of a network card",
            "write 0.0.0.0 for all cards, or one address such as 192.0.2.1",
        ) from None
    return value


class Source(Settings):
    """One way by which a picture and sound reach us."""

    id: Id = Field(default="hall", description="Name of the source within its hall.")
    kind: SourceKind = Field(description="srt, srt_caller, rtmp, rtsp, url, file, test or link.")
    host: Annotated[str, AfterValidator(_ip)] = Field(
        default="0.0.0.0",  # noqa: S104 - a hall calls from outside; open ports without a secret are refused
        description="Address on which we listen (srt, rtmp).",
    )
    port: Port | None = Field(
        default=None, description="Port on which we listen (srt: UDP, rtmp: TCP)."
    )
    address: SourceAddress | None = Field(
        default=None,
        description="What we call, without login and token (srt_caller, rtsp, url).",
    )
    passphrase: SecretRef | None = Field(
        default=None,
        description="Passphrase of the connection, 10 to 79 characters (srt, srt_caller).",
    )
    login: SecretRef | None = Field(
        default=None, description="Reference to `user:password` (rtsp, url)."
    )
    token: SecretRef | None = Field(
        default=None,
        description="Reference to the secret end of the address, such as `token=…` (url), or to"
        " the stream id (srt_caller).",
    )
    key: SecretRef | None = Field(default=None, description="Stream key of the caller (rtmp).")
    latency_ms: int = Field(
        default=200, ge=20, le=8000,
        description="Time in ms for repeating lost packets (srt, srt_caller).",
    )  # fmt: skip
    path: AnchoredPath | None = Field(default=None, description="The file to play (file).")
    gain_db: float = Field(
        default=0, ge=-40, le=20, description="How much louder its sound is made, in dB."
    )
    sound_delay_ms: int = Field(
        default=0, ge=-500, le=1000,
        description="How much later its sound is heard, in ms, where it comes before its picture;"
        " negative: the picture is shown later.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        needed, example = _NEEDS.get(self.kind, ("", ""))
        if needed and getattr(self, needed) is None:
            article = "an" if needed == "address" else "a"
            raise fault(f"a source of kind {self.kind} needs {article} {needed}", f"add {example}")
        for name, field in type(self).model_fields.items():
            if name in (*_ALL_TAKE, *_TAKES[self.kind]) or getattr(self, name) == field.default:
                continue
            kinds = " or ".join(str(kind) for kind in SourceKind if name in _TAKES[kind])
            raise fault(
                f"a source of kind {self.kind} has no {name}",
                f"remove it, or write kind: {kinds}",
                name,
            )
        scheme = (self.address or "").partition("://")[0].lower()
        if self.address and scheme not in _SCHEMES[self.kind]:
            raise fault(
                f"{scheme}:// is not an address of kind {self.kind}", f"write {example[9:]}",
                "address",
            )  # fmt: skip
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """Its references to secrets."""
        return tuple(
            one for one in (self.passphrase, self.key, self.login, self.token) if one is not None
        )


class Hall(Settings):
    """A place from which meetings are held."""

    id: Id = Field(description="Name of the hall within its region.")
    names: LocalNames = Field(description="What people call it.")
    sources: tuple[Source, ...] = Field(
        default=(), description="Ways by which its picture reaches us."
    )


class Mode(StrEnum):
    """How the programme is made."""

    MIX = "mix"
    """From feeds, by our mixer: scenes, graphics, slate."""
    PASS = "pass"  # noqa: S105 - a mode, not a password
    """The hall sends the finished picture; it is copied, with a slate while it is away."""


class Language(StrEnum):
    KK = "kk"
    RU = "ru"
    EN = "en"


class Languages(Settings):
    """Languages of the programme's sound."""

    main: Language = Field(default=Language.KK, description="Language of the hall: kk, ru or en.")
    second: Language | None = Field(
        default=None,
        description="Language of the hall's source `interpreter`; without it there is one sound.",
    )

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.second is self.main:
            raise fault("both languages are the same", "write another one, or remove it", "second")
        return self


class FloorSettings(Settings):
    """What giving the floor to a site does to the picture."""

    scene: str = Field(
        default="split",
        description="Scene that is taken with the site's name: split, site, pip; none: no scene.",
    )
    back: str = Field(default="hall", description="Scene that is taken when the floor goes back.")
    fade: bool = Field(default=True, description="Whether scenes fade (300 ms) instead of cutting.")


class GraphicsSettings(Settings):
    """What is drawn over the picture."""

    emblem: AnchoredPath | None = Field(
        default=None, description="Picture of the region's emblem (PNG, best with transparency)."
    )
    accent: HexColour = Field(
        default="#00AFCA", description="Colour of bars and marks, as #RRGGBB."
    )
    clock: bool = Field(default=False, description="Whether the time of day is in the picture.")
    live_mark: bool = Field(default=True, description="Whether LIVE is in the picture on air.")


class DestinationKind(StrEnum):
    RTMP = "rtmp"


class Destination(Settings):
    """One account that a meeting is sent to."""

    id: Id = Field(description="Name of the destination within its region.")
    name: Text = Field(description="What people call it.")
    kind: DestinationKind = Field(
        default=DestinationKind.RTMP, description="rtmp, for RTMP and RTMPS."
    )
    enabled: bool = Field(default=False, description="Whether meetings may be sent there.")
    url: RtmpUrl = Field(description="Address of the ingest, without the stream key.")
    key: SecretRef = Field(description="Where the stream key is.")
    backup_url: RtmpUrl | None = Field(
        default=None, description="Address of the platform's second ingest."
    )
    backup_key: SecretRef | None = Field(
        default=None, description="Stream key of the second ingest, when it is another one."
    )
    previewable: bool = Field(
        default=False,
        description="true: connected in line-up and not public until it goes live;"
        " false: public on the first byte, therefore connected when the meeting goes live.",
    )
    page: WebUrl | None = Field(default=None, description="Public page of the account.")
    language: Language | None = Field(
        default=None,
        description="Whose sound the account gets: kk, ru or en, one of the region's languages;"
        " without it the main one.",
    )
    ca_file: AnchoredPath | None = Field(
        default=None, description="Certificates to trust for rtmps, instead of the system's."
    )

    @model_validator(mode="after")
    def _backup_is_whole(self) -> Self:
        if self.backup_key and not self.backup_url:
            raise fault(
                "there is a backup_key without a backup_url", "add backup_url", "backup_key"
            )
        return self


class Site(Settings):
    """A place that can be linked to a meeting of its region."""

    id: Id = Field(description="Name of the site within its region.")
    code: KatoCode = Field(description="KATO code, nine digits in quotes.")
    kind: SiteKind = Field(description="district, city_regional or city_district.")
    names: LocalNames = Field(description="Name of the district or city.")
    centre: LocalNames = Field(description="Name of its centre.")
    source: Source | None = Field(
        default=None,
        description="The way by which its picture reaches us, when not by the conference link.",
    )


class RegionConfig(Settings):
    """One region: `configs/regions/<slug>.yaml`."""

    slug: Id = Field(description="Name of the region in addresses; also the name of its file.")
    code: KatoCode = Field(description="KATO code, nine digits in quotes.")
    kind: RegionKind = Field(description="region, capital or republican_city.")
    names: LocalNames = Field(description="Name of the region.")
    centre: LocalNames = Field(description="Name of its centre.")
    time_zone: ZoneName = Field(description="IANA name of its time zone.")
    programme: ProgrammeOverrides = Field(
        default=ProgrammeOverrides(), description="What is encoded otherwise than in the service."
    )
    mode: Mode = Field(
        default=Mode.MIX,
        description="mix: we make the programme. pass: the hall sends it finished, it is copied.",
    )
    languages: Languages = Field(
        default=Languages(), description="Languages of the programme's sound."
    )
    floor: FloorSettings = Field(
        default=FloorSettings(), description="What giving the floor does to the picture."
    )
    graphics: GraphicsSettings = Field(
        default=GraphicsSettings(), description="What is drawn over the picture."
    )
    halls: tuple[Hall, ...] = Field(
        default=(), description="Halls; the first is used when none is named."
    )
    destinations: tuple[Destination, ...] = Field(default=(), description="Accounts of the region.")
    sites: tuple[Site, ...] = Field(default=(), description="Places that can be linked.")

    def hall(self, id: str) -> Hall:
        """The hall `id`, the first one for ""; BadInput (`unknown_hall`) names the possible."""
        for hall in self.halls:
            if id in ("", hall.id):
                return hall
        raise _unknown("hall", id, [hall.id for hall in self.halls], self.slug)

    def destination(self, id: str) -> Destination:
        """The destination `id`; BadInput (`unknown_destination`) names the possible ones."""
        for destination in self.destinations:
            if destination.id == id:
                return destination
        raise _unknown("destination", id, [one.id for one in self.destinations], self.slug)


def _unknown(what: str, id: str, possible: list[str], region: str) -> BadInput:
    near = nearest(id, possible)
    return BadInput(
        f"{region} has no {what} '{id}'; "
        + (f"did you mean '{near}'? " if near else "")
        + f"possible: {', '.join(possible) or 'none is configured'}",
        code=f"unknown_{what}", region=region, possible=possible, **{what: id},
    )  # fmt: skip
