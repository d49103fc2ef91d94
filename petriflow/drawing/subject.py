"""What a picture is about: a net at a level of detail, with the texts and signs at its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from petriflow.drawing.fold import LARGE, Folded, fold_large, fold_patterns
from petriflow.net import Net, require_net
from petriflow.net.errors import DrawingError
from petriflow.patterns import Fragment
from petriflow.patterns.fragment import Event, Timer
from petriflow.workflow import Workflow

#: `pattern` has a block for each pattern, `task` a box for each task, `net` every place and
#: transition of the net that runs.
Detail = Literal["pattern", "task", "net"]
Drawable = Net | Fragment | Workflow
#: what a node is, beyond being a transition: it waits for an event or a timer, it runs another
#: workflow, a person does it, or there are several at once
Sign = Literal["event", "timer", "call", "human", "many"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A net to draw. `home` says where nodes have gone that are folded, `notes` what is in a
    block or whose task it is, and `signs` what a transition is.
    """

    net: Net
    captions: Mapping[str, str] = field(default_factory=dict)
    signs: Mapping[str, Sign] = field(default_factory=dict)
    home: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


def subject(
    target: Drawable, detail: Detail | None = None, captions: Mapping[str, str] | None = None
) -> Subject:
    """What is to be drawn of a net, a fragment or a workflow.

    Without a detail, tasks are drawn, and a net too large for a picture is folded.

    Raises:
        DrawingError: there is no such detail.
        DefinitionError: the target is none of the three.
        NetError: a caption is for a transition that the net does not have.
    """
    if detail not in (None, "pattern", "task", "net"):
        raise DrawingError(f"there is no detail {detail!r}; use 'pattern', 'task' or 'net'")
    net = target.net if isinstance(target, Fragment | Workflow) else require_net(target, "draw")
    told = {t.id: "or" for t in net.transitions if t.join == "or"}
    if isinstance(target, Workflow):
        told |= target.captions
    fragment = target.fragment if isinstance(target, Workflow) else target
    signs = _signs(fragment) if isinstance(fragment, Fragment) else {}
    if isinstance(target, Workflow):
        signs |= dict.fromkeys(_roles(target), "human")
        signs |= dict.fromkeys(target.calls, "call")
    if isinstance(fragment, Fragment):
        told |= {id: _trigger(trigger) for id, trigger in fragment.triggers.items()}
    for id in captions or {}:
        net.transition(id)
    told |= captions or {}
    shown = Folded(net)
    if detail == "net":
        shown = Folded(net.expanded())
        signs = {id if id in shown.net else f"{id}.start": sign for id, sign in signs.items()}
    elif detail == "pattern":
        shown = fold_patterns(net)
    elif detail is None and len(net.places) + len(net.transitions) > LARGE:
        shown = fold_large(net)
    return Subject(
        shown.net,
        {id: text for id, text in told.items() if id in shown.net},
        {id: sign for id, sign in signs.items() if id in shown.net},
        shown.home,
        {**{id: role for id, role in _roles(target).items() if id in shown.net}, **shown.notes},
    )


def _roles(target: Drawable) -> dict[str, str]:
    """Whose task each is that a person does."""
    tasks = target.tasks.items() if isinstance(target, Workflow) else ()
    return {id: task.role for id, task in tasks if task.role}


def _signs(fragment: Fragment) -> dict[str, Sign]:
    found: dict[str, Sign] = {i.task: "many" for i in fragment.instances}
    for id, trigger in fragment.triggers.items():
        found[id] = "timer" if isinstance(trigger, Timer) else "event"
    return found


def _trigger(trigger: Event | Timer) -> str:
    return trigger.name if isinstance(trigger, Event) else duration(trigger.seconds)


def duration(seconds: float) -> str:
    """A duration as people write it, such as `2 d`, `1 h 30 min` or `0.5 s`."""
    parts = []
    rest = seconds
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if rest >= size:
            parts.append(f"{int(rest // size)} {unit}")
            rest %= size
    if rest or not parts:
        parts.append(f"{rest:g} s")
    return " ".join(parts[:2])
