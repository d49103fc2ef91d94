"""DOT and Mermaid: everything of the net is there, and no name is taken for markup."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import given

from petriflow.formats.dot import to_dot
from petriflow.formats.mermaid import to_mermaid
from petriflow.net import Net
from tests.drawing.geometry import NETS, arcs_of, nets
from tests.drawing.test_pictures import hostile


@pytest.mark.promise("EXPORT-1")
@given(nets())
def test_every_node_and_arc_is_written_once(net: Net) -> None:
    size = len(net.places) + len(net.transitions)
    arcs = len(arcs_of(net))
    dot = to_dot(net).splitlines()
    assert len([line for line in dot if re.match(r"  [pt]\d+ \[", line)]) == size
    assert len([line for line in dot if re.match(r"  [pt]\d+ -> ", line)]) == arcs
    mermaid = to_mermaid(net).splitlines()
    assert len([line for line in mermaid if re.match(r"  [pt]\d+[\[(]", line)]) == size
    assert len([line for line in mermaid if re.match(r"  [pt]\d+ [-.o>]+", line)]) == arcs
    assert len(mermaid) <= size + arcs + 3, "no name breaks a line"


@pytest.mark.promise("EXPORT-1")
def test_hostile_names_stay_text() -> None:
    net = hostile()
    said = {t.id: t.id for t in net.transitions}
    for line in to_dot(net, said).splitlines()[1:-1]:
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
        assert re.fullmatch(r"[\w\s\[\]=,.\->]*", bare), line
    for line in to_mermaid(net, said).splitlines():
        for text in re.findall(r'"([^"]*)"', line):
            assert not re.search(r"<(?!br/>|i>|/i>)|&|`", text)


def test_each_kind_of_arc_looks_different() -> None:
    dot, mermaid = to_dot(NETS["drain"]), to_mermaid(NETS["drain"])
    assert 'arrowhead=odot, label="< 2"' in dot
    assert "style=dashed, arrowhead=normalnormal" in dot
    assert '--o|"#lt; 2"|' in mermaid
    assert "-.->" in mermaid
    assert "style=dotted, dir=none" in to_dot(NETS["milestone"])
    assert "-.- t" in to_mermaid(NETS["milestone"])


def test_graphviz_reads_what_is_written() -> None:
    dot = shutil.which("dot")
    if not dot:
        pytest.skip("no Graphviz on this machine: apt-get install graphviz")
    for net in (*NETS.values(), hostile()):
        done = subprocess.run([dot, "-Tplain"], input=to_dot(net).encode(), capture_output=True)
        assert done.returncode == 0, done.stderr
        nodes = [line for line in done.stdout.decode().splitlines() if line.startswith("node ")]
        assert len(nodes) == len(net.places) + len(net.transitions)
