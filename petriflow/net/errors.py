"""Every error petriflow raises, by whose hands can mend it.

* the author of a model: `NetError`, `CompositionError`, `GuardError`, `DefinitionError`
* whoever has a file of another tool: `FormatError`, and `FormatNote`, a warning
* the caller of the token game: `NotEnabled`, `NotEnoughTokens`
* the data of a case: `VariableError`, `VariableConflict`, `NoBranchEnabled`
* the author of a task body: `TaskError`
* whoever runs an engine: `NotProvenSound`, `StoreError`, `UnknownCase`, `MigrationError`
* whoever asks about a net: `QueryError`
* whoever asks for exact figures: `NoExactAnswer`
* whoever draws: `DrawingError`
* whoever simulates: `SimulationError`
* whoever tests a workflow: `StoryError`

A message names the element, says what is wrong and what to do. Verdicts are values, never errors.
"""

from __future__ import annotations


class PetriflowError(Exception):
    """The root of every exception that petriflow raises on purpose."""


class NetError(PetriflowError):
    """A net is not well formed: a double name, an arc to an unknown place, a weight below one."""


class WorkflowNetError(NetError):
    """A net has no single source or no single sink, so soundness is not defined for it."""


class NotEnabled(PetriflowError):
    """A transition was fired in a marking that does not enable it."""


class NotEnoughTokens(PetriflowError, ArithmeticError):
    """A marking was subtracted from one that does not contain it."""


class CompositionError(PetriflowError):
    """Fragments do not fit together: wrong ports, wrong numbers, two tasks of one name."""


class DefinitionError(PetriflowError):
    """A task, a workflow or a model file is not defined as it must be."""


class FormatError(PetriflowError):
    """A file of another tool cannot be read: broken, of another kind, or too large."""


class FormatNote(UserWarning):
    """Something in a file of another tool was read differently, or was left out."""


class SpeedNote(UserWarning):
    """Something takes longer here than it needs to."""


class SimulationNote(UserWarning):
    """A simulation came to its end, and its figures say less than they seem to."""


class GuardError(PetriflowError):
    """A guard cannot be read, uses an unknown name, or failed when it was evaluated."""


class NoBranchEnabled(PetriflowError):
    """No guard of a choice was true, and it has no `otherwise`; the token stays before it."""


class VariableError(PetriflowError):
    """A variable's value cannot be stored or does not fit the variables' model."""


class VariableConflict(VariableError):
    """Two concurrent steps wrote different values to one variable whose policy is `error`."""


class UndeclaredChoice(DefinitionError):
    """Two steps compete for a token, and nothing says which of them is to have it."""


class TaskError(PetriflowError):
    """A task body returned something that is not a mapping of updates, timed out, or failed."""


class NotProvenSound(PetriflowError):
    """An engine was given a workflow that is unsound, or whose soundness is unknown."""


class StoreError(PetriflowError):
    """The store of cases cannot be opened, read or written."""


class MigrationError(PetriflowError):
    """Cases cannot be moved to another version of their workflow; nothing was changed."""


class StoreInUse(StoreError):
    """Another engine has the SQLite file, and one at a time can have it."""


class UnknownCase(PetriflowError, KeyError):
    """No case of this id is in the store."""

    __str__ = Exception.__str__  # KeyError would print the message's repr


class UnknownItem(PetriflowError, KeyError):
    """A work item is not on the lists: it is done or withdrawn, or there never was one."""

    __str__ = Exception.__str__


class NotPermitted(PetriflowError):
    """A person has not the role that a work item is offered to."""


class ItemConflict(PetriflowError):
    """A work item cannot be had just now: another person holds it, or its case is suspended."""


class QueryError(PetriflowError):
    """A query about a net cannot be read, or names something that the net does not have."""


class NoExactAnswer(PetriflowError):
    """Exact figures of a timed model do not exist, or cannot be had; simulate it."""


class DrawingError(PetriflowError):
    """A picture cannot be drawn or saved as asked: an unknown node in an overlay, a file type."""


class SimulationError(PetriflowError):
    """A simulation cannot come to its end: growth without bound, a circle that takes no time."""


class StoryError(PetriflowError, AssertionError):
    """A step of a test's story cannot be taken, or the case is not as the test expects it."""


def say(error: BaseException) -> str:
    """An error in words that can be stored and printed, whatever the error is."""
    try:
        text = str(error)
    except Exception:
        text = "its message cannot be made"
    if not isinstance(error, PetriflowError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return printable(text)


def printable(text: str) -> str:
    """The text without halves of characters, which no file or database can hold."""
    return text.encode("utf-8", "backslashreplace").decode()
