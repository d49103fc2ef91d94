r"""Questions about the behaviour of a net, as text: the language, and how it is read.

    EF (approved >= 1 and shipped == 0)     some case comes to a marking like this
    AG (paid -> AF shipped)                 whatever is paid is shipped, whatever happens
    E[open U "written off"]                 it can stay open until it is written off

A question is a formula of CTL (Clarke, Emerson, Sistla 1986) about the initial marking. `EX` `AX`
`EF` `AF` `EG` `AG`, `E[p U q]` and `A[p U q]` speak of some way on (`E`) or of every one (`A`). A
way is a firing sequence that ends only where nothing is enabled, so that at a deadlock `EX p` is
false, `AX p` is true, and `EF p`, `AF p`, `EG p`, `AG p` are all `p` itself. What binds tightest
comes first: comparison, `not` and the ways, `and`, `or`, `->`.

Of a marking itself one can say:

* `2 * a + b <= 3`: sums of places with whole factors, compared by `<` `<=` `==` `!=` `>=` `>`; a
  name alone, as in `EF shipped`, means at least one token;
* `enabled(x)`, or `fireable(x)`: the step x can happen now; of a task of the expanded form, that it
  can start;
* `running(x)`: the task x is at work (expanded form only);
* `completed`: exactly the final marking; `deadlock`: nothing is enabled, and it is not that proper
  end (`not EX true` where that does not matter); `true`, `false`.

`mutex(a, b, …)` is short for: never are two of these marked together. A name is that of a place (or
else of a task, which then means the tokens on its running place): its id, its label, or the end of
its path as far as that is unique, `pay` for `order/pay`. A name with other characters than letters,
digits, `_`, `.` and `/`, or that is a word of the language, stands in quotes, with the escapes of
JSON: `"it's \"new\""`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, cast

from petriflow.analysis.queries.names import WORDS, Found, Names
from petriflow.net import Net
from petriflow.net.errors import QueryError

if TYPE_CHECKING:
    from lark import Lark, Token, Tree, UnexpectedInput

#: The longest text, in characters; how deep its parts may be nested; the digits of a number.
MOST_CHARACTERS, MOST_NESTED, MOST_DIGITS = 10_000, 100, 18

Comparison = Literal["<", "<=", "==", "!=", ">=", ">"]


@dataclass(frozen=True, slots=True)
class Compare:
    """A sum of places, each with its factor, compared with a number."""

    terms: tuple[tuple[int, str], ...]
    comparison: Comparison
    bound: int


@dataclass(frozen=True, slots=True)
class Enabled:
    """A transition is enabled."""

    transition: str


@dataclass(frozen=True, slots=True)
class Deadlock:
    """No transition is enabled."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The final marking, and nothing besides."""


@dataclass(frozen=True, slots=True)
class AtMostOne:
    """At most one of these places has tokens."""

    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Formula


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold; without parts this is `true`."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Some part holds; without parts this is `false`."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """On some (`E`) or every (`A`) way, the part holds next (`X`), once (`F`) or always (`G`)."""

    quantifier: Literal["A", "E"]
    operator: Literal["X", "F", "G"]
    part: Formula


@dataclass(frozen=True, slots=True)
class Until:
    """On some or every way on, `goal` holds at some time, and `keep` all the time before."""

    quantifier: Literal["A", "E"]
    keep: Formula
    goal: Formula


Formula = (
    Compare | Enabled | Deadlock | Completed | AtMostOne | Not | And | Or | Path | Until
)  # fmt: skip


def of_one_marking(formula: Formula) -> bool:
    """Whether a formula is about a marking itself, and not about ways on from it."""
    match formula:
        case Path() | Until():
            return False
        case Not(part):
            return of_one_marking(part)
        case And(parts) | Or(parts):
            return all(map(of_one_marking, parts))
        case _:
            return True


GRAMMAR = r"""
?start: implication
?implication: disjunction | disjunction "->" implication -> implies
?disjunction: conjunction | conjunction ("or" conjunction)+ -> any
?conjunction: unary | unary ("and" unary)+ -> all
?unary: "not" unary -> negation
      | (AX | EX | AF | EF | AG | EG) unary -> path
      | (A | E) "[" implication "U" implication "]" -> until
      | comparison
?comparison: sum | sum COMPARISON sum -> compare
?sum: product | product ((PLUS | MINUS) product)+ -> sum
?product: factor | factor ("*" factor)+ -> product
?factor: MINUS factor -> minus | atom
?atom: NUMBER -> number
     | (NAME | QUOTED) -> name
     | (TRUE | FALSE | DEADLOCK | COMPLETED) -> word
     | (ENABLED | FIREABLE | RUNNING | MUTEX) "(" implication ("," implication)* ")" -> call
     | "(" implication ")"
AX: "AX"
EX: "EX"
AF: "AF"
EF: "EF"
AG: "AG"
EG: "EG"
A: "A"
E: "E"
TRUE: "true"
FALSE: "false"
DEADLOCK: "deadlock"
COMPLETED: "completed"
ENABLED: "enabled"
FIREABLE: "fireable"
RUNNING: "running"
MUTEX: "mutex"
COMPARISON: "<=" | ">=" | "==" | "!=" | "<" | ">"
PLUS: "+"
MINUS: "-"
NUMBER: /[0-9]+/
NAME: /(?!(WORDS)(?![\w.\/]))[^\W\d]\w*([.\/]\w+)*/
QUOTED: /"([^"\\\n]|\\.)*"/
%ignore /\s+/
"""


