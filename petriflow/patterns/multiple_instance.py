"""One task, several times at once (WCP-12 to WCP-15, WCP-26, WCP-27, WCP-34 to WCP-36).

The instances are tokens on one place; each of their firings has its own id and variables, and
knows by `case.instance`, from 0 on, which it is. A body of several steps needs a marking of its
own for each instance: make it a workflow, and let the task call it.
"""

from __future__ import annotations

from petriflow.net.errors import CompositionError
from petriflow.patterns.compose import Composer, Placed, check_count
from petriflow.patterns.fragment import (
    Binding,
    Branch,
    Choice,
    Count,
    Fragment,
    Guard,
    Instances,
    Region,
    Selector,
    Trigger,
    as_fragment,
    check_guard,
)


def multiple_instances(
    body: Fragment | Binding,
    count: int | Guard,
    *,
    most: int | None = None,
    required: int | None = None,
    cancel: bool = False,
    then: Fragment | Binding | None = None,
    name: str | None = None,
) -> Fragment:
    """Several instances of a task at once, and then on when all are done.

    With a number for `count` this is WCP-13 (design-time knowledge), with a question WCP-14
    (run-time knowledge). With `required` it goes on, with `then`, when so many are done: the others
    run to their end meanwhile (WCP-34 Static Partial Join) or are withdrawn by `cancel=True`
    (WCP-35 Cancelling Partial Join).

    Args:
        body: one task.
        count: how many instances; or a text in the guard language, or a function of the case's
            variables, that says how many.
        most: where `count` is a question, the largest answer.
        required: how many must be done; by default all.
        cancel: whether to withdraw the others then.
        then: what follows as soon as enough are done.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: the body is not one task, or the numbers do not fit.
    """
    composer = Composer("multiple_instances", name)
    task = _one_task(composer, body)
    if not isinstance(count, int):
        return _counted(composer, task, check_guard(count, "count"), most, required, then)
    check_count(composer, "count", count)
    if most is not None:
        raise CompositionError(f"{composer.pattern} {composer.root!r}: most= goes with a question")
    entry = composer.place("in")
    if required is None:
        exit = composer.place("out")
        if then is not None:
            raise CompositionError(
                f"{composer.pattern} {composer.root!r}: then= goes with required=; put what "
                "follows into a sequence"
            )
        _opens(composer, task, composer.silent("split", entry, {task.entry: count}))
        composer.silent("join", {task.exit: count}, exit)
        return composer.finish(entry, exit)
    check_count(composer, "required", required)
    if required > count:
        raise CompositionError(
            f"{composer.pattern} {composer.root!r}: required={required} of {count} instances"
        )
    after = composer.add(then) if then is not None else None
    going = composer.place("going")
    _opens(composer, task, composer.silent("split", entry, {going: 1, task.entry: count}))
    if cancel:
        exit = after.exit if after else composer.place("out")
        composer.silent(
            "fire",
            {going: 1, task.exit: required},
            after.entry if after else exit,
            cancels=_everything(task),
        )
        return composer.finish(entry, exit)
    exit = composer.place("out")
    drained, go_on, went_on = _continuation(composer, after)
    late = count - required
    if late:
        fired = composer.place("fired")
        composer.silent("fire", {going: 1, task.exit: required}, [go_on, fired])
        composer.silent("drain", {fired: 1, task.exit: late}, drained)
    else:
        composer.silent("fire", {going: 1, task.exit: required}, [go_on, drained])
    composer.silent("end", [went_on, drained], exit)
    return composer.finish(entry, exit)


