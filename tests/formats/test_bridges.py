"""Nets to other tools and back: the same net, or a clear error that leaves nothing behind."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from petriflow.formats.convert import from_networkx, from_pm4py, to_networkx
from petriflow.formats.document import json_schema, read_json, write_json
from petriflow.formats.lola import read_lola, write_lola
from petriflow.formats.target import load_target
from petriflow.formats.tina import read_tina, write_tina
from petriflow.formats.tpn import read_tpn, write_tpn
from petriflow.net import Marking, Net
from petriflow.net.errors import FormatError, PetriflowError
from petriflow.patterns.catalogue import CATALOGUE

from ..nets import brute_force, nets

Write = Callable[[Net, Path], str]
FORMATS: dict[str, tuple[Write, Callable[[Path], Net]]] = {
    "net": (write_tina, read_tina),
    "lola": (write_lola, read_lola),
    "tpn": (write_tpn, read_tpn),
    "json": (write_json, read_json),
}


def as_written(net: Net, ending: str) -> Net:
    """What a format can hold of a net: its nodes, arcs and tokens."""
    transitions = tuple(
        replace(t, origin=None, label=t.id if ending == "lola" else t.label)
        for t in net.transitions
    )
    final = net.final if ending == "json" else None
    return Net(net.name, net.places, transitions, net.initial_marking, final)


def nodes(net: Net) -> Any:
    return {p.id for p in net.places}, {t.id: t for t in net.transitions}, net.initial_marking


@pytest.mark.promise("BRIDGE-1")
@pytest.mark.parametrize("ending", ["net", "json"])
@settings(max_examples=40, deadline=None)
@given(net=nets())
def test_a_net_comes_back_from_a_format_that_has_its_arcs(
    net: Net, ending: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    there_and_back(net, ending, tmp_path_factory.mktemp("net"), resets=ending == "json")


@pytest.mark.promise("BRIDGE-1")
@pytest.mark.parametrize("ending", ["lola", "tpn"])
@settings(max_examples=40, deadline=None)
@given(net=nets(plain=True))
def test_a_plain_net_comes_back_from_every_format(
    net: Net, ending: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    there_and_back(net, ending, tmp_path_factory.mktemp("net"), resets=True)


def there_and_back(net: Net, ending: str, folder: Path, resets: bool) -> None:
    write, read = FORMATS[ending]
    file = folder / f"x.{ending}"
    if any(t.reset for t in net.transitions) and not resets:
        with pytest.raises(FormatError, match="has no reset arcs, and transition 't"):
            write(net, file)
        assert not file.exists()
        return
    write(net, file)
    back = read(file)
    wanted = as_written(net, ending)
    assert nodes(back) == nodes(wanted)
    if ending == "json":
        assert (back.content_hash, back.name) == (net.content_hash, net.name)
    # The same graph, which is what it is all for.
    graphs = [brute_force(n, 60) for n in (wanted, replace(back, final=wanted.final))]
    assert graphs[0] == graphs[1]


@pytest.mark.promise("BRIDGE-1")
@settings(max_examples=40, deadline=None)
@given(net=nets())
def test_a_graph_of_networkx_is_the_same_net(net: Net) -> None:
    back = from_networkx(to_networkx(net))
    assert back.content_hash == net.content_hash


def test_every_pattern_comes_back_from_json(tmp_path: Path) -> None:
    for pattern in CATALOGUE:
        for net in (pattern.example().net, pattern.example().net.expanded()):
            write_json(net, tmp_path / "x.json")
            assert read_json(tmp_path / "x.json").content_hash == net.content_hash


def test_the_published_schema_is_the_one_that_is_read() -> None:
    published = Path(__file__).parents[2] / "docs" / "net.schema.json"
    assert json.loads(published.read_text()) == json_schema()


# -- files as other tools write them --------------------------------------------------------------


def test_tinas_own_words_are_read(tmp_path: Path) -> None:
    file = tmp_path / "x.net"
    file.write_text(
        "# a comment\nnet {a name}\ntr t1 : {open it} [0,w[ p1*2 {p 2}?3 p3?-1 -> p4\n"
        "tr t2 p4 -> p1\npl p1 (5)\npl {p 2} : shelf (3)\nlb p4 done\n"
    )
    net = read_tina(file)
    assert net.name == "a name"
    t1, t2 = net.transitions
    assert (t1.label, t2.label) == ("open it", "t2")
    assert t1.consume == Marking({"p1": 2})
    assert (t1.read, t1.inhibitor) == (Marking({"p 2": 3}), Marking("p3"))
    assert net.initial_marking == Marking({"p1": 5, "p 2": 3})


def test_lolas_own_words_are_read(tmp_path: Path) -> None:
    file = tmp_path / "x.lola"
    file.write_text(
        "{ a comment }\nPLACE SAFE 1: p.1, p-2 ; p3;\nMARKING p.1: 2, p-2;\n"
        "TRANSITION t.1 STRONG FAIR CONSUME p.1: 2; PRODUCE p3, p-2: 1; // done\n"
        "TRANSITION t2\nCONSUME ;\nPRODUCE p3: 1;\n"
    )
    net = read_lola(file)
    assert net.initial_marking == Marking({"p.1": 2, "p-2": 1})
    assert net.transitions[0].produce == Marking(["p3", "p-2"])
    assert net.transitions[1].consume == Marking()


def test_woflans_own_words_are_read(tmp_path: Path) -> None:
    file = tmp_path / "x.tpn"
    file.write_text(
        'place i init 1;\nplace "p 1";\n-- a comment\nplace o;\n'
        'trans "pay"~"complete" in i out "p 1","p 1";\ntrans s~silent in "p 1" "p 1" out o;\n'
    )
    net = read_tpn(file)
    assert [t.label for t in net.transitions] == ["pay", None]
    assert net.transitions[0].produce == Marking({"p 1": 2})


class Thing:
    """What the objects of pm4py look like."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


