"""`budgetsim report`: the answer as one HTML file that opens from disk and works itself out anew."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from budgetsim_cli.console import amount, check_amount, find_store, print_json, read_rates, say
from budgetsim_cli.inquiry import Inquiry, check_compute, open_inquiry, read_terms
from budgetsim_cli.optimize import CHANCE, Chance, Risk, Serve, Target, check_risk, check_target
from budgetsim_cli.question import Question, takes_question

if TYPE_CHECKING:
    from datetime import datetime

    from budgetsim.answers.choices import Choices
    from budgetsim.answers.pricing import Pricing
    from budgetsim.choosing.objectives import Choose
    from budgetsim.measure import Campaign
    from budgetsim.measure.progress import Progress
    from budgetsim.page.campaign import CampaignState
    from budgetsim.page.payload import Aim, Source

N_RUNS = 10  # of what to measure next

Budget = Annotated[
    float,
    typer.Option(
        "--budget",
        parser=amount("--budget"),
        metavar="USD",
        help="US dollars that the page opens with, e.g. 2000 or 2k.",
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="HTML file to write.")]
WithNext = Annotated[
    bool,
    typer.Option("--next/--no-next", help="Also work out which run to measure next: seconds a task; not with --grid."),
]
Grid = Annotated[
    str | None,
    typer.Option(
        "--grid", help="Tell how far the campaign of this grid is: a name or a YAML file.", show_default=False
    ),
]
Watch = Annotated[bool, typer.Option("--watch", help="With --grid: write the page again until all runs are done.")]
Every = Annotated[int, typer.Option("--every", min=2, max=3600, help="Seconds between two looks of --watch.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="With --grid: how many processes train.")]


class _Wish(NamedTuple):
    """What the page is to hold."""

    output: Path
    budget: float
    aim: Aim
    with_next: bool
    refresh_s: int | None


@takes_question
def report(
    question: Question,
    output: Output = Path("report.html"),
    budget: Budget = 2000.0,
    risk: Risk = None,
    target: Target = None,
    chance: Chance = None,
    serve: Serve = None,
    with_next: WithNext = True,
    grid: Grid = None,
    watch: Watch = False,
    every: Every = 30,
    workers: Workers = 2,
) -> None:
    """Write one HTML page with the answer, its charts and sliders, or how far a campaign is; it needs no network."""
    from budgetsim.doors.files import check_place
    from budgetsim.errors import InputError, StoppedError

    check_amount(budget, "--budget", above_zero=True)
    aim = _aim(risk, target, chance, serve)
    check_place(output, "--output")
    if watch and grid is None:
        raise InputError("--watch follows a campaign; name its grid with --grid.")
    if grid is None:
        inquiry = open_inquiry(question)
        sources = [
            _source(inquiry, open_to, budget if with_next else None, _needed(inquiry, open_to, budget, aim))
            for open_to in inquiry.tasks
        ]
        _write(question, inquiry.pricing, sources, _Wish(output, budget, aim, with_next, None), None)
        return
    wish = _Wish(output, budget, aim, False, every if watch else None)
    campaign = _campaign(question, grid, workers)
    try:
        while not _write_campaign(question, grid, campaign, wish) and watch:
            time.sleep(every)
    except KeyboardInterrupt:
        raise StoppedError(f"No longer watching; {output} stands as it was last seen.") from None


def _aim(risk: float | None, target: float | None, chance: float | None, serve: float | None) -> Aim:
    """What the page opens with besides a budget, checked as `optimize` does."""
    from budgetsim.page.payload import Aim

    check_target(target, chance)
    if serve is not None:
        check_amount(serve, "--serve", above_zero=True)
    return Aim(None if risk is None else check_risk(risk), target, CHANCE if chance is None else chance, serve)


def _source(inquiry: Inquiry, open_to: Choices, budget: float | None, needed: Sequence[str] = ()) -> Source:
    """One task of the page, with runs to measure next where a budget for them is given."""
    from budgetsim.page.payload import Source

    runs = None if budget is None else _next_runs(open_to, budget)
    return Source(
        evidence=inquiry.evidence, choices=open_to, selection=inquiry.selection, next_runs=runs, needed=needed
    )


def _needed(inquiry: Inquiry, open_to: Choices, budget: float, aim: Aim) -> list[str]:
    """How good an LLM has to be for its labels to do as well as what the page opens with; nothing where none can."""
    from budgetsim.answers.reply import reply
    from budgetsim.choosing.optimize import optimize_task
    from budgetsim.report.advice import needed_words

    choose: Choose = "mean" if aim.risk is None else "quantile"
    answer = optimize_task(open_to.task, open_to.options, budget, choose=choose, level=aim.risk or 0.1)
    return needed_words(reply(answer, open_to, inquiry.rivals(answer.task)).needed)


def _next_runs(open_to: Choices, budget: float) -> dict[str, Any] | None:
    """The runs worth measuring; None where no budget pays for any."""
    from budgetsim.pilots.nextrun import rank_runs
    from budgetsim.report.next_run import next_json
    from budgetsim_cli.next_run import budget_range

    answer = rank_runs(open_to.task, open_to.options, budget_range([f"{budget:.15g}"]))
    return next_json(answer, N_RUNS) if answer.runs else None


def _write(
    question: Question, pricing: Pricing, sources: list[Source], wish: _Wish, campaign: CampaignState | None
) -> None:
    from datetime import date

    from budgetsim.doors.files import write_text
    from budgetsim.page.assemble import page_html
    from budgetsim.page.payload import collect

    payload = collect(sources, pricing, wish.budget, date.today(), campaign, wish.aim)
    size = write_text(wish.output, page_html(payload), "--output")
    tasks = [source.choices.task.name for source in sources]
    if question.as_json:
        precision = payload.data["precision_points"]
        print_json({"file": str(wish.output), "bytes": size, "tasks": tasks, "precision_points": precision})
        return
    what = ", ".join(tasks) if campaign is None else f"{campaign.done} of {campaign.planned} runs of {campaign.name}"
    say(f"Wrote {wish.output}: {what}; {size / 1e6:.2f} MB. Open it in a browser; it needs no network.")


def _campaign(question: Question, grid: str, workers: int) -> Campaign:
    """The campaign of a grid as `measure --grid` does it, priced by the card."""
    from budgetsim.data.custom import register_custom_tasks
    from budgetsim.measure import Campaign, Limits, get_preset, load_grid
    from budgetsim.measure.conductor import cut_to_tasks
    from budgetsim.measure.stagestore import default_cache

    paths, chosen, card = find_store(question.store, question.create), load_grid(grid), read_rates(question.rates)
    register_custom_tasks(paths.folder / "tasks", say)
    recipe = get_preset(chosen.preset)
    name = "gpu" if recipe.preset == "paper" else "cpu"
    price = float(card.device(name).usd_per_device_hour) if card.has_device(name) else None
    return cut_to_tasks(
        Campaign(
            specs=chosen.specs(question.task or (), recipe),
            paths=paths,
            cache=default_cache(),
            workers=workers,
            leave_out=True,
            limits=Limits(usd_per_hour=price),
        )
    )


def _write_campaign(question: Question, grid: str, campaign: Campaign, wish: _Wish) -> bool:
    """Look at a campaign once and write its page; whether it is over."""
    from budgetsim.answers.pricing import Pricing
    from budgetsim.measure.progress import look_at

    progress = look_at(campaign)
    refresh = None if progress.is_over else wish.refresh_s
    state = _state(Path(grid).stem, progress, refresh)
    tasks = question.task or list(dict.fromkeys(spec.task for spec in campaign.specs))
    pricing = Pricing(read_rates(question.rates), check_compute(question.compute), read_terms(question))
    sources = [source for task in tasks for source in _known(question._replace(task=[task]))]
    _write(question, pricing, sources, wish, state)
    return progress.is_over


def _known(question: Question) -> list[Source]:
    """The source of one task; none where there is no evidence of it yet, or no price."""
    from budgetsim.errors import MissingPriceError, NoEvidenceError

    try:
        inquiry = open_inquiry(question)
    except (MissingPriceError, NoEvidenceError):
        return []
    return [_source(inquiry, open_to, None) for open_to in inquiry.tasks]


def _state(name: str, progress: Progress, refresh_s: int | None) -> CampaignState:
    """A campaign's progress as the page tells it."""
    from datetime import UTC, datetime, timedelta

    from budgetsim.measure.progress import mean_scores
    from budgetsim.page.campaign import CampaignPoint, CampaignState

    now = datetime.now(UTC)
    firsts = {(r.point.design.task, r.point.design.route.label): r for r in progress.runs}
    points = tuple(
        CampaignPoint(
            task=task,
            label=label,
            inputs=firsts[task, label].point.design.route.kind.inputs,
            counts=counts,
            metric=firsts[task, label].metric,
            score=score,
            n_runs=n_runs,
        )
        for (task, label, counts), (score, n_runs) in sorted(mean_scores(progress.runs).items())
    )
    ends = None if progress.is_over else _moment(now + timedelta(hours=progress.wall_hours_ahead))
    return CampaignState(
        name=name,
        planned=progress.planned,
        done=progress.done,
        hours=progress.device_hours,
        cost_usd=progress.cost_usd,
        hours_ahead=progress.hours_ahead,
        wall_hours_ahead=progress.wall_hours_ahead,
        cost_ahead_usd=progress.cost_ahead_usd,
        looked_at=_moment(now),
        last_at=None if progress.last_at is None else _moment(progress.last_at),
        ends_at=ends,
        refresh_s=refresh_s,
        points=points,
    )


def _moment(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M:%S UTC")
