"""The composed playlist, whatever state the parts are in."""

from pathlib import Path

import pytest

from streamer.media import hls
from tests.unit.archive.makers import a_part


def lines(folder: Path, closed: bool = False) -> list[str]:
    return hls.compose(folder, closed).splitlines()


def test_two_parts_make_one_playlist_with_a_break_and_a_new_init(tmp_path: Path) -> None:
    a_part(tmp_path, 1, (2.0, 1.5))
    a_part(tmp_path, 2, (2.0,))
    text = hls.compose(tmp_path, closed=False)
    assert text.startswith("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n")
    assert "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-INDEPENDENT-SEGMENTS\n" in text
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert (
        'part-0001/seg-00002.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="part-0002/init.mp4"' in text
    )
    assert "#EXT-X-PROGRAM-DATE-TIME:2027-02-19T10:00:02.000+0500\n#EXTINF:1.500000," in text
    assert "ENDLIST" not in text


def test_a_closed_playlist_is_vod_with_an_end(tmp_path: Path) -> None:
    a_part(tmp_path, 1, (2.0,))
    text = hls.compose(tmp_path, closed=True)
    assert "#EXT-X-PLAYLIST-TYPE:VOD\n" in text
    assert text.endswith("part-0001/seg-00001.m4s\n#EXT-X-ENDLIST\n")


def test_parts_are_in_order_of_their_number(tmp_path: Path) -> None:
    for number in (10000, 9999, 2):
        a_part(tmp_path, number, (2.0,))
    found = [line.partition("/")[0] for line in lines(tmp_path) if line.endswith(".m4s")]
    assert found == ["part-0002", "part-9999", "part-10000"]


def test_the_target_is_the_longest_of_all_parts(tmp_path: Path) -> None:
    a_part(tmp_path, 1, (2.0, 4.5))
    a_part(tmp_path, 2, (2.0,))
    assert "#EXT-X-TARGETDURATION:5" in lines(tmp_path)


@pytest.mark.parametrize("cut", range(1, 90))
def test_a_playlist_torn_anywhere_lists_whole_segments_only(tmp_path: Path, cut: int) -> None:
    part = a_part(tmp_path, 1, (2.0, 2.0), ended=False)
    whole = (part / "index.m3u8").read_text()
    (part / "index.m3u8").write_text(whole[:-cut])
    found = [line for line in lines(tmp_path) if line.endswith(".m4s")]
    assert found in ([], ["part-0001/seg-00001.m4s"])
    extinf = sum(line.startswith("#EXTINF") for line in lines(tmp_path))
    assert extinf == len(found)


def test_missing_and_empty_segments_are_left_out_with_a_break(tmp_path: Path) -> None:
    part = a_part(tmp_path, 1, (2.0, 2.0, 2.0, 2.0))
    (part / "seg-00002.m4s").unlink()
    (part / "seg-00004.m4s").write_bytes(b"")
    text = hls.compose(tmp_path, closed=True)
    assert "seg-00002" not in text
    assert "seg-00004" not in text
    assert "seg-00001.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM" in text
    assert text.count("#EXTINF") == 2


def test_a_written_segment_that_is_not_listed_is_left_out(tmp_path: Path) -> None:
    part = a_part(tmp_path, 1, (2.0,), ended=False)
    (part / "seg-00002.m4s").write_bytes(b"cut in the mid")
    assert "seg-00002" not in hls.compose(tmp_path, closed=True)


def test_a_part_without_its_init_is_left_out(tmp_path: Path) -> None:
    (a_part(tmp_path, 1, (2.0,)) / "init.mp4").unlink()
    a_part(tmp_path, 2, (2.0,))
    text = hls.compose(tmp_path, closed=True)
    assert "part-0001" not in text
    assert "#EXT-X-DISCONTINUITY" not in text


def test_nothing_outside_the_part_is_listed() -> None:
    text = (
        '#EXTM3U\n#EXT-X-MAP:URI="../../x.mp4"\n#EXTINF:2,\n/etc/passwd\n#EXTINF:2,\n../a.m4s\n'
        "#EXTINF:2,\nhttps://example.org/a.m4s\n#EXTINF:2,\ngood.m4s\n"
    )
    playlist = hls.parse(text)
    assert [s.uri for s in playlist.segments] == ["good.m4s"]
    assert playlist.segments[0].init == ""


@pytest.mark.parametrize("length", ["", "x", "nan", "inf", "-1", "1e999"])
def test_a_length_that_is_none_is_not_listed(length: str) -> None:
    assert hls.parse(f"#EXTM3U\n#EXTINF:{length},\na.m4s\n").segments == ()
    assert hls.parse(f"#EXT-X-TARGETDURATION:{length}\n").target == 0


def test_it_is_written_only_when_it_changed(tmp_path: Path) -> None:
    part = a_part(tmp_path, 1, (2.0,), ended=False)
    composer = hls.Composer(tmp_path)
    path = tmp_path / "hls/index.m3u8"
    assert composer.write(closed=False)
    stamp = path.stat().st_mtime_ns, path.stat().st_ino
    assert not composer.write(closed=False)
    assert not hls.write_composed(tmp_path, closed=False)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == stamp
    (part / "seg-00002.m4s").write_bytes(b"x")
    with (part / "index.m3u8").open("a") as playlist:
        playlist.write("#EXTINF:2.0,\nseg-00002.m4s\n")
    assert composer.write(closed=False)
    assert path.read_text().count("#EXTINF") == 2
    assert composer.write(closed=True)
    assert not composer.write(closed=True)
    assert [p.name for p in (tmp_path / "hls").glob("*.tmp")] == []


def test_a_playlist_that_is_being_rewritten_does_not_take_segments_back(tmp_path: Path) -> None:
    part = a_part(tmp_path, 1, (2.0, 2.0, 2.0), ended=False)
    composer = hls.Composer(tmp_path)
    composer.write(closed=False)
    (part / "index.m3u8").write_text("#EXTM3U\n")
    composer.write(closed=False)
    assert (tmp_path / "hls/index.m3u8").read_text().count("#EXTINF") == 3


def test_nothing_is_written_before_there_is_a_segment(tmp_path: Path) -> None:
    assert not hls.write_composed(tmp_path, closed=False)
    a_part(tmp_path, 1, ())
    assert not hls.write_composed(tmp_path, closed=True)
    assert not (tmp_path / "hls/index.m3u8").exists()


def test_a_composed_playlist_is_read_back(tmp_path: Path) -> None:
    a_part(tmp_path, 1, (2.0, 1.5))
    a_part(tmp_path, 2, (2.0,))
    found = hls.listed(hls.compose(tmp_path, closed=True))
    assert found.files[0] == "part-0001/init.mp4"
    assert found.files[-1] == "part-0002/seg-00001.m4s"
    assert (found.segments, found.seconds, found.ended) == (3, 5.5, True)
