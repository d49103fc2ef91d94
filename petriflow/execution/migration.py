"""What becomes of a case in another version of its workflow: its state moved place by place, and
whether it can end from there. Plain data in and out; the old definition is not needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from petriflow.analysis import explore
from petriflow.analysis.space.graph import exact
from petriflow.execution.case import Case
from petriflow.execution.events import FINAL, Migrated, Status
from petriflow.execution.marks import Running
from petriflow.execution.program import Program, program
from petriflow.execution.store import StoredCase
from petriflow.net import Marking, Net
from petriflow.net.errors import MigrationError, PetriflowError, say
from petriflow.patterns.fragment import Timer, within
from petriflow.workflow import Workflow
from petriflow.workflow.variables import Data

#: How many markings are looked at to see whether a case can end.
MOST_MARKINGS = 200_000

#: Makes the variables of the new version from those of the old one.
Variables = Callable[[Data], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How cases are to be moved.

    `places` maps ids of the old version to ids of the new one: of places, of tasks and triggers,
    or of blocks with all that lies in them. What is not named keeps its id; where the workflow was
    renamed, what follows its name.
    """

    to: Workflow
    places: Mapping[str, str]
    variables: Variables | None = None


@dataclass(slots=True)
class Moving:
    """One case on its way: what it has, and what it is to have."""

    case: StoredCase
    plan: Plan
    notes: list[str] = field(default_factory=list)

    @property
    def known(self) -> Program:
        """The new version, ready to run."""
        return program(self.plan.to)

    def image(self, id: str) -> str:
        """What an id of the old version is called in the new one."""
        for old in sorted(self.plan.places, key=len, reverse=True):
            if within(old, id):
                return self.plan.places[old] + id[len(old) :]
        old, new = self.case.workflow, self.plan.to.name
        return new + id[len(old) :] if within(old, id) else id

    def event(self) -> Migrated:
        """The event that moves the case.

        Raises:
            MigrationError: something that the case has, has no place in the new version.
        """
        case, to = self.case, self.plan.to
        if case.status in FINAL:
            raise MigrationError(f"it has ended: it is {case.status}")
        if case.definition == to.content_hash:
            raise MigrationError("it is of this version already")
        if "ending" in case.control:
            raise MigrationError("it is being given up")
        running = self._running()
        marking = self._marking()
        self._check_running(marking, running)
        control: Data = {
            "firings": case.control["firings"],
            "running": {firing: r.dump() for firing, r in running.items()},
            "deciding": {},
            "incidents": {
                name: told for name, told in case.control["incidents"].items() if name in running
            },
        }
        control |= self._rare(marking, running)
        scopes = self._scopes(running)
        return Migrated(
            to.content_hash,
            to.name,
            case.definition,
            cast(Status, case.status),
            dict(case.marking),
            marking,
            scopes,
            control,
        )

    def _marking(self) -> dict[str, int]:
        known, found = self.known.net.place_index, Counter[str]()
        lost = []
        for place, tokens in self.case.marking.items():
            image = self.image(place)
            if image in known:
                found[image] += tokens
            else:
                lost.append(place)
        if lost:
            names = ", ".join(map(repr, sorted(lost)))
            raise MigrationError(
                f"it has tokens on {names}, and the new version has no such place; say where they "
                f"go: places={{{sorted(lost)[0]!r}: …}}"
            )
        return dict(found)

    def _running(self) -> dict[str, Running]:
        known, holders = self.known, self.case.control.get("holders", {})
        found: dict[str, Running] = {}
        for firing, told in self.case.control["running"].items():
            old = Running(*told)
            task = self.image(old.task)
            if task not in known.jobs:
                raise MigrationError(
                    f"task {old.task!r} is at work, and {task!r} is no task of the new version; "
                    f"name one by places={{{old.task!r}: …}}, or wait until it has ended"
                )
            self._check_task(firing, old, task)
            found[firing] = Running(task, old.attempt, old.instance, old.spent, holders.get(firing))
        return found

    def _check_running(self, marking: Mapping[str, int], running: Mapping[str, Running]) -> None:
        """As many tokens as bodies."""
        known = self.known
        at_work = Counter(r.task for r in running.values())
        for task, job in known.jobs.items():
            tokens = marking.get(known.net.place_ids[job.running], 0)
            if tokens != at_work[task]:
                raise MigrationError(
                    f"{tokens} tokens would say that task {task!r} is at work, which has "
                    f"{at_work[task]} bodies; move them to the place before it"
                )

    def _check_task(self, firing: str, old: Running, task: str) -> None:
        """Refuse what cannot go on as another task."""
        new = self.plan.to.tasks[task]
        calls = self.plan.to.calls.get(task)
        if (old.instance is not None) != (task in self.known.many):
            raise MigrationError(
                f"task {old.task!r} is at work, and of it and {task!r} only one has instances"
            )
        if calls is not None and task != old.task:
            raise MigrationError(
                f"{old.task!r} has called a case, and is called {task!r} in the new version; wait "
                "until that has ended"
            )
        if firing in self.case.control["incidents"]:
            self.notes.append(f"the incident at {task!r} stays")
        elif calls is None and task not in self.known.people and new.body is not None:
            self.notes.append(f"the body of {task!r} begins anew")

    def _rare(self, marking: Mapping[str, int], running: Mapping[str, Running]) -> Data:
        case, known = self.case, self.known
        rare: Data = {"waiting": self._waiting(marking), "offers": self._offers(marking)}
        for name, _ in case.control.get("mailbox", []):
            if name not in known.persistent:
                raise MigrationError(
                    f"it keeps the event {name!r} that nobody has taken, and the new version does "
                    "not keep it"
                )
        rare["mailbox"] = case.control.get("mailbox")
        rare["instances"] = {
            task: n
            for old, n in case.control.get("instances", {}).items()
            if (task := self.image(old)) in known.many
        }
        rare["holders"] = {
            id: r.holder for id, r in running.items() if r.holder and r.task in known.people
        }
        rare["done"] = [[id, self._undoable(old), *more] for id, old, *more in self._done()]
        return {name: value for name, value in rare.items() if value}

    def _done(self) -> list[list[Any]]:
        found: list[list[Any]] = self.case.control.get("done", [])
        return found

    def _undoable(self, old: str) -> str:
        task = self.plan.to.tasks.get(self.image(old))
        if task is None or task.compensate is None:
            raise MigrationError(
                f"task {old!r} is done and would be undone if the case were given up, and the new "
                "version cannot undo it; name a task that can by places="
            )
        return self.image(old)

    def _can_happen(self, transition: str, marking: Mapping[str, int]) -> bool:
        net = self.known.net
        return net.is_enabled(net.transition_index[transition], net.vector(Marking(marking)))

    def _offers(self, marking: Mapping[str, int]) -> Data:
        """What people are offered in competition with other steps; the rest is withdrawn."""
        known, found = self.known, dict[str, str]()
        for old, firing in self.case.control.get("offers", {}).items():
            new = self.image(old)
            if known.net.transition_index.get(new) in known.offers and self._can_happen(
                new, marking
            ):
                found[new] = firing
            else:
                self.notes.append(f"the offer of {old.removesuffix('.start')!r} is withdrawn")
        return found

    def _waiting(self, marking: Mapping[str, int]) -> Data:
        """What is waited for: a timer keeps its moment if the new version has it too."""
        known, found = self.known, dict[str, int]()
        for old, since in self.case.control.get("waiting", {}).items():
            new = self.image(old)
            trigger = known.triggers.get(known.net.transition_index.get(new, -1))
            if trigger is not None and not self._can_happen(new, marking):
                trigger = None
            if isinstance(trigger, Timer) and new == old:
                found[old] = since
            elif isinstance(trigger, Timer):
                self.notes.append(f"the timer {new!r} begins anew")
            elif trigger is None:
                self.notes.append(f"{old!r} is not waited for any more")
        return found

    # -- variables --------------------------------------------------------------------------

    def _scopes(self, running: Mapping[str, Running]) -> Data:
        """The variables, with those that branches and bodies see."""
        old = self.case.variables
        scopes = {}
        for name, (parent, since, writes, before) in old["scopes"].items():
            scopes[self._scope(name, running)] = [
                self._scope(parent, running),
                since,
                dict(writes),
                before,
            ]
        moved: Data = {"number": old["number"], "scopes": scopes}
        now = {name: write[0] for name, write in scopes[""][2].items()}
        given = self._made(now)
        if given is not None:
            writes = {}
            for name, value in given.items():
                if name in now and now[name] == value:
                    writes[name] = scopes[""][2][name]
                else:
                    moved["number"] += 1
                    writes[name] = [value, moved["number"]]
            scopes[""][2] = writes
        return moved

    def _scope(self, name: str, running: Mapping[str, Running]) -> str:
        if name == "" or name in running:
            return name
        image = self.image(name)
        if image not in self.known.inside:
            raise MigrationError(
                f"it is in the branch {name!r}, which the new version does not have; name one by "
                f"places={{{name!r}: …}}"
            )
        return image

    def _made(self, now: Data) -> Data | None:
        """The case's variables as the new version begins with them; `None` for those it has."""
        make, schema = self.plan.variables, self.plan.to.schema
        if make is None and schema.model is None:
            return None
        try:
            made = now if make is None else make(dict(now))
            if not isinstance(made, Mapping):
                raise MigrationError(f"variables= returned {type(made).__name__}, not a mapping")
            return schema.initial(made)
        except MigrationError:
            raise
        except PetriflowError as error:
            raise MigrationError(
                f"its variables do not fit the new version: {error}; make them by variables="
            ) from None
        except Exception as error:
            told = schema.covered(say(error), now)
            raise MigrationError(f"variables= failed: {told}") from None


