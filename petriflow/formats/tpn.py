"""Woflan's `.tpn`: workflow nets.

place "closed" init 1;
place "opened";
trans "open" in "closed" out "opened";
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from petriflow.formats.textual import Arcs, net_of, number, require_plain, saved, text_of
from petriflow.net import Net, require_net
from petriflow.net.errors import FormatError

_WORD = re.compile(r'"[^"]*"|[^\s";,~]+|[;,~]')
_COMMENT = re.compile(r"--[^\n]*")


def read_tpn(file: str | os.PathLike[str]) -> Net:
    """A net from one of Woflan's `.tpn` files. A transition `"a"~"silent"` is a silent one.

    Raises:
        FormatError: the file cannot be read; the message names what is wrong.
    """
    path = Path(file)
    places, transitions = dict[str, int](), dict[str, Arcs]()
    sentence: list[str] = []
    for word in _WORD.findall(_COMMENT.sub("", text_of(path))):
        if word != ";":
            sentence.append(word)
            continue
        _read(path, sentence, places, transitions)
        sentence = []
    if sentence:
        raise FormatError(f"{path}: it ends in the middle of {' '.join(sentence[:6])!r}")
    if not transitions:
        raise FormatError(f"{path}: there is no transition in it (`trans …;`)")
    return net_of(path.stem, str(path), places, transitions)


def _read(
    path: Path, words: list[str], places: dict[str, int], transitions: dict[str, Arcs]
) -> None:
    kind, name = (*words, "", "")[:2]
    rest = words[2:]
    if kind == "place" and name:
        tokens = 0
        if rest[:1] == ["init"] and len(rest) > 1:
            tokens = number(rest[1], f"{path}, place {name}")
        places[_bare(name)] = tokens
    elif kind == "trans" and name:
        id = _bare(name)
        if id in transitions:
            raise FormatError(f"{path}: there is a transition {id!r} already")
        arcs = transitions[id] = Arcs(id)
        side = ""
        while rest:
            word = rest.pop(0)
            if word == "~" and rest:
                if _bare(rest.pop(0)) == "silent":
                    arcs.label = None
            elif word in ("in", "out"):
                side = "consume" if word == "in" else "produce"
            elif side and word != ",":
                arcs.add(side, _bare(word), 1)
            elif word != ",":
                raise FormatError(f"{path}: transition {id!r}: {word!r} stands before in and out")
    else:
        raise FormatError(f"{path}: {' '.join(words[:4])!r} is no place and no trans")


def _bare(word: str) -> str:
    return word[1:-1] if word.startswith('"') else word


def write_tpn(net: Net, file: str | os.PathLike[str] | None = None) -> str:
    """A net for Woflan.

    Raises:
        FormatError: the net has other arcs than plain ones, a name with a quotation mark, or the
            file cannot be written.

    >>> net = Net.build("door").places("i", "o").transition("open", "i", "o").done()
    >>> print(write_tpn(net), end="")
    place "i" init 1;
    place "o";
    trans "open" in "i" out "o";
    """
    require_net(net, "write_tpn")
    require_plain(net, "Woflan's format")
    for id in [p.id for p in net.places] + [t.id for t in net.transitions]:
        if '"' in id or "--" in id or "\n" in id:
            raise FormatError(f"Woflan's format has no names such as {id!r}; rename it")
    initial = net.initial_marking
    lines = [
        f'place "{p.id}" init {initial[p.id]};' if initial[p.id] else f'place "{p.id}";'
        for p in net.places
    ]
    for t in net.transitions:
        silent = '~"silent"' if t.silent else ""
        words = [f'trans "{t.id}"{silent}']
        for word, weights in (("in", t.consume), ("out", t.produce)):
            places = [f'"{p}"' for p, n in weights.items() for _ in range(n)]
            words += [word, *places] if places else []
        lines.append(" ".join(words) + ";")
    return saved("\n".join([*lines, ""]), file)
