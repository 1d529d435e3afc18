"""The shipped files are right, complete, and the manual they claim to be."""

import importlib.util
import json
import re
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from streamer.config.loader import check, load
from streamer.config.models import (
    Destination,
    Hall,
    RegionConfig,
    ServiceConfig,
    Settings,
    Site,
    Source,
)
from streamer.config.secrets import looks_like_key
from streamer.config.yaml_file import read

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = ROOT / "configs"


def leaves(model: type[BaseModel], place: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every setting of a model by its place, with its default; groups are walked into."""
    found: dict[tuple[str, ...], Any] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.default, Settings):
            found |= leaves(type(field.default), (*place, name))
        else:
            found[(*place, name)] = field.default
    return found


def at(data: dict[str, Any], place: tuple[str, ...]) -> Any:
    for key in place:
        data = data[key]
    return data


def test_all_shipped_files_pass() -> None:
    assert check(CONFIGS, {}) == []


def test_the_manual_names_every_setting_with_its_default() -> None:
    document = read(CONFIGS / "streamer.yaml")
    settings = leaves(ServiceConfig)
    assert len(settings) > 20
    missing = [place for place in settings if place not in document.lines]
    assert missing == []
    manual = ServiceConfig.model_validate_json(json.dumps(document.data), strict=True)
    assert manual == ServiceConfig()
    # Settings that are null by default are shown as null, not left out.
    for place, default in settings.items():
        assert default is not None or at(document.data, place) is None, place


def test_the_manual_explains_every_setting() -> None:
    text = (CONFIGS / "streamer.yaml").read_text(encoding="utf-8").splitlines()
    document = read(CONFIGS / "streamer.yaml")
    bare = [place for place, line in document.lines.items() if "#" not in text[line - 2]]
    assert bare == []


@pytest.mark.parametrize("model", [RegionConfig, Hall, Source, Destination, Site])
def test_the_readme_explains_every_setting_of_a_region(model: type[BaseModel]) -> None:
    text = (CONFIGS / "README.md").read_text(encoding="utf-8")
    assert [name for name in model.model_fields if f"`{name}`" not in text] == []


def test_every_field_of_every_model_has_a_description() -> None:
    models = [*_subclasses(Settings)]
    assert RegionConfig in models
    bare = [
        f"{model.__name__}.{name}"
        for model in models
        if model.__module__ != "streamer.config.spec"
        for name, field in model.model_fields.items()
        if not field.description
    ]
    assert bare == []


def _subclasses(model: type[BaseModel]) -> list[type[BaseModel]]:
    return [inner for one in model.__subclasses__() for inner in (one, *_subclasses(one))]


def test_twenty_regions_with_their_sites() -> None:
    regions = load(CONFIGS, {}).regions
    assert len(regions) == 20
    assert {"abai", "almaty-region", "almaty-city", "astana", "shymkent"} <= set(regions)
    assert sum(len(region.sites) for region in regions.values()) == 234
    ports = {region.halls[0].sources[0].port for region in regions.values()}
    assert ports == set(range(9001, 9021))
    for slug, region in regions.items():
        prefix = slug.upper().replace("-", "_")
        assert region.halls[0].sources[0].passphrase == f"env:{prefix}_HALL_PASSPHRASE"
        assert [one.id for one in region.destinations] == ["youtube", "facebook", "vk"]
        assert not any(one.enabled for one in region.destinations)
        assert all(site.names.en and site.centre.en for site in region.sites)


def test_the_files_keep_the_attributions_of_their_data() -> None:
    for path in [*(CONFIGS / "regions").glob("*.yaml"), CONFIGS / "README.md"]:
        text = path.read_text(encoding="utf-8")
        assert "KATO NK RK 11-2025" in text, path
        assert "kz-tax-rates" in text, path
    assert "CC BY 4.0" in (CONFIGS / "README.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in (CONFIGS / "regions" / "abai.yaml").read_text(encoding="utf-8")


def test_no_shipped_file_holds_a_key() -> None:
    for path in CONFIGS.rglob("*.yaml"):
        for word in re.findall(r"[^\s\"'{},]+", path.read_text(encoding="utf-8")):
            if word.startswith("rtmp"):
                assert not any(looks_like_key(part) for part in word.split("/")[3:]), word


def _generator() -> ModuleType:
    loader = SourceFileLoader("generate_configs", str(ROOT / "script" / "generate-configs"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


REGIONS_CSV = """\
code,kind,name_kk,name_ru,name_en,centre_kk,centre_ru,centre_en,source,tz
270000000,region,Батыс Қазақстан облысы,Западно-Казахстанская область,West Kazakhstan Region,\
Орал,Уральск,Oral (Uralsk),KATO; name_en memory,Asia/Oral
"""
DISTRICTS_CSV = """\
code,kind,name_kk,name_ru,name_en,centre_kk,centre_ru,centre_en,source,region_code,note
271000000,city_regional,Орал қаласы,город Уральск,Oral (Uralsk) City,\
Орал,Уральск,Oral (Uralsk),KATO; name_en memory/romanised,270000000,
"""


def test_generator_writes_a_file_that_loads_and_spares_what_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "regions.csv").write_text(REGIONS_CSV, encoding="utf-8")
    (tmp_path / "districts.csv").write_text(DISTRICTS_CSV, encoding="utf-8")
    configs = tmp_path / "configs"
    out = configs / "regions"
    monkeypatch.setattr("sys.argv", ["x", "--data", str(tmp_path), "--out", str(out)])
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    module = _generator()
    module.main()
    (configs / "streamer.yaml").write_text("", encoding="utf-8")
    region = load(configs, {}).regions["west-kazakhstan"]
    assert region.sites[0].id == "oral-city"
    assert region.halls[0].sources[0].port == 9001

    (out / "west-kazakhstan.yaml").write_text("edited by hand", encoding="utf-8")
    module.main()
    assert (out / "west-kazakhstan.yaml").read_text(encoding="utf-8") == "edited by hand"
    assert "left as it is" in capsys.readouterr().out
