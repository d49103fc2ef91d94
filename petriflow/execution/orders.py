"""Orders: what is asked of a case, carried out by the engine that has it."""

from __future__ import annotations

from typing import Any

from petriflow.execution.core import Core
from petriflow.execution.handle import CaseHandle


class Orders(Core):
    """The side of `Engine` that carries out orders.

    An order of kind `suspend` is carried out by the method `_order_suspend(handle, **data)`, which
    is added to `KINDS`. Its data and its answer are plain JSON data, so that an order can be passed
    on to the engine that has the case.
    """

    KINDS: frozenset[str] = frozenset({"signal", "suspend", "resume", "cancel"})

    async def _order(self, case: CaseHandle | str, kind: str, **data: Any) -> Any:
        """Have an order carried out; the answer is what its method returns, or the error it raises.

        Raises:
            UnknownCase: there is no open case of this id.
        """
        self._check_open()
        assert kind in self.KINDS
        handle = self.case(case if isinstance(case, str) else case.id)
        return await getattr(self, f"_order_{kind}")(handle, **data)

    def case(self, id: str) -> CaseHandle:
        """An open case of this engine."""
        raise NotImplementedError
