"""The last belt against keys in answers."""

from pathlib import Path

import pytest

from streamer.config.models import Configuration, RegionConfig, ServiceConfig
from streamer.domain.roles import Right, Role
from streamer.store.database import Database
from streamer.store.secrets import SecretStore
from streamer.web.auth import Identity
from streamer.web.faults import Forbidden
from streamer.web.scrub import Scrubber

NAMES = {"kk": "а", "ru": "а"}


async def test_secrets_of_store_environment_and_files_are_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("file-secret-77\n")
    monkeypatch.setenv("SOME_KEY", "env-secret-88")
    region = RegionConfig.model_validate({
        "slug": "abai", "code": "100000000", "kind": "region", "names": NAMES, "centre": NAMES,
        "time_zone": "Asia/Almaty",
        "destinations": [
            {"id": "a", "name": "A", "url": "rtmp://a.example/live", "key": "env:SOME_KEY",
             "backup_url": "rtmp://b.example/live", "backup_key": f"file:{tmp_path}/key"},
            {"id": "b", "name": "B", "url": "rtmp://a.example/live", "key": "env:NOT_SET_AT_ALL"},
        ],
    })  # fmt: skip
    db = await Database.open(f"sqlite:///{tmp_path}/records.sqlite")
    await db.migrate()
    store = SecretStore(db, tmp_path / "secrets.key")
    await store.set("vk", "store/secret=66", "test")
    scrubber = Scrubber(Configuration(ServiceConfig(home=tmp_path), {"abai": region}), store)
    await scrubber.refresh()
    await db.close()
    dirty = {"a": ["x file-secret-77", {"b": "store%2Fsecret%3D66"}], "n": 7, "e": "env-secret-88"}
    assert scrubber.value(dirty) == {"a": ["x ***", {"b": "***"}], "n": 7, "e": "***"}


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("to rtmp://a.example/live2/abcd-efgh failed", "to rtmp://a.example/live2/*** failed"),
        ("rtmps://u:p@a.example:443/app/key?x=1", "rtmps://a.example:443/app/***"),
        ("srt://192.0.2.1:9000?passphrase=hush", "srt://192.0.2.1:9000"),
        ("srt://192.0.2.1:9000", "srt://192.0.2.1:9000"),
        ("https://youtube.example/live?v=1", "https://youtube.example/live?v=1"),
    ],
)
def test_addresses_lose_their_keys_even_when_the_key_is_unknown(
    tmp_path: Path, dirty: str, clean: str
) -> None:
    nothing: SecretStore = None  # type: ignore[assignment]
    scrubber = Scrubber(Configuration(ServiceConfig(home=tmp_path), {}), nothing)
    assert scrubber.text(dirty) == clean


def test_an_identity_of_one_region_stays_there() -> None:
    who = Identity("aru", Role.TECHNICIAN, "abai", by_session=True)
    assert who.may(Right.RUN, "abai")
    assert not who.may(Right.RUN, "akmola")
    assert not who.may(Right.ADMINISTER)
    with pytest.raises(Forbidden, match="akmola"):
        who.need(Right.VIEW, "akmola")
