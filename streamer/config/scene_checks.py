"""What no single setting of a scene can know: windows against each other, scenes against regions.

These checks look at the plain values, so that they also speak when a file has other faults.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from streamer.config.faults import Place
from streamer.config.scenes import SIGN_NAME, SLATE_NAME, Layout, Scenes, Show, Takes
from streamer.config.values import nearest, shown
from streamer.config.yaml_file import Document

Numbers = tuple[float, float, float, float]
NO_SCENE = "none"
"""What `floor.scene` says when giving the floor changes no scene."""
_CLOSE = 0.001
"""Shares closer than this are taken for the same: files are written with few digits."""


def check_scene(document: Document) -> None:
    """One scene by itself."""
    data = document.data
    if document.name == SLATE_NAME:
        document.report((), "the slate is made by the service itself",
                        "give the scene another name, by another name of its file")  # fmt: skip
    if "name" in data and data["name"] != document.name:
        document.report(
            ("name",), f"{shown(data['name'])} is not the name of the file",
            "remove the line: a scene is called as its file is",
        )  # fmt: skip
    _site_is_taken(document)
    for key in ("windows", "with_sign"):
        _nothing_is_hidden(document, key)


def _site_is_taken(document: Document) -> None:
    takes = document.data.get("takes")
    shows = [(place, window.get("show")) for place, window in _windows(document)]
    if takes is None:
        uses = [((*place, "show"), value) for place, value in shows]
        heard = document.data.get("heard")
        uses += [(("heard", n), v) for n, v in enumerate(heard if isinstance(heard, list) else ())]
        for place, value in uses:
            if value == Show.SITE:
                document.report(
                    place, "the scene is not taken with a site, so this is nobody",
                    "add 'takes: site', or write hall or floor",
                )  # fmt: skip
    elif takes == Takes.SITE and Show.SITE not in [value for _, value in shows]:
        document.report(
            ("takes",), "the scene is taken with a site and shows it nowhere",
            "add a window with 'show: site', or remove this line",
        )  # fmt: skip


def _nothing_is_hidden(document: Document, key: str) -> None:
    windows = [(place, _numbers(one)) for place, one in document.entries(key)]
    for number, (place, box) in enumerate(windows):
        for later, above in windows[number + 1 :]:
            if box and above and _inside(box, above):
                document.report(
                    (*place, "box"), f"nothing of it is seen: {key}[{later[1]}] lies over it",
                    "move one of them, or write the smaller one behind the larger one",
                )  # fmt: skip


def check_sign(documents: Sequence[Document], scenes: Scenes) -> None:
    """No window lies where the sign language window is; `documents` are the files of scenes."""
    sign = scenes.sign.box
    for document in documents:
        key = "with_sign" if document.data.get("with_sign") else "windows"
        for place, window in document.entries(key):
            box = _numbers(window)
            if box and box != (0, 0, 1, 1) and _overlap(box, sign):
                document.report(
                    (*place, "box"),
                    "the sign language window would cover a part of it"
                    f" (its place is {list(sign)})",
                    "move it" if key == "with_sign" else "move it, or add 'with_sign:' with other"
                    " boxes for halls that send sign language",
                )  # fmt: skip


def check_floor(document: Document, layouts: Sequence[Layout], files: Collection[str]) -> None:
    """The scenes that a region's `floor` names are there, and of the kind that is needed.

    `files` are the names of all files of scenes: what is wrong in one of them is said there.
    """
    floor = document.data.get("floor")
    if not isinstance(floor, dict):
        return
    with_site = [layout.name for layout in layouts if layout.takes is Takes.SITE]
    alone = [layout.name for layout in layouts if layout.takes is None] + [SLATE_NAME]
    for key, possible in (("scene", [*with_site, NO_SCENE]), ("back", alone)):
        name = floor.get(key)
        if not isinstance(name, str) or name in possible:
            continue
        if name in files and name not in (*with_site, *alone):
            continue
        near = nearest(name, possible)
        if name in (*with_site, *alone):
            near = None
            wrong = f"the scene '{name}' is " + (
                "not taken with a site" if key == "scene" else "taken with a site"
            )
        else:
            wrong = f"there is no scene {shown(name)}"
        document.report(
            ("floor", key), wrong,
            f"did you mean '{near}'?" if near else f"possible: {', '.join(possible)}",
        )  # fmt: skip


def is_sign(document: Document) -> bool:
    """The file says where the sign language window is, and is not a scene."""
    return document.name == SIGN_NAME


def _windows(document: Document) -> Iterator[tuple[Place, dict[str, Any]]]:
    yield from document.entries("windows")
    yield from document.entries("with_sign")


def _numbers(window: dict[str, Any]) -> Numbers | None:
    box = window.get("box")
    if isinstance(box, list) and len(box) == 4 and all(type(n) in (int, float) for n in box):
        return (box[0], box[1], box[2], box[3])
    return None


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(
        one[axis] + one[axis + 2] > other[axis] + _CLOSE
        and other[axis] + other[axis + 2] > one[axis] + _CLOSE
        for axis in (0, 1)
    )


def _inside(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(
        one[axis] >= other[axis] - _CLOSE
        and one[axis] + one[axis + 2] <= other[axis] + other[axis + 2] + _CLOSE
        for axis in (0, 1)
    )
