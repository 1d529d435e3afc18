"""Services that several scenarios share: starting one costs more than most checks."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.scenario.house import House, a_house


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def full_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """720p; the hall calls by SRT."""
    async with a_house(tmp_path_factory.mktemp("full"), "srt", cheap=False) as house:
        yield house


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A cheap picture; the hall publishes by RTMP."""
    async with a_house(tmp_path_factory.mktemp("cheap"), "rtmp", cheap=True) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="session")
async def house(shared_house: House) -> AsyncIterator[House]:
    """The shared house; a meeting that a failed test left behind does not keep its hall busy."""
    yield shared_house
    await shared_house.end_all()
