"""Block-structured nets are recognised, all of them and no others, and the tree is of the net."""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from petriflow.analysis.soundness.blocks import (
    BlockTree,
    Either,
    Loop,
    Spot,
    Step,
    Together,
    blocks,
)
from petriflow.formats import read_pnml
from petriflow.net import Net
from petriflow.net.errors import DefinitionError, FormatNote
from petriflow.patterns import (
    deferred_choice,
    event,
    exclusive_choice,
    parallel,
    sequence,
    skip,
    structured_loop,
    when,
)

from ..nets import brute_force, is_sound, nets
from ..patterns.blocks import LEAVES, Block, does_nothing
from ..patterns.brute import a
from .test_notions import ordinary_nets
from .test_reduction import branches, damaged, ordinary
from .test_state_space import rows_of

#: transition -> (what it takes, what it gives), and the places
Arcs = tuple[dict[str, tuple[set[str], set[str]]], list[str]]


# -- what a tree means, read from its plain data --------------------------------------------------


def denoted(tree: list[Any]) -> Arcs:
    """The net that a tree describes, by the grammar of the certificates."""
    arcs: dict[str, tuple[set[str], set[str]]] = {}
    places: list[str] = []

    def path(parts: list[Any]) -> tuple[str, str]:
        assert len(parts) % 2 == 1
        ends = [spot(part) for part in parts[::2]]
        for block_, (_, before), (after, _) in zip(parts[1::2], ends, ends[1:], strict=False):
            block(block_, before, after)
        return ends[0][0], ends[-1][1]

    def seq(parts: list[Any], before: str, after: str) -> None:
        assert len(parts) % 2 == 1
        ends = [(before, before), *map(spot, parts[1::2]), (after, after)]
        for block_, (_, start), (end, _) in zip(parts[::2], ends, ends[1:], strict=False):
            block(block_, start, end)

    def spot(part: Any) -> tuple[str, str]:
        if isinstance(part, str):
            places.append(part)
            return part, part
        assert part.keys() == {"loop", "redo"}
        first, last = path(part["loop"])
        seq(part["redo"], last, first)
        return first, last

    def transition(id: str, takes: set[str], gives: set[str]) -> None:
        assert id not in arcs
        arcs[id] = (takes, gives)

    def block(part: Any, before: str, after: str) -> None:
        if isinstance(part, str):
            transition(part, {before}, {after})
        elif "choice" in part:
            assert part.keys() == {"choice"}
            assert len(part["choice"]) > 1
            for alternative in part["choice"]:
                seq(alternative, before, after)
        else:
            assert part.keys() == {"parallel", "split", "join"}
            assert len(part["parallel"]) > 1
            ends = [path(branch) for branch in part["parallel"]]
            transition(part["split"], {before}, {first for first, _ in ends})
            transition(part["join"], {last for _, last in ends}, {after})

    assert all(isinstance(end, str) for end in (tree[0], tree[-1]))
    path(tree)
    return arcs, places


def arcs_of(net: Net) -> Arcs:
    arcs = {t.id: (set(t.consume), set(t.produce)) for t in net.transitions}
    return arcs, [p.id for p in net.places]


def says_what_it_is(net: Net, tree: BlockTree) -> bool:
    plain = all(
        w == 1 and kind in ("consume", "produce")
        for t in net.transitions
        for kind, _, w in t.arcs()
    )
    arcs, places = denoted(tree.to_json())
    known, all_places = arcs_of(net)
    ends = tree.to_json()[0], tree.to_json()[-1]
    return (
        plain
        and arcs == known
        and sorted(places) == sorted(all_places)
        and ends == (net.source.id, net.sink.id)
    )


def in_canonical_form(tree: BlockTree) -> bool:
    """No choice of choices, no loop of just a loop, and everything in the order of the net."""
    order = {node.id: n for n, node in enumerate((*tree.net.places, *tree.net.transitions))}

    def first(parts: tuple[Any, ...]) -> int:
        match parts[0]:
            case Spot(id) | Step(id) | Together(id):
                return order[id]
            case Either(alternatives):
                return min(map(first, alternatives))
            case Loop(body):
                return first(body)

    for part in tree:
        match part:
            case Either(several) | Together(_, several):
                assert sorted(several, key=first) == list(several)
                if isinstance(part, Either):
                    assert not any(len(s) == 1 and isinstance(s[0], Either) for s in several)
            case Loop(body):
                assert not (len(body) == 1 and isinstance(body[0], Loop))
    return True


# -- random trees ---------------------------------------------------------------------------------


