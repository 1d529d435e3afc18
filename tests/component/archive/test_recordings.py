"""Facts of real media, and the composed playlist in a real player."""

import subprocess
from pathlib import Path

import av
import imageio_ffmpeg
import pytest

from streamer.archive import media_facts
from streamer.archive.hashing import Interrupted, Meter
from streamer.media import hls
from tests.component.archive.conftest import FIRST_S, SECOND_AT, SECOND_S, a_clip

pytestmark = pytest.mark.component


def test_facts_are_in_programme_time(folder: Path) -> None:
    found = media_facts.facts(folder / "master/part-0002.ts", deep=True)
    assert found.whole
    assert found.video is not None
    assert found.video.first_s == pytest.approx(SECOND_AT, abs=0.001)
    assert found.video.end_s == pytest.approx(SECOND_AT + SECOND_S, abs=0.001)
    assert found.video.packets == 25 * SECOND_S
    assert found.video.backward == 0
    assert found.video.holes == []
    assert found.decoded > 25 * SECOND_S
    assert found.undecodable == 0


def test_a_part_of_the_viewing_copy_keeps_programme_time(folder: Path) -> None:
    part = folder / "hls/part-0002"
    files = [part / "init.mp4", *sorted(part.glob("*.m4s"))]
    found = media_facts.facts_of_parts("part-0002", files)
    assert found.whole
    assert found.video is not None
    assert found.video.first_s == pytest.approx(SECOND_AT, abs=0.001)
    assert found.video.packets == 25 * SECOND_S


def test_a_hole_inside_a_file_is_found(folder: Path, tmp_path: Path) -> None:
    """A hub that dropped to the next keyframe leaves a hole in one file."""
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(p.read_bytes() for p in sorted(folder.glob("master/*.ts"))))
    found = media_facts.facts(joined)
    assert found.video is not None
    (hole,) = found.video.holes
    assert (hole.start_s, hole.end_s) == pytest.approx((1 + FIRST_S, SECOND_AT), abs=0.05)
    assert found.video.largest_gap_s == pytest.approx(SECOND_AT - 1 - FIRST_S, abs=0.05)


def test_time_that_goes_back_is_found(tmp_path: Path) -> None:
    a_clip(tmp_path / "a.ts", 10, 2)
    a_clip(tmp_path / "b.ts", 5, 2)
    (tmp_path / "c.ts").write_bytes(
        (tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes()
    )
    found = media_facts.facts(tmp_path / "c.ts")
    assert sum(stream.backward for stream in found.streams) >= 1


@pytest.mark.parametrize("cut", [1, 100, 188 * 3 + 7, 60_000])
def test_a_file_cut_by_a_kill_opens(folder: Path, tmp_path: Path, cut: int) -> None:
    whole = (folder / "master/part-0001.ts").read_bytes()
    (tmp_path / "cut.ts").write_bytes(whole[:-cut])
    found = media_facts.facts(tmp_path / "cut.ts")
    assert found.whole
    assert found.seconds > FIRST_S - 2


@pytest.mark.parametrize("data", [b"", b"not a film", b"\x47" * 188 * 20])
def test_what_is_no_film_is_said_and_not_raised(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.ts").write_bytes(data)
    found = media_facts.facts(tmp_path / "x.ts")
    assert not found.whole


def test_it_can_be_stopped(folder: Path) -> None:
    meter = Meter()
    meter.stop.set()
    with pytest.raises(Interrupted):
        media_facts.facts(folder / "master/part-0001.ts", meter=meter)


def packets(playlist: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    with av.open(str(playlist)) as container:
        for packet in container.demux():
            if packet.size:
                counts[packet.stream.type] = counts.get(packet.stream.type, 0) + 1
    return counts


def test_the_composed_playlist_plays_through_the_hole(folder: Path) -> None:
    assert hls.write_composed(folder, closed=True)
    playlist = folder / "hls/index.m3u8"
    with av.open(str(playlist)) as container:
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(FIRST_S + SECOND_S, abs=0.2)
    assert packets(playlist)["video"] == 25 * (FIRST_S + SECOND_S)
    ran = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-xerror", "-i", str(playlist),
         "-f", "null", "-progress", "pipe:1", "-"],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    times = [line for line in ran.stdout.splitlines() if line.startswith("out_time_us=")]
    assert int(times[-1].partition("=")[2]) / 1e6 == pytest.approx(FIRST_S + SECOND_S, abs=0.2)


def test_a_killed_recorder_leaves_a_playable_playlist(folder: Path) -> None:
    """Last line torn, the last listed segment empty, one more written and not listed."""
    part = folder / "hls/part-0002"
    text = (part / "index.m3u8").read_text().replace("#EXT-X-ENDLIST\n", "")
    for name in ("index.m3u8", "seg-00003.m4s"):
        (part / name).unlink()  # it is shared with other tests
    (part / "index.m3u8").write_text(text[: text.rfind("seg-00003") + 5])
    (part / "seg-00003.m4s").write_bytes(b"half a segm")
    hls.write_composed(folder, closed=True)
    assert packets(folder / "hls/index.m3u8")["video"] == 25 * (FIRST_S + 4)
