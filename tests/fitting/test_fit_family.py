"""What joins the rows of a group: worth of LLM labels, a teacher's own score, related students."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from budgetsim.design.cautions import GroupName
from budgetsim.design.points import Route
from budgetsim.fitting.forms import label_forms, transfer_forms
from budgetsim.fitting.groups import (
    STUDENT_CORRELATION,
    Prior,
    RowGroup,
    _diagnose,
    _leave_one_out,
    _score_falls,
    _shares,
    correlate,
    sample_posterior,
)
from budgetsim.fitting.labelers import N_LABELER, Labeler
from budgetsim.fitting.onset import Floors, sigmoid
from budgetsim.fitting.replicates import Replicates
from budgetsim.fitting.residual import Residual
from budgetsim.fitting.task import fit_task
from budgetsim.report.cautions import caution_words
from budgetsim.store.database import open_reader
from budgetsim.store.measurements import load_measurements
from made import ROOT, make_row

STORE = ROOT / "results" / "budgetsim.duckdb"
FLOORS = Floors(0.45, 0.5, True)
SIZES = (100, 300, 1000, 3000, 10_000, 30_000)
COUNTS = np.array([0.0, 1.0, 30.0, 1e3, 3e4, 1e6, 1e9])


@pytest.fixture(scope="module", autouse=True)
def _fewer_particles():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("budgetsim.fitting.groups.N_PARTICLES", 600)
        yield


def _draws(seed, n_dimensions):
    return np.random.default_rng(seed).standard_normal((50, n_dimensions))


def _score(n):
    return 0.352 + 0.4 / (1 + 2000 / n)


def annotate(n, **changes):
    return make_row(key=f"a{n}{changes}", n_labels=float(n), score=_score(n), **changes)


def labels_group(rows, labelers=()):
    name = GroupName(kind="labels", route=Route(strategy="annotate", student="small"))
    return RowGroup(name=name, rows=rows, labelers=labelers)


def llm(m, score, labeler=None, n=None):
    strategy = "llm_annotate" if n is None else "annotate_plus_llm"
    return make_row(
        key=f"l{m}{n}{labeler}",
        strategy=strategy,
        labeler=labeler,
        n_llm_labels=float(m),
        n_labels=n,
        score=score,
    )


@pytest.mark.parametrize("labeler", [Labeler(), Labeler(0.05), Labeler(0.6), Labeler(1.0)])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_llm_labels_never_hurt_and_level_off_at_the_noise_floor(labeler, seed):
    z = _draws(seed, N_LABELER)
    middle, slope = np.full((50, 1), np.log(1000.0)), np.full((50, 1), 0.8)
    effective = labeler.effective(z, COUNTS, middle, slope)
    assert (effective[:, 0] == 0).all()
    assert (np.diff(effective, axis=1) >= 0).all()
    assert (effective <= labeler.worth(z, COUNTS) + 1e-9).all()
    reached = sigmoid(slope * (np.log1p(effective) - middle))
    assert (reached <= np.maximum(sigmoid(labeler.log_odds(z)), sigmoid(slope * (1e-3 - middle))) + 1e-9).all()


@given(seed=st.integers(0, 10_000), form=st.integers(0, 1))
@settings(max_examples=20, deadline=None)
def test_without_llm_labels_the_curve_is_that_of_annotation(seed, form):
    plain, mixed = label_forms(FLOORS), label_forms(FLOORS, [Labeler(), Labeler(0.6)])
    z, n = _draws(seed, mixed.n_dimensions), np.log1p(COUNTS)[:, None]
    alone = plain.forms[form].score(z[:, : plain.n_dimensions], n)
    at = np.column_stack([n, np.zeros((len(n), 2))])
    np.testing.assert_allclose(mixed.forms[form].score(z, at), alone, atol=1e-12)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_llm_labels_add_nothing_to_endless_human_ones(seed):
    (form, _), n_dimensions = (
        label_forms(FLOORS, [Labeler(0.6)]).forms,
        label_forms(FLOORS, [Labeler(0.6)]).n_dimensions,
    )
    z = _draws(seed, n_dimensions)
    human, both = form.score(z, np.log1p([[1e15, 0.0], [1e15, 1e6]])).T
    np.testing.assert_allclose(human, both, atol=1e-4)


def test_a_student_that_copies_errors_scores_as_its_labeler():
    """h = 1 and a ceiling of 1: f + (1 - f) k is the labeler's accuracy."""
    labeler = Labeler.named("simulated:accuracy=0.8", 0.5)
    z = np.array([[0.0, 0.0, -np.log(0.3)]])
    middle, slope = np.array([[np.log(1000.0)]]), np.array([[1.0]])
    effective = labeler.effective(z, np.array([1e12]), middle, slope)
    assert 0.5 + 0.5 * sigmoid(slope * (np.log1p(effective) - middle))[0, 0] == pytest.approx(0.8, abs=1e-3)


