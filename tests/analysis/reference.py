"""The reference nets, read from tests/reference/patterns.txt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from petriflow.net import Marking, Net

FILE = Path(__file__).parent.parent / "reference" / "patterns.txt"


@dataclass(frozen=True)
class Published:
    """One net of the reference, with what was published of it."""

    name: str
    text: str
    bound: str
    atomic: tuple[str, str]
    expanded: tuple[str, str]
    failure: str
    free_choice: bool
    workflow_net: bool
    #: Y, n or ? for sound, weak, relaxed, lazy, easy
    notions: str

    def net(self) -> Net:
        return read_net(self.name, self.text)


def published() -> list[Published]:
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    lines = [line for line in lines if line.strip()]
    found = []
    for name, text, numbers in zip(*[iter(lines)] * 3, strict=True):
        bound, atomic, expanded, failure, rest = (part.strip() for part in numbers.split("|"))
        size, sound = atomic.split()
        big, also, *_ = expanded.split()
        choice, built, notions = rest.split()
        found.append(
            Published(
                name,
                text.strip(),
                bound,
                (size, sound),
                (big, also),
                failure,
                choice == "fc",
                built == "wf",
                notions,
            )
        )
    return found


def read_net(name: str, text: str) -> Net:
    """`A: i → p [read q; reset r; kill B]; …` as a net from [i] to [o]."""
    steps = []
    places: dict[str, None] = {}

    def weights(words: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for word in words.split():
            count, star, place = word.rpartition("*")
            found[place] = found.get(place, 0) + (int(count) if star else 1)
        places.update(dict.fromkeys(found))
        return found

    pattern = re.compile(r"([^\s:]+):\s*([^→;]*)→([^;\[]*)(?:\[([^\]]*)\])?(?:;|$)")
    for id, consume, produce, notes in pattern.findall(text):
        more: dict[str, object] = {}
        for annotation in filter(None, (a.strip() for a in notes.split(";"))):
            word, _, rest = annotation.partition(" ")
            match word:
                case "reset":
                    more["reset"] = list(weights(rest))
                case "kill":
                    more["cancels"] = rest.split()
                case "read":
                    more["read"] = weights(rest)
                case "OR-join":
                    more["join"] = "or"
                case "inhib":
                    place, _, threshold = rest.partition("<")
                    weights(place)
                    more["inhibitor"] = {place: int(threshold)}
                case _:
                    raise ValueError(f"{name}: {annotation!r}")
        steps.append((id, weights(consume), weights(produce), more))
    builder = Net.build(name).places(*places)
    for id, consume, produce, more in steps:
        builder.transition(id, consume, produce, silent=id.startswith("_"), **more)
    net = builder.final("o").done()
    return Net(net.name, net.places, net.transitions, Marking("i"), Marking("o"))
