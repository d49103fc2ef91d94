"""Where each token of a marking comes from: a trace played with tokens that can be told apart.

This is the process of the trace (Goltz and Reisig 1983): two tokens part at the last firing that
both descend from. Of several tokens on one place, the oldest is taken.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from petriflow.net import Marking, Net, Transition
from petriflow.net.or_join import taken


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """One token; `maker` is the number of the firing that put it there, -1 for the start."""

    place: str
    maker: int


@dataclass(frozen=True, slots=True, eq=False)
class Firing:
    """One step of a trace; `past` has a bit for each firing that it descends from, and its own."""

    transition: Transition
    taken: tuple[Token, ...]
    emptied: tuple[Token, ...]
    past: int

    def descends(self, number: int) -> bool:
        """Whether it is that firing, or comes of it."""
        return bool(self.past >> number & 1)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The firings of a trace, the tokens that are there after it, and how many there were before
    it.
    """

    firings: tuple[Firing, ...]
    tokens: tuple[Token, ...]
    begun: int

    def past(self, token: Token) -> int:
        """The firings that a token descends from, as bits."""
        return self.firings[token.maker].past if token.maker >= 0 else 0

    def descends(self, token: Token, number: int) -> bool:
        """Whether a token comes of that firing."""
        return bool(self.past(token) >> number & 1)

    def parted(self, one: Token, other: Token) -> int | None:
        """The number of the last firing that both tokens descend from."""
        common = self.past(one) & self.past(other)
        return common.bit_length() - 1 if common else None

    def line(self, token: Token, since: int) -> list[tuple[int, Firing]]:
        """The firings that come of that one and lead to the token, in their order."""
        past = self.past(token)
        return [
            (n, self.firings[n])
            for n in range(since + 1, token.maker + 1)
            if past >> n & 1 and self.firings[n].descends(since)
        ]

    def last(self, places: Container[str]) -> int | None:
        """The number of the last firing that took a token from these places or emptied one."""
        for n in range(len(self.firings) - 1, -1, -1):
            firing = self.firings[n]
            if any(token.place in places for token in (*firing.taken, *firing.emptied)):
                return n
        return None


def history(net: Net, trace: tuple[str, ...], marking: Marking) -> History:
    """The history of the tokens of `marking`, to which `trace` leads.

    What was there at the start is found out on the way, so that it need not be told.
    """
    lying: dict[str, list[Token]] = {}
    firings: list[Firing] = []
    begun = 0
    for n, id in enumerate(trace):
        t = net.transition(id)
        takes = t.consume
        if t.join == "or":
            takes = taken(t, Marking({place: len(ts) for place, ts in lying.items()}))
        took = []
        for place, count in takes.items():
            there = lying.setdefault(place, [])
            for _ in range(count):
                begun += not there
                took.append(there.pop(0) if there else Token(place, -1))
        emptied = tuple(token for place in sorted(t.reset) for token in lying.pop(place, ()))
        past = 1 << n
        for token in took:
            past |= firings[token.maker].past if token.maker >= 0 else 0
        firings.append(Firing(t, tuple(took), emptied, past))
        for place, count in t.produce.items():
            lying.setdefault(place, []).extend(Token(place, n) for _ in range(count))
    left: list[Token] = []
    for place, count in marking.items():
        there = lying.get(place, [])[:count]
        begun += count - len(there)
        left += [*(Token(place, -1) for _ in range(count - len(there))), *there]
    return History(tuple(firings), tuple(left), begun)
