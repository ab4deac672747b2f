"""What a campaign came to, as pages: scores with the trivial baselines beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from statistics import fmean
from typing import Any, Final

from budgetsim.data import metrics
from budgetsim.data.tasks import get_task
from budgetsim.errors import InputError
from budgetsim.learners import overlap as baselines
from budgetsim.measure.conductor import Campaign, Outcome, built_in, find_missing, open_view, prepare_estimator
from budgetsim.measure.estimate import Estimator, is_short
from budgetsim.measure.events import Listener
from budgetsim.measure.spec import RunSpec, to_json
from budgetsim.measure.spot import expected_seconds
from budgetsim.measure.stages import PlannedStage, count_texts_once, plan_stages
from budgetsim.measure.stages.llm_labels import quote_requests
from budgetsim.measure.wording import span, word_failure, word_reason
from budgetsim.measure.workspace import Workspace
from budgetsim.report.table import Page, Table
from budgetsim.store.records import RunRecord, read_shards

OVERLAP_LABELS: Final = 100  # labels the word-overlap rule is fitted on


def baseline_rows(campaign: Campaign) -> dict[str, dict[str, float]]:
    """Scores of the answers that cost nothing or next to it, by task, on the very split measured."""
    workspace = open_view(campaign)
    return {spec.task: _baselines(spec, workspace) for spec in {s.task: s for s in campaign.specs}.values()}


def _baselines(spec: RunSpec, workspace: Workspace) -> dict[str, float]:
    split, task = workspace.split(spec), get_task(spec.task)
    sources, truth = [r.source for r in split.test], [r.target for r in split.test]

    def main_score(answers: list[str]) -> float:
        return round(next(iter(metrics.score(task, sources, answers, truth).values())), 2)

    if task.kind not in ("classification", "tagging"):
        return {"copy": main_score(sources)}
    is_words = task.kind == "tagging"
    constant = "" if is_words else baselines.constant_answer(split.train)
    word = ("O" if task.labels else "Amount") if is_words else constant
    scores = {f"constant ({word})": main_score([constant] * len(truth))}
    if baselines.has_overlap_rule(task):
        labelled = split.train[:OVERLAP_LABELS]
        scores[f"overlap (N={OVERLAP_LABELS})"] = main_score(baselines.overlap_answers(task, labelled, sources))
    return scores


def outcome_page(outcome: Outcome, beside: Mapping[str, Mapping[str, float]], campaign: Campaign) -> Page:
    """The runs of a campaign, by design, with what is beside them."""
    page: Page = []
    records = {run.point.run_id: run for run in read_shards(campaign.paths.runs, [])[0]}
    ids = run_ids(campaign)
    for task, trivial in beside.items():
        runs = [records[i] for i in ids.get(task, ()) if i in records]
        page += [*([_runs_grid(task, runs)] if runs else []), _beside(task, runs, trivial), ""]
    page.append(summary(outcome))
    return page


def run_ids(campaign: Campaign) -> dict[str, list[str]]:
    """Ids of a campaign's runs by task, but those that are left out of the grid."""
    workspace = open_view(campaign)
    ids: dict[str, list[str]] = {}
    for spec in campaign.specs:
        try:
            run_id = workspace.point(spec).run_id
        except InputError:
            continue  # was left out of the grid
        ids.setdefault(spec.task, []).append(run_id)
    return ids


def _runs_grid(task: str, runs: list[RunRecord]) -> Table:
    cells: dict[tuple[Any, ...], list[float]] = {}
    for run in runs:
        d = run.point.design
        models = (d.route.strategy, d.route.teacher or d.route.labeler or "", d.route.student)
        key = (*models, d.n_labels, d.n_llm_labels, d.n_unlabeled)
        cells.setdefault(key, []).append(next(s.value for s in run.scores if s.is_main))
    rows = tuple(
        (
            *map(str, key[:3]),
            *(f"{n:,}" if n else "" for n in key[3:]),
            f"{fmean(values):.1f}",
            _range(values),
            str(len(values)),
        )
        for key, values in sorted(cells.items(), key=lambda item: (is_short(item[0][2]), item[0]))
    )
    headings = (
        "strategy",
        "teacher or labeler",
        "student",
        "labels",
        "LLM labels",
        "texts",
        get_task(task).metric,
        "range",
        "runs",
    )
    return Table(title=f"{task}, measured here", headings=headings, rows=rows, text_columns=frozenset({0, 1, 2}))


