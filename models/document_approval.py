"""A document on its way to approval: three reviews side by side, and more where they ask for it.

    petriflow verify models/document_approval.py
    petriflow run models/document_approval.py

The reviewers here are programs that read the text; what they find decides the way. Every finding is
written to an audit file in `approvals/` (or where PETRIFLOW_APPROVALS says). The variables are
declared by a model, so that a wrong input is refused at the door.
"""

import os
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, Field

from petriflow import Workflow, collect, task
from petriflow.patterns import discriminator, multi_choice, parallel, sequence, when

SECTIONS = ("purpose", "scope", "budget")
BANNED = ("unlimited liability", "exclusive", "penalty")


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
    approved: bool | None = None


@task(retries=2, timeout="10s")
async def prepare(case):
    """Open the audit file and count the words."""
    document = case.variables
    audit(case, f"received {document.received:%d %B %Y}: {document.title}")
    return {"words": len(document.text.split())}


async def technical_review(case):
    """Are all sections there?"""
    missing = [s for s in SECTIONS if not re.search(rf"(?im)^{s}\b", case.variables.text)]
    return finding(case, f"sections missing: {', '.join(missing) or 'none'}") | {"missing": missing}


async def legal_review(case):
    """Are there clauses that need a lawyer?"""
    banned = [clause for clause in BANNED if clause in case.variables.text.lower()]
    return finding(case, f"clauses to check: {', '.join(banned) or 'none'}") | {"banned": banned}


def financial_review(case):
    """What does it come to?"""
    sums = re.findall(r"EUR\s*([\d,]+(?:\.\d\d)?)", case.variables.text)
    amount = sum((Decimal(s.replace(",", "")) for s in sums), Decimal(0))
    return finding(case, f"amounts come to EUR {amount:,.2f}") | {"amount": amount}


async def executive_approval(case):
    """A large sum: the board agrees as long as nothing is missing."""
    return finding(case, f"board: {'no' if case.variables.missing else 'yes'}")


def compliance_review(case):
    """Clauses to check: compliance looks at each."""
    return finding(case, "; ".join(f"compliance saw {c!r}" for c in case.variables.banned))


async def regular_approval(case):
    return finding(case, "regular approval")


async def decide_by_rules(case):
    document = case.variables
    return {"approved": not document.missing and "penalty" not in document.banned}


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


approval = Workflow(
    "approval",
    sequence(
        prepare,
        parallel(technical_review, legal_review, financial_review, name="reviews"),
        multi_choice(
            when("amount > executive_limit", executive_approval),
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
