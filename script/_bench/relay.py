"""Copying one stream to N RTMP servers: our hub and relays beside two peers.

All designs get the same prepared file, paced by a source process that is not counted, and send
to the same receiving servers. What arrived is counted there, frame by frame.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from _bench import Figure, Peer, table
from _bench.processes import cpu_of, private_kb, tree
from streamer.demo.accounts import Account, free_port
from streamer.demo.hall import Form, picture_graph, sound_graph, video_options
from streamer.demo.measure import Frame, compare, frames
from streamer.domain.errors import Unavailable
from streamer.media.child import Child, secret_fd
from streamer.media.commands import ffmpeg_path
from streamer.media.ingest import find_nginx, rtmp_module
from streamer.media.pipes import close, pipe

OURS, TEE, PUSH = "hub and relays", "ffmpeg tee", "nginx-rtmp push"
DESIGNS = (OURS, TEE, PUSH)
START_S = 20.0
"""Seconds within which every server must have got the first bytes."""
SETTLE_S = 2.0
"""Seconds after the start that do not count: reading ahead, first groups of pictures."""
SPARE_S = 45
"""Seconds of source beyond the measurement: for starting and settling."""
HOW_CPU = (
    "run time of all threads of all processes of the design (/proc/PID/task/*/schedstat), without"
    " the paced source and the receiving servers"
)
HOW_MEMORY = "Private_Clean + Private_Dirty of all processes of the design (smaps_rollup) / N"
FORM = Form()
FIFO = (
    "attempt_recovery=1:recover_any_error=1:recovery_wait_time=1:drop_pkts_on_overflow=1"
    ":restart_with_keyframe=1:queue_size=300"
)
_PUSHING = """\
load_module {module};
daemon off; master_process off; worker_processes 1;
pid {folder}/nginx.pid; error_log {folder}/nginx.log error;
events {{ worker_connections 256; }}
rtmp {{ server {{ listen 127.0.0.1:{port}; max_message 10M;
  application in {{ live on;
{pushes}
  }} }} }}
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One design with one number of destinations.

    `cpu`: CPU seconds of the whole design in a minute; `memory`: private kB of the whole design;
    `received`: frames at the server that got least; `lost`: frames missing at all servers.
    """

    design: str
    number: int
    cpu: float
    memory: float
    processes: int
    received: int
    lost: int


async def measure(
    folder: Path, numbers: Sequence[int], seconds: int, tell: Callable[[str], None]
) -> list[Result]:
    """Every design with every number. Raises Unavailable when a part is missing or fails."""
    tell(f"encoding {seconds + SPARE_S} s of 720p25 at {FORM.video_kbps} kbit/s")
    source = folder / "source.ts"
    await _encode(source, seconds + SPARE_S)
    whole = await asyncio.to_thread(frames, source)
    accounts = [Account(f"a{n}", folder / f"a{n}", key=f"key{n}") for n in range(max(numbers))]
    results = []
    try:
        for account in accounts:
            await account.start()
        for number in numbers:
            for design in DESIGNS:
                result = await _run(design, folder, accounts[:number], source, whole, seconds)
                tell(
                    f"{design}, {number}: {result.cpu:.2f} CPU-s a minute,"
                    f" {result.memory / 1000:.1f} MB, {result.received} frames, lost {result.lost}"
                )
                results.append(result)
    finally:
        for account in accounts:
            await account.stop()
    return results


async def _encode(path: Path, seconds: int) -> None:
    child = await Child.start("encode", [
        ffmpeg_path(), "-nostdin", "-v", "error", "-f", "lavfi",
        "-i", f"{picture_graph(FORM)}[out0];{sound_graph()}[out1]", "-t", str(seconds),
        *video_options(FORM), "-c:a", "aac", "-b:a", "128k", "-ac", "2", str(path),
    ])  # fmt: skip
    try:
        async with asyncio.timeout(600):
            if await child.wait():
                raise Unavailable(f"the source could not be encoded: {child.last_words}")
    finally:
        await child.kill()


async def _run(
    design: str, folder: Path, accounts: list[Account], source: Path,
    whole: Sequence[Frame], seconds: int,
) -> Result:  # fmt: skip
    before = {path for account in accounts for path in account.recordings()}
    start = {OURS: _ours, TEE: _tee, PUSH: _push}[design]
    async with start(folder, [account.url for account in accounts], source) as child:
        await _all_receive(design, child, accounts, before)
        await asyncio.sleep(SETTLE_S)
        pids = tree(child.pid)
        began, cpu = asyncio.get_running_loop().time(), cpu_of(pids)
        await asyncio.sleep(seconds)
        if child.returncode is not None or not set(pids) <= set(tree(child.pid)):
            raise Unavailable(f"{design}: a process ended in the middle: {child.last_words}")
        cpu = cpu_of(pids) - cpu
        took = asyncio.get_running_loop().time() - began
        memory = sum(private_kb(pid) for pid in pids)
    deliveries = [
        await asyncio.to_thread(_delivered, account, before, whole) for account in accounts
    ]
    return Result(
        design, len(accounts), cpu * 60 / took, memory, len(pids),
        received=min(received for received, _ in deliveries),
        lost=sum(lost for _, lost in deliveries),
    )  # fmt: skip


def _delivered(account: Account, before: set[Path], whole: Sequence[Frame]) -> tuple[int, int]:
    recordings = [frames(path) for path in account.recordings() if path not in before]
    delivery = compare(whole, recordings)
    for path in account.recordings():
        path.unlink()
    return delivery.received, delivery.lost + delivery.foreign


async def _all_receive(
    design: str, child: Child, accounts: list[Account], before: set[Path]
) -> None:
    def receives(account: Account) -> bool:
        new = (path for path in account.recordings() if path not in before)
        return any(path.stat().st_size > 100_000 for path in new)

    try:
        async with asyncio.timeout(START_S):
            while not all(receives(account) for account in accounts):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    except TimeoutError:
        missing = [account.name for account in accounts if not receives(account)]
        raise Unavailable(
            f"{design}: nothing arrived at {', '.join(missing)} in {START_S:.0f} s:"
            f" {child.last_words}"
        ) from None


def _paced(source: Path, *output: str) -> list[str]:
    return [ffmpeg_path(), "-nostdin", "-nostats", "-v", "error", "-re", "-i", str(source),
            "-c", "copy", *output]  # fmt: skip


@asynccontextmanager
async def _fed(source: Path, name: str, argv: list[str], *fds: int) -> AsyncIterator[Child]:
    """A design that reads the paced transport stream on stdin."""
    reading, writing = pipe()
    child = await Child.start(name, argv, stdin=reading, pass_fds=fds)
    feeder = await Child.start(
        "source",
        _paced(source, "-muxdelay", "0", "-flush_packets", "1", "-f", "mpegts", "pipe:1"),
        stdout=writing,
    )
    close(reading, writing, *fds)
    try:
        yield child
        # The end of the input closes it: everything that is on its way still arrives.
        await feeder.stop()
        async with asyncio.timeout(20):
            await child.wait()
    finally:
        await feeder.kill()
        await child.kill()
    if child.stderr:
        print(child.last_words, file=sys.stderr)


@asynccontextmanager
async def _ours(folder: Path, urls: list[str], source: Path) -> AsyncIterator[Child]:
    targets = secret_fd(json.dumps(urls))
    program = str(Path(__file__).with_name("hub_side.py"))
    async with _fed(source, OURS, [sys.executable, program, str(targets)], targets) as child:
        yield child


@asynccontextmanager
async def _tee(folder: Path, urls: list[str], source: Path) -> AsyncIterator[Child]:
    slave = "[f=flv:onfail=ignore]"
    argv = [
        ffmpeg_path(), "-nostdin", "-nostats", "-v", "error", "-f", "mpegts",
        "-probesize", "200000", "-analyzeduration", "500000", "-i", "pipe:0",
        "-map", "0", "-c", "copy", "-tag:v", "7", "-tag:a", "10", "-flags", "+global_header",
        "-f", "tee", "-use_fifo", "1", "-fifo_options", FIFO, "|".join(slave + u for u in urls),
    ]  # fmt: skip
    async with _fed(source, TEE, argv) as child:
        yield child


@asynccontextmanager
async def _push(folder: Path, urls: list[str], source: Path) -> AsyncIterator[Child]:
    own = folder / "push"
    own.mkdir(exist_ok=True)
    port = free_port()
    pushes = "\n".join(f"    push {url};" for url in urls)
    (own / "nginx.conf").write_text(
        _PUSHING.format(module=rtmp_module(), folder=own, port=port, pushes=pushes)
    )
    child = await Child.start(
        PUSH, [find_nginx(), "-p", str(own), "-c", str(own / "nginx.conf"), "-e", str(own / "log")]
    )
    feeder: Child | None = None
    try:
        await _listens(port)
        output = ("-f", "flv", "-flvflags", "no_duration_filesize", f"rtmp://127.0.0.1:{port}/in/x")
        feeder = await Child.start("source", _paced(source, *output))
        yield child
        await feeder.stop()
        await asyncio.sleep(1.0)  # what nginx still holds; it says nowhere when it is done
    finally:
        if feeder:
            await feeder.kill()
        await child.stop()


async def _listens(port: int) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            return


def figures(results: Sequence[Result]) -> list[Figure]:
    """Ours, per destination, against each peer with the same number."""
    found = []
    for ours in (result for result in results if result.design == OURS):
        for peer in results:
            if peer.design == OURS or peer.number != ours.number:
                continue
            n = ours.number
            where = f"n={n}, against {peer.design}"
            found += [
                Figure(f"relay CPU, {where}", ours.cpu / n, "CPU-s per destination-minute",
                       Peer(peer.design, peer.cpu / n), HOW_CPU),
                Figure(f"relay memory, {where}", ours.memory / n, "kB private per destination",
                       Peer(peer.design, peer.memory / n), HOW_MEMORY),
            ]  # fmt: skip
    return found + _more(results)


def _more(results: Sequence[Result]) -> list[Figure]:
    """What one more destination costs, and whether everything arrived."""
    ends = {
        design: sorted((r for r in results if r.design == design), key=lambda r: r.number)
        for design in DESIGNS
    }
    found = []
    if len(ends[OURS]) > 1:
        slopes = {
            design: (row[-1].cpu - row[0].cpu) / (row[-1].number - row[0].number)
            for design, row in ends.items()
        }
        how = f"difference of n={ends[OURS][-1].number} and n={ends[OURS][0].number}; {HOW_CPU}"
        found = [
            Figure(f"relay CPU of one more, against {peer}", slopes[OURS],
                   "CPU-s per destination-minute", Peer(peer, slopes[peer]), how)
            for peer in (TEE, PUSH)
        ]  # fmt: skip
    for design, row in ends.items():
        how = "frames of the source between the first and the last received, at all servers"
        lost = sum(result.lost for result in row)
        found.append(Figure(f"frames lost, {design}", lost, "frames", Peer("limit", 0), how))
    return found


def report(results: Sequence[Result]) -> str:
    """The table, ours and the peers side by side, with ratios."""
    head = ("design", "n", "CPU-s/min", "per dest.", "ours/it", "MB private", "per dest.",
            "ours/it", "processes", "frames", "lost")  # fmt: skip
    ours = {result.number: result for result in results if result.design == OURS}
    rows = [
        (r.design, str(r.number), f"{r.cpu:.2f}", f"{r.cpu / r.number:.3f}",
         f"{ours[r.number].cpu / r.cpu:.2f}" if r.cpu else "-",
         f"{r.memory / 1000:.1f}", f"{r.memory / 1000 / r.number:.2f}",
         f"{ours[r.number].memory / r.memory:.2f}" if r.memory else "-",
         str(r.processes), str(r.received), str(r.lost))
        for r in results
    ]  # fmt: skip
    lines = [
        f"{figure.name}: {figure.value:.3f} to {figure.peer.value:.3f} {figure.unit}"
        for figure in _more(results)
        if figure.peer and figure.peer.name != "limit"
    ]
    return "\n".join(["", table(head, rows), "", *lines])
