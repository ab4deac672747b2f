"""Sufficient statistics of replicates against the same runs taken one by one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from budgetsim.design.cautions import GroupName
from budgetsim.fitting.groups import RowGroup, _sample
from budgetsim.fitting.onset import Floors
from budgetsim.fitting.replicates import Replicates
from budgetsim.fitting.residual import Residual, correlation
from budgetsim.fitting.sampler import temper
from made import make_row

FLOORS = Floors(0.40, 0.45, True)
LENGTHS = (2.0, 3.0)
AMPLITUDE, NOISE = np.array([0.05, 0.2, 0.01]), np.array([0.03, 0.01, 0.3])


def _runs(seed, n_designs=5):
    rng = np.random.default_rng(seed)
    at = rng.uniform(0, 4, (n_designs, 2))[rng.integers(n_designs, size=14)]
    return at, 0.5 + 0.1 * rng.standard_normal(14)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_density_is_that_of_every_run(seed):
    """A multivariate normal of fourteen runs, some of the same design, about a curve that differs by particle."""
    at, score = _runs(seed)
    seen = Replicates.of(at, score)
    residual = Residual.over(seen.at, LENGTHS, seen.count)
    curve = np.random.default_rng(seed + 1).uniform(0.4, 0.6, (3, len(seen.mean)))
    found = residual.log_likelihood(seen.mean - curve, AMPLITUDE, NOISE) + seen.scatter(NOISE)
    for k in range(3):
        covariance = AMPLITUDE[k] ** 2 * correlation(at, at, LENGTHS) + NOISE[k] ** 2 * np.eye(len(at))
        wanted = multivariate_normal(curve[k, seen.design], covariance).logpdf(score)
        np.testing.assert_allclose(found[k], wanted, rtol=1e-6)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_runs_of_designs_that_stray_further_have_their_own_variance(seed):
    """As above with a standard deviation a design; logarithms of those are left out, which no particle changes."""
    at, score = _runs(seed)
    spread = np.exp(0.3 * at[:, 0])
    seen = Replicates.of(at, score, None, spread)
    residual = Residual.over(seen.at, LENGTHS, seen.weight)
    curve = np.random.default_rng(seed + 1).uniform(0.4, 0.6, (3, len(seen.mean)))
    found = residual.log_likelihood(seen.mean - curve, AMPLITUDE, NOISE) + seen.scatter(NOISE)
    gap, sd = residual.leave_one_out(seen.mean - curve, AMPLITUDE, NOISE)
    gap, sd = seen.leave_one_out(slice(None), gap, sd, NOISE)
    for k in range(3):
        covariance = AMPLITUDE[k] ** 2 * correlation(at, at, LENGTHS) + np.diag((NOISE[k] * spread) ** 2)
        wanted = multivariate_normal(curve[k, seen.design], covariance).logpdf(score)
        np.testing.assert_allclose(found[k] - np.log(spread).sum(), wanted, rtol=1e-6)
        precision = np.linalg.inv(covariance)  # Rasmussen & Williams (2006), 5.10 to 5.12
        np.testing.assert_allclose(sd[k], 1 / np.sqrt(np.diag(precision)), rtol=1e-6)
        solved = precision @ (score - curve[k, seen.design])
        np.testing.assert_allclose(gap[k], solved / np.diag(precision), rtol=1e-5, atol=1e-9)


def test_of_independent_runs_the_density_is_the_product():
    """Without a process: the sum of fourteen normal log densities."""
    at, score = _runs(3)
    seen = Replicates.of(at, score)
    found = Residual.over(seen.at, LENGTHS, seen.count).log_likelihood(
        seen.mean[None] - 0.5, np.array([1e-9]), np.array([0.07])
    ) + seen.scatter(np.array([0.07]))
    np.testing.assert_allclose(found[0], norm(0.5, 0.07).logpdf(score).sum())


def test_a_run_left_out_is_predicted_by_all_others():
    """Conditional normals written out run by run; the other runs of its design count."""
    at, score = _runs(4)
    seen = Replicates.of(at, score)
    gap, sd = Residual.over(seen.at, LENGTHS, seen.count).leave_one_out(
        seen.mean - 0.5 + np.zeros((3, 1)), AMPLITUDE, NOISE
    )
    gap, sd = seen.leave_one_out(slice(None), gap, sd, NOISE)
    for k in range(3):
        covariance = AMPLITUDE[k] ** 2 * correlation(at, at, LENGTHS) + NOISE[k] ** 2 * np.eye(len(at))
        for i in range(len(at)):
            rest = np.arange(len(at)) != i
            gain = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, i])
            np.testing.assert_allclose(gap[k, i], score[i] - 0.5 - gain @ (score[rest] - 0.5), atol=1e-9)
            np.testing.assert_allclose(sd[k, i], np.sqrt(covariance[i, i] - gain @ covariance[rest, i]))


def test_the_posterior_is_that_of_the_runs_one_by_one():
    """The sampler on the plain likelihood of 28 runs, no two taken together, against the fit of their 7 designs.

    Evidence, and mean and spread of the curve at sizes measured and not, within the scatter of two runs of the sampler.
    """
    rng, sizes = np.random.default_rng(6), np.repeat([50, 100, 300, 1000, 3000, 10_000, 30_000], 4)
    scores = 0.45 + 0.4 / (1 + 2000 / sizes) + 0.01 * rng.standard_normal(len(sizes))
    rows = [
        make_row(key=str(i), n_labels=float(n), score=s) for i, (n, s) in enumerate(zip(sizes, scores, strict=True))
    ]
    group = RowGroup(name=GroupName(kind="labels", route=rows[0].route), rows=rows)
    forms, at = group.forms(FLOORS), np.log1p(sizes)[:, None]
    form, new = forms.forms[0], np.log1p([[30.0], [500.0], [1000.0], [1e5]])
    plain = Residual.over(at, group.lengths)

    def log_likelihood(z):
        return plain.log_likelihood(
            scores - form.score(z, at), forms.amplitude(forms.values(z)), forms.noise(forms.values(z))
        )

    seen = Replicates.of(group.rows_at(), scores)
    residual, prior = Residual.over(seen.at, group.lengths, seen.count), np.stack([np.zeros(10), np.ones(10)])
    slow, fast = [], []
    for seed in range(3):
        slow.append(temper(log_likelihood, forms.n_dimensions, np.random.default_rng([seed, 0]), n_particles=1000))
        rng = np.random.default_rng([seed, 1])
        fast.append(_sample(form, forms, residual, seen, group.teacher_scores(), prior, rng))
    evidence = [np.mean([s.log_evidence for s in found]) for found in (slow, fast)]
    assert abs(evidence[0] - evidence[1]) < 0.4
    curves = [np.stack([form.score(s.z, new) for s in found]) for found in (slow, fast)]
    means, spreads = ([table(c, axis=1) for c in curves] for table in (np.mean, np.std))
    between = np.sqrt((np.var(means[0], axis=0, ddof=1) + np.var(means[1], axis=0, ddof=1)) / 3)
    assert (np.abs(means[0].mean(axis=0) - means[1].mean(axis=0)) < 5 * between + 1e-4).all()
    np.testing.assert_allclose(spreads[0].mean(axis=0), spreads[1].mean(axis=0), rtol=0.15)


def test_counts_means_and_squares_add_up_to_the_runs():
    at, score = _runs(5)
    seen = Replicates.of(at, score)
    assert seen.count.sum() == len(score)
    np.testing.assert_allclose(seen.mean[seen.design] + seen.away, score)
    np.testing.assert_array_equal(seen.at[seen.design], at)
    np.testing.assert_allclose(seen.count @ seen.mean**2 + seen.squares, score @ score)


def test_no_runs_are_no_designs():
    seen = Replicates.of(np.empty((0, 1)), np.empty(0))
    assert len(seen.count) == 0
    np.testing.assert_array_equal(seen.scatter(NOISE), np.zeros(3))


def test_a_run_of_half_certainty_counts_as_half_a_run_and_its_mean_as_it_is():
    seen = Replicates.of(np.array([[1.0], [2.0], [2.0]]), np.array([0.4, 0.5, 0.7]), np.array([0.5, 1.0, 1.0]))
    assert seen.weight.tolist() == [0.5, 2.0]
    assert seen.count.tolist() == [1.0, 2.0]
    np.testing.assert_allclose(seen.mean, [0.4, 0.6])
