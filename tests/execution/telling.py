"""An engine as a process of its own, for tests that kill it: `telling.py URL NUMBER`.

It starts NUMBER cases and tells as many events, each under a key, in an order of its own, and works
until all of them have ended. Started again it does the same, and nothing happens twice.
"""

from __future__ import annotations

import asyncio
import random
import sys

from petriflow import Engine, Workflow, collect
from petriflow.execution import messages
from petriflow.patterns import event, parallel, sequence

from .sharing import count_open
from .test_engine import step

flow = Workflow(
    "telling",
    parallel(
        sequence(event("payment", about="order_id"), step("ship", shipped=True)), step("beside")
    ),
    merge={"message": collect},
)


async def main(url: str, number: int) -> None:
    messages.NET = 0.5  # what a killed engine has left is looked for soon
    async with Engine(url, workflows=[flow]) as engine:
        print("at work", flush=True)

        async def start(n: int) -> None:
            await engine.start(flow, {"order_id": n}, key=f"{n}")

        async def tell(n: int) -> None:
            await engine.tell("payment", about=n, payload={"message": n}, key=f"{n}")

        works = [(work, n) for work in (start, tell) for n in range(number)]
        random.shuffle(works)
        for k in range(0, len(works), 4):
            await asyncio.gather(*(work(n) for work, n in works[k : k + 4]))
        while await asyncio.to_thread(count_open, url):  # noqa: ASYNC110 – of other processes too
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