def _counted(
    composer: Composer,
    task: Placed,
    asked: Guard,
    most: int | None,
    required: int | None,
    then: Fragment | Binding | None,
) -> Fragment:
    """As many as the answer says; counting the free slots needs no inhibitor."""
    if required is not None or then is not None:
        raise CompositionError(
            f"{composer.pattern} {composer.root!r}: required= and then= go with a number of "
            "instances; with a question take growing_instances(…, until=…)"
        )
    if most is None:
        raise CompositionError(
            f"{composer.pattern} {composer.root!r}: say by most= how many instances there can be"
        )
    check_count(composer, "most", most)
    entry, exit = composer.place("in"), composer.place("out")
    counting, waiting, free = map(composer.place, ("counting", "waiting", "free"))
    begin = _weights({counting: 1, task.entry: 1, free: most - 1})
    _opens(composer, task, composer.silent("start", entry, begin))
    more = composer.silent("more", [counting, free], [counting, task.entry])
    stop = composer.silent("stop", counting, waiting)
    composer.silent("collect", [waiting, task.exit], [waiting, free])
    composer.silent("end", {waiting: 1, free: most}, exit)
    composer.counts.append(Count(composer.root, counting, asked, more, stop, most))
    return composer.finish(entry, exit)


def detached_instances(
    body: Fragment | Binding,
    count: int,
    then: Fragment | Binding,
    *,
    name: str | None = None,
) -> Fragment:
    """Instances that nobody waits for: `then` follows at once, and only the end of the whole waits
    for them (WCP-12 Multiple Instances without Synchronization).

    Args:
        body: one task.
        count: how many instances.
        then: what goes on meanwhile.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: the body is not one task, or the number is too small.
    """
    composer = Composer("detached_instances", name)
    task = _one_task(composer, body)
    check_count(composer, "count", count)
    after = composer.add(then)
    entry, exit = composer.place("in"), composer.place("out")
    _opens(composer, task, composer.silent("spawn", entry, {after.entry: 1, task.entry: count}))
    composer.silent("end", {after.exit: 1, task.exit: count}, exit)
    return composer.finish(entry, exit)


def growing_instances(
    body: Fragment | Binding,
    *,
    add: Fragment | Binding,
    most: int,
    close: Trigger | None = None,
    until: Guard | None = None,
    then: Fragment | Binding | None = None,
    name: str | None = None,
) -> Fragment:
    """Instances that can be added while others run.

    With `close`, no further one is added after that, and the whole ends when all are done (WCP-15
    Multiple Instances without a priori Run-Time Knowledge). With `until`, asked whenever one is
    done, `then` follows as soon as it is true, and none is added any more (WCP-36 Dynamic Partial
    Join).

    Args:
        body: one task; one instance begins at once.
        add: what adds an instance each time it happens: `event(…)`, `timer(…)` or a task.
        most: how many instances there can be.
        close: the event or timer that ends adding.
        until: what must be true to go on.
        then: what follows as soon as it is.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: the body is not one task, a number is too small, or not one of `close`
            and `until` is given.
    """
    composer = Composer("growing_instances", name)
    task = _one_task(composer, body)
    check_count(composer, "most", most)
    adder = composer.add(add)
    if composer.begins_with_routing(adder):
        raise CompositionError(
            f"{composer.pattern} {composer.root!r}: add= does not begin with something that "
            "happens; put event(…), timer(…) or a task first"
        )
    return composer.finish(*_growing(composer, task, adder, most, close, until, then))


def _growing(
    composer: Composer,
    task: Placed,
    adder: Placed,
    most: int,
    close: Trigger | None,
    until: Guard | None,
    then: Fragment | Binding | None,
) -> tuple[str, str]:
    entry, exit = composer.place("in"), composer.place("out")
    free, closed, used = map(composer.place, ("free", "closed", "used"))
    adder = composer.tie(adder, take=(free,), give=(task.entry,))
    open = adder.entry
    composer.fuse(open, adder.exit)
    begin = _weights({open: 1, task.entry: 1, free: most - 1})
    _opens(composer, task, composer.silent("start", entry, begin))
    if until is None:
        composer.silent("close", open, closed, trigger=close)
        composer.silent("end", {closed: 1, used: most}, exit)
    else:
        after = composer.add(then) if then is not None else None
        go_on = after.entry if after else composer.place("go-on")
        fire = composer.silent("fire", [open, task.exit], [go_on, closed, used])
        asked = (Branch("fire", check_guard(until, "until")),)
        take = (Selector(fire, frozenset([0]), frozenset()),)
        composer.choices.append(Choice(composer.root, task.exit, False, asked, take, patient=True))
        composer.silent("end", {after.exit if after else go_on: 1, closed: 1, used: most}, exit)
    composer.silent("void", [closed, free], [closed, used])
    composer.silent("collect", [closed, task.exit], [closed, used])
    return entry, exit


