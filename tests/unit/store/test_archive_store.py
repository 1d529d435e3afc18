import errno
import os
from pathlib import Path

import pytest

from streamer.domain.errors import Act, BadInput
from streamer.ports.archive_store import ArchiveStore
from streamer.store.archive_store import INCOMING, AlreadyStored, ArchiveUnwritable, FolderStore

KEY = "2027/2027-02-19-abai-k3f9"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "package"
    (tree / "data" / "video").mkdir(parents=True)
    (tree / "data" / "video" / "part-0001.ts").write_bytes(b"G" * 188)
    (tree / "bagit.txt").write_text("BagIt-Version: 1.0\n")
    return tree


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "archive")


def no_links(*_: object) -> None:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


async def test_a_tree_is_linked_in(store: FolderStore, tree: Path) -> None:
    as_port: ArchiveStore = store
    assert not await as_port.exists(KEY)
    assert await as_port.path(KEY) is None
    await as_port.put_tree(tree, KEY)
    kept = await as_port.path(KEY)
    assert kept is not None
    assert await as_port.exists(KEY)
    assert (kept / "data/video/part-0001.ts").samefile(tree / "data/video/part-0001.ts")
    assert os.listdir(store.root / INCOMING) == []


async def test_where_links_are_impossible_it_is_copied(
    store: FolderStore, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", no_links)
    await store.put_tree(tree, KEY)
    kept = store.root / KEY / "data/video/part-0001.ts"
    assert kept.read_bytes() == b"G" * 188
    assert not kept.samefile(tree / "data/video/part-0001.ts")
    await store.put_tree(tree, KEY)


async def test_the_same_again_does_nothing_and_other_files_are_refused(
    store: FolderStore, tree: Path
) -> None:
    await store.put_tree(tree, KEY)
    await store.put_tree(tree, KEY)
    (tree / "bagit.txt").unlink()
    (tree / "bagit.txt").write_text("BagIt-Version: 2.0\n")
    with pytest.raises(AlreadyStored) as caught:
        await store.put_tree(tree, KEY)
    assert caught.value.tried == {"key": KEY, "file": "bagit.txt"}
    (tree / "bagit.txt").unlink()
    with pytest.raises(AlreadyStored):
        await store.put_tree(tree, KEY)
    assert (store.root / KEY / "bagit.txt").read_text() == "BagIt-Version: 1.0\n"


async def test_a_crash_in_the_middle_leaves_nothing_and_is_made_up(
    store: FolderStore, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, made = os.link, list[object]()

    def full(source: Path, target: Path) -> None:
        if made:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        made.append(target)
        link(source, target)

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(ArchiveUnwritable) as caught:
        await store.put_tree(tree, KEY)
    assert caught.value.act is Act.CORRECT_SETTING
    assert not await store.exists(KEY)
    monkeypatch.setattr(os, "link", link)
    await store.put_tree(tree, KEY)
    assert await store.exists(KEY)


@pytest.mark.parametrize("key", ["", "/etc", "../up", "a/../../b", ".incoming/x", "a/.hidden", "."])
async def test_a_key_stays_inside_the_archive(store: FolderStore, tree: Path, key: str) -> None:
    for call in (store.put_tree(tree, key), store.path(key), store.exists(key)):
        with pytest.raises(BadInput):
            await call


async def test_what_is_no_folder_and_what_points_outside_is_refused(
    store: FolderStore, tree: Path
) -> None:
    with pytest.raises(BadInput):
        await store.put_tree(tree / "bagit.txt", KEY)
    (tree / "link").symlink_to("/etc/passwd")
    with pytest.raises(BadInput) as caught:
        await store.put_tree(tree, KEY)
    assert caught.value.code == "not_a_file"
    assert not await store.exists(KEY)
