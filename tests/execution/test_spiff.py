"""Random block-structured workflows do the same here and in SpiffWorkflow, another engine."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petriflow import Workflow, task
from petriflow.patterns import (
    Fragment,
    exclusive_choice,
    multi_choice,
    parallel,
    sequence,
    structured_loop,
    when,
)

spiff = pytest.importorskip("SpiffWorkflow", reason="not installed: pip install '.[peers]'")
from SpiffWorkflow import TaskState  # noqa: E402
from SpiffWorkflow import Workflow as SpiffWorkflow  # noqa: E402
from SpiffWorkflow.operators import Attrib, Equal, LessThan  # noqa: E402
from SpiffWorkflow.specs.ExclusiveChoice import ExclusiveChoice  # noqa: E402
from SpiffWorkflow.specs.Join import Join  # noqa: E402
from SpiffWorkflow.specs.MultiChoice import MultiChoice  # noqa: E402
from SpiffWorkflow.specs.Simple import Simple  # noqa: E402
from SpiffWorkflow.specs.WorkflowSpec import WorkflowSpec  # noqa: E402


@dataclass
class Node:
    """A block: a task, or parts under a routing; each choice knows its answer beforehand."""

    kind: str
    parts: list[Node] = field(default_factory=list)
    chosen: frozenset[int] = frozenset()
    times: int = 1
    name: str = ""

    def walk(self) -> Iterator[Node]:
        yield self
        for part in self.parts:
            yield from part.walk()

    def tasks(self) -> set[str]:
        return {node.name for node in self.walk() if node.kind == "task"}


@st.composite
def _routings(draw: st.DrawFn, parts: st.SearchStrategy[Node]) -> Node:
    kind = draw(st.sampled_from(["seq", "and", "xor", "or", "loop"]))
    if kind == "loop":
        return Node(kind, [draw(parts)], times=draw(st.integers(1, 3)))
    some = draw(st.lists(parts, min_size=2, max_size=3))
    numbers = st.integers(0, len(some) - 1)
    at_most = len(some) if kind == "or" else 1
    return Node(kind, some, draw(st.frozensets(numbers, min_size=1, max_size=at_most)))


@st.composite
def trees(draw: st.DrawFn, leaves: int = 12) -> Node:
    """A block whose nodes are named apart."""
    task = st.builds(Node, st.just("task"))
    tree = draw(st.recursive(task, _routings, max_leaves=leaves))
    for number, node in enumerate(tree.walk()):
        node.name = f"{node.kind}{number}"
    return tree


def answers(tree: Node) -> dict[str, Any]:
    """The variables that make each choice answer as it should; loops count from 0."""
    given: dict[str, Any] = {}
    for node in tree.walk():
        if node.kind in ("xor", "or"):
            given |= {f"{node.name}_{n}": n in node.chosen for n in range(len(node.parts))}
        if node.kind == "loop":
            given[node.name] = 0
    return given


# -- the two engines ------------------------------------------------------------------------------


def here(tree: Node) -> list[str]:
    """The tasks in the order in which petriflow's engine runs their bodies."""
    ran: list[str] = []

    def block(node: Node) -> Fragment:
        parts = [block(part) for part in node.parts]
        choices = [when(f"{node.name}_{n}", part) for n, part in enumerate(parts)]
        match node.kind:
            case "seq":
                return sequence(*parts)
            case "and":
                return parallel(*parts)
            case "xor":
                return exclusive_choice(*choices, exhaustive=True)
            case "or":
                return multi_choice(*choices, exhaustive=True)
            case "loop":
                return structured_loop(sequence(*parts, count(node)), until=f"{node.name} == 0")
        return sequence(record(node))

    def record(node: Node) -> Any:
        async def body(case: Any) -> None:
            ran.append(node.name)

        return task(body, name=node.name)

    def count(node: Node) -> Any:
        async def body(case: Any) -> dict[str, int]:
            return {node.name: (case[node.name] + 1) % node.times}

        return task(body, name=f"count {node.name}")

    assert Workflow("random", block(tree)).run(answers(tree)).status == "completed"
    return ran


def there(tree: Node) -> list[str]:
    """The tasks in the order in which SpiffWorkflow completes them."""
    spec = WorkflowSpec("random", addstart=True)

    def block(node: Node) -> tuple[Any, Any]:
        """The first and the last task of the block's net."""
        name = node.name
        if node.kind == "task":
            only = Simple(spec, name)
            return only, only
        ends = [block(part) for part in node.parts]
        if node.kind == "seq":
            for (_, before), (after, _) in itertools.pairwise(ends):
                before.connect(after)
            return ends[0][0], ends[-1][1]
        if node.kind == "loop":
            return loop(node, *ends[0])
        split = {"and": Simple, "xor": ExclusiveChoice, "or": MultiChoice}[node.kind](spec, name)
        merge: Any = Simple(spec, f"end {name}")
        if node.kind != "xor":
            merge = Join(spec, f"join {name}", split_task=name)
        for number, (first, last) in enumerate(ends):
            if node.kind == "and":
                split.connect(first)
            else:
                split.connect_if(Equal(Attrib(f"{name}_{number}"), True), first)
            last.connect(merge)
        if node.kind == "xor":
            never = Simple(spec, f"never {name}")
            split.connect(never)
            never.connect(merge)
        return split, merge

    def loop(node: Node, first: Any, last: Any) -> tuple[Any, Any]:
        count = Simple(spec, f"count {node.name}")
        again = ExclusiveChoice(spec, f"again {node.name}")
        last.connect(count)
        count.connect(again)
        after = Simple(spec, f"end {node.name}")
        back = Simple(spec, f"back {node.name}")
        again.connect_if(LessThan(0, Attrib(node.name)), back)
        again.connect(after)
        back.connect(first)
        return first, after

    first, _ = block(tree)
    spec.start.connect(first)
    workflow = SpiffWorkflow(spec)
    root: Any = workflow.task_tree
    root.set_data(**answers(tree))
    counted = {f"count {node.name}": node for node in tree.walk() if node.kind == "loop"}
    names, ran = tree.tasks(), []
    while ready := workflow.get_next_task(state=TaskState.READY):
        name = ready.task_spec.name
        if name in counted:
            node = counted[name]
            ready.set_data(**{node.name: (ready.get_data(node.name) + 1) % node.times})
        ready.run()
        if name in names:
            ran.append(name)
    assert workflow.is_completed()
    return ran


# -- what must agree ------------------------------------------------------------------------------


def concurrent(tree: Node) -> set[frozenset[str]]:
    """The pairs of tasks that lie in different branches of one split."""
    return {
        frozenset(pair)
        for node in tree.walk()
        if node.kind in ("and", "or")
        for one, other in itertools.combinations(node.parts, 2)
        for pair in itertools.product(one.tasks(), other.tasks())
    }


@settings(max_examples=100, deadline=None)
@given(trees())
def test_the_same_tasks_in_a_compatible_order(tree: Node) -> None:
    """As often each, and tasks that are not concurrent take turns in the same way."""
    ours, theirs = here(tree), there(tree)
    assert Counter(ours) == Counter(theirs)
    free = concurrent(tree)
    for pair in map(frozenset, itertools.combinations(sorted(set(ours)), 2)):
        if pair not in free:
            assert [t for t in ours if t in pair] == [t for t in theirs if t in pair]
