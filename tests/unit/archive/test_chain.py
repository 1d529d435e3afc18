"""The chain of packages."""

import json
import multiprocessing
from pathlib import Path

import pytest

from streamer.archive import chain


def a_chain(path: Path, length: int = 4) -> Path:
    for number in range(length):
        chain.append(path, f"m{number}", f"2027/m{number}", f"{number:064x}")
    return path


def test_each_entry_stands_on_the_one_before(tmp_path: Path) -> None:
    report = chain.verify_chain(a_chain(tmp_path / "chain.ndjson"))
    assert report.ok
    assert [e.n for e in report.entries] == [1, 2, 3, 4]
    assert report.entries[0].prev == chain.FIRST
    assert [e.prev for e in report.entries[1:]] == [e.hash for e in report.entries[:-1]]
    assert report.head == report.entries[-1].hash


def test_no_chain_yet_is_an_empty_one(tmp_path: Path) -> None:
    report = chain.verify_chain(tmp_path / "chain.ndjson")
    assert report.ok
    assert report.head == chain.FIRST


@pytest.mark.parametrize("field", ["n", "meeting", "key", "manifest_sha256", "at", "prev", "hash"])
def test_every_altered_field_is_found(tmp_path: Path, field: str) -> None:
    path = a_chain(tmp_path / "chain.ndjson")
    lines = path.read_text().splitlines()
    entry = json.loads(lines[1])
    entry[field] = 7 if field == "n" else "0" + str(entry[field])[1:] + "x"
    lines[1] = json.dumps(entry)
    path.write_text("\n".join(lines) + "\n")
    assert chain.verify_chain(path).broken == 2
    with pytest.raises(chain.ChainBroken):
        chain.append(path, "m9", "2027/m9", "f" * 64)


def test_an_entry_that_was_made_new_breaks_the_next(tmp_path: Path) -> None:
    path = a_chain(tmp_path / "chain.ndjson")
    lines = path.read_text().splitlines()
    old = chain.Entry(**json.loads(lines[1]))
    forged = chain.Entry(old.n, old.meeting, old.key, "e" * 64, old.at, old.prev)
    lines[1] = json.dumps({**json.loads(lines[1]), "manifest_sha256": "e" * 64,
                           "hash": forged.computed()})  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    assert chain.verify_chain(path).broken == 3


def test_a_line_taken_out_or_moved_is_found(tmp_path: Path) -> None:
    path = a_chain(tmp_path / "chain.ndjson")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:1] + lines[2:]) + "\n")
    assert chain.verify_chain(path).broken == 2
    path.write_text("\n".join([lines[1], lines[0], *lines[2:]]) + "\n")
    assert chain.verify_chain(path).broken == 1


def test_a_torn_last_line_is_replaced(tmp_path: Path) -> None:
    path = a_chain(tmp_path / "chain.ndjson", 2)
    with path.open("a") as file:
        file.write('{"n":3,"meeting":"m2","key":"2027/m')
    report = chain.verify_chain(path)
    assert report.ok
    assert report.torn
    assert chain.append(path, "m2", "2027/m2", "2" * 64).n == 3
    report = chain.verify_chain(path)
    assert report.ok
    assert not report.torn


def test_appending_twice_is_appending_once(tmp_path: Path) -> None:
    path = a_chain(tmp_path / "chain.ndjson")
    before = path.read_bytes()
    assert chain.append(path, "m1", "2027/m1", f"{1:064x}").n == 2
    assert path.read_bytes() == before


def _append_some(path: str, name: str) -> None:
    for number in range(20):
        chain.append(Path(path), name, f"2027/{name}-{number}", f"{number:064x}")


def test_two_processes_at_once(tmp_path: Path) -> None:
    path = tmp_path / "chain.ndjson"
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_append_some, args=(str(path), name)) for name in "ab"]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
        assert process.exitcode == 0
        process.close()
    report = chain.verify_chain(path)
    assert report.ok
    assert len(report.entries) == 40
