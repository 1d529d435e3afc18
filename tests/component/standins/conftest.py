"""Files that several tests read."""

import asyncio
from pathlib import Path

import pytest

from tests.standins.pushing import make


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds as a hall sends them, encoded once for all tests."""
    path = tmp_path_factory.mktemp("source") / "hall.flv"
    return asyncio.run(make(path, 12))