def test_a_flipped_label_is_worth_the_square_of_what_it_knows():
    """A binary label flipped with chance 1 - a shrinks every contrast by 2a - 1: (2a - 1)^2 of the information."""
    assert Labeler.named("simulated:accuracy=0.9", 0.5).worth(np.zeros((1, 3)), np.array([1000.0]))[
        0, 0
    ] == pytest.approx(640)


def test_accuracy_in_the_name_orders_labelers_that_have_one_row_each():
    rows = [annotate(n) for n in SIZES]
    same = [llm(500, _score(100), f"simulated:accuracy={a}") for a in (0.6, 0.95)]
    fit = fit_task([*rows, *same], n_draws=200)
    poor, good = (s for s in fit.surfaces if s.route.strategy == "llm_annotate")
    assert good.at([[20_000.0]]).mean() > poor.at([[20_000.0]]).mean() + 0.03


def test_labels_that_stopped_helping_are_not_expected_to_help_again():
    rows = [annotate(n) for n in SIZES]
    level = [llm(m, 0.50 + 0.001 * i, "gpt-3.5") for i, m in enumerate((1000, 3000, 10_000, 30_000))]
    fit = fit_task([*rows, *level], n_draws=200)
    human, machine = fit.surfaces
    assert machine.at([[300_000.0]]).mean() < 0.55
    assert human.at([[300_000.0]]).mean() > 0.70


def test_mixed_labels_add_up():
    rows = [*(annotate(n) for n in SIZES), *(llm(m, _score(0.3 * m), "gpt-3.5") for m in (1000, 4000))]
    rows.append(llm(4000, _score(1000 + 1200), "gpt-3.5", 1000.0))
    fit = fit_task(rows, n_draws=200)
    (mixed,) = (s for s in fit.surfaces if s.route.strategy == "annotate_plus_llm")
    found = mixed.at([[3000.0, 4000.0], [10_000.0, 0.0]]).mean(axis=0)
    assert np.abs(found - [_score(4200), _score(10_000)]).max() < 0.015


def test_draws_of_all_labelers_are_one_world():
    rows = [annotate(n) for n in SIZES[:4]]
    rows += [llm(m, _score(0.4 * m), f"simulated:accuracy={a}") for a in (0.8, 0.9) for m in (500, 2000)]
    human, one, two = fit_task(rows, n_draws=200).surfaces
    for machine in (one, two):
        assert np.corrcoef(human.at([[1e6]])[:, 0], machine.at([[1e6]])[:, 0])[0, 1] > 0.2


def test_a_measured_accuracy_counts_as_a_stated_one_and_a_stated_one_counts_first():
    stated = [llm(m, _score(0.36 * m), "simulated:accuracy=0.8") for m in (500, 2000)]
    asked = [replace(m, route=replace(m.route, labeler="chat:x"), labeler_accuracy=a)
             for m, a in zip(stated, (0.75, 0.85), strict=True)]  # fmt: skip
    misled = [replace(m, labeler_accuracy=0.1) for m in stated]
    labelers = [
        RowGroup(name=GroupName(kind="labels", route=rows[0].route), rows=rows, labelers=(rows[0].route.labeler,))
        .labeler(rows[0].route.labeler, 0.5).beyond_guess
        for rows in (stated, asked, misled, [replace(m, labeler_accuracy=None) for m in asked])
    ]  # fmt: skip
    assert labelers[:3] == pytest.approx([0.6, 0.6, 0.6])
    assert labelers[3] is None


