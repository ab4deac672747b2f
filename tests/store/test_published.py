"""The paper's numbers as they ship: what counts once, what is implied, what is flagged."""

import pytest

from budgetsim.data.tasks import TASKS
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


ONE_COST = parse_compute(
    "task,teacher,student,dist_usd_per_1k_unlabeled,se,teacher_ft_usd_L100,teacher_ft_usd_L500,teacher_ft_usd_L1000,se_L500\n"
    "stance,big,small,2,0.5,4,3,9,0.25\n",
    "costs",
)[0]
HEAD = "record_id,same_as,task,strategy,student,teacher,n_labels,additional_budget_usd,total_cost_usd,metric,score\n"


def test_printed_dollars_are_read_a_text_with_their_errors():
    assert (ONE_COST.usd_per_text, ONE_COST.usd_per_text_se) == (0.002, 0.0005)
    assert ONE_COST.teacher_usd == ((100, 4.0, 0.0), (500, 3.0, 0.25), (1000, 9.0, 0.0))


@pytest.mark.parametrize(
    ("n", "usd"),
    [(10, 4.0), (100, 4.0), (300, 4.0), (500, 4.0), (750, 6.5), (1000, 9.0), (1500, 14.0)],
)
def test_a_teacher_costs_what_lies_between_the_printed_sizes(n, usd):
    """$4 at 100 labels, no less at 500 ($3 were printed), then $5 more by 1,000 and in proportion beyond."""
    assert ONE_COST.teacher_usd_at(n) == pytest.approx(usd)


@pytest.mark.parametrize(
    ("budget", "texts", "derived"),
    [
        (204, 100_000, ("n_unlabeled",)),
        (206, 100_000, ("n_unlabeled", "capped:n_unlabeled")),
        (104, 50_000, ("n_unlabeled",)),
        (4, 0, ("n_unlabeled",)),
    ],
)
def test_what_is_left_after_the_teacher_buys_texts_up_to_the_pool(budget, texts, derived):
    """(budget - $4) / $0.002, at most the 100,000 texts there were; nothing left is no result."""
    table = f"{HEAD}a,,stance,distill,small,big,100,{budget},500,f1,50\n"
    (row,) = imply_counts(parse_published(table, "t"), [ONE_COST])
    assert (row.n_unlabeled, row.derived, row.feasible) == (texts, derived, budget > 4)
    assert row.implied_n_unlabeled == pytest.approx((budget - 4) / 0.002)


@pytest.mark.parametrize(("strategy", "usd"), [("llm_annotate", 300), ("annotate_plus_llm", 100)])
def test_labels_of_an_llm_are_dollars_over_a_prompt_of_33_texts(strategy, usd):
    """All dollars where only the LLM is paid, the additional ones where people were paid first; $20 a million tokens."""
    (row,) = imply_counts(parse_published(f"{HEAD}a,,stance,{strategy},small,,100,100,300,f1,50\n", "t"), [])
    task = TASKS["stance"]
    label = (32 + 1) * (task.source_tokens + task.target_tokens) * 20 / 1_000_000
    assert row.n_llm_labels == round(usd / label)
    assert row.derived == ("n_llm_labels",)


def test_a_copy_names_the_first_of_its_kind():
    table = (
        f"{HEAD}a,,stance,annotate,s,,1,,,f1,50\nb,a,stance,annotate,s,,1,,,f1,50\nc,b,stance,annotate,s,,1,,,f1,50\n"
    )
    with pytest.raises(InputError, match="c is same_as b, itself a copy"):
        parse_published(table, "t")


def test_a_score_just_above_a_hundred_is_no_percentage():
    with pytest.raises(InputError, match="wanted a number from 0 to 100"):
        parse_published(f"{HEAD}a,,stance,annotate,s,,1,,,f1,100.5\n", "t")
