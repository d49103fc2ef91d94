"""XML from strangers, parsed safely by lxml."""

from __future__ import annotations

import os
import re
from pathlib import Path
from warnings import warn

from lxml import etree

from petriflow.net.errors import FormatError, FormatNote

#: Larger files are refused: no net of people's making comes near.
MOST_BYTES = 200_000_000


def parse(file: str | os.PathLike[str], *, recover: bool = False) -> etree._Element:
    """The root element of a file.

    No entity is resolved, nothing is fetched, and lxml's own limits on depth and size stand.

    Raises:
        FormatError: there is no such file, it is too large, it is no well-formed XML, or it
            declares a document type.
    """
    path = Path(file)
    try:
        with path.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MOST_BYTES:
        raise FormatError(f"{path}: larger than {MOST_BYTES // 1_000_000} MB; is it the file?")
    return parse_bytes(path, data, recover=recover)


def parse_bytes(path: Path, data: bytes, *, recover: bool = False) -> etree._Element:
    """The root element of what a file holds; as `parse`."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        collect_ids=False,
        recover=recover,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        told = re.sub(r" \(<string>, line \d+\)$", "", str(error))[:300]  # the file's own words
        raise FormatError(f"{path}: not well-formed XML: {told}; {REMEDY}") from error
    if root is None:
        raise FormatError(f"{path}: nothing in it can be read as XML")
    if root.getroottree().docinfo.doctype:
        raise FormatError(f"{path}: it declares a document type, which is refused; take it out")
    if recover and parser.error_log:
        warn(FormatNote(f"{path}: not well-formed, read as far as possible"), stacklevel=4)
    return root


REMEDY = "have the tool write it again, or read as much as can be read with recover=True"


def local(element: etree._Element) -> str:
    """The name of an element without its namespace; `""` for what is no element."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def children(element: etree._Element, name: str) -> list[etree._Element]:
    """The children of this name, whatever their namespace."""
    return [child for child in element if local(child) == name]


class Names(dict[object, str]):
    """The names of tags without their namespaces, each cut only once: `local` for many elements."""

    def __missing__(self, tag: object) -> str:
        name = self[tag] = tag.rpartition("}")[2] if isinstance(tag, str) else ""
        return name


def text_in(element: etree._Element, names: Names) -> str:
    """The text of an element, or of its first `<text>`, or else `<value>`, if it has one."""
    inner = element
    for child in element:
        name = names[child.tag]
        if name == "text":
            inner = child
            break
        if name == "value" and inner is element:
            inner = child
    text = "".join(inner.itertext()) if len(inner) else inner.text or ""
    return text.strip()


def shown(text: str | None) -> str:
    """A name as an error tells it: quoted, and cut where it is very long."""
    return repr(text if text is None or len(text) <= 60 else text[:60] + "…")
