"""From a plan to a net whose every step is immediate or exponential, or the reason why not.

What a Markov chain can hold is which tokens lie where, and nothing else. So durations must be
exponential, or a number of exponential stages: then the stages that are over are tokens, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from petriflow.net import Marking, Net, Place, Transition
from petriflow.net.errors import NoExactAnswer
from petriflow.patterns.names import listed
from petriflow.simulation.laws import Law
from petriflow.simulation.plan import Plan, conflicts


@dataclass(frozen=True, eq=False)
class MarkovNet:
    """A net of immediate and exponential transitions; all tuples go by transition.

    `factors` are the rates of timed transitions and the weights of immediate ones, `ranks` tell
    who goes first: of the enabled transitions only those of the lowest rank fire, and the timed
    ones have the highest. `owners` are the transitions of the model that each firing counts for, or
    "". What is in `single` must never be enabled twice at a time; the first `places` are the
    model's, the others count stages.
    """

    net: Net
    factors: tuple[float, ...]
    ranks: tuple[int, ...]
    servers: tuple[float, ...]
    owners: tuple[str, ...]
    single: frozenset[int]
    places: int
    approximate: tuple[str, ...]

    @property
    def last(self) -> int:
        """The rank of what takes time."""
        return max(self.ranks)


def markovian(plan: Plan, stages: int | None = None) -> MarkovNet:
    """The net of a plan.

    Args:
        plan: of a workflow or a net.
        stages: take each constant duration for so many exponential stages, which have its mean and,
            for their square root, its deviation; without it constants are refused.

    Raises:
        NoExactAnswer: a duration is neither exponential nor made of stages, guards decide, or
            there are calendars; the message names it.
    """
    _require_weights(plan)
    at_once = _at_once(plan)
    sets = [s.members for s in plan.sets] + [(t,) for t in at_once]
    rank = {t: n for n, members in enumerate(sets) for t in members}
    forgetting, last = len(sets), len(sets) + 1
    built = _Built(list(plan.net.transitions), [], last)
    approximate = []
    for t, transition in enumerate(plan.net.transitions):
        law = plan.laws[t]
        servers = _servers(plan, t)
        if law is None or t in at_once:
            weight = plan.weights[t] if law is None else 1.0
            built.keep(transition, weight, rank[t], 1.0)
            continue
        count = _stages(plan, transition, law, stages)
        if law.kind == "constant":
            approximate.append(f"{transition.id}: {law} as {count} stages")
        if count == 1:
            built.keep(transition, 1 / law.mean, last, servers)
        else:
            others = [u for n, u in enumerate(plan.net.transitions) if n != t]
            if plan.memory[t] == "resampling":
                raise NoExactAnswer(
                    f"{plan.name!r}: {transition.id!r} is drawn anew after every firing, and its "
                    "stages are not; simulate"
                )
            kept = plan.memory[t] == "age"
            rate = count / law.mean
            built.divide(transition, count, rate, servers, others, None if kept else forgetting)
    return built.done(plan.net, tuple(approximate))


def _require_weights(plan: Plan) -> None:
    for conflict in plan.sets:
        if conflict.choice is not None:
            raise NoExactAnswer(
                f"{plan.name!r}: guards decide at {conflict.choice.path!r}, on data that a Markov "
                f"chain cannot hold; give weights, choices={{"
                f"{conflict.choice.path.rpartition('/')[2]!r}: {{…}}}}, or simulate"
            )


def _at_once(plan: Plan) -> list[int]:
    """What takes no time at all, though it has a duration: it goes after all that is immediate."""
    found = [
        t for t, law in enumerate(plan.laws) if law and law.kind == "constant" and not law.mean
    ]
    for members in conflicts(plan.compiled, found):
        if len(members) > 1:
            names = listed(plan.net.transitions[t].id for t in members)
            raise NoExactAnswer(
                f"{plan.name!r}: {names} compete and take no time, and nothing says which is "
                "first; take out their durations and give weights"
            )
    return found


def _servers(plan: Plan, t: int) -> float:
    """Each running task has its own clock; else as the plan says."""
    if plan.cases and any(job.complete == t for job in plan.jobs):
        return math.inf
    return plan.servers[t]


def _stages(plan: Plan, transition: Transition, law: Law, stages: int | None) -> int:
    if not 0 < law.mean < math.inf:
        raise NoExactAnswer(f"{plan.name!r}: {transition.id!r} takes {law.mean:g} on average")
    if law.kind == "exponential":
        return 1
    if law.family == "erlang":
        return int(law.parameters[0])
    if law.kind == "constant" and stages is not None:
        return stages
    how = "; or take constants for a number of stages, stages=20, nearly" * (law.kind == "constant")
    raise NoExactAnswer(
        f"{plan.name!r}: the duration of {transition.id!r} is {law}, not exponential and not "
        f"erlang(…), so its past matters; simulate{how}"
    )


class _Built:
    """The transitions of the new net, one after another."""

    def __init__(self, originals: list[Transition], places: list[Place], last: int) -> None:
        self.last, self.places = last, places
        self.made: list[tuple[Transition, float, int, float, str]] = []
        self.single: set[str] = set()
        #: stages to withdraw, too, wherever one of these places is reset
        self.withdrawn: dict[str, set[str]] = {}

    def keep(self, t: Transition, factor: float, rank: int, servers: float) -> None:
        """A transition as it is, unless it never fires."""
        if factor:
            self.made.append((t, factor, rank, servers, t.id))

    def divide(
        self, t: Transition, count: int, rate: float, servers: float,
        others: Sequence[Transition], forgetting: int | None,
    ) -> None:  # fmt: skip
        """A transition of so many stages: those that are over lie on a place of their own.

        They are forgotten where time passes while it is not enabled; `forgetting` is the rank of
        that, or `None` where they are kept.
        """
        stage = f"{t.id} (stage)"
        self.places.append(Place(stage))
        needs = {p: max(t.consume[p], t.read[p]) for p in (*t.consume, *t.read)}
        whole = replace(t, consume=t.consume + Marking({stage: count - 1}))
        self.made.append((whole, rate, self.last, 1.0, t.id))
        inhibitor = t.inhibitor + Marking({stage: count - 1})
        once_more = Transition(
            f"{t.id} (next stage)", None, produce=Marking(stage), read=Marking(needs),
            inhibitor=inhibitor,
        )  # fmt: skip
        self.made.append((once_more, rate, self.last, 1.0, ""))
        if servers != 1:
            self.single |= {t.id, once_more.id}
        if forgetting is None:
            return
        for p in needs:
            self.withdrawn.setdefault(p, set()).add(stage)
        for n, (p, read, inhibits) in enumerate(_ways_out(t, needs, others)):
            forget = Transition(
                f"{t.id} (forget {n})",
                None,
                Marking(stage),
                read=Marking({p: read} if read else ()),
                inhibitor=Marking({p: inhibits} if inhibits else ()),
                reset=frozenset((stage,)),
            )
            self.made.append((forget, 1.0, forgetting, 1.0, ""))

    def done(self, net: Net, approximate: tuple[str, ...]) -> MarkovNet:
        """The new net."""
        transitions = []
        for t, *_ in self.made:
            gone = set[str]().union(*(self.withdrawn.get(p, ()) for p in t.reset))
            transitions.append(replace(t, reset=t.reset | gone) if gone - t.reset else t)
        made = replace(
            net,
            places=(*net.places, *self.places),
            transitions=tuple(transitions),
            initial=net.initial_marking,
        )
        single = frozenset(n for n, t in enumerate(transitions) if t.id in self.single)
        factors, ranks, servers, owners = zip(*(m[1:] for m in self.made), strict=True)
        return MarkovNet(
            made, factors, ranks, servers, owners, single, len(net.places), approximate
        )


def _ways_out(
    t: Transition, needs: dict[str, int], others: Sequence[Transition]
) -> Iterator[tuple[str, int, int]]:
    """How others can disable a transition: a place, with so many tokens there or fewer than."""
    for p, n in needs.items():
        if any(p in u.consume or p in u.reset for u in others):
            yield p, 0, n
    for p, n in t.inhibitor.items():
        yield p, n, 0
