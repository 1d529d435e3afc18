"""Sources of every kind: what each takes and needs, and that no secret stands in a file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.config.loader import check, load

Write = Callable[..., Path]
CANARY = "k7Qw-canary-0123456789"
OLD = "        kind: srt\n        port: 9001\n        passphrase: env:ABAI_HALL_PASSPHRASE\n"


def with_source(region: str, text: str) -> str:
    assert OLD in region
    return region.replace(OLD, "".join(f"        {line}\n" for line in text.splitlines()))


@pytest.mark.parametrize(
    "text",
    [
        "kind: srt_caller\naddress: srt://192.0.2.7:9001\npassphrase: env:P\ntoken: env:T",
        "kind: rtsp\naddress: rtsp://192.0.2.7/stream1\nlogin: env:L",
        "kind: rtsp\naddress: rtsps://camera.example.kz:322/a?channel=1&subtype=0",
        "kind: url\naddress: https://example.kz/live/index.m3u8?lang=kk\ntoken: env:T",
        "kind: url\naddress: http://example.kz:8000/a.ts\nlogin: store:radio",
        "kind: link",
        "kind: test",
    ],
)
def test_good_sources(write: Write, region: str, text: str) -> None:
    assert check(write(abai=with_source(region, text)), {}) == []


@pytest.mark.parametrize(
    ("text", "wrong", "right"),
    [
        ("kind: rtsp", "a source of kind rtsp needs an address", "address: rtsp://192.0.2.7:554/"),
        ("kind: url\naddress: rtsp://a/b", "rtsp:// is not an address of kind url", "https://"),
        ("kind: srt_caller\naddress: srt://a.kz", "not host and port alone", "srt://host:port"),
        ("kind: srt_caller\naddress: srt://a.kz:1?passphrase=" + CANARY, "not host and port",
         "passphrase"),
        (f"kind: rtsp\naddress: rtsp://adm:{CANARY}@a.kz/x", "contains a login", "login: env:"),
        (f"kind: url\naddress: https://a.kz/x?token={CANARY}", "contain a token", "token: env:"),
        (f"kind: url\naddress: https://a.kz/x?q={CANARY}", "contain a token", "token: env:"),
        ("kind: url\naddress: ftp://a.kz/x", "not an address of a source", "https://"),
        ("kind: url\naddress: https://a.kz/x\nport: 1", "kind url has no port", "srt or rtmp"),
        (f"kind: rtsp\naddress: rtsp://a/b\nlogin: adm:{CANARY}", "not a reference", "env:NAME"),
        ("kind: link\naddress: https://a.kz/x", "kind link has no address", "remove it"),
    ],
)  # fmt: skip
def test_faults(write: Write, region: str, text: str, wrong: str, right: str) -> None:
    (fault,) = check(write(abai=with_source(region, text)), {})
    assert wrong in fault.wrong
    assert right in fault.right
    assert CANARY not in str(fault)


def test_sites_take_part_in_ports_and_doors(write: Write, region: str) -> None:
    text = region + "    source: {id: s, kind: srt, port: 9001, host: 0.0.0.0}\n"
    faults = check(write(abai=text), {})
    assert [fault.path for fault in faults] == ["sites[0].source", "sites[0].source.port"]
    assert "no passphrase" in faults[0].wrong
    assert "port 9001 is already taken" in faults[1].wrong
    assert "such as 9002" in faults[1].right


def test_all_references_of_a_source_are_known(write: Write, region: str) -> None:
    text = with_source(
        region, "kind: srt_caller\naddress: srt://a:1\npassphrase: env:P\ntoken: env:T"
    )
    source = load(write(abai=text), {}).regions["abai"].halls[0].sources[0]
    assert source.secrets == ("env:P", "env:T")
