"""`budgetsim measure`: train what is missing, and put it into the store."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from budgetsim_cli.console import Json, Rates, Store, print_json, print_page, read_rates, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from budgetsim.costs.rates import RateCard
    from budgetsim.measure import Campaign, Limits, Recipe, RunSpec
    from budgetsim.measure.events import Notice, RunFailed, RunLost
    from budgetsim.measure.executors.options import ExecutorOptions

Task = Annotated[
    list[str] | None,
    typer.Option("--task", help="Task to measure; may be given again.", show_default="the grid's"),
]


def measure(
    task: Task = None,
    preset: Annotated[
        str | None, typer.Option(help="Recipe: cpu (miniature) or paper.", show_default="the grid's")
    ] = None,
    grid: Annotated[str, typer.Option(help="Points to run: a grid's name, or a YAML file.")] = "pilot",
    strategy: Annotated[
        str | None, typer.Option(help="One strategy instead of a grid; distill+gold adds the labels.")
    ] = None,
    student: Annotated[str | None, typer.Option(help="Student; with --strategy.")] = None,
    teacher: Annotated[str | None, typer.Option(help="Teacher; with --strategy.")] = None,
    llm: Annotated[
        str | None,
        typer.Option(
            help="Who labels: chat:MODEL, decide:MODEL, recorded:FILE or simulated:accuracy=0.8; with --strategy."
        ),
    ] = None,
    llm_url: Annotated[
        str | None,
        typer.Option(
            help="Address of the LLM's server, e.g. http://127.0.0.1:8000/v1; its key stands in OPENAI_API_KEY.",
            show_default="BUDGETSIM_LLM_URL, OPENAI_BASE_URL or OpenAI",
        ),
    ] = None,
    llm_concurrency: Annotated[int, typer.Option(min=1, max=256, help="Requests to the LLM at once.")] = 8,
    llm_per_minute: Annotated[float | None, typer.Option(help="Requests to the LLM a minute, at most.")] = None,
    n_labels: Annotated[list[int] | None, typer.Option(help="Labels; with --strategy.")] = None,
    n_llm_labels: Annotated[list[int] | None, typer.Option(help="LLM labels; with --strategy.")] = None,
    n_unlabeled: Annotated[list[int] | None, typer.Option(help="Texts; with --strategy.")] = None,
    unlabeled: Annotated[
        str, typer.Option(help="Texts to label: pool, labelled (the training rows), FILE or task:NAME[:share=0.5].")
    ] = "pool",
    seeds: Annotated[list[int] | None, typer.Option("--seed", help="Seed; with --strategy.", show_default="0")] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes of one thread, or jobs.", show_default="one a core, two at most; on a cluster all"
        ),
    ] = None,
    executor: Annotated[str, typer.Option(help="Where runs are done: local, ray, ray:HOST:PORT or slurm.")] = "local",
    executor_file: Annotated[
        Path | None,
        typer.Option(
            help="What each worker on a cluster is given: gpus, memory_gb, time_limit_hours, shared_cache, ...",
            show_default="the grid's `executor`, else ./executor.yaml",
        ),
    ] = None,
    max_hours: Annotated[float | None, typer.Option(help="Stop before this many hours have passed.")] = None,
    max_cost: Annotated[
        float | None, typer.Option(help="Stop before this many US dollars are spent on devices and LLM requests.")
    ] = None,
    rates: Rates = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the runs that would be done, with hours and dollars; train nothing."),
    ] = False,
    way: Annotated[
        str | None,
        typer.Option(
            help="How models are trained: fp32, bf16, 8bit, lora[=RANK] or fsdp=GPUS, then +checkpointing, +rows=N.",
            show_default="the preset's",
        ),
    ] = None,
    gpu_memory: Annotated[
        list[float] | None,
        typer.Option(
            help="With --dry-run: GiB of a GPU; says which ways of training fit it. May be given again.",
            show_default=False,
        ),
    ] = None,
    write_units: Annotated[
        Path | None,
        typer.Option(help="With --dry-run: write the runs there for `run-unit`, a file for all that share a teacher."),
    ] = None,
    trust_first_use: Annotated[
        bool, typer.Option("--trust-first-use", help="Download files whose hash is not pinned, and record it.")
    ] = False,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Train the runs of a grid that the store lacks; finished runs are kept, whatever happens."""
    began = time.monotonic()
    from budgetsim.data.custom import register_custom_tasks
    from budgetsim.data.loading import Access
    from budgetsim.errors import InputError
    from budgetsim.labelers.server import Server
    from budgetsim.measure import Campaign, get_preset, load_grid, run_campaign
    from budgetsim.measure.conductor import cut_to_tasks
    from budgetsim.measure.desks import open_purse
    from budgetsim.measure.executors import LocalExecutor, choose_executor
    from budgetsim.measure.paper import estimate_json, estimate_page, estimate_paper
    from budgetsim.measure.show import baseline_rows, outcome_json, outcome_page
    from budgetsim.measure.stagestore import default_cache
    from budgetsim.measure.typed_ways import check_here, with_way
    from budgetsim.store.location import locate

    paths = locate(store)
    register_custom_tasks(paths.folder / "tasks", say)
    chosen = load_grid(grid)
    recipe = get_preset(preset or chosen.preset)
    recipe = recipe if way is None else with_way(recipe, way)
    if strategy is None:
        specs = chosen.specs(task or (), recipe)
    else:
        specs = _points(
            task or [], recipe, strategy, student, teacher, llm, unlabeled,
            {"n_labels": n_labels, "n_llm_labels": n_llm_labels, "n_unlabeled": n_unlabeled, "seed": seeds or [0]},
        )  # fmt: skip
    specs = [replace(spec, unlabeled=unlabeled) if spec.uses_pool and unlabeled != "pool" else spec for spec in specs]
    if gpu_memory:
        _plan_devices(specs, gpu_memory, dry_run, read_rates(rates), as_json)
        return
    if write_units is not None and not dry_run:
        raise InputError("--write-units writes what would be run: add --dry-run.")
    if dry_run and recipe.preset == "paper" and write_units is None:
        tasks = tuple(dict.fromkeys(spec.task for spec in specs))
        estimate = estimate_paper(tasks, read_rates(rates), specs, progress=say)
        print_json(estimate_json(estimate)) if as_json else print_page(estimate_page(estimate))
        return
    card = read_rates(rates)
    capped = None if max_cost is None and rates is None else card
    options = _options(executor, executor_file, chosen.executor)
    n_workers = workers or options.workers or (LocalExecutor().open() if executor == "local" else 0)
    limits = _limits(max_hours, max_cost, capped, recipe, options)
    cache = Path(options.shared_cache).expanduser() if options.shared_cache else default_cache()
    campaign = Campaign(
        specs=specs,
        paths=paths,
        cache=cache,
        workers=n_workers,
        executor=choose_executor(executor, options, cache, paths),
        leave_out=strategy is None,
        limits=limits,
        measured=card.utilisation if _on_gpu(recipe, options) else card.cpu_utilisation,
        server=Server.at(llm_url, concurrency=llm_concurrency, per_minute=llm_per_minute),
        purse=open_purse(card, max_cost, limits.usd_per_hour, max(1, n_workers)),
        access=Access(trust_first_use=trust_first_use),
    )
    if strategy is None:
        campaign = cut_to_tasks(campaign, _listen)
    if dry_run:
        _dry_run(campaign, as_json, write_units)
        return
    if way is not None and executor == "local":
        check_here(recipe)
    outcome = run_campaign(campaign, _listen, began)
    beside = baseline_rows(campaign)
    if as_json:
        print_json({"outcome": outcome_json(outcome), "baselines": beside, "store": str(paths.database)})
    else:
        print_page(outcome_page(outcome, beside, campaign))
    if outcome.failed:
        raise _failure(outcome.failed)
    if outcome.capped and not outcome.done:
        raise _capped()


