"""`plan`: finds what the names of a timing mean in a model, and checks every value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from petriflow.net import Net, compile_net
from petriflow.net.errors import DefinitionError
from petriflow.patterns.fragment import Choice, Event
from petriflow.patterns.names import listed, short, suggestion
from petriflow.simulation.calendars import Week
from petriflow.simulation.laws import Law, bind
from petriflow.simulation.plan import (
    ConflictSet,
    Job,
    Names,
    Plan,
    Staff,
    check_whole,
    checked_weight,
    conflicts,
)
from petriflow.simulation.timing import Memory, Timing
from petriflow.workflow import Workflow
from petriflow.workflow.guard import Question


def plan(model: Workflow | Net, timing: Timing, *, cases: bool | None = None) -> Plan:
    """What the timing means for the model.

    Args:
        model: a workflow or a net.
        timing: its annotations.
        cases: whether a bare net, too, is played by cases, each labelled transition a task.

    Raises:
        DefinitionError: a name is unknown, a duration is missing, weights sum to nothing, a task
            needs what nobody has.
    """
    if isinstance(model, Workflow):
        return _Cases(model.name, model.net, timing, model).plan()
    return _Cases(model.name, model, timing, None).plan() if cases else _of_net(model, timing)


class _Cases:
    """The plan of a model whose cases have tokens of their own."""

    def __init__(self, name: str, net: Net, timing: Timing, workflow: Workflow | None) -> None:
        self.name, self.timing, self.workflow = name, timing, workflow
        self.atomic, self.net = net, net.expanded()
        self.compiled = compile_net(self.net)
        self.index = self.compiled.transition_index
        self.tasks = [t.id for t in net.tasks]
        self.labels = {t.id: t.label for t in net.tasks}
        self.triggers = dict(workflow.fragment.triggers) if workflow else {}
        self.choices = workflow.choices if workflow else ()
        self._refuse(
            "servers and memory are of a net's transitions; the tasks of cases have resources",
            timing.servers, timing.memory,
        )  # fmt: skip

    def _refuse(self, why: str, *given: Mapping[str, Any]) -> None:
        if any(given):
            raise DefinitionError(f"{self.name!r}: {why}")

    def plan(self) -> Plan:
        laws: list[Law | None] = [None] * len(self.net.transitions)
        priority = [0] * len(laws)
        tasks = Names(self.name, self.tasks, "task", self.labels)
        urgent = tasks.all(self.timing.priorities, "priorities")
        check_whole(self.name, urgent)
        for id, law in self._laws().items():
            laws[self.index[id]] = law
        pools, has = _pools(self.name, self.timing)
        jobs = self._jobs(tasks, urgent, has)
        for job in jobs:
            priority[job.start] = job.priority
        self._all_work(pools, jobs)
        weights, sets = self._sets(laws)
        starts = {job.start for job in jobs if job.needs}
        for s in sets:
            if len(s.members) > 1 and (needy := starts.intersection(s.members)):
                raise DefinitionError(
                    f"{self.name!r}: task {self.net.transitions[min(needy)].label!r} is itself an "
                    "alternative of a choice and needs a resource; put a step before it"
                )
        outcomes = tasks.all(self.timing.outcomes, "outcomes")
        return Plan(
            self.name, self.net, self.timing, True, tuple(laws), tuple(priority), weights,
            (1.0,) * len(laws), (_memory("enabling"),) * len(laws), sets, jobs, pools,
            self._questions(), outcomes, self.atomic,
        )  # fmt: skip

    def _questions(self) -> dict[str, Sequence[Question | None]]:
        if self.workflow is None:
            return {}
        numbers = {path: (q,) for path, q in self.workflow.numbers.items()}
        return {**self.workflow.questions, **numbers}

    def _laws(self) -> dict[str, Law]:
        """The laws of all that takes time, by transition of the expanded net."""
        events = {id: t.name for id, t in self.triggers.items() if isinstance(t, Event)}
        known = [*self.tasks, *self.triggers, *events.values()]
        names = Names(self.name, known, "task or event", self.labels)
        given = {
            id: bind(law, self.timing.seconds, f"{self.name!r}: duration of {id!r}")
            for id, law in names.all(self.timing.durations, "durations").items()
        }
        found, missing = {}, []
        for task in self.tasks:
            if task in given:
                found[f"{task}.complete"] = given[task]
            else:
                missing.append(task)
        for id, trigger in self.triggers.items():
            if id in given:
                found[id] = given[id]
            elif not isinstance(trigger, Event):
                found[id] = bind(trigger.seconds / self.timing.seconds, 1, id)
            elif trigger.name in given:
                found[id] = given[trigger.name]
            else:
                missing.append(trigger.name)
        if missing:
            many = missing[:8] + (["…"] if len(missing) > 8 else [])
            example = short(missing[0], names.ids)
            raise DefinitionError(
                f"{self.name!r}: no duration for {listed(many)}; how long do they take? For "
                f"instance durations={{{example!r}: '5m'}}"
            )
        return found

    def _jobs(
        self, tasks: Names, urgent: Mapping[str, int], has: Mapping[str, tuple[int, ...]]
    ) -> tuple[Job, ...]:
        needs = tasks.all(self.timing.needs, "needs")
        costs = tasks.all(self.timing.costs, "costs")
        for task, wanted in needs.items():
            wanted = [wanted] if isinstance(wanted, str) else list(wanted)
            for name in wanted:
                if name not in has:
                    hint = suggestion(name, has) if has else "give resources={…: 1}"
                    raise DefinitionError(
                        f"{self.name!r}: task {task!r} needs {name!r}, which nobody has; {hint}"
                    )
                if wanted.count(name) > len(has[name]) == 1:
                    raise DefinitionError(
                        f"{self.name!r}: task {task!r} needs {name!r} twice; once is enough"
                    )
            needs[task] = wanted
        for task, cost in costs.items():
            if not cost >= 0:
                raise DefinitionError(f"{self.name!r}: costs[{task!r}] is {cost!r}; 0 or more")
        return tuple(
            Job(
                task,
                self.index[f"{task}.start"],
                self.index[f"{task}.complete"],
                self.compiled.place_index[f"{task}.running"],
                tuple(has[name] for name in needs.get(task, ())),
                urgent.get(task, 0),
                float(costs.get(task, 0.0)),
            )
            for task in self.tasks
        )

    def _all_work(self, pools: Sequence[Staff], jobs: Sequence[Job]) -> None:
        needed = {pool for job in jobs for any_of in job.needs for pool in any_of}
        for n, pool in enumerate(pools):
            if n not in needed:
                raise DefinitionError(
                    f"{self.name!r}: no task needs resource {pool.name!r}; say which, for instance "
                    f"needs={{{short(self.tasks[0], self.tasks)!r}: {pool.name!r}}}"
                )

    def _sets(
        self, laws: Sequence[Law | None]
    ) -> tuple[tuple[float, ...], tuple[ConflictSet, ...]]:
        """The declared choices, and each other immediate transition for itself, as in the engine:
        the first in the order of the net goes first.
        """
        weights = [1.0] * len(laws)
        by_path = {choice.path: choice for choice in self.choices}
        given = Names(self.name, by_path, "choice").all(self.timing.choices, "choices")
        silent = [t.id for t in self.net.transitions if laws[self.index[t.id]] is None]
        weighted = Names(self.name, silent, "silent transition").all(self.timing.weights, "weights")
        for id, weight in weighted.items():
            weights[self.index[id]] = checked_weight(self.name, f"weights[{id!r}]", weight)
        of: dict[int, ConflictSet] = {}
        for path, choice in by_path.items():
            members = tuple(self._selector(s.transition) for s in choice.selectors)
            if path in given:
                chances = _chances(self.name, choice, given[path])
                for selector, t in zip(choice.selectors, members, strict=True):
                    weights[t] = _selector_weight(choice, chances, selector.takes, selector.skips)
                asked = None
            else:
                asked = choice
                self._has_variables(choice)
            of |= dict.fromkeys(members, ConflictSet(members, 0, asked))
        for count in self.workflow.fragment.counts if self.workflow else ():
            if not (self.timing.variables or self.timing.outcomes):
                raise DefinitionError(
                    f"{self.name!r}: {count.path!r} asks for a number; sample its variables, "
                    "variables={…}"
                )
            members = (self.index[count.more], self.index[count.stop])
            of |= dict.fromkeys(members, ConflictSet(members, 0, count))
        grouped = [self.index[id] for id in weighted if self.index[id] not in of]
        for members in conflicts(self.compiled, grouped):
            of |= dict.fromkeys(members, ConflictSet(members, 0))
        order = {
            of.get(t) or ConflictSet((t,), 0): None for t in range(len(laws)) if laws[t] is None
        }
        return tuple(weights), tuple(order)

    def _selector(self, transition: str) -> int:
        begins = f"{transition}.start"  # a choice drawn by hand may be between tasks
        return self.index[begins if begins in self.index else transition]

    def _has_variables(self, choice: Choice) -> None:
        known = set(self.timing.variables)
        for returned in self.timing.outcomes.values():
            known |= set(returned)
        asked = self.workflow.questions[choice.path] if self.workflow else ()
        wanted = [n for q in asked if q for n in sorted(q.names or ())]
        lacking = [n for n in wanted if n not in known]
        if not known or lacking:
            branches = ", ".join(f"{b.name!r}: …" for b in choice.branches[:-1])
            sampled = f", or sample {listed(dict.fromkeys(lacking))} by variables={{…}}"
            raise DefinitionError(
                f"{self.name!r}: how often does choice {choice.path!r} take which branch? Give "
                f"choices={{{choice.path.rpartition('/')[2]!r}: {{{branches}}}}}"
                + (sampled if lacking else ", or sample its variables by variables={…}")
            )


def _of_net(net: Net, timing: Timing) -> Plan:
    """The plan of a bare net on one marking: what has a duration is timed."""
    owner = net.name
    for name in ("arrivals", "choices", "variables", "outcomes", "resources", "needs", "costs"):
        if getattr(timing, name):
            raise DefinitionError(
                f"{owner!r}: {name} is about cases, and a net without cases has one marking for "
                "all time; give cases=…, or say it by places and weights"
            )
    compiled = compile_net(net)
    index = compiled.transition_index
    names = Names(owner, index, "transition")
    count = len(net.transitions)
    laws: list[Law | None] = [None] * count
    for id, given in names.all(timing.durations, "durations").items():
        if net.transition(id).join == "or":
            raise DefinitionError(f"{owner!r}: OR-join {id!r} is immediate; time what follows it")
        laws[index[id]] = bind(given, timing.seconds, f"{owner!r}: duration of {id!r}")
    if not any(laws):
        raise DefinitionError(
            f"{owner!r}: no transition takes time; give durations={{"
            f"{net.transitions[0].id!r}: exponential(1)}}" if net.transitions
            else f"{owner!r} has no transition"
        )  # fmt: skip
    priorities, weights = [0] * count, [1.0] * count
    servers, memory = [1.0] * count, ["enabling"] * count
    priority = names.all(timing.priorities, "priorities")
    check_whole(owner, priority)
    for what, given in (("priorities", priority), ("weights", timing.weights)):
        for id, value in names.all(given, what).items():
            if laws[index[id]] is not None:
                raise DefinitionError(
                    f"{owner!r}: {what} are of immediate transitions, and {id!r} takes time"
                )
            if what == "weights":
                weights[index[id]] = checked_weight(owner, f"weights[{id!r}]", value)
            else:
                priorities[index[id]] = value
    for id, value in names.all(timing.servers, "servers").items():
        if laws[index[id]] is None or not (value >= 1 and (value == math.inf or value % 1 == 0)):
            raise DefinitionError(
                f"{owner!r}: servers[{id!r}]={value!r}; a timed transition has 1, 2, … or math.inf"
            )
        servers[index[id]] = value
    for id, kept in names.all(timing.memory, "memory").items():
        if kept not in ("enabling", "age", "resampling") or laws[index[id]] is None:
            raise DefinitionError(
                f"{owner!r}: memory[{id!r}]={kept!r}; a timed transition has 'enabling', 'age' or "
                "'resampling'"
            )
        if kept == "age" and servers[index[id]] != 1:
            raise DefinitionError(
                f"{owner!r}: {id!r} has several servers, and cannot tell whose age to keep; model "
                "them one by one"
            )
        memory[index[id]] = kept
    immediate = [t for t in range(count) if laws[t] is None]
    sets = []
    for level in sorted({priorities[t] for t in immediate}, reverse=True):
        members = [t for t in immediate if priorities[t] == level]
        sets += [ConflictSet(m, level) for m in conflicts(compiled, members)]
    for conflict in sets:
        if not any(weights[t] for t in conflict.members):
            competing = listed(net.transitions[t].id for t in conflict.members)
            raise DefinitionError(
                f"{owner!r}: the weights of {competing} sum to nothing; give one of them a weight "
                "above 0"
            )
    return Plan(
        owner, net, timing, False, tuple(laws), tuple(priorities), tuple(weights), tuple(servers),
        tuple(_memory(m) for m in memory), tuple(sets),
    )  # fmt: skip


def _memory(name: str) -> Memory:
    return "age" if name == "age" else "resampling" if name == "resampling" else "enabling"


def _chances(owner: str, choice: Choice, given: Mapping[str, float]) -> list[float]:
    """The weight of each branch of a choice, by number."""
    branches = [b.name for b in choice.branches]
    where = f"choices[{choice.path!r}]"
    if not isinstance(given, Mapping):
        raise DefinitionError(f"{owner!r}: {where} is {given!r}; write {{branch: weight}}")
    names = Names(owner, branches, "branch")
    found = {
        id: checked_weight(owner, f"{where}[{id!r}]", weight)
        for id, weight in names.all(given, where).items()
    }
    left_out = [name for name in branches if name not in found]
    total = math.fsum(found.values())
    if choice.many:
        if any(p > 1 for name, p in found.items()):
            raise DefinitionError(f"{owner!r}: {where} has a probability above 1")
        missing = [b.name for b in choice.branches if b.guard is not None and b.name in left_out]
        if missing:
            raise DefinitionError(f"{owner!r}: {where} lacks the probability of {listed(missing)}")
        return [found.get(name, 1.0) for name in branches]
    if len(left_out) > 1 or (left_out and total > 1 + 1e-9):
        raise DefinitionError(
            f"{owner!r}: {where} lacks the weight of {listed(left_out)}; one branch may be left "
            "out where the others sum to 1 or less"
        )
    if left_out:
        found[left_out[0]] = max(0.0, 1.0 - total)
    if not any(found.values()):
        raise DefinitionError(
            f"{owner!r}: the weights of {where} sum to nothing; give one branch a weight above 0"
        )
    return [found[name] for name in branches]


def _selector_weight(
    choice: Choice, chances: Sequence[float], takes: Iterable[int], skips: Iterable[int]
) -> float:
    """The weight of taking and skipping just these branches."""
    if not choice.many:
        return math.prod(chances[n] for n in takes)
    guarded = [n for n, b in enumerate(choice.branches) if b.guard is not None]
    return math.prod(chances[n] for n in takes if n in guarded) * math.prod(
        1 - chances[n] for n in skips if n in guarded
    )


def _pools(owner: str, timing: Timing) -> tuple[tuple[Staff, ...], dict[str, tuple[int, ...]]]:
    """The pools, and for each name that tasks may need the pools that have it."""
    pools, has = [], dict[str, tuple[int, ...]]()
    for n, (name, pool) in enumerate(timing.resources.items()):
        what = f"{owner!r}: resource {name!r}"
        levels = pool.size if isinstance(pool.size, Mapping) else {pool.hours or "daily": pool.size}
        pools.append(
            Staff(
                name, Week.read(levels, what), pool.discipline,
                pool.when_closed == "pause", float(pool.cost),
            )
        )  # fmt: skip
        has[name] = (n,)
    for n, pool in enumerate(timing.resources.values()):
        for skill in sorted(pool.skills):
            has[skill] = (*has.get(skill, ()), n)
    return tuple(pools), has