def test_objects_as_pm4py_has_them_are_a_net() -> None:
    i, o, t = Thing(name="i"), Thing(name="o"), Thing(name="t", label="pay")
    arcs = [Thing(source=i, target=t, weight=2), Thing(source=t, target=o, weight=1)]
    theirs = Thing(name="n", places={i, o}, transitions={t}, arcs=arcs)
    net = from_pm4py(theirs, {i: 2}, {o: 1})
    assert net.initial_marking == Marking({"i": 2})
    assert (net.transitions[0].label, net.transitions[0].consume) == ("pay", Marking({"i": 2}))
    with pytest.raises(FormatError, match="no Petri net of pm4py's"):
        from_pm4py(object())


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("x.net", "tr t [1,2] i -> o", r"line 1: 't' is timed \(\[1,2\]\)"),
        ("x.net", "pl p (many)", "'many' is no number of tokens"),
        ("x.net", "<pnml/>", "is no net, tr or pl"),
        ("x.net", "tr t i -> o\ntr t i -> o", "line 2: there is a transition 't' already"),
        ("x.net", "tr t i*99999999999999 -> o", "is no number of tokens"),
        ("x.lola", "PLACE p; MARKING q: 1;", "names 'q', which is no place"),
        ("x.lola", "PLACE p; MARKING p: 1; TRANSITION t CONSUME p", "ends in the middle"),
        ("x.lola", "hello", "PLACE was to come, and 'hello' is there"),
        ("x.tpn", "place p", "ends in the middle of 'place p'"),
        ("x.tpn", "plaace p;", "is no place and no trans"),
        ("x.json", "{}", "no net of petriflow's in JSON: name: Field required"),
        ("x.json", '{"name": "n", "places": [], "transitions": [{"id": "t", "consume": {"p": 1}}]}',
         "'p'"),
        ("x.json", "[" * 5000, "no net of petriflow's in JSON"),
    ],
)  # fmt: skip
def test_what_is_no_net_is_refused(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(FormatError, match=told):
        load_target(str(tmp_path / name))


@pytest.mark.parametrize("ending", FORMATS)
def test_damaged_files_give_clear_errors(ending: str, tmp_path: Path) -> None:
    chance, file = random.Random(ending), tmp_path / f"x.{ending}"
    write, read = FORMATS[ending]
    net = Net.build("n").places("i", "p", "o").transition("a", "i", "p").silent("s", "p", "o")
    text = write(net.done(), file).encode()
    for _ in range(1_000):
        data = bytearray(text)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            data[at : at + chance.randint(0, 3)] = bytes(
                chance.choice(b'0123456789{}[]()":;,*?->abip \n\xc3') for _ in range(2)
            )
        file.write_bytes(data)
        try:
            read(file)
        except PetriflowError:
            continue
