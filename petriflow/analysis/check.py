"""Checking a certificate again: slow and plain, and nothing of it is shared with the ladder.

A certificate says that a net is sound, or not, from k tokens on its source, and proves it. Here is
only the firing rule, arithmetic and, with each kind of proof, the reason why it suffices.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import gcd
from typing import Any, Literal

from petriflow.net import Marking, Net, Transition, enabled, fire, is_enabled, replay
from petriflow.net.errors import FormatError, NetError, NotEnabled, PetriflowError, printable

Json = Any  # something read from JSON, which may be anything
MANY, OBJECT, NAME = (list, tuple), (Mapping,), (str, int)
Effects = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a certificate: whether it holds, and a sentence that says what was shown,
    what is wrong, or why there is nothing to check (`unknown`).
    """

    holds: Literal["yes", "no", "unknown"]
    sentence: str

    @property
    def ok(self) -> bool:
        """Whether the verdict is proved."""
        return self.holds == "yes"


class _Wrong(PetriflowError):
    """Something that a certificate says is not so."""


@dataclass(frozen=True, slots=True)
class _Claim:
    net: Net
    source: str
    sink: str
    initial: Marking
    final: Marking


def check_certificate(certificate: Mapping[str, Json], net: Net) -> Checked:
    """Whether a certificate proves its verdict about this net, expanded if it says so.

    Raises:
        FormatError: this is no certificate: something is missing, or of another type.
        WorkflowNetError: the net has no single source or no single sink.

    >>> net = Net.build("door").places("i", "o").transition("open", "i", "o").done()
    >>> claim = {"petriflow_certificate": 1, "name": "door", "net": net.content_hash, "k": 1,
    ...     "form": "atomic", "verdict": "sound", "method": "blocks",
    ...     "proof": {"kind": "blocks", "tree": ["i", "open", "o"]}}
    >>> check_certificate(claim, net).sentence
    "'door' is sound (atomic form, k = 1), as was checked by blocks"
    """
    texts = ("name", "net", "form", "verdict", "method")
    name, hashed, form, verdict, _ = (_get(certificate, key, str) for key in texts)
    k, proof = _get(certificate, "k", int), _get(certificate, "proof", object)
    version = _get(certificate, "petriflow_certificate", int)
    if version != 1 or k < 1 or form not in ("atomic", "expanded") or verdict not in CHECKS:
        raise FormatError("the version, k, form or verdict of this certificate is none there is")
    net = net.expanded() if form == "expanded" else net
    source, sink = net.source.id, net.sink.id
    claim = _Claim(net, source, sink, Marking({source: k}), Marking({sink: k}))
    about, kinds = f"{_told(name)} is {verdict} ({form} form, k = {_told(k)})", []
    try:
        _need((hashed, form) == (net.content_hash, net.form), "it is about another net or form")
        if proof is None or verdict == "unknown":
            reason = _get(certificate, "reason", str) if proof is None else "nothing is claimed"
            return Checked("unknown", printable(f"not checkable: {reason}"))
        while (kind := _get(proof, "kind", str)) == "reduction":
            claim, proof, kinds = _reduced(claim, proof), _get(proof, "then", *OBJECT), [kind]
        if not any(kind in checks for checks in CHECKS.values()):
            raise FormatError(f"there is no kind of proof {_told(kind)}")
        _need(kind in CHECKS[verdict], "{} proves the opposite", kind)
        CHECKS[verdict][kind](claim, proof)
    except (_Wrong, NotEnabled) as wrong:
        return Checked("no", printable(f"it is not shown that {about}: {wrong}"))
    except NetError as error:  # it cannot be told whether an OR-join may fire
        return Checked("unknown", printable(f"not checkable: {error}"))
    return Checked("yes", printable(f"{about}, as was checked by {' and '.join([*kinds, kind])}"))


# -- unsound --------------------------------------------------------------------------------------


def _deadlock(claim: _Claim, proof: Json) -> None:
    here = _after(claim, claim.initial, proof, "trace")
    _need(here != claim.final, "the trace leads to the end")
    for t in enabled(claim.net, here):
        raise _Wrong(f"{t.id!r} is enabled in {_told(here)}")


def _improper(claim: _Claim, proof: Json) -> None:
    here = _after(claim, claim.initial, proof, "trace")
    _need(claim.final < here, "the trace leads to {}, which is not more than the end", here)


