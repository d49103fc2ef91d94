"""The gallery that is committed is about the nets of today."""

from __future__ import annotations

import html
import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
REMEDY = "run: python docs/gallery.py"


def ids(svg: str) -> list[str]:
    return sorted(html.unescape(id) for id in re.findall(r'data-id="([^"]*)"', svg))


@pytest.mark.slow
def test_the_gallery_shows_every_pattern_and_model_as_they_are() -> None:
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    gallery = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gallery)
    text, pictures = gallery.page()
    assert (DOCS / "gallery.md").read_text("utf-8") == text, REMEDY
    kept = {path.stem: path.read_text("utf-8") for path in (DOCS / "gallery").glob("*.svg")}
    assert sorted(kept) == sorted(pictures), REMEDY
    models = {path.stem for path in (DOCS.parent / "models").glob("*.py")} - {"__init__"}
    assert {f"model-{name}" for name in models} <= set(pictures), "a model without a picture"
    for name, drawing in pictures.items():
        assert ids(kept[name]) == ids(drawing.svg()), f"{name}: {REMEDY}"
    assert ids((DOCS / "order.svg").read_text("utf-8")) == ids(gallery.first().svg()), REMEDY


def test_the_readme_begins_with_a_picture_and_leads_to_the_gallery() -> None:
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    assert "![" in readme.split("```")[0]
    for link in re.findall(r"\]\((docs/[^)#]+)\)", readme):
        assert (DOCS.parent / link).exists(), link
    assert "(docs/gallery.md)" in readme