def _listen(notice: Notice) -> None:
    from budgetsim.measure.wording import word

    say(word(notice))


def _points(
    tasks: list[str], recipe: Recipe, strategy: str, student: str | None, teacher: str | None, llm: str | None,
    unlabeled: str, counts: dict[str, list[int] | None],
) -> list[RunSpec]:  # fmt: skip
    from budgetsim.design.strategies import get_strategy
    from budgetsim.errors import InputError
    from budgetsim.measure import Grid

    if not tasks:
        raise InputError("--strategy needs --task: name the task to measure.")
    plain = strategy.removesuffix("+gold")
    block: dict[str, Any] = {"strategy": plain, "unlabeled": unlabeled, "gold": strategy != plain}
    block |= {name: value for name, value in {"student": student, "teacher": teacher, "labeler": llm}.items() if value}
    block |= {name: list(values) for name, values in counts.items() if values}
    if not {"n_unlabeled", "n_llm_labels"} & set(get_strategy(plain).inputs):
        del block["unlabeled"]
        if unlabeled != "pool":
            raise InputError(f"--unlabeled has no use for {plain}, which learns from labelled texts alone.")
    grid = Grid(name="arguments", preset=recipe.preset, tasks=tuple(tasks), blocks=(block,))
    return grid.specs((), recipe)


