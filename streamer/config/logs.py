"""Logging of every process of the service: one line per event on standard error."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

import structlog


class CleanFormatter(logging.Formatter):
    """Masks every secret that the process has seen, tracebacks included."""

    def __init__(self, clean: Callable[[str], str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        return self._clean(super().format(record))


def set_up(level: str = "info", clean: Callable[[str], str] = str) -> None:
    """Send everything that is logged, by structlog too, through one handler."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(CleanFormatter(clean))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Migrations of an up-to-date database say nothing worth a line.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"], drop_missing=True),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
