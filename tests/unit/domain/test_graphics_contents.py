"""What may be shown over the picture, as it arrives from a console."""

import json
import unicodedata

import pytest

from streamer.domain.errors import BadInput
from streamer.domain.graphics import (
    LIMITS,
    Graphic,
    LowerThird,
    Next,
    On,
    Question,
    parse,
    tidy,
)


@pytest.mark.parametrize(
    ("graphic", "shown", "content"),
    [
        ("lower_third", {"name": " Айгүл  Серік "}, LowerThird("Айгүл Серік")),
        (
            "lower_third",
            {"name": "А", "office_kk": "әкім", "office_ru": None},
            LowerThird("А", "әкім"),
        ),
        (
            "question",
            {"text": "Қашан?", "district": "Абай", "source": "телефон", "number": 128},
            Question("Қашан?", "Абай", "телефон", "128"),
        ),
        ("next", {"text_ru": "Перерыв"}, Next("", "Перерыв")),
        ("clock", True, On()),
        ("clock", {}, On()),
        ("live_mark", False, None),
        ("question", None, None),
    ],
)
def test_plain_json_becomes_what_is_shown_and_back(
    graphic: str, shown: object, content: object
) -> None:
    parsed = parse(graphic, shown)
    assert parsed == content
    if parsed is not None:
        again = json.loads(json.dumps(parsed.as_dict(), ensure_ascii=False))
        assert parse(graphic, again) == parsed


@pytest.mark.parametrize(
    ("graphic", "shown", "field", "limit"),
    [
        ("banner", {}, None, None),
        ("lower_third", {}, "name", 80),
        ("lower_third", {"name": "\u200b \n"}, "name", 80),
        ("lower_third", {"name": "А", "title": "x"}, "title", None),
        ("lower_third", {"name": 5}, "name", 80),
        ("lower_third", True, None, None),
        ("lower_third", "Айгүл", None, None),
        ("question", {"text": "б" * 501}, "text", 500),
        ("question", {"text": "б" * 10_000_000}, "text", 500),
        ("question", {"text": "?", "number": True}, "number", 20),
        ("question", {"text": ["?"]}, "text", 500),
        ("next", {"text_kk": "", "text_ru": " "}, "text_kk", 120),
        ("clock", {"zone": "UTC"}, "zone", None),
        ("clock", 1, None, None),
    ],
)
def test_what_cannot_be_shown_is_refused_by_field(
    graphic: str, shown: object, field: str | None, limit: int | None
) -> None:
    with pytest.raises(BadInput) as caught:
        parse(graphic, shown)
    assert caught.value.code == "wrong_graphics"
    assert caught.value.tried["field"] == field
    assert caught.value.tried["limit"] == limit
    assert len(caught.value.message) < 300


def test_texts_of_exactly_the_limit_are_taken_whatever_surrounds_them() -> None:
    text = "ә" * LIMITS[Graphic.QUESTION]["text"]
    assert parse("question", {"text": f"  {text}\n\t"}) == Question(text)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Е\u0308лка и\u0306од", "Ёлка йод"),
        ("за\u0301мок", "за\u0301мок"),
        ("з" + "\u0301" * 90 + "x", "з\u0301\u0301x"),
        ("\u0301начало", "начало"),
        ("а\x00б\x1b[31mв\x7f", "аб[31mв"),
        ("ме\u00adтр \u200e\u202eцена\u202c", "метр цена"),
        ("а\u200bб\u200dв\ufeffг", "абвг"),
        ("одна\r\nдве\u2028три\u3000четыре", "одна две три четыре"),
        ("№\xa05 и 10\u202f000", "№\xa05 и 10\xa0000"),
        ("\ud83d один", "один"),
        ("", ""),
    ],
)
def test_text_is_tidied(typed: str, kept: str) -> None:
    assert tidy(typed) == kept
    assert tidy(kept) == kept
    assert unicodedata.is_normalized("NFC", tidy(typed))
