"""Who is decoded how much when there are more sources than the machine can decode."""

from streamer.run.rationing import MOST_FEEDS, ration
from streamer.run.sources import Level

SITES = [f"feed:site:s{n:02}" for n in range(24)]
HALL = ["feed:hall", "feed:slides"]


def full(levels: dict[str, Level]) -> list[str]:
    return sorted(feed for feed, level in levels.items() if level is Level.FULL)


def test_what_fits_is_whole_and_nothing_is_said() -> None:
    shares = ration([*HALL, *SITES[:2]], [], 4)
    assert full(shares.levels) == sorted([*HALL, *SITES[:2]])
    assert (shares.told, shares.reason) == ((), "")


def test_the_hall_comes_first_then_sites_in_their_order() -> None:
    shares = ration([*HALL, *SITES[:14]], [], 4)
    assert full(shares.levels) == sorted([*HALL, *SITES[:2]])
    assert shares.reduced == tuple(SITES[2:14])
    assert shares.of(SITES[5]) == (
        Level.STILLS,
        "still pictures: 16 sources send, and this machine decodes 4 at full rate and 20 in all",
    )


def test_whoever_is_in_the_picture_is_promoted_and_another_one_gives_way() -> None:
    shares = ration([*HALL, *SITES[:14]], ["feed:hall", SITES[9]], 3)
    assert full(shares.levels) == sorted(["feed:hall", SITES[9], "feed:slides"])
    shares = ration([*HALL, *SITES[:14]], [SITES[9], SITES[3], "feed:hall"], 2)
    assert full(shares.levels) == sorted(["feed:hall", SITES[3]])


def test_one_that_does_not_send_takes_no_place() -> None:
    shares = ration(["feed:hall", *SITES[10:13]], [SITES[0]], 4)
    assert len(full(shares.levels)) == 4
    assert shares.of(SITES[0]) == (Level.FULL, "")


def test_more_than_even_stills_are_refused_in_words() -> None:
    shares = ration([*HALL, *SITES], [SITES[23]], 4)
    refused = [feed for feed, level in shares.levels.items() if level is Level.NONE]
    assert len(refused) == len(HALL) + len(SITES) - MOST_FEEDS
    assert SITES[23] not in refused
    assert refused == SITES[23 - len(refused) : 23]
    assert shares.of(refused[0])[1].startswith("not shown: 26 sources send, and this machine")


def test_an_unmeasured_machine_has_no_limit_but_the_last_one() -> None:
    assert full(ration(SITES[:16], [], None).levels) == SITES[:16]
