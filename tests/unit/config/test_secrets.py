"""Secrets are fetched by reference and hidden in every text."""

from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import TypeAdapter, ValidationError

from streamer.config.models import Destination
from streamer.config.secrets import Redactor, SecretRef, redact_url, resolve
from streamer.domain.errors import Act, BadInput

CANARY = "k7Qw/canary+0123=="


@pytest.mark.parametrize("ref", ["env:A_B1", "file:/run/secrets/a key", "store:abai.youtube-1"])
def test_references(ref: str) -> None:
    assert TypeAdapter(SecretRef).validate_python(ref) == ref


@pytest.mark.parametrize(
    "value", ["", "env:", "env:1A", "env:A-B", "file:relative", "store:", "store:-x", "http:x", 5]
)
def test_what_is_no_reference(value: object) -> None:
    with pytest.raises(ValidationError, match="secrets never stand in the file"):
        TypeAdapter(SecretRef).validate_python(value)


def test_an_error_of_a_model_does_not_echo_the_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Destination(id="x", name="X", url="rtmp://host/live", key=CANARY)
    assert CANARY not in str(caught.value)
    with pytest.raises(ValidationError) as caught:
        Destination(id="x", name="X", url=f"rtmp://host/live?key={CANARY}", key="env:X")
    assert CANARY not in str(caught.value)


def test_resolve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text(f"{CANARY}\r\n", encoding="utf-8")
    assert resolve(f"file:{file}") == CANARY
    assert resolve("env:KEY", {"KEY": CANARY}) == CANARY
    monkeypatch.setenv("STREAMER_TEST_KEY", CANARY)
    assert resolve("env:STREAMER_TEST_KEY") == CANARY


def test_a_missing_secret_names_the_reference(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n", encoding="utf-8")
    binary.write_bytes(b"\xff\xfe")
    for ref in ("env:NOT_SET", f"file:{tmp_path}/none", f"file:{tmp_path}", f"file:{empty}",
                f"file:{binary}", "store:name"):  # fmt: skip
        with pytest.raises(BadInput) as caught:
            resolve(ref, {"OTHER": CANARY})
        assert caught.value.code == "secret_missing"
        assert caught.value.act is Act.CORRECT_SETTING
        assert caught.value.tried == {"reference": ref}
        assert ref.partition(":")[2] in caught.value.message


def test_a_secret_given_as_reference_is_not_echoed() -> None:
    with pytest.raises(BadInput) as caught:
        resolve(CANARY)
    assert CANARY not in str(caught.value.as_dict())


def test_redactor_hides_every_spelling() -> None:
    redactor = Redactor()
    assert redactor.clean("nothing known") == "nothing known"
    redactor.add("")
    redactor.add("short")
    redactor.add("shorter-secret\n")
    redactor.add(CANARY)
    redactor.add('with "quotes" и кириллица')
    text = " ".join(
        [f"rtmp://host/live/{CANARY}", quote(CANARY), quote(CANARY, safe=""), "shorter-secret",
         'with \\"quotes\\" и кириллица', quote('with "quotes" и кириллица'), "short"]
    )  # fmt: skip
    cleaned = redactor.clean(text)
    assert cleaned == "rtmp://host/live/*** *** *** *** *** *** ***"


def test_redactor_takes_text_as_it_is_not_as_a_pattern() -> None:
    redactor = Redactor()
    redactor.add("a.c(")
    assert redactor.clean("abc( a.c(") == "abc( ***"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtmps://host:443/app/KEY?s_bl=1&a=SECRET", "rtmps://host:443/app/***"),
        ("rtmp://host/app", "rtmp://host/app/***"),
        ("rtmp://host/app/instance/KEY", "rtmp://host/app/***"),
        ("rtmps://b.rtmps.youtube.com:443/live2?backup=1/KEY",
         "rtmps://b.rtmps.youtube.com:443/live2/***"),
        ("rtmp://user:pass@host/app/KEY", "rtmp://host/app/***"),
        ("rtmp://host/abcd-efgh-ijkl-mnop", "rtmp://host/***"),
        ("rtmp://[2001:db8::1]:1935/app/KEY", "rtmp://[2001:db8::1]:1935/app/***"),
        ("srt://0.0.0.0:9001?passphrase=SECRET", "srt://0.0.0.0:9001"),
        ("redis://:SECRET@host:6379/0", "redis://host:6379"),
        ("KEY", "***"),
        ("rtmp://host:KEY/app", "***"),
        ("rtmp://[half/app", "***"),
    ],
)  # fmt: skip
def test_redact_url(url: str, shown: str) -> None:
    assert redact_url(url) == shown
