"""A release train: features get on while it stands; then it leaves, and the rest waits.

    petriflow verify models/release_train.py
    petriflow run models/release_train.py

Two teams test their features in the one staging environment, one at a time (a lock across
branches). A feature can board only while the train stands (a stage that another branch looks at);
one that is late is put on the list for the next train. Builds are instances of one task, as many as
there are services. Notes are files in `releases/` (or PETRIFLOW_RELEASES).
"""

import asyncio
import os
from pathlib import Path

from petriflow import TaskContext, Workflow, collect
from petriflow.patterns import deferred_choice as first_of
from petriflow.patterns import (
    during,
    event,
    exclusive_choice,
    holding,
    multiple_instances,
    parallel,
    sequence,
    stage,
    timer,
    when,
)


def announce(case):
    return {"status": "boarding"}


async def test_search(case):
    return await test(case, "search")


async def test_checkout(case):
    return await test(case, "checkout")


def board_search(case):
    return {"aboard": "search"}


def board_checkout(case):
    return {"aboard": "checkout"}


def postpone_search(case):
    return {"postponed": "search"}


def postpone_checkout(case):
    return {"postponed": "checkout"}


async def build(case: TaskContext):
    """One service; which, says the number of the instance."""
    await asyncio.sleep(0.01)
    service = case["services"][case.instance]
    return {"built": note(case, service, f"{service}: built with {sorted(case['aboard'])}")}


def publish(case):
    text = f"services {case['services']}\naboard {sorted(case['aboard'])}\n"
    return {"status": "published", "notes": note(case, "release", text)}


def call_off(case):
    return {"status": "nothing was aboard"}


def team(test_it, board, postpone, name):
    """Test in the staging environment, then board if the train still stands."""
    return sequence(
        holding("staging", test_it, name="staging"),
        during("boarding", board, expired=postpone, name="train"),
        name=name,
    )


release_train = Workflow(
    "release_train",
    sequence(
        announce,
        parallel(
            team(test_search, board_search, postpone_search, "search"),
            team(test_checkout, board_checkout, postpone_checkout, "checkout"),
            stage(
                "boarding",
                first_of(
                    event("depart"),
                    timer(os.environ.get("PETRIFLOW_PATIENCE", "2s"), name="timetable"),
                    name="departure",
                ),
                name="platform",
            ),
            name="preparation",
        ),
        exclusive_choice(
            when(
                "len(aboard) > 0",
                sequence(
                    multiple_instances(build, "len(services)", most=4, name="builds"), publish
                ),
            ),
            otherwise=call_off,
            name="release",
        ),
    ),
    merge={"aboard": collect, "postponed": collect, "built": collect},
    example={"services": ["web", "api", "jobs"], "aboard": [], "postponed": [], "built": []},
)


async def test(case, feature):
    """As long as the case says, so that a slow test shows what missing the train means."""
    await asyncio.sleep(float(case.get("slow", {}).get(feature, 0)))
    return {f"{feature}_tested": True}


def note(case, name, text):
    folder = Path(os.environ.get("PETRIFLOW_RELEASES", "releases")) / case.case_id
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.txt"
    path.write_text(text, encoding="utf-8")
    return str(path)
