"""`Marking`: how many tokens lie on each place."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from html import escape

from petriflow.net.errors import NetError, NotEnoughTokens


class Marking(Mapping[str, int]):
    """An immutable multiset of places.

    Args:
        tokens: a mapping from place to number of tokens, an iterable of places (each occurrence
            is one token), or the name of one place.

    A place without tokens counts zero and is not iterated over. `<=` is inclusion, `+` and `-`
    add and remove tokens; removing more than there are raises `NotEnoughTokens`.

    >>> m = Marking({"paid": 1, "item": 2})
    >>> m, m["shipped"], m.total
    (Marking('[2*item + paid]'), 0, 3)
    >>> m - Marking("paid") <= m
    True
    """

    __slots__ = ("_hash", "_tokens")

    def __init__(self, tokens: Mapping[str, int] | Iterable[str] = ()) -> None:
        counts: dict[str, int] = {}
        if isinstance(tokens, str):
            counts[tokens] = 1
        elif isinstance(tokens, Mapping):
            for place, count in tokens.items():
                if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                    raise NetError(
                        f"place {place!r}: {count!r} is not a number of tokens; use 0, 1, 2, …"
                    )
                if count:
                    counts[place] = count
        else:
            for place in tokens:
                counts[place] = counts.get(place, 0) + 1
        self._tokens = dict(sorted(counts.items())) if len(counts) > 1 else counts
        self._hash: int | None = None

    def __getitem__(self, place: str) -> int:
        return self._tokens.get(place, 0)

    def __contains__(self, place: object) -> bool:
        return place in self._tokens

    def __iter__(self) -> Iterator[str]:
        return iter(self._tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    # the views of Mapping would ask this class for each place and its number
    def keys(self) -> KeysView[str]:
        """The places with tokens, as a view."""
        return self._tokens.keys()

    def values(self) -> ValuesView[int]:
        """The numbers of tokens, as a view."""
        return self._tokens.values()

    def items(self) -> ItemsView[str, int]:
        """The places with their numbers of tokens, as a view."""
        return self._tokens.items()

    @property
    def total(self) -> int:
        """The number of tokens on all places together."""
        return sum(self._tokens.values())

    def __add__(self, other: Marking) -> Marking:
        if not isinstance(other, Marking):
            return NotImplemented
        return Marking({p: self[p] + other[p] for p in (*self._tokens, *other._tokens)})

    def __sub__(self, other: Marking) -> Marking:
        if not isinstance(other, Marking):
            return NotImplemented
        for place, count in other._tokens.items():
            if self[place] < count:
                raise NotEnoughTokens(f"{self} - {other}: place {place!r} has {self[place]} tokens")
        return Marking({p: n - other[p] for p, n in self._tokens.items()})

    def __le__(self, other: Marking) -> bool:
        if not isinstance(other, Marking):
            return NotImplemented
        return all(count <= other[place] for place, count in self._tokens.items())

    def __lt__(self, other: Marking) -> bool:
        return self <= other and self != other

    def __ge__(self, other: Marking) -> bool:
        if not isinstance(other, Marking):
            return NotImplemented
        return other <= self

    def __gt__(self, other: Marking) -> bool:
        return self >= other and self != other

    def without(self, places: Iterable[str]) -> Marking:
        """The marking with these places emptied."""
        gone = frozenset(places)
        return Marking({p: n for p, n in self._tokens.items() if p not in gone})

    def __eq__(self, other: object) -> bool:
        return self._tokens == other._tokens if isinstance(other, Marking) else NotImplemented

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._tokens.items()))
        return self._hash

    def __str__(self) -> str:
        return f"[{' + '.join(p if n == 1 else f'{n}*{p}' for p, n in self._tokens.items())}]"

    def _repr_html_(self) -> str:
        tokens = (
            f"<code>{escape(place)}</code>" + (f" × {n}" if n > 1 else "")
            for place, n in self._tokens.items()
        )
        return f"<p>● {' + '.join(tokens) or 'no tokens'}</p>"

    def __repr__(self) -> str:
        return f"Marking({str(self)!r})"

    def __reduce__(self) -> tuple[type[Marking], tuple[dict[str, int]]]:
        return Marking, (self._tokens,)
