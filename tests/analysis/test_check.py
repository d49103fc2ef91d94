"""What the checker accepts is so, and what is so it accepts: both against brute force."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petriflow.analysis.checking.check import Checked, check_certificate
from petriflow.net import Marking, Net, enabled, fire
from petriflow.net.errors import FormatError, WorkflowNetError

from ..nets import nets
from .certificates import (
    Graph,
    accepts,
    bent,
    certificate,
    check,
    distances,
    ended,
    honest,
    judged,
    mutations,
    play,
    seeds,
    some_mutations,
    stubborn_set,
    stubborn_states,
    verdict_of,
)


def says_the_truth(net: Net, graph: Graph, k: int, proof: dict[str, Any]) -> bool:
    """Whether what a proof claims of states and traces is so, looked up in the whole graph."""
    begin, end = Marking({net.source.id: k}), Marking({net.sink.id: k})
    here: Marking | None = begin
    for id in proof.get("trace", []):
        here = next((after for t, after in graph[here] if t == id), None)
        if here is None:
            return False
    far = distances(graph, end)
    match proof["kind"]:
        case "deadlock":
            return not graph[here] and here != end
        case "improper-completion":
            return end < here
        case "no-option" | "livelock":
            return here not in far
        case "dead-transitions":
            return not {t for fs in graph.values() for t, _ in fs} & {*proof["transitions"]}
        case "states":
            told = {Marking(m): d for m, d in proof["states"]}
            return told.keys() == graph.keys() and all(
                d == 0 if m == end else min(told[a] for _, a in graph[m]) < d
                for m, d in told.items()
            )
    return (
        verdict_of(net, graph, k) == "sound"
        and {Marking(m) for m, *_ in proof["states"]} <= graph.keys()
    )


@pytest.mark.promise("VERIFY-11")
@settings(max_examples=100, deadline=None)
@given(judged())
def test_every_proof_by_definition_is_accepted(case: tuple[Net, int, Graph]) -> None:
    net, k, graph = case
    for verdict, proof in honest(net, graph, k):
        checked = check(net, verdict, proof, k)
        assert checked.ok, (checked, proof)
        assert f"is {verdict}" in checked.sentence
        assert proof["kind"] in checked.sentence
        other = {"sound": "unsound", "unsound": "sound"}[verdict]
        assert check(net, other, proof, k).holds == "no"


@pytest.mark.promise("VERIFY-11")
@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(judged(), seeds)
def test_a_changed_proof_is_refused_unless_it_is_as_true(
    case: tuple[Net, int, Graph], rng: random.Random
) -> None:
    net, k, graph = case
    for verdict, proof in honest(net, graph, k):
        for changed in some_mutations(net, proof, rng, 25):
            if accepts(net, verdict, changed, k):
                assert says_the_truth(net, graph, k, changed), changed


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(judged())
def test_no_state_may_be_left_out(case: tuple[Net, int, Graph]) -> None:
    net, k, graph = case
    for verdict, proof in honest(net, graph, k):
        for n in range(len(proof.get("states", ()))):
            fewer = proof["states"][:n] + proof["states"][n + 1 :]
            assert check(net, verdict, proof | {"states": fewer}, k).holds == "no"


@pytest.mark.promise("VERIFY-11")
@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(judged(), seeds)
def test_no_proof_of_a_like_net_proves_the_wrong_verdict(
    case: tuple[Net, int, Graph], rng: random.Random
) -> None:
    """A proof about a net that differs by an arc or two, itself changed up to three times."""
    net, k, graph = case
    right = verdict_of(net, graph, k)
    for _ in range(12):
        other = bent(net, rng)
        if other.transitions and rng.random() < 0.5:
            other = bent(other, rng)
        played = play(other, k)
        if played is None or verdict_of(other, played, k) == right:
            continue
        for verdict, proof in honest(other, played, k):
            for _ in range(4):
                assert not accepts(net, verdict, proof, k), (right, proof)
                (proof,) = some_mutations(net, proof, rng, 1) or [proof]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(judged(), seeds)
def test_nothing_shows_that_a_transition_is_dead_which_is_not(
    case: tuple[Net, int, Graph], rng: random.Random
) -> None:
    net, k, graph = case
    places = [p.id for p in net.places]
    for id in {t for firings in graph.values() for t, _ in firings}:
        t = net.transition(id)
        least = {p: max(t.consume[p], t.read[p]) for p in (*t.consume, *t.read)}
        for _ in range(15):
            some = rng.sample(places, rng.randint(1, len(places)))
            upward = [least, {p: rng.randint(1, 2) for p in some}]
            for proof in (
                {"weights": {p: rng.randint(1, 3) for p in some}},
                {"upward": upward[: rng.randint(0, 2)]},
                {"states": [dict(m) for m in rng.sample(list(graph), rng.randint(0, len(graph)))]},
            ):
                dead = proof | {"kind": "dead-transitions", "transitions": [id]}
                assert not accepts(net, "unsound", dead, k), dead


@settings(max_examples=100, deadline=None)
@given(nets(plain=True))
def test_a_pump_is_accepted_where_more_is_reached_and_nothing_else_is(net: Net) -> None:
    begin = net.initial_marking
    way: dict[Marking, list[str]] = {begin: []}
    todo = [begin]
    for here in todo[:60]:
        for t in enabled(net, here):
            after = fire(t, here)
            trace = [*way[here], t.id]
            for n in range(len(trace)):
                proof = {"kind": "unbounded", "trace": trace[:n], "pump": trace[n:]}
                before = begin
                for id in trace[:n]:
                    before = fire(net.transition(id), before)
                assert accepts(net, "unsound", proof) == (before < after)
            if after not in way:
                way[after] = trace
                todo.append(after)


def test_a_pump_proves_nothing_where_tokens_can_vanish_or_disable() -> None:
    net = Net.build("pump").places("i", "p", "o").transition("more", "i", {"i": 1, "p": 1})
    net = ended(net.transition("end", "i", "o", reset="p").done())
    proof = {"kind": "unbounded", "trace": [], "pump": ["more"]}
    assert check(net, "unsound", proof).holds == "no"
    plain = replace(net, transitions=net.transitions[:1])
    assert check(plain, "unsound", proof | {"pump": []}).holds == "no"


def test_a_state_that_is_not_reached_enlivens_nothing() -> None:
    net = (
        Net.build("dead").places("i", "p", "o").transition("t", "i", "o").transition("d", "p", "o")
    )
    net = ended(net.done())
    states: list[Any] = [[{"i": 1}, 1], [{"p": 1}, 1], [{"o": 1}, 0]]
    assert "not reached" in check(net, "sound", {"kind": "states", "states": states}).sentence
    sets = [[*states[0], ["t"]], [*states[1], ["d"]], [*states[2], []]]
    assert "not reached" in check(net, "sound", {"kind": "stubborn", "states": sets}).sentence


def test_a_stubborn_proof_sees_what_vanishes_beside_the_end() -> None:
    """Each transition produces, and every state leads to the end: but more than it is reached."""
    net = Net.build("beside").places("i", "p", "q", "o").transition("split", "i", ["p", "q"])
    net = net.transition("done", "p", "o").transition("clean", ["q", "o"], "o")
    net = ended(net.done())
    graph = play(net)
    assert graph is not None
    assert verdict_of(net, graph) == "unsound"
    states = stubborn_states(net, Marking("i"), Marking("o"))
    assert not accepts(net, "sound", {"kind": "stubborn", "states": states})


def test_more_than_the_end_is_a_fault_though_it_leads_to_the_end() -> None:
    net = Net.build("beside").places("i", "q", "o").transition("split", "i", ["o", "q"])
    net = ended(net.transition("clean", ["q", "o"], "o").done())
    states = [[{"i": 1}, 2], [{"o": 1, "q": 1}, 1], [{"o": 1}, 0]]
    assert "more than the end" in check(net, "sound", {"kind": "states", "states": states}).sentence


@pytest.mark.parametrize("kind", ["reset", "inhibitor"])
def test_stubborn_sets_do_not_see_resets_and_inhibitors(kind: str) -> None:
    """`b` before `a` goes well; `a` before `b` does not."""
    net = (
        Net.build("order").places("i", "p", "q", "r", "s", "o").transition("split", "i", ["p", "r"])
    )
    net = net.transition("a", "p", "q").transition("b", "r", "s", **{kind: ["q"]})
    net = ended(net.transition("join", ["q", "s"], "o").done())
    graph = play(net)
    assert graph is not None
    assert verdict_of(net, graph) == "unsound"
    states: list[Any] = [[{"i": 1}, 4, ["split"]], [{"p": 1, "r": 1}, 3, ["b"]]]
    states += [[{"p": 1, "s": 1}, 2, ["a"]], [{"q": 1, "s": 1}, 1, ["join"]], [{"o": 1}, 0, []]]
    proof = {"kind": "stubborn", "states": states}
    assert "does not allow" in check(net, "sound", proof).sentence


def test_an_or_join_takes_less_than_weights_and_coverings_think() -> None:
    net = Net.build("or").places("i", "p", "q", "r", "s", "o").silent("begin", "i", "p")
    net = net.silent("join", ["p", "q"], ["r", "s"], join="or").silent("end", ["r", "s"], "o")
    net = ended(net.done())
    graph = play(net)
    assert graph is not None
    assert any(t == "end" for firings in graph.values() for t, _ in firings)
    dead = {"kind": "dead-transitions", "transitions": ["end"]}
    weights = {"weights": dict.fromkeys("ipqrs", 1)}
    upward = {"upward": [{"r": 1, "s": 1}, {"p": 1, "q": 1}, {"i": 1, "q": 1}]}
    for proof in (dead | weights, dead | upward):
        assert "OR-join" in check(net, "unsound", proof).sentence


def test_a_stubborn_proof_sees_what_vanishes_without_a_trace() -> None:
    """The reduced space does not meet the end with something beside it; the full one does."""
    net = Net.build("beside").places("i", "p", "q", "o").transition("split", "i", ["p", "q"])
    clean = net.transition("done", "p", "o").transition("clean", "q", []).done()
    states: list[Any] = [[{"i": 1}, 3, ["split"]], [{"p": 1, "q": 1}, 2, ["clean"]]]
    states += [[{"p": 1}, 1, ["done"]], [{"o": 1}, 0, []]]
    proof: dict[str, Any] = {"kind": "stubborn", "states": states}
    assert "leftovers" in check(ended(clean), "sound", proof).sentence
    kept = replace(clean.transition("clean"), consume=Marking(["q", "o"]), produce=Marking("o"))
    kept_net = replace(clean, transitions=(*clean.transitions[:2], kept))
    steps: list[tuple[dict[str, int], list[str]]] = [
        ({"i": 2}, ["split"]), ({"i": 1, "p": 1, "q": 1}, ["split"]), ({"p": 2, "q": 2}, ["done"]),
        ({"p": 1, "q": 2, "o": 1}, ["clean"]), ({"p": 1, "q": 1, "o": 1}, ["clean"]),
        ({"p": 1, "o": 1}, ["done"]), ({"o": 2}, []),
    ]  # fmt: skip
    states = [[marking, 6 - n, names] for n, (marking, names) in enumerate(steps)]
    proof = {"kind": "stubborn", "states": states}
    graph = play(ended(kept_net), 2)
    assert graph is not None
    assert verdict_of(ended(kept_net), graph, 2) == "unsound"
    assert "leftovers" in check(ended(kept_net), "sound", proof, 2).sentence


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(judged(), seeds)
def test_no_listing_shows_that_an_unsound_net_is_sound(
    case: tuple[Net, int, Graph], rng: random.Random
) -> None:
    """All states or those of some sets, the distances right where there are any."""
    net, k, graph = case
    if verdict_of(net, graph, k) == "sound":
        return
    far = distances(graph, Marking({net.sink.id: k}))
    for _ in range(15):
        chosen: dict[Marking, set[str]] = {}
        todo = [Marking({net.source.id: k})]
        for here in todo:
            able = enabled(net, here)
            chosen[here] = {t.id for t in able}
            if able and rng.random() < 0.8:
                chosen[here] = rng.choice([{able[0].id}, stubborn_set(net, here, rng.choice(able))])
            afters = [fire(t, here) for t in able if t.id in chosen[here]]
            todo += [after for after in {*afters} if after not in chosen and after not in todo]
        sets = [[dict(m), far.get(m, 99), sorted(names)] for m, names in chosen.items()]
        assert not accepts(net, "sound", {"kind": "stubborn", "states": sets}, k)
        fewer = [[dict(m), far.get(m, 99)] for m in graph if m in chosen or rng.random() < 0.5]
        assert not accepts(net, "sound", {"kind": "states", "states": fewer}, k)
    listed = [[dict(m), far.get(m, 99)] for m in graph]
    assert not accepts(net, "sound", {"kind": "states", "states": listed}, k)


@pytest.mark.parametrize(
    ("name", "set_", "why"),
    [("rival", ["a"], "leaves out a rival"), ("helper", ["join", "a"], "could enable")],
)
def test_a_set_that_is_not_stubborn_is_refused(name: str, set_: list[str], why: str) -> None:
    net = Net.build(name).places("i", "j", "p", "q", "o").transition("go", "i", ["p", "j"])
    net = (
        net.transition("a", "p", "q").transition("b", "p", "q").transition("join", ["q", "j"], "o")
    )
    net = net.transition("a2", "j", "q").done()
    first = [[{"i": 1}, 3, ["go"]], [{"p": 1, "j": 1}, 2, set_]]
    if name == "helper":  # without the other one, `a` has no rival
        net = replace(net, transitions=tuple(t for t in net.transitions if t.id != "b"))
    assert why in check(net, "sound", {"kind": "stubborn", "states": first}).sentence


# -- anything at all ------------------------------------------------------------------------------

DOOR = Net.build("door").places("i", "o").transition("open", "i", "o").done()
BLOCKS = {"kind": "blocks", "tree": ["i", "open", "o"]}
PROOFS: dict[str, list[dict[str, Any]]] = {
    "sound": [
        BLOCKS,
        {"kind": "states", "states": [[{"i": 1}, 1], [{"o": 1}, 0]]},
        {"kind": "stubborn", "states": [[{"i": 1}, 1, ["open"]], [{"o": 1}, 0, []]]},
        {"kind": "free-choice", "place_invariant": {"i": 1, "o": 1}}
        | {"transition_invariant": {"open": 1, "": 1}},
        {"kind": "reduction", "steps": [], "then": BLOCKS},
        {"kind": "blocks", "tree": ["i", {"choice": [["open"]]}, "o"]},
    ],
    "untrue": [
        {"kind": "blocks", "tree": [{"loop": ["i"], "redo": ["open"]}]},
        {"kind": "blocks", "tree": ["i", {"parallel": [["i"]], "split": "open", "join": "b"}, "o"]},
        {"kind": "reduction", "steps": [{"fuse": "o", "into": [["open", "open", 1]]}], "then": {}},
        {"kind": "reduction", "steps": [{"drop": "open", "like": "open"}], "then": {}},
        {"kind": "reduction", "steps": [{"drop_place": "i", "like": "o"}], "then": {}},
    ],
    "unsound": [
        {"kind": "deadlock", "trace": ["open"]},
        {"kind": "unbounded", "trace": ["open"], "pump": []},
        {"kind": "livelock", "trace": ["open"], "states": [{"o": 1}]},
        {"kind": "dead-transitions", "transitions": ["open"], "states": [{"i": 1}]},
        {"kind": "dead-transitions", "transitions": ["open"], "weights": {"i": 1}},
        {"kind": "dead-transitions", "transitions": ["open"], "upward": [{"i": 1}]},
        {"kind": "free-choice-fails", "grows": {"open": 1, "": 1}},
        {"kind": "free-choice-fails", "falls": {"i": 1}},
        {"kind": "free-choice-fails", "siphon": ["o"]},
        {"kind": "free-choice-fails", "rank": True},
    ],
}
CLAIMS = [
    ("unsound" if name == "unsound" else "sound", proof)
    for name, proofs in PROOFS.items()
    for proof in proofs
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
    | st.sampled_from(["i", "o", "open", "kind", 10**4000]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=3) | st.sampled_from(["i", "loop"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def answer(claim: Any) -> Checked:
    """What is said of the door; a format error is a refusal here."""
    try:
        return check_certificate(claim, DOOR)
    except FormatError as error:
        return Checked("no", str(error))


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of JSON data."""
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in keys:
        yield value, key
        yield from places_in(value[key])


