"""A program that gives cases up and is killed meanwhile: `given_up.py STORE_URL WORLD_FOLDER`.

Every body books a row under its idempotency key, and every undo takes the row of its task away; the
rows are what the outside world has seen. A person, who is restarted with the program, cancels,
suspends and resumes cases, and settles incidents.
"""

import asyncio
import random
import sys
from pathlib import Path
from typing import Any

from petriflow import Engine, TaskContext, Workflow, call, task
from petriflow.net.errors import PetriflowError
from petriflow.patterns import parallel, sequence

CASES = 60
world = Path(sys.argv[2] if len(sys.argv) > 2 else ".")


def say(case: TaskContext) -> None:
    with (world / "log").open("a") as file:
        file.write(f"{case.firing_id} {case.attempt}\n")


def booking(name: str) -> Any:
    @task(name=f"un{name}", retries=1, delay="1ms")
    async def undo(case: TaskContext) -> None:
        say(case)
        if case["n"] % 7 == 0 and case.attempt <= 2:
            raise OSError("fails until a person has it tried again")
        await asyncio.sleep(0.002)
        (world / str(case.undoes).replace("/", "|")).unlink(missing_ok=True)

    async def book(case: TaskContext) -> dict[str, Any]:
        say(case)
        (world / case.firing_id.replace("/", "|")).touch()
        await asyncio.sleep(0.002 * (case["n"] % 3))
        return {name: case.firing_id}

    return task(name=name, compensate=undo)(book)


@task(on_failure="incident")
async def pay(case: TaskContext) -> None:
    say(case)
    if case["n"] % 5 == 4 and case.attempt == 1:
        raise OSError("waits for a person")


async def last(case: TaskContext) -> None:
    say(case)
    await asyncio.sleep(0.003)
    if case["n"] % 5 == 2:
        raise OSError("fails for good")


stay = Workflow("stay", sequence(booking("room"), booking("table")))
flow = Workflow(
    "trip",
    sequence(
        booking("flight"),
        parallel(booking("car"), sequence(call(stay), booking("guide"))),
        pay,
        booking("seat"),
        last,
    ),
)


async def act(engine: Engine, id: str, n: int) -> None:
    """What the person does about one case, whatever was done before."""
    await asyncio.sleep(random.random() * 0.06)
    if n % 5 == 1:
        await engine.cancel(id, "enough")
    elif n % 5 == 3:
        await engine.suspend(id, "look")
        await asyncio.sleep(random.random() * 0.02)
        await engine.cancel(id, "enough")
        await asyncio.sleep(random.random() * 0.02)
        await engine.resume(id)


async def mend(engine: Engine) -> None:
    """Settle incidents as they come, until the program ends."""
    while True:
        for incident in await engine.incidents(limit=None):
            n = (await engine.outcome(incident.case_id)).variables["n"]
            try:
                if incident.element.endswith(".undo") or n % 3 == 0:
                    await engine.retry(incident.case_id, incident=incident.incident)
                elif n % 3 == 1:
                    await engine.skip(incident.case_id, incident.incident)
                else:
                    await engine.fail(incident.case_id, incident.incident, "no")
            except PetriflowError:
                continue  # it has gone another way meanwhile
        await asyncio.sleep(0.005)


async def careful(work: Any) -> None:
    try:
        await work
    except PetriflowError as error:
        if "is not open" not in str(error):
            raise


async def main(url: str) -> None:
    async with Engine(url, workflows=[flow]) as engine:
        mending = asyncio.create_task(mend(engine))
        known = {s.id: s for s in await engine.list(limit=None)}
        acts = []
        for n in range(CASES):
            case = await engine.start(flow, {"n": n}, key=str(n))
            if case.id not in known or known[case.id].status in ("running", "suspended"):
                acts.append(asyncio.create_task(careful(act(engine, case.id, n))))
        await asyncio.gather(*acts)
        while any(s.status in ("running", "suspended") for s in await engine.list(limit=None)):
            mending.done() and mending.result()
            await asyncio.sleep(0.01)
        mending.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
