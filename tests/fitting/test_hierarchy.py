"""What other tasks showed: the usual curve, the usual gain, and fits beside other tasks."""

from dataclasses import replace

import numpy as np
import pytest

import budgetsim.fitting.gains as gains
from budgetsim.answers.evidence import load_evidence
from budgetsim.data.tasks import TASKS
from budgetsim.design.fitkey import rows_hash
from budgetsim.errors import InputError
from budgetsim.fitting.gains import (
    PRIOR_SPREAD,
    PRIOR_TASKS,
    SIZES,
    Gain,
    GainPrior,
    measure_gain,
    pair_draws,
    pool_gains,
)
from budgetsim.fitting.hierarchy import OWN_MEAN, OWN_VARIANCE, population
from budgetsim.fitting.onset import N_FLOOR
from budgetsim.fitting.task import _fit_other, _group_rows, _population_prior, fit_task
from budgetsim.report.cautions import caution_words
from budgetsim.store.location import StorePaths
from budgetsim.store.query import kind_of_set, related_sets
from made import ROOT, make_row, make_surface

RNG = np.random.default_rng(0)
FLAT = np.array([0.0, 1e6])
EVERYWHERE = np.ones(len(SIZES), dtype=bool)


@pytest.fixture(scope="module", autouse=True)
def _fewer_particles():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("budgetsim.fitting.groups.N_PARTICLES", 600)
        yield
    _fit_other.cache_clear()  # no other test is to meet fits of so few


def test_many_tasks_that_are_well_known_tell_the_population():
    """Known parameter recovered: with 5,000 tasks the prior is the normal that they were drawn from."""
    known = 0.7 + 0.4 * RNG.standard_normal((5000, 1))
    np.testing.assert_allclose(population(known, np.zeros_like(known)), [[0.7], [0.4]], atol=0.02)


def test_tasks_that_know_nothing_leave_the_prior_as_it_is():
    """A posterior equal to the prior, N(0, 1), tells nothing, however many tasks there are."""
    for many in (1, 3, 50):
        np.testing.assert_allclose(population(np.zeros((many, 2)), np.ones((many, 2))), [[0.0, 0.0], [1.0, 1.0]])


def test_few_tasks_count_beside_the_own_prior():
    """Written out for two tasks at 1 and 2, each known to a variance of 0.1."""
    centre = 3 / (2 + OWN_MEAN)
    scatter = 0.2 + (1 - centre) ** 2 + (2 - centre) ** 2 + OWN_MEAN * centre**2
    variance = (OWN_VARIANCE + scatter) / (OWN_VARIANCE + 2) * (3 + OWN_MEAN) / (2 + OWN_MEAN)
    found = population(np.array([[1.0], [2.0]]), np.full((2, 1), 0.1))
    np.testing.assert_allclose(found, [[centre], [min(np.sqrt(variance), 1.0)]])


def test_the_population_written_out_where_it_is_narrower_than_the_prior():
    """K = 4 tasks about 0.3 that agree: every term of the formula counts, and none is cut at the prior's 1."""
    mean, variance = np.array([0.1, 0.2, 0.4, 0.6]), np.array([0.02, 0.05, 0.1, 0.3])
    centre = 1.3 / 4.5
    scatter = sum(v + (m - centre) ** 2 for m, v in zip(mean, variance, strict=True)) + 0.5 * centre**2
    sd = np.sqrt((2 + scatter) / 6 * 5.5 / 4.5)
    assert 0.7 < sd < 0.8
    np.testing.assert_allclose(population(mean[:, None], variance[:, None]), [[centre], [sd]])


def _gain(mean, variance=0.0, inside=EVERYWHERE):
    return Gain(np.full(len(SIZES), mean), np.full(len(SIZES), variance), inside)


def test_the_usual_gain_is_that_of_the_tasks_and_as_wide_as_they_differ():
    rng = np.random.default_rng(1)
    found = pool_gains([_gain(g) for g in 0.1 + 0.08 * rng.standard_normal(2000)])
    np.testing.assert_allclose(found.mean, 0.1, atol=0.005)
    np.testing.assert_allclose(found.sd, 0.08, atol=0.005)