def _unbounded(claim: _Claim, proof: Json) -> None:
    """If M leads to the end, M + X leads to the end + X, as more tokens disable nothing here."""
    _lacks(claim.net, "inhibitor", "reset")
    before = _after(claim, claim.initial, proof, "trace")
    after = _after(claim, before, proof, "pump")
    _need(before < after, "the pump leads from {} to {}, which is not more", before, after)


def _trapped(claim: _Claim, proof: Json) -> None:
    """All that follows is among the states, and the end is not."""
    here, states = _after(claim, claim.initial, proof, "trace"), _states(claim, proof, "states")
    _need(here in states, "the trace leads to {}, which is not listed", here)
    _need(claim.final not in states, "the end is listed")
    _closed(claim.net, states)


def _dead(claim: _Claim, proof: Json) -> None:
    """No transition named is enabled anywhere in a set that holds what can be reached: a listed
    one; what weighs no more than the initial marking; or what covers none of some markings
    (backward coverability: Abdulla et al. 1996, Dufourd et al. 1998).
    """
    net = claim.net
    ids = {t.id: t for t in net.transitions}
    dead = [ids[name] for name in _names(_get(proof, "transitions", *MANY), ids)]
    way = [key for key in ("states", "weights", "upward") if key in proof]
    if not dead or len(way) != 1:
        raise FormatError("dead-transitions takes transitions, and states, weights or upward")
    if way == ["states"]:
        states = _states(claim, proof, "states")
        _need(claim.initial in states, "the initial marking is not listed")
        _closed(net, states)
        for t, state in product(dead, states):
            _need(not is_enabled(t, state, net), "{} is enabled in {}", t.id, state)
    elif way == ["weights"]:
        _lacks(net)
        weights = _marking(claim, _get(proof, "weights", *OBJECT))
        for t in net.transitions:
            _need(_dot(weights, t.produce) <= _dot(weights, t.consume), "{} adds weight", t.id)
        for t in dead:
            heavy = _dot(weights, _needs(t)) > _dot(weights, claim.initial)
            _need(heavy, "{} needs no more weight than there is", t.id)
    else:
        _lacks(net, "inhibitor")
        upward = _states(claim, proof, "upward")
        _need(not any(b <= claim.initial for b in upward), "the initial marking covers one")
        for t in dead:
            _need(any(b <= _needs(t) for b in upward), "what {} needs covers none", t.id)
        for t, b in product(net.transitions, upward):
            if all(b[p] <= t.produce[p] for p in t.reset):
                more = {p: n - t.produce[p] + t.consume[p] for p, n in b.without(t.reset).items()}
                before = Marking(
                    {p: max(_needs(t)[p], more.get(p, 0)) for p in {*more, *_needs(t)}}
                )
                inside = any(a <= before for a in upward)
                _need(inside, "{} leads from {}, which covers none, to {}", t.id, before, b)


def _not_free_choice(claim: _Claim, proof: Json) -> None:
    """N is sound just if N* is live and bounded (van der Aalst 1997). If it is, and free-choice,
    the rank theorem (Desel & Esparza 1995, ch. 6) gives it positive place and transition
    invariants, so that nothing `grows` or `falls` (Stiemke's lemma), the rank, and no empty
    siphon. For k > 1 let "" move k tokens: the theorem is the same (Teruel & Silva 1996).
    """
    effects = _effects(claim)
    match [key for key in ("grows", "falls", "siphon", "rank") if key in proof]:
        case ["siphon"]:
            siphon = {*_names(_get(proof, "siphon", *MANY), claim.net.producers)}
            _need(siphon and claim.source not in siphon, "the siphon is empty, or marked")
            for t in claim.net.transitions:
                fed = siphon.isdisjoint(t.consume) and not siphon.isdisjoint(t.produce)
                _need(not fed, "{} puts tokens into the siphon and takes none from it", t.id)
        case ["rank"] if proof["rank"] is True:
            _need(_rank(effects) != _clusters(claim) - 1, "the rank is that of a sound net")
        case ["grows" | "falls" as way]:
            rows = effects if way == "falls" else _transposed(effects)
            known = claim.net.producers if way == "falls" else effects
            vector = _vector(_get(proof, way, *OBJECT), known)
            sums = [_dot(row, vector) for row in rows.values()]
            _need(min(sums) >= 0 and any(sums), "what {} does not, or not only", way)
        case _:
            raise FormatError("free-choice-fails takes grows, falls, siphon or rank: true")


# -- sound ----------------------------------------------------------------------------------------


def _all_states(claim: _Claim, proof: Json) -> None:
    """The definition of soundness, state by state."""
    _walk(claim, proof, 2, lambda here, _: enabled(claim.net, here))