def taught(n, u, seed=0, known=True):
    """A student that reaches a share of its teacher's rise, which an onset near 1000 labels holds back."""
    knows = 0.8 / (1 + 500 / n) / (1 + (900 / n) ** 8)
    score = 0.455 + 0.5 * knows**0.5 / (1 + 3000 / u)
    return make_row(
        key=f"d{n}-{u}",
        strategy="distill",
        teacher="xxl",
        seed=seed,
        n_labels=float(n),
        n_unlabeled=float(u),
        score=score,
        teacher_score=0.455 + 0.545 * knows if known else None,
    )


def test_teachers_are_counted_once():
    rows = [taught(n, u) for n in (100, 1000) for u in (1e3, 1e4)]
    group = RowGroup(name=GroupName(kind="transfer", route=rows[0].route), rows=rows)
    assert group.teacher_scores().at[:, 0].tolist() == pytest.approx(np.log1p([100, 1000]).tolist())


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_a_teacher_rises_between_guess_and_perfect_and_fits_best_where_it_lies(seed):
    forms = transfer_forms(Floors(0.5, 0.5, True), taught=True)
    z, at = _draws(seed, forms.n_dimensions), np.log1p(COUNTS[None])
    score = forms.teacher(forms.values(z), at)
    assert (np.diff(score, axis=1) >= -1e-12).all()
    assert ((score >= 0.5) & (score <= 1)).all()
    z = np.repeat(z[:1], 3, axis=0)
    seen = [Replicates.of(at.T, score[0] + gap) for gap in (0.0, 0.02, -0.05)]
    fits = [forms.teacher_fit(forms.values(z[:1]), s)[0] for s in seen]
    assert fits[0] > fits[1] > fits[2]


@pytest.mark.parametrize("form", [0, 1])
def test_a_student_of_endless_texts_rises_as_its_teacher(form):
    """Where texts are no limit both forms give f + (t - f) K^k, whatever the drift."""
    forms = transfer_forms(Floors(0.5, 0.5, True), taught=True)
    z = _draws(3, forms.n_dimensions)
    log_n = np.log1p(np.array([30.0, 1e3, 1e6]))
    knows = (forms.teacher(forms.values(z), log_n[None]) - 0.5) / 0.5
    rises = (forms.forms[form].score(z, np.column_stack([log_n, np.full(3, 300.0)])) - 0.5) / 0.5
    power = np.exp(np.log(0.5) + 0.7 * z[:, [-2]])
    want = rises[:, -1:] * (knows / knows[:, -1:]) ** power
    learnt = knows > 1e-6  # below, differences of scores lose their digits
    np.testing.assert_allclose(rises[learnt], want[learnt], rtol=1e-5)


def test_teacher_scores_at_more_sizes_sharpen_the_surface_where_the_student_was_not_run():
    rows = [taught(n, u) for n in (100, 10_000) for u in (1e3, 1e4, 1e5)]
    blind = fit_task([replace(m, teacher_score=None) for m in rows], n_draws=200).surfaces[0]
    seeing = fit_task(rows, n_draws=200).surfaces[0]
    truth = taught(100_000, 1e5).score
    errors = [np.abs(s.at([[100_000.0, 1e5]]) - truth).mean() for s in (seeing, blind)]
    assert errors[0] < errors[1]


def test_the_store_knows_the_score_of_measured_teachers():
    with open_reader(STORE) as connection:
        rows = [m for m in load_measurements(connection) if m.route.strategy == "distill"]
    for m in rows:
        tuned = (
            m.source == "measured" and m.route.llm is None
        )  # an LLM that is asked has no labels of its own to score by
        assert (m.teacher_score is not None) == tuned
        assert m.teacher_score is None or 0.1 < m.teacher_score < 1  # 150 intents from 30 labels: .135
    known = [m.score for m in rows if m.teacher_score is not None]
    assert len(known) >= 81