def test_the_usual_gain_is_the_weighted_mean_with_the_spread_of_a_new_task():
    """Three tasks written out: weights 1 / (v + s0^2); the spread of a fourth about a mean of three, K + 1 over K."""
    means, variances = [0.05, 0.10, 0.21], [0.0, 0.0025, 0.01]
    found = pool_gains([_gain(m, v) for m, v in zip(means, variances, strict=True)])
    weights = [1 / (v + PRIOR_SPREAD**2) for v in variances]
    centre = sum(w * m for w, m in zip(weights, means, strict=True)) / sum(weights)
    scatter = sum((m - centre) ** 2 for m in means)
    variance = (PRIOR_TASKS * PRIOR_SPREAD**2 + scatter) / (PRIOR_TASKS + 3 - 1) * 4 / 3
    np.testing.assert_allclose(found.mean, centre)
    np.testing.assert_allclose(found.sd, np.sqrt(variance))
    assert found.n_tasks == 3


def test_a_gain_is_known_where_both_have_run():
    """Labels up to 1000 by themselves, labels up to 10,000 and texts up to 30,000 distilled: both, up to 1000."""
    annotate = make_surface(np.full((2, 2), 0.5), (np.array([100.0, 1000.0]),))
    distill = make_surface(
        np.full((2, 2, 2), 0.6), (np.array([100.0, 1e4]), np.array([1000.0, 3e4])), strategy="distill"
    )
    found = measure_gain(annotate, distill)
    np.testing.assert_array_equal(found.inside, (SIZES[:, 0] <= 1000) & (SIZES[:, 1] <= 30_000))
    np.testing.assert_allclose(found.mean, 0.1)


def test_a_task_whose_gain_is_not_known_hardly_counts():
    sure, unsure = (
        pool_gains([_gain(0.1), _gain(0.1), _gain(0.9)]),
        pool_gains([_gain(0.1), _gain(0.1), _gain(0.9, 9.0)]),
    )
    assert abs(unsure.mean[0] - 0.1) < 0.01 < abs(sure.mean[0] - 0.1)


def test_one_task_or_sizes_that_few_have_run_tell_no_gain():
    assert pool_gains([_gain(0.1)]) is None
    some = np.arange(len(SIZES)) < 3
    found = pool_gains([_gain(0.1, inside=some), _gain(0.2, inside=some), _gain(0.3, inside=~some)])
    np.testing.assert_array_equal(found.at, SIZES[:3])


def _independent(n):
    low, high = 0.5 + 0.1 * RNG.standard_normal(n), 0.6 + 0.1 * RNG.standard_normal(n)
    annotate = make_surface(np.repeat(low[:, None], 2, axis=1), (FLAT,))
    distill = make_surface(np.tile(high[:, None, None], (1, 2, 2)), (FLAT, FLAT), strategy="distill")
    return annotate, distill


def test_pairs_follow_bayes_where_all_is_normal(monkeypatch):
    """A gain of variance 2 x 0.1^2 seen with deviation 0.05 about 0.2: the product of two normals."""
    monkeypatch.setattr(gains, "DEGREES_OF_FREEDOM", 1e6)
    annotate, distill = _independent(1500)
    told = GainPrior(SIZES[:4], np.full(4, 0.2), np.full(4, 0.05), 3)
    one, (two,), _ = pair_draws(annotate, [(distill, told)], 1500, np.random.default_rng(2))
    gap = distill.draws[two, 0, 0] - annotate.draws[one, 0]
    prior, seen = 1 / 0.02, 1 / 0.05**2
    prior_mean = distill.draws.mean() - annotate.draws.mean()
    assert gap.mean() == pytest.approx((prior * prior_mean + seen * 0.2) / (prior + seen), abs=0.005)
    assert gap.std() == pytest.approx((prior + seen) ** -0.5, rel=0.07)


