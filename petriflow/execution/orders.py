"""Orders: what is asked of a case, carried out by the engine that has it."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from petriflow.execution.core import Away, Core
from petriflow.execution.events import Event
from petriflow.execution.handle import CaseHandle
from petriflow.execution.store import Order, Unreachable
from petriflow.net import errors
from petriflow.net.errors import PetriflowError, StoreError, UnknownCase
from petriflow.workflow.variables import Data

#: Seconds between looks at whether an order was carried out elsewhere: at first, and at most.
QUICK, SLOW = 0.05, 1.0

#: The order of another engine that is carried out now: its first event notes that it is done, in
#: the same transaction, so that it is done once even if its engine dies before it can answer.
CARRYING: ContextVar[Order | None] = ContextVar("CARRYING", default=None)


class Orders(Core):
    """The side of `Engine` that carries out orders.

    An order of kind `suspend` is carried out by the method `_order_suspend(handle, **data)`, which
    is added to `KINDS`. Its data and its answer are plain JSON data, so that an order can be passed
    on to the engine that has the case.
    """

    KINDS: frozenset[str] = frozenset(
        {"signal", "suspend", "resume", "cancel", "retry", "skip", "fail"}
        | {"claim", "release", "complete_task", "take"}
    )

    async def _order(self, case: CaseHandle | str, kind: str, **data: Any) -> Any:
        """Have an order carried out, here or by the engine that has the case; the answer is what
        its method returns, or the error it raises.

        Raises:
            UnknownCase: there is no open case of this id.
        """
        assert kind in self.KINDS
        id = case if isinstance(case, str) else case.id
        while True:
            self._check_open()
            handle = await self._reach(id)
            if handle is None:
                return await self._pass_on(id, kind, data)
            try:
                return await getattr(self, f"_order_{kind}")(handle, **data)
            except Away:
                continue
            finally:
                self._settle(id)

    async def _apply(
        self, handle: CaseHandle, event: Event, told: tuple[str, str, str, float] | None = None
    ) -> bool:
        """Apply an event, as an order's effect; the answer is whether it was of use.

        `told` is the row of the inbox that goes with it, for an event with a key.

        Raises:
            Away: another engine has the case, and nothing has happened.
        """
        case = handle._case
        self.turn(handle, event)  # nothing is noted of an event that the case did not get
        if told is not None:
            self._batch.inbox.append(told)
        useful = not case.late
        await self.committed()
        if handle.refused or handle._case is not case:
            raise Away(f"case {handle.id!r} was taken over by another engine")
        return useful

    async def _pass_on(self, id: str, kind: str, data: Data) -> Any:
        """Leave an order to the engine that has the case, or carry it out when that is gone."""
        order = Order(secrets.token_hex(16), id, kind, data, self._clock.now())
        await self._in_writer(self._store.order, order)
        answered = self._answered[order.id] = asyncio.Event()
        self._hint(f"order {order.id}")
        pause = QUICK
        try:
            while True:
                self._check_open()
                if answer := await self._in_writer(self._store.answer, order.id):
                    return _read(answer)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await answered.wait()
                answered.clear()
                pause = min(2 * pause, SLOW)
                with suppress(UnknownCase):  # ended meanwhile: then the order is answered so
                    await self._reach(id)
                await self._work_off()
        finally:
            del self._answered[order.id]

    async def _work_off(self) -> None:
        for order in await self._in_writer(self._store.open_orders, list(self._workflows)):
            if order.id not in self._carrying and not self._stopping:
                self._carrying[order.id] = self._loop.create_task(self._carry_out_order(order))
                self._carrying[order.id].add_done_callback(
                    lambda _, id=order.id: self._carrying.pop(id)  # type: ignore[misc]
                )

    async def _carry_out_order(self, order: Order) -> None:
        token = CARRYING.set(order)
        answer: Data
        try:
            if order.kind not in self.KINDS:
                raise StoreError(f"an order of the unknown kind {order.kind!r} was in the store")
            if (handle := await self._reach(order.case_id)) is None:
                return
            answer = {"result": await getattr(self, f"_order_{order.kind}")(handle, **order.data)}
        except (Away, Unreachable):  # nothing has come of it yet; whoever can takes it up again
            return
        except PetriflowError as error:
            kinds = (kind.__name__ for kind in type(error).__mro__)
            kind = next(name for name in kinds if hasattr(errors, name))
            answer = {"error": str(error), "kind": kind}
        finally:
            CARRYING.reset(token)
            self._settle(order.case_id)
        with suppress(StoreError):  # the engine has stopped; what is done is noted as done
            self.note_answer(order, answer)
            await self.committed()

    def note_answer(self, order: Order, answer: Data) -> None:
        """Write with the next commit what came of an order."""
        self._batch.answers[order.id] = order.case_id, answer
        self._work.set()


def _read(answer: Data) -> Any:
    """What an answer says; raises the error that it tells of."""
    if "error" not in answer:
        return answer["result"]
    kind = getattr(errors, answer["kind"], None)
    if not (isinstance(kind, type) and issubclass(kind, PetriflowError)):
        kind = PetriflowError
    raise kind(answer["error"])