@pytest.mark.promise("VERIFY-11")
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CLAIMS), st.data())
def test_whatever_stands_in_a_certificate_it_is_answered(case: Any, data: st.DataObject) -> None:
    """The door is sound, so that nothing proves otherwise."""
    claim = copy.deepcopy(certificate(DOOR, *case))
    for _ in range(data.draw(st.integers(1, 2))):
        holder, key = data.draw(st.sampled_from(list(places_in(claim))))
        holder[key] = data.draw(json_values)
    checked = answer(claim)
    checked.sentence.encode()
    assert len(checked.sentence) < 2_000
    if checked.ok:
        assert claim["verdict"] == "sound"


@pytest.mark.parametrize(("verdict", "proof"), CLAIMS)
def test_every_single_change_of_a_certificate_is_answered(verdict: str, proof: Any) -> None:
    for claim in mutations(certificate(DOOR, verdict, proof), ["i", "open", "reason"]):
        assert not answer(claim).ok or claim["verdict"] == "sound"


@pytest.mark.parametrize("claim", [None, [], 3, "x", {}, {"petriflow_certificate": 1}])
def test_what_is_no_certificate_is_a_format_error(claim: Any) -> None:
    with pytest.raises(FormatError, match="the certificate has"):
        check_certificate(claim, DOOR)


