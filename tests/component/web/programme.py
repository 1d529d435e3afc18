"""What a run with many sites says in its snapshot, with several faults at once."""

import time
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.component.web.world import legs

REGIONS = Path(__file__).parents[3] / "configs" / "regions"
LONGEST = {
    "kk": "Ғабит Мүсірепов атындағы аудан", "ru": "район имени Габита Мусрепова",
    "en": "Gabit Musirepov District",
}  # fmt: skip
"""The longest name that any region's file has in Kazakh."""


def scene(name: str, kk: str, ru: str, en: str, takes: str | None = None) -> dict[str, Any]:
    return {"name": name, "takes": takes, "names": {"kk": kk, "ru": ru, "en": en}}


SCENES = [
    scene("grid", "Барлығы", "Все участники", "Everybody"),
    scene("hall", "Зал", "Зал", "Hall"),
    scene("pip", "Аудан, бұрышта зал", "Район, зал в углу", "Site, the hall in a corner", "site"),
    scene("site", "Аудан", "Район", "Site", "site"),
    scene("slate", "Заставка", "Заставка", "Slate"),
    scene("slides", "Слайдтар", "Слайды", "Slides"),
    scene("split", "Зал және аудан", "Зал и район", "Hall and site", "site"),
]


@cache
def region_sites() -> list[dict[str, Any]]:
    """Twenty sites as regions' files name them, the longest name among them."""
    found = [
        {"id": site["id"], "names": site["names"]}
        for region in ("abai", "kostanay")
        for site in yaml.safe_load((REGIONS / f"{region}.yaml").read_text("utf-8"))["sites"]
    ]
    return [*found[:8], {"id": "musirepov-district", "names": LONGEST}, *found[8:19]]


def programme(**more: Any) -> dict[str, Any]:
    """The parts of a snapshot that say what the programme does: 20 sites, five of them wrong."""
    now = time.time()
    states = ["ALIVE"] * 20
    states[3], states[9], states[15] = "LOST", "WAITING", "NONE"
    sites = [
        {**site, "feed": f"feed:site:{site['id']}", "state": state}
        for site, state in zip(region_sites(), states, strict=True)
    ]
    feeds = {"feed:hall": feed("ALIVE"), "feed:slides": feed("ALIVE", muted=True)}
    feeds |= {s["feed"]: feed(s["state"]) for s in sites if s["state"] != "NONE"}
    feeds[sites[4]["feed"]] |= {"gain_db": 4, "delay_ms": 120, "reduced": True}
    return {
        "scene": {"wanted": f"split:{sites[2]['id']}", "shown": f"split:{sites[2]['id']}",
                  "muted": False},
        "scenes": SCENES, "sites": sites, "floor": sites[2]["id"], "feeds": feeds,
        "graphics": {"lower_third": None, "question": None, "next": None,
                     "clock": True, "live_mark": True},
        "sound": {"lufs": {"m": -21.4, "s": -22.6, "i": -23.2}, "leveller_db": 2.3,
                  "limiter_db": -0.4},
        "signals": [
            signal(sites[1]["feed"], "silent", now - 75),
            signal(sites[8]["feed"], "black", now - 8),
            signal(sites[8]["feed"], "low", now - 31),
            signal("programme", "loud", now - 6),
        ],
        "programme": {"mode": "mix", "late": 0, "slips": 0},
        "legs": [*legs(now), *(site_leg(s["feed"], s["names"]["ru"], now) for s in sites[:15])],
        "ingest": [{"feed": sites[4]["feed"], "kind": "srt", "address": "srt://192.0.2.1:9104",
                    "key_hint": "store:aksuat"}],
        **more,
    }  # fmt: skip


def feed(state: str, **more: Any) -> dict[str, Any]:
    return {"state": state, "gain_db": 0, "delay_ms": 0, "muted": False, "reduced": False, **more}


def signal(feed: str, detector: str, since: float) -> dict[str, Any]:
    return {"feed": feed, "detector": detector, "since": since, "value": -71.0, "limit": -60.0}


def site_leg(id_: str, name: str, now: float) -> dict[str, Any]:
    return {
        "id": id_, "kind": "feed", "name": name, "state": "RUNNING", "wanted": True,
        "health": "green", "bytes": 120_000_000, "tries": 1, "since": now - 600, "moved_at": now,
        "error": "", "act": None, "target": "", "detail": "1280x720 25",
    }  # fmt: skip
