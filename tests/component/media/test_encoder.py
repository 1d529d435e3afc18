"""The encoder is replaced behind the hub; nobody outside loses his connection."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from streamer.demo.measure import read_picture, timestamps
from tests.component.media.programme import programme
from tests.component.media.stage import accounts, given, until

pytestmark = pytest.mark.component


async def test_an_encoder_that_is_killed_is_back_within_a_second(tmp_path: Path) -> None:
    async with programme(tmp_path, "test") as it, accounts(tmp_path, "vk", "ok") as both:
        relays = [it.relay(account.name, given(account.url)) for account in both]
        await it.shows("hall")
        await it.running(it.encoder, *relays)
        await it.moves_on(relays[0])
        for number in (2, 3):
            assert it.encoder.pid
            os.kill(it.encoder.pid, signal.SIGKILL)
            await until(lambda number=number: it.encoder.tries == number)
            await it.running(it.encoder)
            for relay in relays:
                await it.moves_on(relay)
        await it.end()

        assert [relay.tries for relay in relays] == [1, 1]
        assert it.recorder.tries == 1
        for account in both:
            assert len(account.publishes) == 1
            (recording,) = account.recordings()
            times = timestamps(recording)
            assert times["video"].monotonic
            assert times["audio"].monotonic
            assert times["video"].largest_gap <= 1.0
            assert times["audio"].largest_gap <= 1.0
            picture = await asyncio.to_thread(read_picture, recording)
            assert len(picture.frames) == times["video"].packets  # every one can be decoded
            delivery = await it.delivered(account)
            assert (delivery.lost, delivery.foreign) == (0, 0)
