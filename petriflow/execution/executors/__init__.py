"""Where bodies work that do not work in the engine's own process."""

from petriflow.execution.executors.executor import Executor, WorkerDied
from petriflow.execution.executors.processes import Processes

__all__ = ["Executor", "Processes", "WorkerDied"]
