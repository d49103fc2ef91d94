"""PNML that means harm: small files in the dialects of many tools, and accidents for them."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable
from pathlib import Path

#: Small nets, each in the dialect of another tool.
SEEDS = tuple(file.read_bytes() for file in sorted((Path(__file__).parent / "seeds").iterdir()))

# -- accidents ------------------------------------------------------------------------------------

NUMBERS = (
    *("0", "-1", "1e99", "1" + "0" * 30, "9" * 5000, "2147483647", "2147483648", "999999999999"),
    *("1.5", "0x10", "+1", "1_000", "", " ", "²", "١", "NaN", "inf", "Default,", "Default,7"),
    *("1 2", "&#48;", "<b>1</b>", "<text>2</text>", "300", "7"),
)
STRANGE = ("&#1;", "&#0;", "&#xFFFF;", "&#x202e;", "\x01", "\x1b[31m", "\x00", "​", "🙂", "​\n\t")
STRANGE += ("' OR 1=1", "../../etc/passwd", "{0}{a.b}", "%s%n", "$(x)", "[x]", "\\", "$\\frac$", "")
NAMES = (b"place", b"transition", b"arc", b"page", b"net", b"name", b"text", b"initialMarking")
NAMES += (b"referencePlace", b"referenceTransition", b"inhibitorArc", b"module", b"finalmarkings")
NAMES += (b"toolspecific", b"graphics", b"inscription", b"type", b"hlinitialMarking", b"pnml")
MARKUP = (b"<!-- a -- b -->", b"<!-- > -->", b"<?php exit ?>", b"<![CDATA[<place id='c'/>]]>")
MARKUP += (b"<![CDATA[", b"&lt;", b"&amp", b"&nbsp;", b"]]>", b"<", b">", b"\x00", b"\xef\xbb\xbf")
MARKUP += (
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"<?xml version='1.0'?>",
    b"<x:include href='/etc/passwd'/>",
)
MARKUP += (b"<include xmlns='http://www.w3.org/2001/XInclude' href='/etc/passwd' parse='text'/>",)

Dice = random.Random
Accident = Callable[[bytes, Dice], bytes]


def _two(text: bytes, dice: Dice) -> tuple[int, int]:
    a, b = sorted(dice.randrange(len(text) + 1) for _ in range(2))
    return a, b


def _cut(text: bytes, dice: Dice) -> bytes:
    return text[: dice.randrange(len(text) + 1)]


def _delete(text: bytes, dice: Dice) -> bytes:
    a, b = _two(text, dice)
    return text[:a] + text[b:]


def _swap_bytes(text: bytes, dice: Dice) -> bytes:
    a, b = _two(text, dice)
    size = dice.randrange(1, 40)
    one, other = text[a : a + size], text[b : b + size]
    return text[:a] + other + text[a + size : b] + one + text[b + size :]


def _repeat_bytes(text: bytes, dice: Dice) -> bytes:
    a, b = _two(text, dice)
    return text[:b] + text[a:b] * dice.choice([1, 2, 50]) + text[b:]


def _noise(text: bytes, dice: Dice) -> bytes:
    a = dice.randrange(len(text) + 1)
    return text[:a] + dice.randbytes(dice.choice([1, 4, 64])) + text[a + dice.randrange(5) :]


def _flip(text: bytes, dice: Dice) -> bytes:
    changed = bytearray(text)
    for _ in range(dice.choice([1, 1, 5]) if changed else 0):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _tags(text: bytes) -> list[bytes]:
    return re.split(rb"(?=<)", text)


def _swap_tags(text: bytes, dice: Dice) -> bytes:
    tags = _tags(text)
    n, m = dice.randrange(len(tags)), dice.randrange(len(tags))
    tags[n], tags[m] = tags[m], tags[n]
    return b"".join(tags)


def _drop_tag(text: bytes, dice: Dice) -> bytes:
    tags = _tags(text)
    del tags[dice.randrange(len(tags))]
    return b"".join(tags)


def _repeat_tag(text: bytes, dice: Dice) -> bytes:
    tags = _tags(text)
    n = dice.randrange(len(tags))
    return b"".join([*tags[:n], tags[n] * dice.choice([2, 3, 300, 5000]), *tags[n:]])


def _elements(text: bytes, dice: Dice) -> tuple[bytes, bytes]:
    """Two whole nodes or arcs of the file."""
    found = re.findall(rb"<(?:arc|place|transition) .*?</(?:arc|place|transition)>", text, re.S)
    found = found or [b""]
    return dice.choice(found), dice.choice(found)


def _swap_elements(text: bytes, dice: Dice) -> bytes:
    one, other = _elements(text, dice)
    return text.replace(one, other, 1)


def _drop_element(text: bytes, dice: Dice) -> bytes:
    return text.replace(_elements(text, dice)[0], b"", 1)


def _repeat_arcs(text: bytes, dice: Dice) -> bytes:
    arcs = re.findall(rb"<arc .*?</arc>", text, re.S) or [b"<arc/>"]
    arc = dice.choice(arcs)
    return text.replace(arc, arc * dice.choice([2, 9, 3000]), 1)


def _values(text: bytes, dice: Dice) -> bytes:
    """One attribute gets the value of another: ids are doubled, arcs go astray."""
    found = re.findall(rb'"[^"<]*"', text) or [b""]
    old, new = dice.choice(found), dice.choice(found)
    return text.replace(old, new, dice.choice([1, 1, -1]))


def _number(text: bytes, dice: Dice) -> bytes:
    number = dice.choice(NUMBERS).encode()
    count = dice.choice([1, 1, 2, 0])
    return re.sub(rb">(Default,)?1<", lambda _: b">" + number + b"<", text, count=count)


def _attribute_number(text: bytes, dice: Dice) -> bytes:
    number = dice.choice(NUMBERS).replace("<", "").encode()
    return re.sub(rb'(weight|type|x|y)="[^"]*"', lambda m: m[1] + b'="' + number + b'"', text)


def _name(text: bytes, dice: Dice) -> bytes:
    strange = dice.choice(STRANGE).encode("utf-8", "replace") * dice.choice([1, 1, 30])
    found = [*re.findall(rb'id="([^"]+)"', text), *re.findall(rb"<text>([^<]+)</text>", text)]
    old = dice.choice(found or [b"\xff"])
    return text.replace(b'"%b"' % old, b'"%b"' % strange).replace(b">%b<" % old, b">%b<" % strange)


def _long_name(text: bytes, dice: Dice) -> bytes:
    found = re.findall(rb'id="([^"]+)"', text) or [b"\xff"]
    old, size = dice.choice(found), dice.choice([300, 10_000, 100_000])
    long = (dice.choice([b"x", b"long name ", "ä".encode()]) * size)[:size]
    return text.replace(b'"%b"' % old, b'"%b"' % long).replace(b">%b<" % old, b">%b<" % long)


def _rename(text: bytes, dice: Dice) -> bytes:
    old, new = dice.choice(NAMES), dice.choice(NAMES)
    both = dice.random() < 0.7
    text = text.replace(b"<%b" % old, b"<%b" % new, dice.choice([1, -1]))
    return text.replace(b"</%b" % old, b"</%b" % new) if both else text


def _references(text: bytes, dice: Dice) -> bytes:
    """References in a circle, to nothing, or a long way round."""
    ids = [b'"%b"' % id for id in re.findall(rb'id="([^"]+)"', text)] or [b'"x"']
    n = dice.choice([1, 2, 50, 1000])
    last = dice.choice([b'"r0"', b'"nowhere"', dice.choice(ids)])
    kind = dice.choice([b"referencePlace", b"referenceTransition"])
    refs = [b'"r%d"' % (k + 1) for k in range(n - 1)] + [last]
    chain = b"".join(b'<%b id="r%d" ref=%b/>' % (kind, k, ref) for k, ref in enumerate(refs))
    ends = re.sub(rb'(source|target)="[^"]*"', lambda m: m[1] + b'="r0"', text, count=1)
    return re.sub(rb"(<net[^>]*>)", lambda m: m[1] + chain, ends, count=1)


def _self_arc(text: bytes, dice: Dice) -> bytes:
    return re.sub(rb'source="([^"]*)" target="[^"]*"', rb'source="\1" target="\1"', text, count=1)


def _entities(text: bytes, dice: Dice) -> bytes:
    entity = dice.choice(
        [
            b'<!ENTITY a "%b"><!ENTITY e "&a;&a;&a;&a;">' % (b"a" * 5000),
            b"".join(
                b'<!ENTITY %c "%b">' % (c, b"&%c;" % (c + 1) * 10) for c in range(ord("e"), 122)
            )
            + b'<!ENTITY z "lol">',
            b'<!ENTITY e "&e;">',
            b'<!ENTITY e "&f;"><!ENTITY f "&e;">',
            b'<!ENTITY e SYSTEM "file:///etc/passwd">',
            b'<!ENTITY e SYSTEM "file:///dev/zero">',
            b'<!ENTITY e SYSTEM "http://127.0.0.1:9/e">',
            b'<!ENTITY % d SYSTEM "file:///etc/hostname"> %d;',
            b'<!ATTLIST place id ID #IMPLIED x CDATA "1">',
        ]
    )
    external = dice.choice(
        [b"", b"", b' SYSTEM "file:///etc/passwd"', b' PUBLIC "x" "http://[::1"']
    )
    doctype = b"<!DOCTYPE pnml%b [%b]>" % (external, entity)
    text = re.sub(rb"<(\w+:)?pnml", lambda m: doctype + m[0], text, count=1)
    return text.replace(b"<text>", b"<text>&e;", dice.choice([0, 1, -1]))


def _lying_encoding(text: bytes, dice: Dice) -> bytes:
    names = [b"UTF-16", b"UTF-7", b"UTF-32", b"latin-1", b"ascii", b"EBCDIC-CP-US", b"Shift_JIS"]
    names += [b"GB18030", b"ISO-2022-JP", b"utf-8\x00", b"nonsense", b"x" * 3000, b""]
    return re.sub(rb'encoding="[^"]*"', b'encoding="%b"' % dice.choice(names), text, count=1)


def _other_encoding(text: bytes, dice: Dice) -> bytes:
    names = ["utf-16", "utf-16-le", "utf-16-be", "utf-7", "utf-32", "cp037", "utf-8-sig", "cp1252"]
    name = dice.choice([*names, "shift_jis", "gb18030", "iso2022_jp"])
    if dice.random() < 0.5:
        text = text.replace(b"UTF-8", name.encode(), 1)
    return text.decode("utf-8", "replace").encode(name, "replace")


def _compressed(text: bytes, dice: Dice) -> bytes:
    packed = gzip.compress(text, mtime=0)
    return packed[: dice.choice([len(packed), 9, 11, len(packed) // 2])]


def _deep(text: bytes, dice: Dice) -> bytes:
    tag = dice.choice([b"page", b"module", b"toolspecific", b"text"])
    n = dice.choice([20, 250, 9000])
    deep = b"<%b>" % tag * n + b"</%b>" % tag * dice.choice([n, n, 0])
    a = dice.choice([m.start() for m in re.finditer(rb"<", text)] or [0])
    return text[:a] + deep + text[a:]


def _pages(text: bytes, dice: Dice) -> bytes:
    pages = b"<page id='x'/>" * dice.choice([3, 1000, 10_000])
    return re.sub(rb"(<net[^>]*>)", lambda m: m[1] + pages, text, count=1)


def _attributes(text: bytes, dice: Dice) -> bytes:
    """An attribute twice, or thousands of them."""
    more = dice.choice([b' id="again"', b' source="i"', b" x=1", b' xmlns:p="urn:y" p:id="z"'])
    if dice.random() < 0.3:
        more = b"".join(b' a%d="%d"' % (k, k) for k in range(dice.choice([100, 5000])))
    if dice.random() < 0.2:
        more = b"".join(b' xmlns:n%d="urn:%d"' % (k, k) for k in range(dice.choice([50, 2000])))
    name = dice.choice(NAMES)
    return text.replace(b"<%b " % name, b"<%b%b " % (name, more), dice.choice([1, -1]))


def _markup(text: bytes, dice: Dice) -> bytes:
    """Comments, instructions, sections and the like where nobody expects them."""
    piece = dice.choice(MARKUP)
    a = dice.choice([m.start() for m in re.finditer(rb"[<>\"]", text)] or [0]) + dice.randrange(2)
    return text[:a] + piece + text[a:]


def _final(text: bytes, dice: Dice) -> bytes:
    id = dice.choice([*re.findall(rb'id="([^"]+)"', text), b"nowhere"])
    number = dice.choice(NUMBERS).encode()
    place = b'<place idref="%b"><text>%b</text></place>' % (id, number)
    marking = b"<marking>%b</marking>" % (place * dice.choice([1, 2]))
    final = b"<finalmarkings>%b</finalmarkings>" % (marking * dice.choice([1, 2, 50]))
    return text.replace(b"</net>", final + b"</net>", 1)


def _twice(text: bytes, dice: Dice) -> bytes:
    return dice.choice([text + text, text.replace(b"</net>", b"</net><net/>"), text[:-1] + b" "])


ACCIDENTS: tuple[Accident, ...] = (
    *(_cut, _delete, _swap_bytes, _repeat_bytes, _noise, _flip),
    *(_swap_tags, _drop_tag, _repeat_tag, _swap_elements, _drop_element, _repeat_arcs),
    *(_values, _number, _number, _attribute_number, _name, _long_name, _rename, _final),
    *(_references, _self_arc, _entities, _lying_encoding, _other_encoding, _compressed),
    *(_deep, _pages, _attributes, _markup, _twice),
)


def mutated(number: int, seeds: tuple[bytes, ...] = SEEDS) -> tuple[bytes, str]:
    """The file of this number, and which accidents it had; the same on every machine."""
    dice = random.Random(number)
    text, told = seeds[number % len(seeds)], f"seed {number % len(seeds)}"
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        accident = dice.choice(ACCIDENTS)
        if len(text) < 200_000:
            text, told = accident(text, dice), f"{told}, {accident.__name__[1:]}"
    return text[:500_000], told


# -- large files ----------------------------------------------------------------------------------

DOOR = '<place id="i"/><place id="o"/><transition id="t"/>'
DOOR += '<arc source="i" target="t"/><arc source="t" target="o"/>'
MANY = 100_000


def _net(body: str, more: str = "") -> bytes:
    return f"<pnml{more}><net id='n'>{DOOR}{body}</net></pnml>".encode()


def _bomb() -> bytes:
    lines = "".join(f"<!ENTITY e{n} '{10 * f'&e{n - 1};'}'>" for n in range(1, 30))
    return f"<!DOCTYPE pnml [<!ENTITY e0 'ha'>{lines}]><pnml>&e29;</pnml>".encode()


def _chain() -> str:
    """A way round through every reference, from either side, which every arc goes."""
    refs = [f'<referencePlace id="r{n}" ref="r{n + 1}"/>' for n in range(MANY // 2)]
    last = f'<referencePlace id="r{MANY // 2}" ref="i"/>'
    arcs = [f'<arc source="r{n}" target="t"/>' for n in range(MANY // 2)]
    return "".join([*refs, last, *arcs])


def _namespaces() -> bytes:
    """A long declaration at the root, which each of many small parts would repeat if kept."""
    uris = " ".join(f'xmlns:n{n}="urn:{"x" * 1000}{n}"' for n in range(200))
    return _net("<toolspecific/>" * 20_000, " " + uris)


#: Each with what must come of it.
LARGE: dict[str, tuple[Callable[[], bytes], str]] = {
    "pages": (lambda: _net("<page id='x'/>" * MANY), "sound"),
    "places": (
        lambda: _net("".join(f"<place id='p{n}'/>" for n in range(MANY))),
        "no workflow net",
    ),
    "arcs that repeat": (lambda: _net('<arc source="i" target="t"/>' * MANY), "unsound"),
    "arcs of weight 0": (lambda: _net('<arc source="i" target="t" weight="0"/>' * MANY), "sound"),
    "references": (lambda: _net(_chain()), "unsound"),
    "pages within pages": (lambda: _net("<page>" * MANY + "</page>" * MANY), "refused"),
    "tools within tools": (lambda: _net("<toolspecific>" * 200 + "</toolspecific>" * 200), "sound"),
    "namespaces": (_namespaces, "refused"),
    "a net of no name": (lambda: _net("<name/>" * MANY), "sound"),
    "a name without end": (lambda: _net(f"<name><text>{'x' * 9_000_000}</text></name>"), "sound"),
    "an id without end": (lambda: _net(f"<place id='{'x' * 9_000_000}'/>"), "no workflow net"),
    "an id beyond XML's": (lambda: _net(f"<place id='{'x' * 11_000_000}'/>"), "refused"),
    "attributes": (lambda: _net("<x" + "".join(f" a{n}='1'" for n in range(MANY)) + "/>"), "sound"),
    "digits": (
        lambda: _net(f'<arc source="i" target="t" weight="{"9" * 5_000_000}"/>'),
        "refused",
    ),
    "spaces": (
        lambda: _net(f'<arc source="i" target="t" weight="Default{" " * 5_000_000}"/>'),
        "refused",
    ),
    "entities": (_bomb, "refused"),
    "zeros": (lambda: bytes(10_000_000), "refused"),
    "less-than signs": (lambda: b"<" * 10_000_000, "refused"),
    "final markings": (
        lambda: _net(
            "<finalmarkings>" + "<marking><place idref='o'/></marking>" * MANY + "</finalmarkings>"
        ),
        "sound",
    ),
}