def _stubborn(claim: _Claim, proof: Json) -> None:
    """If the end can be reached from every state of the reduced space, so it can in the full one
    (Valmari: Stop it, and be stubborn!, 2017). With more than the end no path leads to the end:
    the last step would produce something on a place that is then empty, or fill the sink for good.
    """
    net = claim.net
    _lacks(net, "inhibitor", "reset")
    last = not net.consumers[claim.sink] and not enabled(net, claim.final)
    _need(last and all(t.produce for t in net.transitions), "leftovers could vanish from the end")
    ids = {t.id: t for t in net.transitions}
    adds = {p: {t.id for t in ts if t.produce[p] > t.consume[p]} for p, ts in net.producers.items()}
    takes = {p: {t.id for t in ts} for p, ts in net.consumers.items()}
    looks = {p: takes[p] | {t.id for t in net.transitions if p in t.read} for p in takes}

    def firing(here: Marking, item: Json) -> Iterable[Transition]:
        inside = {*_names(_is(item[2], *MANY), ids)}
        for t in (ids[name] for name in inside):
            if is_enabled(t, here):
                rivals = set().union(*(looks[p] for p in t.consume), *(takes[p] for p in t.read))
                _need(rivals <= inside, "the set of {} leaves out a rival of {}", here, t.id)
                yield t
            else:
                helpers = [adds[p] for p, n in _needs(t).items() if here[p] < n]
                kept = any(some <= inside for some in helpers)
                _need(kept, "the set of {} leaves out what could enable {}", here, t.id)

    _walk(claim, proof, 3, firing)


def _walk(
    claim: _Claim, proof: Json, width: int, firing: Callable[[Marking, Json], Iterable[Transition]]
) -> None:
    """Just the listed states are reached; each leads to a nearer one but for the end, and none is
    more than that; every transition is fired somewhere.
    """
    listed = {}
    for item in _get(proof, "states", *MANY):
        if len(_is(item, *MANY)) != width or _is(item[1], int) < 0:
            raise FormatError(f"a state is a list of {width}, and its distance 0 or more")
        listed[_marking(claim, item[0])] = item
    seen, todo, fired = {claim.initial}, [claim.initial], set()
    for here in todo:
        _need(here in listed, "{} can be reached and is not listed", here)
        _need(not claim.final < here, "{}, which can be reached, is more than the end", here)
        nearer = here == claim.final and listed[here][1] == 0
        for t in firing(here, listed[here]):
            after = fire(t, here, claim.net)
            fired.add(t.id)
            nearer |= after in listed and listed[after][1] < listed[here][1]
            if after not in seen:
                seen.add(after)
                todo.append(after)
        _need(nearer, "{} leads to no state that is nearer to the end", here)
    _need(len(seen) == len(listed), "a state is listed that cannot be reached")
    for t in claim.net.transitions:
        _need(t.id in fired, "{} is enabled nowhere", t.id)


def _free_choice(claim: _Claim, proof: Json) -> None:
    """The rank theorem, see above; that N is then sound for every k: Ping, Hao and Jian 2004."""
    effects, net = _effects(claim), claim.net
    x = _vector(_get(proof, "transition_invariant", *OBJECT), effects)
    y = _vector(_get(proof, "place_invariant", *OBJECT), net.producers)
    complete = len(x) == len(effects) and len(y) == len(net.places)
    _need(complete and min(*x.values(), *y.values()) > 0, "an invariant is not positive everywhere")
    for name, effect in effects.items():
        _need(_dot(effect, y) == 0, "the place invariant changes by {}", name)
    for place, effect in _transposed(effects).items():
        _need(_dot(effect, x) == 0, "the transition invariant changes {}", place)
    _need(_rank(effects) == _clusters(claim) - 1, "the rank is not the number of clusters less one")
    siphon = net.producers.keys() - {claim.source}
    todo = [t for t in net.transitions if siphon.isdisjoint(t.consume)]
    while todo:
        for p in todo.pop().produce:
            if p in siphon:
                siphon.remove(p)
                todo += [t for t in net.consumers[p] if siphon.isdisjoint(t.consume)]
    _need(not siphon, "{} is in a siphon that is empty at the start", min(siphon, default=""))


