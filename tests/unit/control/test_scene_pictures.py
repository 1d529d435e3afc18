"""`streamer scenes`: a picture of every scene, for whoever writes layouts."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from streamer.cli import app

CONFIGS = Path(__file__).resolve().parents[3] / "configs"


def test_every_scene_is_drawn_with_and_without_the_sign_window(tmp_path: Path) -> None:
    out = tmp_path / "pictures"
    result = CliRunner().invoke(
        app, ["scenes", "--png", str(out), "--region", "turkistan", "--configs", str(CONFIGS)]
    )
    assert result.exit_code == 0, result.output
    plain = {"hall", "site", "split", "pip", "slides", "grid-1", "grid-4", "grid-9", "grid-16"}
    names = {path.name.removesuffix(".png") for path in out.iterdir()}
    assert names == plain | {f"{name}.sign" for name in plain} | {"slate"}
    assert set(result.output.split()) == {str(path) for path in out.iterdir()}
    pixels = {path.stem: np.asarray(Image.open(path)) for path in out.iterdir()}
    assert {one.shape for one in pixels.values()} == {(720, 1280, 3)}
    different = {one.tobytes() for one in pixels.values()}
    assert len(different) == len(pixels)
    place = np.s_[320:680, 900:1240]  # inside the sign language window
    signs = {one[place].tobytes() for name, one in pixels.items() if name.endswith(".sign")}
    assert len(signs) == 1, "the same in every scene, whatever lies below"


def test_a_scene_of_one_s_own_is_drawn_and_a_fault_is_told(tmp_path: Path) -> None:
    configs = tmp_path / "configs"
    (configs / "regions").mkdir(parents=True)
    (configs / "scenes").mkdir()
    (configs / "streamer.yaml").write_text("programme: {width: 640, height: 360}\n")
    shutil.copy(CONFIGS / "regions" / "abai.yaml", configs / "regions")
    own = configs / "scenes" / "half.yaml"
    own.write_text("names: {kk: а, ru: а}\nwindows:\n  - show: hall\n    box: [0, 0, 0.5, 1]\n")
    arguments = ["scenes", "--png", str(tmp_path / "out"), "--configs", str(configs)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "out" / "half.png") as picture:
        assert picture.size == (640, 360)
        left, right = picture.getpixel((160, 30)), picture.getpixel((480, 30))
    assert right == pytest.approx((12, 36, 70), abs=2)
    assert left != right
    own.write_text(own.read_text().replace("0.5, 1]", "1.5, 1]"))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "half.yaml:4: windows[0].box: a part of this window is outside" in result.output
