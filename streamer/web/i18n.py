"""Languages: Kazakh (the state language, the default), Russian and English.

The texts in the code and the templates are English; `locales/<language>/LC_MESSAGES/messages.po`
hold the others and are compiled in memory when the service starts, so there is no build step that
could be forgotten.
"""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from datetime import datetime
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

DEFAULT = "kk"
LANGUAGES = {"kk": "Қазақша", "ru": "Русский", "en": "English"}
COOKIE = "lang"
COOKIE_AGE_S = 365 * 24 * 3600
LOCALES = Path(__file__).parent / "locales"
LANGUAGE: web.RequestKey[str] = web.RequestKey("language", str)


def N_(text: str) -> str:
    """Mark a text for translation that is translated later, when the language is known."""
    return text


class Languages:
    """The compiled catalogues."""

    def __init__(self) -> None:
        self._catalogues: dict[str, NullTranslations] = {
            language: _compiled(language) for language in LANGUAGES
        }

    def catalogue(self, language: str) -> NullTranslations:
        return self._catalogues[language]

    def text(self, language: str, text: str, values: dict[str, Any] | None = None) -> str:
        """`text` in `language`; `values` fill its `%(name)s` places."""
        translated = self._catalogues[language].gettext(text)
        return translated % values if values is not None else translated


def _compiled(language: str) -> NullTranslations:
    source = LOCALES / language / "LC_MESSAGES" / "messages.po"
    with source.open("rb") as file:
        catalogue = read_po(file, locale=language)
    binary = io.BytesIO()
    write_mo(binary, catalogue)
    binary.seek(0)
    return GNUTranslations(binary)


def language_of(request: web.Request) -> str:
    """The language of the request: `?lang=`, else the cookie, else Kazakh."""
    for wish in (request.query.get("lang"), request.cookies.get(COOKIE)):
        if wish in LANGUAGES:
            return str(wish)
    return DEFAULT


@web.middleware
async def language_middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Put the language on the request, and keep one that was chosen by `?lang=`."""
    request[LANGUAGE] = language_of(request)
    response = await handler(request)
    if request.query.get("lang") in LANGUAGES and not response.prepared:
        response.set_cookie(
            COOKIE, request[LANGUAGE], max_age=COOKIE_AGE_S, samesite="Lax", httponly=True
        )
    return response


def when(instant: datetime, zone: str = "UTC") -> str:
    """An instant as it is written in Kazakhstan, in `zone`: 19.02.2021 10:00."""
    return instant.astimezone(ZoneInfo(zone)).strftime("%d.%m.%Y %H:%M")


def clock(instant: datetime, zone: str = "UTC") -> str:
    """The time of day of an instant in `zone`: 10:00."""
    return instant.astimezone(ZoneInfo(zone)).strftime("%H:%M")


def size(count: float) -> str:
    """Bytes in the unit that reads well: 12.3 MB (decimal, as disks are sold)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"


def clock_s(instant: datetime, zone: str = "UTC") -> str:
    """The time of day of an instant in `zone`, with seconds: 10:00:07."""
    return instant.astimezone(ZoneInfo(zone)).strftime("%H:%M:%S")


def offset_minutes(instant: datetime, zone: str) -> int:
    """Minutes by which `zone` is ahead of UTC at `instant`.

    Given to scripts instead of the zone's name: browsers that were not updated since 2024 still
    believe that Almaty is at UTC+6.
    """
    ahead = instant.astimezone(ZoneInfo(zone)).utcoffset()
    return int(ahead.total_seconds() // 60) if ahead is not None else 0