@st.composite
def plain_trees(draw: st.DrawFn, size: int = 12) -> list[Any]:
    """Trees in the grammar of the certificates, of about so many transitions."""
    number, budget = iter(range(10_000)), size

    def name(kind: str) -> str:
        return f"{kind}{next(number)}"

    def path(depth: int, *, bare: bool = False) -> list[Any]:
        steps = draw(st.integers(0, 3 if depth else 1))
        parts: list[Any] = [name("p") if bare else spot(depth)]
        for n in range(steps):
            parts += [block(depth), name("p") if bare and n == steps - 1 else spot(depth)]
        return parts

    def seq(depth: int, *, alone: bool = True) -> list[Any]:
        parts = [block(depth)]
        for _ in range(draw(st.integers(0, 2 if depth else 1))):
            parts += [spot(depth), block(depth)]
        if not alone and len(parts) == 1 and isinstance(parts[0], dict) and "choice" in parts[0]:
            return [name("t")]
        return parts

    def spot(depth: int) -> Any:
        nonlocal budget
        if depth and budget > 0 and draw(st.integers(0, 3)) == 0:
            body = path(depth - 1)
            if len(body) > 1 or isinstance(body[0], str):
                return {"loop": body, "redo": seq(depth - 1)}
            return body[0]
        return name("p")

    def block(depth: int) -> Any:
        nonlocal budget
        budget -= 1
        kind = draw(st.sampled_from(["step", "choice", "parallel"])) if depth else "step"
        if budget <= 0 or kind == "step":
            return name("t")
        many = range(draw(st.integers(2, 3)))
        if kind == "choice":
            return {"choice": [seq(depth - 1, alone=False) for _ in many]}
        branches = [path(depth - 1) for _ in many]
        return {"parallel": branches, "split": name("t"), "join": name("t")}

    return path(4, bare=True)


def shuffled(arcs: Arcs, dice: random.Random) -> tuple[Net, dict[str, str]]:
    """The net with its nodes in another order and under other names."""
    transitions, places = list(arcs[0]), list(arcs[1])
    names = [f"n{n}" for n in range(len(transitions) + len(places))]
    dice.shuffle(names)
    dice.shuffle(transitions)
    dice.shuffle(places)
    new = dict(zip((*places, *transitions), names, strict=True))
    builder = Net.build("shuffled").places(*(new[p] for p in places))
    for t in transitions:
        takes, gives = arcs[0][t]
        builder.transition(new[t], [new[p] for p in takes], [new[p] for p in gives])
    return builder.done(), new


def unordered(tree: Any, new: dict[str, str]) -> Any:
    """The tree under other names, and without an order of alternatives and branches."""
    if isinstance(tree, str):
        return new.get(tree, tree)
    if isinstance(tree, list):
        return [unordered(part, new) for part in tree]
    plain = {key: unordered(part, new) for key, part in tree.items()}
    for key in plain.keys() & {"choice", "parallel"}:
        plain[key].sort(key=json.dumps)
    return plain


@pytest.mark.promise("NETS-3")
@given(plain_trees(), st.randoms(use_true_random=False))
def test_the_tree_that_a_net_was_made_from_is_found(plain: list[Any], dice: random.Random) -> None:
    net, new = shuffled(denoted(plain), dice)
    tree = blocks(net)
    assert tree is not None
    assert unordered(tree.to_json(), {}) == unordered(plain, new)
    assert in_canonical_form(tree)
    assert says_what_it_is(net, tree)
    graph = brute_force(net, 400)
    if graph is not None:
        assert is_sound(net, graph)
        assert all(n == 1 for marking in graph for n in marking.values())


@pytest.mark.slow
def test_large_trees_are_found() -> None:
    """Trees of hundreds of transitions, made by dice."""
    dice = random.Random(1)

    def grown(size: int) -> Arcs:
        """Start with one step, and refine places and steps."""
        arcs: dict[str, tuple[set[str], set[str]]] = {"t0": ({"i"}, {"o"})}
        places = ["i", "o"]
        number = 0
        while len(arcs) < size:
            number += 1
            t = dice.choice(list(arcs))
            takes, gives = arcs[t]
            p, q, u, v = f"p{number}", f"q{number}", f"u{number}", f"v{number}"
            match dice.choice(["before", "after", "or", "and", "loop"]):
                case "before":
                    places.append(p)
                    arcs[u], arcs[t] = (takes, {p}), ({p}, gives)
                case "after":
                    places.append(p)
                    arcs[t], arcs[u] = (takes, {p}), ({p}, gives)
                case "or" if len(takes) == len(gives) == 1:
                    arcs[u] = (takes, gives)
                case "and" if len(takes) == len(gives) == 1:
                    places += [p, q, f"r{number}", f"s{number}"]
                    arcs[u] = (takes, {p, f"r{number}"})
                    arcs[t], arcs[f"w{number}"] = ({p}, {q}), ({f"r{number}"}, {f"s{number}"})
                    arcs[v] = ({q, f"s{number}"}, gives)
                case "loop" if len(gives) == 1 and gives != {"o"}:
                    arcs[u] = (gives, gives)
        return arcs, places

    for size in (100, 300, 1000):
        for _ in range(10):
            net, _ = shuffled(grown(size), dice)
            tree = blocks(net)
            assert tree is not None
            assert says_what_it_is(net, tree)
            assert in_canonical_form(tree)


