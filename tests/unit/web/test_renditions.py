"""Playlists that grow: only what is new is read, and what is given out is the same as read anew."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamer.web import playlist as hls
from streamer.web.renditions import NAMES, Rendition, read_all, sounds_of

HEAD = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n"
START = datetime(2027, 2, 19, 5, tzinfo=UTC).timestamp()


def entry(number: int, part: int = 1, *, gap: bool = False) -> str:
    date = datetime.fromtimestamp(START + 2 * number, UTC).isoformat(timespec="milliseconds")
    name = f"part-000{part}/x-{number}.m4s"
    tag = "#EXT-X-GAP\n" if gap else ""
    return f"#EXT-X-PROGRAM-DATE-TIME:{date}\n#EXTINF:2.000000,\n{tag}{name}\n"


def map_of(part: int) -> str:
    return f'#EXT-X-MAP:URI="part-000{part}/init.mp4"\n'


@pytest.mark.parametrize("since", [0.0, START + 3, float("inf")])
def test_a_list_that_grows_is_as_one_that_is_read_anew(tmp_path: Path, since: float) -> None:
    path = tmp_path / "index.m3u8"
    steps = [
        HEAD + map_of(1) + entry(0), entry(1), entry(2, gap=True), entry(3) + entry(4),
        "#EXT-X-DISCONTINUITY\n" + map_of(2) + entry(6, 2), entry(7, 2) + "#EXTINF:2.0",
        "00,\npart-0002/x-8.m4s\n", "#EXT-X-ENDLIST\n",
    ]  # fmt: skip
    text, found = "", dict[str, Rendition]()
    for step in steps:
        text += step
        path.write_text(text)
        found = read_all(tmp_path, since, found)
        whole = hls.parse(text)
        assert found["index"].whole == whole
        assert found["index"].public == hls.cut(whole, since)
        assert found["index"].public_files == hls.cut(whole, since).files
        assert gzip.decompress(found["index"].text(staff=False)).decode() == hls.write(
            hls.cut(whole, since)
        )
        assert gzip.decompress(found["index"].text(staff=True)).decode() == hls.write(whole)


def test_going_live_cuts_what_was_read_before(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.m3u8").write_text(HEAD + map_of(1) + "".join(map(entry, range(4))))
    before = read_all(tmp_path, float("inf"), {})
    assert before.keys() == set(NAMES)
    assert not any(one.public.segments for one in before.values())
    for one in read_all(tmp_path, START + 4, before).values():
        assert [s.uri for s in one.public.segments] == ["part-0001/x-2.m4s", "part-0001/x-3.m4s"]


def test_what_changed_only_is_read(tmp_path: Path) -> None:
    (tmp_path / "index.m3u8").write_text(HEAD + map_of(1) + entry(0))
    before = read_all(tmp_path, 0.0, {})
    assert read_all(tmp_path, 0.0, before)["index"] is before["index"]


def test_the_sounds_of_a_multivariant_playlist() -> None:
    text = (
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Қазақша",LANGUAGE="kk",DEFAULT=YES,'
        'AUTOSELECT=YES,CHANNELS="2",URI="sound.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Русский",LANGUAGE="ru",DEFAULT=NO,'
        'AUTOSELECT=YES,CHANNELS="2",URI="sound2.m3u8"\n'
    )
    assert [(one["language"], one["playlist"]) for one in sounds_of(text)] == [
        ("kk", "sound.m3u8"), ("ru", "sound2.m3u8"),
    ]  # fmt: skip
    assert sounds_of("#EXTM3U\n") == []