def _blocks(claim: _Claim, proof: Json) -> None:
    """Choices, parallel paths and loops, refined into each other, are sound for every k: a place
    may be refined by what is sound for every k (van Hee, Sidorova & Voorhoeve 2003).
    """
    _lacks(claim.net, "read", "inhibitor", "reset")
    places: list[str] = []
    arcs: dict[str, tuple[Marking, Marking]] = {}

    def line(value: Json) -> list[Json]:
        items = list(_is(value, *MANY))
        if len(items) % 2 == 0:
            raise FormatError("a path or a sequence takes turns between spots and blocks")
        return items

    def end(spot: Json, which: int) -> str:
        while not isinstance(spot, NAME):
            spot = line(_get(spot, "loop", *MANY))[which]
        return str(spot)

    def some(block: Json, key: str) -> list[list[Json]]:
        if not (members := _get(block, key, *MANY)):
            raise FormatError(f"a {key} without members")
        return [line(member) for member in members]

    def put(name: Json, consume: list[str], produce: list[str]) -> None:
        name = str(_is(name, *NAME))
        _need(name not in arcs, "{} occurs twice", name)
        arcs[name] = Marking(consume), Marking(produce)

    # A sequence is a path between two places of which others are in charge.
    tree = line(_get(proof, "tree", *MANY))
    _need([tree[0], tree[-1]] == [claim.source, claim.sink], "it goes not from source to sink")
    todo = [(tree, tree[::2])]
    for path, own in todo:
        for spot in own:
            if isinstance(spot, NAME):
                places.append(str(spot))
            else:
                inner, redo = line(_get(spot, "loop", *MANY)), line(_get(spot, "redo", *MANY))
                todo += [(inner, inner[::2]), ([end(spot, -1), *redo, end(spot, 0)], redo[1::2])]
        for before, block, after in zip(path[::2], path[1::2], path[2::2], strict=False):
            before, after = end(before, -1), end(after, 0)
            if isinstance(block, NAME):
                put(block, [before], [after])
            elif "choice" in _is(block, *OBJECT):
                todo += [([before, *seq, after], seq[1::2]) for seq in some(block, "choice")]
            else:
                paths = some(block, "parallel")
                put(_get(block, "split", *NAME), [before], [end(p[0], 0) for p in paths])
                put(_get(block, "join", *NAME), [end(p[-1], -1) for p in paths], [after])
                todo += [(p, p[::2]) for p in paths]
    _need(sorted(places) == sorted(claim.net.producers), "the places are not each there once")
    _need(len(arcs) == len(claim.net.transitions), "the transitions are not each there once")
    for t in claim.net.transitions:
        same = arcs.get(t.id) == (t.consume, t.produce)
        _need(same, "the arcs of {} are not those of the blocks", t.id)


# -- both -----------------------------------------------------------------------------------------