# -- patterns -------------------------------------------------------------------------------------


@st.composite
def composed(draw: st.DrawFn, depth: int = 4) -> Block:
    """Compositions of the patterns that are blocks."""
    if depth == 0:
        return draw(LEAVES)
    kind = draw(st.sampled_from(["leaf", "seq", "and", "xor", "events", "while", "until"]))
    some = draw(st.lists(composed(depth - 1), min_size=1, max_size=3))
    match kind:
        case "leaf":
            return draw(LEAVES)
        case "seq":
            return sequence(*some)
        case "and":
            return parallel(*some)
        case "xor":
            return exclusive_choice(*(when("x", part) for part in some), otherwise=skip)
        case "events":
            return deferred_choice(
                *(sequence(event(f"e{n}"), part) for n, part in enumerate([*some, a]))
            )
        case _:
            assume(not does_nothing(some[0]))
            return structured_loop(some[0], **{"while_" if kind == "while" else "until": "x"})


@pytest.mark.slow
@given(composed())
def test_every_composition_of_block_patterns_is_recognised(block: Block) -> None:
    whole = sequence(event("begin"), block, event("end")).net
    for net in (whole, whole.expanded()):
        tree = blocks(net)
        assert tree is not None
        assert says_what_it_is(net, tree)
        assert in_canonical_form(tree)


# -- nets of any kind -----------------------------------------------------------------------------


def is_right(net: Net) -> bool:
    """Whether a tree was given, which then is of this very net, and the net sound and safe."""
    tree = blocks(net)
    if tree is None:
        return False
    assert says_what_it_is(net, tree)
    graph = brute_force(net, 2_000)
    if graph is not None:
        assert is_sound(net, graph)
        assert all(n == 1 for marking in graph for n in marking.values())
    return True


@given(ordinary() | ordinary_nets() | nets() | damaged())
def test_of_other_nets_nothing_is_claimed(net: Net) -> None:
    is_right(net)


def made(*transitions: tuple[str, str]) -> Net:
    """A net from lines such as `("i", "p q")`."""
    builder = Net.build("made")
    builder.places(*dict.fromkeys(p for ends in transitions for end in ends for p in end.split()))
    for n, (takes, gives) in enumerate(transitions):
        builder.transition(f"t{n}", takes.split(), gives.split())
    return builder.done()


@pytest.mark.promise("NETS-3")
@pytest.mark.parametrize(
    "net",
    [
        made(("i", "p q"), ("p", "r"), ("q", "r"), ("r", "o")),  # forgets to join
        made(("i", "p"), ("i", "q"), ("p q", "o")),  # waits for both of two alternatives
        made(("i", "p q"), ("p q", "r s"), ("r s", "o")),  # a join that is a split: sound
        made(("i", "p q"), ("p", "r s"), ("q s", "u"), ("r u", "o")),  # sound, but no blocks
        made(("i", "p"), ("p", "q"), ("q", "p"), ("p", "o"), ("q", "o")),  # a loop of two exits
        made(("i", "p"), ("i", "q"), ("p", "q"), ("q", "p"), ("q", "o")),  # a loop of two entries
        made(("i", "o"), ("p", "q"), ("q", "p")),  # in two pieces
        made(("i", "o"), ("p", "p")),
        made(("i", "p q"), ("p", "o"), ("p q", "o")),  # a branch that ends alone
        Net.build().places("i", "o").transition("t", {"i": 1}, {"o": 2}).done(),
        Net.build().places("i", "o").transition("t", "i", "o", read="i").done(),
        Net.build().places("i", "o").transition("t", "i", "o", inhibitor="o").done(),
        Net.build().places("i", "o").transition("t", "i", "o", reset="i").done(),
        Net.build().places("i", "o").silent("t", "i", "o", join="or").done(),
        Net.build().places("i", "o").transition("t", "i", "o").transition("u", (), "o").done(),
        made(("i", "o"), ("j", "o")),
        Net.build().place("i", 1).places("o").transition("t", "i", "o").transition("u", "o", "i")
        .final("o").done(),  # the sink is in a loop
    ],
)  # fmt: skip
def test_what_is_not_built_of_blocks_is_not_claimed_to_be(net: Net) -> None:
    assert blocks(net) is None


