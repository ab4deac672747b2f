-- What splitting money between labels and compute gains over spending all of it one way.
CREATE VIEW mix_gains AS
WITH pair AS (
    SELECT
        a.evidence_set, a.task, a.student, d.teacher,
        ca.initial_n_labels, ca.total_cost_usd AS total_usd, a.score AS annotate, d.score AS distill
    FROM points a
    JOIN published_cells ca ON ca.record_id = a.run_id
    JOIN published_cells cd USING (initial_n_labels, additional_budget_usd)
    JOIN points d ON d.run_id = cd.record_id AND (d.evidence_set, d.task, d.student) = (a.evidence_set, a.task, a.student)
    WHERE a.strategy = 'annotate' AND d.strategy = 'distill'
)
SELECT
    pair.*, c.total_cost_usd AS mix_usd, p.n_labels, p.n_unlabeled, p.score AS mix,
    round(p.score - greatest(pair.annotate, pair.distill), 2) AS gain
FROM pair
JOIN points p USING (evidence_set, task, student, teacher)
JOIN published_cells c ON c.record_id = p.run_id AND c.initial_n_labels IS NULL
WHERE p.strategy = 'distill' AND c.total_cost_usd <= pair.total_usd
QUALIFY row_number() OVER (
    PARTITION BY pair.evidence_set, pair.task, pair.student, pair.teacher, pair.initial_n_labels, pair.total_usd
    ORDER BY p.score DESC
) = 1;
COMMENT ON VIEW mix_gains IS 'For each published pair of pure strategies, the best published mix of labels and compute that costs no more.';
COMMENT ON COLUMN mix_gains.evidence_set IS 'Evidence set.';
COMMENT ON COLUMN mix_gains.task IS 'Task name.';
COMMENT ON COLUMN mix_gains.student IS 'Student.';
COMMENT ON COLUMN mix_gains.teacher IS 'Teacher of the distilled arm and of the mix.';
COMMENT ON COLUMN mix_gains.initial_n_labels IS 'Labels that both pure strategies start with.';
COMMENT ON COLUMN mix_gains.total_usd IS 'What either pure strategy costs in all, as printed.';
COMMENT ON COLUMN mix_gains.annotate IS 'Score if the rest buys labels only, percent.';
COMMENT ON COLUMN mix_gains.distill IS 'Score if the rest buys compute only, percent.';
COMMENT ON COLUMN mix_gains.mix_usd IS 'What the mix costs, as printed.';
COMMENT ON COLUMN mix_gains.n_labels IS 'Labels of the mix.';
COMMENT ON COLUMN mix_gains.n_unlabeled IS 'Unlabelled texts of the mix.';
COMMENT ON COLUMN mix_gains.mix IS 'Score of the mix, percent.';
COMMENT ON COLUMN mix_gains.gain IS 'Points the mix gains over the better pure strategy.';