def test_two_teachers_of_a_student_are_joint_with_its_labels_as_bayes_has_it(monkeypatch):
    """Five normals, three coordinates (on labels, from either teacher) and two gains: solved as linear equations."""
    monkeypatch.setattr(gains, "DEGREES_OF_FREEDOM", 1e6)
    annotate, one = _independent(1500)
    two = _independent(1500)[1]
    told = [GainPrior(SIZES[:1], np.array([mean]), np.array([0.05]), 3) for mean in (0.2, 0.0)]
    rows, beside, _ = pair_draws(annotate, list(zip((one, two), told, strict=True)), 1500, np.random.default_rng(4))
    found = np.stack([annotate.draws[rows, 0], *(s.draws[at, 0, 0] for s, at in zip((one, two), beside, strict=True))])
    prior = [s.draws.reshape(1500, -1)[:, 0] for s in (annotate, one, two)]
    seen = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])  # the gains
    precision = np.diag([1 / p.var() for p in prior]) + seen.T @ seen / 0.05**2
    weighed = np.array([p.mean() / p.var() for p in prior]) + seen.T @ [0.2, 0.0] / 0.05**2
    np.testing.assert_allclose(found.mean(axis=1), np.linalg.solve(precision, weighed), atol=0.01)
    np.testing.assert_allclose(np.cov(found), np.linalg.inv(precision), atol=0.0012)


def test_the_weight_of_a_pair_is_the_density_of_its_mean_gain():
    """Student's t of four degrees of freedom, (1 + x^2 / 4)^(-5/2), of the gain that a pair implies.

    Eight sizes that all say the same weigh as one. One draw of labels, so the draws distilled follow the weights.
    """
    levels = np.array([0.55, 0.60, 0.70, 0.85])
    annotate = make_surface(np.full((1, 2), 0.5), (FLAT,))
    distill = make_surface(np.tile(levels[:, None, None], (1, 2, 2)), (FLAT, FLAT), strategy="distill")
    told = GainPrior(SIZES[:8], np.full(8, 0.1), np.full(8, 0.05), 3)
    _, (beside,), _ = pair_draws(annotate, [(distill, told)], 20_000, np.random.default_rng(6))
    density = (1 + ((levels - 0.5 - 0.1) / 0.05) ** 2 / 4) ** -2.5
    np.testing.assert_allclose(np.bincount(beside, minlength=4) / 20_000, density / density.sum(), atol=0.012)


def test_the_open_share_is_that_of_effective_pairs():
    """Weights of 1 and nearly 0 leave one pair of four; even weights leave them all."""
    annotate = make_surface(np.full((1, 2), 0.5), (FLAT,))
    for top, share in ((1e3, 0.25), (0.6, 1.0)):
        levels = np.array([0.6, top, top, top])
        distill = make_surface(np.tile(levels[:, None, None], (1, 2, 2)), (FLAT, FLAT), strategy="distill")
        told = GainPrior(SIZES[:1], np.array([0.1]), np.array([0.05]), 3)
        assert pair_draws(annotate, [(distill, told)], 4, np.random.default_rng(0)).effective_share == pytest.approx(
            [share]
        )


def test_a_gain_that_is_far_off_all_others_is_not_argued_away():
    """Draws sure of a gain of 0.1, others of 0.6 give or take 0.02: pairs stay as they were."""
    rng = np.random.default_rng(3)
    annotate = make_surface(np.repeat(0.5 + 0.001 * rng.standard_normal((400, 1)), 2, axis=1), (FLAT,))
    distill = make_surface(np.full((400, 2, 2), 0.6), (FLAT, FLAT), strategy="distill")
    told = GainPrior(SIZES[:1], np.array([0.6]), np.array([0.02]), 3)
    one, _, (share,) = pair_draws(annotate, [(distill, told)], 400, rng)
    assert share > 0.99
    assert annotate.draws[one].mean() == pytest.approx(0.5, abs=0.0005)
    assert len(set(one)) > 350


def _task(task, lift, sizes=(100, 300, 1000, 3000, 10_000)):
    def row(n, u=None):
        score = 0.4 + 0.4 / (1 + 1500 / n) + (lift if u else 0.0)
        changes = {"strategy": "distill", "teacher": "xxl", "n_unlabeled": float(u)} if u else {}
        return make_row(key=f"{task}-{n}-{u}", task=task, n_labels=float(n), score=score, **changes)

    return [row(n) for n in sizes] + [row(n, u) for n in sizes for u in (3000, 30_000)]


OTHERS = [*_task("fever", 0.10), *_task("wlp", 0.12), *_task("nq", 0.14)]


