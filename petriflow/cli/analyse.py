"""`verify`, `explore`, `check`, `ask` and `guards`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from petriflow.cli.common import (
    AsJson,
    Close,
    FormOption,
    Memory,
    Most,
    Sink,
    Source,
    Target,
    app,
    counting,
    form_of,
    in_bytes,
    load,
    net_of,
    print_json,
    screen,
)
from petriflow.formats.target import load_target
from petriflow.net.errors import DefinitionError, FormatError
from petriflow.workflow import Workflow


@app.command()
def verify(
    target: Target,
    as_json: AsJson = False,
    form: FormOption = None,
    tokens: Annotated[
        int, typer.Option("-k", "--tokens", min=1, help="Tokens to begin with: k-soundness.")
    ] = 1,
    certificate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write what proves the verdict, for `petriflow check`, as JSON."
        ),
    ] = None,
    max_markings: Most = 1_000_000,
    max_memory: Memory = None,
    source: Source = None,
    sink: Sink = None,
    close: Close = False,
) -> None:
    """Is it **sound**? If not, what is wrong, and how a case gets there.

    Exit code 0 sound, 1 unsound, 3 unknown. Example: `petriflow verify models/order.py`
    """
    from petriflow import analysis

    model = load(target, source, sink, close)
    with counting("markings") as progress:
        report = analysis.verify(
            net_of(model),
            form=form_of(model, form),
            name=model.name,
            k=tokens,
            max_markings=max_markings,
            max_memory=in_bytes(max_memory),
            progress=progress,
        )
    if certificate is not None:
        try:
            certificate.write_text(json.dumps(report.certificate), encoding="utf-8")
        except OSError as error:
            raise DefinitionError(f"--certificate {certificate}: {error.strerror}") from None
    if as_json:
        notions = analysis.all_notions(report, max_markings=min(max_markings, 20_000))
        print_json({**report.to_json(), "notions": notions})
    else:
        style = {"sound": "green", "unsound": "red", "unknown": "yellow"}[report.verdict]
        first, *rest = str(report).split("\n")
        screen.print(first, style=f"bold {style}", markup=False, soft_wrap=True)
        for line in rest:
            screen.print(line, markup=False, soft_wrap=True)
    raise typer.Exit({"sound": 0, "unsound": 1, "unknown": 3}[report.verdict])


@app.command()
def explore(
    target: Target,
    as_json: AsJson = False,
    form: FormOption = None,
    max_markings: Most = 1_000_000,
    max_memory: Memory = None,
    source: Source = None,
    sink: Sink = None,
    close: Close = False,
) -> None:
    """How many markings can it reach? Example: `petriflow explore models/order.py`."""
    from petriflow import analysis

    model = load(target, source, sink, close)
    net = net_of(model).expanded() if form_of(model, form) == "expanded" else net_of(model)
    with counting("markings") as progress:
        space = analysis.explore(
            net,
            max_markings=max_markings,
            max_memory=in_bytes(max_memory),
            edges=False,
            progress=progress,
        )
    counts = {
        "markings": space.markings,
        "edges": space.edges,
        "deadlocks": space.deadlocks,
        "max_tokens_in_place": space.max_tokens_in_place,
        "max_tokens_per_marking": space.max_tokens_per_marking,
        "complete": space.complete,
        "seconds": round(space.seconds, 6),
    }
    if as_json:
        print_json({"name": model.name, "form": net.form, **counts})
        return
    screen.print(f"[bold]{model.name}[/] ({net.form} form)")
    for what, count in counts.items():
        said = (
            f"{count:,}" if isinstance(count, int) and not isinstance(count, bool) else str(count)
        )
        screen.print(f"  {what.replace('_', ' '):24}{said:>14}")


@app.command()
def check(
    certificate: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A certificate, as `verify --certificate FILE` writes it.",
            show_default=False,
        ),
    ],
    target: Target,
    as_json: AsJson = False,
    source: Source = None,
    sink: Sink = None,
    close: Close = False,
) -> None:
    """Does a **certificate** prove its verdict? Checked by small, slow code of its own.

    Exit code 0 it does, 1 it does not, 3 there is nothing to check.
    Example: `petriflow check order.json models/order.py`
    """
    from petriflow.analysis.checking.check import check_certificate

    try:
        claim = json.loads(certificate.read_bytes())
    except OSError as error:
        raise DefinitionError(f"{certificate}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{certificate} is no certificate, as it is no JSON: {error}") from None
    model = load(target, source, sink, close)
    checked = check_certificate(claim, net_of(model))
    if as_json:
        print_json({"name": model.name, "holds": checked.holds, "sentence": checked.sentence})
    else:
        style = {"yes": "green", "no": "red", "unknown": "yellow"}[checked.holds]
        screen.print(checked.sentence, style=f"bold {style}", markup=False, soft_wrap=True)
    raise typer.Exit({"yes": 0, "no": 1, "unknown": 3}[checked.holds])


@app.command()
def ask(
    target: Target,
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY",
            help="A question, of `EF p`: can p ever be? `AG p`: is p always so? `AF p`: must p "
            "come? `A[p U q]`: does p hold until q comes, and does q come? `mutex(a, b)`: never "
            "both? And p may be `running(task)`, `enabled(step)`, `completed`, `deadlock`, a place "
            "as in `claim.out >= 1`; with `and`, `or`, `not`, `->`. Such as `AG (running(pay) -> "
            "AF running(ship))`.",
            show_default=False,
        ),
    ],
    as_json: AsJson = False,
    form: FormOption = None,
    max_markings: Most = 1_000_000,
    source: Source = None,
    sink: Sink = None,
    close: Close = False,
) -> None:
    """Can this **happen**, must it, or never? The answer comes with a way that shows it.

    Exit code 0 yes, 1 no, 3 unknown. Example: `petriflow ask models/order.py "AF completed"`
    """
    from petriflow.analysis.queries import logic

    model = load(target, source, sink, close)
    with counting("markings") as progress:
        answer = logic.ask(
            net_of(model),
            query,
            form=form_of(model, form),
            name=model.name,
            max_markings=max_markings,
            progress=progress,
        )
    if as_json:
        print_json(answer.to_json())
    else:
        style = {"yes": "green", "no": "red", "unknown": "yellow"}[answer.verdict]
        first, *rest = str(answer).split("\n")
        screen.print(first, style=f"bold {style}", markup=False, soft_wrap=True)
        for line in rest:
            screen.print(line, markup=False, soft_wrap=True)
    raise typer.Exit({"yes": 0, "no": 1, "unknown": 3}[answer.verdict])


@app.command()
def guards(target: Target, as_json: AsJson = False) -> None:
    """Do the **guards** of each choice cover all values? Proved by z3 (`petriflow[smt]`).

    Exit code 0 always one is true, none fails and each branch can be taken; 1 not so; 3 unknown.
    Example: `petriflow guards models/loan.py`. What has no declared type (`variables=`), or is a
    function, stays unknown.
    """
    from petriflow.analysis import prove_guards

    workflow = load_target(target)
    if not isinstance(workflow, Workflow):
        raise DefinitionError(f"{workflow.name!r} is a bare net; only a Workflow has guards")
    report = prove_guards(workflow)
    if as_json:
        print_json({**report.to_json(), "answer": report.answer})
    else:
        screen.print(str(report), markup=False, soft_wrap=True)
    raise typer.Exit({"yes": 0, "no": 1, "unknown": 3}[report.answer])
