"""What happens outside: events, timers, and the triggers of the literature (WCP-23, WCP-24)."""

from __future__ import annotations

from petriflow.net.errors import CompositionError
from petriflow.patterns.compose import Composer, Placed
from petriflow.patterns.duration import Duration, seconds
from petriflow.patterns.fragment import Binding, Event, Fragment, Timer, Trigger, check_name


def event(name: str, *, about: str | None = None, transient: bool = False) -> Fragment:
    """Wait until somebody calls `engine.signal(case, name, payload)`; the payload is merged into
    the case's variables.

    With `about="order_id"` nobody needs to know the case: `engine.tell(name, about=4711)` reaches
    the case that waits for this event and whose variable `order_id` is 4711 when it begins to wait.

    Args:
        name: what the event is called.
        about: the variable that says what the event is about.
        transient: an event that comes while nobody waits is lost (WCP-23); otherwise it is kept
            until somebody waits for it (WCP-24).

    Raises:
        CompositionError: the name cannot be a segment of a path, or `about` is no name.
    """
    if about is not None and (not isinstance(about, str) or not about):
        raise CompositionError(
            f"event {name!r}: about={about!r} is no name of a variable, such as 'order_id'"
        )
    return leaf("event", check_name(name), Event(name, not transient, about))


def timer(after: Duration, *, name: str | None = None) -> Fragment:
    """Wait for so long, from the moment at which the case gets here.

    Args:
        after: seconds, a timedelta, or a text such as "2h".
        name: what the timer is called.

    Raises:
        DefinitionError: the duration cannot be read.
    """
    return leaf("timer", name, Timer(seconds(after, "timer: after")))


def leaf(pattern: str, name: str | None, trigger: Trigger) -> Fragment:
    """One silent step that waits for something outside."""
    composer = Composer(pattern, name)
    entry, exit = composer.place("in"), composer.place("out")
    composer.silent("happens", entry, exit, trigger=trigger)
    return composer.finish(entry, exit)


def persistent_trigger(
    before: Fragment | Binding,
    then: Fragment | Binding,
    emit: Fragment | Binding,
    *,
    name: str | None = None,
) -> Fragment:
    """One branch waits for another's signal, which is kept until it does (WCP-24 Persistent
    Trigger).

    For a signal from outside the case use `event(…)`.

    Args:
        before: what the waiting branch does first.
        then: what it does after the signal.
        emit: the other branch; the signal is given when it has ended.
        name: the segment that stands for the block in the ids of its nodes.
    """
    composer = Composer("persistent_trigger", name)
    first, last, sender = composer.add_all((before, then, emit))
    entry, exit, signal = map(composer.place, ("in", "out", "signal"))
    last = composer.tie(last, take=(signal,))
    sender = composer.tie(sender, give=(signal,))
    composer.fuse(first.exit, last.entry)
    composer.silent("split", entry, [first.entry, sender.entry])
    composer.silent("join", [last.exit, sender.exit], exit)
    return composer.finish(entry, exit)


def transient_trigger(
    before: Fragment | Binding,
    then: Fragment | Binding,
    *,
    emit: Fragment | Binding | None = None,
    fallback: bool = True,
    unsafe_ok: bool = False,
    name: str | None = None,
) -> Fragment:
    """One branch waits for another's signal, which is lost if it comes too early (WCP-23 Transient
    Trigger).

    For a signal from outside the case use `event(…, transient=True)`.

    Args:
        before: what the waiting branch does first.
        then: what it does after the signal.
        emit: the other branch; the signal is given when it has ended, by default at once.
        fallback: whether the waiting branch goes on without `then` when the signal was lost.
        unsafe_ok: leave the fallback out, although a case then waits for ever.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: there is no fallback, without `unsafe_ok=True`.
    """
    composer = Composer("transient_trigger", name)
    if not fallback and not unsafe_ok:
        raise CompositionError(
            f"transient_trigger {composer.root!r}: a case whose signal is lost would wait for "
            "ever; leave fallback=True, or say unsafe_ok=True"
        )
    first, last = composer.add_all((before, then))
    entry, exit = composer.place("in"), composer.place("out")
    waiting, sent = first.exit, composer.place("sent")
    sender: Placed | None = None if emit is None else composer.add(emit)
    signal = sender.exit if sender else composer.place("signal")
    composer.silent("hit", [signal, waiting], [last.entry, sent])
    if fallback:
        lost = composer.place("lost")
        composer.silent("miss", signal, lost, inhibitor={waiting: 1})
        composer.silent("fallback", [waiting, lost], [last.exit, sent])
    else:
        composer.silent("miss", signal, sent, inhibitor={waiting: 1})
    composer.silent("split", entry, [first.entry, sender.entry if sender else signal])
    composer.silent("join", [last.exit, sent], exit)
    return composer.finish(entry, exit)
