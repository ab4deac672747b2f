-- A count that a strategy does not take is 0, of published rows as of measured ones; NULL says that it is not known.
UPDATE runs SET n_unlabeled = 0 WHERE n_unlabeled IS NULL AND strategy IN ('annotate', 'llm_annotate', 'annotate_plus_llm');
UPDATE runs SET n_llm_labels = 0 WHERE n_llm_labels IS NULL AND strategy IN ('annotate', 'distill');
UPDATE runs SET n_labels = 0 WHERE n_labels IS NULL AND strategy = 'llm_annotate';

-- Teachers of published rows as well: what the same source printed of the teacher on as many labels.
CREATE OR REPLACE VIEW teacher_scores AS
SELECT rs.run_id, g.stage_id, g.model AS teacher, g.n_labels, g.seed, g.metric, g.score
FROM run_stages rs
JOIN stages g USING (stage_id)
WHERE g.kind = 'finetune_teacher' AND g.score IS NOT NULL
UNION ALL
SELECT r.run_id, NULL, r.teacher, r.n_labels, NULL, s.metric, avg(s.value)
FROM runs r
JOIN runs t ON t.source = r.source AND t.evidence_set = r.evidence_set AND t.task = r.task
          AND t.strategy = 'annotate' AND t.student = r.teacher AND t.n_labels = r.n_labels
JOIN scores s ON s.run_id = t.run_id AND s.is_main
WHERE r.source <> 'measured' AND t.same_as IS NULL
GROUP BY ALL;
COMMENT ON VIEW teacher_scores IS 'What the teacher of each distilled run scored itself: of a measured run on the same test items, of a published one as its source printed it.';
COMMENT ON COLUMN teacher_scores.run_id IS 'The distilled run.';
COMMENT ON COLUMN teacher_scores.stage_id IS 'The teacher''s stage; NULL of published rows.';
COMMENT ON COLUMN teacher_scores.teacher IS 'The teacher.';
COMMENT ON COLUMN teacher_scores.n_labels IS 'Human labels the teacher was fine-tuned on.';
COMMENT ON COLUMN teacher_scores.seed IS 'Seed of the teacher; NULL of published rows, whose seeds are averaged.';
COMMENT ON COLUMN teacher_scores.metric IS 'Metric of the score.';
COMMENT ON COLUMN teacher_scores.score IS 'The teacher''s own score, percent.';
