"""The process of one meeting: `python -m streamer.run.main --home DIR --worker ID`.

It loads everything, then waits for its meeting as one JSON line on standard input. Addresses of
Redis and SQL come by REDIS_URL and DATABASE_URL: they may hold passwords.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from pathlib import Path

from streamer.config import logs
from streamer.config.secrets import Redactor
from streamer.config.spec import MeetingSpec
from streamer.domain.errors import StreamerError, Unavailable
from streamer.run import last_words
from streamer.run.lock import EXIT_BUSY, hold
from streamer.run.meeting_run import MeetingRun
from streamer.store.live import Live

SPEC_S = 10.0
OFFERED_S = 0.3
log = logging.getLogger("streamer.run")


async def read_spec(live: Live, folder: Path, meeting: str) -> MeetingSpec:
    """The frozen configuration: from Redis, else what an earlier run kept in the folder.

    Redis comes first: a meeting that was postponed and prepared again was frozen again.
    """
    path = folder / "spec.json"
    text = await _offered(live, meeting, OFFERED_S if path.exists() else SPEC_S)
    if text is None:
        return MeetingSpec.model_validate_json(await asyncio.to_thread(path.read_bytes))
    fresh = path.with_suffix(".new")
    await asyncio.to_thread(fresh.write_text, text)
    fresh.rename(path)
    return MeetingSpec.model_validate_json(text)


async def _offered(live: Live, meeting: str, seconds: float) -> str | None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                with contextlib.suppress(Unavailable):
                    if (text := await live.spec(meeting)) is not None:
                        return text
                await asyncio.sleep(0.1)
    return None


async def serve(options: argparse.Namespace, redactor: Redactor) -> None:
    folder: Path = options.home / "meetings" / options.meeting
    live = Live.from_url(os.environ["REDIS_URL"])
    try:
        spec = await read_spec(live, folder, options.meeting)
        run = MeetingRun(
            spec, live, worker=options.worker, ffmpeg=options.ffmpeg,
            database_url=os.environ.get("DATABASE_URL"), redactor=redactor,
            feeds=options.feeds,
        )  # fmt: skip
        task = asyncio.ensure_future(run.run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await task
    finally:
        await live.close()


def wait_for_meeting(home: Path) -> str | None:
    """As a spare: wait on standard input for a meeting; None when nobody needs this process.

    From then on everything that is said goes to the log of the meeting.
    """
    line = sys.stdin.readline()
    if not line:
        return None
    meeting = str(json.loads(line)["meeting"])
    folder = home / "meetings" / meeting
    folder.mkdir(parents=True, exist_ok=True)
    out = os.open(folder / "run.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    os.dup2(out, sys.stdout.fileno())
    os.dup2(out, sys.stderr.fileno())
    os.close(out)
    return meeting


def main() -> None:
    parser = argparse.ArgumentParser(prog="meeting run", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--worker", required=True)
    parser.add_argument("--ffmpeg", type=Path)
    parser.add_argument("--feeds", type=int)
    options = parser.parse_args()
    redactor = Redactor()
    logs.set_up(clean=redactor.clean)
    options.meeting = wait_for_meeting(options.home)
    if options.meeting is None:
        return
    folder: Path = options.home / "meetings" / options.meeting
    try:
        held = hold(folder)
        if held is None:
            log.warning("another run on this machine has the meeting")
            sys.exit(EXIT_BUSY)
        asyncio.run(serve(options, redactor))
    except asyncio.CancelledError:
        log.info("stopped by a signal")
        sys.exit(128 + signal.SIGTERM)
    except StreamerError as error:
        log.error("%s", error)
        last_words.write(folder, error, redactor.clean)
        sys.exit(1)
    except Exception as error:
        # Said by the log, which masks secrets; the interpreter's own traceback would not.
        log.exception("the run of %s cannot go on", options.meeting)
        last_words.write(folder, error, redactor.clean)
        sys.exit(1)


if __name__ == "__main__":
    main()
