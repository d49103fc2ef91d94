"""Texts of a picture: cleaned, measured and wrapped before anything is placed.

The renderers run with whatever font the reader has, so widths are upper bounds: for each character
the wider of DejaVu Sans and Inter Medium. Both are wider than Segoe UI, Roboto, Helvetica and
Arial; a label that fits here fits there.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

# Advance widths in fortieths of an em, rounded up, as characters counted from "0"; read once from
# the fonts' own tables. Each string begins at the code point before it.
_TABLES = (
    (
        0x20,
        r"=ACRJWP;@@ER=C=?JJJJKJJJJJ>>RRRFXLLNOJHOO<GKGTNPJPLJKNLXLLL@?@RDDIJGJI?JJ<<H<WJIJJAF@JHQHHGJ>JR"
        r"000000000000000000000000000000000=AJJNJ>GGXCIRCXDDRABDJJ=DACIWWWFLLLLLLYNJJJJ<<<<ONPPPPPRPNNNNL"
        r"JJIIIIIIXGIIII<<<<IJIIIIIRIJJJJHJHLILILINGNGNGNGOLOJJIJIJIJIJIOJOJOJOJOJULB<<<<<<<<<QGG<KHJG<G<"
        r"G?G>G<NJNJNJQNJPIPIPI[YLALALAJFJFJFJFK@K@K@NJNJNJNJNJNJXQLHLLGLGLG?",
    ),
    (
        0x370,
        r"KGSJ<<OJ00DGGG>G0000DGL=NTA0Q0SR>LLHLJLOP<KLTNJPOJ0JKLPLPO<LKGJ>HKJHIGFJI>JHJHGIKJHJIHOIOS>HIHSKJ"
        r"JLRLNSNPINHJGKKSNVROKPILIOILIIFNJG<PIIJJNTNJMNNJJQILJ<<G\^UMNJOLLLIPJ\JNNMOTOPOJNKJSLPN[\RTLL\LII"
        r"HFLIUFJJIJOKIKJGHHSHLHUVMPHFRIIIIFGF<<<VUKIJHK",
    ),
    (0x2010, r"@@KDXXDD====EEEEIGHH>KX=00000008fv:BJ:BJD@@"),
)
_WIDTHS = {
    start + i: (ord(c) - 48) / 40
    for start, table in _TABLES
    for i, c in enumerate(table)
    if c != "0"
}

#: what XML 1.0 cannot hold; what breaks a line; what would turn the text around it
_INVALID = dict.fromkeys({*range(32), 0xFFFE, 0xFFFF} - {9, 10, 13})
_BREAKS = dict.fromkeys(map(ord, "\t\n\v\f\r\x85\u2028\u2029"), " ")
_TURNS = dict.fromkeys((0x7F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
ELLIPSIS = "…"


def valid(text: str) -> str:
    """The text without what XML cannot hold: control characters and halves of characters."""
    return text.translate(_INVALID).encode("utf-8", "ignore").decode()


def clean(text: str) -> str:
    """The text on one line, to be shown: valid, and without direction overrides."""
    return " ".join(valid(text.translate(_BREAKS)).translate(_TURNS).split())


@lru_cache(maxsize=4096)
def _advance(character: str) -> float:
    if (known := _WIDTHS.get(ord(character))) is not None:
        return known
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    if ord(character) >= 0x1F000 or unicodedata.east_asian_width(character) in "WF":
        return 1.4 if ord(character) >= 0x1F000 else 1.0  # emoji are wider than an em
    return 0.9


def width(text: str, size: float) -> float:
    """The width of a text at a font size, both in px."""
    return sum(map(_advance, text)) * size


def shorten(text: str, size: float, most: float) -> str:
    """The text, cut with an ellipsis where it is wider than `most` px."""
    if width(text, size) <= most:
        return text
    room = most - width(ELLIPSIS, size)
    kept, used = "", 0.0
    for character in text:
        used += _advance(character) * size
        if used > room:
            break
        kept += character
    return kept.rstrip() + ELLIPSIS


def wrap(text: str, size: float, most: float, lines: int) -> tuple[str, ...]:
    """The text in lines of at most `most` px, the last one cut where there would be too many.

    A single long word may stick out by a quarter before it is cut. The lines are made about
    equally long: "validate inventory" reads better as two words than as a full line and a rest.
    """
    words = clean(text).split()
    full = _fill(words, size, most)
    if 1 < len(full) <= lines:
        narrow = most
        while narrow > most / 2 and len(_fill(words, size, narrow - 4)) == len(full):
            narrow -= 4
        full = _fill(words, size, narrow)
    elif len(full) > lines:
        full = [*full[: lines - 1], " ".join(full[lines - 1 :])]
    return tuple(shorten(line, size, most * 1.25) for line in full)


def _fill(words: list[str], size: float, most: float) -> list[str]:
    """The words in lines, each as full as it goes."""
    filled = [""]
    for word in words:
        longer = f"{filled[-1]} {word}".strip()
        if filled[-1] and width(longer, size) > most:
            filled.append(word)
        else:
            filled[-1] = longer
    return filled
