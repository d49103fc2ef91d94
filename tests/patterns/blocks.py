"""Random block compositions of the patterns, for hypothesis."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from petriflow.patterns import (
    Fragment,
    cancel_region,
    cancellable,
    critical_section,
    deferred_choice,
    discriminator,
    event,
    exclusive_choice,
    explicit_termination,
    interleaved_routing,
    milestone,
    multi_choice,
    multiple_instances,
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
    kind = draw(
        st.sampled_from(
            ["seq", "and", "xor", "or", "while", "until", "disc", "cancel",
             "events", "lock", "routing", "scope", "region", "milestone", "many", "ending"]
        )
    )  # fmt: skip
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
        case "events":
            return deferred_choice(
                *(sequence(event(f"e{n}"), part) for n, part in enumerate([*some, a]))
            )
        case "lock" | "routing":
            block = critical_section if kind == "lock" else interleaved_routing
            return block(*some, draw(LEAVES.filter(lambda leaf: not does_nothing(leaf))))
        case "scope":
            return cancellable(*some, by=event("stop"), then=draw(st.none() | parts))
        case "region":
            return cancel_region(
                *some, beside=sequence(event("go"), draw(parts)), by=event("stop"), then=a
            )
        case "milestone":
            return milestone(some[0], sequence(event("leave"), some[-1]), a, expired=skip)
        case "many":
            return multiple_instances(a, 2, required=draw(st.integers(1, 2)), then=some[0])
        case "ending":
            return explicit_termination(*some)
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
