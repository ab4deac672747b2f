"""`budgetsim probe`: cheap curves on the labels that one owns, and what they say of dear learners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from budgetsim_cli.console import Json, Rates, Store, check_finite, print_json, print_page, read_rates, say

if TYPE_CHECKING:
    from budgetsim.labelers import Desk


def probe(
    task: Annotated[str, typer.Option("--task", help="A task with labelled rows on this machine.")],
    learner: Annotated[
        list[str] | None,
        typer.Option("--learner", help="A cheap learner; may be given again.", show_default="tfidf-lr and encoder-lr"),
    ] = None,
    labels: Annotated[int, typer.Option("--labels", min=20, max=100_000, help="Labelled rows used, at most.")] = 1500,
    llm: Annotated[
        str | None, typer.Option("--llm", help="Also an LLM's accuracy on them: chat:MODEL.", show_default=False)
    ] = None,
    llm_url: Annotated[
        str | None,
        typer.Option(
            "--llm-url",
            help="Address of the LLM's server; its key stands in OPENAI_API_KEY.",
            show_default="BUDGETSIM_LLM_URL, OPENAI_BASE_URL or OpenAI",
        ),
    ] = None,
    rates: Rates = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Teach cheap learners on the labels you own, cross-validated, and forecast every other learner from them."""
    from budgetsim.answers.evidence import ensure_store, load_evidence, task_fit
    from budgetsim.measure.probe import LEARNERS, probe_task, save_probe
    from budgetsim.measure.stagestore import default_cache
    from budgetsim.report.probe import probe_json, probe_page
    from budgetsim.store.location import locate, store_option

    paths = locate(store)
    if (paths.folder / "tasks").is_dir():
        from budgetsim.data.custom import register_custom_tasks

        register_custom_tasks(paths.folder / "tasks", say)
    desk = None if llm is None else _desk(llm_url, rates)
    found = probe_task(
        task, learners=learner or LEARNERS, most_rows=labels, cache=default_cache(), llm=llm, desk=desk, say=say
    )
    ensure_store(paths)
    save_probe(paths, found)
    fit = task_fit(load_evidence(paths, None, say, [task]), task, say)
    points = [(p.learner, p.n_labels, p.scores) for p in found.points]
    data = probe_json(found.task, found.n_rows, points, fit)
    check_finite(data)
    if as_json:
        print_json(data)
    else:
        say(f"{found.seconds:.1f} s")
        print_page(probe_page(found.task, found.n_rows, points, fit, store_option(paths)))


def _desk(url: str | None, rates: Rates) -> Desk:
    from budgetsim.labelers.server import Server
    from budgetsim.measure.desks import desk_at, open_purse
    from budgetsim.measure.stagestore import default_cache

    card = None if rates is None else read_rates(rates)
    return desk_at(default_cache(), Server.at(url), open_purse(card, None, None, 1))
