-- The same rows; asked about one task, the hours of that task's runs alone are summed (a million runs: 2 s became .5 s).
CREATE OR REPLACE VIEW points AS
SELECT
    r.run_id, r.task, r.strategy, r.student, r.teacher, r.labeler,
    r.n_labels, r.n_llm_labels, r.n_unlabeled, r.seed,
    s.metric, s.value AS score, s.n_test,
    h.hours, h.gpu_hours,
    r.source, r.evidence_set, c.panel, r.derived, r.feasible, r.device, r.finished_at
FROM runs r
JOIN scores s ON s.run_id = r.run_id AND s.is_main
LEFT JOIN published_cells c ON c.record_id = r.run_id
LEFT JOIN (
    -- summed in the order of the stages, so that the same rows give the same bits
    SELECT rs.run_id, o.task, list_sum(list(g.seconds ORDER BY g.stage_id)) / 3600 AS hours,
           list_sum(list(g.gpu_hours ORDER BY g.stage_id)) AS gpu_hours
    FROM run_stages rs JOIN runs o USING (run_id) JOIN stages g USING (stage_id) GROUP BY rs.run_id, o.task
) h ON h.run_id = r.run_id AND h.task = r.task
WHERE r.same_as IS NULL;
COMMENT ON VIEW points IS 'Flat: every distinct result with its score and the hours of its stages.';
COMMENT ON COLUMN points.run_id IS 'SHA-256 of the design point; the record_id of a published row.';
COMMENT ON COLUMN points.task IS 'Task name, as in `budgetsim tasks list`.';
COMMENT ON COLUMN points.strategy IS 'annotate, distill, llm_annotate or annotate_plus_llm.';
COMMENT ON COLUMN points.student IS 'The compact model that is used in the end.';
COMMENT ON COLUMN points.teacher IS 'The large model that labels texts; NULL where there is none.';
COMMENT ON COLUMN points.labeler IS 'Who labels besides people: an LLM, or a simulated one.';
COMMENT ON COLUMN points.n_labels IS 'Examples that people labelled.';
COMMENT ON COLUMN points.n_llm_labels IS 'Examples that an LLM labelled; of published rows derived from dollars.';
COMMENT ON COLUMN points.n_unlabeled IS 'Texts that the teacher soft-labelled; NULL where it is not known.';
COMMENT ON COLUMN points.seed IS 'Seed of the run; NULL for published rows.';
COMMENT ON COLUMN points.metric IS 'Metric, as the task names it.';
COMMENT ON COLUMN points.score IS 'Percent of the metric, 0 to 100.';
COMMENT ON COLUMN points.n_test IS 'Items of the test split.';
COMMENT ON COLUMN points.hours IS 'Wall-clock hours of the stages the run rests on; NULL where they are not known.';
COMMENT ON COLUMN points.gpu_hours IS 'GPU-hours of those stages.';
COMMENT ON COLUMN points.source IS 'measured, or published:NAME.';
COMMENT ON COLUMN points.evidence_set IS 'Source, split, model family and device class in one name; fits never mix sets.';
COMMENT ON COLUMN points.panel IS 'Table or figure of the paper, for published rows.';
COMMENT ON COLUMN points.derived IS 'Names of the counts that were computed from the printed dollars, not printed; capped:n_unlabeled where the pool cut it.';
COMMENT ON COLUMN points.feasible IS 'False where the printed budget cannot pay for the teacher; kept, shown, never fitted.';
COMMENT ON COLUMN points.device IS 'Name of the device; NULL for published rows.';
COMMENT ON COLUMN points.finished_at IS 'When the run ended, UTC.';