def _gap(fit, n=3000.0, u=30_000.0):
    annotate, distill = fit.surfaces
    return distill.at([[n, u]])[:, 0] - annotate.at([[n]])[:, 0]


def test_a_pilot_believes_what_other_tasks_gained():
    pilot = _task("stance", 0.12, sizes=(100,))[:2]
    alone, beside = fit_task(pilot, n_draws=200), fit_task(pilot, others=OTHERS, n_draws=200)
    assert abs(_gap(beside).mean() - 0.12) < min(abs(_gap(alone).mean() - 0.12), 0.05)
    assert _gap(beside).std() < _gap(alone).std()
    assert any("rest on the prior and on 3 other tasks" in w for w in caution_words(beside.cautions))
    assert any("over labels alone rests in part on 3 other tasks" in w for w in caution_words(beside.cautions))


@pytest.mark.parametrize("lift", [0.12, -0.08])
def test_a_pilot_beside_other_tasks_gains_what_is_true(lift):
    """Known parameters recovered: labels tell the curve, others the gain, of which the one row distilled tells little."""
    others = [m for task, more in (("fever", -0.02), ("wlp", 0.0), ("nq", 0.02)) for m in _task(task, lift + more)]
    own = [m for m in _task("stance", lift) if m.route.strategy == "annotate"]
    fit = fit_task([*own, _task("stance", lift, sizes=(100,))[1]], others=others, n_draws=200)
    (truth,) = (m.score for m in _task("stance", lift) if (m.n_labels, m.n_unlabeled) == (3000, 30_000))
    assert _gap(fit).mean() == pytest.approx(lift, abs=0.05)
    assert fit.surfaces[1].at([[3000.0, 30_000.0]]).mean() == pytest.approx(truth, abs=0.05)


def test_the_floor_of_a_usual_curve_stays_a_tasks_own():
    """Where the default answers of one task lie says nothing of another's: standard normal, as before; the rest moves."""
    own = _group_rows(_task("stance", 0.12, sizes=(100, 300)))
    known = _population_prior(own, OTHERS, 0).curves
    assert {kin[0] for kin in known} == {"labels", "transfer"}
    for prior in known.values():
        assert prior.source == 3
        for mean, sd in prior.normals:
            np.testing.assert_array_equal([mean[:N_FLOOR], sd[:N_FLOOR]], [[0.0] * N_FLOOR, [1.0] * N_FLOOR])
            assert np.abs(mean[N_FLOOR:]).max() > 0.3
            assert (sd <= 1).all()


def test_labels_of_an_llm_stay_in_the_world_of_human_labels_when_draws_are_paired():
    """Without a label of the LLM a mixed student is one trained on human labels: draw by draw, also of the kept ones."""
    mixed = [
        make_row(key=f"mixed-{n}", strategy="annotate_plus_llm", labeler="llm", n_labels=100.0, n_llm_labels=n,
                score=0.5)
        for n in (300.0, 1000.0)
    ]  # fmt: skip
    fit = fit_task([*_task("stance", 0.12, sizes=(100,)), *mixed], others=OTHERS, n_draws=50)
    annotate, both, distill = fit.surfaces
    assert both.route.strategy == "annotate_plus_llm"
    np.testing.assert_allclose(both.at([[100.0, 0.0], [3000.0, 0.0]]), annotate.at([[100.0], [3000.0]]), atol=2e-3)
    np.testing.assert_array_equal([s.n_draws for s in fit.surfaces], 50)
    assert np.corrcoef(annotate.at([[3000.0]])[:, 0], distill.at([[3000.0, 30_000.0]])[:, 0])[0, 1] > 0.2


def test_a_task_fitted_for_others_is_fitted_again_where_its_floor_is_another(monkeypatch):
    """The fits that are kept in memory depend on the task's facts too, which somebody may register anew."""
    own = _task("stance", 0.12, sizes=(100,))
    before = fit_task(own, others=OTHERS, n_draws=20)
    raised = replace(TASKS["fever"], floors=(0.0, 0.1))
    monkeypatch.setattr("budgetsim.fitting.task.known_tasks", lambda: (raised, TASKS["stance"]))
    after = fit_task(own, others=OTHERS, n_draws=20)
    assert any((a.draws != b.draws).any() for a, b in zip(before.surfaces, after.surfaces, strict=True))