@lru_cache(maxsize=1)
def _parser() -> Lark:
    import lark

    # LALR reads in linear time and without recursion, whatever the text is.
    grammar = GRAMMAR.replace("WORDS", "|".join(sorted(WORDS)))
    return lark.Lark(grammar, parser="lalr", propagate_positions=True)


def read_query(text: str, net: Net) -> Formula:
    """The formula that a text says about a net; its names are those of the net's nodes.

    Raises:
        QueryError: the text cannot be read, or a name in it is unknown or ambiguous; the message
            points at the place.

    >>> net = Net.build("door").places("in", "out").transition("open", "in", "out").done()
    >>> read_query("EF out >= 1", net)
    Path(quantifier='E', operator='F', part=Compare(terms=((1, 'out'),), comparison='>=', bound=1))
    >>> read_query("EF outt >= 1", net)
    Traceback (most recent call last):
    petriflow.net.errors.QueryError: 'outt' is no place of net 'door'; did you mean out?
      EF outt >= 1
         ^^^^
    """
    import lark

    if not isinstance(text, str):
        raise QueryError(f"a query is a text, such as 'EF completed', not {text!r}")
    if len(text) > MOST_CHARACTERS:
        raise QueryError(
            f"a query has at most {MOST_CHARACTERS:,} characters; this one has {len(text):,}"
        )
    try:
        tree = _parser().parse(text)
    except lark.UnexpectedInput as error:
        raise _misread(text, error) from None
    reader = _Reader(text, Names(net))
    reader.require_flat(tree)
    return reader.condition(tree)


def _misread(text: str, error: UnexpectedInput) -> QueryError:
    """What the parser could not read."""
    import lark

    at = error.pos_in_stream or 0
    found = ""
    if isinstance(error, lark.UnexpectedToken):
        found = "" if error.token.type == "$END" else str(error.token)
        at = at if found else len(text)
        wanted = error.expected
    else:
        found = text[at : at + 1]
        wanted = getattr(error, "allowed", None) or set()
    if found == '"':
        return _error(text, at, len(text) - at, "this quoted name does not end")
    if "NAME" in wanted:
        said = "a condition, a place or a number is missing" + (f" before {found!r}" * bool(found))
    elif found:
        said = f"{found!r} cannot stand here"
    else:
        said = "the query ends too early"
    hint = {"=": "; write ==", "!": "; write not, or !=", "&": "; write and", "|": "; write or"}
    before = text[:at].split()
    if found in hint:
        said += hint[found]
    elif (found in WORDS and "NAME" in wanted) or (before and before[-1] in CALLS):
        said += "; put a name that is also a word of the language in quotes"
    return _error(text, at, max(1, len(found)), said)


#: How many characters of a long query are shown around an error.
AROUND = 60


def _error(text: str, at: int, length: int, message: str) -> QueryError:
    """An error with a caret under its place."""
    begin = max(text.rfind("\n", 0, at) + 1, at - AROUND)
    newline = text.find("\n", at)
    end = min(len(text) if newline < 0 else newline, at + AROUND)
    line = "".join(c if c.isprintable() else " " for c in text[begin:end])
    carets = "^" * max(1, min(length, end - at))
    return QueryError(f"{message}\n  {line}\n  {' ' * (at - begin)}{carets}")


@dataclass(frozen=True, slots=True)
class _Sum:
    """A sum of places with factors, and of a number."""

    factors: dict[str, int]
    constant: int

    def times(self, factor: int) -> _Sum:
        return _Sum({p: factor * n for p, n in self.factors.items()}, factor * self.constant)

    def plus(self, other: _Sum) -> _Sum:
        places = dict.fromkeys((*self.factors, *other.factors))
        return _Sum(
            {p: self.factors.get(p, 0) + other.factors.get(p, 0) for p in places},
            self.constant + other.constant,
        )


