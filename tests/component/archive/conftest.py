"""The folder of a finished meeting with real media, made once by ffmpeg."""

import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from tests.unit.archive.makers import a_meetings_events, write_journal

FIRST_S, SECOND_S, SECOND_AT = 7, 5, 15
"""Part 1 is 1..8 s of programme time, part 2 is 15..20 s: the run was away for 7 s."""


def ffmpeg(*arguments: str, cwd: Path) -> None:
    binary = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([binary, "-v", "error", "-nostdin", *arguments], cwd=cwd, check=True, timeout=60)


def a_clip(path: Path, at: int, seconds: int) -> None:
    """320x180, 25 pictures a second, a keyframe every 2 s, sound; timestamps begin at `at`."""
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-f", "lavfi", "-i", "sine=r=48000",
        "-t", str(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-g", "50",
        "-sc_threshold", "0", "-c:a", "aac", "-ac", "2", "-muxdelay", "0", "-muxpreload", "0",
        "-output_ts_offset", str(at), "-f", "mpegts", path.name, cwd=path.parent,
    )  # fmt: skip


def a_viewing_part(master: Path, folder: Path) -> None:
    """What recorder b makes of the same bytes."""
    folder.mkdir(parents=True)
    ffmpeg(
        "-copyts", "-f", "mpegts", "-i", str(master), "-map", "0", "-c", "copy",
        "-bsf:a", "aac_adtstoasc", "-f", "hls", "-hls_time", "2", "-hls_segment_type", "fmp4",
        "-hls_playlist_type", "event", "-hls_flags", "independent_segments+program_date_time",
        "-hls_fmp4_init_filename", "init.mp4", "-hls_segment_filename", "seg-%05d.m4s",
        "-start_number", "1", "index.m3u8", cwd=folder,
    )  # fmt: skip


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded") / "meeting"
    (folder / "master").mkdir(parents=True)
    for number, at, seconds in ((1, 1, FIRST_S), (2, SECOND_AT, SECOND_S)):
        master = folder / f"master/part-{number:04d}.ts"
        a_clip(master, at, seconds)
        a_viewing_part(master, folder / f"hls/part-{number:04d}")
    write_journal(folder, a_meetings_events())
    return folder


@pytest.fixture
def folder(recorded: Path, tmp_path: Path) -> Path:
    """A meeting's folder of one's own; the media are shared, so they are replaced, not changed."""
    return Path(shutil.copytree(recorded, tmp_path / "meeting", copy_function=_link))


def _link(source: str, target: str) -> str:
    Path(target).hardlink_to(source)
    return target
