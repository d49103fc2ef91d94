"""Floor 5: running proven workflows, durably."""

from petriflow.execution.case import Case
from petriflow.execution.engine import Engine, run_blocking
from petriflow.execution.handle import CaseHandle, Outcome
from petriflow.execution.redis import Redis
from petriflow.execution.store import Record

__all__ = ["Case", "CaseHandle", "Engine", "Outcome", "Record", "Redis", "run_blocking"]