class _Reader:
    """Makes the formula of a parsed text."""

    def __init__(self, text: str, names: Names) -> None:
        self.text, self.names = text, names

    def error(self, tree: Tree[Token], message: str) -> QueryError:
        at, end = tree.meta.start_pos, tree.meta.end_pos
        return _error(self.text, at, end - at, message)

    def require_flat(self, tree: Tree[Token]) -> None:
        """The readers below call themselves for each part of a part: this bounds how deep."""
        todo = [(tree, 1)]
        while todo:
            here, depth = todo.pop()
            if depth > MOST_NESTED:
                raise self.error(
                    here, f"the query is nested deeper than {MOST_NESTED}; simplify it"
                )
            todo += [(part, depth + 1) for part in _parts(here)]

    def condition(self, tree: Tree[Token]) -> Formula:
        """What is true or false of a marking."""
        match tree.data:
            case "implies":
                premise, conclusion = map(self.condition, _parts(tree))
                return Or((Not(premise), conclusion))
            case "any":
                return Or(tuple(map(self.condition, _parts(tree))))
            case "all":
                return And(tuple(map(self.condition, _parts(tree))))
            case "negation":
                return Not(self.condition(_parts(tree)[0]))
            case "path":
                quantifier, operator = PATHS[str(tree.children[0])]
                return Path(quantifier, operator, self.condition(_parts(tree)[0]))
            case "until":
                keep, goal = map(self.condition, _parts(tree))
                return Until("E" if tree.children[0] == "E" else "A", keep, goal)
            case "compare":
                left, right = map(self.number, _parts(tree))
                sum = left.plus(right.times(-1))
                terms = tuple((n, p) for p, n in sum.factors.items() if n)
                return Compare(terms, cast("Comparison", str(tree.children[1])), -sum.constant)
            case "name":
                return Compare(((1, self.place(tree)),), ">=", 1)
            case "word":
                return CONSTANTS[str(tree.children[0])]
            case "call":
                return self.call(tree)
            case _:
                raise self.error(tree, "a number cannot stand here: compare it, as in `a + b <= 1`")

    def call(self, tree: Tree[Token]) -> Formula:
        function, arguments = str(tree.children[0]), _parts(tree)
        for argument in arguments:
            if argument.data != "name":
                raise self.error(argument, f"{function}(…) takes names")
        if function == "mutex":
            places = tuple(map(self.place, arguments))
            if len(set(places)) < max(2, len(places)):
                raise self.error(tree, "mutex(…) takes two different places or more")
            return Path("A", "G", AtMostOne(places))
        if len(arguments) != 1:
            raise self.error(tree, f"{function}(…) takes one name")
        name = self.name(arguments[0])
        if function == "running":
            place = self.found(arguments[0], self.names.task(name))
            return Compare(((1, place),), ">=", 1)
        return Enabled(self.found(arguments[0], self.names.step(name)))

    def number(self, tree: Tree[Token]) -> _Sum:
        """A sum of places."""
        match tree.data:
            case "number":
                digits = str(tree.children[0])
                if len(digits) > MOST_DIGITS:
                    raise self.error(tree, f"a number has at most {MOST_DIGITS} digits")
                return _Sum({}, int(digits))
            case "name":
                return _Sum({self.place(tree): 1}, 0)
            case "minus":
                return self.number(_parts(tree)[0]).times(-1)
            case "sum":
                factors: dict[str, int] = {}
                constant, sign = 0, 1
                for part in tree.children:
                    if isinstance(part, str):
                        sign = -1 if part == "-" else 1
                    else:
                        term = self.number(part).times(sign)
                        constant += term.constant
                        for place, n in term.factors.items():
                            factors[place] = factors.get(place, 0) + n
                return _Sum(factors, constant)
            case "product":
                product = _Sum({}, 1)
                for part in _parts(tree):
                    factor = self.number(part)
                    if product.factors and factor.factors:
                        raise self.error(part, "places can be multiplied by numbers only")
                    product = (
                        factor.times(product.constant)
                        if factor.factors
                        else product.times(factor.constant)
                    )
                return product
            case _:
                raise self.error(
                    tree, "a condition cannot stand here: a place or a number is wanted"
                )

    def name(self, tree: Tree[Token]) -> str:
        token = cast("Token", tree.children[0])
        if token.type != "QUOTED":
            return str(token)
        try:
            return str(json.loads(token, strict=False))
        except ValueError:
            escapes = 'this quoted name has an unknown escape; write \\" and \\\\ as in JSON'
            raise self.error(tree, escapes) from None

    def place(self, tree: Tree[Token]) -> str:
        return self.found(tree, self.names.place(self.name(tree)))

    def found(self, tree: Tree[Token], found: Found) -> str:
        """The one node that a name stands for."""
        if found.fault is not None:
            raise self.error(tree, found.fault)
        return found.id


#: The words after which something in brackets comes.
CALLS = frozenset(("A", "E", "enabled", "fireable", "running", "mutex"))
PATHS: dict[str, tuple[Literal["A", "E"], Literal["X", "F", "G"]]] = {
    "AX": ("A", "X"),
    "EX": ("E", "X"),
    "AF": ("A", "F"),
    "EF": ("E", "F"),
    "AG": ("A", "G"),
    "EG": ("E", "G"),
}
CONSTANTS: dict[str, Formula] = {
    "true": And(()),
    "false": Or(()),
    "deadlock": Deadlock(),
    "completed": Completed(),
}


def _parts(tree: Tree[Token]) -> list[Tree[Token]]:
    return [part for part in tree.children if not isinstance(part, str)]
