"""Bodies that other processes import."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from petriflow import TaskContext, task


class Dated(BaseModel):
    model_config = ConfigDict(strict=True)
    day: date
    days: int = 1


def note(folder: str, line: str) -> None:
    with (Path(folder) / "notes").open("a") as file:
        file.write(line + "\n")


def notes(folder: Path) -> list[str]:
    path = folder / "notes"
    return path.read_text().splitlines() if path.exists() else []


@task(executor="process")
def tells(case: TaskContext) -> dict[str, Any]:
    return {"pid": os.getpid(), "firing": case.firing_id, "attempt": case.attempt}


@task(executor="process")
async def awaits(case: TaskContext) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"pid": os.getpid()}


@task(executor="thread")
async def awaits_in_a_thread(case: TaskContext) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"thread": threading.current_thread().name}


@task(executor="process")
def next_day(case: TaskContext) -> dict[str, Any]:
    return {"day": date.fromordinal(case.variables.day.toordinal() + case["days"])}


@task(executor="process")
def dies_once(case: TaskContext) -> dict[str, Any]:
    note(case["folder"], case.firing_id)
    if len(notes(Path(case["folder"]))) == 1:
        os._exit(9)
    return {"lives": True}


@task(executor="process", retries=1, delay=0)
def dies(case: TaskContext) -> None:
    note(case["folder"], f"{case.firing_id} {case.attempt}")
    os._exit(9)


@task(executor="process")
def takes_long(case: TaskContext) -> dict[str, Any]:
    time.sleep(0.3)
    return {"long": True}


class OurError(OSError):
    pass


@task(executor="process", retries=3, delay=0, retry_on=OSError, give_up_on=ZeroDivisionError)
def raises(case: TaskContext) -> None:
    if case.attempt < 3:
        raise OurError("again")
    _ = 1 / 0


@task(executor="process")
def returns_nonsense(case: TaskContext) -> Any:
    return 7


@task(executor="dask", retries=2, delay=0)
def dies_once_on_dask(case: TaskContext) -> dict[str, Any]:
    return dies_once.body(case)  # type: ignore[return-value]


@task(executor="dask", retries=1, delay=0)
def dies_on_dask(case: TaskContext) -> None:
    dies.body(case)


@task(executor="dask", retries=9, delay=0.2)
def waits_on_dask(case: TaskContext) -> dict[str, Any]:
    note(case["folder"], case.firing_id)
    while not (Path(case["folder"]) / "go").exists():
        time.sleep(0.02)
    return {"pid": os.getpid()}