def _options(executor: str, file: Path | None, of_grid: ExecutorOptions | None) -> ExecutorOptions:
    """What workers on a cluster are given: of the file that is named, of the grid, of ./executor.yaml."""
    from budgetsim.errors import InputError
    from budgetsim.measure.executors.options import ExecutorOptions, read_options

    if executor == "local":
        if file is not None:
            raise InputError("--executor-file is for workers on a cluster: name one with --executor ray or slurm.")
        return ExecutorOptions()
    return (None if file is not None else of_grid) or read_options(file) or ExecutorOptions()


def _limits(
    max_hours: float | None, max_cost: float | None, card: RateCard | None, recipe: Recipe, options: ExecutorOptions
) -> Limits:
    from budgetsim.measure import Limits

    if card is None:
        return Limits(max_hours=max_hours)
    device = card.device("gpu" if _on_gpu(recipe, options) else "cpu")
    usd = float(device.usd_per_device_hour) * max(options.gpus or 1, recipe.devices)
    life = device.mean_hours_between_preemptions
    return Limits(max_hours=max_hours, max_cost_usd=max_cost, usd_per_hour=usd, preempted_every_hours=life)


def _on_gpu(recipe: Recipe, options: ExecutorOptions) -> bool:
    return recipe.preset == "paper" or bool(options.gpus)


def _dry_run(campaign: Campaign, as_json: bool, units: Path | None) -> None:
    from budgetsim.measure.conductor import units_to_do
    from budgetsim.measure.show import dry_run_page, predict_campaign
    from budgetsim.measure.unit_files import write_units

    if units is not None:
        say(f"{write_units(units_to_do(campaign), units)} units written to {units}.")
    predicted = predict_campaign(campaign, _listen)
    print_json(predicted) if as_json else print_page(dry_run_page(predicted))


def _plan_devices(
    specs: Sequence[RunSpec], cards_gib: list[float], dry_run: bool, card: RateCard, as_json: bool
) -> None:
    from budgetsim.answers.pricing import modelled_speed
    from budgetsim.errors import InputError, MissingPriceError
    from budgetsim.measure.devices import devices_json, devices_page, plan_devices

    if not dry_run:
        raise InputError("--gpu-memory belongs to --dry-run: add it, or leave --gpu-memory out.")
    speed = modelled_speed(card)
    if speed is None:
        raise MissingPriceError(f"The card {card.name!r} states no utilisation; add `utilisation:` for modelled hours.")
    usd = float(card.device("gpu").usd_per_device_hour) if card.has_device("gpu") else None
    found = plan_devices(specs, cards_gib, speed, usd)
    print_json(devices_json(found, card)) if as_json else print_page(devices_page(found, card))


def _failure(failures: Sequence[RunFailed | RunLost]) -> Exception:
    from budgetsim.errors import BudgetsimError
    from budgetsim.measure.wording import word_failure

    return BudgetsimError(f"{len(failures)} of the runs failed; first: {word_failure(failures[0])}")


def _capped() -> Exception:
    from budgetsim.errors import InfeasibleBudgetError

    return InfeasibleBudgetError("No run was finished within the cap: raise it (--dry-run says what runs take).")
