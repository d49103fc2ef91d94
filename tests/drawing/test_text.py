"""Texts are measured before they are placed; the measure is an upper bound."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petriflow.drawing.text import clean, shorten, width, wrap

WORDS = st.text(string.ascii_letters + string.digits + "_-.äßñЖλ", min_size=1, max_size=30)


@pytest.mark.parametrize(
    "letter", string.ascii_letters + string.digits + string.punctuation + "äÖéñßøЖщλΩ—…"
)
def test_no_letter_is_wider_than_we_think(letter: str) -> None:
    """Against the font that matplotlib brings along, which is wider than those of the systems."""
    assert width(letter, 1000) >= advance(letter)


def advance(letter: str) -> float:
    """The advance width in the font's own table, for a size of 1000."""
    from matplotlib import font_manager, ft2font

    face = ft2font.FT2Font(font_manager.findfont("DejaVu Sans"))
    face.set_size(1000, 72)
    return face.load_char(ord(letter), flags=ft2font.LoadFlags.NO_HINTING).linearHoriAdvance / 65536


@given(st.lists(WORDS, min_size=1, max_size=12))
def test_lines_are_within_their_width_and_hold_the_words_in_order(words: list[str]) -> None:
    lines = wrap(" ".join(words), 12, 92, 3)
    assert 1 <= len(lines) <= 3
    assert all(width(line, 12) <= 92 * 1.25 for line in lines)
    whole = " ".join(words)
    if not any(line.endswith("…") for line in lines):
        assert " ".join(lines) == whole
    else:
        assert whole.startswith(lines[0].removesuffix("…"))


def test_a_label_is_broken_into_lines_of_about_one_length() -> None:
    assert wrap("validate inventory", 12, 92, 3) == ("validate", "inventory")
    assert wrap("pay by card", 12, 92, 3) == ("pay by card",)


def test_a_text_that_is_too_long_is_cut_with_an_ellipsis() -> None:
    assert shorten("abc", 12, 100) == "abc"
    cut = shorten("a" * 100, 12, 100)
    assert cut.endswith("…")
    assert width(cut, 12) <= 100
    assert len(wrap("many words in a very long label that never seems to end", 12, 92, 3)) == 3


@given(st.text())
def test_a_clean_text_is_one_line_that_xml_can_hold(text: str) -> None:
    found = clean(text)
    assert found == clean(found)
    assert found == found.strip()
    for c in found:
        # The characters of XML 1.0, without the line breaks.
        assert 0x20 <= ord(c) <= 0xD7FF or 0xE000 <= ord(c) <= 0xFFFD or ord(c) >= 0x10000
        assert c not in "\u2028\u2029\x85"


def test_direction_overrides_are_taken_out_and_right_to_left_text_is_not() -> None:
    assert clean("a\u202eb\u2066c\u2069") == "abc"
    assert clean("مرحبا") == "مرحبا"


@pytest.mark.parametrize("text", ["日本語", "🚀🚀", "한국어"])
def test_wide_signs_count_as_wide(text: str) -> None:
    assert width(text, 10) >= 10 * len(text)


def test_marks_that_stand_on_a_letter_count_nothing() -> None:
    assert width("e\u0301", 10) == width("e", 10)
