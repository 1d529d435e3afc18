"""A child that cannot be started costs no descriptor, however often it is tried."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from streamer.config.models import ProgrammeSettings, Source
from streamer.config.secrets import Redactor
from streamer.domain.errors import Unavailable
from streamer.domain.legs import LegKind
from streamer.media.hub import Hub
from streamer.media.leg import Leg, Outcome
from streamer.media.recorder import HlsRecorder
from streamer.media.relay import Address, Relay
from streamer.run.receiving import Receiver
from streamer.run.secrets import Secrets
from streamer.run.sources import Feed

NOWHERE = "/nowhere/program"


async def addresses() -> tuple[Address, ...]:
    return (Address("rtmp://127.0.0.1/live/k", "rtmp://127.0.0.1/live/***"),)


def receiver(folder: Path) -> Receiver:
    source = Source(kind="srt", port=9, host="127.0.0.1")  # type: ignore[arg-type]
    return Receiver(source, NOWHERE, Secrets(Redactor(), None, folder / "secret.key"))


def feed(folder: Path, taking: Receiver | None = None) -> Feed:
    source = taking.source if taking else Source(kind="test")  # type: ignore[arg-type]
    if taking:
        taking.flowing.set()
    mixer: Any = None  # never reached
    return Feed(source, ProgrammeSettings(), mixer, NOWHERE, receiver=taking)


MAKE: dict[str, Callable[[Path], Callable[[Leg], Awaitable[Outcome]]]] = {
    "relay": lambda folder: Relay(Hub(), addresses, str).attempt,
    "viewing copy": lambda folder: HlsRecorder(Hub(), folder, NOWHERE, 2).attempt,
    "receiver": lambda folder: receiver(folder).attempt,
    "feed": lambda folder: feed(folder).attempt,
    "feed of a receiver": lambda folder: feed(folder, receiver(folder)).attempt,
}


@pytest.mark.parametrize("what", MAKE)
async def test_no_descriptor_is_lost(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", NOWHERE)
    attempt = MAKE[what](tmp_path)
    leg = Leg("x", LegKind.RELAY, attempt)
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(Unavailable, match="not installed"):
            await attempt(leg)
    assert set(os.listdir("/proc/self/fd")) == before
