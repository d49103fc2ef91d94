"""A document on its way to approval: three reviews side by side, and more where they ask for it.

    petriflow verify models/document_approval.py
    petriflow run models/document_approval.py
    petriflow cases work --role engineer
    petriflow cases complete ITEM --model models/document_approval.py --as ann --role engineer \
        --set 'missing=["scope"]'

The reviewers are people. Whoever has not claimed a review within `PETRIFLOW_PATIENCE` (2 seconds,
so that the example ends by itself; say "2d" in earnest) is stood in for by a program that reads the
text. A large sum goes to the board; when that is silent it is escalated to its deputy, and then the
rules decide. Every finding is written to an audit file in `approvals/` (or where
PETRIFLOW_APPROVALS says). The variables are declared by a model, so that a wrong input, or a
review that does not fit, is refused at the door.
"""

import os
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, Field

from petriflow import Workflow, collect, human, task
from petriflow.patterns import (
    deferred_choice,
    discriminator,
    multi_choice,
    parallel,
    sequence,
    timer,
    when,
)

SECTIONS = ("purpose", "scope", "budget")
BANNED = ("unlimited liability", "exclusive", "penalty")
PATIENCE = os.environ.get("PETRIFLOW_PATIENCE", "2s")


class Approval(BaseModel):
    """The variables of a case."""

    title: str
    text: str
    received: date
    executive_limit: Decimal = Decimal(10_000)
    words: int = 0
    amount: Decimal = Decimal(0)
    missing: list[str] = Field(default_factory=list)
    banned: list[str] = Field(default_factory=list)
    findings: list[str] = Field(default_factory=list)
    agreed: bool | None = None
    approved: bool | None = None


@task(retries=2, timeout="10s")
async def prepare(case):
    """Open the audit file and count the words."""
    document = case.variables
    audit(case, f"received {document.received:%d %B %Y}: {document.title}")
    return {"words": len(document.text.split())}


async def look_for_sections(case):
    """Are all sections there?"""
    missing = [s for s in SECTIONS if not re.search(rf"(?im)^{s}\b", case.variables.text)]
    return finding(case, f"sections missing: {', '.join(missing) or 'none'}") | {"missing": missing}


async def look_for_clauses(case):
    """Are there clauses that need a lawyer?"""
    banned = [clause for clause in BANNED if clause in case.variables.text.lower()]
    return finding(case, f"clauses to check: {', '.join(banned) or 'none'}") | {"banned": banned}


def add_up_amounts(case):
    """What does it come to?"""
    sums = re.findall(r"EUR\s*([\d,]+(?:\.\d\d)?)", case.variables.text)
    amount = sum((Decimal(s.replace(",", "")) for s in sums), Decimal(0))
    return finding(case, f"amounts come to EUR {amount:,.2f}") | {"amount": amount}


def remind_board(case):
    """The board is silent: its deputy is asked."""
    return finding(case, "the board was reminded, and its deputy is asked")


def note_silence(case):
    return finding(case, "neither the board nor its deputy has answered: the rules decide")


def compliance_review(case):
    """Clauses to check: compliance looks at each."""
    return finding(case, "; ".join(f"compliance saw {c!r}" for c in case.variables.banned))


async def regular_approval(case):
    return finding(case, "regular approval")


async def decide_by_rules(case):
    document = case.variables
    fine = not document.missing and "penalty" not in document.banned
    return {"approved": fine and document.agreed is not False}


async def wait_for_objections(case):
    return finding(case, "no objections")


def notify_author(case):
    return finding(case, "the author was told")


def notify_archive(case):
    return finding(case, "the archive was told")


async def finalize(case):
    """Close the audit file."""
    document = case.variables
    verdict = "approved" if document.approved else "sent back"
    audit(case, f"{verdict}: {document.words} words, {len(document.findings)} findings")


def needs_compliance(document: Approval) -> bool:
    return bool(document.banned)


def or_else(person, *instead, name):
    """A person's task, and what happens instead if nobody claims it in time."""
    return deferred_choice(
        person, sequence(timer(PATIENCE, name="patience"), *instead, name="instead"), name=name
    )


def review(name, role, asks, program):
    person = human(name, role=role, asks=[asks], shows=["title", "text", "received"])
    return or_else(person, program, name=role)


def executive_approval():
    seen = ["title", "text", "amount", "missing", "banned"]
    deputy = human("ask_deputy", role="deputy", asks=["agreed"], shows=seen)
    return or_else(
        human("ask_board", role="board", asks=["agreed"], shows=seen),
        remind_board,
        or_else(deputy, note_silence, name="deputy"),
        name="executive",
    )


approval = Workflow(
    "approval",
    sequence(
        prepare,
        parallel(
            review("technical_review", "engineer", "missing", look_for_sections),
            review("legal_review", "lawyer", "banned", look_for_clauses),
            review("financial_review", "controller", "amount", add_up_amounts),
            name="reviews",
        ),
        multi_choice(
            when("amount > executive_limit", executive_approval()),
            when(needs_compliance, compliance_review),
            otherwise=regular_approval,
            name="more",
        ),
        decide_by_rules,
        discriminator(
            wait_for_objections,
            parallel(notify_author, notify_archive, name="notify"),
            required=1,
            name="release",
        ),
        finalize,
    ),
    variables=Approval,
    merge={"findings": collect},
    example={
        "title": "A new warehouse",
        "text": "Purpose: more room.\nScope: one hall.\nBudget: EUR 12,500.00 and EUR 800.\n"
        "The builder asks for exclusive use of the yard.",
        "received": "2026-11-23",
    },
)


def finding(case, text):
    """Write a finding down, and add it to the case's."""
    audit(case, text)
    return {"findings": text}


def audit(case, text):
    """A line in the case's audit file, once for each firing however often the body runs."""
    path = Path(os.environ.get("PETRIFLOW_APPROVALS", "approvals")) / f"{case.case_id}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    line = f"{case.firing_id.removeprefix(case.case_id + '/')}: {text}\n"
    with path.open("a+", encoding="utf-8") as file:
        file.seek(0)
        if line not in file.readlines():
            file.write(line)
