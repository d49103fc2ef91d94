"""Random block compositions of the patterns, for hypothesis."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from petriflow.patterns import (
    Fragment,
    discriminator,
    exclusive_choice,
    multi_choice,
    parallel,
    sequence,
    skip,
    structured_loop,
    when,
)
from petriflow.patterns.fragment import as_fragment

from .brute import a, b, c

Block = Fragment | Callable[..., None]

#: few tasks, so that one is often used twice in a scope
LEAVES: st.SearchStrategy[Block] = st.sampled_from([a, b, c, a, b, c, skip])


def does_nothing(block: Block) -> bool:
    fragment = as_fragment(block)
    return fragment.entry == fragment.exit


@st.composite
def _composites(draw: st.DrawFn, parts: st.SearchStrategy[Block]) -> Fragment:
    kind = draw(st.sampled_from(["seq", "and", "xor", "or", "while", "until", "disc", "cancel"]))
    if kind in ("while", "until"):
        body = draw(parts.filter(lambda part: not does_nothing(part)))
        return structured_loop(body, **{"while_" if kind == "while" else "until": "x > 1"})
    some = draw(st.lists(parts, min_size=1, max_size=3))
    match kind:
        case "seq":
            return sequence(*some)
        case "and":
            return parallel(*some)
        case "xor" | "or":
            pattern = exclusive_choice if kind == "xor" else multi_choice
            branches = [when(f"x == {n}", part) for n, part in enumerate(some)]
            default = draw(st.none() | parts)
            return pattern(*branches, otherwise=default, exhaustive=default is None)
        case _:
            required = draw(st.integers(1, len(some)))
            then = draw(st.none() | parts)
            return discriminator(*some, required=required, then=then, cancel=kind == "cancel")


def blocks(depth: int = 3) -> st.SearchStrategy[Block]:
    """Compositions nested up to this deep; a leaf is a task or `skip`."""
    if depth == 0:
        return LEAVES
    inner = blocks(depth - 1)
    return LEAVES | _composites(inner)


def compositions(depth: int = 3, tasks: int = 6) -> st.SearchStrategy[Fragment]:
    """Compositions that do something, of at most so many tasks: the search must end."""
    return _composites(blocks(depth - 1)).filter(lambda fragment: 0 < len(fragment.tasks) <= tasks)