def moved(event: Migrated, id: str, seq: int, to: Workflow) -> Case:
    """The case in its new version, before it goes on there."""
    state = event.marking, event.variables, event.control
    return Case.load(program(to), id, event.status, seq, None, state)


def obstacle(net: Net, marking: Marking) -> str | None:
    """Why a case on this marking could not be sure to end properly; `None` if it always can.

    Every marking that can be reached is looked at. Where these are too many, it is enough that the
    marking is one that the net itself can reach.
    """
    space = explore(net, initial=marking, max_markings=MOST_MARKINGS)
    if space.pump is not None:
        return f"tokens would heap up without end on {', '.join(space.pump.grows)}"
    if not space.complete:
        whole = explore(net, max_markings=MOST_MARKINGS)
        if exact(whole.graph, marking) is not None:
            return None
        return (
            f"whether it can end from there is unknown: {MOST_MARKINGS:,} markings were looked at"
        )
    end = exact(space.graph, Marking({net.sink.id: 1}))
    if end is None:
        return "its end could never be reached from there"
    reaches = space.graph.can_reach([end])
    stuck = next((state for state in range(space.markings) if not reaches[state]), None)
    if stuck is not None:
        return f"it could never end after {_way(space.trace(stuck))}"
    sink = net.places.index(net.sink)
    over = next((state for state in space.graph.holding(sink, 1) if state != end), None)
    if over is not None:
        return f"tokens would be left over at its end: {space.marking(over)}"
    return None


def _way(trace: tuple[str, ...]) -> str:
    return " → ".join(map(repr, trace[-5:])) if trace else "this"
