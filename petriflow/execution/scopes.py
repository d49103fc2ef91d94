"""The variables of a case while branches run side by side.

A scope is the case itself (its name is `""`), one branch of a block (its path), or one running
task (its firing id). A scope sees its parent as it was when the scope was opened, plus its own
writes; at its end (the join, the completion) the writes go to the parent. Every write carries a
number, so that "changed since" is a comparison of numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from petriflow.workflow.variables import Data, Policy, settle


@dataclass(slots=True)
class Scope:
    """The variables of one branch or task.

    `writes` maps a name to (value, number of the write); of a variable that collects, the case
    holds the list, and a branch or task only what it adds, each item with its own number. `before`
    keeps what the parent held when the scope was opened, where it has changed since: [value], or
    [] for what it did not have.
    """

    parent: str
    since: int = 0
    writes: dict[str, tuple[Any, int]] = field(default_factory=dict)
    before: dict[str, list[Any]] = field(default_factory=dict)


class Scopes:
    """All scopes of one case."""

    __slots__ = ("_number", "_policy", "_scopes")

    def __init__(self, policy: Callable[[str], Policy]) -> None:
        self._policy = policy
        self._scopes: dict[str, Scope] = {"": Scope("")}
        self._number = 0

    def begin(self, variables: Data) -> None:
        """Set the variables that the case begins with."""
        for name, value in variables.items():
            self._number += 1
            self._scopes[""].writes[name] = (value, self._number)

    def view(self, name: str = "") -> Data:
        """The variables as this scope sees them; a copy."""
        scope = self._scopes[name]
        data = self.view(scope.parent) if name else {}
        for variable, held in scope.before.items():
            if held:
                data[variable] = held[0]
            else:
                data.pop(variable, None)
        for variable, (value, _) in scope.writes.items():
            if name and self._collects(variable):
                value = [*data.get(variable, []), *(item for item, _ in value)]
            data[variable] = value
        return data

    def open(self, name: str, parent: str) -> None:
        """Open a scope: what it sees of its parent is settled from now on.

        Several threads of one branch share its scope.
        """
        if name in self._scopes:
            return
        self._scopes[name] = Scope(parent, self._number)

    def close(self, name: str) -> None:
        """Forget a scope, its writes, and every scope inside it."""
        for inner in [n for n, s in self._scopes.items() if n and s.parent == name]:
            self.close(inner)
        self._scopes.pop(name, None)

    def _collects(self, variable: str) -> bool:
        return self._policy(variable).kind == "collect"

    def __contains__(self, name: str) -> bool:
        return name in self._scopes

    def complete(self, firing_id: str, updates: Data) -> None:
        """A task ends with these updates.

        Raises:
            VariableConflict: a variable changed since it began, and its policy is `error`.
        """
        if not updates:
            del self._scopes[firing_id]
            return
        scope = self._scopes[firing_id]
        for variable, value in updates.items():
            self._number += 1
            kept = [(value, self._number)] if self._collects(variable) else value
            scope.writes[variable] = (kept, self._number)
        self.merge([firing_id])

    def merge(self, names: Iterable[str]) -> None:
        """End scopes: move their writes to their parents, in the order they were made.

        Raises:
            VariableConflict: two scopes, or a scope and its parent, disagree; nothing is merged.
        """
        ending = list(names)
        writes = sorted(
            (
                (number, scope.parent, variable, value, scope.since)
                for scope in map(self._scopes.__getitem__, ending)
                for variable, write in scope.writes.items()
                for value, number in (write[0] if self._collects(variable) else [write])
            ),
            key=lambda write: write[0],
        )
        self._refuse_conflicts(writes)
        for name in ending:
            self.close(name)
        for number, parent, variable, value, since in writes:
            self._put(parent, variable, value, number, since)

    def _refuse_conflicts(self, writes: Iterable[tuple[int, str, str, Any, int]]) -> None:
        pending: dict[tuple[str, str], Any] = {}
        for _, parent, variable, value, since in writes:
            policy = self._policy(variable)
            held = self._scopes[parent].writes.get(variable)
            if policy.kind == "error":
                if (parent, variable) in pending:
                    settle(policy, variable, pending[parent, variable], value)
                elif held and held[1] > since:
                    settle(policy, variable, held[0], value)
            pending[parent, variable] = value

    def _put(self, name: str, variable: str, value: Any, number: int, since: int) -> None:
        scope = self._scopes[name]
        policy = self._policy(variable)
        held = scope.writes.get(variable)
        if policy.kind == "collect":
            added = (value, number) if name else value
            value = [*(held[0] if held else []), added]
        elif held and held[1] > since:
            earlier = policy.kind == "last" and held[1] > number  # a late branch wrote before
            value = held[0] if earlier else settle(policy, variable, held[0], value)
        self._keep_for_children(name, variable)
        scope.writes[variable] = (value, max(number, held[1] if held else 0))

    def _keep_for_children(self, name: str, variable: str) -> None:
        """Copy on write: the scopes inside go on seeing the value of the time they were opened."""
        children = [s for n, s in self._scopes.items() if n and s.parent == name]
        if children:
            now = self.view(name)
            for child in children:
                child.before.setdefault(variable, [now[variable]] if variable in now else [])

    def dump(self) -> Data:
        """The state as data that JSON can hold; a copy."""
        return {
            "number": self._number,
            "scopes": {
                path: (s.parent, s.since, dict(s.writes), dict(s.before))
                for path, s in self._scopes.items()
            },
        }

    def load(self, data: Data) -> None:
        """Take over a state that was dumped."""
        self._number = data["number"]
        self._scopes = {
            path: Scope(parent, since, {n: (v, k) for n, (v, k) in writes.items()}, dict(before))
            for path, (parent, since, writes, before) in data["scopes"].items()
        }
