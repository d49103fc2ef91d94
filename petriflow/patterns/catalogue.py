"""The control-flow patterns of the Workflow Patterns Initiative, each with a runnable example.

Numbers, names and groups are those of Russell, ter Hofstede, van der Aalst and Mulyar: Workflow
Control-Flow Patterns, a Revised View (BPM-06-22, 2006).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from petriflow.net import Net
from petriflow.net.errors import CompositionError
from petriflow.patterns.basic import exclusive_choice, parallel, sequence
from petriflow.patterns.branching import (
    exclusive_split,
    multi_choice,
    multi_split,
    parallel_split,
    thread_split,
    when,
)
from petriflow.patterns.cancellation import cancel_case, cancel_region, cancellable
from petriflow.patterns.fragment import Event, Fragment, skip
from petriflow.patterns.free_form import arbitrary_cycles
from petriflow.patterns.iteration import recursion, structured_loop
from petriflow.patterns.joins import (
    generalised_join,
    multi_merge,
    simple_merge,
    synchronization,
    synchronizing_merge,
    thread_merge,
)
from petriflow.patterns.multiple_instance import (
    cancel_instances,
    complete_instances,
    detached_instances,
    growing_instances,
    multiple_instances,
)
from petriflow.patterns.partial_join import blocking_discriminator, discriminator
from petriflow.patterns.state_based import (
    critical_section,
    deferred_choice,
    interleaved_parallel_routing,
    interleaved_routing,
    milestone,
)
from petriflow.patterns.synchronizing import one_of, some_of, synchronizing_graph
from petriflow.patterns.termination import explicit_termination, implicit_termination
from petriflow.patterns.trigger import event, persistent_trigger, timer, transient_trigger


def a(case: object) -> None:
    """A task that does nothing."""


def b(case: object) -> None:
    """A task that does nothing."""


def c(case: object) -> None:
    """A task that does nothing."""


def d(case: object) -> None:
    """A task that does nothing."""


def e(case: object) -> None:
    """A task that does nothing."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern: what it is called and means, how it is written, and an example."""

    number: int
    name: str
    group: str
    meaning: str
    builder: str
    example: Callable[[], Fragment]
    aliases: tuple[str, ...] = ()

    @property
    def net_class(self) -> str:
        """The class of the example's net: what kinds of arcs and choices it needs."""
        return net_class(self.example().net)


def net_class(net: Net) -> str:
    """The class of a net: the simplest that holds it, and its special arcs.

    >>> net_class(sequence(a, b).net)
    'state machine'
    """
    ts = net.transitions
    special = [
        kind
        for kind, there in (
            ("reset", any(t.reset for t in ts)),
            ("inhibitor", any(t.inhibitor for t in ts)),
            ("read", any(t.read for t in ts)),
            ("OR-join", any(t.join == "or" for t in ts)),
        )
        if there
    ]
    weights = any(w > 1 for t in ts for _, _, w in t.arcs())
    if special or weights:
        base = "P/T"
    elif all(len(t.consume) == len(t.produce) == 1 for t in ts):
        base = "state machine"
    elif all(len(net.consumers[p.id]) <= 1 and len(net.producers[p.id]) <= 1 for p in net.places):
        base = "marked graph"
    elif all(
        t.consume == u.consume for p in net.places for t in net.consumers[p.id]
        for u in net.consumers[p.id]
    ):  # fmt: skip
        base = "free choice"
    else:
        base = "P/T"
    return " + ".join([base, *special])


def _cycles() -> Fragment:
    net = (
        Net.build("cycles")
        .places("i", "p", "q", "o")
        .transition("a", "i", "p")
        .transition("b", "p", "q")
        .transition("c", "q", "p")
        .transition("d", "p", "q")
        .transition("e", "q", "o")
        .done()
    )
    choices = {"p": {"b": "x > 1", "d": None}, "q": {"c": "x > 2", "e": None}}
    return arbitrary_cycles(net, {"a": a, "b": b, "c": c, "d": d, "e": e}, choices=choices)


def _two() -> Fragment:
    return multi_choice(when("x > 1", a), when("y > 1", b), otherwise=c)


BASIC, BRANCH, JOIN = "basic control flow", "advanced branching", "advanced synchronization"
MANY, STATE, CANCEL = "multiple instances", "state-based", "cancellation"
LOOP, END, TRIGGER = "iteration", "termination", "trigger"

