"""What the web part is given, and the typed keys under which its parts find each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from streamer.config.models import Configuration
from streamer.store.live import Live
from streamer.store.records import Records
from streamer.store.secrets import SecretStore

if TYPE_CHECKING:
    from streamer.web.auth import Gate
    from streamer.web.fan import Fan
    from streamer.web.i18n import Languages
    from streamer.web.meetings import MeetingReader
    from streamer.web.scrub import Scrubber

Prepare = Callable[[str, str], Awaitable[None]]
"""`prepare(meeting_id, by)`: freeze the meeting, set it PREPARING and offer it to the workers."""


@dataclass(frozen=True, slots=True)
class WebContext:
    """Everything the pages and the API work with. The caller opens and closes it.

    `home` is the service's folder: the meetings lie under it, and the key of the session cookie.
    `prepare` does what the command `prepare` means for a planned meeting.
    """

    records: Records
    live: Live
    configuration: Configuration
    secrets: SecretStore
    home: Path
    prepare: Prepare

    @property
    def archive_folder(self) -> Path:
        """Where sealed packages lie."""
        return self.configuration.service.archive_folder

    def meeting_folder(self, meeting: str) -> Path:
        return self.home / "meetings" / meeting


CONTEXT: web.AppKey[WebContext] = web.AppKey("context", WebContext)
if TYPE_CHECKING:
    FAN: web.AppKey[Fan]
    GATE: web.AppKey[Gate]
    LANGUAGES: web.AppKey[Languages]
    READER: web.AppKey[MeetingReader]
    SCRUBBER: web.AppKey[Scrubber]
else:
    # The types live in modules that import this one, hence the plain keys at run time.
    FAN = web.AppKey("fan")
    GATE = web.AppKey("gate")
    LANGUAGES = web.AppKey("languages")
    READER = web.AppKey("reader")
    SCRUBBER = web.AppKey("scrubber")
