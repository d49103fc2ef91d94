"""`simulate` as a user meets it: seeds, workers, notes, calendars, what is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from petriflow import Net, Workflow
from petriflow.net.errors import DefinitionError, SimulationError, SimulationNote
from petriflow.patterns import exclusive_choice, sequence, structured_loop, when
from petriflow.simulation import (
    Pool,
    Timing,
    at,
    compare,
    every,
    exponential,
    plot_comparison,
    plot_cycle_times,
    plot_queues,
    plot_utilisation,
    poisson,
    simulate,
    sweep,
)
from petriflow.simulation import replication as replication_module
from petriflow.simulation.run import Run
from petriflow.simulation.statistics import batch_means, estimate, mser5


def serve(case): ...


def pay(case): ...


def desk(rate: float, **more: Any) -> Workflow:
    timing = Timing(
        {"serve": exponential(1)}, poisson(rate), resources={"clerk": 1}, needs={"serve": "clerk"}
    )
    return Workflow("desk", serve, timing=timing.but(**more))


@pytest.mark.promise("SIM-4")
def test_the_same_seed_gives_the_same_result_bit_for_bit() -> None:
    one, two = (desk(0.8).simulate(cases=500, replications=3, seed=5) for _ in range(2))
    assert one.to_json() == two.to_json()
    assert one.cases.equals(two.cases)
    other = desk(0.8).simulate(cases=500, replications=3, seed=6)
    assert not other.cases.equals(one.cases)
    unseeded = desk(0.8).simulate(cases=50)
    again = desk(0.8).simulate(cases=50, seed=unseeded.seed)
    assert again.cases.equals(unseeded.cases)


@pytest.mark.slow
@pytest.mark.promise("SIM-4")
def test_neither_workers_nor_the_compiled_form_change_the_result(monkeypatch) -> None:
    plain = desk(0.8).simulate(cases=2_000, replications=4, seed=5, workers=1)
    go = Run.go

    def compiled(run: Run, progress: Any = None) -> Any:
        run.compile()
        return go(run, progress)

    monkeypatch.setattr(Run, "go", compiled)
    for workers in (1, 4):
        made = desk(0.8).simulate(cases=2_000, replications=4, seed=5, workers=workers)
        assert made.cases.equals(plain.cases)
        assert [f.compiled for f in made.figures] == [True] * 4


def test_a_replication_does_not_depend_on_how_many_there_are() -> None:
    few = desk(0.8).simulate(cases=200, replications=2, seed=5)
    many = desk(0.8).simulate(cases=200, replications=4, seed=5)
    assert few.cases.equals(many.cases[many.cases["replication"] < 2])


def test_replications_go_on_until_the_precision_is_met() -> None:
    result = desk(0.5).simulate(cases=300, replications=3, precision=0.04, seed=1)
    assert result.precision <= 0.04
    assert len(result.figures) > 3


@pytest.mark.promise("SIM-5")
def test_a_queue_that_only_grows_is_told_with_its_reason() -> None:
    with pytest.warns(SimulationNote, match=r"'clerk' is asked for 1\.\d+ times what it can do"):
        result = desk(1.3).simulate(cases=3_000, seed=1)
    assert "wait at 'desk'" in str(result)
    assert desk(0.8).simulate(cases=3_000, seed=1).notes == ()


@pytest.mark.promise("SIM-5")
def test_growth_without_bound_is_stopped() -> None:
    with pytest.raises(SimulationError, match=r"1,001 cases are in progress .*'clerk' is asked"):
        desk(2).simulate(until=1e9, most_in_progress=1_000, seed=1)
    net = Net.build("n").places("q").transition("fill", (), {"q": 3_000_000}).done()
    with pytest.raises(SimulationError, match=r"'q' holds .* tokens"):
        simulate(net, Timing({"fill": 1}), until=1e9, seed=1)


@pytest.mark.promise("SIM-5")
def test_a_circle_that_takes_no_time_is_stopped(monkeypatch) -> None:
    monkeypatch.setattr("petriflow.simulation.kernel.MOST_AT_ONCE", 1_000)
    flow = Workflow("w", pay >> structured_loop(serve, until="x", name="loop"))
    with pytest.raises(SimulationError, match=r"at one instant.*give some step"):
        flow.simulate(Timing({"pay": 1, "serve": 0}, choices={"loop": {"leave": 0}}), seed=1)


def test_a_case_that_gets_stuck_is_counted_and_told() -> None:
    net = (
        Net.build("stuck").places("i", "a", "b", "o")
        .silent("left", "i", "a").silent("right", "i", "b").transition("join", ["a", "b"], "o")
        .done()
    )  # fmt: skip
    with pytest.warns(SimulationNote, match="20 cases got stuck"):
        simulate(net, Timing({"join": 1}), cases=20, seed=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cases": 0}, "cases=0"),
        ({"replications": 0}, "replications=0"),
        ({"warmup": 20}, "leaves none of 20"),
        ({"warmup": -1}, "warmup=-1"),
        ({"precision": 0.1}, "replications=2"),
        ({"precision": -0.1, "replications": 2}, "above 0"),
        ({"until": "soon"}, "until"),
        ({"duration": {}}, "no 'duration'"),
        ({"arrivals": every(0)}, "endlessly many"),
        ({"arrivals": poisson(0)}, "no case ever comes"),
        ({"arrivals": poisson(-1)}, "above 0"),
        ({"arrivals": at([])}, "no time"),
        ({"arrivals": at([-1])}, "no duration"),
        ({"arrivals": every("1h", during="noon")}, "no calendar"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options, message) -> None:
    with pytest.raises(DefinitionError, match=message):
        desk(0.5).simulate(**{"cases": 20, **options})


def test_a_net_without_cases_needs_an_end() -> None:
    net = Net.build("n").place("p", 1).places("q").transition("t", "p", "q").done()
    with pytest.raises(DefinitionError, match="say until="):
        simulate(net, Timing({"t": 1}))
    result = simulate(net, Timing({"t": 1}), until=4, seed=1)
    assert result.places["mean"].tolist() == [0.25, 0.75]
    with pytest.raises(DefinitionError, match="look at places"):
        _ = result.cycle_time


# Mistakes of others, and that they are not made here.


def test_a_day_of_a_case_an_hour_is_24_cases() -> None:
    """Arrivals, completions and the end fall on the same instants."""
    flow = desk(1, arrivals=every("1h"), durations={"serve": "1h"}, unit="h")
    result = flow.simulate(until="1d", seed=1)
    assert len(result.cases) == 24
    assert result.cases["wait"].max() == 0
    assert result.resources.loc["clerk", "utilisation"] == 1


@pytest.mark.parametrize("arrivals", [every("1h", during="mon-fri 9-17"),
                                      poisson({"mon-fri 9-17": 2}, per="1h")])  # fmt: skip
def test_no_case_comes_outside_its_hours_not_even_the_first(arrivals) -> None:
    flow = desk(1, arrivals=arrivals, durations={"serve": "5m"}, unit="h")
    begin = flow.simulate(cases=300, seed=1).cases["begin"].to_numpy()
    assert np.all((begin % 24 >= 9) & (begin % 24 <= 17) & (begin % 168 < 120))
    assert begin[0] >= 9


def test_closed_hours_are_not_counted_as_idle() -> None:
    clerk = Pool(1, hours="daily 9-17")
    flow = desk(1, arrivals=every("1h", during="daily 9-17"), durations={"serve": "30m"},
                resources={"clerk": clerk}, unit="h")  # fmt: skip
    row = flow.simulate(until="7d", seed=1).resources.loc["clerk"]
    assert row["utilisation"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("when_closed", "end", "overtime"), [("pause", 24 + 10, 0), ("finish", 18, 1)]
)
def test_work_rests_at_closing_time_or_is_finished(when_closed, end, overtime) -> None:
    clerk = Pool(1, hours="daily 9-17", when_closed=when_closed)
    flow = desk(1, arrivals=at(["16h"]), durations={"serve": "2h"}, resources={"clerk": clerk},
                unit="h")  # fmt: skip
    result = flow.simulate(seed=1)
    assert result.cases["end"].tolist() == [end]
    assert result.resources.loc["clerk", "overtime"] == overtime


def test_a_case_with_priority_that_has_not_come_yet_blocks_nobody() -> None:
    body = exclusive_choice(when("urgent", pay), otherwise=serve, name="kind")
    timing = Timing(
        {"begin": 0, "pay": 1, "serve": 1}, at([0, 5]),
        variables={"urgent": lambda rng: False}, resources={"clerk": 1},
        needs={"serve": "clerk", "pay": "clerk"}, priorities={"pay": 9},
    )  # fmt: skip

    def begin(case): ...

    result = Workflow("w", begin >> body).simulate(timing, seed=1)
    assert result.cases["end"].tolist() == [1, 6]


def test_guards_are_asked_with_sampled_variables() -> None:
    body = exclusive_choice(when("total > 100", pay), otherwise=serve, name="how")
    again = structured_loop(body, until="done", name="again")
    timing = Timing(
        {"pay": 5, "serve": 1},
        variables={"total": {50: 0.75, 500: 0.25}},
        outcomes={"pay": {"done": True}, "serve": {"done": {True: 0.5, False: 0.5}}},
    )
    tasks = Workflow("w", sequence(again)).simulate(timing, cases=4_000, seed=1).tasks
    assert tasks.loc["pay", "per case"] == pytest.approx(0.25, abs=0.03)
    assert tasks.loc["serve", "per case"] == pytest.approx(1.5, abs=0.08)


def test_costs_are_those_of_tasks_and_of_the_time_of_people() -> None:
    flow = desk(1, arrivals=every(10), durations={"serve": 3}, costs={"serve": 1.5},
                resources={"clerk": Pool(1, cost=2)})  # fmt: skip
    assert flow.simulate(cases=5, seed=1).cost.mean == 1.5 + 2 * 3


def test_what_one_more_clerk_changes_is_seen_against_the_same_luck() -> None:
    now = desk(0.8).simulate(cases=400, replications=6, seed=1)
    more = desk(0.8).simulate(cases=400, replications=6, seed=1, resources={"clerk": 2})
    table = compare(now=now, more=more)
    row = table.loc[("more", "waiting time")]
    assert row["sure"]
    assert row["change"] < 0
    # the work itself is the same, to the last bit
    assert now.cases["work"].sum() == pytest.approx(more.cases["work"].sum())
    with pytest.raises(DefinitionError, match="same luck"):
        compare(now=now, more=desk(0.8).simulate(cases=400, replications=6, seed=2))


def test_a_sweep_has_a_row_for_each_combination() -> None:
    table = sweep(
        lambda clerks, rate: desk(rate).simulate(cases=200, seed=1, resources={"clerk": clerks}),
        clerks=[1, 2, 3],
        rate=[0.5, 0.7],
    )
    assert table.index.names == ["clerks", "rate"]
    waits = table["waiting time"].unstack("clerks")
    assert (waits[1] > waits[2]).all()
    assert (waits[2] >= waits[3]).all()


def test_a_log_has_every_task_once() -> None:
    result = desk(0.5).simulate(cases=50, seed=1)
    log = result.log()
    assert log["task"].tolist() == ["desk"] * len(log)
    counted = log[log["case"] < 50]
    assert counted["begin"].sub(counted["asked"]).sum() == pytest.approx(result.cases["wait"].sum())


def test_a_run_without_any_end_says_so_in_its_figures() -> None:
    result = desk(0.5, arrivals=at([5])).simulate(until=1, seed=1)
    assert len(result.cases) == 0
    assert math.isnan(result.cycle_time.mean)


def test_results_are_drawn() -> None:
    """Without a window, and as what was measured: the curve of the queue is that of the log."""
    result = desk(0.9).simulate(cases=300, seed=1)
    assert "s of waiting" in result.heat().svg()
    for plot in (plot_cycle_times, plot_utilisation, plot_queues):
        (axes,) = plot(result).axes
        assert axes.get_title().startswith("desk: ")
    log = result.log()
    (curve,) = plot_queues(result).axes[0].lines
    for moment, level in list(zip(*curve.get_data(), strict=True))[:-1:20]:
        assert level == ((log["asked"] <= moment) & (log["begin"] > moment)).sum()
    (axes,) = plot_comparison(now=result, then=desk(0.5).simulate(cases=300, seed=1)).axes
    assert axes.patches[0].get_height() == result.cycle_time.mean


def test_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    assert 925 <= sum(0 in estimate(rng.standard_normal(10)) for _ in range(1_000)) <= 970
    noise = rng.standard_normal((300, 4_000))
    series = np.empty_like(noise)
    series[:, 0] = noise[:, 0]
    for n in range(1, 4_000):  # it remembers its past
        series[:, n] = 0.7 * series[:, n - 1] + noise[:, n]
    assert 270 <= sum(0 in batch_means(row) for row in series) <= 297


def test_the_warm_up_ends_where_the_trend_does() -> None:
    rng = np.random.default_rng(1)
    series = np.concatenate([np.linspace(50, 0, 200), np.zeros(1_800)]) + rng.normal(0, 3, 2_000)
    assert 150 <= mser5(series) <= 260
    assert mser5([1, 2, 3]) == 0


def test_the_command_prints_figures_or_json(tmp_path) -> None:
    from typer.testing import CliRunner

    from petriflow.cli import app

    log = tmp_path / "log.csv"
    args = ["simulate", "models/order.py", "--cases", "30", "--seed", "1"]
    told = CliRunner().invoke(app, [*args, "--json", "--log", str(log)])
    assert told.exit_code == 0
    data = json.loads(told.stdout)
    assert data["cases"] == 30
    assert set(data["resources"]) == {"clerk", "packer"}
    assert log.read_text().startswith("case,task,asked,begin,end,resource\n")
    assert "cycle time" in CliRunner().invoke(app, args).stdout


def test_more_workers_than_replications_are_no_harm() -> None:
    assert replication_module._cores() >= 1
    assert len(desk(0.5).simulate(cases=20, replications=2, workers=9, seed=1).figures) == 2