def _reduced(claim: _Claim, proof: Json) -> _Claim:
    """The smaller net, sound for k just if the given one is (Berthelot 1987, Murata 1989).

    fuse: the takers of the place wait for nothing else, so that each may follow its maker at
    once: what they put early disables nothing, as nobody reads, inhibits on or resets it. So a
    marking without tokens on the place is reached in both nets or in neither, and any other
    leads to such ones, which enable all that it did, have at least as much elsewhere and one token
    more: more than the end stays more.
    drop like: both fire alike. drop beside: it changes nothing, and is dead just if the other is.
    drop_place: both places always have the same tokens.
    """
    table: dict[str, Transition] = {}
    near: dict[str, set[str]] = {p.id: set() for p in claim.net.places}

    def put(t: Transition) -> None:
        table[t.id] = t
        for _, p, _ in t.arcs():
            near[p].add(t.id)

    def take(name: str) -> Transition:
        for _, p, _ in table[name].arcs():
            near[p].discard(name)
        return table.pop(name)

    def looked_at(place: str) -> bool:
        around = (table[name] for name in near[place])
        return any(place in (*t.read, *t.inhibitor, *t.reset) for t in around)

    def pick(holder: Json, key: str, known: Container[str]) -> str:
        (name,) = _names([_get(holder, key, *NAME)], known)
        return name

    def inner(step: Json, key: str) -> str:
        place = pick(step, key, near)
        kept = place in (claim.source, claim.sink) or looked_at(place)
        _need(not kept, "place {} is source, sink, read, an inhibitor or reset", place)
        return place

    _lacks(claim.net)
    for t in claim.net.transitions:
        put(replace(t, label=None, cancels=frozenset()))
    for step in _get(proof, "steps", *MANY):
        if "fuse" in _is(step, *OBJECT):
            place, pairs = inner(step, "fuse"), {}
            for item in _get(step, "into", *MANY):
                if len(_is(item, *MANY)) != 3:
                    raise FormatError("into lists a maker, a taker and a new name each")
                maker, taker = _names(item[:2], table)
                pairs[maker, taker] = str(_is(item[2], int))
            makers = {name for name in near[place] if place in table[name].produce}
            takers = near[place] - makers
            complete = len(pairs) == len(step["into"]) and pairs.keys() == {
                *product(makers, takers)
            }
            _need(complete and pairs, "not just the makers of {} are paired with its takers", place)
            for t in map(table.__getitem__, makers):
                once = t.produce[place] == 1 and place not in t.consume
                _need(once, "{} puts not just one token on {}", t.id, place)
            for t in map(table.__getitem__, takers):
                free = t.consume == Marking(place) and not (t.read or t.inhibitor or t.reset)
                _need(free, "{} waits for more than a token on {}, or resets", t.id, place)
                fits = t.produce and not any(map(looked_at, t.produce))
                _need(fits, "{} puts nothing, or where somebody looks at it", t.id)
            gone = {name: take(name) for name in (*makers, *takers)}
            for (maker, taker), name in pairs.items():
                if name in table or name in claim.net:
                    raise FormatError(f"{name} is in use; give what is fused another number")
                produce = gone[maker].produce.without([place]) + gone[taker].produce
                put(replace(gone[maker], id=name, produce=produce))
            del near[place]
        elif "drop_place" in step:
            place, other = inner(step, "drop_place"), inner(step, "like")
            around = near[place] | near[other]
            for t in map(table.__getitem__, around):
                same = t.consume[place] == t.consume[other] and t.produce[place] == t.produce[other]
                _need(place != other and same, "{} tells {} from {}", t.id, place, other)
            for t in map(take, around):
                consume, produce = t.consume.without([place]), t.produce.without([place])
                put(replace(t, consume=consume, produce=produce))
            del near[place]
        else:
            way = "like" if "like" in step else "beside"
            t, u = table[pick(step, "drop", table)], table[pick(step, way, table)]
            if way == "like":
                fits = replace(t, id=u.id) == u
            else:
                idle = t.consume == t.produce and len(t.consume) == 1 and t.consume == u.consume
                fits = idle and not any(v.read or v.inhibitor or v.reset for v in (t, u))
            _need(t is not u and fits, "{} may not be dropped {} {}", t.id, way, u.id)
            take(t.id)
    places = tuple(p for p in claim.net.places if p.id in near)
    ends = Marking(claim.source), Marking(claim.sink)
    net = Net(claim.net.name, places, tuple(table.values()), *ends, claim.net.form)
    return replace(claim, net=net)


# -- arithmetic -----------------------------------------------------------------------------------


def _effects(claim: _Claim) -> Effects:
    """What each transition of N* changes, if N is an extended free-choice workflow net."""
    net, source, sink = claim.net, claim.source, claim.sink
    _lacks(net, "read", "inhibitor", "reset")
    for t in net.transitions:
        _need(all(n == 1 for _, _, n in t.arcs()), "{} has an arc of another weight than 1", t.id)
    for p, ts in net.consumers.items():
        _need(len({t.consume for t in ts}) < 2, "the choice at {} is not free", p)
    open_ = source != sink and not net.producers[source] and not net.consumers[sink]
    _need(open_, "the source is entered, or the sink left")
    ways = (source, net.consumers, "produce"), (sink, net.producers, "consume")
    for start, nexts, way in ways:
        seen, todo = {start}, [start]
        for p in todo:
            for t in nexts[p]:
                new = [q for q in getattr(t, way) if q not in seen]
                seen |= {t.id, *new}
                todo += new
        whole = len(seen) == len(net.places) + len(net.transitions)
        _need(whole, "not all is on a path from source to sink")
    effects = {
        t.id: {p: n for p in {*t.consume, *t.produce} if (n := t.produce[p] - t.consume[p])}
        for t in net.transitions
    }
    return effects | {"": {source: 1, sink: -1}}


def _clusters(claim: _Claim) -> int:
    """As many as sets of input places: in a free-choice net those of a cluster are the same."""
    return len({t.consume for t in claim.net.transitions}) + 1


def _transposed(effects: Effects) -> Effects:
    rows: Effects = {}
    for name, effect in effects.items():
        for p, n in effect.items():
            rows.setdefault(p, {})[name] = n
    return rows


def _dot(a: Mapping[str, int], b: Mapping[str, int]) -> int:
    return sum(n * b[p] for p, n in a.items() if p in b)