def test_a_loop_has_a_body_and_a_redo_each_of_any_form() -> None:
    body, redo = [("p", "q r"), ("q r", "s")], [("s", "p"), ("s", "u"), ("u", "p")]
    net = made(("i", "p"), *body, *redo, ("s", "s"), ("s", "o"))
    tree = blocks(net)
    assert tree is not None
    both = {"parallel": [["q"], ["r"]], "split": "t1", "join": "t2"}
    body = ["p", both, {"loop": ["s"], "redo": ["t6"]}]
    redo = [{"choice": [["t3"], ["t4", "u", "t5"]]}]
    assert tree.to_json() == ["i", "t0", {"loop": body, "redo": redo}, "t7", "o"]


def test_one_place_is_a_net_of_blocks() -> None:
    tree = blocks(Net.build().places("i").done())
    assert tree is not None
    assert tree.to_json() == ["i"]


def test_something_else_than_a_net_is_refused() -> None:
    with pytest.raises(DefinitionError, match="blocks takes a Net"):
        blocks("net")  # type: ignore[arg-type]


def test_the_tree_is_told_in_the_words_of_the_user() -> None:
    work = sequence(
        a,
        parallel(event("pick"), structured_loop(event("call"), while_="x"), skip),
        exclusive_choice(when("x", sequence(event("pack"), event("ship"))), otherwise=skip),
        structured_loop(event("ask"), until="x"),
        name="order",
    )
    told = """\
order: block-structured
  a
  all of
    - pick
    - any number of times
        call
    - nothing
  one of
    - pack
      ship
    - nothing
  once or more
    ask"""
    for net in (work.net, work.net.expanded()):
        tree = blocks(net)
        assert tree is not None
        assert str(tree) == told
        assert tree._repr_html_().count("\n") == told.count("\n")
        assert "<BlockTree of" in repr(tree)
        assert {part.id for part in tree if isinstance(part, Spot)} == {p.id for p in net.places}


def test_tasks_that_split_and_join_are_told_too() -> None:
    tree = blocks(made(("i", "p q"), ("p", "r"), ("r", "p"), ("q p", "o")))
    assert tree is not None
    told = str(tree).splitlines()[1:]
    assert told == ["  t0", "  all of", "    - any number of times", "        t1", "        t2",
                    "    - nothing", "  t3"]  # fmt: skip
    tree = blocks(made(("i", "p"), ("p", "q"), ("q", "p"), ("q", "o")))
    assert tree is not None
    told = str(tree).splitlines()[1:]
    assert told == ["  t0", "  once or more", "    t1", "  in between", "    t2", "  t3"]


# -- large nets -----------------------------------------------------------------------------------


def test_fifty_branches_of_twenty_tasks_are_recognised() -> None:
    net = branches(50, 20).expanded()
    tree = blocks(net)
    assert tree is not None
    assert says_what_it_is(net, tree)


def nested(depth: int, kind: str) -> Net:
    """One block in another, so many deep."""
    down, up = [f"a{n}" for n in range(depth)], [f"b{n}" for n in range(depth)]
    builder = Net.build(kind).places(*down, *up)
    for n in range(depth - 1):
        beside = [f"c{n}"] if kind == "parallel" else []
        builder.places(*beside)
        builder.transition(f"in{n}", down[n], [down[n + 1], *beside])
        builder.transition(f"out{n}", [up[n + 1], *beside], up[n])
        if kind == "loop" and n:
            builder.transition(f"again{n}", up[n], down[n])
        if kind == "choice":
            builder.transition(f"skip{n}", down[n], up[n])
    return builder.transition("core", down[-1], up[-1]).done()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sequence", "parallel", "loop", "choice"])
def test_blocks_may_be_nested_as_deep_as_the_net_is_large(kind: str) -> None:
    net = nested(7_000, kind)
    tree = blocks(net)
    assert tree is not None
    found = sorted(_names(tree))
    assert found == sorted([p.id for p in net.places] + [t.id for t in net.transitions])
    assert tree.to_json()[0] == "a0"


def _names(tree: BlockTree) -> Iterator[str]:
    for part in tree:
        match part:
            case Spot(id) | Step(id):
                yield id
            case Together(split, _, join):
                yield from (split, join)


@pytest.mark.slow
def test_of_the_industrial_nets_only_sound_ones_are_block_structured(corpora: Path) -> None:
    found = 0
    for row in rows_of(corpora / "industrial" / "verdicts.csv"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FormatNote)
            net = read_pnml(corpora / "industrial" / row["file"])
        if (tree := blocks(net)) is not None:
            found += 1
            assert row["verdict"] == "sound"
            assert says_what_it_is(net, tree)
            assert in_canonical_form(tree)
    assert found > 0
