"""Files of scenes: what is shipped, and every mistake with its file and line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.config.faults import Fault
from streamer.config.loader import check, load
from streamer.config.models import SHIPPED
from streamer.config.scenes import Heard, Layout, Scenes, Show, SignPlace
from streamer.config.spec import MeetingSpec, freeze
from streamer.domain.meeting import Meeting, Names, instant

Write = Callable[..., Path]
CONFIGS = Path(__file__).resolve().parents[3] / "configs"
DUO = """\
names: {kk: Екеуі, ru: Двое}
takes: site
windows:
  - show: hall
    box: [0, 0.1, 0.33, 0.5]
  - show: site
    box: [0.34, 0.1, 0.33, 0.5]
    label: true
heard: [site]
"""
SIGN = """\
names: {kk: Ымдау, ru: Жесты}
box: [0.7, 0.4, 0.3, 0.6]
"""


def faults_of(write: Write, region: str = "", **scenes: str) -> list[Fault]:
    folder = write(abai=region) if region else write()
    put(folder, **scenes)
    return check(folder, {})


def put(folder: Path, **scenes: str) -> None:
    (folder / "scenes").mkdir(exist_ok=True)
    for name, text in scenes.items():
        (folder / "scenes" / f"{name}.yaml").write_text(text, encoding="utf-8")


def only(faults: list[Fault]) -> Fault:
    assert len(faults) == 1, [str(fault) for fault in faults]
    return faults[0]


def line_of(text: str, part: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if part in line)


def test_the_shipped_files_say_what_is_there_without_them(write: Write) -> None:
    names = {path.stem for path in (CONFIGS / "scenes").glob("*.yaml")}
    assert names == {layout.name for layout in SHIPPED.layouts} | {"sign"}
    assert load(CONFIGS, {}).scenes == SHIPPED
    assert load(write(), {}).scenes == SHIPPED, "without the folder"


def test_a_file_of_one_s_own_is_added_and_a_known_name_is_replaced(write: Write) -> None:
    folder = write()
    put(folder, duo=DUO, split=DUO, sign=SIGN)
    scenes = load(folder, {}).scenes
    assert [layout.name for layout in scenes.layouts] == [
        "hall", "site", "split", "pip", "grid", "slides", "duo",
    ]  # fmt: skip
    duo, split = scenes.layouts[-1], scenes.layouts[2]
    assert duo.windows == split.windows
    assert duo.windows[1].show is Show.SITE
    assert duo.windows[1].box == (0.34, 0.1, 0.33, 0.5)
    assert duo.heard == (Heard.SITE,)
    assert scenes.sign.box == (0.7, 0.4, 0.3, 0.6)


@pytest.mark.parametrize(
    ("old", "new", "wrong", "right"),
    [
        ("[0, 0.1, 0.33, 0.5]", "[0.7, 0.1, 0.33, 0.2]", "outside of the picture", "1 at most"),
        ("[0, 0.1, 0.33, 0.5]", "[-0.1, 0.1, 0.33, 0.2]", "outside of the picture", "less than 0"),
        ("[0, 0.1, 0.33, 0.5]", "[0, 0.1, 0.05, 0.5]", "too small", "0.1 at least"),
        ("[0, 0.1, 0.33, 0.5]", "[0, 0.1, 0.33]", "not a place of the picture", "such as"),
        ("[0, 0.1, 0.33, 0.5]", "left", "'left' is not a place", "[left, top, width, height]"),
        ('[0, 0.1, 0.33, 0.5]', '[0, "0.1", 0.33, 0.5]', "not a place", "shares"),
        ("[0, 0.1, 0.33, 0.5]", "[0, 0.1, .nan, 0.5]", "outside of the picture", "1 at most"),
        ("[0, 0.1, 0.33, 0.5]", "[0.3, 0.1, 0.5, 0.5]", "the sign language window", "with_sign"),
        ("[0, 0.1, 0.33, 0.5]", "[0.4, 0.2, 0.2, 0.3]", "windows[1] lies over it", "behind"),
        ("show: hall", "show: moon", "'moon' is not possible here", "'slides'"),
        ("label: true", "label: 1", "is neither true nor false", "true or false"),
        ("label: true", "lable: true", "no setting 'lable'", "did you mean 'label'"),
        ("takes: site", "takes: region", "'region' is not possible", "'site'"),
        ("heard: [site]", "heard: [everybody]", "'everybody' is not possible", "'sites'"),
        ("heard: [site]", "name: trio", "'trio' is not the name of the file", "remove"),
        ("heard: [site]", "arrange: grid", "arranges its windows by itself", "remove"),
        ("names: {kk: Екеуі, ru: Двое}", "names: {kk: Екеуі}", "is missing", "ru"),
        ("heard: [site]", "with_sign:\n  - show: hall\n    box: [0, 0, 0.9, 0.9]",
         "the sign language window", "move it"),
    ],
)  # fmt: skip
def test_every_mistake_has_its_line(
    write: Write, old: str, new: str, wrong: str, right: str
) -> None:
    text = DUO.replace(old, new)
    if new == "arrange: grid":
        wanted = line_of(text, "windows:")
    else:
        wanted = line_of(text, new.splitlines()[-1])
    fault = only(faults_of(write, duo=text))
    assert fault.file.endswith("scenes/duo.yaml")
    assert fault.line == wanted
    assert wrong in fault.wrong
    assert right in fault.right


def test_a_site_that_is_not_taken_is_nobody(write: Write) -> None:
    text = DUO.replace("takes: site\n", "")
    faults = faults_of(write, duo=text)
    assert [fault.path for fault in faults] == ["windows[1].show", "heard[0]"]
    assert [fault.line for fault in faults] == [
        line_of(text, "show: site"), line_of(text, "heard:")
    ]  # fmt: skip
    assert "takes: site" in faults[0].right


def test_a_site_that_is_taken_and_not_shown(write: Write) -> None:
    text = DUO.replace("show: site", "show: floor")
    fault = only(faults_of(write, duo=text))
    assert (fault.line, fault.path) == (2, "takes")


def test_a_scene_without_windows(write: Write) -> None:
    fault = only(faults_of(write, empty="names: {kk: а, ru: а}\n"))
    assert "shows nothing" in fault.wrong


def test_nobody_may_be_called_like_the_slate(write: Write) -> None:
    fault = only(faults_of(write, slate=DUO))
    assert fault.file.endswith("scenes/slate.yaml")
    assert "another name" in fault.right


def test_a_file_name_that_cannot_be_spelled(write: Write) -> None:
    assert "cannot be used as a name" in only(faults_of(write, **{"My Scene": DUO})).wrong


def test_a_file_with_another_ending_is_not_overlooked(write: Write) -> None:
    folder = write()
    put(folder)
    (folder / "scenes" / "duo.yml").write_text(DUO, encoding="utf-8")
    assert "end with .yaml" in only(check(folder, {})).wrong


def test_a_small_sign_window_is_not_read(write: Write) -> None:
    text = SIGN.replace("[0.7, 0.4, 0.3, 0.6]", "[0.7, 0.4, 0.3, 0.5]")
    fault = only(faults_of(write, sign=text))
    assert (fault.line, fault.path) == (2, "box")
    assert "0.167 at least" in fault.right


def test_the_place_of_a_moved_sign_window_is_kept_free(write: Write) -> None:
    text = SIGN.replace("[0.7, 0.4, 0.3, 0.6]", "[0, 0.4, 0.3, 0.6]")
    fault = only(faults_of(write, sign=text, duo=DUO))
    assert (fault.line, fault.path) == (line_of(DUO, "box: [0, "), "windows[0].box")


@pytest.mark.parametrize(
    ("setting", "wrong", "right"),
    [
        ("scene: splti", "there is no scene 'splti'", "did you mean 'split'?"),
        ("scene: zzz", "there is no scene 'zzz'", "site, split, pip, none"),
        ("scene: grid", "'grid' is not taken with a site", "possible"),
        ("back: split", "'split' is taken with a site", "possible: hall, grid, slides, slate"),
        ("back: halls", "there is no scene 'halls'", "did you mean 'hall'?"),
    ],
)
def test_the_scenes_that_a_region_names_are_there(
    write: Write, region: str, setting: str, wrong: str, right: str
) -> None:
    text = region + f"floor:\n  {setting}\n"
    fault = only(faults_of(write, text))
    assert fault.line == line_of(text, setting)
    assert wrong in fault.wrong
    assert right in fault.right


@pytest.mark.parametrize("setting", ["scene: duo", "scene: none", "back: slate", "back: grid"])
def test_a_region_may_name_a_scene_of_its_own(write: Write, region: str, setting: str) -> None:
    assert faults_of(write, region + f"floor:\n  {setting}\n", duo=DUO) == []


def test_one_mistake_is_said_once(write: Write, region: str) -> None:
    text = region + "floor:\n  scene: duo\n"
    fault = only(faults_of(write, text, duo=DUO.replace("show: hall", "show: moon")))
    assert fault.file.endswith("duo.yaml")


@pytest.mark.parametrize("model", [Layout, SignPlace, Scenes])
def test_scenes_survive_json(model: type) -> None:
    one = {Layout: SHIPPED.layouts[2], SignPlace: SHIPPED.sign, Scenes: SHIPPED}[model]
    assert model.model_validate_json(one.model_dump_json(), strict=True) == one


def test_the_readme_explains_every_setting_of_a_scene() -> None:
    text = (CONFIGS / "README.md").read_text(encoding="utf-8")
    names = {*Layout.model_fields, "show", "box", "fit", "label"} - {"name"}
    assert [name for name in names if f"`{name}`" not in text] == []


def test_scenes_are_frozen_and_older_meetings_have_the_shipped_ones(write: Write) -> None:
    folder = write()
    put(folder, duo=DUO)
    configuration, at = load(folder, {}), instant("2027-02-19T10:00", "Asia/Almaty")
    meeting = Meeting(
        id="m", region="abai", title=Names("а", "а"), starts_at=at, ends_at=at, zone="Asia/Almaty",
        wall_start="2027-02-19T10:00", destinations=(), speaker="", hall="main",
    )  # fmt: skip
    region_config = configuration.region("abai")
    spec = freeze(configuration.service, region_config, meeting, configuration.scenes)
    assert [layout.name for layout in spec.scenes][-1] == "duo"
    raw = json.loads(spec.model_dump_json())
    assert MeetingSpec.model_validate_json(json.dumps(raw)) == spec
    del raw["scenes"], raw["sign"]
    old = MeetingSpec.model_validate_json(json.dumps(raw))
    assert old.scenes == SHIPPED.layouts
    assert old.sign == SHIPPED.sign