def _range(values: list[float]) -> str:
    return f"{min(values):.1f}-{max(values):.1f}" if len(values) > 1 else ""


def _beside(task: str, runs: list[RunRecord], trivial: Mapping[str, float]) -> str:
    text = ", ".join(f"{name} {value:.1f}" for name, value in trivial.items())
    trained = [r for r in runs if not is_short(r.point.design.route.student)]
    best = max((next(s.value for s in r.scores if s.is_main) for r in trained), default=None)
    beaten = best is not None and best <= max(trivial.values())
    moot = f" No fine-tuned run here beats them (best {best:.1f}): do not pay for one on this task." if beaten else ""
    return f"Beside them on {task}: {text}.{moot}"


def summary(outcome: Outcome) -> str:
    """One paragraph: what was done, how long it took, how good the predictions were."""
    cost = "" if outcome.cost_usd is None else f", ${outcome.cost_usd:,.4f}"
    cost += f", and ${outcome.requests_usd:,.4f} of requests" if outcome.requests_usd else ""
    words = [
        f"{outcome.done} runs done in {outcome.seconds / 60:.1f} min ({outcome.worker_seconds / 3600:.3f} "
        f"worker-hours, start-up included{cost}); {outcome.there_before} of {outcome.planned} were there before."
    ]
    if outcome.prediction_error is not None and outcome.prediction_bias is not None:
        kinds = [k for k in outcome.predictions if k.seconds >= 1]
        parts = ", ".join(f"{k.kind} {k.predicted_seconds:.0f} for {k.seconds:.0f} s" for k in kinds)
        words.append(
            f"Predicted times of the stages built were off by {100 * outcome.prediction_error:.0f} %; in all, "
            f"{outcome.prediction_bias:.2f} of what they took{f' ({parts})' if parts else ''}."
        )
    if outcome.failed:
        words.append(f"{len(outcome.failed)} failed.")
    if outcome.stopped:
        how = " with a higher cap" if outcome.capped else ""
        words.append(f"Stopped early: {word_reason(outcome.stopped)}; the same command{how} goes on from there.")
    return " ".join(words)


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain values."""
    return asdict(outcome) | {
        "failed": [word_failure(failure) for failure in outcome.failed],
        "stopped": None if outcome.stopped is None else word_reason(outcome.stopped),
    }


def predict_campaign(campaign: Campaign, listen: Listener) -> dict[str, Any]:
    """What a campaign would do and take: counts, hours by design and by stage, dollars where a price is given."""
    there, missing = find_missing(campaign, listen)
    estimator, plan = prepare_estimator(campaign), _to_build(campaign, missing)
    cells: dict[tuple[str, str, str], list[float]] = {}
    kinds: dict[str, list[float]] = {}
    for spec, stages in plan:
        cells.setdefault((spec.task, spec.route.strategy, spec.route.student), []).append(estimator.run(stages))
        for stage in stages:
            kinds.setdefault(stage.kind, []).append(estimator.stage(stage))
    startup = estimator.startup * min(max(1, campaign.workers), len(missing))
    seconds = sum(map(sum, cells.values())) + startup
    cost = campaign.limits.cost_usd
    on_spot = _on_spot(campaign, plan, estimator)
    return {
        "there": len(there),
        "missing": len(missing),
        "worker_hours": round(seconds / 3600, 3),
        "wall_hours": round(seconds / 3600 / max(1, min(campaign.workers, len(missing))), 3),
        "cost_usd": _rounded(cost(seconds)),
        "spot": on_spot
        and {
            "mean_hours_between_preemptions": campaign.limits.preempted_every_hours,
            "worker_hours": _hours(on_spot + startup),
            "cost_usd": _rounded(cost(on_spot + startup)),
        },
        "cells": [
            {"task": t, "strategy": s, "student": m, "runs": len(c), "worker_hours": round(sum(c) / 3600, 4)}
            for (t, s, m), c in cells.items()
        ],
        "stages": [
            {"kind": k, "n": len(c), "worker_hours": round(sum(c) / 3600, 4), "cost_usd": _rounded(cost(sum(c)))}
            for k, c in kinds.items()
        ],
        "requests": _requests(missing, open_view(campaign)),
        "startup_hours": round(startup / 3600, 4),
        "specs": [to_json(spec) for spec in missing],
    }


def _on_spot(campaign: Campaign, plan: list[tuple[RunSpec, list[PlannedStage]]], estimator: Estimator) -> float | None:
    """Expected seconds of devices that are taken away at times; None where the card says nothing of that."""
    hours = campaign.limits.preempted_every_hours
    if hours is None:
        return None
    return expected_seconds(plan, estimator, checkpoint_every=campaign.checkpoint_every, mean_life=3600 * hours)


def _hours(seconds: float) -> float | None:
    return None if math.isinf(seconds) else round(seconds / 3600, 3)


def _requests(missing: list[RunSpec], workspace: Workspace) -> list[dict[str, Any]]:
    quotes = quote_requests(missing, workspace)
    return [
        {
            "labeler": name,
            "task": task,
            "n": q.n_requests,
            "usd_at_most": _rounded(None if q.usd is None else float(q.usd)),
        }
        for (name, task), q in quotes.items()
        if q.n_requests
    ]


def _rounded(usd: float | None) -> float | None:
    return None if usd is None or math.isinf(usd) else round(usd, 4)


def _to_build(campaign: Campaign, missing: list[RunSpec]) -> list[tuple[RunSpec, list[PlannedStage]]]:
    """The stages that each run has to build, a shared one with the first run that needs it."""
    workspace = open_view(campaign)
    seen: set[str] = set()
    plan = []
    is_there = built_in(workspace)
    for spec, all_stages in count_texts_once([(s, plan_stages(s, workspace)) for s in missing], is_there):
        stages = [stage for stage in all_stages if stage.key not in seen and not is_there(stage)]
        seen |= {stage.key for stage in stages}
        plan.append((spec, stages))
    return plan


def dry_run_page(predicted: Mapping[str, Any]) -> Page:
    """The prediction for people."""
    rows = tuple(
        (c["task"], c["strategy"], c["student"], str(c["runs"]), f"{60 * c['worker_hours']:.1f}")
        for c in predicted["cells"]
    )
    headings = ("task", "strategy", "student", "runs", "worker-min")
    grid = Table(title="Would run", headings=headings, rows=rows, text_columns=frozenset({0, 1, 2}))
    cost = "" if predicted["cost_usd"] is None else f", ${predicted['cost_usd']:,.4f}"
    return [
        grid,
        _stages_grid(predicted["stages"]),
        *(_request_line(request) for request in predicted["requests"]),
        f"{predicted['missing']} runs to do, {predicted['there']} in the store: about "
        f"{span(3600 * predicted['wall_hours'])} ({predicted['worker_hours']:.2f} worker-hours{cost}), "
        f"{3600 * predicted['startup_hours']:.0f} s of it to start.",
        *_spot_lines(predicted),
    ]


def _spot_lines(predicted: Mapping[str, Any]) -> list[str]:
    spot = predicted["spot"]
    if not spot:
        return []
    every = f"On machines that are taken away every {spot['mean_hours_between_preemptions']:g} h on average"
    if spot["worker_hours"] is None:
        return [f"{every} a stage would never be done: it takes longer than any of them lives, and saves nothing."]
    cost = "" if spot["cost_usd"] is None else f", ${spot['cost_usd']:,.4f}"
    return [f"{every}: {spot['worker_hours']:.2f} worker-hours expected{cost}, restarts from checkpoints included."]


def _request_line(request: Mapping[str, Any]) -> str:
    usd = request["usd_at_most"]
    cost = "the card has no price of it" if usd is None else f"${usd:,.4g} at most"
    return f"{request['labeler']} on {request['task']}: {request['n']:,} requests, {cost}."


def _stages_grid(stages: list[dict[str, Any]]) -> Table:
    priced = any(s["cost_usd"] is not None for s in stages)
    rows = tuple(
        (s["kind"], str(s["n"]), f"{60 * s['worker_hours']:.1f}", *([f"${s['cost_usd']:,.4f}"] if priced else []))
        for s in stages
    )
    headings = ("stage", "to build", "worker-min", *(["cost"] if priced else []))
    return Table(title="By stage", headings=headings, rows=rows, text_columns=frozenset({0}))
