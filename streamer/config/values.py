"""The values that settings are made of, each with its own check and its own plain sentence."""

import difflib
import re
import zoneinfo
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from streamer.config.secrets import holds_key, holds_token, looks_like_key, redact_url
from streamer.domain.errors import BadInput
from streamer.domain.meeting import zone

SAMPLE_RATE = 48_000
"""Samples of sound per second of every programme."""


def fault(wrong: str, right: str, key: str = "") -> PydanticCustomError:
    """What is wrong and what would be right; `key` names the setting inside a checked model."""
    return PydanticCustomError(
        "setting", "{wrong}; {right}", {"wrong": wrong, "right": right, "key": key}
    )


def shown(value: object) -> str:
    """A wrong value as a message may show it: short, quoted, and never a possible secret."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = " ".join(str(value).split())
    if looks_like_key(text):
        return "this value"
    if isinstance(value, int | float):
        return text
    if "://" in text:
        return f"'{redact_url(text)}'"
    return f"'{text[:57] + '…' if len(text) > 60 else text}'"


def nearest(word: str, words: list[str]) -> str | None:
    """The one of `words` that was probably meant, or None."""
    found = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return found[0] if found else None


# --- durations ----------------------------------------------------------------------------------

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_duration(value: object) -> timedelta:
    """The duration of `1h30m`, `60m`, `90s` or `0.5s`; a timedelta is taken as it is."""
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if found is None:
        hint = "write it with its unit, such as 90s, 60m or 1h30m"
        if isinstance(value, int) and not isinstance(value, bool):
            raise fault(f"{value} is a number without a unit", hint)
        raise fault(f"{shown(value)} is not a duration", hint)
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    try:
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise fault(f"{shown(value)} is too long", "write a duration of hours at most") from None


def format_duration(value: timedelta) -> str:
    """`1h30m` for 90 minutes; what `parse_duration` reads back unchanged."""
    microseconds = value // timedelta(microseconds=1)
    minutes, rest = divmod(microseconds, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    text = (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")
    if rest:
        text += f"{rest / 1_000_000:.6f}".rstrip("0").rstrip(".") + "s"
    return text or "0s"


def _not_negative(value: timedelta) -> timedelta:
    if value < timedelta(0):
        raise fault("a duration cannot be negative", "write a duration such as 60m")
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    AfterValidator(_not_negative),
    PlainSerializer(format_duration, return_type=str),
]

# --- names and codes ----------------------------------------------------------------------------


def _id(value: str) -> str:
    if len(value) <= 40 and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        return value
    raise fault(
        f"{shown(value)} cannot be used as a name here",
        "write at most 40 small Latin letters and digits, joined by single hyphens,"
        " such as almaty-region",
    )


def _code(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        raise fault(f"{value} is a number, but a KATO code is a text", f'quote it: "{value:09d}"')
    if isinstance(value, str) and re.fullmatch(r"[0-9]{9}", value):
        return value
    raise fault(f"{shown(value)} is not a KATO code", 'write nine digits in quotes: "100000000"')


def _zone(value: str) -> str:
    try:
        zone(value)
    except BadInput:
        near = nearest(value, sorted(zoneinfo.available_timezones()))
        raise fault(
            f"{shown(value)} is not a time zone",
            f"write {near}" if near else "write an IANA name such as Asia/Almaty",
        ) from None
    return value


Id = Annotated[str, AfterValidator(_id)]
"""Name of a thing in files, addresses and events: small Latin letters, digits, hyphens."""
KatoCode = Annotated[str, BeforeValidator(_code)]
"""Code of the State classifier of administrative and territorial objects: nine digits, text."""
ZoneName = Annotated[str, AfterValidator(_zone)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Port = Annotated[int, Field(ge=1, le=65535)]

# --- pictures -----------------------------------------------------------------------------------


def _even(value: int) -> int:
    if value % 2:
        raise fault(f"{value} is odd", f"write an even number such as {value + 1}")
    return value


def _whole_ticks(value: int) -> int:
    if SAMPLE_RATE % value:
        raise fault(
            f"{value} pictures a second do not divide {SAMPLE_RATE} samples of sound evenly",
            "write 24, 25, 30, 50 or 60",
        )
    return value


def _colour(value: str) -> str:
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", value):
        raise fault(f"{shown(value)} is not a colour", 'write it in quotes as "#00AFCA"')
    return value


HexColour = Annotated[str, AfterValidator(_colour)]
Pixels = Annotated[int, Field(ge=160, le=3840), AfterValidator(_even)]
FrameRate = Annotated[int, Field(ge=10, le=60), AfterValidator(_whole_ticks)]

# --- places -------------------------------------------------------------------------------------


def _anchor(value: Path, info: ValidationInfo) -> Path:
    # A relative path of a file means the same place wherever the service is started from.
    base = info.context.get("base") if isinstance(info.context, dict) else None
    return base / value if isinstance(base, Path) else value


AnchoredPath = Annotated[Path, AfterValidator(_anchor)]
"""A path; a relative one is counted from the folder that holds the `configs` folder."""


def _folder(value: str, info: ValidationInfo) -> str:
    path = value.removeprefix("file://")
    if "://" in path:
        raise fault(
            f"{shown(value)} is not a folder", "write the path of a folder, also a mounted one"
        )
    return str(_anchor(Path(path), info))


FolderUrl = Annotated[str, StringConstraints(min_length=1), AfterValidator(_folder)]


def _address(value: str, schemes: tuple[str, ...], example: str, what: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        good = False
    if not good or re.search(r"\s", value):
        raise fault(f"{_shown_address(value)} is not {what}", f"write {example}")
    return value


def _shown_address(value: str) -> str:
    scheme, found, _ = value.partition("://")
    return f"'{scheme}://…'" if found and re.fullmatch(r"[a-z][a-z0-9+]*", scheme) else "this"


def _rtmp(value: str) -> str:
    _address(value, ("rtmp", "rtmps"), "rtmp://… or rtmps://…", "an RTMP address")
    if holds_key(value):
        raise fault(
            f"'{redact_url(value)}' seems to contain the stream key (hidden here)",
            "write the address alone and the key as a reference: key: env:NAME",
        )
    if not urlsplit(value).path.strip("/"):
        raise fault(
            f"'{redact_url(value)}' names no application",
            "write the whole address that the platform shows, such as rtmp://host/live2",
        )
    return value


def _web(value: str) -> str:
    return _address(value, ("https", "http"), "https://…", "a web address")


def _source_address(value: str) -> str:
    _address(
        value, ("srt", "rtsp", "rtsps", "http", "https"), "srt://…, rtsp://… or https://…",
        "an address of a source",
    )  # fmt: skip
    parts = urlsplit(value)
    if parts.username or parts.password:
        raise fault(
            f"'{redact_url(value)}' contains a login (hidden here)",
            "write the address without it, and login: env:NAME (user:password)",
        )
    if parts.scheme == "srt" and (parts.port is None or parts.query or parts.path.strip("/")):
        raise fault(
            f"'{redact_url(value)}' is not host and port alone",
            "write srt://host:port, and what else is needed as settings (passphrase, token)",
        )
    if holds_token(value):
        raise fault(
            f"'{redact_url(value)}' seems to contain a token (hidden here)",
            "write the address up to the question mark, and the rest as token: env:NAME",
        )
    return value


def _redis(value: str) -> str:
    if value.startswith("unix://") and len(value) > len("unix://"):
        return value
    return _address(
        value, ("redis", "rediss"), "redis://host:6379/0 or unix:///path", "a Redis address"
    )


def _database(value: str) -> str:
    if re.match(r"(sqlite(\+aiosqlite)?|postgresql(\+asyncpg)?)://", value):
        return value
    raise fault(
        f"{_shown_address(value)} is not a database address",
        "write postgresql://host/name or sqlite:///path",
    )


RtmpUrl = Annotated[str, AfterValidator(_rtmp)]
"""Address of an RTMP ingest without its stream key."""
WebUrl = Annotated[str, AfterValidator(_web)]
SourceAddress = Annotated[str, AfterValidator(_source_address)]
"""Address of a source that we call, without login and token."""
RedisUrl = Annotated[str, AfterValidator(_redis)]
DatabaseUrl = Annotated[str, AfterValidator(_database)]
