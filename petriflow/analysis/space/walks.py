"""Looking for a fault by playing the net at random: deep faults are found that a search by breadth
would come to last.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from petriflow.net import CompiledNet, Marking, Net, compile_net

WALKS = 100
#: A walk is given up after so many steps a transition: it goes round.
ROUNDS = 4


def walk_to_fault(net: Net, initial: Marking, final: Marking) -> tuple[str, ...] | None:
    """A firing sequence that ends where nothing can happen or something is left over, or `None`.

    The dice are the same each time. What a walk found is made shorter as long as steps can be left
    out.
    """
    compiled = compile_net(net)
    first, end = compiled.vector(initial), compiled.vector(final)
    dice = random.Random(1)
    for _ in range(WALKS):
        trace = _walk(compiled, first, end, dice)
        if trace is not None:
            trace = _shortened(compiled, first, end, trace)
            return tuple(compiled.transition_ids[t] for t in trace)
    return None


def _walk(
    net: CompiledNet, first: Sequence[int], end: Sequence[int], dice: random.Random
) -> list[int] | None:
    tokens, trace = list(first), list[int]()
    able = dict.fromkeys(net.enabled(tokens))
    for _ in range(ROUNDS * len(net.rows) + 10):
        if not able:
            return None if tokens == end else trace
        t = dice.choice(tuple(able))
        net.fire_in_place(t, tokens)
        trace.append(t)
        if _is_left_over(tokens, end):
            return trace
        for u in net.rows[t].affects:
            able.pop(u, None)
            if net.is_enabled(u, tokens):
                able[u] = None
    return None


def _is_left_over(tokens: Sequence[int], end: Sequence[int]) -> bool:
    return tokens != end and all(n >= m for n, m in zip(tokens, end, strict=True))


def _shortened(
    net: CompiledNet, first: Sequence[int], end: Sequence[int], trace: list[int]
) -> list[int]:
    """The trace without what is not needed to come to a fault of the same kind."""
    ended = _after(net, first, trace)
    assert ended is not None
    left_over = _is_left_over(ended, end)
    size = len(trace)
    while size:
        at = 0
        while at < len(trace):
            shorter = trace[:at] + trace[at + size :]
            tokens = _after(net, first, shorter)
            if tokens is not None and (
                _is_left_over(tokens, end)
                if left_over
                else tokens != end and not _is_left_over(tokens, end) and not net.enabled(tokens)
            ):
                trace = shorter
            else:
                at += size
        size //= 2
    return trace


def _after(net: CompiledNet, first: Sequence[int], trace: Sequence[int]) -> list[int] | None:
    """The tokens after a trace, if it can happen."""
    tokens = list(first)
    for t in trace:
        if not net.is_enabled(t, tokens):
            return None
        net.fire_in_place(t, tokens)
    return tokens
