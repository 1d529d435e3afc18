"""Where lines end in Kazakh and Russian. A letter is one wide here, so widths are counts."""

import itertools
import unicodedata

import pytest

from streamer.programme.lines import balanced, groups, language_of, letters, shorten, wrap


def measure(text: str) -> float:
    return float(len(letters(text)))


def lines(text: str, width: int, language: str = "") -> list[str]:
    return wrap(groups(text, language), measure, width, 999)


@pytest.mark.parametrize(
    ("text", "together"),
    [
        ("Ответ дал А. Б. Ахметов вчера", "А. Б. Ахметов"),
        ("Ответ дал Ахметов А. Б. вчера днём", "Ахметов А. Б."),
        ("Школа № 5 закрыта", "№ 5"),
        ("Выделено 350 млн тенге району", "350 млн"),
        ("Бюджеттен 2 млрд теңге бөлінді", "2 млрд"),
        ("Длина 2,5 км дороги", "2,5 км"),
        ("Всего 1 500 000 тенге", "1 500 000 тенге"),
        ("Это было 15 января вечером", "15 января"),
        ("Бұл 2026 жылы болды", "2026 жылы"),
        ("Рост на 12 % за год", "12 %"),
        ("Дом стоит в селе", "в селе"),
        ("Ждали и верили", "и верили"),
        ("Ехать по дороге", "по дороге"),
        ("Пошли за водой", "за водой"),
        ("Сказал бы он", "Сказал бы"),
        ("Когда же ремонт", "Когда же"),
        ("Живу на ул. Абая давно", "ул. Абая"),
        ("Адрес: д. 15 рядом", "д. 15"),
        ("Аким — человек", "Аким —"),
        ("Ол келді ме екен", "келді ме"),
        ("Школы, сады и т. д. закрыты", "т. д."),
        ("Сказал « Нет » твёрдо", "« Нет »"),
    ],
)
def test_what_belongs_together_stays_on_one_line(text: str, together: str) -> None:
    for width in range(len(together), len(text) + 1):
        assert any(together in line for line in lines(text, width)), (width, lines(text, width))


RUSSIAN = (
    "Здравствуйте, уважаемый аким! Я проживаю в селе Актубек по улице А. Б. Ахметова, д. 15."
    " Третий год мы обращаемся в районный акимат с просьбой — дорога от трассы М-36 до школы, это"
    " 2,5 км, не ремонтируется. О чём и к кому обращаться у нас, но и за что на неё потрачены"
    " 48 млн тенге — не знает никто."
)
KAZAKH = (
    "Ұлытау облысының Жаңаарқа ауданындағы № 5 мектептің құрылысы 2024 жылдан бері тоқтап тұр."
    " Қашан аяқталады және бюджеттен бөлінген 350 млн теңге қайда жұмсалды, оны кім біледі? Ә. Қ."
    " Қожахметов жауап бере ме?"
)


@pytest.mark.parametrize("text", [RUSSIAN, KAZAKH], ids=["ru", "kk"])
@pytest.mark.parametrize("width", range(28, 90))
def test_real_texts_break_as_they_should_at_every_width(text: str, width: int) -> None:
    made = lines(text, width)
    assert all(len(line) <= width for line in made)
    assert " ".join(made) == text
    for line, following in itertools.pairwise(made):
        last = line.split()[-1].lower()
        assert last not in {"в", "и", "к", "с", "у", "о", "на", "не", "по", "за", "от", "до", "но"}
        assert not line.endswith(("№", " д.", "А.", "Б.", "Ә.", "Қ."))
        assert not following.startswith(("—", "–", "-", "млн", "км", "жылдан", "ме?"))


def test_a_hyphenated_word_breaks_at_its_hyphen_and_small_ones_do_not() -> None:
    assert lines("Усть-Каменогорский район", 13) == ["Усть-", "Каменогорский", "район"]
    assert lines("кто-то из-за 2026-2027 М-36", 8) == ["кто-то", "из-за", "2026-", "2027", "М-36"][
        :2
    ] + lines("2026-2027 М-36", 8)
    assert lines("Алматы–Астана", 13) == ["Алматы–Астана"]


def test_only_a_word_that_does_not_fit_alone_is_broken() -> None:
    assert lines("да электрификация да", 10) == ["да", "электрифик", "ация да"]
    assert lines("с электрификацией", 16) == ["с", "электрификацией"]


def test_combining_marks_are_never_torn_off() -> None:
    word = "за\u0301мо\u0301к" * 20
    for width in range(1, 12):
        assert all(unicodedata.category(line[0]) != "Mn" for line in lines(word, width))
        assert "".join(lines(word, width)) == word
    assert shorten(word, measure, 4) == "за\u0301м…"


def test_nothing_but_prepositions_still_has_lines() -> None:
    text = "в и к с у о на не " * 60
    made = lines(text.strip(), 60)
    assert all(len(line) <= 60 for line in made)
    assert " ".join(made) == text.strip()


def test_titles_are_balanced_without_more_lines_or_broken_groups() -> None:
    title = "Отчётная встреча акима города Усть-Каменогорска с населением"
    greedy = lines(title, 50)
    even = balanced(groups(title), measure, 50, len(greedy))
    assert len(even) == len(greedy) == 2
    assert "".join(even).replace(" ", "") == title.replace(" ", "")
    spread = [abs(len(made[0]) - len(made[1])) for made in (greedy, even)]
    assert spread[1] < spread[0]
    assert balanced(groups("Ә. Қ. Қожахметов келді"), measure, 17, 2)[0] == "Ә. Қ. Қожахметов"


def test_the_language_is_seen_from_the_letters() -> None:
    assert language_of("Қашан?") == "kk"
    assert language_of("Когда?") == "ru"


def test_a_line_is_cut_at_a_word_where_that_costs_little() -> None:
    assert shorten("Заместитель акима района", measure, 20) == "Заместитель акима…"
    assert shorten("Заместитель", measure, 6) == "Замес…"
    assert shorten("Аким,", measure, 6) == "Аким…"
