"""The published numbers of reachable markings and edges.

The table is that of the workflow-pattern reference (nets 01 to 32), computed by another explorer.
The closed forms hold for any number of branches; `test_the_closed_forms_give_the_published_numbers`
ties them to the table.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import pytest

from petriflow.patterns import (
    Fragment,
    branching,
    discriminator,
    exclusive_choice,
    multi_choice,
    parallel,
    partial_join,
    sequence,
    skip,
    structured_loop,
    when,
)

from .brute import LETTERS, a, b, both, c, d, explore, faults

Size = tuple[int, int]


def guarded(n: int) -> list:
    return [when(f"x == {k}", task) for k, task in enumerate(LETTERS[:n])]


# The closed forms, atomic and expanded: k is 2 where a branch is before or after its task, and
# 3 where it may also be in the midst of it.


def steps_of(n: int, k: int) -> int:
    """Edges of n tasks side by side."""
    return n * (k - 1) * k ** (n - 1) if n else 0


def and_size(n: int, k: int) -> Size:
    return k**n + 2, steps_of(n, k) + 2


def xor_size(n: int, k: int) -> Size:
    return (n + 2, 2 * n) if k == 2 else (2 * n + 2, 3 * n)


def or_size(n: int, k: int, otherwise: bool = False) -> Size:
    markings, edges = k**n + 2, (2**n - 1) + steps_of(n, k) + 1
    return (markings + k - 1, edges + k) if otherwise else (markings, edges)


def chain_size(n: int, k: int, otherwise: bool = False) -> Size:
    # Rail `some` after m decisions: each of m branches anywhere; rail `none`: all were skipped.
    markings = 1 + sum(k**m + 1 for m in range(1, n)) + k**n + 1
    edges = sum(steps_of(m, k) for m in range(1, n + 1)) + 1
    edges += 2 * (n - 1) + 1 + sum(2 * k**m for m in range(1, n))
    return (markings + k, edges + 2 + (k - 1)) if otherwise else (markings, edges)


def cancelling_size(n: int, m: int, k: int, counting: bool = False) -> Size:
    fires = comb(m, n) * k ** (m - n)
    if counting:
        fires = sum(comb(m, j) * (k - 1) ** (m - j) for j in range(n, m + 1))
    return k**m + k + 1, 1 + steps_of(m, k) + fires + (k - 1)


def structured_size(n: int, m: int, k: int) -> Size:
    # j of the m branches have arrived, the others are anywhere before; `then` is in k stages
    ready = sum(comb(m, j) * (k - 1) ** (m - j) for j in range(n, m + 1))
    late = sum(
        comb(m, j) * ((m - j) * (k - 1) ** (m - j - 1) * (k - 1) if m > j else 0)
        for j in range(n, m + 1)
    )
    if n == m:  # nobody is late: firing drains
        return 1 + k**m + k + 1, 1 + steps_of(m, k) + 1 + (k - 1) + 1
    markings = 1 + k**m + k * ready + k + 1
    edges = 1 + steps_of(m, k) + ready + k * late + ready * (k - 1) + k + (k - 1) + 1
    return markings, edges


@pytest.mark.parametrize(
    ("size", "atomic", "expanded"),
    [
        (lambda k: and_size(2, k), (6, 6), (11, 14)),
        (lambda k: and_size(3, k), (10, 14), (29, 56)),
        (lambda k: xor_size(2, k), (4, 4), (6, 6)),
        (lambda k: xor_size(3, k), (5, 6), (8, 9)),
        (lambda k: or_size(2, k), (6, 8), (11, 16)),
        (lambda k: or_size(3, k), (10, 20), (29, 62)),
        (lambda k: chain_size(3, k), (18, 35), (43, 98)),
        (lambda k: structured_size(1, 2, k), (14, 19), (29, 46)),
        (lambda k: structured_size(1, 3, k), (26, 49), (89, 208)),
        (lambda k: structured_size(2, 3, k), (20, 31), (53, 100)),
        (lambda k: cancelling_size(1, 2, k), (7, 10), (13, 21)),
        (lambda k: cancelling_size(1, 3, k), (11, 26), (31, 84)),
        (lambda k: cancelling_size(2, 3, k), (11, 20), (31, 66)),
        (lambda k: cancelling_size(2, 3, k, counting=True), (11, 18), (31, 64)),
    ],
)
def test_the_closed_forms_give_the_published_numbers(
    size: Callable[[int], Size], atomic: Size, expanded: Size
) -> None:
    assert (size(2), size(3)) == (atomic, expanded)


def check(fragment: Fragment, atomic: Size, expanded: Size, bound: int = 1) -> None:
    spaces = [explore(net) for net in both(fragment)]
    assert [s.size for s in spaces] == [atomic, expanded]
    assert [s.bound for s in spaces] == [bound, bound]
    assert [faults(s) for s in spaces] == [[], []]


@pytest.mark.promise("PAT-2")
@pytest.mark.parametrize(
    ("fragment", "atomic", "expanded", "bound"),
    [
        pytest.param(sequence(a, b), (3, 2), (5, 4), 1, id="01"),
        pytest.param(parallel(a, b), (6, 6), (11, 14), 1, id="02+03 n=2"),
        pytest.param(parallel(a, b, c), (10, 14), (29, 56), 1, id="02+03 n=3"),
        pytest.param(
            exclusive_choice(*guarded(2), exhaustive=True), (4, 4), (6, 6), 1, id="04+05 n=2"
        ),
        pytest.param(exclusive_choice(*guarded(2), otherwise=c), (5, 6), (8, 9), 1, id="04+05 n=3"),
        pytest.param(
            multi_choice(*guarded(2), exhaustive=True), (6, 8), (11, 16), 1, id="06+07 n=2"
        ),
        pytest.param(
            multi_choice(*guarded(3), exhaustive=True), (10, 20), (29, 62), 1, id="06+07 n=3"
        ),
        pytest.param(discriminator(a, b, then=d), (14, 19), (29, 46), 2, id="09 1-of-2"),
        pytest.param(discriminator(a, b, c, then=d), (26, 49), (89, 208), 3, id="09 1-of-3"),
        pytest.param(
            discriminator(a, b, c, required=2, then=d), (20, 31), (53, 100), 3, id="30 2-of-3"
        ),
        pytest.param(
            discriminator(a, b, then=d, cancel=True), (7, 10), (13, 21), 1, id="29 1-of-2"
        ),
        pytest.param(
            discriminator(a, b, c, then=d, cancel=True), (11, 26), (31, 84), 1, id="29 1-of-3"
        ),
        pytest.param(
            discriminator(a, b, c, required=2, then=d, cancel=True),
            (11, 20),
            (31, 66),
            1,
            id="32 2-of-3",
        ),
        pytest.param(structured_loop(a, while_="x"), (4, 4), (5, 5), 1, id="21 while"),
        pytest.param(structured_loop(a, until="x"), (4, 4), (5, 5), 1, id="21 until"),
    ],
)
def test_a_pattern_has_the_published_counts(
    fragment: Fragment, atomic: Size, expanded: Size, bound: int
) -> None:
    check(fragment, atomic, expanded, bound)


@pytest.mark.promise("PAT-2")
def test_the_linear_chain_has_the_published_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branching, "MOST_SUBSET_BRANCHES", 0)
    check(multi_choice(*guarded(3), exhaustive=True), (18, 35), (43, 98))


@pytest.mark.promise("PAT-2")
def test_the_counting_place_has_the_published_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_join, "MOST_SUBSET_BRANCHES", 0)
    fragment = discriminator(a, b, c, required=2, then=d, cancel=True)
    check(fragment, (11, 18), (31, 64), bound=3)


@pytest.mark.parametrize("n", range(1, 6))
def test_sequences_parallels_and_exclusive_choices_of_any_width_follow_the_closed_forms(
    n: int,
) -> None:
    tasks = LETTERS[:n]
    check(sequence(*tasks), (n + 1, n), (2 * n + 1, 2 * n))
    check(parallel(*tasks), and_size(n, 2), and_size(n, 3))
    check(exclusive_choice(*guarded(n), exhaustive=True), xor_size(n, 2), xor_size(n, 3))
    check(exclusive_choice(*guarded(n), otherwise=h), xor_size(n + 1, 2), xor_size(n + 1, 3))


h = LETTERS[-1]


@pytest.mark.parametrize("otherwise", [None, h])
@pytest.mark.parametrize("n", range(1, 6))
def test_multi_choices_of_any_width_follow_the_closed_forms_in_both_encodings(
    n: int, otherwise: Callable[..., None] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build() -> Fragment:
        return multi_choice(*guarded(n), otherwise=otherwise, exhaustive=otherwise is None)

    more = otherwise is not None
    check(build(), or_size(n, 2, more), or_size(n, 3, more))
    monkeypatch.setattr(branching, "MOST_SUBSET_BRANCHES", 0)
    check(build(), chain_size(n, 2, more), chain_size(n, 3, more))


@pytest.mark.parametrize(("n", "m"), [(n, m) for m in range(1, 6) for n in range(1, m + 1)])
def test_discriminators_of_any_width_follow_the_closed_forms(
    n: int, m: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = LETTERS[:m]
    check(
        discriminator(*tasks, required=n, then=h),
        structured_size(n, m, 2),
        structured_size(n, m, 3),
        bound=m,
    )
    check(
        discriminator(*tasks, required=n, then=h, cancel=True),
        cancelling_size(n, m, 2),
        cancelling_size(n, m, 3),
    )
    monkeypatch.setattr(partial_join, "MOST_SUBSET_BRANCHES", 0)
    check(
        discriminator(*tasks, required=n, then=h, cancel=True),
        cancelling_size(n, m, 2, counting=True),
        cancelling_size(n, m, 3, counting=True),
        bound=m,
    )


@pytest.mark.slow
@pytest.mark.parametrize("n", [7, 8])
def test_many_branches_take_the_chain_and_the_counting_place(n: int) -> None:
    chain = multi_choice(*guarded(n), otherwise=skip)
    counting = discriminator(*LETTERS[:n], required=2, cancel=True)
    assert len(chain.net.transitions) == 4 * n + n  # n tasks; the chain is linear
    assert len([t for t in counting.net.transitions if t.silent]) == 2
    # `otherwise=skip` has no task, so that the none-rail's end is where everybody has arrived
    markings, edges = chain_size(n, 2)
    assert explore(chain.net).size == (markings + 1, edges + 2)
    # without `then`, firing ends the block
    size = cancelling_size(2, n, 2, counting=True)
    assert explore(counting.net).size == (size[0] - 1, size[1] - 1)
    assert faults(explore(chain.net)) == faults(explore(counting.net)) == []


@pytest.mark.slow
def test_seven_branches_follow_the_closed_forms_in_the_expanded_form() -> None:
    markings, edges = chain_size(7, 3)
    chain = multi_choice(*guarded(7), exhaustive=True).net.expanded()
    assert explore(chain).size == (markings, edges)
    counting = discriminator(*LETTERS[:7], required=3, then=h, cancel=True).net.expanded()
    space = explore(counting)
    assert space.size == cancelling_size(3, 7, 3, counting=True)
    assert faults(space) == []
