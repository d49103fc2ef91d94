"""Guards: what a choice asks before it takes a branch.

A guard is a function of the case's variables, or a text in a small expression language: names of
variables, numbers, texts, lists, comparison, arithmetic, `and`, `or`, `not`, `in`, `x if c else y`,
`order.total`, `items[0]` and a few functions. It is read by simpleeval, never by `eval`.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Rational
from threading import Lock
from typing import Any

import simpleeval  # small, pure Python, the most used safe evaluator; no I/O, no imports

from petriflow.net.errors import GuardError
from petriflow.patterns.fragment import Guard
from petriflow.workflow.functions import is_coroutine_function, qualified_name, takes_one_argument

# A guard is asked while the engine stands still, about data that anybody may have sent: its answer
# must come at once, whatever it says. Hence limits on what is read and on what is computed.

#: The longest text, in characters, and how deep its parts may be nested.
MOST_CHARACTERS, MOST_NESTED = 10_000, 100
#: The largest whole number that may be computed, in bits, and the digits one may round to.
MOST_BITS, MOST_DIGITS = 10_000, 400


def _times(left: Any, right: Any) -> Any:
    _only_numbers(left, right)
    if isinstance(left, Rational) and isinstance(right, Rational):
        _not_too_large(_bits(left) + _bits(right))
    return left * right


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, Rational) and isinstance(exponent, Rational):
        _not_too_large(_bits(base) * int(abs(math.ceil(exponent))))
    return base**exponent


def _modulo(left: Any, right: Any) -> Any:
    _only_numbers(left, right)
    return left % right


def _only_numbers(*operands: Any) -> None:
    if any(isinstance(operand, Sized) for operand in operands):  # `'%9999999d' % 1`, `[0] * 10**9`
        raise TypeError("`*` and `%` are for numbers only")


def _bits(number: Rational) -> int:
    return max(abs(int(number.numerator)).bit_length(), int(number.denominator).bit_length())


def _not_too_large(bits: int) -> None:
    if bits > MOST_BITS:
        raise ValueError("the number is too large")


def _round(number: Any, digits: int | None = None) -> Any:
    if digits is not None and abs(digits) > MOST_DIGITS:
        raise ValueError(f"{digits} digits are too many to round to")
    return round(number, digits)


def _sum(numbers: Iterable[Any]) -> Any:
    return sum(numbers)  # without a start: lists are not added up


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (abs, all, any, float, int, len, max, min, str)
} | {"round": _round, "sum": _sum}

OPERATORS = {
    kind: simpleeval.DEFAULT_OPERATORS[kind]
    for kind in (
        ast.Add, ast.Sub, ast.Div, ast.FloorDiv, ast.UAdd, ast.USub, ast.Not,
        ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot,
    )
} | {ast.Mult: _times, ast.Pow: _power, ast.Mod: _modulo}  # fmt: skip

#: Everything else (comprehensions, lambdas, method calls, slices, …) is refused when read.
ALLOWED = (
    ast.Expr, ast.Load, ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Call,
    ast.List, ast.Tuple, ast.Compare, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.BinOp,
    ast.IfExp, *OPERATORS,
)  # fmt: skip


def _evaluator() -> Any:
    # A copy of the functions, since simpleeval adds some of its own to those it is given.
    evaluator = simpleeval.EvalWithCompoundTypes(OPERATORS, dict(FUNCTIONS))

    def attribute(node: ast.Attribute) -> Any:
        return _attribute(evaluator.eval(evaluator.expr, node.value), node.attr)

    evaluator.nodes[ast.Attribute] = attribute
    return evaluator


def _attribute(holder: Any, name: str) -> Any:
    """`holder.name`: what a mapping holds under the name, else a plain attribute.

    A method is no value: as a guard it would always be true.
    """
    if isinstance(holder, Mapping):
        if name not in holder:
            raise LookupError(f"no {name!r} among {', '.join(map(str, holder)) or 'nothing'}")
        return holder[name]
    value = getattr(holder, name)
    if callable(value) or name in simpleeval.DISALLOW_METHODS:
        raise TypeError(f"{name!r} of {type(holder).__name__} is a method, not a value")
    return value


@dataclass(frozen=True)
class Expression:
    """A text of the expression language, read and checked.

    Raises:
        GuardError: the text cannot be read; the message points at the place.

    >>> sorted(Expression("total > 1000 and country != 'DE'").names)
    ['country', 'total']
    >>> Expression("total * 2")({"total": 4})
    8
    """

    text: str
    _evaluator: Any = field(init=False, repr=False, compare=False, default_factory=_evaluator)
    #: held while the evaluator holds a case's variables
    _lock: Lock = field(init=False, repr=False, compare=False, default_factory=Lock)

    def __post_init__(self) -> None:
        _ = self.tree

    @cached_property
    def tree(self) -> ast.Expr:
        """The text as Python's own parser reads it, checked against the language."""
        if len(self.text) > MOST_CHARACTERS:
            raise GuardError(
                f"guard {self.text[:40]!r}… has {len(self.text)} characters, and may have "
                f"{MOST_CHARACTERS}; write a function instead"
            )
        try:
            statements = ast.parse(self.text.strip()).body
        except SyntaxError as error:
            raise GuardError(
                f"guard {self.text!r} cannot be read: {error.msg}{_pointer(error)}"
            ) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise GuardError(f"guard {self.text!r} cannot be read: {error}") from None
        if len(statements) != 1 or not isinstance(statements[0], ast.Expr):
            assigned = bool(statements) and isinstance(statements[0], ast.Assign)
            equal = "; to compare, write ==" if assigned else ""
            raise GuardError(
                f"guard {self.text!r} must be one expression, such as 'total > 1000'{equal}"
            )
        waiting: list[tuple[ast.AST, int]] = [(statements[0], 0)]
        while waiting:
            node, depth = waiting.pop()
            fault = _fault(node) if depth <= MOST_NESTED else "its parts are nested too deeply"
            if fault:
                raise GuardError(f"guard {self.text!r}: {fault}")
            waiting += ((inner, depth + 1) for inner in ast.iter_child_nodes(node))
        return statements[0]

    @cached_property
    def names(self) -> frozenset[str]:
        """The variables that the expression speaks of."""
        called = {id(n.func) for n in ast.walk(self.tree) if isinstance(n, ast.Call)}
        return frozenset(
            n.id for n in ast.walk(self.tree) if isinstance(n, ast.Name) and id(n) not in called
        )

    def __call__(self, variables: Mapping[str, Any]) -> Any:
        """The value for these variables.

        Raises:
            GuardError: a name is unknown, or the evaluation fails.
        """
        missing = sorted(self.names - variables.keys())
        if missing:
            raise GuardError(unknown_name(self.text, missing[0], variables))
        with self._lock:
            self._evaluator.names = variables
            try:
                return self._evaluator.eval(self.text, previously_parsed=self.tree)
            except Exception as error:
                raise _failure(repr(self.text), error) from error
            finally:
                self._evaluator.names = {}


