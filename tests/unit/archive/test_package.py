"""Staging: what goes in, what stays out, and the folder of the meeting is left alone."""

import json
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import bagit
import pytest

from streamer.archive import bag, package
from streamer.archive.deliveries import moment
from streamer.archive.hashing import Interrupted, Meter
from streamer.domain.errors import NotFound
from streamer.domain.events import EventName
from streamer.media import hls
from tests.unit.archive.makers import (
    ID,
    T0,
    a_folder,
    a_meetings_events,
    events,
    meeting,
    spec,
    write_journal,
)


def build(folder: Path, stage: Path, **more: object) -> package.Staged:
    return package.build(folder, meeting(), spec(), stage, **more)  # type: ignore[arg-type]


def state_of(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.stat().st_ino, p.read_bytes())
        for p in folder.rglob("*") if p.is_file()
    }  # fmt: skip


def test_what_is_in_a_package(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "m")
    before = state_of(folder)
    staged = build(folder, tmp_path / "stage")
    names = {p.relative_to(staged.folder / "data").as_posix()
             for p in (staged.folder / "data").rglob("*") if p.is_file()}  # fmt: skip
    assert names == {
        "meeting.json", "dc.xml", "spec.json", "deliveries.csv", "as-run.ndjson",
        "video/hls/index.m3u8",
        *(f"video/master/part-000{n}.ts" for n in (1, 2)),
        *(f"video/hls/part-000{n}/{f}" for n in (1, 2)
          for f in ("init.mp4", "index.m3u8", "seg-00001.m4s", "seg-00002.m4s", "seg-00003.m4s")),
    }  # fmt: skip
    assert state_of(folder) == before
    assert staged.totals.files == len(names)


def test_the_bagit_library_and_sha256sum_agree(tmp_path: Path) -> None:
    staged = build(a_folder(tmp_path / "m"), tmp_path / "stage")
    library = bagit.Bag(str(staged.folder))
    assert library.validate()
    assert library.info["External-Identifier"] == ID
    assert library.version_info == (1, 0)
    ran = subprocess.run(
        ["sha256sum", "-c", "--quiet", "manifest-sha256.txt"], cwd=staged.folder, check=False
    )
    assert ran.returncode == 0


def test_media_are_linked_and_what_may_grow_is_copied(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "m")
    data = build(folder, tmp_path / "stage").folder / "data"
    assert (data / "video/master/part-0001.ts").samefile(folder / "master/part-0001.ts")
    assert not (data / "as-run.ndjson").samefile(folder / "as-run.ndjson")
    with (folder / "as-run.ndjson").open("a") as journal:
        journal.write("one more line\n")
    assert bagit.Bag(str(tmp_path / "stage")).validate()


