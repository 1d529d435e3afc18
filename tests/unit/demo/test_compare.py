"""Counting what arrived, on made-up sequences of frames."""

from streamer.demo.measure.identity import Frame, compare


def sequence(*names: int, start: float = 0.0) -> list[Frame]:
    return [Frame(start + index / 25, name) for index, name in enumerate(names)]


MOVING = sequence(*range(1000))
# A hall, a slate that stands still (groups of 25 equal pictures but for the first), the hall.
STILL = sequence(*range(100), *([7000, *[7001] * 24] * 20), *range(600, 800))


def test_everything_arrived() -> None:
    delivery = compare(MOVING, [MOVING])
    assert (delivery.received, delivery.lost, delivery.duplicated) == (1000, 0, 0)
    assert (delivery.first, delivery.last) == (0.0, 999 / 25)


def test_what_came_before_the_first_frame_is_not_lost() -> None:
    delivery = compare(MOVING, [MOVING[50:900]])
    assert (delivery.received, delivery.lost) == (850, 0)
    assert delivery.first == 2.0


def test_a_hole_within_and_a_hole_between_two_connections() -> None:
    delivery = compare(MOVING, [MOVING[:200] + MOVING[210:400], MOVING[500:]])
    assert delivery.lost == 110
    assert [gap.frames for gap in delivery.missing] == [10, 100]
    assert delivery.missing[1].start == 400 / 25
    assert delivery.lost_outside((16.0, 19.0)) == 10


def test_a_new_connection_begins_at_the_last_keyframe() -> None:
    delivery = compare(MOVING, [MOVING[:430], MOVING[400:]])
    assert (delivery.received, delivery.lost, delivery.duplicated) == (1000, 0, 30)


def test_a_frame_of_somebody_else_is_foreign() -> None:
    delivery = compare(MOVING, [MOVING[:10] + sequence(-1, -2) + MOVING[10:]])
    assert (delivery.received, delivery.lost, delivery.foreign) == (1000, 0, 2)


def test_a_still_slate_that_arrived_whole() -> None:
    delivery = compare(STILL, [STILL])
    assert (delivery.received, delivery.lost, delivery.duplicated) == (800, 0, 0)


def test_a_hole_in_a_still_slate_is_counted() -> None:
    delivery = compare(STILL, [STILL[:300] + STILL[312:]])
    assert (delivery.received, delivery.lost, delivery.duplicated) == (788, 12, 0)


def test_a_connection_that_lived_in_the_slate_only() -> None:
    delivery = compare(STILL, [STILL[:325], STILL[325:475], STILL[475:]])
    assert (delivery.received, delivery.lost) == (800, 0)


def test_nothing_arrived() -> None:
    delivery = compare(MOVING, [])
    assert (delivery.received, delivery.lost, delivery.first, delivery.missing) == (0, 0, None, ())


def test_a_new_connection_begins_again_within_the_slate() -> None:
    delivery = compare(STILL, [STILL[:325], STILL[300:]])
    assert (delivery.received, delivery.lost, delivery.duplicated) == (800, 0, 25)