def cancel_instances(
    body: Fragment | Binding, count: int, *, by: Fragment | Binding, name: str | None = None
) -> Fragment:
    """Several instances at once, all of which `by` withdraws as long as they are not all done
    (WCP-26 Cancel Multiple Instance Task).

    Args:
        body: one task.
        count: how many instances.
        by: what cancels: `event(…)`, `timer(…)` or a task.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: the body is not one task, the number is too small, or `by` begins with
            routing.
    """
    composer = Composer("cancel_instances", name)
    entry, exit = composer.place("in"), composer.place("out")
    task = _one_task(composer, body)
    check_count(composer, "count", count)
    canceller = composer.add(by)
    if composer.begins_with_routing(canceller):
        raise CompositionError(
            f"{composer.pattern} {composer.root!r}: by= does not begin with something that "
            "happens; put event(…), timer(…) or a task first"
        )
    composer.cancel_at(canceller, _everything(task))
    going = canceller.entry
    _opens(composer, task, composer.silent("split", entry, {going: 1, task.entry: count}))
    composer.silent("join", {going: 1, task.exit: count}, exit)
    composer.silent("cancelled", canceller.exit, exit)
    return composer.finish(entry, exit)


def complete_instances(
    body: Fragment | Binding,
    count: int,
    *,
    by: Trigger | None = None,
    then: Fragment | Binding | None = None,
    name: str | None = None,
) -> Fragment:
    """Several instances at once; when `by` happens, those not done are withdrawn, and the case goes
    on as if all were (WCP-27 Complete Multiple Instance Task).

    Args:
        body: one task.
        count: how many instances.
        by: the event or timer that completes them.
        then: what follows.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: the body is not one task, or the number is too small.
    """
    composer = Composer("complete_instances", name)
    task = _one_task(composer, body)
    check_count(composer, "count", count)
    after = composer.add(then) if then is not None else None
    entry, going = composer.place("in"), composer.place("going")
    exit = after.exit if after else composer.place("out")
    go_on = after.entry if after else exit
    _opens(composer, task, composer.silent("split", entry, {going: 1, task.entry: count}))
    composer.silent("join", {going: 1, task.exit: count}, go_on)
    composer.silent("force", going, go_on, cancels=_everything(task), trigger=by)
    return composer.finish(entry, exit)


def _one_task(composer: Composer, body: Fragment | Binding) -> Placed:
    fragment = as_fragment(body)
    if fragment.pattern != "task":
        raise CompositionError(
            f"{composer.pattern} {composer.root!r}: instances of {fragment.root!r} would mix their "
            "tokens; make it a Workflow, and let one task call it: call(workflow)"
        )
    return composer.add(fragment)


def _opens(composer: Composer, task: Placed, transition: str) -> None:
    composer.instances.append(Instances(task.path, frozenset([transition])))


def _everything(task: Placed) -> Region:
    return Region("", (task.path,))


def _continuation(composer: Composer, after: Placed | None) -> tuple[str, str, str]:
    drained = composer.place("drained")
    go_on = after.entry if after else composer.place("go-on")
    return drained, go_on, after.exit if after else go_on


def _weights(weights: dict[str, int]) -> dict[str, int]:
    return {place: n for place, n in weights.items() if n}
