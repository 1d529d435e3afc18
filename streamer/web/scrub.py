"""The last belt before an answer leaves: no stream key passes, whoever forgot to redact it.

Snapshots and events are redacted where they are made. Here they are cleaned once more, with the
secrets that are known now, because one forgotten field would publish the account of a region.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import structlog

from streamer.config.models import Configuration
from streamer.config.secrets import Redactor, redact_url, resolve
from streamer.domain.errors import StreamerError
from streamer.store.secrets import SecretStore

log = structlog.get_logger(__name__)

STREAM_ADDRESS = re.compile(r"\b(?:rtmps?|rtmpt|srt|rtsps?)://[^\s\"'<>|,;)]+", re.IGNORECASE)
REFRESH_S = 30.0
"""Seconds after which the known secrets are read again: a key typed now is known soon."""


class Scrubber:
    """Cleans text and JSON of secrets."""

    def __init__(self, configuration: Configuration, secrets: SecretStore) -> None:
        self._configuration = configuration
        self._secrets = secrets
        self._redactor = Redactor()
        self._read_at = float("-inf")

    async def refresh(self) -> None:
        """Read the secrets again when the last reading is old. A secret that cannot be read is
        not known to anybody here, so there is nothing to hide."""
        now = time.monotonic()
        if now - self._read_at < REFRESH_S:
            return
        self._read_at = now
        redactor = Redactor()
        try:
            for name in await self._secrets.names():
                redactor.add(await self._secrets.get(name))
        except StreamerError as error:
            log.warning("secrets_not_read", code=error.code)
            self._read_at = float("-inf")
            return
        await asyncio.to_thread(_add_resolved, redactor, _references(self._configuration))
        self._redactor = redactor

    def text(self, text: str) -> str:
        """`text` without secrets: known values are replaced, stream addresses lose their key."""
        cleaned = STREAM_ADDRESS.sub(lambda found: redact_url(found.group()), text)
        return self._redactor.clean(cleaned)

    def value(self, value: Any) -> Any:
        """A JSON value with every string in it cleaned."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value


def _add_resolved(redactor: Redactor, references: set[str]) -> None:
    for reference in references:
        try:
            redactor.add(resolve(reference))
        except StreamerError:
            log.debug("secret_not_set", reference=reference)


def _references(configuration: Configuration) -> set[str]:
    """Every secret reference of the regions that can be read here (env and file)."""
    found: set[str | None] = set()
    for region in configuration.regions.values():
        for destination in region.destinations:
            found |= {destination.key, destination.backup_key}
        for hall in region.halls:
            for source in hall.sources:
                found |= {source.key, source.passphrase}
    return {str(one) for one in found if one and not str(one).startswith("store:")}
