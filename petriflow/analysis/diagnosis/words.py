"""Steps, places and markings in the words of the workflow's own tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from petriflow.net import Marking, Net, Place, Transition, obstacles


def step(net: Net, transition: str) -> str:
    """A transition in words: its task's name, or what it does in its pattern."""
    t = net.transition(transition)
    if t.origin is None:
        return _named(t.id, t.label)
    if t.label is not None:
        verb = {"start": "the start of ", "complete": "the completion of "}.get(t.origin.role, "")
        return f"{verb}{t.label!r} ({t.origin.path})"
    return f"the {t.origin.role!r} of {t.origin.pattern} {t.origin.path!r}"


def steps(net: Net, transitions: Iterable[Transition | str], between: str = ", ") -> str:
    """Several transitions in words, each once, and no more than five."""
    ids = (t if isinstance(t, str) else t.id for t in transitions)
    told = list(dict.fromkeys(step(net, id) for id in ids))
    shown = told[:5] + [f"{len(told) - 5} more"] * (len(told) > 5)
    return between.join(shown)


def spot(net: Net, place: Place) -> str:
    """A place in words."""
    if place.origin is None:
        return _named(place.id, place.label)
    if place.origin.role == "running":
        return f"the running {place.origin.path!r}"
    into = net.consumers[place.id]
    return f"{place.id!r} (before {step(net, into[0].id)})" if into else f"{place.id!r}"


def choice(net: Net, place: str) -> str:
    """The place where one of several steps is taken, in words."""
    takers = net.consumers[place]
    origins = {(t.origin.pattern, t.origin.path) if t.origin else None for t in takers}
    one = origins.pop() if len(origins) == 1 else None
    if one is not None and takers[0].silent:
        return "the {} {!r}".format(*one)
    return f"the choice at {named(net, place)}"


def branch(net: Net, place: str) -> str:
    """What comes next at a place, in words: the choice there, or the step."""
    takers = net.consumers[place]
    match len(takers):
        case 0:
            return named(net, place)
        case 1:
            return _task(takers[0]) or step(net, takers[0].id)
        case _:
            return choice(net, place)


def coming(net: Net, place: str) -> str:
    """A place by its name, and what comes there; a place that a pattern made says little alone."""
    makers = net.producers[place]
    if net.place(place).origin is None or len(makers) != 1:
        return named(net, place)
    return f"{named(net, place)} (after {_task(makers[0]) or step(net, makers[0].id)})"


def _task(t: Transition) -> str | None:
    """The task that a transition is or is part of."""
    return f"{t.label!r} ({t.origin.path})" if t.label is not None and t.origin else None


def named(net: Net, place: str) -> str:
    """A place by its name only."""
    return _named(place, net.place(place).label)


def _named(id: str, label: str | None) -> str:
    if label is None or label == id:
        return f"{id!r}"
    # Some tools write whole paths into their labels; the id beside it says which one it is.
    short = label if len(label) <= 60 else f"{label[:28]} … {label[-28:]}"
    return f"{short!r} ({id})"


def tokens(net: Net, marking: Marking) -> list[str]:
    """What lies on each marked place."""
    return [
        (f"{n} tokens on " if n > 1 else "a token on ") + spot(net, net.place(p))
        for p, n in marking.items()
    ]


def waiting(net: Net, marking: Marking) -> list[Transition]:
    """The transitions that have some of what they need, but not all."""
    return [t for t in net.transitions if any(p in marking for p in (*t.consume, *t.read))]


def lack(net: Net, t: Transition, marking: Marking) -> list[str]:
    """What a step still needs, and who would bring it."""
    told = []
    for place, need in t.needs.items() if t.join == "and" else ():
        if marking[place] >= need:
            continue
        makers = steps(net, net.producers[place])
        want = f"needs {need} tokens, and has {marking[place]}," if need > 1 else "lacks a token"
        by = f", brought by {makers}" if makers else ", and nothing brings one"
        told.append(f"it {want} on {named(net, place)}{by}")
    return told or obstacles(t, marking)


def told(net: Net, trace: tuple[str, ...]) -> Iterator[str]:
    """The steps of a trace; a task that completes right after its start is told as one step."""
    n = 0
    while n < len(trace):
        here = net.transition(trace[n])
        after = net.transition(trace[n + 1]) if n + 1 < len(trace) else None
        if (
            here.origin
            and after
            and after.origin
            and here.origin.path == after.origin.path
            and (here.origin.role, after.origin.role) == ("start", "complete")
        ):
            yield f"{here.label!r} ({here.origin.path})"
            n += 2
        else:
            yield step(net, here.id)
            n += 1
