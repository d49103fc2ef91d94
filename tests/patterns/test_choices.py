"""What a choice may take: exactly one branch, or any non-empty set, in both encodings."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, combinations

import pytest

from petriflow import Workflow
from petriflow.net import Marking, enabled, fire
from petriflow.net.errors import CompositionError, DefinitionError, NetError
from petriflow.patterns import (
    Fragment,
    branching,
    exclusive_choice,
    exclusive_split,
    multi_choice,
    multi_split,
    sequence,
    skip,
    structured_loop,
    when,
)

from .brute import LETTERS, a, b, c, decisions, e, explore, faults, late, runs, step

Sets = set[frozenset[str]]
SPLITS = [exclusive_choice, multi_choice, exclusive_split, multi_split]


def guarded(n: int) -> list:
    return [when(f"x == {k}", task) for k, task in enumerate(LETTERS[:n])]


def nonempty(names: str) -> Sets:
    sizes = range(1, len(names) + 1)
    return {frozenset(s) for s in chain(*(combinations(names, size) for size in sizes))}


def taken(fragment: Fragment) -> list[frozenset[str]]:
    """The tasks that wait to start after each way to decide."""
    return [
        frozenset(t.label for t in enabled(fragment.net, marking) if t.label)
        for _, marking in decisions(fragment)
    ]


@pytest.mark.promise("PAT-3")
@pytest.mark.parametrize("n", range(1, 6))
def test_an_exclusive_choice_takes_exactly_one_branch_and_any_can_be_the_one(n: int) -> None:
    letters = "abcde"[:n]
    exhaustive = exclusive_choice(*guarded(n), exhaustive=True)
    assert runs(exhaustive.net, 5) == {(letter,) for letter in letters}
    other = exclusive_choice(*guarded(n), otherwise=late)
    assert runs(other.net, 5) == {(letter,) for letter in [*letters, "late"]}
    nothing = exclusive_choice(*guarded(n), otherwise=skip)
    assert runs(nothing.net, 5) == {(letter,) for letter in letters} | {()}


def test_all_selectors_of_an_exclusive_choice_take_the_same_token() -> None:
    """One free-choice cluster: whichever guard is true, its selector is enabled."""
    fragment = exclusive_choice(*guarded(3), otherwise=late)
    (choice,) = fragment.choices
    for selector in choice.selectors:
        assert fragment.net.transition(selector.transition).consume == Marking(choice.place)


@pytest.fixture(params=["subsets", "chain"])
def encoding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(branching, "MOST_SUBSET_BRANCHES", 9 if request.param == "subsets" else 0)
    return request.param


@pytest.mark.promise("PAT-4", "PAT-5")
@pytest.mark.usefixtures("encoding")
@pytest.mark.parametrize("n", range(1, 6))
def test_a_multi_choice_takes_each_non_empty_set_in_exactly_one_way(n: int) -> None:
    letters = "abcde"[:n]
    found = taken(multi_choice(*guarded(n), exhaustive=True))
    assert len(found) == 2**n - 1
    assert set(found) == nonempty(letters)


@pytest.mark.promise("PAT-4", "PAT-5")
@pytest.mark.usefixtures("encoding")
@pytest.mark.parametrize("n", range(1, 6))
def test_otherwise_is_taken_alone_or_not_at_all(n: int) -> None:
    letters = "abcde"[:n]
    found = taken(multi_choice(*guarded(n), otherwise=late))
    assert len(found) == 2**n
    assert set(found) == nonempty(letters) | {frozenset(["late"])}


@pytest.mark.promise("PAT-4", "PAT-5")
@pytest.mark.usefixtures("encoding")
@pytest.mark.parametrize("n", range(1, 6))
def test_otherwise_may_be_to_do_nothing(n: int) -> None:
    found = taken(multi_choice(*guarded(n), otherwise=skip))
    assert len(found) == 2**n
    assert set(found) == nonempty("abcde"[:n]) | {frozenset()}


@pytest.mark.promise("PAT-5")
@pytest.mark.parametrize("n", [6, 7, 8])
def test_more_than_six_branches_take_each_set_in_exactly_one_way_too(n: int) -> None:
    """Without any change to the threshold: at seven it is the chain."""
    fragment = multi_choice(*guarded(n), otherwise=late)
    found = taken(fragment)
    assert len(found) == 2**n
    assert set(found) == nonempty("abcdefgh"[:n]) | {frozenset(["late"])}
    assert (len(fragment.choices[0].selectors) > 2**n - 1) == (n == 6)


@pytest.mark.promise("PAT-4")
@pytest.mark.usefixtures("encoding")
def test_the_merge_waits_for_just_the_branches_taken() -> None:
    tasks = {"a", "b", "c", "late"}
    fragment = multi_choice(*guarded(3), otherwise=late)
    for _, decided in decisions(fragment):
        space_start, todo = decided, [decided]
        seen = {space_start}
        while todo:
            marking = todo.pop()
            for t in enabled(fragment.net, marking):
                waiting = {x.label for x in enabled(fragment.net, marking)} & tasks
                # the join is silent: it can fire exactly when no taken task is left
                assert t.silent == (not waiting)
                after = fire(t, marking)
                if after not in seen:
                    seen.add(after)
                    todo.append(after)
        assert Marking(fragment.exit) in seen


@pytest.mark.usefixtures("encoding")
@pytest.mark.parametrize("otherwise", [None, late, skip])
@pytest.mark.parametrize("n", range(1, 5))
def test_selectors_say_what_they_take_and_skip(
    n: int, otherwise: Callable[..., None] | Fragment | None
) -> None:
    """The engine picks the steps by these numbers: along every way they settle each branch once."""
    fragment = multi_choice(*guarded(n), otherwise=otherwise, exhaustive=otherwise is None)
    (choice,) = fragment.choices
    by_id = {s.transition: s for s in choice.selectors}
    everything = set(range(len(choice.branches)))
    for steps, marking in decisions(fragment):
        takes = [k for s in steps for k in by_id[s].takes]
        skips = [k for s in steps for k in by_id[s].skips]
        assert sorted(takes + skips) == sorted(everything)
        waiting = {t.label for t in enabled(fragment.net, marking) if t.label}
        assert {choice.branches[k].name for k in takes} - {"otherwise"} == waiting
    assert [branch.guard for branch in choice.branches] == [
        *(f"x == {k}" for k in range(n)),
        *([None] if otherwise else []),
    ]


@pytest.mark.usefixtures("encoding")
def test_a_branch_may_do_nothing() -> None:
    fragment = multi_choice(when("x", a), when("y", skip), otherwise=b)
    assert [
        s for net in (fragment.net, fragment.net.expanded()) for s in faults(explore(net))
    ] == []
    assert runs(fragment.net, 3) == {("a",), (), ("b",)}


@pytest.mark.usefixtures("encoding")
def test_names_that_look_like_the_choices_own_are_told_apart() -> None:
    """Steps of a choice are named after its branches; `b-first` and `b` are two of them."""
    tasks = [step(name) for name in ("b-first", "b", "b-again", "b-again-first", "first")]
    fragment = multi_choice(*(when("x", task) for task in tasks), otherwise=step("b-otherwise"))
    assert len(taken(fragment)) == 2**5
    assert faults(explore(fragment.net)) == []


def test_a_name_that_would_hide_a_selector_is_refused_and_never_loses_one() -> None:
    with pytest.raises(NetError, match=r"two nodes are named 'multi_choice\.select-a\+b'"):
        multi_choice(when("x", step("a+b")), when("y", a), when("z", b), exhaustive=True)


@pytest.mark.promise("PAT-8")
def test_a_while_loop_runs_its_body_any_number_of_times_and_an_until_loop_at_least_once() -> None:
    many = {("a",) * n for n in range(5)}
    assert runs(structured_loop(a, while_="x").net, 4) == many
    assert runs(structured_loop(a, until="x").net, 4) == many - {()}


@pytest.mark.promise("PAT-8")
def test_the_whole_body_is_repeated() -> None:
    body = sequence(a, exclusive_choice(when("x", b), otherwise=c))
    words = {("a", "b"), ("a", "c")}
    twice = words | {x + y for x in words for y in words}
    assert runs(structured_loop(body, until="done").net, 4) == twice
    assert runs(structured_loop(body, while_="more").net, 4) == twice | {()}


@pytest.mark.parametrize(
    ("arguments", "asked"), [({"while_": "x"}, "again"), ({"until": "x"}, "leave")]
)
def test_a_loops_guard_stands_at_what_it_allows(arguments: dict[str, str], asked: str) -> None:
    (choice,) = structured_loop(a, **arguments).choices
    assert [(branch.name, branch.guard) for branch in choice.branches] == [
        (asked, "x"),
        ({"again": "leave", "leave": "again"}[asked], None),
    ]
    for number, selector in enumerate(choice.selectors):
        assert selector.takes == {number}
        assert selector.transition == f"structured_loop.{choice.branches[number].name}"
    assert not choice.many


@pytest.mark.promise("PAT-11")
@pytest.mark.parametrize("pattern", SPLITS)
def test_a_choice_needs_an_otherwise_or_a_promise_or_a_proof_and_not_both(
    pattern: Callable[..., Fragment],
) -> None:
    assert pattern(when("x", a)).choices[0].to_prove
    assert not pattern(when("x", a), exhaustive=True).choices[0].to_prove
    assert not pattern(when("x", a), otherwise=b).choices[0].to_prove
    with pytest.raises(CompositionError, match="either otherwise="):
        pattern(when("x", a), otherwise=b, exhaustive=True)
    assert len(pattern(when("x", a), exhaustive=True).choices[0].branches) == 1


@pytest.mark.promise("PAT-11")
@pytest.mark.parametrize("pattern", [exclusive_choice, multi_choice])
def test_a_choice_whose_guards_are_not_proved_exhaustive_is_no_part_of_a_workflow(
    pattern: Callable[..., Fragment],
) -> None:
    """However deep it lies; tests/analysis/test_guards.py says when they are proved."""
    inner = pattern(when("x", a), name="inner")
    whole = sequence(b, exclusive_choice(when("y", inner), otherwise=c))
    with pytest.raises(DefinitionError, match=r"/inner' .*otherwise=skip does nothing.*no types"):
        Workflow("w", whole)


@pytest.mark.parametrize("pattern", [exclusive_choice, multi_choice])
def test_a_choice_without_guards_is_refused(pattern: Callable[..., Fragment]) -> None:
    with pytest.raises(CompositionError, match=r"needs at least one when\(guard, fragment\)"):
        pattern(otherwise=a)
    with pytest.raises(CompositionError, match=r"'a' has no guard; write when\(guard, …\)"):
        pattern(a, otherwise=b)
    with pytest.raises(CompositionError, match="a guard is a text such as 'total > 1000'"):
        when(True, a)


def test_a_loop_needs_a_test() -> None:
    with pytest.raises(CompositionError, match=r"needs while_= .* or until="):
        structured_loop(a)


def test_a_loop_needs_a_guard_and_a_body() -> None:
    with pytest.raises(CompositionError, match="structured_loop 'wait': a guard is a text"):
        structured_loop(a, while_=3, name="wait")
    for nothing in (skip, sequence(skip, skip)):
        with pytest.raises(CompositionError, match="repeats nothing; give it a body"):
            structured_loop(nothing, until="x")


def test_the_guards_are_kept_in_the_order_given() -> None:
    def big(case: object) -> bool:
        return True

    fragment = exclusive_choice(when(big, a), when("y", b), otherwise=e)
    assert [(x.name, x.guard) for x in fragment.choices[0].branches] == [
        ("a", big),
        ("b", "y"),
        ("e", None),
    ]
