"""`Workflow`: a fragment closed to a workflow net, with everything that is verified and run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from petriflow.net import Net
from petriflow.net.errors import DefinitionError, VariableError
from petriflow.net.net import digest
from petriflow.patterns.fragment import (
    Binding,
    Block,
    Choice,
    Event,
    Fragment,
    as_fragment,
    check_name,
)
from petriflow.patterns.links import linked
from petriflow.patterns.parts import remedy, reroot
from petriflow.workflow.guard import Question, read_guard
from petriflow.workflow.task import Task, as_task
from petriflow.workflow.variables import Data, Policy, Schema, error_on_conflict

if TYPE_CHECKING:
    from pydantic import BaseModel

    from petriflow.analysis import Answer, Report
    from petriflow.drawing.widget import Game
    from petriflow.execution import Outcome
    from petriflow.execution.store import Record
    from petriflow.simulation import Result, Timing
    from petriflow.simulation.solution import CaseSolution


@dataclass(frozen=True, eq=False)
class Workflow:
    """A workflow: what is verified is what is drawn and what runs.

    Args:
        name: what it is called; the first segment of every id.
        body: the fragment, task or function that is the workflow.
        variables: a pydantic model of the case's variables; without it any JSON goes.
        merge: for variables that concurrent steps write, what to do: `last_wins`, `collect`,
            `reduce("…")`. By default different concurrent values are an error.
        example: variables to try the workflow with, used by `petriflow run`.
        timing: how long things take, for `simulate` and `solve`; no part of the definition.
        secret: the names of variables that nobody is shown, beside those that the model marks by
            `Annotated[…, secret]` or as a `pydantic.SecretStr`. Bodies, guards and the store have
            their values; logs, traces, errors, histories and listings show `***`.

    Raises:
        CompositionError: the body is no fragment, or has no step.
        GuardError: a guard cannot be read or speaks of an undeclared variable.
        DefinitionError: a policy or an example does not fit, or of a choice with neither
            `otherwise=` nor `exhaustive=True` it is not proved that some guard is always true.

    >>> def pick(case): ...
    >>> def pack(case): ...
    >>> from petriflow.patterns import sequence
    >>> Workflow("ship", sequence(pick, pack)).verify().verdict
    'sound'
    """

    name: str
    body: Fragment | Binding
    variables: type[BaseModel] | None = None
    merge: Mapping[str, Policy] = field(default_factory=dict)
    example: Mapping[str, Any] = field(default_factory=dict)
    timing: Timing | None = None
    secret: Collection[str] = ()

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.tasks:
            raise DefinitionError(f"workflow {self.name!r} has no task; give it a step to do")
        for what in ("merge", "example"):
            given = getattr(self, what)
            if not isinstance(given, Mapping):
                raise DefinitionError(f"workflow {self.name!r}: {what}={given!r} is not a mapping")
            object.__setattr__(self, what, MappingProxyType(dict(given)))
        self._check_secrets()
        self._check_policies()
        self._check_events()
        self._check_forms()
        _ = self.questions, self.numbers
        self._check_choices()
        if self.example:
            try:
                self.schema.initial(self.example)
            except VariableError as error:
                raise DefinitionError(f"workflow {self.name!r}: in its example, {error}") from error

    def _check_secrets(self) -> None:
        given = self.secret
        if (
            isinstance(given, str)
            or not isinstance(given, Collection)
            or not all(isinstance(name, str) for name in given)
        ):
            raise DefinitionError(
                f"workflow {self.name!r}: secret={given!r} is no list of names, such as "
                "['password']"
            )
        object.__setattr__(self, "secret", frozenset(given))

    def _check_policies(self) -> None:
        for name, policy in self.merge.items():
            if not isinstance(policy, Policy):
                raise DefinitionError(
                    f"workflow {self.name!r}: merge[{name!r}] is {policy!r}; use last_wins, "
                    "collect or reduce('…')"
                )
        declared = self.schema.names
        for what in ("merge", "secret") if declared is not None else ():
            for name in sorted(getattr(self, what)):
                if name not in (declared or ()):
                    raise DefinitionError(
                        f"workflow {self.name!r}: {what} names {name!r}, which is not declared in "
                        f"{self.variables.__name__ if self.variables else 'its variables'}"
                    )

    def _check_events(self) -> None:
        declared, secret = self.schema.names, self.schema.secret
        for id, trigger in self.fragment.triggers.items():
            about = trigger.about if isinstance(trigger, Event) else None
            if about is None:
                continue
            if declared is not None and about not in declared:
                raise DefinitionError(
                    f"workflow {self.name!r}: event {id!r} is about {about!r}, which is not "
                    f"declared in {self.variables.__name__ if self.variables else ''}"
                )
            if about in secret:
                raise DefinitionError(
                    f"workflow {self.name!r}: event {id!r} is about {about!r}, which is secret, "
                    "and what an event is about is shown to whoever looks for it; let it be about "
                    "another variable"
                )

    def _check_forms(self) -> None:
        declared = self.schema.names
        for id, task in self.tasks.items() if declared is not None else ():
            for name in (*task.asks, *(task.shows or ())):
                if name not in (declared or ()):
                    raise DefinitionError(
                        f"workflow {self.name!r}: task {id!r} speaks of {name!r}, which is not "
                        f"declared in {self.variables.__name__ if self.variables else ''}"
                    )

    @cached_property
    def fragment(self) -> Fragment:
        """The body under the workflow's name, with its locks, stages and regions joined."""
        body = as_fragment(self.body)
        for port in body.ports.values():
            if port.type != "control":
                raise DefinitionError(
                    f"workflow {self.name!r} has a port with {port}, and a case is one token from "
                    f"beginning to end; {remedy(port)}"
                )
        return reroot(linked(body) if body.links else body, self.name)

    @cached_property
    def net(self) -> Net:
        """The atomic net: a task is one transition."""
        return self.fragment.net

    @cached_property
    def expanded(self) -> Net:
        """The net that runs, and so the one that is verified: a task starts, runs, completes."""
        return self.net.expanded()

    @cached_property
    def tasks(self) -> Mapping[str, Task]:
        """What each task's transition runs, by id."""
        return {id: as_task(binding) for id, binding in self.fragment.tasks.items()}

    @cached_property
    def undos(self) -> Mapping[str, Task]:
        """What undoes each task that can be undone, by the task's id followed by `.undo`."""
        given = {id: task.compensate for id, task in self.tasks.items()}
        return {f"{id}.undo": undo for id, undo in given.items() if undo is not None}

    @cached_property
    def bodies(self) -> Mapping[str, Task]:
        """All that a case may run, by id: its tasks, and what undoes them."""
        return {**self.tasks, **self.undos}

    @cached_property
    def calls(self) -> Mapping[str, str]:
        """The names of the workflows that tasks call, by the task's id."""
        return {
            id: t.calls if isinstance(t.calls, str) else t.calls.name
            for id, t in self.tasks.items()
            if t.calls is not None
        }

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The decisions by data."""
        return self.fragment.choices

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks whose branches have variables of their own."""
        return self.fragment.blocks

    @cached_property
    def schema(self) -> Schema:
        """The declared variables."""
        collected = [name for name, policy in self.merge.items() if policy.kind == "collect"]
        return Schema(self.variables, frozenset(collected), frozenset(self.secret))

    @cached_property
    def questions(self) -> Mapping[str, tuple[Question | None, ...]]:
        """The guards of each choice by path, branch by branch; `None` for `otherwise`."""
        known = self.schema.names
        return {
            choice.path: tuple(
                None if branch.guard is None else read_guard(branch.guard, known)
                for branch in choice.branches
            )
            for choice in self.choices
        }

    @cached_property
    def numbers(self) -> Mapping[str, Question]:
        """The questions for a number of instances, by path."""
        known = self.schema.names
        return {count.path: read_guard(count.asked, known) for count in self.fragment.counts}

    @cached_property
    def captions(self) -> Mapping[str, str]:
        """The guard at each selector of a choice that takes one branch, for the picture."""
        found = {}
        for choice in self.choices:
            asked = self.questions[choice.path]
            for selector in choice.selectors:
                if len(selector.takes) == 1:
                    question = asked[next(iter(selector.takes))]
                    found[selector.transition] = question.text if question else "otherwise"
        for id, trigger in self.fragment.triggers.items():
            found[id] = str(trigger)
        return found

    def policy(self, name: str) -> Policy:
        """What happens when concurrent steps write this variable."""
        return self._policies.get(name, error_on_conflict)

    @cached_property
    def _policies(self) -> Mapping[str, Policy]:
        secrets = {
            name: replace(self.merge.get(name, error_on_conflict), secret=True)
            for name in self.schema.secret
        }
        return {**self.merge, **secrets}

    @cached_property
    def content_hash(self) -> str:
        """A hash of the definition: net, variables, guards, and names of functions; never code."""
        return digest(self.document())

    def document(self) -> Data:
        """The definition as plain JSON data: what the content hash is made of."""
        return {
            "net": self.net.document(),
            "tasks": {id: t.document() for id, t in self.tasks.items()},
            "calls": self.calls,
            "choices": [
                {
                    "path": c.path,
                    "place": c.place,
                    "many": c.many,
                    "patient": c.patient,
                    "branches": [
                        [branch.name, question.text if question else None]
                        for branch, question in zip(c.branches, self.questions[c.path], strict=True)
                    ],
                    "selectors": [
                        [s.transition, sorted(s.takes), sorted(s.skips)] for s in c.selectors
                    ],
                }
                for c in self.choices
            ],
            "triggers": {
                # Without `about` it is that of the versions that knew none.
                id: [trigger.name, trigger.persistent, *([trigger.about] if trigger.about else [])]
                if isinstance(trigger, Event)
                else [trigger.seconds]
                for id, trigger in self.fragment.triggers.items()
            },
            "counts": [
                [c.path, c.place, self.numbers[c.path].text, c.more, c.stop, c.most]
                for c in self.fragment.counts
            ],
            "instances": [[i.task, sorted(i.opens)] for i in self.fragment.instances],
            "blocks": [
                [b.path, sorted(b.splits), sorted(b.joins), list(b.branches)] for b in self.blocks
            ],
            "variables": self.schema.document(),
            "merge": {name: str(policy) for name, policy in sorted(self.merge.items())},
            # Where there are none, the document is that of the versions that knew no secrets.
            **({"secret": sorted(secret)} if (secret := self.schema.secret) else {}),
        }

    # -- doors to the floors above ----------------------------------------------------------

    def _check_choices(self) -> None:
        if any(choice.to_prove for choice in self.choices):
            from petriflow.analysis.guards.prove import require_exhaustive

            require_exhaustive(self)

    def verify(
        self, *, form: Literal["expanded", "atomic"] = "expanded", max_markings: int = 1_000_000
    ) -> Report:
        """Judge the workflow: sound, unsound with a witness, or unknown.

        Args:
            form: `expanded` judges the net that runs; `atomic` takes a task as one step.
            max_markings: how many markings to look at before answering `unknown`.
        """
        from petriflow.analysis import verify

        return verify(self.net, form=form, name=self.name, max_markings=max_markings)

    def ask(
        self,
        query: str,
        *,
        form: Literal["expanded", "atomic"] = "expanded",
        max_markings: int = 1_000_000,
    ) -> Answer:
        """Whether something can happen, must, or never does, with a way that shows it.

        Args:
            query: a formula such as `"EF (paid and not shipped)"` or `"AG (paid -> AF shipped)"`.
            form: as for `verify`.
            max_markings: how many markings to look at before answering `unknown`.

        Raises:
            QueryError: the query cannot be read, or names what is not there.
        """
        from petriflow.analysis import ask

        return ask(self.net, query, form=form, name=self.name, max_markings=max_markings)

    def simulate(self, timing: Timing | None = None, **options: Any) -> Result:
        """Play many cases with time and chance: how long they take, and where they wait.

        Args:
            timing: annotations, by default the workflow's own.
            options: those of `petriflow.simulation.simulate`, among them `cases`, `replications`
                and `seed`; and changes of the timing, such as `resources={"clerk": 4}`.

        Raises:
            DefinitionError: the timing does not fit the workflow.
            SimulationError: cases grow without bound, or time does not go on.
        """
        from petriflow.simulation import simulate

        return simulate(self, timing, **options)

    def solve(self, timing: Timing | None = None, **options: Any) -> CaseSolution:
        """Exact figures of one case: mean and distribution of its cycle time, visits, work.

        Args:
            timing: annotations, by default the workflow's own.
            options: those of `petriflow.simulation.solve`; and changes of the timing, such as
                `durations={"pay": exponential("2m")}`.

        Raises:
            NoExactAnswer: durations, guards, resources or size do not allow it; the message says
                which, and what to do.
            DefinitionError: the timing does not fit the workflow.
        """
        from petriflow.simulation import solve

        return solve(self, timing, **options)

    def run(
        self,
        variables: Mapping[str, Any] | None = None,
        *,
        store: str = "sqlite://",
        allow_unsound: bool = False,
    ) -> Outcome:
        """Run one case to its end and return its outcome; also inside Jupyter's running loop.

        Args:
            variables: what the case begins with; by default the workflow's example.
            store: where the case is kept, such as `"sqlite:///cases.db"`; by default in memory.
            allow_unsound: run although the workflow is not proven sound.

        Raises:
            NotProvenSound: the workflow is unsound or unknown.
            VariableError: the variables cannot be stored.
            NoBranchEnabled, GuardError: the case waits at a choice that cannot be decided.
        """
        from petriflow.execution import run_blocking

        return run_blocking(self.arun(variables, store=store, allow_unsound=allow_unsound))

    async def arun(
        self,
        variables: Mapping[str, Any] | None = None,
        *,
        store: str = "sqlite://",
        allow_unsound: bool = False,
    ) -> Outcome:
        """The form of `run` to be awaited."""
        from petriflow.execution import Engine

        async with Engine(store, workflows=[self], allow_unsound=allow_unsound) as engine:
            case = await engine.start(self, variables)
            return await case.wait()

    def play(self, trace: Iterable[str | Record] = ()) -> Game:
        """The token game, or the playback of a trace or of a case's history, as a widget of a
        notebook; see `petriflow.drawing.play`.
        """
        from petriflow.drawing import play

        return play(self, trace)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from petriflow.drawing import draw

        return draw(self)._repr_mimebundle_(include, exclude)

    def __repr__(self) -> str:
        return f"<Workflow {self.name!r}: {len(self.tasks)} tasks>"
