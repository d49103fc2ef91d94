"""`Trouble`: tasks that fail for good, what a person makes of an incident, and giving up a case.

A case that is given up, because somebody cancels it or because it has failed, is not ended at once:

1. Bodies at work are called off, and so are timers, events and questions. A case that a task called
   is given up as well, and waited for.
2. The tasks that had completed and can be undone are undone, the last first, one after another.
3. Then the case is `cancelled` or `failed`.

Meanwhile its tokens stay as they were and nothing fires. An undo is a firing without a transition,
with attempts like any other; one that fails for good makes an incident, whatever its task says.
Only what has completed is undone: neither a body that was called off or withdrawn, nor one that
failed. A task that completed in a branch which was cancelled afterwards has completed.
"""

from __future__ import annotations

from petriflow.execution.events import IncidentFailed, IncidentResolved, Status
from petriflow.execution.marks import Done, Ending, Incident, Running
from petriflow.execution.persons import Persons
from petriflow.workflow.variables import Data


class Trouble(Persons):
    """What becomes of a case in trouble."""

    __slots__ = ()

    # -- the ends of attempts ---------------------------------------------------------------

    def _complete(self, firing_id: str, updates: Data) -> None:
        """A body has returned, or a person says what it would have."""
        running = self.running.pop(firing_id)
        self.incidents.pop(firing_id, None)
        if running.task in self.program.workflow.undos:
            self.done.pop()
            self._write(("",), updates)
            return
        if self.program.workflow.tasks[running.task].compensate is not None:
            self.done.append(Done(firing_id, running.task, updates, running.instance))
        if self.ending is None:
            self._scopes.complete(firing_id, updates)
            self._fire(self.program.jobs[running.task].complete)

    def _fail(self, firing_id: str, error: str, final: bool) -> None:
        """An attempt has failed: another one follows, or a person has to look, or it is over."""
        running = self.running[firing_id]
        task = self.program.workflow.bodies[running.task]
        told = f"task {running.task!r}: {error}"
        if self._winds_up(running):
            del self.running[firing_id]
        elif not final and running.attempt - running.spent <= task.retries:
            self._another_attempt(firing_id)
        elif running.task in self.program.workflow.undos or task.on_failure == "incident":
            self.incidents[firing_id] = Incident("TaskFailed", told)
            running.holder = None  # where a person had it, it is offered anew
        else:
            del self.running[firing_id]
            self._give_up("failed", told)

    def _another_attempt(self, firing_id: str) -> None:
        self.running[firing_id].attempt += 1
        if self.status == "running":
            self._commands.append(self._start_command(firing_id))

    # -- what a person makes of it ----------------------------------------------------------

    def _resolve(self, event: IncidentResolved) -> None:
        """Try again, or at a choice take these branches."""
        name, updates, takes = event.choice, event.updates, event.takes
        self.late = name not in self.incidents or (takes is not None and self.status != "running")
        if self.late:
            return
        del self.incidents[name]
        if running := self.running.get(name):
            self._try_anew(name, running, updates)
            return
        self._correct(name, updates)
        if takes is not None:
            self._settle(name, takes)
        self._wake(self.program.everything)

    def _try_anew(self, firing_id: str, running: Running, updates: Data) -> None:
        """The same firing begins again: on the variables as they are now, and with all its
        attempts before it.
        """
        running.spent = running.attempt
        if running.task in self.program.workflow.undos:
            self.done[-1].updates = {**self.done[-1].updates, **updates}
            self._write(("",), updates)
        else:
            around = self.program.jobs[running.task].scope
            self._scopes.close(firing_id)
            self._write(around, updates)
            self._scopes.open(firing_id, self._scope(around))
        self._another_attempt(firing_id)

    def _fail_incident(self, event: IncidentFailed) -> None:
        """A person says that there is nothing to be done about it."""
        trouble = self.incidents.get(event.incident)
        self.late = trouble is None
        if trouble is None:
            return
        error = trouble.error + (f" (given up: {event.reason})" if event.reason else "")
        if self.ending is None:
            del self.incidents[event.incident]
            self.running.pop(event.incident, None)
            self._give_up("failed", error)
            return
        left = ", ".join(repr(done.task) for done in reversed(self.done))
        why = f"; it was given up because of: {self.ending.error}" if self.ending.error else ""
        self._finish("failed", f"{error}; not undone: {left}{why}")

    # -- giving up --------------------------------------------------------------------------

    def _winds_up(self, running: Running) -> bool:
        """Whether it is a call, in a case that is given up: the called case is being given up."""
        return self.ending is not None and running.task not in self.program.workflow.undos

    def _give_up(self, status: Status, error: str | None) -> None:
        """Call off what is under way; `_undo` does the rest."""
        self.ending = Ending(status, error)
        for firing_id, running in list(self.running.items()):
            begun = self._call_off(firing_id)
            called = self.program.workflow.tasks[running.task].calls is not None
            if not (begun and called) or firing_id in self.incidents:
                del self.running[firing_id]
        self._drop()

    def _undo(self) -> None:
        """In a case that is given up: undo what was done last, or end."""
        if self.ending is None or self.running:
            return
        if not self.done:
            self._finish(self.ending.status, self.ending.error)
        elif self.status == "running":
            last = self.done[-1]
            self.running[last.undo_id] = Running(f"{last.task}.undo", 1, last.instance)
            self._commands.append(self._start_command(last.undo_id))

    def _break(self, error: str) -> None:
        """The data of the case do not let it go on."""
        if self.ending is None:
            self._give_up("failed", error)
        else:
            self._finish("failed", error)
