"""PNML: the dialects of other tools, round trips, and files that mean harm."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from petriflow.analysis import verify
from petriflow.formats import read_pnml, write_pnml
from petriflow.net import Marking, Net, Place
from petriflow.net.errors import FormatError, FormatNote, PetriflowError

from ..nets import nets

SIMPLE = """
<place id="i"><initialMarking><text>1</text></initialMarking></place>
<transition id="t"><name><text>do it</text></name></transition>
<place id="o"/>
<arc id="a" source="i" target="t"/><arc id="b" source="t" target="o"/>
"""


@pytest.fixture
def read(tmp_path: Path):
    def reading(body: str, head: str = "<pnml><net id='n'>", tail: str = "</net></pnml>", **more):
        file = tmp_path / "net.pnml"
        file.write_text(head + body + tail, encoding="utf-8")
        return read_pnml(file, **more)

    return reading


# -- dialects -------------------------------------------------------------------------------------


@pytest.mark.promise("PNML-1")
@pytest.mark.parametrize(
    ("head", "tail"),
    [
        ("<pnml><net id='n'>", "</net></pnml>"),
        ("<pnml><net id='n'><page id='g'>", "</page></net></pnml>"),
        ("<pnml><net id='n'><module><page id='g'>", "</page></module></net></pnml>"),
        (
            "<pnml xmlns='http://www.pnml.org/version-2009/grammar/pnml'><net id='n' "
            "type='http://www.pnml.org/version-2009/grammar/ptnet'><page id='g'>",
            "</page></net></pnml>",
        ),
        ("<p:pnml xmlns:p='urn:x'><net id='n'>", "</net></p:pnml>"),
    ],
)
def test_pages_modules_and_namespaces_do_not_matter(read, head: str, tail: str) -> None:
    net = read(SIMPLE, head, tail)
    assert [p.id for p in net.places] == ["i", "o"]
    (t,) = net.transitions
    assert (t.id, t.label, t.consume, t.produce) == ("t", "do it", Marking("i"), Marking("o"))
    assert verify(net).verdict == "sound"


@pytest.mark.promise("PNML-1")
def test_reference_nodes_stand_for_nodes_of_other_pages(read) -> None:
    net = read(
        "<page id='1'><place id='i'/><transition id='t'/><arc id='a' source='i' target='t'/></page>"
        "<page id='2'><referenceTransition id='x' ref='y'/><referenceTransition id='y' ref='t'/>"
        "<place id='o'/><arc id='b' source='x' target='o'/></page>"
    )
    assert net.transition("t").produce == Marking("o")
    with pytest.raises(FormatError, match="'x' refers to itself"):
        read("<place id='o'/><referenceTransition id='x' ref='x'/><arc source='x' target='o'/>")


@pytest.mark.promise("PNML-1")
@pytest.mark.parametrize(
    ("arc", "kind"),
    [
        ("<arc id='c' source='q' target='t'><arctype><text>{}</text></arctype></arc>", "inhibitor"),
        ("<arc id='c' source='q' target='t'><type value='{}'/></arc>", "inhibitor"),
        ("<arc id='c' type='{}' source='q' target='t'/>", "inhibitor"),
        ("<arc id='c' type='tapnInhibitor' source='q' target='t'/>", "inhibitor"),
        ("<inhibitorArc id='c' source='q' target='t'/>", "inhibitor"),
        ("<arc id='c' source='q' target='t'><arctype><text>{}</text></arctype></arc>", "reset"),
        ("<arc id='c' source='q' target='t'><type value='{}'/></arc>", "reset"),
        ("<arc id='c' source='q' target='t'><type value='{}'/></arc>", "read"),
        ("<arc id='c' source='q' target='t'><type value='test'/></arc>", "read"),
    ],
)
def test_special_arcs_in_every_way_they_are_written(read, arc: str, kind: str) -> None:
    t = read(SIMPLE + "<place id='q'/>" + arc.format(kind)).transition("t")
    assert t.reset == ({"q"} if kind == "reset" else set())
    assert t.inhibitor == (Marking("q") if kind == "inhibitor" else Marking())
    assert t.read == (Marking("q") if kind == "read" else Marking())
    assert t.consume == Marking("i")


@pytest.mark.promise("PNML-1")
def test_weights_are_written_or_repeated(read) -> None:
    t = read(
        SIMPLE + "<arc id='c' source='i' target='t'><inscription><text> 2 </text></inscription>"
        "</arc><arc id='d' source='t' target='o'><inscription><value>Default,3</value>"
        "</inscription></arc><arc id='e' source='t' target='o' weight='4'/>"
    ).transition("t")
    assert (t.consume["i"], t.produce["o"]) == (3, 8)
    with pytest.warns(FormatNote, match="arc 'c' has weight 0"):
        read(SIMPLE + "<arc id='c' source='o' target='t'><inscription>0</inscription></arc>")


@pytest.mark.promise("PNML-1")
def test_final_markings_and_invisible_transitions(read) -> None:
    net = read(
        SIMPLE.replace(
            "<name><text>do it</text></name>",
            "<name><text>tau</text></name>"
            "<toolspecific tool='ProM' version='6.4' activity='$invisible$'/>",
        )
        + "<finalmarkings><marking><place idref='o'><text>1</text></place>"
        "<place idref='i'><text>0</text></place></marking></finalmarkings>"
    )
    assert net.final == Marking("o")
    assert net.transition("t").silent


@pytest.mark.promise("PNML-2")
def test_source_and_sink_by_name_and_several_sinks_closed(read) -> None:
    body = (
        "<place id='p1'><name><text>begin here</text></name></place><place id='p2'/>"
        "<place id='p3'/><transition id='t'/><arc id='a' source='p1' target='t'/>"
        "<arc id='b' source='t' target='p2'/><arc id='c' source='t' target='p3'/>"
    )
    assert verify(read(body, close=True)).verdict == "sound"
    assert read(body, source="begin here", sink="p3").source.id == "p1"
    assert read(body, sink="p3").sink.id == "p3"
    with pytest.raises(FormatError, match="no such place"):
        read(body, sink="p9")
    with pytest.raises(PetriflowError, match="exactly one sink place, and has 2: 'p2', 'p3'"):
        verify(read(body))


# -- round trips ----------------------------------------------------------------------------------


@pytest.mark.promise("PNML-3")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nets(), st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=9))
def test_what_is_written_is_read_again(tmp_path: Path, net: Net, name: str) -> None:
    odd = replace(
        net, places=(*net.places, Place(f"p_{name}", label=f"{name}<&>")), name=f"n{name}"
    )
    file = tmp_path / "net.pnml"
    write_pnml(odd, file)
    again = read_pnml(file)
    assert [p.id for p in again.places] == [p.id for p in odd.places]
    assert again.transitions == odd.transitions
    assert (again.initial, again.final, again.name) == (odd.initial, odd.final, odd.name)
    assert write_pnml(again) == file.read_text(encoding="utf-8")


@pytest.mark.promise("PNML-3")
def test_what_tools_say_besides_is_kept(read, tmp_path: Path) -> None:
    tool = "<toolspecific tool='WoPeD' version='1'><operator id='7' type='101'/></toolspecific>"
    spot = "<graphics><position x='10' y='20'/></graphics>"
    net = read(
        SIMPLE.replace("<name>", tool + spot + "<name>", 1).replace(
            'target="t"/>', f'target="t">{spot}</arc>'
        )
    )
    text = write_pnml(net, tmp_path / "again.pnml")
    assert text.count("<operator ") == 1
    assert text.count('x="10"') == 2
    assert write_pnml(read_pnml(tmp_path / "again.pnml")) == text


def test_a_name_that_xml_cannot_hold_is_refused(tmp_path: Path) -> None:
    net = Net.build("n").places("i", "o\x00").transition("t", "i", "o\x00").done()
    with pytest.raises(FormatError, match="XML"):
        write_pnml(net, tmp_path / "net.pnml")
    assert not list(tmp_path.iterdir())


# -- bad files ------------------------------------------------------------------------------------

BAD = {
    "": "nothing|empty|Document",
    "<pnml>": "not well-formed",
    "<bpmn/>": "its root is <bpmn>",
    "<pnml/>": "one net is needed, and it holds none",
    "<pnml><net id='x'/><net id='y'/></pnml>": "'x', 'y'",
    "<pnml><net type='http://pnml.org/symmetricnet'/></pnml>": "coloured",
    "<pnml><net><place id='p'/><transition id='p'/></net></pnml>": "two nodes have the id 'p'",
    "<pnml><net><place/></net></pnml>": "without an id",
    "<pnml><net><place id='p'/><arc id='a' source='p' target='q'/></net></pnml>": "'q' is not",
    "<pnml><net><place id='p'/><arc id='a' source='p' target='p'/></net></pnml>": "from a place to",
    "<pnml><net><place id='p'><initialMarking>-1</initialMarking></place></net></pnml>": "'-1'",
    "<pnml><net><place id='p'><initialMarking>99999999999</initialMarking></place></net></pnml>": (
        "whole number"
    ),
    "<pnml><net><place id='p'/><transition id='t'/><arc id='a' type='odd' source='p' target='t'/>"
    "</net></pnml>": "unknown kind 'odd'",
    "<!DOCTYPE pnml [<!ENTITY a 'x'>]><pnml><net/></pnml>": "document type",
}


@pytest.mark.promise("PNML-4")
@pytest.mark.parametrize("text", BAD)
def test_a_bad_file_is_refused_with_a_reason(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.pnml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=BAD[text]) as caught:
        read_pnml(file)
    assert "bad.pnml" in str(caught.value)


def test_a_file_that_is_not_well_formed_can_be_recovered(tmp_path: Path) -> None:
    file = tmp_path / "bad.pnml"
    file.write_text(f"<pnml><net id='n'><!-- a -- b -->{SIMPLE}</net></pnml>", encoding="utf-8")
    with pytest.raises(FormatError, match="recover=True"):
        read_pnml(file)
    with pytest.warns(FormatNote, match="not well-formed"):
        assert len(read_pnml(file, recover=True).places) == 2


def test_the_corpora_are_read_as_a_plain_reader_reads_them(corpora: Path) -> None:
    """Against a reader by regular expressions, which these regular files allow."""
    for file in sorted((corpora / "industrial").glob("*.pnml"))[::7]:
        text = file.read_text(encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FormatNote)
            net = read_pnml(file)
        assert [p.id for p in net.places] == re.findall(r'<place id="([^"]+)"', text)
        assert [t.id for t in net.transitions] == re.findall(r'<transition id="([^"]+)"', text)
        found = re.findall(
            r'<arc id="[^"]+" source="([^"]+)" target="([^"]+)"><inscription><text>(\d+)', text
        )
        flows: dict[tuple[str, str], int] = {}
        for source, target, weight in found:
            if int(weight):
                flows[source, target] = flows.get((source, target), 0) + int(weight)
        ours = {
            ((t.id, p) if kind == "produce" else (p, t.id)): w
            for t in net.transitions
            for kind, p, w in t.arcs()
        }
        assert ours == flows
