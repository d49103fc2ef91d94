"""Tina's `.net` (also `.ndr` nets exported as text): untimed place/transition nets.

    net door
    tr open : unlock [0,w[ closed key?1 -> opened
    pl closed (1)

Test arcs (`p?2`) and inhibitors (`p?-2`) are read arcs and inhibitor arcs. Time intervals and
priorities would change what can happen: all but `[0,w[` are refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from petriflow.formats.textual import Arcs, net_of, number, require_plain, saved, text_of
from petriflow.net import Net, require_net
from petriflow.net.errors import FormatError

_WORD = re.compile(
    r"\{(?:[^{}\\]|\\.)*\}|\[[^\]\[]*[\]\[]|->|\([^)]*\)|[\w.'/-]+(?<!-)|[*?:]-?|\S", re.UNICODE
)
_PLAIN = re.compile(r"[A-Za-z_'][\w']*\Z", re.ASCII)
_ALWAYS = re.compile(r"\[\s*0\s*,\s*w\s*\[\Z")


def read_tina(file: str | os.PathLike[str]) -> Net:
    """A net from one of Tina's `.net` files.

    Raises:
        FormatError: the file cannot be read as an untimed net; the message names the line.
    """
    path = Path(file)
    name, places, transitions = path.stem, dict[str, int](), dict[str, Arcs]()
    for n, line in enumerate(text_of(path).splitlines(), 1):
        words = _WORD.findall(line.split("#", 1)[0])
        where = f"{path}, line {n}"
        if not words:
            continue
        kind, *rest = words
        if kind == "net" and rest:
            name = _bare(rest[0])
        elif kind == "pl" and rest:
            place = _bare(rest[0])
            marked = [w[1:-1].strip() for w in rest[1:] if w.startswith("(")]
            places[place] = number(marked[0], where) if marked else 0
        elif kind == "tr" and rest:
            id = _bare(rest[0])
            if id in transitions:
                raise FormatError(f"{where}: there is a transition {id!r} already")
            transitions[id] = _transition(id, rest[1:], where)
        elif kind in ("lb", "nt", "an"):
            continue  # labels of places and notes
        else:
            raise FormatError(f"{where}: {line.strip()[:60]!r} is no net, tr or pl; is it Tina's?")
    if not transitions:
        raise FormatError(f"{path}: there is no transition in it (`tr …`)")
    return net_of(name, str(path), places, transitions)


def _transition(id: str, words: list[str], where: str) -> Arcs:
    arcs, side, at = Arcs(id), "consume", 0
    while at < len(words):
        word = words[at]
        if word == ":":
            label = words[at + 1 : at + 2]
            arcs.label = _bare(label[0]) if label else id
            if arcs.label == "{}" or arcs.label == "":
                arcs.label = None
            at += 2
        elif word.startswith("["):
            if not _ALWAYS.match(word):
                raise FormatError(
                    f"{where}: {id!r} is timed ({word}), and only untimed nets are read"
                )
            at += 1
        elif word == "->":
            side, at = "produce", at + 1
        else:
            at = _arc(arcs, side, words, at, where)
    return arcs


def _arc(arcs: Arcs, side: str, words: list[str], at: int, where: str) -> int:
    place, kind, weight = _bare(words[at]), side, 1
    at += 1
    if at < len(words) and words[at] in ("*", "?", "?-"):
        kind = {"*": side, "?": "read", "?-": "inhibitor"}[words[at]]
        weight = number(words[at + 1] if at + 1 < len(words) else "", where)
        at += 2
    if not re.match(r"[\w']", place):
        raise FormatError(f"{where}: {place[:30]!r} is no place")
    arcs.add(kind, place, weight)
    return at


def _bare(word: str) -> str:
    if word.startswith("{") and word.endswith("}"):
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    return word


def write_tina(net: Net, file: str | os.PathLike[str] | None = None) -> str:
    """A net as one of Tina's `.net` files; silent transitions have the empty label `{}`.

    Raises:
        FormatError: the net has reset arcs or OR-joins, or the file cannot be written.

    >>> net = Net.build("door").places("i", "o").transition("open", "i", "o").done()
    >>> print(write_tina(net), end="")
    net door
    tr open : open i -> o
    pl i (1)
    """
    require_net(net, "write_tina")
    require_plain(net, "Tina's format", tests=True)
    return saved("\n".join([*_lines(net), ""]), file)


def _lines(net: Net) -> Iterator[str]:
    yield f"net {_quoted(net.name)}"
    for t in net.transitions:
        takes = [f"{_quoted(p)}{_times(n)}" for p, n in t.consume.items()]
        takes += [f"{_quoted(p)}?{n}" for p, n in t.read.items()]
        takes += [f"{_quoted(p)}?-{n}" for p, n in t.inhibitor.items()]
        gives = [f"{_quoted(p)}{_times(n)}" for p, n in t.produce.items()]
        label = "{}" if t.label is None else _quoted(t.label)
        yield " ".join(["tr", _quoted(t.id), ":", label, *takes, "->", *gives])
    initial = net.initial_marking
    used = {p for t in net.transitions for _, p, _ in t.arcs()}
    for place in net.places:
        if initial[place.id]:
            yield f"pl {_quoted(place.id)} ({initial[place.id]})"
        elif place.id not in used:
            yield f"pl {_quoted(place.id)}"


def _times(weight: int) -> str:
    return "" if weight == 1 else f"*{weight}"


def _quoted(name: str) -> str:
    if _PLAIN.match(name):
        return name
    if "\n" in name or "\r" in name or "#" in name:
        raise FormatError(f"Tina's format has no names such as {name!r}; rename it")
    return "{" + re.sub(r"([{}\\])", r"\\\1", name) + "}"
