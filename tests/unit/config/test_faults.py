"""Every mistake is told with its file, its line, and what would be right."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.config.faults import ConfigurationFaults, Fault
from streamer.config.loader import check, load
from streamer.domain.errors import Act

Write = Callable[..., Path]
CANARY = "k7Qw-canary-0123456789"


def line_of(text: str, part: str, nth: int = 1) -> int:
    """The line of the nth occurrence of `part`."""
    return [n for n, line in enumerate(text.splitlines(), 1) if part in line][nth - 1]


def only(faults: list[Fault]) -> Fault:
    assert len(faults) == 1, [str(fault) for fault in faults]
    return faults[0]


def test_a_good_folder_has_no_fault(write: Write) -> None:
    folder = write()
    assert check(folder, {}) == []
    assert load(folder, {}).regions["abai"].destination("vk").enabled is False


def test_a_fault_reads_as_one_sentence_with_its_place(
    write: Write, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = region.replace("rtmps://a.rtmps", "htp://a.rtmps")
    monkeypatch.chdir(write(abai=text).parent)
    line = line_of(text, "htp://")
    assert str(only(check(Path("configs"), {}))) == (
        f"configs/regions/abai.yaml:{line}: destinations[0].url:"
        " 'htp://…' is not an RTMP address; write rtmp://… or rtmps://…"
    )


def test_unknown_key_suggests_the_nearest_one(write: Write, region: str) -> None:
    text = region.replace("previewable: true", "previewabel: true")
    fault = only(check(write(abai=text), {}))
    assert fault.line == line_of(text, "previewabel")
    assert fault.path == "destinations[0].previewabel"
    assert fault.right == "did you mean 'previewable'?"


def test_a_misspelt_required_key_is_one_fault(write: Write, region: str) -> None:
    text = region.replace("time_zone:", "timezone:")
    assert only(check(write(abai=text), {})).right == "did you mean 'time_zone'?"


def test_unknown_key_without_likeness_lists_the_known_ones(write: Write) -> None:
    fault = only(check(write("web:\n  zzz: 1\n"), {}))
    assert (fault.line, fault.right) == (2, "known here: host, port, public_url")


def test_missing_key_says_what_it_is(write: Write, region: str) -> None:
    text = region.replace("    url: rtmp://ovsu.okcdn.ru/input/\n", "")
    fault = only(check(write(abai=text), {}))
    assert fault.line == line_of(text, "- id: vk")
    assert "add 'url:' (Address of the ingest" in fault.right


@pytest.mark.parametrize(
    ("setting", "wrong", "right"),
    [
        ('programme:\n  fps: "25"', "'25' is not a whole number", "without quotes"),
        ("programme:\n  fps: 25.5", "25.5 is not a whole number", "or a fraction"),
        ("programme:\n  fps: 29", "do not divide 48000 samples", "24, 25, 30, 50 or 60"),
        ("programme:\n  width: 1281", "1281 is odd", "1282"),
        ("programme:\n  height: 100", "100 is too small", "at least 160"),
        ("programme:\n  preset: slowest", "'slowest' is not possible", "'ultrafast'"),
        ("programme: 720p", "'720p' is not a group of settings", "indented"),
        ("programme:\n#  fps: 25", "has no value", "remove the line"),
        ("log_level: loud", "'loud' is not possible here", "'debug'"),
        ("worker:\n  capacity: true", "true is not a whole number", "digits"),
        ("worker:\n  capacity: [1]", "a list is not a whole number", "digits"),
        ("schedule:\n  end_by_schedule: yes", "'yes' is neither true nor false", "true or false"),
        ("schedule:\n  overrun: 60", "60 is a number without a unit", "90s, 60m or 1h30m"),
        ("schedule:\n  overrun: one hour", "'one hour' is not a duration", "1h30m"),
        ("schedule:\n  overrun: -5m", "'-5m' is not a duration", "60m"),
        ("schedule:\n  line_up_before: 2h", "before the meeting is prepared", "prepare_before"),
        ("relay:\n  stall_s: 15", "15 is too large", "at most 8"),
        ("relay:\n  stall_s: .nan", "nan is not a number", "digits"),
        ("web:\n  port: 99999", "99999 is too large", "at most 65535"),
        ('web:\n  host: ""', "this text is empty", "write a text"),
        ("web:\n  public_url: example.kz", "is not a web address", "https://"),
        ("home: 12", "12 is not a text", "write a text"),
        ("redis_url: localhost:6379", "is not a Redis address", "redis://host"),
        ("database_url: mysql://host/x", "'mysql://…' is not a database address", "postgresql"),
        ("archive_url: s3://bucket", "'s3://bucket' is not a folder", "path of a folder"),
    ],
)
def test_wrong_values_of_the_service(write: Write, setting: str, wrong: str, right: str) -> None:
    fault = only(check(write(setting + "\n"), {}))
    assert fault.line == (2 if setting.count("\n") and "programme:\n#" not in setting else 1)
    assert wrong in fault.wrong
    assert right in fault.right


@pytest.mark.parametrize(
    ("line", "old", "new", "wrong", "right"),
    [
        (2, 'code: "100000000"', "code: 100000000", "100000000 is a number", 'it: "100000000"'),
        (29, 'code: "101000000"', "code: 010100000", "is a number", 'quote it: "010100000"'),
        (29, 'code: "101000000"', 'code: "1010"', "'1010' is not a KATO code", "nine digits"),
        (3, "kind: region", "kind: oblast", "'oblast' is not possible here", "'region'"),
        (6, "Asia/Almaty", "Asia/Almati", "'Asia/Almati' is not a time zone", "Asia/Almaty"),
        (6, "Asia/Almaty", "Somewhere", "'Somewhere' is not a time zone", "such as Asia/Almaty"),
        (16, "id: youtube", "id: YouTube", "'YouTube' cannot be used as a name", "small Latin"),
        (11, "port: 9001", "# no port", "kind srt needs a port", "add port: 9001"),
        (13, "kind: srt", "kind: test", "kind test has no port", "kind: srt or rtmp"),
        (14, "passphrase: env:ABAI_HALL_PASSPHRASE", "host: hall", "'hall' is not an address",
         "0.0.0.0"),
        (11, "passphrase: env:ABAI_HALL_PASSPHRASE", "latency_ms: 300", "no passphrase",
         "127.0.0.1"),
        (19, "/live2\n", "\n", "names no application", "rtmp://host/live2"),
        (21, "backup_url: rtmps://b.rtmps.youtube.com:443/live2?backup=1", "backup_key: env:X",
         "a backup_key without a backup_url", "add backup_url"),
        (23, "id: vk", "id: youtube", "'youtube' stands twice, first in line 16", "its own id"),
        (1, "slug: abai", "slug: abay", "'abay' is not the name of the file", "write abai"),
    ],
)  # fmt: skip
def test_wrong_values_of_a_region(
    write: Write, region: str, line: int, old: str, new: str, wrong: str, right: str
) -> None:
    text = region.replace(old, new, 1)
    assert text != region
    fault = only([fault for fault in check(write(abai=text), {}) if wrong in fault.wrong])
    assert fault.line == line
    assert right in fault.right


def test_exact_lines_of_keys_inside_lists(write: Write, region: str) -> None:
    text = region.replace("port: 9001", "port: x").replace("101000000", "77")
    faults = check(write(abai=text), {})
    assert [(fault.line, fault.path) for fault in faults] == [
        (line_of(text, "port: x"), "halls[0].sources[0].port"),
        (line_of(text, '"77"'), "sites[0].code"),
    ]


def test_several_faults_of_several_files_in_one_run(write: Write, region: str) -> None:
    first = region.replace("time_zone: Asia/Almaty", "time_zone: Mars").replace("9001", "70000")
    other = region.replace("slug: abai", "slug: akmola").replace("previewable: true", "preview: 1")
    service = "programme:\n  fps: fast\nhom: var\n"
    faults = check(write(service, abai=first, akmola=other), {})
    found = [(Path(fault.file).name, fault.line, fault.path) for fault in faults]
    assert found == [
        ("streamer.yaml", 2, "programme.fps"),
        ("streamer.yaml", 3, "hom"),
        ("abai.yaml", line_of(first, "Mars"), "time_zone"),
        ("abai.yaml", line_of(first, "70000"), "halls[0].sources[0].port"),
        ("akmola.yaml", line_of(other, "code:"), "code"),
        ("akmola.yaml", line_of(other, "preview: 1"), "destinations[0].preview"),
    ]


def test_load_raises_all_of_them_as_one_error_of_ours(write: Write) -> None:
    folder = write("hom: var\nlog_level: 1\n")
    with pytest.raises(ConfigurationFaults) as caught:
        load(folder, {})
    assert caught.value.act is Act.CORRECT_SETTING
    assert len(caught.value.faults) == 2
    assert caught.value.as_dict()["tried"]["faults"] == [str(one) for one in caught.value.faults]
    assert "streamer.yaml:1: hom: there is no setting 'hom'" in caught.value.message


# --- secrets ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [CANARY, "12345678901234567890", "{a: " + CANARY + "}", "env:" + CANARY, "file:" + CANARY],
)
def test_a_secret_in_the_file_is_refused_and_not_echoed(
    write: Write, region: str, value: str
) -> None:
    text = region.replace("key: env:ABAI_YOUTUBE_KEY", f"key: {value}")
    fault = only(check(write(abai=text), {}))
    assert fault.line == line_of(text, f"key: {value}")
    assert "secrets never stand in the file: write env:NAME" in fault.right
    assert CANARY not in str(fault)
    assert "1234567890" not in str(fault)


@pytest.mark.parametrize(
    "url",
    [
        f"rtmps://a.rtmps.youtube.com:443/live2/{CANARY}",
        "rtmp://a.rtmp.youtube.com/live2/abcd-efgh-ijkl-mnop-qrst",
        "rtmps://rtmp-api.facebook.com:443/rtmp/FB-1234-0-AbCdEf",
        "rtmp://ovsu.okcdn.ru/input/123_456_abcdef",
        "rtmps://dc4-1.rtmp.t.me/s/1234567:AbCdEfGhIj",
        "rtmps://host/live?key=abcdef",
        "rtmps://host/live?sign=abcdefghijkl",
        "rtmp://name:password@host/live",
    ],
)
def test_an_address_with_its_key_is_refused_and_not_echoed(
    write: Write, region: str, url: str
) -> None:
    text = region.replace("rtmps://a.rtmps.youtube.com:443/live2", url)
    fault = only(check(write(abai=text), {}))
    assert "seems to contain the stream key" in fault.wrong
    assert "key: env:NAME" in fault.right
    for part in (CANARY, "abcd", "AbCd", "FB-", "123_", "password"):
        assert part not in str(fault)


@pytest.mark.parametrize(
    "url",
    ["rtmp://host/live", "rtmps://host:443/rtmp/", "rtmp://192.0.2.1:1935/live_push/abai",
     "rtmps://b.rtmps.youtube.com:443/live2?backup=1", "rtmp://[2001:db8::1]/app",
     "rtmp://host/live/akimat-report-2027"],
)  # fmt: skip
def test_addresses_without_a_key_are_taken(write: Write, region: str, url: str) -> None:
    assert check(write(abai=region.replace("rtmp://ovsu.okcdn.ru/input/", url)), {}) == []


@pytest.mark.parametrize(
    "key",
    [
        "redis_url: redis://:{}@host:6379",
        "database_url: postgresql://u:{}@host/x",
        "database_url: postgresql://host/x?password={}",
    ],
)
def test_a_password_of_a_store_belongs_into_the_environment(write: Write, key: str) -> None:
    fault = only(check(write(key.format(CANARY) + "\n"), {}))
    assert "contains a password" in fault.wrong
    assert "_URL" in fault.right
    assert CANARY not in str(fault)


# --- files against each other -------------------------------------------------------------------


def test_two_regions_with_one_code_and_one_port(write: Write, region: str) -> None:
    other = region.replace("slug: abai", "slug: akmola")
    faults = check(write(abai=region, akmola=other), {})
    assert [(fault.line, fault.path) for fault in faults] == [
        (2, "code"), (line_of(other, "port:"), "halls[0].sources[0].port"),
    ]  # fmt: skip
    assert all("abai.yaml:" in fault.wrong for fault in faults)
    assert faults[1].right == "write another port, such as 9002"


def test_two_regions_with_one_slug(write: Write, region: str) -> None:
    other = region.replace("100000000", "110000000").replace("9001", "9002")
    faults = check(write(abai=region, akmola=other), {})
    assert ["is not the name of the file" in faults[0].wrong, "also the slug" in faults[1].wrong]
    assert {Path(fault.file).name for fault in faults} == {"akmola.yaml"}


def test_one_port_on_two_network_cards_is_fine(write: Write, region: str) -> None:
    first = region.replace("port: 9001", "port: 9001\n        host: 192.0.2.1")
    other = region.replace("port: 9001", "port: 9001\n        host: 192.0.2.2")
    other = other.replace("slug: abai", "slug: akmola").replace("100000000", "110000000")
    assert check(write(abai=first, akmola=other), {}) == []
    assert len(check(write(abai=region, akmola=other), {})) == 1


def test_sources_of_one_hall_with_one_id_or_port(write: Write, region: str) -> None:
    text = region.replace(
        "destinations:", "      - {kind: rtmp, port: 9001, key: env:K}\ndestinations:"
    )
    faults = check(write(abai=text), {})
    assert [fault.path for fault in faults] == [
        "halls[0].sources[1].id",
        "halls[0].sources[1].port",
    ]


def test_a_source_that_no_scene_shows_is_refused(write: Write, region: str) -> None:
    """It was valid, and the meeting went out with the slate."""
    text = region.replace("- id: hall", "- id: camera")
    fault = only(check(write(abai=text), {}))
    assert (fault.line, fault.path) == (line_of(text, "camera"), "halls[0].sources[0].id")
    assert fault.wrong == "nobody would see the source 'camera'"
    assert "write one of hall, slides, sign, interpreter" in fault.right
    two = region.replace("destinations:", "      - {id: second, kind: test}\ndestinations:")
    assert only(check(write(abai=two), {})).path == "halls[0].sources[1].id"


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "::1"])
def test_rtmp_without_a_key_is_refused_also_on_the_loopback(
    write: Write, region: str, host: str
) -> None:
    source = "kind: rtmp\n        port: 9001\n        host: '" + host + "'\n"
    text = region.replace("kind: srt\n        port: 9001\n", source)
    keyless = text.replace("        passphrase: env:ABAI_HALL_PASSPHRASE\n", "")
    fault = only(check(write(abai=keyless), {}))
    assert (fault.line, fault.path) == (line_of(keyless, "- id: hall"), "halls[0].sources[0]")
    assert "needs a key" in fault.wrong
    assert "key: env:NAME" in fault.right
    assert check(write(abai=text.replace("passphrase: env:", "key: env:")), {}) == []


# --- files that are not what they should be -----------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "wrong"),
    [
        ("home: var\nweb: {port: 1\nlog_level: info\n", 3, "this is not YAML"),
        ("home: var\n\tlog_level: info\n", 2, "this is not YAML"),
        ("home: 'var\n", 2, "this is not YAML"),
        ("a: 1\n---\nb: 2\n", 2, "this is not YAML"),
        ("home: var\nlog_level: info\nhome: x\n", 3, "stands twice, first in line 1"),
        ("web:\n  port: 1\n  port: 2\n", 3, "stands twice, first in line 2"),
        ("- home\n", 1, "does not consist of settings"),
        ("home\n", 1, "does not consist of settings"),
        ("home: var\n\x01: 1\n", 2, "control character"),
        ("home: !secret x\n", 1, "tags are not used"),
        ("web: &w\n  port: *w\n", 1, "anchors and aliases are not used"),
        ("1: x\n[a]: y\n", 2, "no proper name"),
    ],
)
def test_files_that_cannot_be_read(write: Write, text: str, line: int, wrong: str) -> None:
    faults = [fault for fault in check(write(text), {}) if wrong in fault.wrong]
    assert only(faults).line == line


def test_broken_yaml_does_not_echo_its_words(write: Write, region: str) -> None:
    text = region.replace("key: env:ABAI_YOUTUBE_KEY", f"key: *{CANARY}")
    assert CANARY not in str(only(check(write(abai=text), {})))


def test_text_that_is_not_utf8(write: Write) -> None:
    folder = write()
    (folder / "streamer.yaml").write_bytes(b"# ok\nhome: \xff\n")
    fault = only(check(folder, {}))
    assert (fault.line, fault.right) == (2, "save the file as UTF-8")


def test_a_broken_file_does_not_hide_the_faults_of_the_others(write: Write, region: str) -> None:
    faults = check(write("a: [\n", abai=region.replace("Asia/Almaty", "Mars")), {})
    assert [Path(fault.file).name for fault in faults] == ["streamer.yaml", "abai.yaml"]


def test_missing_folder_files_and_regions(tmp_path: Path, write: Write) -> None:
    assert only(check(tmp_path / "nowhere", {})).wrong == "there is no such folder"
    folder = write()
    (folder / "streamer.yaml").unlink()
    assert only(check(folder, {})).wrong == "there is no such file"
    (folder / "streamer.yaml").touch()
    region = folder / "regions" / "abai.yaml"
    region.rename(region.with_suffix(".yml"))
    assert [fault.right for fault in check(folder, {})] == [
        "rename it to abai.yaml", "add a file <slug>.yaml",
    ]  # fmt: skip


# --- environment and places ---------------------------------------------------------------------


def test_environment_stands_above_the_file(write: Write, tmp_path: Path) -> None:
    folder = write("home: elsewhere\nredis_url: redis://file/0\n")
    environ = {
        "REDIS_URL": f"redis://:{CANARY}@host:6379/0",
        "DATABASE_URL": "postgresql://host/x",
        "ARCHIVE_URL": "file:///mnt/archive",
        "STREAMER_HOME": str(tmp_path / "home"),
    }
    service = load(folder, environ).service
    assert service.redis_url == environ["REDIS_URL"]
    assert service.database_url == "postgresql://host/x"
    assert service.archive_folder == Path("/mnt/archive")
    assert service.home == tmp_path / "home"
    assert CANARY not in repr(service)


def test_a_wrong_variable_is_named_and_not_echoed(write: Write) -> None:
    fault = only(check(write("# x\n"), {"DATABASE_URL": f"mysql://u:{CANARY}@host/x"}))
    assert fault.file == "environment variable DATABASE_URL"
    assert str(fault).startswith("environment variable DATABASE_URL: database_url: ")
    assert CANARY not in str(fault)


def test_an_empty_variable_is_no_variable(write: Write) -> None:
    assert load(write(), {"REDIS_URL": ""}).service.redis_url is None


def test_relative_paths_count_from_the_folder_of_configs(write: Write, region: str) -> None:
    text = region.replace("key: file:/run/secrets/vk", "key: env:X\n    ca_file: keys/ca.pem")
    folder = write("recording:\n  second_disk: /mnt/two\n", abai=text)
    configuration = load(folder, {})
    assert configuration.service.home == folder.parent / "var"
    assert configuration.service.archive_folder == folder.parent / "var" / "archive"
    assert configuration.service.recording.second_disk == Path("/mnt/two")
    ca_file = configuration.regions["abai"].destination("vk").ca_file
    assert ca_file == folder.parent / "keys" / "ca.pem"
