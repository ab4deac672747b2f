"""From rows to surfaces of a new task: what they rest on, what own runs do to them, and what to run first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from budgetsim.design.points import Measurement, Route
from budgetsim.forecast import first_runs as first
from budgetsim.forecast.facts import PROBE_SET, Facts, family_of, scatter_of, with_floor
from budgetsim.forecast.first_runs import ASKED, OFFERED, first_runs
from budgetsim.forecast.gather import Seen, gather, place
from budgetsim.forecast.process import SCATTERS, condition, error_variance, start
from budgetsim.forecast.scale import stretch
from budgetsim.forecast.worlds import LABELS, TEXTS, basis_of, forecast_surfaces
from budgetsim.store.probes import PROBED

ANNOTATE = Route(strategy="annotate", student="small")
DISTILL = Route(strategy="distill", student="small", teacher="big")
FACTS = {
    name: Facts(name=name, kind="single", n_classes=n, metric="accuracy", floor=1 / n)
    for name, n in (("a", 2), ("b", 4), ("c", 5), ("new", 3))
}


def row(task: str, route: Route, n: int, u: int, score: float, key: str = "") -> Measurement:
    return Measurement(
        key=key or f"{task}{route.strategy}{n}.{u}",
        task=task,
        route=route,
        n_labels=n,
        n_llm_labels=None,
        n_unlabeled=u if route is DISTILL else None,
        score=score,
        source="measured",
        evidence_set="measured-cpu-x-1",
    )


def others() -> list[Measurement]:
    """Three tasks at 40, 60 and 80 % of what lies above the floor at 1,000 labels, distilling 5 points better."""
    rows = []
    for task, share in (("a", 0.4), ("b", 0.6), ("c", 0.8)):
        floor = FACTS[task].floor or 0.0
        for n, grown in ((100, 0.6), (1000, 1.0), (5000, 1.1)):
            score = floor + (1 - floor) * share * grown
            rows += [row(task, ANNOTATE, n, 0, score), row(task, DISTILL, n, 10_000, score + 0.05)]
    return rows


def at(seen: Seen, n: float, route: Route = ANNOTATE, u: float = 0.0) -> tuple[float, float]:
    """Mean and standard deviation of the score on the new task."""
    (surface,) = forecast_surfaces(seen, start(), "new", [route])
    draws = surface.at([[n, u] if route is DISTILL else [n]])[:, 0]
    return float(draws.mean()), float(draws.std())


def test_nothing_run_gives_the_middle_of_the_others_with_a_wide_band():
    mean, sd = at(gather(others(), FACTS), 1000)
    low, high = (1 / 3 + 2 / 3 * share for share in (0.4, 0.8))
    assert low < mean < high
    assert sd > 0.05


def test_own_runs_take_over_as_they_come():
    """One run of 95 % moves the forecast most of the way, four of different sizes narrow it further."""
    base = at(gather(others(), FACTS), 1000)
    found = []
    for sizes in ([500], [200, 500, 2000, 5000]):
        own = [row("new", ANNOTATE, n, 0, 0.95) for n in sizes]
        found.append(at(gather([*others(), *own], FACTS), 1000))
    assert base[0] < found[0][0] < 0.97
    assert found[0][0] - base[0] > 0.5 * (0.95 - base[0])
    assert base[1] > found[0][1] > found[1][1]


def test_a_run_of_one_learner_moves_another_of_the_same_task():
    seen = gather(others(), FACTS)
    moved = gather([*others(), row("new", ANNOTATE, 500, 0, 0.95)], FACTS)
    assert at(moved, 1000, DISTILL, 10_000)[0] > at(seen, 1000, DISTILL, 10_000)[0] + 0.02


def test_a_forecast_with_own_runs_remembers_what_the_others_alone_tell():
    """The mean of 400 worlds scatters by a twentieth of their deviation about the mean of quantiles."""
    alone, own = gather(others(), FACTS), gather([*others(), row("new", ANNOTATE, 500, 0, 0.95)], FACTS)
    (without,) = forecast_surfaces(alone, start(), "new", [ANNOTATE])
    (beside,) = forecast_surfaces(own, start(), "new", [ANNOTATE])
    assert without.before is None
    assert beside.before is not None
    error = without.draws.std(axis=0) / 20
    assert (np.abs(beside.before - without.mean_table())[6:] < 4 * error[6:]).all()
    assert (beside.mean_table()[6:12] > beside.before[6:12] + 0.05).all()  # up to 6,000 labels


def test_a_probe_is_no_run_of_ones_own():
    """What a probe found belongs to what was known before: alone it leaves nothing to be doubted, and a run beside it is
    held against a forecast that has it."""
    rows = others()
    probed = [replace(row("new", ANNOTATE, 200, 0, 0.85, "p"), evidence_set=f"{PROBED}new-accuracy")]
    (alone,) = forecast_surfaces(gather([*rows, *probed], FACTS), start(), "new", [ANNOTATE])
    (without,) = forecast_surfaces(gather(rows, FACTS), start(), "new", [ANNOTATE])
    own = row("new", ANNOTATE, 1000, 0, 0.9, "o")
    (both,) = forecast_surfaces(gather([*rows, *probed, own], FACTS), start(), "new", [ANNOTATE])
    assert alone.before is None
    assert both.before is not None
    error = alone.draws.std(axis=0) / np.sqrt(len(alone.draws))
    assert (np.abs(both.before - alone.mean_table())[6:] < 4 * error[6:]).all()
    assert (np.abs(both.before - without.mean_table())[6:12] > 0.01).any()
    assert PROBE_SET == PROBED  # one name, told by rooms that do not import each other


def folds(*designs: tuple[int, float]) -> list[Measurement]:
    """Five folds of a probe at each size, all of one score."""
    name = f"{PROBED}new-accuracy"
    each = [(n, score, k) for n, score in designs for k in range(5)]
    return [replace(row("new", ANNOTATE, n, 0, score, f"p{n}.{k}"), evidence_set=name) for n, score, k in each]


def test_folds_are_not_runs_and_stand_beside_them():
    """Five folds are a cell that counts as one run, three runs of that design another of three; a design counts once."""
    runs = [row("new", ANNOTATE, 300, 0, score, f"r{score}") for score in (0.57, 0.58, 0.59)]
    seen = gather([*folds((300, 0.64)), *runs], FACTS)
    assert (seen.n_runs.tolist(), seen.cells.probed.tolist()) == ([3.0, 1.0], [0.0, 1.0])
    assert seen.n_designs("new") == 1
    (surface,) = forecast_surfaces(gather([*others(), *folds((300, 0.64))], FACTS), start(), "new", [ANNOTATE])
    assert surface.support.classify([[300]])[0] == ["interpolated"]  # nobody ran it


def test_runs_that_score_less_than_a_probe_lower_every_forecast():
    """At the sizes of the runs, at a larger one that only the probe saw, and of another way; they outvote it."""
    probe = folds((100, 0.58), (300, 0.66), (480, 0.70))
    before = gather([*others(), *probe], FACTS)
    after = gather(
        [*others(), *probe, *(row("new", ANNOTATE, n, 0, score) for n, score in ((100, 0.52), (300, 0.60)))], FACTS
    )
    for n, route, u in ((300, ANNOTATE, 0.0), (480, ANNOTATE, 0.0), (1000, DISTILL, 10_000.0)):
        assert at(after, n, route, u)[0] < at(before, n, route, u)[0]
    assert abs(at(after, 300)[0] - 0.60) < abs(at(after, 300)[0] - 0.66)


def test_without_labels_or_texts_there_is_nothing_but_the_floor():
    seen = gather(others(), FACTS)
    annotate, distill = forecast_surfaces(seen, start(), "new", [ANNOTATE, DISTILL])
    assert annotate.draws.shape == (400, len(LABELS))
    assert distill.draws.shape == (400, len(LABELS), len(TEXTS))
    np.testing.assert_allclose(annotate.draws[:, 0], 1 / 3)
    np.testing.assert_allclose(distill.draws[:, 0, :], 1 / 3)
    np.testing.assert_allclose(distill.draws[:, :, 0], 1 / 3)
    assert ((annotate.draws >= 0) & (annotate.draws <= 1)).all()


def test_below_the_fewest_counts_of_others_the_rise_is_a_line_in_log_counts():
    """Nobody distilled from fewer than 10,000 texts: at 100 of them half of the way in log(1 + n), half of the rise."""
    seen = gather(others(), FACTS)
    (surface,) = forecast_surfaces(seen, start(), "new", [DISTILL])
    low, high = surface.draws[:, 9, 1] - 1 / 3, surface.draws[:, 9, 6] - 1 / 3  # 2,000 labels; 100 and 10,000 texts
    np.testing.assert_allclose(low, high * np.log1p(100) / np.log1p(10_000), atol=1e-9)
    assert (surface.draws[:, 9, 5] <= np.maximum(surface.draws[:, 9, 6], 1 / 3) + 1e-9).all()


def test_the_same_seed_gives_the_same_worlds():
    seen = gather(others(), FACTS)
    one, two = (forecast_surfaces(seen, start(), "new", [DISTILL], seed=3)[0] for _ in range(2))
    np.testing.assert_array_equal(one.draws, two.draws)


def test_what_others_ran_is_inside_and_only_own_designs_are_observed():
    seen = gather([*others(), row("new", ANNOTATE, 500, 0, 0.7)], FACTS)
    (surface,) = forecast_surfaces(seen, start(), "new", [ANNOTATE])
    kinds, factors = surface.support.classify([[500], [1000], [50_000]])
    assert kinds == ["observed", "interpolated", "extrapolated"]
    assert factors[2] == pytest.approx(10, rel=0.01)
    basis = basis_of(seen, "new", ANNOTATE)
    assert (basis.n_own, basis.n_tasks, basis.n_rows) == (1, 3, 10)


def test_replicates_are_one_cell_with_the_mean_and_the_count():
    twice = [row("a", ANNOTATE, 100, 0, s, key) for s, key in ((0.6, "x"), (0.7, "y"))]
    seen = gather(twice, FACTS)
    assert seen.n_runs.tolist() == [2.0]
    assert len(seen.cells) == 1


def test_rows_without_labels_are_no_cells_but_an_llm_stands_where_slopes_pivot():
    llm = Route(strategy="annotate", student="llm:chat:x")
    seen = gather([row("a", ANNOTATE, 0, 0, 0.6), row("a", llm, 0, 0, 0.7), row("b", ANNOTATE, 100, 0, 0.5)], FACTS)
    assert sorted(seen.cells.x[:, 0].round(3).tolist()) == [
        round(float(np.log1p(100)), 3),
        round(float(np.log1p(1000)), 3),
    ]


def test_the_first_run_is_the_one_that_takes_most_variance_away():
    """By brute force: condition on each offered design as if it had been run, and sum what is left."""
    seen, h, routes = gather(others(), FACTS), start(), [ANNOTATE, DISTILL]
    asked = [("new", ANNOTATE, n, 0.0) for n in ASKED] + [("new", DISTILL, n, u) for n in ASKED for u in (1e4, 1e5)]
    offered = [("new", ANNOTATE, n, 0.0) for n in OFFERED] + [("new", DISTILL, n, 1e4) for n in OFFERED]
    base = condition(seen.cells, seen.z, seen.n_runs, place([*asked, *offered], seen.names), h)
    weight = 1 / stretch(base.mean[: len(asked)], np.full(len(asked), 1 / 3)) ** 2
    left = []
    for k, design in enumerate(offered):
        cells = seen.cells.beside(place([design], seen.names))
        z = np.append(seen.z, base.mean[len(asked) + k])  # the variance does not depend on what comes out
        after = condition(cells, z, np.append(seen.n_runs, 1.0), place(asked, seen.names), h)
        left.append(float(weight @ np.diag(after.covariance)))
    assert first_runs(seen, h, "new", routes, 1) == [offered[int(np.argmin(left))][1:]]
    few = first_runs(seen, h, "new", routes, 9, most=(250, 40))
    assert {(n, u) for _, n, u in few} <= {(n, u) for n in (100, 200) for u in (0, 40)}
    assert not any(route.kind.has_teacher for route, *_ in first_runs(seen, h, "new", routes, 9, most=(250, 0)))
    assert (error_variance(base.mean, place([*asked, *offered], seen.names), np.ones(len(base.mean)), h) > 0).all()


def test_a_dear_run_must_tell_more_than_a_cheap_one(monkeypatch):
    """With no effort told apart the one that tells most is chosen; where runs of its kind take all the time, another is."""
    seen = gather(others(), FACTS)
    routes = [ANNOTATE, replace(ANNOTATE, student="tfidf-lr")]
    kinds = [scatter_of(family_of(route)) for route in routes]
    assert kinds == ["tuned", "cheap"]
    for dear, chosen in zip(kinds, routes[::-1], strict=True):
        monkeypatch.setattr(first, "EFFORT", {**dict.fromkeys(SCATTERS, 1.0), dear: 1e6})
        assert first_runs(seen, start(), "new", routes, 1)[0][0] == chosen


def test_a_floor_that_is_not_known_lies_under_the_lowest_score():
    facts = replace(FACTS["a"], floor=None)
    assert with_floor(facts, [0.62, 0.8]).floor == pytest.approx(0.61)
    assert with_floor(facts, [0.0, 0.8]).floor == 0.0
    assert with_floor(FACTS["a"], [0.62]).floor == 0.5


@pytest.mark.parametrize(
    ("student", "family"),
    [
        ("tfidf-lr", "counts"),
        ("encoder-lr:mpnet", "frozen"),
        ("ft:minilm", "tuned"),
        ("setfit:x", "warm"),
        ("deberta-v3-nli", "warm"),
    ],
)
def test_learners_have_families(student, family):
    assert family_of(Route(strategy="annotate", student=student)) == family


def test_facts_that_ship_are_those_of_the_descriptions():
    """Tasks that were measured here are described beside the store; what forecasts ship of them is the same."""
    from pathlib import Path

    from budgetsim.data.description import read_description
    from budgetsim.forecast.facts import SHIPPED_TASKS, facts_of

    described = [
        read_description(p).facts for p in sorted((Path(__file__).parents[2] / "results/tasks").glob("*.json"))
    ]
    both = [(facts_of(task), SHIPPED_TASKS[task.name]) for task in described if task.name in SHIPPED_TASKS]
    assert len(both) >= 10
    assert all(own == shipped for own, shipped in both)