def test_a_group_of_few_rows_leans_on_a_richer_one():
    rich = [annotate(n) for n in SIZES]
    few = [make_row(m, student="large", key=m.key + "L", score=m.score + 0.03) for m in (rich[2], rich[4])]
    alone = fit_task([*rich[:3], *few], n_draws=200).surfaces
    tied = fit_task([*rich, *few], n_draws=200).surfaces
    assert any(
        "rest on the prior and on labels for small" in w
        for w in caution_words(fit_task([*rich, *few], n_draws=20).cautions)
    )
    width = [next(s for s in fit if s.route.student == "large").at([[100_000.0]]).std() for fit in (tied, alone)]
    assert width[0] < width[1]


def test_leaning_keeps_each_coordinate_standard_normal_where_nothing_was_learnt():
    """Z' = r Z + sqrt(1 - r^2) W is standard normal when Z is; it is r m give or take sqrt(1 - r^2) when Z is m."""
    np.testing.assert_allclose(correlate(np.array([[0.0, 0.0], [1.0, 1.0]])), [[0.0, 0.0], [1.0, 1.0]])
    r = STUDENT_CORRELATION
    np.testing.assert_allclose(correlate(np.array([[2.0], [0.0]])), [[2 * r], [np.sqrt(1 - r**2)]])


def test_a_form_that_cannot_be_has_a_quarter_of_the_draws():
    """Half of the draws go evenly to both forms, half by evidence: none to a smooth curve where all rises at once."""
    scores = {n: 0.455 if n < 1000 else 0.655 + 0.02 * np.log(n / 1000) for n in np.geomspace(50, 50_000, 14)}
    rows = [replace(annotate(n), score=float(v)) for n, v in scores.items()]
    posterior = sample_posterior(labels_group(rows), FLOORS, np.random.default_rng(0), 400)
    assert np.bincount(posterior.which).tolist() == [100, 300]
    assert [form["weight"] for form in posterior.diagnostics["forms"]] == [0.25, 0.75]


def test_a_prior_that_rows_cannot_move_is_what_is_learnt():
    """One row of endless labels says nothing of where the floor moves: mean and variance are those of the prior."""
    group = labels_group([annotate(1e9)])
    prior = Prior(3, [np.array([[0.5] * 10, [0.2] * 10])] * 2)
    posterior = sample_posterior(group, FLOORS, np.random.default_rng(1), 400, prior)
    for mean, variance in posterior.moments:
        np.testing.assert_allclose(mean[:3], 0.5, atol=0.04)
        np.testing.assert_allclose(variance[:3], 0.04, rtol=0.2)


def test_shares_go_to_the_largest_remainders():
    """Of 10: 5.5, 2.8 and 1.7 are 5, 2 and 1, and the two left go to .8 and .7."""
    assert _shares(np.array([0.55, 0.28, 0.17]), 10).tolist() == [5, 3, 2]


def test_a_row_left_out_is_predicted_as_by_the_others_alone():
    """A normal mean with a normal prior, seen six times: without a row both posteriors are known in closed form."""
    rng, sd = np.random.default_rng(2), 0.5
    y = 1.0 + sd * rng.standard_normal(6)
    precision = 1 + len(y) / sd**2
    theta = y.sum() / sd**2 / precision + precision**-0.5 * rng.standard_normal((50_000, 1))
    seen = Replicates.of(np.arange(6.0)[:, None], y)
    residual = Residual.over(seen.at, (1.0,), seen.count)
    curve = np.repeat(theta, 6, axis=1)
    error, below = _leave_one_out(residual, seen, curve, np.full(50_000, 1e-9), np.full(50_000, sd))
    others = 1 + 5 / sd**2
    mean = (y.sum() - y) / sd**2 / others
    np.testing.assert_allclose(error, y - mean, atol=0.01)
    np.testing.assert_allclose(below, ndtr((y - mean) / np.sqrt(1 / others + sd**2)), atol=0.01)


