from collections.abc import Callable
from pathlib import Path

import pytest

REGION = """\
slug: abai
code: "100000000"
kind: region
names: {kk: Абай облысы, ru: область Абай, en: Abai Region}
centre: {kk: Семей, ru: Семей, en: Semey}
time_zone: Asia/Almaty
halls:
  - id: main
    names: {kk: Зал, ru: Зал}
    sources:
      - id: hall
        kind: srt
        port: 9001
        passphrase: env:ABAI_HALL_PASSPHRASE
destinations:
  - id: youtube
    name: YouTube
    enabled: true
    url: rtmps://a.rtmps.youtube.com:443/live2
    key: env:ABAI_YOUTUBE_KEY
    backup_url: rtmps://b.rtmps.youtube.com:443/live2?backup=1
    previewable: true
  - id: vk
    name: VK Video
    url: rtmp://ovsu.okcdn.ru/input/
    key: file:/run/secrets/vk
sites:
  - id: semey-city
    code: "101000000"
    kind: city_regional
    names: {kk: Семей қаласы, ru: город Семей}
    centre: {kk: Семей, ru: Семей}
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a `configs` folder: the text of streamer.yaml, and of regions by their file name."""

    def writer(service: str = "", **regions: str) -> Path:
        folder = tmp_path / "configs"
        (folder / "regions").mkdir(parents=True, exist_ok=True)
        (folder / "streamer.yaml").write_text(service, encoding="utf-8")
        for name, text in (regions or {"abai": REGION}).items():
            path = folder / "regions" / f"{name.replace('_', '-')}.yaml"
            path.write_text(text, encoding="utf-8")
        return folder

    return writer


@pytest.fixture
def region() -> str:
    return REGION