CATALOGUE: tuple[Pattern, ...] = (
    Pattern(1, "Sequence", BASIC, "One task after another.", "sequence", lambda: sequence(a, b)),
    Pattern(
        2, "Parallel Split", BASIC, "One thread becomes several, one for each branch.",
        "parallel_split", lambda: synchronization(parallel_split(a, b)), ("AND-split",),
    ),
    Pattern(
        3, "Synchronization", BASIC, "Wait for all branches, then go on once.",
        "synchronization", lambda: parallel(a, b), ("AND-join",),
    ),
    Pattern(
        4, "Exclusive Choice", BASIC, "Just one branch, chosen by data.", "exclusive_choice",
        lambda: exclusive_choice(when("x > 1", a), otherwise=b), ("XOR-split",),
    ),
    Pattern(
        5, "Simple Merge", BASIC, "Branches of which one is taken come together.", "simple_merge",
        lambda: simple_merge(exclusive_split(when("x > 1", a), otherwise=b)), ("XOR-join",),
    ),
    Pattern(
        6, "Multi-Choice", BRANCH, "One branch or several, chosen by data.", "multi_choice",
        _two, ("OR-split",),
    ),
    Pattern(
        7, "Structured Synchronizing Merge", JOIN, "Wait for just the branches that were taken.",
        "multi_choice", _two, ("structured OR-join",),
    ),
    Pattern(
        8, "Multi-Merge", JOIN, "What follows happens once for every branch that arrives.",
        "multi_merge", lambda: sequence(multi_merge(parallel_split(a, b)), d, thread_merge(2)),
    ),
    Pattern(
        9, "Structured Discriminator", JOIN, "The first to arrive goes on; the others are awaited.",
        "discriminator", lambda: discriminator(a, b, c, then=d), ("1-of-m join",),
    ),
    Pattern(
        10, "Arbitrary Cycles", LOOP, "Loops with several ways in and out.", "arbitrary_cycles",
        _cycles,
    ),
    Pattern(
        11, "Implicit Termination", END, "A case ends when nothing is left to do.",
        "implicit_termination", lambda: implicit_termination(a, b),
    ),
    Pattern(
        12, "Multiple Instances without Synchronization", MANY, "Several instances; nobody waits.",
        "detached_instances", lambda: detached_instances(a, 3, b),
    ),
    Pattern(
        13, "Multiple Instances with a priori Design-Time Knowledge", MANY,
        "A fixed number of instances, then on when all are done.",
        "multiple_instances", lambda: multiple_instances(a, 3),
    ),
    Pattern(
        14, "Multiple Instances with a priori Run-Time Knowledge", MANY,
        "As many instances as the data say.",
        "multiple_instances", lambda: multiple_instances(a, "n", most=3),
    ),
    Pattern(
        15, "Multiple Instances without a priori Run-Time Knowledge", MANY,
        "Instances can be added while others run.", "growing_instances",
        lambda: growing_instances(a, add=event("more"), most=3, close=Event("enough")),
    ),
    Pattern(
        16, "Deferred Choice", STATE, "The world decides which branch it is to be.",
        "deferred_choice",
        lambda: deferred_choice(sequence(event("yes"), a), sequence(timer("1s"), b)),
    ),
    Pattern(
        17, "Interleaved Parallel Routing", STATE, "Branches side by side, one task at a time.",
        "interleaved_parallel_routing", lambda: interleaved_parallel_routing(sequence(a, b), c),
    ),
    Pattern(
        18, "Milestone", STATE, "A task that can begin only while the case is in a certain state.",
        "milestone",
        lambda: milestone(a, sequence(event("leave"), b), sequence(event("try"), c), expired=skip),
    ),
    Pattern(
        19, "Cancel Task", CANCEL, "A task is withdrawn, waiting or running.", "cancellable",
        lambda: cancellable(a, by=event("stop"), then=b), ("Cancel Activity",),
    ),
    Pattern(
        20, "Cancel Case", CANCEL, "The whole case is given up; in an engine by case.cancel().",
        "cancel_case", lambda: cancel_case(a, b, by=Event("given up")),
    ),
    Pattern(
        21, "Structured Loop", LOOP, "Repeat, with a test before, after or on both sides.",
        "structured_loop", lambda: structured_loop(a, until="done"), ("while", "repeat"),
    ),
    Pattern(
        22, "Recursion", LOOP, "A process that holds itself; without a bound by call(…).",
        "recursion", lambda: recursion(a, before=b, after=c, again="n > 1", depth=3),
    ),
    Pattern(
        23, "Transient Trigger", TRIGGER, "A signal that is lost if nobody waits for it.",
        "event, transient_trigger", lambda: transient_trigger(a, b),
    ),
    Pattern(
        24, "Persistent Trigger", TRIGGER, "A signal that is kept until somebody waits for it.",
        "event, persistent_trigger", lambda: persistent_trigger(a, b, c),
    ),
    Pattern(
        25, "Cancel Region", CANCEL, "Any set of tasks is withdrawn.", "cancel_region",
        lambda: cancel_region(
            a, beside=sequence(event("go"), b), by=event("stop"), then=c
        ),
    ),
    Pattern(
        26, "Cancel Multiple Instance Task", CANCEL, "All instances are withdrawn.",
        "cancel_instances", lambda: cancel_instances(a, 3, by=event("stop")),
    ),
    Pattern(
        27, "Complete Multiple Instance Task", CANCEL,
        "Instances that are not done are withdrawn, and the case goes on.", "complete_instances",
        lambda: complete_instances(a, 3, by=Event("enough"), then=b),
    ),
    Pattern(
        28, "Blocking Discriminator", JOIN, "A discriminator that makes the next round wait.",
        "blocking_discriminator", lambda: blocking_discriminator(a, b, rounds=2),
    ),
    Pattern(
        29, "Cancelling Discriminator", JOIN, "The first to arrive withdraws the others.",
        "discriminator", lambda: discriminator(a, b, cancel=True, then=d),
    ),
    Pattern(
        30, "Structured Partial Join", JOIN, "Some branches suffice; the others are awaited.",
        "discriminator", lambda: discriminator(a, b, c, required=2, then=d), ("n-of-m join",),
    ),
    Pattern(
        31, "Blocking Partial Join", JOIN, "A partial join that makes the next round wait.",
        "blocking_discriminator", lambda: blocking_discriminator(a, b, c, required=2, rounds=2),
    ),
    Pattern(
        32, "Cancelling Partial Join", JOIN, "Some branches suffice; the others are withdrawn.",
        "discriminator", lambda: discriminator(a, b, c, required=2, cancel=True, then=d),
    ),
    Pattern(
        33, "Generalised AND-Join", JOIN, "A synchronization that keeps what comes early.",
        "generalised_join",
        lambda: sequence(generalised_join(a, b, threads=2), thread_merge(2)),
    ),
    Pattern(
        34, "Static Partial Join for Multiple Instances", MANY,
        "Some of the instances suffice; the others are awaited.",
        "multiple_instances", lambda: multiple_instances(a, 3, required=2, then=d),
    ),
    Pattern(
        35, "Cancelling Partial Join for Multiple Instances", MANY,
        "Some of the instances suffice; the others are withdrawn.",
        "multiple_instances", lambda: multiple_instances(a, 3, required=2, cancel=True, then=d),
    ),
    Pattern(
        36, "Dynamic Partial Join for Multiple Instances", MANY,
        "Instances are added until a condition is true.", "growing_instances",
        lambda: growing_instances(a, add=event("more"), most=3, until="enough", then=d),
    ),
    Pattern(
        37, "Local Synchronizing Merge", JOIN, "Joins in a graph wait for just what is on its way.",
        "synchronizing_graph",
        lambda: synchronizing_graph(
            some_of(("a", "x > 1"), ("b", "x < 3")),
            {"a": a, "b": b, "c": c, "d": d},
            {"a": one_of(("c", "x > 2"), "d"), "b": "c", "c": "end", "d": "end"},
        ),
        ("Acyclic Synchronizing Merge",),
    ),
    Pattern(
        38, "General Synchronizing Merge", JOIN, "Wait for all that can still come.",
        "synchronizing_merge",
        lambda: synchronizing_merge(multi_split(when("x > 1", a), when("y > 1", b), otherwise=c)),
        ("OR-join",),
    ),
    Pattern(
        39, "Critical Section", STATE, "Of several sections only one is entered at a time.",
        "critical_section", lambda: critical_section(sequence(a, b), sequence(c, d)),
    ),
    Pattern(
        40, "Interleaved Routing", STATE, "Every task once, in any order, one at a time.",
        "interleaved_routing", lambda: interleaved_routing(a, b, c),
    ),
    Pattern(
        41, "Thread Merge", JOIN, "Several threads of one branch become one.", "thread_merge",
        lambda: sequence(thread_split(3), a, thread_merge(3)),
    ),
    Pattern(
        42, "Thread Split", BRANCH, "One thread becomes several in one branch.", "thread_split",
        lambda: sequence(thread_split(3), a, thread_merge(3)),
    ),
    Pattern(
        43, "Explicit Termination", END, "Reaching the end withdraws what is left, successfully.",
        "explicit_termination", lambda: explicit_termination(a, b),
    ),
)  # fmt: skip


def pattern(number: int) -> Pattern:
    """The pattern of this number.

    Raises:
        CompositionError: there is none.
    """
    for found in CATALOGUE:
        if found.number == number:
            return found
    raise CompositionError(f"there is no pattern {number!r} here; see `petriflow patterns`")