def test_a_score_falls_only_where_every_input_grew():
    """Ten times the labels and a tenth of the texts may well score less; more of both may not."""
    before, fewer, more = taught(100, 1e4), taught(1000, 1e3), taught(1000, 2e4)
    rows = [replace(m, score=score) for m, score in ((before, 0.8), (fewer, 0.5), (more, 0.6))]
    name = GroupName(kind="transfer", route=before.route)
    assert _score_falls(RowGroup(name=name, rows=rows[:2]), 0.01) == []
    (fall,) = _score_falls(RowGroup(name=name, rows=rows), 0.01)
    assert (fall.score_from, fall.score_to, fall.key_from, fall.key_to) == (0.8, 0.6, before.key, more.key)
    assert "from 80.0 to 60.0" in caution_words([fall])[0]
    assert _score_falls(RowGroup(name=name, rows=rows), 0.15) == []  # within sqrt(2) of what is tolerated
    many = [replace(m, key=f"{m.key}-{i}") for m in rows for i in range(8)]
    (fall,) = _score_falls(RowGroup(name=name, rows=many), 0.15)  # means of eight tell: sqrt(2 / 8)
    assert fall.score_from - fall.score_to == pytest.approx(0.2)


def test_seeds_that_scatter_are_no_fall():
    """The largest and the smallest of 500 seeds of one design lie six deviations apart, by chance."""
    scores = 0.7 + 0.01 * np.random.default_rng(0).standard_normal(500)
    rows = [replace(annotate(1000), key=str(i), score=float(s)) for i, s in enumerate(scores)]
    assert np.ptp(scores) > 3 * np.sqrt(2) * 0.01
    assert _score_falls(labels_group(rows), 0.03) == []


def test_coverage_of_even_integrals_is_nominal():
    """Probability integrals spread evenly over 0 to 1 are those of intervals that hold what they say."""
    rows, forms = [annotate(n) for n in SIZES], label_forms(FLOORS)
    checks = [(np.full(1000, 0.03), (np.arange(1000) + 0.5) / 1000)] * 2
    found = _diagnose(
        labels_group(rows),
        forms,
        np.array([0.5, 0.5]),
        checks,
        _draws(0, forms.n_dimensions),
        FLOORS,
    )
    assert found["checked"]["coverage"] == {"50": 0.5, "80": 0.8, "90": 0.9, "95": 0.95}
    assert found["loo_rmse_points"] == pytest.approx(3.0)


def test_labels_lie_on_the_axis_of_who_gave_them():
    """Axes: people, then each labeler in order, as log(1 + n)."""
    group = labels_group([annotate(1)], labelers=("one", "two"))
    asked = [("annotate", None, [3.0]), ("llm_annotate", "one", [5.0]), ("annotate_plus_llm", "two", [3.0, 7.0])]
    routes = [(Route(strategy=strategy, labeler=who, student="small"), counts) for strategy, who, counts in asked]
    found = [np.expm1(group.at(route, np.array([counts])))[0] for route, counts in routes]
    np.testing.assert_allclose(found, [[3, 0, 0], [0, 5, 0], [3, 0, 7]])


@pytest.mark.parametrize(
    "forms",
    [
        label_forms(FLOORS, [Labeler(), Labeler(0.6)]),
        label_forms(Floors(0.0, 0.4, False)),
        transfer_forms(FLOORS),
        transfer_forms(FLOORS, taught=True),
    ],
)
def test_parameters_mean_the_same_in_every_form_of_a_group_and_say_where_they_come_from(forms):
    """Coordinates are shared by position between forms, students and tasks, so names stand in one order."""
    names = [p.name for p in forms.parameters]
    assert len(set(names)) == len(names)
    for form in forms.forms:
        assert [p.name for p in form.parameters] == names
        assert all(p.unit and p.source and p.spread > 0 for p in form.parameters)
        assert all(p.median > 0 for p in form.parameters if p.scale == "log")


def test_a_coordinate_is_a_quantile_of_its_parameters_prior():
    """z = -1, 0, 1 are the 16th, 50th and 84th percent: a factor exp(spread) apart on a log scale."""
    z = np.array([[-1.0], [0.0], [1.0]])
    half = next(p for p in label_forms(FLOORS).parameters if p.name == "half_labels")
    np.testing.assert_allclose(half.value(z)[:, 0], 2000 * np.exp([-2.0, 0.0, 2.0]))
    np.testing.assert_allclose(np.exp(half.log_value(z)), half.value(z))
    drift = next(p for p in transfer_forms(FLOORS).parameters if p.name == "drift")
    np.testing.assert_allclose(drift.value(z)[:, 0], [-0.3, 0.0, 0.3])
