-- What the teacher of a distilled run scored itself, on the test items of the run.
CREATE VIEW teacher_scores AS
SELECT rs.run_id, g.stage_id, g.model AS teacher, g.n_labels, g.seed, g.metric, g.score
FROM run_stages rs
JOIN stages g USING (stage_id)
WHERE g.kind = 'finetune_teacher' AND g.score IS NOT NULL;
COMMENT ON VIEW teacher_scores IS 'What the teacher of each distilled run scored itself, on the same test items; one teacher may serve many runs.';
COMMENT ON COLUMN teacher_scores.run_id IS 'The distilled run.';
COMMENT ON COLUMN teacher_scores.stage_id IS 'The teacher''s stage.';
COMMENT ON COLUMN teacher_scores.teacher IS 'The teacher.';
COMMENT ON COLUMN teacher_scores.n_labels IS 'Human labels the teacher was fine-tuned on.';
COMMENT ON COLUMN teacher_scores.seed IS 'Seed of the teacher.';
COMMENT ON COLUMN teacher_scores.metric IS 'Metric of the score.';
COMMENT ON COLUMN teacher_scores.score IS 'The teacher''s own score, percent.';
