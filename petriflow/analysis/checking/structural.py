"""The proofs that look at the net and play nothing; for analysis/checking/check.py alone.

N* is the net with one more transition, named "", that leads from the sink back to the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from math import gcd

from petriflow.analysis.checking.reading import (
    MANY,
    NAME,
    OBJECT,
    Claim,
    Json,
    lacks,
    names,
    need,
    part,
    typed,
    vector,
)
from petriflow.net import Marking, Net
from petriflow.net.errors import FormatError

Rows = dict[str, dict[str, int]]


# -- free choice ----------------------------------------------------------------------------------


def free_choice(claim: Claim, proof: Json) -> None:
    """N is sound just if N* is live and bounded (van der Aalst 1997), a free-choice N just if N*
    has these invariants, this rank, and no siphon without tokens (Desel & Esparza 1995, ch. 6);
    it is then sound for every k (Ping, Hao & Jian 2004).
    """
    net, effects = claim.net, _effects(claim)
    x = vector(part(proof, "transition_invariant", *OBJECT), effects)
    y = vector(part(proof, "place_invariant", *OBJECT), net.producers)
    complete = len(x) == len(effects) and len(y) == len(net.places)
    need(complete and min(*x.values(), *y.values()) > 0, "an invariant is not positive everywhere")
    for name, row in effects.items():
        need(_dot(row, y) == 0, "{} changes the sum of the place invariant", name)
    for place, row in _transposed(effects).items():
        need(_dot(row, x) == 0, "the transition invariant changes {}", place)
    need(_rank(effects) == _clusters(claim) - 1, "the rank is not one less than the clusters")
    siphon = net.producers.keys() - {claim.source}
    todo = [t for t in net.transitions if siphon.isdisjoint(t.consume)]
    for t in todo:
        for p in siphon.intersection(t.produce):
            siphon.remove(p)
            todo += [u for u in net.consumers[p] if siphon.isdisjoint(u.consume)]
    need(not siphon, "{} is in a siphon without tokens", min(siphon, default=""))


def free_choice_fails(claim: Claim, proof: Json) -> None:
    """The same theorem: a positive invariant excludes that something `grows` or `falls` (Stiemke's
    lemma). With k > 1, let "" move k tokens: the theorem is the same (Teruel & Silva 1996).
    """
    effects, producers = _effects(claim), claim.net.producers
    match [key for key in ("grows", "falls", "siphon", "rank") if key in proof]:
        case ["siphon"]:
            siphon = {*names(part(proof, "siphon", *MANY), producers)}
            need(siphon and claim.source not in siphon, "the siphon is empty or has the source")
            for t in claim.net.transitions:
                feeds = siphon.isdisjoint(t.consume) and not siphon.isdisjoint(t.produce)
                need(not feeds, "{} puts tokens into the siphon and takes none from it", t.id)
        case ["rank"] if proof["rank"] is True:
            need(_rank(effects) != _clusters(claim) - 1, "the rank is one less than the clusters")
        case ["grows"]:
            x = vector(part(proof, "grows", *OBJECT), effects)
            sums = [_dot(row, x) for row in _transposed(effects).values()]
            need(min(sums) >= 0 and any(sums), "a place loses tokens, or none gains any")
        case ["falls"]:
            y = vector(part(proof, "falls", *OBJECT), producers)
            sums = [_dot(row, y) for row in effects.values()]
            need(min(sums) >= 0 and any(sums), "a transition lowers the sum, or none raises it")
        case _:
            raise FormatError("free-choice-fails takes grows, falls, siphon or rank: true")


def _effects(claim: Claim) -> Rows:
    """What each transition of N* changes, if N is an extended free-choice workflow net."""
    net, source, sink = claim.net, claim.source, claim.sink
    lacks(net, "read", "inhibitor", "reset")
    for t in net.transitions:
        need(all(n == 1 for _, _, n in t.arcs()), "{} has an arc of weight 2 or more", t.id)
    for p, ts in net.consumers.items():
        need(all(t.consume == ts[0].consume for t in ts), "the choice at {} is not free", p)
    inner = net.producers[source] or net.consumers[sink] or source == sink
    need(not inner, "the source is filled, or the sink emptied, by a transition")
    ways = (source, net.consumers, "produce"), (sink, net.producers, "consume")
    for start, nearest, onward in ways:
        seen, todo = {start}, [start]
        for p in todo:
            for t in nearest[p]:
                new = getattr(t, onward).keys() - seen
                seen |= {t.id, *new}
                todo += new
        complete = len(seen) == len(net.places) + len(net.transitions)
        need(complete, "not every node is on a path from source to sink")
    effects = {t.id: {p: t.produce[p] - t.consume[p] for p in {*t.consume, *t.produce}}
               for t in net.transitions}  # fmt: skip
    return effects | {"": {source: 1, sink: -1}}


def _clusters(claim: Claim) -> int:
    """In a free-choice net the transitions of a cluster are those with the same input places."""
    return len({t.consume for t in claim.net.transitions}) + 1


def _transposed(rows: Rows) -> Rows:
    columns: Rows = {}
    for name, row in rows.items():
        for p, n in row.items():
            columns.setdefault(p, {})[name] = n
    return columns


def _dot(row: Mapping[str, int], vector: Mapping[str, int]) -> int:
    return sum(n * vector.get(p, 0) for p, n in row.items())


def _rank(rows: Rows) -> int:
    """Gauss's elimination in whole numbers, short rows and rare columns first as few fill up."""
    rows = {name: {p: n for p, n in row.items() if n} for name, row in rows.items()}
    where = {p: set(column) for p, column in _transposed(rows).items()}
    rank = 0
    while rows:
        name = min(rows, key=lambda name: len(rows[name]))
        pivot = rows.pop(name)
        for p in pivot:
            where[p].remove(name)
        rank += bool(pivot)
        column = min(pivot, key=lambda p: len(where[p]), default="")
        for other in [*where[column]] if pivot else []:
            row = rows[other]
            mixed = {
                p: pivot[column] * row.get(p, 0) - row[column] * pivot.get(p, 0)
                for p in {*row, *pivot}
            }
            divisor = gcd(*mixed.values())
            rows[other] = {p: n // divisor for p, n in mixed.items() if n}
            for p in mixed:
                (where[p].add if mixed[p] else where[p].discard)(other)
    return rank


# -- blocks ---------------------------------------------------------------------------------------


def blocks(claim: Claim, proof: Json) -> None:
    """Choices, parallel paths and loops, one within the other, are sound for every k: a place may
    be refined by what is sound for every k (van Hee, Sidorova & Voorhoeve 2003).
    """
    lacks(claim.net, "read", "inhibitor", "reset")
    places: list[str] = []
    arcs: dict[str, tuple[Marking, Marking]] = {}

    def line(value: Json) -> list[Json]:
        items = list(typed(value, *MANY))
        if len(items) % 2 == 0:
            raise FormatError("in a path or a sequence spots and blocks take turns")
        return items

    def lines(block: Json, key: str) -> list[list[Json]]:
        if not (members := part(block, key, *MANY)):
            raise FormatError(f"a {key} block has members")
        return [line(member) for member in members]

    def end(spot: Json, which: int) -> str:
        while not isinstance(spot, NAME):
            spot = line(part(spot, "loop", *MANY))[which]
        return str(spot)

    def put(name: Json, consume: list[str], produce: list[str]) -> None:
        need(str(name) not in arcs, "{} occurs twice", name)
        arcs[str(name)] = Marking(consume), Marking(produce)

    tree = line(part(proof, "tree", *MANY))
    need([tree[0], tree[-1]] == [claim.source, claim.sink], "the tree goes not from source to sink")
    # A sequence is a path between two places that are told of elsewhere.
    todo = [(tree, tree[::2])]
    for path, spots in todo:
        for spot in spots:
            if isinstance(spot, NAME):
                places.append(str(spot))
                continue
            inner, redo = line(part(spot, "loop", *MANY)), line(part(spot, "redo", *MANY))
            todo += [(inner, inner[::2]), ([end(spot, -1), *redo, end(spot, 0)], redo[1::2])]
        for n, block in enumerate(path[1::2]):
            before, after = end(path[2 * n], -1), end(path[2 * n + 2], 0)
            if isinstance(block, NAME):
                put(block, [before], [after])
            elif "choice" in typed(block, *OBJECT):
                todo += [([before, *seq, after], seq[1::2]) for seq in lines(block, "choice")]
            else:
                paths = lines(block, "parallel")
                put(part(block, "split", *NAME), [before], [end(p[0], 0) for p in paths])
                put(part(block, "join", *NAME), [end(p[-1], -1) for p in paths], [after])
                todo += [(p, p[::2]) for p in paths]
    need(sorted(places) == sorted(claim.net.producers), "not every place is there just once")
    need(len(arcs) == len(claim.net.transitions), "not every transition is there just once")
    for t in claim.net.transitions:
        need(arcs.get(t.id) == (t.consume, t.produce), "the arcs of {} are not the tree's", t.id)


# -- reduction ------------------------------------------------------------------------------------


def reduced(claim: Claim, proof: Json) -> Claim:
    """The smaller net, which is sound for k just if this one is (Berthelot 1987, Murata 1989).

    fuse: each taker of the place waits for nothing else and can follow its maker at once; what it
    puts earlier disables nothing, as no inhibitor looks at it, and is lost to a reset just if it
    would have been lost on the place. So all markings without a token on the place are reached in
    both nets or in none; the others lead to such, which enable as much, and are more than the end
    if they were, as each taker puts something.
    drop: the same arcs fire alike; what changes nothing can go if another one needs the same.
    drop_place: both places have the same tokens for ever, and nobody looks at them.
    """
    net, ends = claim.net, (claim.source, claim.sink)
    lacks(net)
    table = {
        t.id: replace(t, label=None, cancels=frozenset(), origin=None) for t in net.transitions
    }
    places = {p.id: p for p in net.places}
    inhibiting = {p for t in net.transitions for p in t.inhibitor}
    kept = {p for t in net.transitions for p in t.read}.union(inhibiting, ends)
    for step in part(proof, "steps", *MANY):
        gone = None
        match [key for key in ("fuse", "drop_place", "drop") if key in typed(step, *OBJECT)]:
            case ["fuse"]:
                (place,) = names([step["fuse"]], places)
                makers = {t.id: t for t in table.values() if place in t.produce}
                takers = {t.id: t for t in table.values() if place in t.consume}
                need(place not in kept and makers and takers, "{} may not be fused away", place)
                for t in makers.values():
                    once = t.produce[place] == 1 and t.id not in takers
                    need(once, "{} puts not just one token on {}", t.id, place)
                for t in takers.values():
                    plain = t.consume == Marking(place) and not (t.read or t.inhibitor or t.reset)
                    need(plain, "{} takes not just one token from {}", t.id, place)
                    fits = t.produce and inhibiting.isdisjoint(t.produce)
                    need(fits, "{} puts nothing, or puts it where an inhibitor looks", t.id)
                    for u in (u for u in table.values() if u.reset):
                        alike = len({p in u.reset for p in (place, *t.produce)}) == 1
                        need(alike, "{} empties only a part of what {} touches", u.id, t.id)
                pairs = {}
                for item in part(step, "into", *MANY):
                    if len(typed(item, *MANY)) != 3 or (new := str(typed(item[2], int))) in net:
                        raise FormatError("a pair has maker, taker and a number that is new")
                    pairs[*names(item[:2], table),] = new
                every = pairs.keys() == {*product(makers, takers)}
                need(every, "not each maker of {} is fused with each taker", place)
                table = {id: t for id, t in table.items() if id not in makers | takers}
                for (maker, taker), new in pairs.items():
                    need(new not in table, "{} occurs twice", new)
                    produce = makers[maker].produce.without([place]) + takers[taker].produce
                    table[new] = replace(makers[maker], id=new, produce=produce)
                gone = place
            case ["drop_place"]:
                place, other = names([step["drop_place"], part(step, "like", str)], places)
                free = place != other and kept.isdisjoint((place, other))
                need(free, "{} may not be dropped for {}", place, other)
                for t in [*table.values()]:
                    consume, produce = t.consume, t.produce
                    same = all(arcs[place] == arcs[other] for arcs in (consume, produce))
                    same = same and (place in t.reset) == (other in t.reset)
                    need(same, "{} tells {} from {}", t.id, place, other)
                    if place in consume or place in produce:
                        consume, produce = consume.without([place]), produce.without([place])
                        table[t.id] = replace(t, consume=consume, produce=produce)
                gone = place
            case ["drop"]:
                way = "like" if "like" in step else "beside"
                name, other = names([step["drop"], part(step, way, *NAME)], table)
                t, u = table[name], table[other]
                if way == "like":
                    idle = replace(t, id=other) == u
                else:
                    plain = not any(v.read or v.inhibitor or v.reset for v in (t, u))
                    idle = plain and t.consume == t.produce == u.consume and len(t.consume) == 1
                need(idle and name != other, "{} may not be dropped {} {}", name, way, other)
                del table[name]
            case _:
                raise FormatError("a step of a reduction takes fuse, drop or drop_place")
        if gone is not None:
            del places[gone]
            table = {id: replace(t, reset=t.reset - {gone}) for id, t in table.items()}
    given = Marking(claim.source), Marking(claim.sink)
    small = Net(net.name, tuple(places.values()), tuple(table.values()), *given, net.form)
    return replace(claim, net=small)
