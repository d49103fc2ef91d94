"""Names, ids, `>>`, and what may stand where."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from petriflow.net import Origin
from petriflow.net.errors import CompositionError
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
from petriflow.workflow import Task, task

from .brute import a, b, c, d, runs, step


def tasks(fragment: Fragment) -> list[str]:
    return list(fragment.tasks)


@pytest.mark.promise("PAT-1")
def test_ids_are_the_paths_of_names_and_positions() -> None:
    fragment = sequence(
        a,
        parallel(b, sequence(c, d)),
        parallel(a, b, name="second"),
        exclusive_choice(when("x", sequence(a, b)), otherwise=skip),
        name="order",
    )
    assert tasks(fragment) == [
        "order/a",
        "order/parallel-2/b",
        "order/parallel-2/sequence-2/c",
        "order/parallel-2/sequence-2/d",
        "order/second/a",
        "order/second/b",
        "order/exclusive_choice-4/sequence-1/a",
        "order/exclusive_choice-4/sequence-1/b",
    ]
    assert fragment.net.transition("order/parallel-2.split").origin == Origin(
        "order/parallel-2", "parallel", "split"
    )
    assert fragment.net.place("order/parallel-2/b.in").origin == Origin(
        "order/parallel-2/b", "task", "in"
    )
    running = fragment.net.expanded().place("order/second/b.running")
    assert running.origin == Origin("order/second/b", "task", "running")


@pytest.mark.promise("PAT-1")
def test_a_fused_place_keeps_the_names_it_had() -> None:
    fragment = sequence(a, b, c)
    place = fragment.net.place("sequence/a.out")
    assert place.aliases == ("sequence/b.in",)
    assert place.origin == Origin("sequence/a", "task", "out")


@pytest.mark.promise("PAT-12")
def test_one_task_used_again_in_a_scope_gets_a_number() -> None:
    assert tasks(sequence(a, a, b, a)) == [
        "sequence/a", "sequence/a~2", "sequence/b", "sequence/a~3",
    ]  # fmt: skip
    assert tasks(a_twice := parallel(task(a), task(a))) == ["parallel/a", "parallel/a~2"]
    assert a_twice.net.transition("parallel/a~2").label == "a"
    assert tasks(sequence(parallel(a, b), a)) == [
        "sequence/parallel-1/a", "sequence/parallel-1/b", "sequence/a",
    ]  # fmt: skip


def test_one_named_fragment_used_again_gets_a_number_too() -> None:
    notify = parallel(a, b, name="notify")
    assert tasks(sequence(notify, c, notify)) == [
        "sequence/notify/a", "sequence/notify/b", "sequence/c",
        "sequence/notify~2/a", "sequence/notify~2/b",
    ]  # fmt: skip


@pytest.mark.promise("PAT-12")
@pytest.mark.parametrize(
    "compose",
    [
        lambda one, two: sequence(one, two),
        lambda one, two: parallel(one, two),
        lambda one, two: exclusive_choice(when("x", one), otherwise=two),
        lambda one, two: multi_choice(when("x", one), when("y", two), otherwise=skip),
        lambda one, two: discriminator(one, two),
        lambda one, two: discriminator(one, c, then=two, cancel=True),
        lambda one, two: sequence(one) >> two,
    ],
)
def test_two_different_parts_of_one_name_in_a_scope_are_refused(
    compose: Callable[..., Fragment],
) -> None:
    for one, two in [
        (step("pay"), step("pay")),
        (task(a), task(retries=2)(a)),
        (parallel(a, name="pay"), parallel(b, name="pay")),
        (parallel(a, name="pay"), step("pay")),
    ]:
        with pytest.raises(
            CompositionError, match=r"two different parts named '(pay|a)'; give one"
        ):
            compose(one, two)


def test_tasks_of_one_name_may_stand_in_different_scopes() -> None:
    one, two = step("pay"), step("pay")
    assert tasks(sequence(parallel(one, a), parallel(two, a))) == [
        "sequence/parallel-1/pay", "sequence/parallel-1/a",
        "sequence/parallel-2/pay", "sequence/parallel-2/a",
    ]  # fmt: skip


def test_a_name_that_imitates_a_position_is_refused() -> None:
    with pytest.raises(CompositionError, match="two different parts named 'parallel-2'"):
        sequence(parallel(a, name="parallel-2"), parallel(b))


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a.b", "a~2", "a#1", "a\nb", "a\tb", 3, b"a"])
def test_a_name_that_would_break_a_path_is_refused(name: object) -> None:
    for build in (sequence, parallel, discriminator):
        with pytest.raises(CompositionError, match="cannot be the name of a fragment"):
            build(a, name=name)
    with pytest.raises(CompositionError, match="cannot be the name of a fragment"):
        exclusive_choice(when("x", a), otherwise=skip, name=name)
    with pytest.raises(CompositionError, match="cannot be the name of a fragment"):
        structured_loop(a, until="x", name=name)


@pytest.mark.parametrize("name", ["a b", "größe", "支付", "C++", "a-1", "<script>", "it's"])
def test_any_other_name_will_do(name: str) -> None:
    assert tasks(sequence(step(name), name=name)) == [f"{name}/{name}"]


@pytest.mark.parametrize("pattern", [sequence, parallel, discriminator])
def test_a_pattern_of_nothing_is_refused(pattern: Callable[..., Fragment]) -> None:
    with pytest.raises(CompositionError, match="needs at least 1 part, got 0"):
        pattern()


@pytest.mark.parametrize("thing", [None, 3, "a", [a, b], when("x", a), object()])
def test_what_is_no_step_is_refused_by_what_it_is(thing: object) -> None:
    for build in (
        lambda: sequence(a, thing),
        lambda: parallel(thing),
        lambda: when("x", thing),
        lambda: sequence(a) >> thing,
        lambda: structured_loop(thing, until="x"),
        lambda: discriminator(a, then=thing) if thing is not None else sequence(None),
    ):
        with pytest.raises(CompositionError, match="cannot stand in a workflow"):
            build()


def test_a_lambda_has_no_name() -> None:
    with pytest.raises(CompositionError, match=r"a lambda has no name .* write `def`, or @task"):
        sequence(lambda case: None)


# -- >> -------------------------------------------------------------------------------------


A, B, C = task(a), task(b), task(c)
FLAT = ["sequence/a", "sequence/b", "sequence/c"]


@pytest.mark.promise("FLOW-1")
@pytest.mark.parametrize(
    "chain",
    [
        lambda: A >> B >> C,
        lambda: A >> b >> c,
        lambda: a >> B >> c,
        lambda: a >> (b >> C),
        lambda: A >> (B >> C),
        lambda: a >> sequence(b, c),
        lambda: sequence(a) >> b >> c,
        lambda: sequence(a, b) >> sequence(c),
        lambda: sequence(a, b) >> C,
    ],
)
def test_an_arrow_with_functions_tasks_and_fragments_makes_one_flat_sequence(
    chain: Callable[[], Fragment],
) -> None:
    fragment = chain()
    assert tasks(fragment) == FLAT
    assert runs(fragment.net, 3) == {("a", "b", "c")}
    assert [p.id for p in fragment.net.places] == [p.id for p in sequence(a, b, c).net.places]


def test_a_named_sequence_stays_a_part_of_its_own() -> None:
    named = sequence(a, b, name="first")
    assert tasks(named >> c) == ["sequence/first/a", "sequence/first/b", "sequence/c"]
    assert tasks(c >> named) == ["sequence/c", "sequence/first/a", "sequence/first/b"]


def test_the_positions_in_a_chain_are_those_in_the_flat_sequence() -> None:
    left = (A >> parallel(b, c)) >> parallel(a, b)
    right = A >> (parallel(b, c) >> parallel(a, b))
    assert left == right == sequence(A, parallel(b, c), parallel(a, b))


def test_an_arrow_repeats_a_task_under_a_number() -> None:
    assert tasks(A >> B >> A) == ["sequence/a", "sequence/b", "sequence/a~2"]


def test_steps_that_do_nothing_leave_no_place_behind() -> None:
    fragment = skip >> A >> skip >> skip >> b >> skip
    assert runs(fragment.net, 2) == {("a", "b")}
    assert len(fragment.net.places) == 3
    nothing = sequence(skip, skip)
    assert nothing.entry == nothing.exit
    assert tasks(nothing) == []


@pytest.mark.promise("FLOW-1")
def test_functions_coroutine_functions_and_tasks_stand_for_fragments_everywhere() -> None:
    async def later(case: object) -> None: ...

    @task(retries=1)
    async def again(case: object) -> None: ...

    everywhere = sequence(
        a,
        later,
        again,
        parallel(a, later, again),
        exclusive_choice(when("x", later), when("y", again), otherwise=a),
        multi_choice(when("x", later), when("y", a), otherwise=again),
        discriminator(a, later, then=again),
        discriminator(again, later, then=a, cancel=True),
        structured_loop(later, until="x"),
    )
    assert len(everywhere.tasks) == 3 + 3 + 3 + 3 + 3 + 3 + 1
    bound = everywhere.tasks["sequence/again"]
    assert isinstance(bound, Task)
    assert bound.retries == 1
    assert everywhere.tasks["sequence/later"] is later


def test_a_fragment_tells_what_it_is() -> None:
    assert repr(parallel(a, b)) == "<Fragment 'parallel' (parallel): 2 tasks>"
    assert repr(parallel(a, b, name="both")) == "<Fragment 'both' (parallel): 2 tasks>"


def test_parts_are_not_changed_by_what_is_made_of_them() -> None:
    part = discriminator(a, b, cancel=True)
    before = part.net.content_hash
    once = sequence(part, c)
    assert sequence(part, c).net.content_hash == once.net.content_hash
    part.refine("a", parallel(c, d))
    assert part.net.content_hash == before
    assert tasks(part) == ["cancelling_discriminator/a", "cancelling_discriminator/b"]
