"""Short names: `pay` for `order/parallel-1/pay`, as far as it is clear which is meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable


def meant(name: str, ids: Iterable[str]) -> list[str]:
    """The ids that a name means: itself, else those that end in it, else its uses as `~2`, `~3`.

    >>> meant("pay", ["order/pay", "order/pay~2", "order/prepay"])
    ['order/pay']
    >>> meant("pay", ["order/pay~2"])
    ['order/pay~2']
    """
    ids = list(ids)
    if name in ids:
        return [name]
    ending = [id for id in ids if id.endswith(f"/{name}")]
    return ending or [id for id in ids if f"/{id.partition('~')[0]}".endswith(f"/{name}")]


def short(id: str, ids: Collection[str]) -> str:
    """The shortest name that means this one only.

    >>> short("order/a/pay", ["order/a/pay", "order/b/pay", "order/ship"])
    'a/pay'
    """
    parts = id.split("/")
    names = ("/".join(parts[-n:]) for n in range(1, len(parts)))
    return next((name for name in names if meant(name, ids) == [id]), id)


def listed(names: Iterable[str]) -> str:
    """The names in a row, for a message."""
    return ", ".join(map(repr, names)) or "none"


def suggestion(name: str, ids: Collection[str]) -> str:
    """The end of a message about an unknown name."""
    names = [short(id, ids) for id in ids]
    near = difflib.get_close_matches(name, [*names, *ids], n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {listed(names)}"
