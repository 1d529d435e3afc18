"""The command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamer.archive import chain, package
from streamer.cli import app
from tests.unit.archive import makers


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    folder = makers.a_folder(tmp_path / "m")
    return package.build(folder, makers.meeting(), makers.spec(), tmp_path / "package").folder


def codes(*arguments: str) -> set[str]:
    result = CliRunner().invoke(app, ["verify", "--json", *arguments])
    return {finding["code"] for finding in json.loads(result.stdout)["findings"]}


def test_verify_asks_the_chain_whether_it_is_the_package_that_was_sealed(
    packed: Path, tmp_path: Path
) -> None:
    file = tmp_path / "chain.ndjson"
    assert "not_in_chain" not in codes(str(packed))
    chain.append(file, "another", "2027/another", "0" * 64)
    assert "not_in_chain" in codes(str(packed), "--chain", str(file))
    manifest = json.loads(
        CliRunner().invoke(app, ["verify", "--json", str(packed)]).stdout
    )["manifest_sha256"]  # fmt: skip
    chain.append(file, makers.ID, "2027/it", manifest)
    assert "not_in_chain" not in codes(str(packed), "--chain", str(file))


def test_verify_of_nothing_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["verify", str(tmp_path / "gone")])
    assert result.exit_code == 1
    assert "is not a folder" in result.output


def test_verify_speaks_to_people_too(tmp_path: Path) -> None:
    """It printed the report's repr: two kilobytes in one line, and no verdict."""
    (tmp_path / "bagit.txt").write_text("BagIt-Version: 1.0\n")
    result = CliRunner().invoke(app, ["verify", str(tmp_path)])
    assert result.exit_code == 1
    assert "NOT OK" in result.output
    assert "Report(" not in result.output
