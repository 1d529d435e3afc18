"""Files that several tests send."""

import asyncio
from pathlib import Path

import pytest

from tests.standins.pushing import make


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty seconds of an encoded programme, made once for all tests: 1,000 different frames."""
    path = tmp_path_factory.mktemp("film") / "film.ts"
    return asyncio.run(make(path, 40))