@pytest.mark.parametrize(
    "change",
    [
        {"petriflow_certificate": 2}, {"petriflow_certificate": True}, {"k": 0}, {"k": True},
        {"k": 1.0}, {"form": "small"}, {"verdict": "fine"}, {"proof": True}, {"proof": {}},
        {"proof": {"kind": "magic"}}, {"proof": None}, {"k": 10**4000}, {"name": 3},
    ],
)  # fmt: skip
def test_an_odd_head_is_a_format_error(change: dict[str, Any]) -> None:
    claim = certificate(DOOR, "sound", BLOCKS)
    assert check_certificate(claim, DOOR).ok
    with pytest.raises(FormatError):
        check_certificate(claim | change, DOOR)


def nested(depth: int, around: Callable[[Any], Any], value: Any) -> Any:
    for _ in range(depth):
        value = around(value)
    return value


@pytest.mark.parametrize(
    "proof",
    [
        nested(100_000, lambda v: [v], 1),
        {"kind": "states", "states": nested(100_000, lambda v: [v], 1)},
        {"kind": "states", "states": [[nested(100_000, lambda v: {"i": v}, 1), 0]]},
        {"kind": "blocks", "tree": nested(2_000, lambda v: [{"loop": v, "redo": ["a"]}], ["i"])},
        {"kind": "blocks", "tree": nested(9_000, lambda v: ["i", {"choice": [v]}, "o"], ["open"])},
        nested(1_000, lambda v: {"kind": "reduction", "steps": [], "then": v}, PROOFS["untrue"][0]),
    ],
)
def test_depth_is_no_danger(proof: Any) -> None:
    checked = answer(certificate(DOOR, "sound", proof))
    assert not checked.ok
    assert len(checked.sentence) < 2_000