def _rank(effects: Effects) -> int:
    """Gauss in whole numbers; a short row and a rare column first, to keep the others short."""
    rows = dict(effects)
    where = {p: set(row) for p, row in _transposed(effects).items()}
    rank = 0
    while rows:
        name = min(rows, key=lambda name: len(rows[name]))
        pivot = rows.pop(name)
        for p in pivot:
            where[p].discard(name)
        if pivot:
            rank += 1
            column = min(pivot, key=lambda p: len(where[p]))
        for other in list(where[column]) if pivot else ():
            row, a, b = rows[other], pivot[column], rows[other][column]
            mixed = {p: a * row.get(p, 0) - b * pivot.get(p, 0) for p in {*row, *pivot}}
            divisor = gcd(*mixed.values()) or 1
            rows[other] = {p: n // divisor for p, n in mixed.items() if n}
            for p in {*row, *pivot}:
                (where[p].add if p in rows[other] else where[p].discard)(other)
    return rank


# -- reading --------------------------------------------------------------------------------------


def _need(holds: object, text: str, *things: Json) -> None:
    if not holds:
        raise _Wrong(text.format(*map(_told, things)))


def _told(thing: Json) -> str:
    """In few words; what may be large or deep is only named."""
    if isinstance(thing, int) and thing.bit_length() > 10_000:
        return "a huge number"
    known = isinstance(thing, Marking | str | int | float | None)
    text = str(thing) if isinstance(thing, Marking) else repr(thing) if known else str(type(thing))
    return text if len(text) < 300 else text[:300] + "…"


def _is(value: Json, *types: type) -> Json:
    wrong = isinstance(value, bool) or (isinstance(value, int) and value.bit_length() > 10_000)
    if wrong or not isinstance(value, types):
        wanted = " or ".join(t.__name__ for t in types)
        raise FormatError(f"the certificate has {_told(value)} where it needs {wanted}")
    return value


def _get(holder: Json, key: str, *types: type) -> Json:
    if not isinstance(holder, Mapping) or key not in holder:
        raise FormatError(f"the certificate has {_told(holder)} where it needs {key!r}")
    return _is(holder[key], *types)


def _names(values: Iterable[Json], known: Container[str]) -> list[str]:
    """Names that the net must know; a transition that a reduction made has a number."""
    names = [str(_is(value, *NAME)) for value in values]
    for name in names:
        _need(name in known, "the net has no {}", name)
    return names


def _vector(values: Mapping[Json, Json], known: Container[str]) -> dict[str, int]:
    numbers = [_is(n, int) for n in values.values()]
    return dict(zip(_names(values, known), numbers, strict=True))


def _marking(claim: _Claim, value: Json) -> Marking:
    tokens = _vector(_is(value, *OBJECT), claim.net.producers)
    if min(tokens.values(), default=1) < 1:
        raise FormatError("a marking has one token or more on each place that it names")
    return Marking(tokens)


def _states(claim: _Claim, proof: Json, key: str) -> set[Marking]:
    return {_marking(claim, value) for value in _get(proof, key, *MANY)}


def _closed(net: Net, states: set[Marking]) -> None:
    for here in states:
        for t in enabled(net, here):
            _need(fire(t, here, net) in states, "{} leads from {} to none listed", t.id, here)


def _after(claim: _Claim, begin: Marking, proof: Json, key: str) -> Marking:
    names = _names(_get(proof, key, *MANY), {t.id for t in claim.net.transitions})
    *_, last = replay(claim.net, names, begin)
    return last


def _needs(t: Transition) -> Marking:
    return Marking({p: max(t.consume[p], t.read[p]) for p in (*t.consume, *t.read)})


def _lacks(net: Net, *kinds: str) -> None:
    for t in net.transitions:
        plain = t.join == "and" and not any(getattr(t, kind) for kind in kinds)
        _need(plain, "{} has arcs that this proof does not allow, or is an OR-join", t.id)


CHECKS: dict[str, dict[str, Callable[[_Claim, Json], None]]] = {
    "unsound": {
        "deadlock": _deadlock,
        "improper-completion": _improper,
        "unbounded": _unbounded,
        "livelock": _trapped,
        "no-option": _trapped,
        "dead-transitions": _dead,
        "free-choice-fails": _not_free_choice,
    },
    "sound": {
        "states": _all_states,
        "stubborn": _stubborn,
        "free-choice": _free_choice,
        "blocks": _blocks,
    },
    "unknown": {},
}
