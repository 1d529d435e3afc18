"""Many meetings in `pass` mode on one machine: frames at every account, cost of each meeting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av

from _bench import Figure, Peer
from _bench.processes import cpu_of, private_kb, tree
from _bench.stage import Meeting, Pusher, Redis, encode_clip, source, spec
from streamer.config.models import Mode, ProgrammeSettings
from streamer.demo.accounts import free_port
from streamer.demo.hall import Form
from streamer.domain.errors import Unavailable
from streamer.media.child import Child
from streamer.media.ingest import find_nginx, rtmp_module

KBPS = 1000
"""A village's picture: 720p25 at a megabit."""
SETTLE_S = 10.0
START_TOGETHER = 3
_SINKS = """\
load_module {module};
daemon off; master_process off; worker_processes 1;
pid {folder}/nginx.pid; error_log {folder}/nginx.log error;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
rtmp {{ server {{ listen 127.0.0.1:{port}; max_message 10M;
  application live {{ live on; record all; record_unique on; record_path {folder}/recordings; }}
}} }}
"""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What one recording of an account holds."""

    frames: int
    lost: int
    """Frames whose place in time is empty."""


async def measure(
    folder: Path, meetings: int, accounts: int, minutes: float, tell: Callable[[str], None]
) -> list[Figure]:
    """`meetings` at once, each with `accounts`. Raises Unavailable when a part fails."""
    clip = folder / "village.ts"
    tell("encoding the source")
    await encode_clip(clip, form=Form(video_kbps=KBPS))
    async with AsyncExitStack() as stack:
        port = await _sinks(folder, stack)
        redis = Redis(folder)
        stack.push_async_callback(redis.stop)
        await redis.start()
        running = [
            await _meeting(folder, redis, number, accounts, port, clip, stack)
            for number in range(meetings)
        ]
        for begin in range(0, meetings, START_TOGETHER):
            await asyncio.gather(*(one.on_air() for one in running[begin : begin + START_TOGETHER]))
            tell(f"{min(begin + START_TOGETHER, meetings)} of {meetings} on air")
        await asyncio.sleep(SETTLE_S)
        pids = [pid for one in running for pid in tree(one.pid)]
        began, cpu = time.monotonic(), cpu_of(pids)
        await asyncio.sleep(minutes * 60)
        took, spent = time.monotonic() - began, cpu_of(pids) - cpu
        memory = sum(private_kb(pid) for pid in pids)
        tries = sum(
            leg["tries"] - 1
            for one in running
            for leg in (await one.snapshot())["legs"]
            if leg["kind"] == "relay"
        )
        recordings = sorted((folder / "recordings").glob("*.flv"))
        arrived = [await asyncio.to_thread(_arrived, path) for path in recordings]
    expected = meetings * accounts
    if len(arrived) < expected:
        raise Unavailable(f"only {len(arrived)} of {expected} accounts got anything")
    lost, frames = sum(one.lost for one in arrived), sum(one.frames for one in arrived)
    tell(f"{frames} frames at {len(arrived)} recordings, {lost} lost, {spent / took:.2f} cores")
    how = (
        f"{meetings} meetings, {accounts} accounts each, {minutes:g} minutes, 720p25 {KBPS} kbit/s"
    )
    return [
        Figure("pass mode, frames lost at the accounts", lost, "frames", Peer("limit", 0), how),
        Figure("pass mode, connections made again", tries, "times", Peer("limit", 0), how),
        Figure("pass mode, cores in all", spent / took, "cores", Peer("limit", 2.0), how),
        Figure("pass mode, CPU of one meeting", 1000 * spent / took / meetings, "millicores", None,
               f"{how}: run, receiver, relays, recorders"),
        Figure("pass mode, memory of one meeting", memory / 1000 / meetings, "MB private", None,
               f"{how}: smaps_rollup"),
    ]  # fmt: skip


async def _sinks(folder: Path, stack: AsyncExitStack) -> int:
    """One RTMP server that records everything; its port."""
    port = free_port()
    (folder / "recordings").mkdir()
    configuration = folder / "sinks.conf"
    configuration.write_text(_SINKS.format(module=rtmp_module(), folder=folder, port=port))
    child = await Child.start(
        "accounts", [find_nginx(), "-p", str(folder), "-c", str(configuration), "-e", "stderr"]
    )
    stack.push_async_callback(child.stop)
    return port


async def _meeting(
    folder: Path, redis: Redis, number: int, accounts: int, port: int, clip: Path,
    stack: AsyncExitStack,
) -> Meeting:  # fmt: skip
    id_ = f"2027-01-01-village-{number:04d}"
    hall = source(free_port())
    plan = spec(
        folder, id_, hall=hall, mode=Mode.PASS, programme=ProgrammeSettings(video_kbps=KBPS),
        accounts=[
            (f"a{one}", f"rtmp://127.0.0.1:{port}/live/v{number:02d}-{one}")
            for one in range(accounts)
        ],
    )  # fmt: skip
    meeting = Meeting(redis, folder, plan)
    stack.push_async_callback(meeting.stop)
    await meeting.start()
    await meeting.until(lambda s: s.get("state") == "PREPARING", "PREPARING")
    pusher = Pusher(clip, hall.port or 0)
    stack.push_async_callback(pusher.stop)
    await pusher.start()
    return meeting


def _arrived(path: Path) -> Arrived:
    """Count the frames of a recording by their times: a hole of a frame's length is a frame."""
    times: list[float] = []
    with av.open(str(path)) as recording:
        for packet in recording.demux(video=0):
            if packet.dts is not None and packet.time_base is not None:
                times.append(float(packet.dts * packet.time_base))
    steps = [after - before for before, after in pairwise(times)]
    return Arrived(len(times), sum(max(0, round(step * 25) - 1) for step in steps))
