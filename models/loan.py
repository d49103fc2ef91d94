"""A loan application: three checks side by side, and the first bad news ends the others.

    petriflow verify models/loan.py
    petriflow run models/loan.py

Each check can call the whole assessment off (`withdraw`): an application that fails at the identity
is not sent to the expensive valuation any more. What is left is scored; between the thresholds a
person decides, by the event `decision` with `{"granted": true}` or `false`, or nobody does within
`PETRIFLOW_PATIENCE`, and the loan is not granted. Letters go to `loans/` (or PETRIFLOW_LOANS).
"""

import asyncio
import os
from pathlib import Path

from pydantic import BaseModel, Field

from petriflow import Workflow, collect
from petriflow.patterns import (
    deferred_choice,
    event,
    exclusive_choice,
    parallel,
    region,
    sequence,
    skip,
    structured_loop,
    timer,
    when,
    withdraw,
)

BLOCKED = {"mallory"}


class Application(BaseModel):
    """The variables of an application."""

    name: str
    income: float
    wanted: float
    house: float
    years: int = 20
    known: bool = True
    solvent: bool = True
    worth: bool = True
    score: int = 0
    granted: bool = False
    offers: int = 0
    rate: float = 0.0
    log: list[str] = Field(default_factory=list)
    letter: str = ""


async def identify(case):
    name = case.variables.name
    return {"known": name not in BLOCKED, "log": f"identity of {name} looked up"}


async def ask_bureau(case):
    """Solvent is who pays less than a third of the income each month."""
    await asyncio.sleep(0.01)
    month = case.variables.wanted / case.variables.years / 12
    return {"solvent": month * 3 < case.variables.income, "log": "bureau asked"}


async def value_house(case):
    """The slow and expensive one."""
    await asyncio.sleep(0.05)
    return {"worth": case.variables.house >= case.variables.wanted / 2, "log": "house valued"}


def score(case):
    """From 0 to 100, by what is owned and what is earned."""
    a = case.variables
    owned = min(a.house / a.wanted, 1.5) * 40
    earned = min(a.income * 12 * a.years / a.wanted / 4, 1.0) * 40
    return {"score": round(owned + earned), "log": "scored"}


def grant(case):
    return {"granted": True}


def overdue(case):
    return {"granted": False, "log": "nobody decided in time"}


def compute_offer(case):
    """Each round looks for a rate that the income carries, over more years."""
    a = case.variables
    years = a.years + 5 * a.offers
    rate = round(2.5 + 0.05 * (100 - a.score), 2)
    month = a.wanted * (rate / 1200) / (1 - (1 + rate / 1200) ** (-12 * years))
    fits = month * 3 < a.income or a.offers >= 3
    return {"offers": a.offers + 1, "years": years, "rate": rate if fits else 0.0}


def write_contract(case):
    a = case.variables
    return {
        "letter": letter(case, f"We lend you {a.wanted:.2f} at {a.rate} % for {a.years} years.")
    }


def reject(case):
    return {"letter": letter(case, "We are sorry: one of our checks failed.")}


def decline(case):
    return {"letter": letter(case, "We are sorry: we do not lend you this sum.")}


def check(task, guard, name):
    """A check that calls the assessment off where it fails."""
    return sequence(
        task, exclusive_choice(when(guard, withdraw("checks")), otherwise=skip, name=name)
    )


loan = Workflow(
    "loan",
    region(
        "checks",
        sequence(
            parallel(
                check(identify, "not known", "unknown"),
                check(ask_bureau, "not solvent", "insolvent"),
                check(value_house, "not worth", "worthless"),
                name="assessment",
            ),
            score,
            exclusive_choice(
                when("score >= 60", grant),
                when("score < 30", skip),
                otherwise=deferred_choice(
                    event("decision"),
                    sequence(
                        timer(os.environ.get("PETRIFLOW_PATIENCE", "2s"), name="patience"), overdue
                    ),
                    name="person",
                ),
                name="threshold",
            ),
            exclusive_choice(
                when(
                    "granted",
                    sequence(structured_loop(compute_offer, until="rate > 0"), write_contract),
                ),
                otherwise=decline,
                name="answer",
            ),
            name="process",
        ),
        then=reject,
        name="application",
    ),
    variables=Application,
    merge={"log": collect},
    example={"name": "ada", "income": 4800, "wanted": 240_000, "house": 310_000},
)


def letter(case, text):
    folder = Path(os.environ.get("PETRIFLOW_LOANS", "loans"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{case.case_id}.txt"
    path.write_text(f"Dear {case.variables.name},\n{text}\n", encoding="utf-8")
    return str(path)
