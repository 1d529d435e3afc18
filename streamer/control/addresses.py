"""Where the stores of a configuration are."""

from __future__ import annotations

from pathlib import Path

from streamer.config.models import Configuration
from streamer.control import private_redis


def database_url(configuration: Configuration) -> str:
    return configuration.service.database_url or default_database(configuration.service.home)


def redis_url(configuration: Configuration) -> str:
    return configuration.service.redis_url or private_redis.url(configuration.service.home)


def default_database(home: Path) -> str:
    return f"sqlite+aiosqlite:///{home / 'streamer.db'}"