def test_of_other_tasks_only_what_is_asked_is_fitted(monkeypatch):
    """Enough sizes of one's own and no distilling ask nothing; few sizes ask for that curve, a pair for both sides.

    What is asked for is counted once, as the memory of fits does, so that fits of other tests here serve.
    """
    enough = [m for m in _task("stance", 0.1, sizes=(100, 300, 1000, 3000, 10_000)) if m.route.strategy == "annotate"]
    few = [m for m in _task("stance", 0.1, sizes=(100,)) if m.route.strategy == "annotate"]
    pair = _task("stance", 0.1, sizes=(100, 300, 1000, 3000, 10_000))
    asked, wanted = {}, set()

    def fit_other(*what):
        wanted.add(what)
        return _fit_other(*what)

    monkeypatch.setattr("budgetsim.fitting.task._fit_other", fit_other)
    for name, rows in (("enough", enough), ("few", few), ("pair", pair)):
        wanted.clear()
        found = _population_prior(_group_rows(rows), OTHERS, 0)
        asked[name] = (len(wanted), len(found.curves), len(found.gains))
    assert asked == {"enough": (0, 0, 0), "few": (3, 1, 0), "pair": (6, 2, 1)}


def test_many_sizes_of_ones_own_outweigh_other_tasks():
    own = _task("stance", -0.05)
    fit = fit_task(own, others=OTHERS, n_draws=200)
    assert _gap(fit).mean() == pytest.approx(-0.05, abs=0.02)
    assert not fit.cautions


def test_other_tasks_are_part_of_what_a_fit_depends_on():
    own = _task("stance", 0.1, sizes=(100,))
    found = {rows_hash(own), rows_hash(own, OTHERS), rows_hash(own, OTHERS[:-1])}
    assert len(found) == 3
    assert rows_hash(own, OTHERS) == rows_hash(own[::-1], OTHERS[::-1])
    assert fit_task(own, others=OTHERS, n_draws=20).rows_hash == rows_hash(own, OTHERS)


def test_rows_of_the_task_among_the_others_are_refused():
    own = _task("stance", 0.1)
    with pytest.raises(InputError, match="1 are of stance; leave them out"):
        fit_task(own, others=own[:1])


def test_others_with_no_usable_row_tell_nothing():
    own = _task("stance", 0.1, sizes=(100, 300))
    nothing = [replace(m, task="fever", n_labels=None) for m in own]
    alone, beside = fit_task(own, n_draws=20), fit_task(own, others=nothing, n_draws=20)
    for one, two in zip(alone.surfaces, beside.surfaces, strict=True):
        np.testing.assert_array_equal(one.draws, two.draws)


def test_evidence_hands_a_fit_the_sets_of_its_own_kind():
    evidence = load_evidence(StorePaths(ROOT / "results" / "budgetsim.duckdb"), tasks=["wlp_typing", "stance"])
    shipped = {"fever", "multipit_id", "stance", "sst2", "banking77"}
    assert {d.task for d in evidence.ran} >= shipped  # designs of all, and the runs of those that the fit leans on
    assert {m.task for m in evidence.others("wlp_typing")} >= {"fever", "multipit_id"}
    assert len({kind_of_set(m.evidence_set) for m in evidence.others("wlp_typing")}) == 1
    assert {m.source for m in evidence.others("wlp_typing")} == {"measured"}
    assert {m.evidence_set for m in evidence.others("stance")} == {"published-kang2023"}
    assert "stance" not in {m.task for m in evidence.others("stance")}
    only = load_evidence(evidence.paths, tasks=["stance"])
    assert {m.source for m in only.related} == {m.source for m in only.measurements} == {"published:kang2023"}


def test_of_several_sets_of_a_kind_the_largest_is_related():
    catalogue = {"a": {"measured-cpu-mini-1": 3, "measured-cpu-mini-2": 5, "published-x": 9}, "b": {"published-x": 1}}
    assert related_sets(catalogue, {"measured-cpu-mini"}) == {"a": {"measured-cpu-mini-2"}, "b": set()}
