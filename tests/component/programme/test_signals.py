"""Coded films with faults → feed children → mixer → what the watch tells, and when."""

import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from streamer.domain.signals import SignalFault, SignalRecovered
from streamer.programme.canvas import Canvas
from streamer.programme.scenes import HALL, HALL_FEED, FeedState
from tests.component.programme.bench_parts import (
    FFMPEG,
    Feed,
    FeedBuffer,
    Stage,
    feed_argv,
    stage,
    wait_until,
)

pytestmark = pytest.mark.component

CANVAS = Canvas(320, 180, 25)
BEGINS, ENDS, LENGTH = 5.0, 12.0, 17
WRONG = f"between(t\\,{BEGINS}\\,{ENDS})"
CAMERA = "testsrc2=s=320x180:r=25,noise=alls=4:allf=t"
SPEECH = "0.3*sin(2*PI*300*t)*gt(sin(4*PI*t)\\,-0.4)"
PHOTO = (
    "mandelbrot=s=320x180:r=25,gblur=sigma=1,trim=end_frame=1,loop=-1:1,setpts=N/25/TB,"
    "noise=alls={noise}:allf=t"
)
STILL = "testsrc2=s=320x180:r=25,trim=end_frame=1,loop=-1:1,setpts=N/25/TB"


@dataclass(frozen=True)
class Film:
    """A picture and a sound as filters, at so many kbit/s; `told` is what must be told of it."""

    picture: str = CAMERA
    sound: str = SPEECH
    kbits: int = 600
    told: tuple[str, ...] = ()


FILMS = {
    HALL_FEED: Film(f"{CAMERA},drawbox=c=black:t=fill:enable='{WRONG}'", told=("black",)),
    "feed:site:frozen": Film(
        f"{CAMERA}[a];{STILL}[b];[a][b]overlay=enable='{WRONG}'", told=("frozen",)
    ),
    "feed:site:silent": Film(sound=f"{SPEECH}*not({WRONG})", told=("silent",)),
    "feed:site:clipped": Film(
        sound=f"if({WRONG}\\,clip(9*{SPEECH}\\,-1\\,1)\\,{SPEECH})", told=("clipping", "loud")
    ),
    "feed:site:faint": Film(
        sound=f"({SPEECH}+0.002*random(0))*if({WRONG}\\,0.01\\,1)", told=("low",)
    ),
    # A calm face: a mouth that moves, all else repeated by an encoder that is short of bits.
    "feed:site:face": Film(
        PHOTO.format(noise=4) + ",split[a][b];[b]crop=20:10:150:70[m];"
        "[a][m]overlay=x=150:y='75+2*sin(2*PI*t*2.3)'", kbits=80,
    ),
    "feed:site:empty": Film(PHOTO.format(noise=8)),
    "feed:slides": Film(STILL, sound="0"),
}  # fmt: skip


def made(path: Path, film: Film) -> Path:
    """The film as a site's encoder would send it: H.264 and AAC in a transport stream."""
    subprocess.run(
        [
            FFMPEG, "-v", "error", "-y", "-f", "lavfi", "-i", film.picture,
            "-f", "lavfi", "-i", f"aevalsrc={film.sound}|{film.sound}:s=48000",
            "-t", str(LENGTH),
            "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "50",
            "-b:v", f"{film.kbits}k", "-maxrate", f"{film.kbits}k", "-bufsize", f"{film.kbits}k",
            "-c:a", "aac", "-b:a", "96k", str(path),
        ],
        check=True, timeout=90,
    )  # fmt: skip
    return path


@dataclass
class Looker:
    """Looks five times a second, as a run does, and notes when each feed came alive."""

    it: Stage
    told: list[tuple[float, SignalFault | SignalRecovered]] = field(default_factory=list)
    alive: dict[str, float] = field(default_factory=dict)
    previews: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        now = time.monotonic()
        self.told += [(now, one) for one in self.it.mixer.watch.look(now)]
        for name, state in self.it.mixer.state().feeds.items():
            if state is FeedState.ALIVE:
                self.alive.setdefault(name, now)
                if name not in self.previews:
                    self.previews[name] = len(self.it.mixer.feed_preview(name))

    def until(self, what: object, seconds: float) -> None:
        end, pause = time.monotonic() + seconds, threading.Event()
        while not what():  # type: ignore[operator]
            assert time.monotonic() < end, "waited too long"
            self.look()
            pause.wait(0.2)

    def of(self, feed: str) -> list[tuple[str, str]]:
        return [
            ("fault" if isinstance(one, SignalFault) else "over", str(one.detector))
            for _, one in self.told if one.feed == feed
        ]  # fmt: skip

    def at(self, feed: str, kind: type, detector: str) -> float:
        """Seconds of the feed's own time at which it was told."""
        return next(
            at for at, one in self.told
            if one.feed == feed and isinstance(one, kind) and one.detector == detector
        ) - self.alive[feed]  # fmt: skip


def test_faults_in_coded_films_are_told_within_5_s_and_once(tmp_path: Path) -> None:
    paths = {
        name: made(tmp_path / f"{name.rpartition(':')[2]}.ts", film) for name, film in FILMS.items()
    }
    with stage(CANVAS) as it:
        it.mixer.take(HALL)
        for name, path in paths.items():
            buffer = FeedBuffer(CANVAS)
            it.feeds.append(Feed(CANVAS, buffer, feed_argv(CANVAS, "-re", "-i", str(path))))
            it.mixer.attach_feed(name, buffer)
        looker = Looker(it)
        looker.until(lambda: all(feed.reader.end is not None for feed in it.feeds), LENGTH + 20)
        at_the_end = {name: looker.of(name) for name in FILMS}
        looker.until(
            lambda: all(looker.of(name)[-1:] == [("fault", "no_bytes")] for name in FILMS), 10
        )
    for name, film in FILMS.items():
        assert sorted(looker.of(name)[: len(at_the_end[name])]) == sorted(
            [(kind, told) for told in film.told for kind in ("fault", "over")]
        ), name
        assert looker.of(name)[-1] == ("fault", "no_bytes"), "and its end, once"
        assert len(looker.of(name)) == 2 * len(film.told) + 1
        for told in film.told:
            after = looker.at(name, SignalFault, told) - BEGINS
            over = looker.at(name, SignalRecovered, told) - ENDS
            print(f"{told}: told after {after:.1f} s, its end after {over:.1f} s")
            assert after <= 5.0
            assert over <= 5.0
    # The programme showed the hall: black with it, and then the slate, which is in order.
    assert looker.of("programme") == [("fault", "black"), ("over", "black")]
    assert all(1000 < size < 12_000 for size in looker.previews.values()), looker.previews


def test_a_camera_that_only_freezes_its_pipe_is_told_as_frozen() -> None:
    """Pictures cease while the sound goes on: a camera's cable, not the line."""
    with stage(CANVAS) as it:
        buffer = FeedBuffer(CANVAS)
        it.feeds.append(
            Feed(CANVAS, buffer, feed_argv(
                CANVAS, "-re", "-f", "lavfi", "-i",
                "testsrc2=s=320x180:r=25:d=4[out0];sine=frequency=440:sample_rate=48000[out1]",
            ))
        )  # fmt: skip
        it.mixer.attach_feed(HALL_FEED, buffer)
        looker = Looker(it)
        wait_until(lambda: it.mixer.state().feeds[HALL_FEED] is FeedState.ALIVE)
        looker.until(lambda: looker.of(HALL_FEED), 15)
        assert looker.of(HALL_FEED) == [("fault", "frozen")]
        assert looker.at(HALL_FEED, SignalFault, "frozen") - 4 <= 5.0
