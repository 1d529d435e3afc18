"""The tests of the records once more, on PostgreSQL, and what only a server can do."""

import asyncio
import signal

import pytest

from streamer.domain.errors import Unavailable
from streamer.domain.meeting import MeetingState as S
from streamer.store.database import Database
from streamer.store.records import Records
from tests.component.store.servers import Postgres
from tests.unit.store.samples import plan
from tests.unit.store.test_audit import *  # noqa: F403
from tests.unit.store.test_database import (  # noqa: F401
    test_a_missing_table_is_our_fault_not_a_pause,
    test_a_transaction_that_fails_leaves_nothing,
    test_migrating_again_keeps_what_is_there,
    test_the_migrations_make_the_tables_of_the_code,
)
from tests.unit.store.test_people import *  # noqa: F403
from tests.unit.store.test_plans import *  # noqa: F403
from tests.unit.store.test_projection import *  # noqa: F403
from tests.unit.store.test_secrets import *  # noqa: F403

pytestmark = pytest.mark.component


async def test_tables_are_made_once_when_several_begin_at_once(postgres: Postgres) -> None:
    await asyncio.to_thread(postgres.create, "fresh")
    dbs = [await Database.open(postgres.url("fresh")) for _ in range(3)]
    await asyncio.gather(*(db.migrate() for db in dbs))
    assert await Records(dbs[0]).meetings() == []
    await asyncio.gather(*(db.close() for db in dbs))


async def test_a_server_that_is_away_is_unavailable_and_works_again(
    postgres: Postgres, db: Database, records: Records
) -> None:
    await records.create_meeting(plan(), "a")
    await asyncio.to_thread(postgres.kill, signal.SIGQUIT)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await records.meetings()
        with pytest.raises(Unavailable):
            await records.set_state("m1", S.PLANNED, S.CANCELLED, by="a")
    with pytest.raises(Unavailable):
        await Database.open(postgres.url("migrated"))
    await asyncio.to_thread(postgres.start)
    assert await records.meetings() == [plan()]
    assert await records.set_state("m1", S.PLANNED, S.CANCELLED, by="a")
