"""Pictures as files and as text: SVG for every page and every name, PNG and PDF, whole or not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given

from petriflow.drawing import Drawing, Overlay, draw
from petriflow.drawing.style import COLOURS, STYLES
from petriflow.net import Marking, Net
from petriflow.net.errors import DrawingError, NetError, PetriflowError

from .geometry import NETS, nets

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "<script>alert(1)</script>",
    "</style><style>*{display:none}",
    "\"><image href='http://example.org/x'/>",
    "&amp; &#0; ]]>",
    "two\nlines\tand\rmore",
    "\x00\x01\x1f\x7f\ufffe",
    "\u202eevil\u2066",
    "🚀👩‍👩‍👧 launch",
    "مرحبا بالعالم",
    "日本語のとても長いタスクの名前です",
    "W" * 400,
)


def parsed(drawing: Drawing) -> ET.Element:
    return ET.fromstring(drawing.svg())


def hostile() -> Net:
    build = Net.build("".join(HOSTILE))
    names = [f"{n}{text}" for n, text in enumerate(HOSTILE)]
    for name in names:
        build.place(name)
    for (a, b), text in zip(pairwise(names), HOSTILE, strict=False):
        build.transition(text, a, b)
    return build.done()


@pytest.mark.promise("DRAW-2")
def test_hostile_names_do_no_harm_and_are_whole_in_the_titles() -> None:
    net = hostile()
    captions = {t.id: t.id for t in net.transitions}
    root = parsed(draw(net, captions=captions, title=HOSTILE[0]))
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {
        "svg", "title", "desc", "style", "g", "rect", "circle", "path", "text",
    }  # fmt: skip
    assert not [name for e in root.iter() for name in e.attrib if name.startswith(("on", "href"))]
    titles = " ".join(e.text or "" for e in root.iter(f"{SVG}title"))
    for name in ("<script>alert(1)</script>", "W" * 400, "two lines and more", "مرحبا بالعالم"):
        assert name in titles
    shown = [e.text or "" for e in root.iter(f"{SVG}text")]
    assert max(map(len, shown)) < 60, "a long name is cut where it is shown"
    assert any(text.endswith("…") for text in shown)


@pytest.mark.promise("DRAW-2")
@given(nets())
def test_the_svg_of_any_net_is_well_formed_and_says_what_it_shows(net: Net) -> None:
    root = parsed(draw(net, title="t"))
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.get("role") == "img"
    assert title is not None
    assert desc is not None
    assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
    assert f"with {len(net.places)} place" in (desc.text or "")
    for group in root.iter(f"{SVG}g"):
        if group.get("class", "").split()[0] in ("pf-place", "pf-transition"):
            title = group.find(f"{SVG}title")
            assert title is not None
            assert title.text


@pytest.mark.promise("DRAW-2")
def test_every_node_can_be_found_by_its_id() -> None:
    net = Net.build().places("in put", 'say "hi" & <bye>').transition("t\n1", "in put").done()
    found = [g.get("data-id") for g in parsed(draw(net)).iter(f"{SVG}g") if g.get("data-id")]
    assert sorted(found) == sorted(n.id for n in (*net.places, *net.transitions))


def test_the_same_net_gives_the_same_svg_in_every_process() -> None:
    code = (
        "from petriflow.drawing import draw, Overlay\n"
        "from petriflow.net import Net\n"
        "net = Net.build('n').places('i', 'a', 'b', 'c', 'd', 'o')"
        ".silent('s', 'i', ['a', 'b'], reset=['c', 'd'])"
        ".transition('A', 'a', 'c').transition('B', 'b', 'd')"
        ".silent('j', ['c', 'd'], 'o').done()\n"
        "o = Overlay(path=('s', 'A'), dead=frozenset('B'), faults=frozenset(['d', 'j']))\n"
        "import sys; sys.stdout.buffer.write(draw(net, overlay=o).svg().encode())\n"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            timeout=60,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in (0, 1, 2)
    }
    assert len(runs) == 1


def test_an_svg_needs_no_heavy_library() -> None:
    code = (
        "from petriflow.drawing import draw\n"
        "from petriflow.net import Net\n"
        "draw(Net.build().places('i', 'o').transition('t', 'i', 'o').done()).svg()\n"
        "import sys; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert {"numpy", "matplotlib", "networkx"} & set(done.stdout.split()) == set()


# -- themes -----------------------------------------------------------------------------------


def css(drawing: Drawing) -> str:
    style = parsed(drawing).find(f"{SVG}style")
    assert style is not None
    return style.text or ""


def test_an_auto_picture_follows_the_system_and_jupyterlab() -> None:
    rules = css(draw(NETS["loop"]))
    light, dark = COLOURS["node-edge"]
    for where, colour in (
        (r"@media \(prefers-color-scheme:dark\)\{\.\w+", dark),
        (r"\[data-jp-theme-light=\"true\"\] \.\w+", light),
        (r"\[data-jp-theme-light=\"false\"\] \.\w+", dark),
    ):
        found = re.search(where + r"\{[^}]*--node-edge:(#\w+)", rules)
        assert found, where
        assert found[1] == colour
    used = set(re.findall(r"var\(--([\w-]+)\)", rules))
    assert used <= set(re.findall(r"--([\w-]+):", rules)), "a colour without a value"


@pytest.mark.parametrize(("theme", "number"), [("light", 0), ("dark", 1)])
def test_a_fixed_theme_has_its_own_colours_and_no_variables(theme, number) -> None:
    rules = css(draw(NETS["loop"], theme=theme))
    assert "var(" not in rules
    assert "prefers-color-scheme" not in rules
    assert COLOURS["canvas"][number] in rules
    assert COLOURS["canvas"][1 - number] not in rules


def test_the_rules_of_a_picture_reach_no_other_picture() -> None:
    pictures = [draw(NETS["loop"]), draw(NETS["choice"]), draw(NETS["loop"], theme="dark")]
    prefixes = [parsed(p).get("class") for p in pictures]
    assert len(set(prefixes)) == 3
    for picture, prefix in zip(pictures, prefixes, strict=True):
        rules = re.sub(r"@media [^{]*\{(.*?\})\}", r"\1", css(picture))
        for selector in re.findall(r"([^{}]+)\{[^{}]*\}", rules):
            assert f".{prefix}" in selector


def test_the_background_is_opaque_and_nothing_is_fetched() -> None:
    text = draw(NETS["cancelling join"]).svg()
    assert re.search(r'<rect class="canvas"[^>]*width="100%" height="100%"', text)
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []
    assert "url(" not in text
    assert "@import" not in text


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_texts_can_be_read_on_what_they_are_written_on(theme: int) -> None:
    pairs = [
        ("label", "task"), ("label", "task-path"), ("label", "task-fault"),
        ("label", "task-enabled"), ("label-dead", "task-dead"), ("note", "task"),
        ("name", "canvas"), ("name-fault", "canvas"), ("name-dead", "canvas"),
        ("guard", "canvas"), ("weight", "pill"), ("step", "badge"), ("count", "place"),
        ("count-fault", "place-fault"), ("heading", "canvas"),
    ]  # fmt: skip
    for text, ground in pairs:
        ink, paper = STYLES[text].fill, STYLES[ground].fill
        assert ink is not None
        assert paper is not None
        found = contrast(COLOURS[ink][theme], COLOURS[paper][theme])
        assert found >= 4.5, f"{text} on {ground}: {found:.1f}"


# -- files ------------------------------------------------------------------------------------

MAGIC = {".svg": b"<svg ", ".png": b"\x89PNG\r\n\x1a\n", ".pdf": b"%PDF-"}


@pytest.mark.parametrize("suffix", MAGIC)
def test_a_picture_is_saved_as_what_its_name_says(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture{suffix}"
    draw(NETS["cancelling join"], title="a title").save(path)
    assert path.read_bytes().startswith(MAGIC[suffix])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_suffix_may_be_in_capitals_and_the_path_a_string(tmp_path: Path) -> None:
    draw(NETS["sequence"]).save(str(tmp_path / "PICTURE.SVG"))
    assert (tmp_path / "PICTURE.SVG").exists()


@pytest.mark.parametrize("name", ["picture.jpg", "picture", "picture.svg.gz", ".svg"])
def test_another_suffix_is_refused_with_the_remedy_and_leaves_nothing(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(DrawingError, match=r"\.svg, \.png or \.pdf"):
        draw(NETS["sequence"]).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DrawingError, match="nowhere"):
        draw(NETS["sequence"]).save(tmp_path / "nowhere" / "picture.svg")


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_a_failure_half_way_leaves_the_old_picture_and_no_part(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(b"old")

    def write_half(self: Drawing, file, kind: str) -> None:
        file.write(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(Drawing, "_write", write_half)
    with pytest.raises(OSError, match="disk is full"):
        draw(NETS["sequence"]).save(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_png_has_the_proportions_of_the_scene(tmp_path: Path) -> None:
    drawing = draw(NETS["parallel"])
    drawing.save(tmp_path / "picture.png")
    header = (tmp_path / "picture.png").read_bytes()[16:24]
    wide, high = int.from_bytes(header[:4]), int.from_bytes(header[4:])
    assert wide / high == pytest.approx(drawing.scene.width / drawing.scene.height, rel=0.01)
    assert wide >= 2 * drawing.scene.width, "sharp enough to print"


def test_the_same_picture_gives_the_same_pdf(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        draw(NETS["loop"]).save(tmp_path / name)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_names_that_no_font_has_can_be_saved_too(tmp_path: Path) -> None:
    for suffix in (".png", ".pdf"):
        draw(hostile()).save(tmp_path / f"picture{suffix}")


def test_a_figure_belongs_to_no_window() -> None:
    figure = draw(NETS["choice"]).figure()
    import matplotlib._pylab_helpers as helpers

    assert helpers.Gcf.get_all_fig_managers() == []
    (axes,) = figure.axes
    written = {t.get_text() for t in axes.texts}
    assert {"A", "B", "C", "i", "o"} <= written


def test_the_figure_has_every_shape_of_the_scene() -> None:
    drawing = draw(NETS["cancelling join"], overlay=Overlay(tokens=Marking("i")))
    shapes = sum(len(g.shapes) for g in drawing.scene.groups)
    (axes,) = drawing.figure().axes
    assert len(axes.patches) + len(axes.texts) == shapes


# -- in a notebook, and errors -------------------------------------------------------------------


@pytest.mark.promise("DRAW-1")
def test_a_picture_shows_itself_as_svg_and_as_one_plain_line() -> None:
    drawing = draw(NETS["partial join"])
    bundle = drawing._repr_mimebundle_()
    assert bundle["image/svg+xml"] == drawing.svg()
    assert bundle["text/plain"] == (
        "<Drawing of Petri net partial join with 11 places, 4 tasks and 4 silent transitions.>"
    )


def test_a_caption_for_an_unknown_transition_is_refused() -> None:
    with pytest.raises(NetError, match="nobody"):
        draw(NETS["sequence"], captions={"nobody": "x > 1"})


def test_an_overlay_that_speaks_of_another_net_is_refused() -> None:
    with pytest.raises(PetriflowError, match="'B2'"):
        draw(NETS["sequence"], overlay=Overlay(path=("A", "B2")))


def test_nets_of_hundreds_of_nodes_stay_readable() -> None:
    """Folded into rows, a long net is not much wider than a screen."""
    build = Net.build("long").place("p0")
    for n in range(150):
        build.place(f"p{n + 1}").transition(f"t{n}", f"p{n}", f"p{n + 1}")
    scene = draw(build.done()).scene
    assert scene.width < 1500
    assert scene.height < 3000