# -- which net, and what cannot be checked --------------------------------------------------------


def test_a_certificate_is_about_one_net_in_one_form() -> None:
    claim = certificate(DOOR, "sound", BLOCKS)
    assert check_certificate(claim, replace(DOOR, name="gate")).holds == "no"
    assert check_certificate(claim | {"form": "expanded"}, DOOR).holds == "no"
    assert check_certificate(claim, DOOR.expanded()).holds == "no"
    wide = DOOR.expanded()
    tree = ["i", "open.start", "open.running", "open.complete", "o"]
    claim = certificate(wide, "sound", {"kind": "blocks", "tree": tree})
    assert check_certificate(claim, DOOR).ok  # it is expanded here
    assert check_certificate(claim, wide).ok
    with pytest.raises(WorkflowNetError):
        check_certificate(claim, Net.build("two").places("i", "o", "p").done())


def test_nothing_to_check_is_told_from_wrong() -> None:
    claim = certificate(DOOR, "sound", None) | {"reason": "played too long"}
    checked = check_certificate(claim, DOOR)
    assert (checked.holds, checked.sentence) == ("unknown", "not checkable: played too long")
    assert check_certificate(claim | {"verdict": "unknown"}, DOOR).holds == "unknown"
    assert check_certificate(claim | {"net": "0"}, DOOR).holds == "no"
    assert check(DOOR, "unknown", BLOCKS).holds == "unknown"