def test_no_link_possible_then_media_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(source: object, target: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", no_link)
    folder = a_folder(tmp_path / "m")
    data = build(folder, tmp_path / "stage").folder / "data"
    copy = data / "video/master/part-0001.ts"
    assert not copy.samefile(folder / "master/part-0001.ts")
    assert copy.read_bytes() == (folder / "master/part-0001.ts").read_bytes()


def test_the_description(tmp_path: Path) -> None:
    data = build(a_folder(tmp_path / "m"), tmp_path / "stage").folder / "data"
    event = json.loads((data / "meeting.json").read_text())
    assert event["@type"] == "Event"
    assert event["startDate"] == "2027-02-19T10:00+05:00"
    assert {"@language": "kk", "@value": "Облыс әкімінің есебі"} in event["name"]
    live = event["subjectOf"]
    assert (live["@type"], live["isLiveBroadcast"]) == ("BroadcastEvent", True)
    assert live["publishedOn"][0]["url"] == "https://www.youtube.com/@abai"
    assert event["recordedIn"]["duration"] == "PT10.000S"
    assert event["recordedIn"]["contentUrl"] == "video/hls/index.m3u8"
    assert event["clock"] == {"programmeZero": moment(T0), "from": "event 2"}
    assert len(event["recordingParts"]) == 4
    root = ElementTree.fromstring((data / "dc.xml").read_text())  # noqa: S314 - our own
    titles = [t.text for t in root.iter("{http://purl.org/dc/elements/1.1/}title")]
    assert titles == ["Облыс әкімінің есебі", "Отчёт акима области", "Report of the akim"]


def test_the_configuration_says_nothing_about_where_things_lie(tmp_path: Path) -> None:
    data = build(a_folder(tmp_path / "m"), tmp_path / "stage").folder / "data"
    text = (data / "spec.json").read_text()
    shown = json.loads(text)
    assert shown["destinations"][0]["key"] == "file:***"
    assert shown["destinations"][0]["url"] == "rtmps://a.rtmps.youtube.com:443/live2"
    assert shown["frozen_sha256"] == spec().sha256
    assert "/etc/streamer" not in text
    assert "/srv/streamer" not in text


def test_a_secret_in_a_text_is_not_sealed(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "m")
    with pytest.raises(package.SecretInPackage) as caught:
        build(folder, tmp_path / "stage", secrets=("ended, by us",))
    assert caught.value.tried["file"] in ("as-run.ndjson", "deliveries.csv")
    assert "ended, by us" not in str(caught.value.as_dict())
    assert not bag.is_complete(tmp_path / "stage")


def test_a_half_built_stage_is_built_again(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "m")
    meter = Meter()
    meter.stop.set()
    with pytest.raises(Interrupted):
        build(folder, tmp_path / "stage", meter=meter)
    (tmp_path / "stage/data/left-over").write_text("x")
    first = build(folder, tmp_path / "stage")
    assert bagit.Bag(str(first.folder)).validate()
    assert not (first.folder / "data/left-over").exists()
    assert build(folder, tmp_path / "stage") == first


def test_an_extra_goes_into_the_manifest(tmp_path: Path) -> None:
    def extra(data: Path, meter: Meter) -> None:
        (data / "audio.m4a").write_bytes(b"sound")

    staged = build(a_folder(tmp_path / "m"), tmp_path / "stage", extras=(extra,))
    assert "data/audio.m4a" in (staged.folder / bag.MANIFEST).read_text()


def test_a_meeting_that_recorded_nothing_still_has_a_package(tmp_path: Path) -> None:
    write_journal(tmp_path / "m", a_meetings_events()[:1])
    staged = build(tmp_path / "m", tmp_path / "stage")
    assert bagit.Bag(str(staged.folder)).validate()
    event = json.loads((staged.folder / "data/meeting.json").read_text())
    assert "recordedIn" not in event


def test_no_folder_or_no_journal(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        build(tmp_path / "none", tmp_path / "stage")
    (tmp_path / "m").mkdir()
    with pytest.raises(NotFound):
        build(tmp_path / "m", tmp_path / "stage")


def check(folder: Path) -> bag.BagCheck:
    return bag.check(folder, Meter())


def test_every_kind_of_damage_is_named(tmp_path: Path) -> None:
    staged = build(a_folder(tmp_path / "m"), tmp_path / "stage")
    shutil.copytree(staged.folder, tmp_path / "copy")
    copy = tmp_path / "copy"
    assert check(copy).ok
    data = bytearray((copy / "data/video/master/part-0002.ts").read_bytes())
    data[100] ^= 1
    (copy / "data/video/master/part-0002.ts").write_bytes(data)
    (copy / "data/dc.xml").unlink()
    (copy / "data/added.txt").write_text("x")
    (copy / "more.txt").write_text("x")
    (copy / "bag-info.txt").write_text("External-Identifier: other\n")
    (copy / "data/deliveries.csv").unlink()
    (copy / "data/deliveries.csv").symlink_to("spec.json")
    found = check(copy)
    assert found.changed == ["bag-info.txt", "data/video/master/part-0002.ts"]
    assert found.missing == ["data/dc.xml"]
    assert found.extra == ["data/added.txt", "more.txt"]
    assert len(found.problems) == 1
    assert "deliveries.csv is a link" in found.problems[0]
    assert not found.ok


def test_a_link_out_of_the_package_is_named(tmp_path: Path) -> None:
    stage = build(a_folder(tmp_path / "m"), tmp_path / "stage").folder
    (stage / "data/dc.xml").unlink()
    (stage / "data/dc.xml").symlink_to("/etc/hostname")
    assert "data/dc.xml" in check(stage).problems[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bagit.txt", None), ("bagit.txt", b"\xff\xfe"), ("bagit.txt", b""),
        ("bagit.txt", b"BagIt-Version: 9.9\nTag-File-Character-Encoding: UTF-8\n"),
        ("manifest-sha256.txt", None), ("manifest-sha256.txt", b""),
        ("manifest-sha256.txt", b"\xff\xff"), ("manifest-sha256.txt", b"00 ../../etc/passwd\n"),
        ("tagmanifest-sha256.txt", None), ("bag-info.txt", b"no tag\n"),
    ],
)  # fmt: skip
def test_a_damaged_bag_never_raises_and_is_never_good(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    stage = build(a_folder(tmp_path / "m"), tmp_path / "stage").folder
    if content is None:
        (stage / name).unlink()
    else:
        (stage / name).write_bytes(content)
    assert not check(stage).ok


def test_the_clock_is_that_of_the_preparation_that_was_held(tmp_path: Path) -> None:
    """A meeting was postponed in line-up: its first recording is not in the package."""
    e = EventName
    old = {"leg": "recorder:a", "recorder": "a", "part": 1, "path": "master/part-0001.ts"}
    said = [
        (-9000.0, e.MEETING_STATE_CHANGED, {"from": "PLANNED", "to": "PREPARING"}),
        (-8000.0, e.RECORDING_PART_STARTED, {**old, "programme_s": 1.0}),
        (-7000.0, e.RUN_FINISHED, {"run": "r0"}),
        (-1.0, e.MEETING_STATE_CHANGED, {"from": "PLANNED", "to": "PREPARING"}),
        *((event.at - T0, event.name, event.data) for event in a_meetings_events()),
    ]
    folder = a_folder(tmp_path / "m")
    write_journal(folder, events(*said))
    staged = build(folder, tmp_path / "stage")
    told = json.loads((staged.folder / "data/meeting.json").read_text())
    assert told["clock"]["programmeZero"] == moment(T0)
    assert told["recordingParts"][0]["startedAt"] == moment(T0 + 1.0)


def test_the_renditions_are_in_it_and_its_check_finds_nothing(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "m")
    for number in (1, 2):
        part = folder / f"hls/part-000{number}"
        for name in ("sound", "low-1"):
            text = (part / "index.m3u8").read_text().replace("seg-", f"{name}-")
            (part / f"{name}.m3u8").write_text(text.replace("init.mp4", f"{name}-init.mp4"))
            (part / f"{name}-init.mp4").write_bytes(b"init")
            for segment in sorted(part.glob("seg-*.m4s")):
                (part / segment.name.replace("seg-", f"{name}-")).write_bytes(b"x")
    staged = build(folder, tmp_path / "stage")
    video = staged.folder / "data/video/hls"
    whole = hls.listed((video / "index.m3u8").read_text())
    for name in ("sound", "low"):
        listed = hls.listed((video / f"{name}.m3u8").read_text())
        assert listed.ended
        assert (listed.segments, listed.seconds) == (whole.segments, whole.seconds)
        assert all((video / file).is_file() for file in listed.files)
    assert (video / "part-0001/low-1.m3u8").is_file()
    assert bag.check(staged.folder, Meter()).ok
