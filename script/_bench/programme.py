"""The whole chain of one meeting: what it costs beside a bare ffmpeg, and how soon it reacts."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from _bench import Figure, Peer, table
from _bench.eye import Eye, Seen
from _bench.processes import cpu_of, threads, tree
from _bench.stage import Meeting, Pusher, Redis, encode_clip, source, spec
from streamer.config.models import ProgrammeSettings
from streamer.demo.accounts import Account, free_port
from streamer.demo.measure import av_offset, read_picture, read_sound
from streamer.domain.errors import Unavailable
from streamer.domain.lifecycle import Command
from streamer.media.child import Child
from streamer.media.commands import ffmpeg_path

Tell = Callable[[str], None]
ACCOUNTS = 7
SETTLE_S = 4.0
TAIL_S = 20
CHANGES = 6
HOW_CPU = (
    "run time of all threads of the run and of everything it started (/proc/PID/task/*/schedstat);"
    " sources, accounts and Redis are not counted"
)


@dataclass(slots=True)
class Hall:
    """Sources, accounts and the run of one meeting that is on air."""

    meeting: Meeting
    accounts: list[Account]
    pushers: dict[str, Pusher]


async def measure(folder: Path, *, seconds: int, minutes: float, tell: Tell) -> list[Figure]:
    """Everything but `pass` mode. Raises Unavailable when a part is missing or fails."""
    tell("encoding the sources")
    clips = {"hall": folder / "hall.ts", "site": folder / "site.ts"}
    for name, edge in (("hall", "yellow"), ("site", "cyan")):
        await encode_clip(clips[name], edge=edge)
    figures = []
    bare = await _bare(folder, clips, seconds)
    tell(f"bare ffmpeg: {bare:.3f} core")
    async with _on_air(folder, clips, sites=1, accounts=ACCOUNTS) as hall:
        figures += await _chain(hall, bare, seconds, tell)
        figures += await _reactions(hall, tell)
        figures += await _offset(folder, hall, "at the start", tell)
    async with _on_air(folder, clips, sites=1, accounts=ACCOUNTS, low=True) as hall:
        figures += await _low(hall, bare, seconds, tell)
    async with _on_air(folder, clips, sites=3, accounts=2) as hall:
        figures += await _four(folder, hall, minutes, tell)
    return figures


@asynccontextmanager
async def _on_air(
    folder: Path, clips: dict[str, Path], *, sites: int, accounts: int, low: bool = False
) -> AsyncIterator[Hall]:
    """A meeting that is on air with `sites` sites, until the end of the block."""
    home = folder / f"home-{time.monotonic_ns()}"
    home.mkdir()
    async with AsyncExitStack() as stack:
        redis = Redis(home)
        stack.push_async_callback(redis.stop)
        await redis.start()
        receiving = [Account(f"a{n}", home / f"a{n}", key=f"key{n}") for n in range(accounts)]
        for account in receiving:
            stack.push_async_callback(account.stop)
            await account.start()
        names = ["hall", *(f"site{number}" for number in range(sites))]
        sources = {name: source(free_port()) for name in names}
        plan = spec(
            home, "2027-01-01-bench-0001", hall=sources["hall"],
            sites=[(name, sources[name]) for name in names[1:]],
            accounts=[(account.name, account.url) for account in receiving], low=low,
        )  # fmt: skip
        meeting = Meeting(redis, home, plan)
        stack.push_async_callback(meeting.stop)
        await meeting.start()
        await meeting.until(lambda s: s.get("state") == "PREPARING", "PREPARING")
        pushers = {}
        for name in names:
            clip = clips["hall" if name == "hall" else "site"]
            pushers[name] = Pusher(clip, sources[name].port or 0)
            stack.push_async_callback(pushers[name].stop)
            await pushers[name].start()
        await meeting.on_air()
        yield Hall(meeting, receiving, pushers)


async def _bare(folder: Path, clips: dict[str, Path], seconds: int) -> float:
    """Cores of one ffmpeg that decodes both, lays them side by side and encodes to a file."""
    form = ProgrammeSettings()
    rate, gop = f"{form.video_kbps}k", str(form.fps * form.gop_s)
    half = "scale=640:360,pad=640:720:0:180"
    child = await Child.start("bare ffmpeg", [
        ffmpeg_path(), "-nostdin", "-nostats", "-v", "error", "-y",
        "-re", "-stream_loop", "-1", "-i", str(clips["hall"]),
        "-re", "-stream_loop", "-1", "-i", str(clips["site"]),
        "-filter_complex", f"[0:v]{half}[a];[1:v]{half}[b];[a][b]hstack[v];[0:a][1:a]amix[s]",
        "-map", "[v]", "-map", "[s]", "-c:v", "libx264", "-preset", str(form.preset),
        "-profile:v", "high", "-bf", "0", "-b:v", rate, "-maxrate", rate, "-bufsize", rate,
        "-g", gop, "-keyint_min", gop, "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-r", "25",
        "-c:a", "aac", "-b:a", f"{form.audio_kbps}k", "-f", "mpegts", str(folder / "bare.ts"),
    ])  # fmt: skip
    try:
        await asyncio.sleep(SETTLE_S)
        return await _cores(lambda: [child.pid], seconds, child.last_words)
    finally:
        await child.kill()


async def _cores(pids: Callable[[], list[int]], seconds: float, said: str = "") -> float:
    before = pids()
    began, cpu = time.monotonic(), cpu_of(before)
    await asyncio.sleep(seconds)
    if not set(before) <= set(pids()):
        raise Unavailable(f"a process ended in the middle of the measurement {said}")
    return (cpu_of(before) - cpu) / (time.monotonic() - began)


async def _chain(hall: Hall, bare: float, seconds: int, tell: Tell) -> list[Figure]:
    meeting = hall.meeting
    await meeting.say(Command.TAKE_SCENE, scene="split:site0")
    await meeting.until(lambda s: s["scene"]["shown"] == "split:site0", "the scene")
    await asyncio.sleep(SETTLE_S)
    by_thread = threads(meeting.pid)
    whole = await _cores(lambda: tree(meeting.pid), seconds)
    after = threads(meeting.pid)
    parts = {name: (after[name] - by_thread.get(name, 0.0)) / seconds for name in after}
    mixer = parts.get("mixer", 0.0)
    tell(f"whole chain: {whole:.3f} core ({whole / bare:.2f} times), mixer {mixer:.3f}")
    return [
        Figure("whole chain (hall + 1 site, HLS, 2 recorders, 7 relays)", whole, "cores",
               Peer("bare ffmpeg: decode 2, side by side, encode", bare), HOW_CPU),
        Figure("mixer", mixer, "cores", Peer("limit", 0.10), "run time of the mixer's thread"),
    ]  # fmt: skip


async def _low(hall: Hall, bare: float, seconds: int, tell: Tell) -> list[Figure]:
    meeting = hall.meeting
    await meeting.say(Command.TAKE_SCENE, scene="split:site0")
    await asyncio.sleep(SETTLE_S)
    whole = await _cores(lambda: tree(meeting.pid), seconds)
    tell(f"whole chain with the 360-line rendition: {whole:.3f} core")
    return [
        Figure("whole chain and the rendition of 360 lines", whole, "cores",
               Peer("bare ffmpeg: decode 2, side by side, encode", bare), HOW_CPU),
    ]  # fmt: skip


async def _reactions(hall: Hall, tell: Tell) -> list[Figure]:
    """Seconds from a command, and from a dead source, to the picture at an account."""
    meeting, account = hall.meeting, hall.accounts[0]
    await meeting.say(Command.TAKE_SCENE, scene="hall")
    eye = Eye(f"{account.address}/{account.stream}")
    eye.start()
    try:
        await eye.first(Seen.HALL, time.time())
        changes = []
        for _ in range(CHANGES):
            for scene, what in (("site:site0", Seen.SITE), ("hall", Seen.HALL)):
                began = time.time()
                await meeting.say(Command.TAKE_SCENE, scene=scene)
                changes.append(await eye.first(what, began) - began)
                await asyncio.sleep(0.7)
        began = time.time()
        await hall.pushers["hall"].stop()
        slate = await eye.first(Seen.SLATE, began) - began
        await asyncio.sleep(3.0)
        began = time.time()
        await hall.pushers["hall"].start()
        back = await eye.first(Seen.HALL, began) - began
    finally:
        await asyncio.to_thread(eye.stop)
    tell(f"scene at the account {max(changes):.2f} s at most, slate {slate:.2f}, back {back:.2f}")
    how = "a viewer of the account's server decodes and notes the time; from the command"
    return [
        Figure("scene change, median", statistics.median(changes), "s", None, how),
        Figure("scene change, longest", max(changes), "s", Peer("limit", 1.0), how),
        Figure("dead source to slate", slate, "s", Peer("limit", 1.0),
               "from the kill of the source's process to the slate at the viewer"),
        Figure("source started again to hall", back, "s", Peer("limit", 2.0),
               "from the start of the source's process to the hall at the viewer"),
    ]  # fmt: skip


async def _offset(folder: Path, hall: Hall, when: str, tell: Tell) -> list[Figure]:
    """Sound against picture in what the account has recorded in the last seconds."""
    await asyncio.sleep(TAIL_S)
    recording = hall.accounts[0].recordings()[-1]
    tail = folder / "tail.ts"
    child = await Child.start("tail", [
        ffmpeg_path(), "-nostdin", "-v", "error", "-y", "-sseof", f"-{TAIL_S}",
        "-i", str(recording), "-c", "copy", "-f", "mpegts", str(tail),
    ])  # fmt: skip
    if await child.wait():
        raise Unavailable(f"the end of a recording could not be cut: {child.last_words}")
    found = await asyncio.to_thread(lambda: av_offset(read_picture(tail), read_sound(tail)))
    if found.median_ms is None or found.worst_ms is None:
        raise Unavailable("no flash and beep arrived at the account")
    tell(f"sound against picture {when}: {found.median_ms:.0f} ms, worst {found.worst_ms:.0f}")
    how = f"flash and beep in the last {TAIL_S} s of the account's recording"
    return [
        Figure(f"sound against picture {when}, median", abs(found.median_ms), "ms", None, how),
        Figure(f"sound against picture {when}, worst", abs(found.worst_ms), "ms",
               Peer("limit", 80.0), how),
    ]  # fmt: skip


async def _four(folder: Path, hall: Hall, minutes: float, tell: Tell) -> list[Figure]:
    """Four inputs in the grid for `minutes`: in time, and sound still with the picture."""
    meeting = hall.meeting
    await meeting.say(Command.TAKE_SCENE, scene="grid")
    await meeting.until(lambda s: s["scene"]["shown"] == "grid", "the grid")
    await asyncio.sleep(SETTLE_S)
    first = await meeting.snapshot()
    cores = await _cores(lambda: tree(meeting.pid), minutes * 60)
    last = await meeting.snapshot()
    ticks = (last["programme_s"] - first["programme_s"]) * meeting.spec.programme.fps
    late = last["programme"]["late"] - first["programme"]["late"]
    pace = (last["programme_s"] - first["programme_s"]) / (last["at"] - first["at"])
    tell(f"four inputs: {cores:.2f} cores, pace {pace:.4f}, {late} of {ticks:.0f} ticks late")
    how = f"{minutes:g} minutes in the scene grid"
    figures = [
        Figure("four inputs", cores, "cores", Peer("limit", 2.0), f"{how}; {HOW_CPU}"),
        Figure("four inputs, pace", pace, "x", Peer("limit", 1.0), f"programme time, {how}"),
        Figure("four inputs, ticks later than 40 ms", late / max(ticks, 1), "share",
               Peer("limit", 0.001), f"{how}: lateness of the mixer's ticks"),
    ]  # fmt: skip
    await meeting.say(Command.TAKE_SCENE, scene="hall")
    await asyncio.sleep(1.0)
    return figures + await _offset(folder, hall, f"after {minutes:g} minutes", tell)


def report(figures: list[Figure]) -> str:
    """The table: value, what it is held against, ratio."""
    rows = [
        (one.name, f"{one.value:.3f}", one.unit, one.peer.name if one.peer else "",
         f"{one.peer.value:.3f}" if one.peer else "",
         f"{one.ratio:.2f}" if one.ratio is not None else "")
        for one in figures
    ]  # fmt: skip
    return "\n" + table(("what", "value", "unit", "beside", "its value", "ratio"), rows)


TIMES_BARE = 1.5
"""The chain may cost so much more than the bare ffmpeg."""


def broken(figures: list[Figure]) -> list[Figure]:
    """The figures that are worse than what was promised."""
    return [one for one in figures if _worse(one)]


def _worse(one: Figure) -> bool:
    if one.peer is None:
        return False
    if one.unit == "x":
        return one.value < 0.999 * one.peer.value
    if one.peer.name == "limit":
        return one.value > one.peer.value
    return one.name.startswith("whole chain (") and one.value > TIMES_BARE * one.peer.value