def test_an_or_join_that_cannot_be_told_is_not_checkable(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net.build("or").places("i", "p", "q", "r", "s", "o").silent("split", "i", ["r", "p"])
    net = net.silent("only", "i", "p").silent("b", "r", "s").silent("c", "s", "q")
    net = net.silent("join", ["p", "q"], "o", join="or").done()
    graph = play(net)
    assert graph is not None
    proofs = list(honest(net, graph))
    assert proofs
    assert all(check(net, verdict, proof).ok for verdict, proof in proofs)
    monkeypatch.setattr("petriflow.net.or_join.MOST_MARKINGS", 0)
    from petriflow.net.or_join import nothing_more_can_come

    nothing_more_can_come.cache_clear()
    assert {check(net, verdict, proof).holds for verdict, proof in proofs} == {"unknown"}
    nothing_more_can_come.cache_clear()


@pytest.mark.parametrize("name", PROOFS)
def test_of_a_door_that_is_sound_only_the_true_is_accepted(name: str) -> None:
    verdict = "unsound" if name == "unsound" else "sound"
    for proof in PROOFS[name]:
        checked = check(DOOR, verdict, proof)
        assert checked.ok == (name == "sound"), checked
        if not checked.ok:
            assert checked.sentence.startswith(f"it is not shown that 'door' is {verdict}")
