"""Expressions of the guard language, read over values that are not known."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Literal

from petriflow.analysis.guards.operations import Operations
from petriflow.analysis.guards.terms import (
    Failure,
    Formula,
    Items,
    Known,
    Logic,
    Opaque,
    Record,
    Row,
    Symbol,
    Term,
    Value,
    by_type,
    concrete,
)
from petriflow.net.errors import GuardError
from petriflow.workflow.guard import FUNCTIONS, Expression

#: The most digits to which rounding is understood; floats have hardly more.
MOST_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Outcome:
    """When a guard is true, false, or fails: formulas, of which just one holds."""

    true: Formula
    false: Formula
    fails: Formula


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads expressions over one snapshot of the variables, whose name tells it from others."""

    logic: Logic
    snapshot: str
    variables: Callable[[str], Value]
    operations: Operations = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", Operations(self.logic))

    def outcome(self, expression: Expression) -> Outcome:
        """When the guard is true, false, or fails."""
        whole = self.read(expression.tree.value)
        cases = self.logic.each(self._key(expression.tree.value), [whole], self.logic.truth)
        true, fails = self.logic.no, self.logic.no
        for condition, term in cases:
            if isinstance(term, Failure):
                fails = self.logic.any(fails, condition)
            elif truth := self.logic.symbol(term):
                true = self.logic.any(true, self.logic.all(condition, truth.expr))
        false = self.logic.negate(self.logic.any(true, fails))
        return Outcome(true, false, fails)

    def _key(self, node: ast.AST) -> str:
        return f"{self.snapshot}:{ast.unparse(node)}"

    def read(self, node: ast.expr) -> Value:
        """What a part of an expression can be."""
        logic, key = self.logic, self._key(node)
        match node:
            case ast.Constant(value):
                return [(logic.yes, Known(value))]
            case ast.Name(name):
                return self.variables(name)
            case ast.Attribute(holder, name):
                return logic.each(key, [self.read(holder)], partial(self._attribute, key, name))
            case ast.Subscript(holder, index):
                return self._each(key, [holder, index], self._item)
            case ast.List(parts) | ast.Tuple(parts):
                made = list if isinstance(node, ast.List) else tuple
                return self._each(key, parts, lambda _, *terms: self.logic.one(_row(made, terms)))
            case ast.BoolOp(op, parts):
                return self._first(parts, isinstance(op, ast.Or))
            case ast.IfExp(test, then, otherwise):
                return self.logic.branch(self.read(test), self.read(then), self.read(otherwise))
            case ast.Compare(left, ops, rights):
                return self._chain(key, [left, *rights], [type(op) for op in ops])
            case ast.UnaryOp(ast.Not(), operand):
                return self.logic.opposite(self.read(operand))
            case ast.UnaryOp(op, operand):
                return self._each(key, [operand], partial(self.operations.sign, type(op)))
            case ast.BinOp(left, op, right):
                return self._each(key, [left, right], partial(self.operations.arithmetic, type(op)))
            case ast.Call(ast.Name(name), arguments):
                return self._each(key, arguments, partial(self._call, name))
            case _:
                return logic.opaque(key, f"{ast.unparse(node)!r} is not understood")

    def _each(self, key: str, parts: list[ast.expr], of: Callable[..., Value]) -> Value:
        """An operation, on terms none of which fails; on one that is opaque it is so too."""

        def once(*terms: Term) -> Value:
            for term in terms:
                if isinstance(term, Opaque):
                    return self.logic.opaque(key, term.why)
            return of(key, *terms)

        return self.logic.each(key, map(self.read, parts), once)

    def _first(self, parts: list[ast.expr], wanted: bool) -> Value:
        """`or` gives its first part that is true, `and` its first that is not; else the last."""
        logic = self.logic
        value = self.read(parts[-1])
        for part in reversed(parts[:-1]):
            found = []
            for condition, truth, term in self.logic.truths(self.read(part)):
                if truth is None:
                    found.append((condition, term))
                    continue
                stops = truth if wanted else logic.negate(truth)
                found.append((logic.all(condition, stops), term))
                goes_on = logic.all(condition, logic.negate(stops))
                found += [(logic.all(goes_on, c), t) for c, t in value]
            value = logic.merged(found)
        return value

    def _chain(self, key: str, parts: list[ast.expr], ops: list[type[ast.cmpop]]) -> Value:
        """`a < b < c` is `a < b and b < c`; `c` is looked at only if `a < b`."""
        values = list(map(self.read, parts))
        links = []
        for n, (op, pair) in enumerate(zip(ops, pairwise(values), strict=True)):
            links.append(
                self.logic.each(key, pair, partial(self.operations.compare, f"{key}#{n}", op))
            )
        value = links[-1]
        for link in reversed(links[:-1]):
            value = self.logic.branch(link, value, link)
        return value

    def _attribute(self, key: str, name: str, holder: Term) -> Value:
        match holder:
            case Known(value):
                try:
                    return self.logic.one(Known(Expression(f"it.{name}")({"it": value})))
                except GuardError as error:
                    return self.logic.one(Failure(str(error)))
            case Record(attribute=attribute):
                return attribute(name)
            case Failure():
                return self.logic.one(holder)
            case _:
                return self.logic.opaque(key, getattr(holder, "why", f"{name!r} is no field"))

    def _item(self, key: str, holder: Term, index: Term) -> Value:
        if isinstance(holder, Known | Row) and isinstance(index, Known):
            if isinstance(holder, Known):
                return self.logic.one(concrete(lambda v, n: v[n], holder.value, index.value))
            part = concrete(lambda v, n: v[n], holder.made(holder.parts), index.value)
            return self.logic.one(part.value if isinstance(part, Known) else part)
        if isinstance(holder, Record) and not hasattr(holder.cls, "__getitem__"):
            return self.logic.one(Failure(f"TypeError: {holder.cls.__name__} has no items"))
        return self.operations.unclear(key)

    def _call(self, name: str, key: str, *terms: Term) -> Value:
        if all(isinstance(term, Known) for term in terms):
            return self.logic.one(concrete(FUNCTIONS[name], *(t.value for t in terms)))  # type: ignore[union-attr]
        z3 = self.logic.z3
        symbol = self.operations.plain(terms[0])
        match name, terms:
            case "len", [Items(length)]:
                return self.logic.one(Symbol("int", length))
            case "len", [Row(_, parts)]:
                return self.logic.one(Known(len(parts)))
            case "len", [_] if symbol and symbol.kind == "str":
                return self.logic.one(Symbol("int", z3.Length(symbol.expr)))
            case "str", [_] if symbol and symbol.kind == "str":
                return self.logic.one(symbol)
            case (("abs" | "int" | "float" | "round"), [_]) if symbol and symbol.kind != "str":
                return self._number(name, key, symbol)
            case "round", [_, Known(int() as digits)] if (
                symbol and symbol.kind == "float" and 0 <= digits <= MOST_DIGITS
            ):
                return self.logic.one(self.logic.rounded("float", symbol.expr, symbol.size, digits))
            case (("min" | "max"), [Row(_, parts)]) if parts:
                return self._extreme(name, key, parts)
            case (("min" | "max"), [_, _, *_]):
                return self._extreme(name, key, terms)
            case (("any" | "all"), [Row(_, parts)]):
                return self._some(name == "any", key, parts)
            case "sum", [Row(_, parts)]:
                return self._sum(key, parts)
        if all(isinstance(term, Known) or self._is_number(term) for term in terms):
            result = by_type(FUNCTIONS[name], *terms)
            if isinstance(result, Failure) and result.why.startswith("TypeError"):
                return self.logic.one(result)
        return self.operations.unclear(key)

    def _is_number(self, term: Term) -> bool:
        return isinstance(term, Symbol) and term.kind != "str"

    def _number(self, name: str, key: str, number: Symbol) -> Value:
        logic, z3 = self.logic, self.logic.z3
        number = logic.whole(number)
        if name == "float" and number.kind == "int":
            return self.operations.as_float(key, number)
        expr, size = number.expr, number.size
        if name == "abs":
            expr = logic.choose(expr < 0, -expr, expr)
        if name in ("int", "round") and number.kind != "int":
            down = z3.ToInt(expr)
            towards_zero = logic.choose(expr < 0, -z3.ToInt(-expr), down)
            # to the even one of two that are equally near
            rest, half = expr - z3.ToReal(down), logic.real(Fraction(1, 2))
            even = logic.choose(down % 2 == 0, down, down + 1)
            up = logic.choose(rest > half, down + 1, even)
            near = logic.choose(rest < half, down, up)
            result = towards_zero if name == "int" else near
            return logic.one(Symbol("int", result, None if size is None else size + 1))
        if number.kind == "decimal":  # not even the sign is taken away without rounding
            kind: Literal["float", "decimal"] = "float" if name == "float" else "decimal"
            return self.operations.rounded(key, kind, expr, size)
        return logic.one(Symbol(number.kind, expr, size))

    def _extreme(self, name: str, key: str, parts: tuple[Term, ...]) -> Value:
        """The first of the greatest (or smallest), as Python finds it."""
        best, op = self.logic.one(parts[0]), ast.Gt if name == "max" else ast.Lt
        for n, part in enumerate(parts[1:]):

            def better(term: Term, part: Term = part, n: int = n) -> Value:
                asked = self.operations.compare(f"{key}#{n}", op, part, term)
                return self.logic.branch(asked, self.logic.one(part), self.logic.one(term))

            best = self.logic.each(key, [best], better)
        return best

    def _some(self, wanted: bool, key: str, parts: tuple[Term, ...]) -> Value:
        value: Value = self.logic.one(Known(not wanted))
        found = self.logic.one(Known(wanted))
        for part in reversed(parts):
            ways = (found, value) if wanted else (value, found)
            value = self.logic.branch(self.logic.one(part), *ways)
        return value

    def _sum(self, key: str, parts: tuple[Term, ...]) -> Value:
        """From the left; sums of floats differ between versions of Python."""
        total: Value = self.logic.one(Known(0))
        for part in parts:
            symbol = self.logic.symbol(part)
            if symbol and symbol.kind in ("float", "decimal"):
                return self.logic.opaque(key, "a sum of numbers that are rounded")
            add = partial(self.operations.arithmetic, ast.Add, key)
            total = self.logic.each(key, [total, self.logic.one(part)], add)
        return total


def _row(made: type, terms: tuple[Term, ...]) -> Term:
    if all(isinstance(term, Known) for term in terms):
        return Known(made(term.value for term in terms))  # type: ignore[union-attr]
    return Row(made, terms)
