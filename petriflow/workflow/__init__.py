"""Floor 2: workflows, their tasks, guards and variables."""

from petriflow.workflow.call import call
from petriflow.workflow.human import human
from petriflow.workflow.secrets import secret
from petriflow.workflow.task import Task, TaskContext, task
from petriflow.workflow.variables import Policy, collect, error_on_conflict, last_wins, reduce
from petriflow.workflow.workflow import Workflow

__all__ = [
    "Policy",
    "Task",
    "TaskContext",
    "Workflow",
    "call",
    "collect",
    "error_on_conflict",
    "human",
    "last_wins",
    "reduce",
    "secret",
    "task",
]
