"""The paper's numbers as they ship: what counts once, what is implied, what is flagged."""

import pytest

from budgetsim.errors import InputError
from budgetsim.store.published import imply_counts, parse_compute, parse_published
from made import ROOT

EVIDENCE = ROOT / "results" / "evidence"
COMPUTE = parse_compute((EVIDENCE / "kang2023_compute_cost.csv").read_text(), "costs")
ROWS = imply_counts(parse_published((EVIDENCE / "kang2023.csv").read_text(), "kang2023.csv"), COMPUTE)
BY_ID = {row.record_id: row for row in ROWS}


def test_copies_count_once():
    assert len(ROWS) == 221
    assert sum(row.same_as is None for row in ROWS) == 203


def test_rows_that_differ_only_in_dollars_stay_apart():
    llm = [r for r in ROWS if r.strategy == "llm_annotate" and r.task == "stance"]
    assert [r.total_cost_usd for r in llm] == [50, 100, 150, 200]
    assert len({r.n_llm_labels for r in llm}) == 4
    assert all(r.derived == ("n_llm_labels",) for r in llm)


def test_texts_implied_by_a_budget_restated_by_hand():
    """WLP, 1,000 labels and $100: (100 - 15.8) / 0.0043566 texts."""
    row = BY_ID["kang2023-002"]
    assert row.n_unlabeled == round((100 - 15.8) / 0.0043566) == 19327
    assert row.derived == ("n_unlabeled",)


def test_the_pool_caps_what_is_implied_and_says_so():
    row = BY_ID["kang2023-008"]  # WLP, 1,000 labels and $500
    assert row.n_unlabeled == 100_000
    assert row.implied_n_unlabeled == pytest.approx((500 - 15.8) / 0.0043566, rel=1e-6)
    assert row.derived == ("n_unlabeled", "capped:n_unlabeled")
    # evidence for the cap: cells whose budget pays for 98K texts or more, on tasks with a grid
    implied = [r.implied_n_unlabeled for r in ROWS if (r.implied_n_unlabeled or 0) > 95_000 and r.same_as is None]
    assert len([n for n in implied if 98_000 <= n <= 238_000]) >= 12


def test_a_budget_that_cannot_pay_the_teacher_is_no_result():
    infeasible = [r for r in ROWS if not r.feasible]
    assert [(r.record_id, r.task, r.score) for r in infeasible] == [("kang2023-090", "nq", 0.0)]


def test_other_pairs_of_models_get_no_texts():
    others = [r for r in ROWS if r.strategy == "distill" and (r.student, r.teacher) != ("t5-v1_1-small", "t5-v1_1-xxl")]
    assert len(others) == 12
    assert all(r.n_unlabeled is None for r in others)


def test_teacher_cost_is_monotone_and_exact_at_the_printed_sizes():
    for cost in COMPUTE:
        sizes = [10, 100, 300, 500, 700, 1000, 3000, 5000, 10_000, 30_000]
        usd = [cost.teacher_usd_at(n) for n in sizes]
        assert usd == sorted(usd)
        assert cost.teacher_usd_at(5000) == {n: u for n, u, _ in cost.teacher_usd}[5000]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",50,,printed", ",500,,printed", "line 2, score: found '500', wanted a number from 0 to 100"),
        (",50,,printed", ",nan,,printed", "line 2, score: found 'nan'"),
        ("annotate,t5-v1_1-small,,,1384", "anotate,t5-v1_1-small,,,1384", "line 2, strategy: found 'anotate'"),
        ("1384", "13.5", "line 2, n_labels: found 13.5, wanted a whole number"),
        ("record_id,", "id,", "lacks record_id"),
        ("kang2023-002,", "kang2023-001,", "record_id kang2023-001 stands twice"),
        ("kang2023-194,kang2023-006", "kang2023-194,kang2023-999", "same_as kang2023-999, which is not in the table"),
        ("kang2023-001,,main_results,wlp", "kang2023-001,,main_results", "line 2: the row has another number of cells"),
    ],
)
def test_a_bad_table_names_line_and_column(old, new, message):
    text = (EVIDENCE / "kang2023.csv").read_text()
    assert old in text
    with pytest.raises(InputError, match=message):
        parse_published(text.replace(old, new, 1), "kang2023.csv")
