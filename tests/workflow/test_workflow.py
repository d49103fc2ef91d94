"""Workflows: what is refused when one is built, what it says of itself, and its content hash."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from petriflow import Workflow, collect, last_wins, reduce, task
from petriflow.net.errors import CompositionError, DefinitionError, GuardError
from petriflow.patterns import (
    discriminator,
    exclusive_choice,
    multi_choice,
    parallel,
    sequence,
    skip,
    structured_loop,
    when,
)


def named(name: str) -> Callable[..., None]:
    """A task of this name; two calls give two functions of the same name and other code."""

    def body(case: object) -> None: ...

    body.__name__ = body.__qualname__ = name
    return body


a, b, c, d = map(named, "abcd")


class Variables(BaseModel):
    total: int = 0
    country: str = "DE"
    notes: list[str] = []


# -- what it is -----------------------------------------------------------------------------


def test_the_name_is_the_first_segment_of_every_id() -> None:
    order = Workflow("order", sequence(a, parallel(b, c), name="main"))
    assert list(order.tasks) == ["order/a", "order/parallel-2/b", "order/parallel-2/c"]
    assert order.net.name == "order"
    assert order.net.source.id == "order/a.in"
    assert {node.id.split("/")[0].split(".")[0] for node in order.net.places} == {"order"}
    assert repr(order) == "<Workflow 'order': 3 tasks>"


@pytest.mark.promise("FLOW-1")
def test_a_function_alone_is_a_workflow() -> None:
    async def later(case: object) -> None: ...

    for body in (a, later, task(retries=2)(a)):
        workflow = Workflow("w", body)
        assert list(workflow.tasks) == ["w"]
        assert [p.id for p in workflow.net.places] == ["w.in", "w.out"]
        assert workflow.verify().verdict == "sound"
    assert Workflow("w", task(retries=2)(a)).tasks["w"].retries == 2


def test_choices_and_blocks_are_those_of_the_whole() -> None:
    inner = exclusive_choice(when("total > 1", a), otherwise=b, name="pick")
    order = Workflow("order", parallel(sequence(inner, c, name="left"), d))
    (choice,) = order.choices
    (block,) = order.blocks
    assert choice.path == "order/left/pick"
    assert order.net.place(choice.place).id == "order/left/pick.in"
    assert [s.transition for s in choice.selectors] == [
        "order/left/pick.select-a", "order/left/pick.select-b",
    ]  # fmt: skip
    assert (block.path, block.branches) == ("order", ("order/left", "order/d"))
    assert list(order.questions) == ["order/left/pick"]
    assert [q and q.text for q in order.questions["order/left/pick"]] == ["total > 1", None]


def test_captions_are_the_guards_at_the_selectors_of_one_branch() -> None:
    def is_big(case: Any) -> bool:
        return True

    order = Workflow(
        "order",
        sequence(
            exclusive_choice(when("total > 1", a), when(is_big, b), otherwise=c, name="one"),
            multi_choice(when("x", a), when("y", b), otherwise=skip, name="many"),
            structured_loop(d, until="done", name="again"),
        ),
    )
    assert order.captions == {
        "order/one.select-a": "total > 1",
        "order/one.select-b": is_big.__qualname__,
        "order/one.select-c": "otherwise",
        "order/many.select-a": "x",
        "order/many.select-b": "y",
        "order/many.select-otherwise": "otherwise",
        "order/again.leave": "done",
        "order/again.again": "otherwise",
    }
    assert all(order.net.transition(id).silent for id in order.captions)


def test_a_workflow_shows_itself_with_its_guards() -> None:
    order = Workflow("order", exclusive_choice(when("total > 1", a), otherwise=b))
    shown = order._repr_mimebundle_()
    assert shown["image/svg+xml"].startswith("<svg")
    assert "total &gt; 1" in shown["image/svg+xml"]
    assert "\n" not in shown["text/plain"]


def test_a_workflow_is_judged_in_both_forms() -> None:
    order = Workflow("order", discriminator(a, b, cancel=True, then=c))
    assert (order.verify().form, order.verify(form="atomic").form) == ("expanded", "atomic")
    assert order.verify().verdict == order.verify(form="atomic").verdict == "sound"
    # published counts of net 29, 1-of-2
    assert (order.verify().markings, order.verify(form="atomic").markings) == (13, 7)


@pytest.mark.parametrize("n", [2, 3])
def test_a_discriminator_that_requires_everybody_is_a_sound_workflow(n: int) -> None:
    branches = (a, b, c)[:n]
    assert Workflow("w", discriminator(*branches, required=n)).verify().verdict == "sound"


# -- what is refused when it is built -------------------------------------------------------


def test_a_workflow_without_a_task_is_refused() -> None:
    for nothing in (skip, sequence(skip, skip), exclusive_choice(when("x", skip), otherwise=skip)):
        with pytest.raises(DefinitionError, match="workflow 'w' has no task; give it a step to do"):
            Workflow("w", nothing)


@pytest.mark.parametrize("name", ["", "a/b", "a.b", "a#1", None, 3])
def test_a_name_that_would_break_a_path_is_refused(name: Any) -> None:
    with pytest.raises(CompositionError, match="cannot be the name"):
        Workflow(name, a)


@pytest.mark.parametrize("body", [None, "a", [a, b], 3])
def test_a_body_that_is_no_step_is_refused(body: Any) -> None:
    with pytest.raises(CompositionError, match="cannot stand in a workflow"):
        Workflow("w", body)


@pytest.mark.promise("FLOW-2")
@pytest.mark.parametrize(
    "body",
    [
        exclusive_choice(when("total >", a), otherwise=b),
        multi_choice(when("x", a), when("open('f')", b), otherwise=skip),
        structured_loop(a, while_="total.__class__"),
        structured_loop(a, until=""),
        parallel(a, sequence(b, exclusive_choice(when("import os", c), otherwise=skip))),
    ],
)
def test_a_guard_that_cannot_be_read_is_refused_when_the_workflow_is_built(body: Any) -> None:
    with pytest.raises(GuardError):
        Workflow("w", body)


@pytest.mark.promise("FLOW-2")
def test_a_guard_on_an_undeclared_variable_is_refused_when_the_workflow_is_built() -> None:
    for pattern in (
        exclusive_choice(when("totl > 5", a), otherwise=b),
        multi_choice(when("country", a), when("totl > 5", b), otherwise=skip),
        structured_loop(a, until="totl > 5"),
    ):
        with pytest.raises(GuardError, match=r"no variable 'totl'; did you mean 'total'\?"):
            Workflow("w", pattern, variables=Variables)
        assert Workflow("w", pattern)  # without a model, nobody knows


def test_a_policy_must_be_one_and_speak_of_a_declared_variable() -> None:
    for wrong in ("last", max, None, "collect"):
        with pytest.raises(DefinitionError, match=r"merge\['total'\] is .*; use last_wins"):
            Workflow("w", a, variables=Variables, merge={"total": wrong})
        with pytest.raises(DefinitionError, match=r"merge\['total'\] is"):
            Workflow("w", exclusive_choice(when("x", a), otherwise=b), merge={"total": wrong})
    with pytest.raises(DefinitionError, match="merge names 'zebra', which is not declared in Var"):
        Workflow("w", a, variables=Variables, merge={"zebra": last_wins})
    with pytest.raises(DefinitionError, match=r"merge=\['total'\] is not a mapping"):
        Workflow("w", a, merge=["total"])
    workflow = Workflow("w", a, merge={"total": last_wins, "notes": collect})
    assert workflow.policy("total") == last_wins
    assert str(workflow.policy("zebra")) == "error"
    assert workflow.schema.collected == {"notes"}


def test_an_example_must_fit() -> None:
    for variables, example in [
        (Variables, {"total": "much"}),
        (Variables, {"zebra": 1}),
        (None, {"total": {1, 2}}),
        (None, {1: 2}),
    ]:
        with pytest.raises(DefinitionError, match="workflow 'w': in its example, variable"):
            Workflow("w", a, variables=variables, example=example)
    with pytest.raises(DefinitionError, match="in its example, variable 'notes' is collected"):
        Workflow("w", a, merge={"notes": collect}, example={"notes": "abc"})
    with pytest.raises(DefinitionError, match=r"example=\[1\] is not a mapping"):
        Workflow("w", a, example=[1])


def test_variables_must_be_a_model() -> None:
    with pytest.raises(DefinitionError, match="is not a pydantic model class"):
        Workflow("w", a, variables=dict)


def test_what_was_handed_in_can_change_without_changing_the_workflow() -> None:
    merge, example = {"total": last_wins}, {"total": 1}
    workflow = Workflow("w", a, merge=merge, example=example)
    before = workflow.content_hash
    merge["total"], example["total"] = collect, 2
    assert workflow.policy("total") == last_wins
    assert workflow.example == {"total": 1}
    assert Workflow("w", a, merge={"total": last_wins}).content_hash == before


# -- the content hash -----------------------------------------------------------------------


def order(**changes: Any) -> Workflow:
    """One workflow with everything in it; each change is one difference in its definition."""
    given: dict[str, Any] = {
        "name": "order", "first": a, "guard": "total > 1", "many": "country == 'DE'",
        "loop": "total > 9", "required": 1, "cancel": True, "otherwise": skip,
        "variables": Variables, "merge": {"total": reduce("old + new")}, "example": {},
    } | changes  # fmt: skip
    return Workflow(
        given["name"],
        sequence(
            given["first"],
            exclusive_choice(when(given["guard"], b), otherwise=given["otherwise"]),
            multi_choice(when(given["many"], b), when("total", c), otherwise=skip),
            discriminator(
                a, parallel(b, c), required=given["required"], cancel=given["cancel"], then=d
            ),
            structured_loop(a, until=given["loop"]),
        ),
        variables=given["variables"],
        merge=given["merge"],
        example=given["example"],
    )


def is_big(case: Any) -> bool:
    return bool(case.total > 1)


def is_small(case: Any) -> bool:
    return bool(case.total < 1)


class MoreVariables(Variables):
    more: int = 0


class OtherDefault(Variables):
    total: int = 1


@pytest.mark.promise("FLOW-10")
def test_the_hash_changes_with_every_part_of_the_definition() -> None:
    renamed = named("a")
    renamed.__qualname__ = "elsewhere.a"
    hashes = {
        repr(changes): order(**changes).content_hash
        for changes in [
            {},
            {"name": "order2"},
            {"first": d},
            {"first": sequence(a, b)},
            {"first": renamed},
            {"first": task(name="x")(a)},
            {"first": task(retries=1)(a)},
            {"first": task(timeout=5)(a)},
            {"first": task(delay=5)(a)},
            {"first": task(backoff=3)(a)},
            {"guard": "total > 2"},
            {"guard": "total  > 1"},
            {"guard": is_big},
            {"guard": is_small},
            {"many": "country == 'FR'"},
            {"loop": "total > 8"},
            {"otherwise": c},
            {"required": 2},
            {"cancel": False},
            {"variables": None},
            {"variables": MoreVariables},
            {"variables": OtherDefault},
            {"merge": {}},
            {"merge": {"total": last_wins}},
            {"merge": {"total": collect}},
            {"merge": {"total": reduce("new + old")}},
            {"merge": {"country": reduce("old + new")}},
        ]
    }
    assert len(set(hashes.values())) == len(hashes)


@pytest.mark.promise("FLOW-10")
def test_the_hash_covers_no_code_and_no_words_for_readers() -> None:
    def other(case: object) -> None:
        """Other code under the same name."""
        raise RuntimeError("never")

    other.__name__ = other.__qualname__ = "a"
    assert other.__code__ != a.__code__

    class Same(BaseModel):
        """The variables, explained."""

        total: int = 0
        country: str = "DE"
        notes: list[str] = []

    same = order()
    assert sequence(a) != sequence(other)
    assert Workflow("w", sequence(other)).content_hash == Workflow("w", sequence(a)).content_hash
    assert order(variables=Same).content_hash == same.content_hash
    assert order(example={"total": 5}).content_hash == same.content_hash
    assert order(first=task(a)).content_hash == same.content_hash


MODEL = """
    import enum
    from pydantic import BaseModel
    from petriflow import Workflow, collect, last_wins, reduce, task
    from petriflow.patterns import (
        discriminator, exclusive_choice, multi_choice, parallel, sequence, skip, when)

    class Colour(str, enum.Enum):
        RED = "red"
        BLUE = "blue"

    class Part(BaseModel):
        colour: Colour = Colour.RED
        sizes: set[str] = {"s", "m", "l", "xl", "xxl"}

    class Variables(BaseModel):
        total: int = 0
        tags: set[str] = {"a", "b", "c", "d", "e", "f"}
        more: frozenset[str] | None = frozenset({"a", "b", "c", "d", "e", "f"})
        part: Part = Part()

    def a(case): ...
    def b(case): ...
    async def c(case): ...
    def big(case): return case.total > 1

    order = Workflow("order", sequence(
        discriminator(a, parallel(b, c), cancel=True, then=task(name="last", retries=2)(a)),
        multi_choice(when("total > 1", a), when(big, b), when("part", c), otherwise=skip),
        discriminator(a, b, c, required=2),
    ), variables=Variables, merge={"tags": last_wins, "total": reduce("old + new")})
    print(order.content_hash)
"""


@pytest.mark.promise("FLOW-10")
def test_the_hash_is_the_same_in_every_process() -> None:
    """Sets are ordered by the hash seed; neither resets nor defaults may show it."""
    hashes = {
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(MODEL)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("0", "1", "42")
    }
    assert len(hashes) == 1
    assert len(hashes.pop().strip()) == 64


def test_two_workflows_are_equal_only_if_they_are_the_same_object() -> None:
    """It is a key of caches; the content hash tells whether two say the same."""
    first, second = Workflow("w", a), Workflow("w", a)
    assert first != second
    assert len({first, second}) == 2
    assert first.content_hash == second.content_hash
