"""Floor 6: testing one's own workflows, without a server and without waiting.

Take an order: it is paid for while somebody picks it, and shipped when the customer confirms it
within a week; else it is put back.

>>> from petriflow import Workflow, task
>>> from petriflow.patterns import deferred_choice, event, parallel, sequence, timer
>>> def pick(case): raise OSError("there is no warehouse here")
>>> @task(retries=1, delay="1h")
... def pay(case): raise OSError("this would cost money")
>>> def ship(case): raise OSError("there is no truck here")
>>> def put_back(case): raise OSError("there is no warehouse here")
>>> order = Workflow("order", sequence(parallel(pick, pay), deferred_choice(
...     sequence(event("confirmed"), ship), sequence(timer("7d", name="week"), put_back))))

**A story** says what happens, step by step. Bodies end when the story says so and as their fakes
say: `{"paid": True}` is what `pay` returns, a function of the case computes it, `raising(…)` fails.
Real bodies never run, and time passes only by `Advance`. Tasks and timers go by short names.

>>> from petriflow.testing import *
>>> story = run_story(order, Complete("pick"), Complete("pay"), fakes={"pay": {"paid": True}})
>>> story.events, story.timers, story.variables
(('confirmed',), ('week',), {'paid': True})
>>> story.do(Advance("6d"), Signal("confirmed"), Expect(running=["ship"]), Complete("ship"))
<Story of 'order': completed after Complete('pick'), ... Complete('ship')>

A step that cannot be taken is an error, which says what can, and what has happened until then:

>>> run_story(order, Complete("pick"), Complete("ship"))
Traceback (most recent call last):
petriflow.net.errors.StoryError: 'ship' is not running; running are: 'pay'
story of 'order', running, after
  1. Complete('pick')

**Trouble** is told in the same way. `Fail` lets an attempt fail; here a second one follows, an hour
later, and fails for good.

>>> story = run_story(order, Fail("pay", "card declined"), Fail("pay", "card declined"))
>>> story.status, story.error, story.time
('failed', "task 'order/parallel-1/pay': card declined", 3600.0)

A task with `on_failure="incident"` waits for a person then: `Retry`, `Skip` or `GiveUp`. What
undoes a task when its case is given up is a body like others, by its own name or as `pay.undo`.

**People.** A task that a person does is handed in by `Complete`, like the others; where it competes
with other steps, `Claim` begins it. `Release` gives it back, and `story.asks` names all of them.

>>> from petriflow import human
>>> offer = Workflow("offer", deferred_choice(human("review", role="boss"), timer("3d") >> ship))
>>> run_story(offer, Claim("review", by="ann"), Advance("9d"), Expect(asks=["review"]),
...           Complete("review", {"ok": True})).variables
{'ok': True}

**Every order.** What a person did not think of is found by trying all orders in which bodies can
end, events arrive and timers ring. Write `, run` behind the assertion: pytest then shows the steps
of the order that fails, and `run_story(order, *run.steps, fakes=…)` does the same again.

>>> for run in interleavings(order, fakes={"pay": {"paid": True}}):
...     assert run.status == "completed", run
...     assert run.variables["paid"], run
>>> len(list(interleavings(order)))
4

Guards are asked as they are, on the variables that the fakes and events make; `guards="free"` takes
every answer instead, and shows it as a step `Choose(…)`.

**The whole engine.** Stories and interleavings are played on the pure case, the same that an engine
drives; petriflow's own tests hold the engine to it. To test a store, a worker or one's own
functions together with it, give an engine the workflow with fakes in place of some bodies. Its
content hash is the same, so that it also continues cases that the real one has begun.

>>> tested = faked(Workflow("pay", pay), {"pay": {"paid": True}})
>>> tested.run().variables
{'paid': True}

`Engine(clock=VirtualClock())` jumps from one moment for which somebody waits to the next, so that
days of timers take milliseconds; `VirtualClock(jumps=False)` moves by `await clock.advance("2d")`.
"""

from petriflow.testing.clock import VirtualClock
from petriflow.testing.fakes import faked, raising
from petriflow.testing.interleavings import interleavings
from petriflow.testing.steps import (
    Advance,
    Cancel,
    Choose,
    Claim,
    Complete,
    Expect,
    Fail,
    GiveUp,
    Release,
    Resume,
    Retry,
    Ring,
    Signal,
    Skip,
    Suspend,
    Tell,
)
from petriflow.testing.story import Story, run_story

__all__ = [
    "Advance",
    "Cancel",
    "Choose",
    "Claim",
    "Complete",
    "Expect",
    "Fail",
    "GiveUp",
    "Release",
    "Resume",
    "Retry",
    "Ring",
    "Signal",
    "Skip",
    "Story",
    "Suspend",
    "Tell",
    "VirtualClock",
    "faked",
    "interleavings",
    "raising",
    "run_story",
]
