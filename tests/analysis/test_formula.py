"""The query language: what is read, what a name means, and where an error is shown."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from petriflow.analysis.queries.formula import (
    And,
    AtMostOne,
    Compare,
    Completed,
    Deadlock,
    Enabled,
    Formula,
    Not,
    Or,
    Path,
    Until,
    read_query,
)
from petriflow.net import Net, Place, Transition
from petriflow.net.errors import QueryError
from petriflow.patterns import parallel, sequence

NET = (
    Net.build("n")
    .places(
        "a",
        "b",
        "c",
        "a b",
        'it\'s "new"',
        "U",
        "deadlock",
        "p-1",
        "größe",
        "x/y.z",
        "2nd",
        "EFa",
        "and.or/U",
    )
    .transition("t", "a", "b")
    .silent("sub/step", "b", "c")
    .done()
)


def marked(place: str) -> Compare:
    return Compare(((1, place),), ">=", 1)


A, B, C = map(marked, "abc")


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("a", A),
        ("true and not false", And((And(()), Not(Or(()))))),
        ("deadlock or completed", Or((Deadlock(), Completed()))),
        ("a and b or c -> a", Or((Not(Or((And((A, B)), C))), A))),
        ("a -> b -> c", Or((Not(A), Or((Not(B), C))))),
        ("a and b and c", And((A, B, C))),
        ("not a and b", And((Not(A), B))),
        ("not a == 1", Not(Compare(((1, "a"),), "==", 1))),
        ("EF a and b", And((Path("E", "F", A), B))),
        ("EF (a and b)", Path("E", "F", And((A, B)))),
        ("AG AF EX a", Path("A", "G", Path("A", "F", Path("E", "X", A)))),
        ("AX EG a", Path("A", "X", Path("E", "G", A))),
        ("E[a U b]", Until("E", A, B)),
        ("A [ a or c U EF b ]", Until("A", Or((A, C)), Path("E", "F", B))),
        ('E["U" U "U"]', Until("E", marked("U"), marked("U"))),
        ("a + 2*b - c*3 < 4", Compare(((1, "a"), (2, "b"), (-3, "c")), "<", 4)),
        ("a <= b + 1", Compare(((1, "a"), (-1, "b")), "<=", 1)),
        ("2*(a + b - 1)*3 != -a", Compare(((7, "a"), (6, "b")), "!=", 6)),
        ("a - a >= 0", Compare((), ">=", 0)),
        ("1 > 2", Compare((), ">", 1)),
        ("-a-b>--1", Compare(((-1, "a"), (-1, "b")), ">", 1)),
        ("(((a))) == (1)", Compare(((1, "a"),), "==", 1)),
        ("enabled(t)", Enabled("t")),
        ('fireable("sub/step")', Enabled("sub/step")),
        ("enabled(step)", Enabled("sub/step")),
        ("mutex(a, b, c)", Path("A", "G", AtMostOne(("a", "b", "c")))),
        ('"a b"', marked("a b")),
        ('"it\'s \\"new\\""', marked('it\'s "new"')),
        ('"deadlock"', marked("deadlock")),
        ('"p-1"', marked("p-1")),
        ('"2nd"', marked("2nd")),
        ('größe and "gr\\u00f6\\u00dfe"', And((marked("größe"), marked("größe")))),
        ("x/y.z", marked("x/y.z")),
        ("EFa", marked("EFa")),
        ("and.or/U", marked("and.or/U")),
        ("y.z", marked("x/y.z")),
        ("\n EF\n\ta ", Path("E", "F", A)),
    ],
)
def test_a_text_is_read_as_it_is_meant(text: str, formula: Formula) -> None:
    assert read_query(text, NET) == formula


@pytest.mark.promise("ASK-3")
@pytest.mark.parametrize(
    ("text", "message", "carets"),
    [
        ("EF (bb >= 1)", "'bb' is no place of net 'n'", "    ^^"),
        ("EF größ", "did you mean größe?", "   ^^^^"),
        ('EF "p-2"', 'did you mean "p-1"?', "   ^^^^^"),
        (
            "EF enabled(steps)",
            "'steps' is no step of net 'n'; did you mean step",
            " " * 11 + "^" * 5,
        ),
        ("EF t", "'t' is a step, not a place; in this form a task is one step", "   ^"),
        ("running(t)", "no task is ever seen running", "        ^"),
        ("EF (a >= 1", "the query ends too early", " " * 10 + "^"),
        ("EF a >=", "a condition, a place or a number is missing", " " * 7 + "^"),
        ("", "a condition, a place or a number is missing", "^"),
        ("a b", "'b' cannot stand here", "  ^"),
        ("a = 1", "'=' cannot stand here; write ==", "  ^"),
        ("a & b", "'&' cannot stand here; write and", "  ^"),
        ("!a", "before '!'; write not, or !=", "^"),
        ("a < 1 < b", "'<' cannot stand here", "      ^"),
        ("running > 1", "is also a word of the language in quotes", "        ^"),
        ("EF U", "is missing before 'U'; put a name that is also a word", "   ^"),
        ("EF and b", "is missing before 'and'", "   ^^^"),
        ('EF "a', "this quoted name does not end", "   ^^"),
        ('EF "\\q"', "unknown escape", "   ^^^^"),
        ("E[a]", "']' cannot stand here", "   ^"),
        ("EF 3", "a number cannot stand here", "   ^"),
        ("EF a + b", "a number cannot stand here", "   ^^^^^"),
        ("a + (b and c) > 1", "a condition cannot stand here", "     ^^^^^^^"),
        ("a * b > 1", "places can be multiplied by numbers only", "    ^"),
        ("mutex(a)", "takes two different places or more", "^^^^^^^^"),
        ("mutex(a, a)", "takes two different places or more", "^^^^^^^^^^^"),
        ("mutex(a, b > 1)", "mutex(…) takes names", "         ^^^^^"),
        ("enabled(t, t)", "enabled(…) takes one name", "^^^^^^^^^^^^^"),
        ("a > " + "1" * 19, "a number has at most 18 digits", "    " + "^" * 19),
        ("a\nand bb\nor c", "'bb' is no place", "    ^^"),
        ("not " * 100 + "a", "nested deeper than 100", " " * 60),
    ],
)
def test_an_error_points_at_its_place(text: str, message: str, carets: str) -> None:
    with pytest.raises(QueryError) as caught:
        read_query(text, NET)
    said, line, under = str(caught.value).split("\n")
    assert message in said
    assert line.strip() in text
    assert under.startswith("  " + carets)
    if len(carets) < 60:
        assert under == "  " + carets


def labelled() -> Net:
    return Net(
        "labelled",
        (Place("p1", label="desk"), Place("p2", aliases=("old",)), Place("p3", label="p1")),
        (Transition("t1", "look"), Transition("t2", "look"), Transition("t3", "sign")),
    )


def test_a_name_is_an_id_or_else_a_label_or_an_earlier_name() -> None:
    net = labelled()
    assert read_query("desk", net) == marked("p1")
    assert read_query("old", net) == marked("p2")
    assert read_query("p1", net) == marked("p1")  # an id comes before a label
    assert read_query("enabled(sign)", net) == Enabled("t3")
    with pytest.raises(QueryError, match="'look' may be several things; write one of t1, t2"):
        read_query("enabled(look)", net)


def test_a_name_is_the_end_of_a_path_as_far_as_it_is_unique() -> None:
    def a(case: object) -> None: ...
    def b(case: object) -> None: ...

    net = parallel(sequence(a, b, name="x"), sequence(a, name="y"), name="all").net.expanded()
    assert read_query("b", net) == marked("all/x/b.running")
    assert read_query("running(b)", net) == marked("all/x/b.running")
    assert read_query("running(x/a) and y/a", net) == And(
        (marked("all/x/a.running"), marked("all/y/a.running"))
    )
    assert read_query("enabled(b)", net) == Enabled("all/x/b.start")
    assert read_query("enabled(b.complete)", net) == Enabled("all/x/b.complete")
    assert read_query("b.running", net) == marked("all/x/b.running")
    for text in ("running(a)", "EF a"):
        with pytest.raises(QueryError, match=r"write one of all/x/a\.running, all/y/a\.running"):
            read_query(text, net)
    with pytest.raises(QueryError, match=r"write one of all/x/a\.start, all/y/a\.start"):
        read_query("enabled(a)", net)
    with pytest.raises(QueryError, match="'c' is no task"):
        read_query("running(c)", net)


def test_what_is_as_deep_as_it_may_be_can_be_read() -> None:
    formula = read_query("not " * 99 + "a", NET)
    depth = 0
    while isinstance(formula, Not):
        formula, depth = formula.part, depth + 1
    assert (formula, depth) == (A, 99)
    assert read_query("(" * 4_000 + "a" + ")" * 4_000, NET) == A
    assert read_query(" and ".join(["a"] * 1_400), NET) == And((A,) * 1_400)
    assert read_query("+".join(["a"] * 4_000) + "> 1", NET) == Compare(((4_000, "a"),), ">", 1)


def test_a_long_text_is_refused() -> None:
    with pytest.raises(QueryError, match=r"at most 10,000 characters; this one has 10,001"):
        read_query(" " * 10_001, NET)
    with pytest.raises(QueryError, match="a query is a text"):
        read_query(None, NET)  # type: ignore[arg-type]


PIECES = [
    *("a", "b", '"a b"', "1", "23", "(", ")", "[", "]", "+", "-", "*", "<", "<=", "==", "!=", "->"),
    *("and", "or", "not", "EF", "AG", "E", "A", "U", "true", "deadlock", "enabled", "mutex", ","),
    *('"', "\\", "\n", "=", "é", "\x00", "running", "completed", "t"),
]


@pytest.mark.promise("ASK-3")
@given(st.lists(st.sampled_from(PIECES)).map(" ".join) | st.text())
@example("-" * 9_000)
@example("not " * 2_400)
@example("(" * 9_999)
@example("E[a U " * 1_600)
@example("a -> " * 1_900 + "a")
@example("2 * " * 2_400 + "a > 1")
@example("mutex(" + "a," * 4_000)
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(QueryError):
        assert isinstance(read_query(text, NET), Formula)


@given(st.text(min_size=1).filter(str.strip))
def test_any_name_can_be_written_in_quotes(name: str) -> None:
    net = Net("n", (Place(name),), ())
    assert read_query(json.dumps(name), net) == marked(name)