@dataclass(frozen=True)
class Question:
    """A guard made ready to be asked.

    `text` is what is shown and hashed: the expression, or the function's qualified name.
    """

    text: str
    ask: Callable[[Any], Any]
    names: frozenset[str] | None

    def __call__(self, variables: Any) -> bool:
        """Whether the guard is true for these variables.

        Raises:
            GuardError: the guard failed; a failure is never taken for "false".
        """
        answer = self.value(variables)
        try:
            return bool(answer)
        except Exception as error:
            raise _failure(self.text, error) from error

    def value(self, variables: Any) -> Any:
        """The answer as it is.

        Raises:
            GuardError: the guard failed.
        """
        try:
            answer = self.ask(variables)
            if inspect.iscoroutine(answer):  # it would count as true
                answer.close()
                raise TypeError("it returned a coroutine; a guard answers at once")
            return answer
        except GuardError:
            raise
        except Exception as error:
            raise _failure(self.text, error) from error


def read_guard(guard: Guard, known: Iterable[str] | None = None) -> Question:
    """Make a guard ready.

    Args:
        guard: a text of the expression language, or a function of the variables.
        known: the names there are, where the workflow declares its variables.

    Raises:
        GuardError: the text cannot be read or speaks of an unknown name; the function takes not
            one argument, or is a coroutine function (a guard must answer at once).
    """
    if isinstance(guard, str):
        expression = Expression(guard)
        unknown = expression.names - set(known) if known is not None else ()
        for name in sorted(unknown):
            raise GuardError(unknown_name(guard, name, known or ()))
        return Question(guard, expression, expression.names)
    name = qualified_name(guard)
    if is_coroutine_function(guard):
        raise GuardError(f"guard {name!r} is a coroutine function; write a plain one")
    if not takes_one_argument(guard):
        raise GuardError(f"guard {name!r} must take one argument, the case's variables")
    return Question(name, guard, None)


def unknown_name(text: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that is not a variable."""
    there = sorted(known)
    near = difflib.get_close_matches(name, there, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(there) or 'none'}"
    return f"guard {text!r}: no variable {name!r}; {hint}"


def _fault(node: ast.AST) -> str | None:
    """Why a node is not part of the language."""
    match node:
        case ast.BitAnd() | ast.BitOr() | ast.Invert():
            return "`&`, `|` and `~` compute with bits; write `and`, `or` and `not`"
        case ast.Constant(value=value) if not isinstance(value, str | int | float | None):
            return f"the constant {value!r} is not part of the language"
        case ast.Attribute(attr=name) if name.startswith("_"):
            return f"{name!r} starts with an underscore and cannot be read"
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in FUNCTIONS:
            return None
        case ast.Call():
            return f"only these functions can be called: {', '.join(FUNCTIONS)}"
        case _ if not isinstance(node, ALLOWED):
            return f"{type(node).__name__} is not part of the language"
    return None


def _pointer(error: SyntaxError) -> str:
    """The line at fault, and below it a caret at the place."""
    line = (error.text or "").rstrip("\r\n").replace("\t", " ")
    column = min(max(error.offset or 1, 1), len(line) + 1)
    return f"\n  {line}\n  {' ' * (column - 1)}^" if line else ""


def _failure(guard: str, error: Exception) -> GuardError:
    return GuardError(f"guard {guard} failed: {type(error).__name__}: {error}")
