"""The OR-join: it waits for all that can come, and for nothing else."""

from __future__ import annotations

import pytest

from petriflow.analysis import verify
from petriflow.net import Marking, Net, compile_net, enabled, fire, is_enabled
from petriflow.net.errors import NetError, NotEnabled
from petriflow.net.or_join import circles

NET = (
    Net.build("n")
    .places("i", "a", "b", "p", "q", "o")
    .silent("left", "i", "a")
    .silent("both", "i", ["a", "b"])
    .transition("A", "a", "p")
    .transition("B", "b", "q")
    .silent("join", ["p", "q"], "o", join="or")
    .done()
)


@pytest.mark.promise("FIRE-5")
@pytest.mark.parametrize(
    ("tokens", "goes"),
    [(["p"], True), (["p", "b"], False), (["p", "q"], True), (["a"], False), (["q", "a"], False)],
)
def test_it_waits_for_just_what_can_come(tokens: list[str], goes: bool) -> None:
    join, marking = NET.transition("join"), Marking(tokens)
    assert is_enabled(join, marking, NET) is goes
    compiled = compile_net(NET)
    t = compiled.transition_index["join"]
    assert compiled.is_enabled(t, compiled.vector(marking)) is goes
    if goes:
        assert fire(join, marking, NET) == Marking("o")
        assert compiled.marking(compiled.fire(t, compiled.vector(marking))) == Marking("o")
        assert join in enabled(NET, marking)
    else:
        with pytest.raises(NotEnabled, match=r"more can still come|has a token"):
            fire(join, marking, NET)


def test_it_takes_one_token_of_each_marked_input() -> None:
    join = NET.transition("join")
    assert fire(join, Marking({"p": 2, "q": 1}), NET) == Marking({"p": 1, "o": 1})


def test_it_cannot_be_told_without_the_net_or_be_a_task() -> None:
    with pytest.raises(NetError, match="depends on its whole net"):
        is_enabled(NET.transition("join"), Marking("p"))
    with pytest.raises(NetError, match="'t' must be silent"):
        Net.build("x").places("i", "o").transition("t", "i", "o", join="or").done()


def test_an_or_join_is_another_net() -> None:
    plain = (
        Net.build("n")
        .places("i", "a", "b", "p", "q", "o")
        .silent("left", "i", "a")
        .silent("both", "i", ["a", "b"])
        .transition("A", "a", "p")
        .transition("B", "b", "q")
        .silent("join", ["p", "q"], "o")
        .done()
    )
    assert plain.content_hash != NET.content_hash
    assert verify(NET).verdict == "sound"
    assert verify(plain).verdict == "unsound"


def test_two_on_one_circle_are_warned_of() -> None:
    net = (
        Net.build("n")
        .places("i", "x1", "y1", "x2", "y2", "xy", "yx", "x3", "y3", "o")
        .silent("split", "i", ["x1", "y1"])
        .silent("X", ["x1", "yx"], "x2", join="or")
        .silent("Y", ["y1", "xy"], "y2", join="or")
        .silent("x_on", "x2", "x3")
        .silent("x_to_y", "x2", "xy")
        .silent("y_on", "y2", "y3")
        .silent("y_to_x", "y2", "yx")
        .silent("j", ["x3", "y3"], "o", join="or")
        .done()
    )
    assert circles(net) == [("X", "Y")]
    assert any("'X' and 'Y' lie on one circle" in w for w in verify(net).warnings)
    assert circles(NET) == []
