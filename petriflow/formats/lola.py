"""LoLA's nets: place/transition nets with an initial marking.

PLACE closed, opened;
MARKING closed: 1;
TRANSITION open CONSUME closed: 1; PRODUCE opened: 1;
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from petriflow.formats.textual import Arcs, net_of, number, require_plain, saved, text_of
from petriflow.net import Net, require_net
from petriflow.net.errors import FormatError

_WORD = re.compile(r"[^\s,;:{}()]+|[,;:]")
_COMMENT = re.compile(r"\{[^}]*\}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_RESERVED = re.compile(r"[\s,;:{}()]|//|/\*")
_KEYWORDS = frozenset(
    "PLACE MARKING TRANSITION CONSUME PRODUCE SAFE STRONG WEAK FAIR".split()  # noqa: SIM905
)


def read_lola(file: str | os.PathLike[str]) -> Net:
    """A net from one of LoLA's files (`.lola`, `.llnet`). All of its transitions are tasks.

    Raises:
        FormatError: the file cannot be read; the message names what is wrong.
    """
    path = Path(file)
    return _Reader(path, _WORD.findall(_COMMENT.sub(" ", text_of(path)))).net()


class _Reader:
    def __init__(self, path: Path, words: list[str]) -> None:
        self._path, self._words, self._at = path, words, 0

    def net(self) -> Net:
        places, transitions = dict[str, int](), dict[str, Arcs]()
        self._expect("PLACE")
        while self._word() != "MARKING":
            word = self._take()
            if word == "SAFE":
                while self._word() not in (":", "MARKING", ""):
                    self._take()
            elif word not in (",", ";", ":"):
                places[word] = 0
        self._expect("MARKING")
        for place, tokens in self._weights():
            if place not in places:
                raise FormatError(f"{self._path}: the marking names {place!r}, which is no place")
            places[place] += tokens
        while self._word():
            self._expect("TRANSITION")
            id = self._take()
            if id in transitions:
                raise FormatError(f"{self._path}: there is a transition {id!r} already")
            while self._word() in ("STRONG", "WEAK", "FAIR"):
                self._take()
            arcs = transitions[id] = Arcs(id)
            for keyword, kind in (("CONSUME", "consume"), ("PRODUCE", "produce")):
                self._expect(keyword)
                for place, weight in self._weights():
                    if place not in places:
                        raise FormatError(
                            f"{self._path}: transition {id!r} names {place!r}, which is no place"
                        )
                    arcs.add(kind, place, weight)
        return net_of(self._path.stem, str(self._path), places, transitions)

    def _weights(self) -> Iterator[tuple[str, int]]:
        while (word := self._take()) != ";":
            if word == ",":
                continue
            weight = 1
            if self._word() == ":":
                self._take()
                weight = number(self._take(), f"{self._path}, at {word!r}")
            yield word, weight

    def _word(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _take(self) -> str:
        word = self._word()
        if not word:
            raise FormatError(f"{self._path}: it ends in the middle; is it one of LoLA's nets?")
        self._at += 1
        return word

    def _expect(self, keyword: str) -> None:
        if (word := self._take()) != keyword:
            raise FormatError(
                f"{self._path}: {keyword} was to come, and {word[:30]!r} is there; is it one of "
                "LoLA's low-level nets?"
            )


def write_lola(net: Net, file: str | os.PathLike[str] | None = None) -> str:
    """A net for LoLA.

    Raises:
        FormatError: the net has other arcs than plain ones, a name that LoLA cannot read, or the
            file cannot be written.

    >>> net = Net.build("door").places("i", "o").transition("open", "i", "o").done()
    >>> print(write_lola(net), end="")
    PLACE i, o;
    MARKING i: 1;
    TRANSITION open
      CONSUME i: 1;
      PRODUCE o: 1;
    """
    require_net(net, "write_lola")
    require_plain(net, "LoLA's format")
    for id in [p.id for p in net.places] + [t.id for t in net.transitions]:
        if _RESERVED.search(id) or id in _KEYWORDS:
            raise FormatError(f"LoLA's format has no names such as {id!r}; rename it")
    lines = ["PLACE " + ", ".join(p.id for p in net.places) + ";"]
    lines.append("MARKING " + _listed(dict(net.initial_marking)) + ";")
    for t in net.transitions:
        lines += [f"TRANSITION {t.id}", f"  CONSUME {_listed(dict(t.consume))};"]
        lines.append(f"  PRODUCE {_listed(dict(t.produce))};")
    return saved("\n".join([*lines, ""]), file)


def _listed(weights: dict[str, int]) -> str:
    return ", ".join(f"{place}: {n}" for place, n in weights.items())
