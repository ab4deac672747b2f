-- Rows of one task lie together and say so in every table, so that a question about one task passes over those of others;
-- no indexes, which were four fifths of the file and most of a merge: ids are told apart when rows are loaded.
-- Hours stand with their run; designs are counted once, when runs come in.

CREATE TABLE new_runs (
    run_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    evidence_set VARCHAR NOT NULL,
    same_as VARCHAR,
    task VARCHAR NOT NULL,
    split_id VARCHAR,
    strategy VARCHAR NOT NULL,
    student VARCHAR NOT NULL,
    teacher VARCHAR,
    labeler VARCHAR,
    n_labels BIGINT,
    n_llm_labels BIGINT,
    n_unlabeled BIGINT,
    derived VARCHAR[] NOT NULL DEFAULT [],
    feasible BOOLEAN NOT NULL DEFAULT true,
    unlabeled_source VARCHAR,
    recipe_id VARCHAR,
    recipe JSON,
    seed BIGINT,
    model_family VARCHAR,
    device_class VARCHAR,
    device VARCHAR,
    finished_at TIMESTAMP,
    git_commit VARCHAR,
    git_dirty BOOLEAN,
    versions JSON,
    host VARCHAR,
    data_hash VARCHAR,
    hours DOUBLE,
    gpu_hours DOUBLE
);
INSERT INTO new_runs
SELECT r.*, h.hours, h.gpu_hours
FROM runs r LEFT JOIN (
    -- summed in the order of the stages, so that the same rows give the same bits
    SELECT rs.run_id, list_sum(list(g.seconds ORDER BY g.stage_id)) / 3600 AS hours,
           list_sum(list(g.gpu_hours ORDER BY g.stage_id)) AS gpu_hours
    FROM run_stages rs JOIN stages g USING (stage_id) GROUP BY rs.run_id
) h USING (run_id) ORDER BY r.task, r.run_id;

CREATE TABLE new_scores (
    run_id VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    value DOUBLE NOT NULL,
    score_err DOUBLE,
    n_test BIGINT,
    is_main BOOLEAN NOT NULL,
    task VARCHAR NOT NULL
);
INSERT INTO new_scores
SELECT s.*, r.task FROM scores s JOIN runs r USING (run_id) ORDER BY r.task, s.run_id;

CREATE TABLE new_run_stages (
    run_id VARCHAR NOT NULL,
    stage_id VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    stage_task VARCHAR NOT NULL
);
INSERT INTO new_run_stages
SELECT rs.run_id, rs.stage_id, r.task, g.task
FROM run_stages rs JOIN runs r USING (run_id) JOIN stages g USING (stage_id) ORDER BY r.task, rs.run_id;

CREATE TABLE new_stages (
    stage_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    model VARCHAR,
    n_labels BIGINT,
    n_llm_labels BIGINT,
    n_unlabeled BIGINT,
    seed BIGINT,
    seconds DOUBLE,
    n_devices INTEGER,
    device_class VARCHAR,
    device VARCHAR,
    gpu_hours DOUBLE,
    flops DOUBLE,
    examples BIGINT,
    tokens BIGINT,
    peak_memory_bytes BIGINT,
    metric VARCHAR,
    score DOUBLE,
    finished_at TIMESTAMP,
    provenance JSON
);
INSERT INTO new_stages
SELECT * FROM stages ORDER BY task, stage_id;

CREATE TABLE designs (
    task VARCHAR NOT NULL,
    evidence_set VARCHAR NOT NULL,
    strategy VARCHAR NOT NULL,
    student VARCHAR NOT NULL,
    teacher VARCHAR,
    labeler VARCHAR,
    n_labels BIGINT,
    n_llm_labels BIGINT,
    n_unlabeled BIGINT,
    recipe_id VARCHAR,
    unlabeled_source VARCHAR,
    source VARCHAR NOT NULL,
    last_finished_at TIMESTAMP,
    n_runs BIGINT NOT NULL
);
INSERT INTO designs
SELECT task, evidence_set, strategy, student, teacher, labeler, n_labels, n_llm_labels, n_unlabeled, recipe_id,
       unlabeled_source, source, max(finished_at), count(*)
FROM runs WHERE same_as IS NULL AND feasible GROUP BY ALL ORDER BY ALL;

DROP TABLE runs;
ALTER TABLE new_runs RENAME TO runs;
DROP TABLE scores;
ALTER TABLE new_scores RENAME TO scores;
DROP TABLE run_stages;
ALTER TABLE new_run_stages RENAME TO run_stages;
DROP TABLE stages;
ALTER TABLE new_stages RENAME TO stages;

COMMENT ON TABLE runs IS 'One finished run, measured here or published; published rows have no seed and no device.';
COMMENT ON COLUMN runs.run_id IS 'SHA-256 of the design point; the record_id of a published row.';
COMMENT ON COLUMN runs.source IS 'measured, or published:NAME.';
COMMENT ON COLUMN runs.evidence_set IS 'Source, split, model family and device class in one name; fits never mix sets.';
COMMENT ON COLUMN runs.same_as IS 'run_id of the same result, printed first elsewhere; such copies count once.';
COMMENT ON COLUMN runs.task IS 'Task name, as in `budgetsim tasks list`.';
COMMENT ON COLUMN runs.split_id IS 'Hash of the data and of the rule that split it.';
COMMENT ON COLUMN runs.strategy IS 'annotate, distill, llm_annotate or annotate_plus_llm.';
COMMENT ON COLUMN runs.student IS 'The compact model that is used in the end.';
COMMENT ON COLUMN runs.teacher IS 'The large model that labels texts; NULL where there is none.';
COMMENT ON COLUMN runs.labeler IS 'Who labels besides people: an LLM, or a simulated one.';
COMMENT ON COLUMN runs.n_labels IS 'Examples that people labelled.';
COMMENT ON COLUMN runs.n_llm_labels IS 'Examples that an LLM labelled; of published rows derived from dollars.';
COMMENT ON COLUMN runs.n_unlabeled IS 'Texts that the teacher soft-labelled; NULL where it is not known.';
COMMENT ON COLUMN runs.derived IS 'Names of the counts that were computed from the printed dollars, not printed; capped:n_unlabeled where the pool cut it.';
COMMENT ON COLUMN runs.feasible IS 'False where the printed budget cannot pay for the teacher; kept, shown, never fitted.';
COMMENT ON COLUMN runs.unlabeled_source IS 'Where the unlabelled texts came from.';
COMMENT ON COLUMN runs.recipe_id IS 'Hash of the hyper-parameters and a recipe version raised by hand.';
COMMENT ON COLUMN runs.recipe IS 'The hyper-parameters.';
COMMENT ON COLUMN runs.seed IS 'Seed of the run; NULL for published rows.';
COMMENT ON COLUMN runs.model_family IS 'Family of student and teacher.';
COMMENT ON COLUMN runs.device_class IS 'cpu or gpu.';
COMMENT ON COLUMN runs.device IS 'Name of the device; NULL for published rows.';
COMMENT ON COLUMN runs.finished_at IS 'When the run ended, UTC.';
COMMENT ON COLUMN runs.git_commit IS 'Commit of the code that ran.';
COMMENT ON COLUMN runs.git_dirty IS 'Whether that code had uncommitted changes.';
COMMENT ON COLUMN runs.versions IS 'Versions of the packages that ran.';
COMMENT ON COLUMN runs.host IS 'Name of the machine.';
COMMENT ON COLUMN runs.data_hash IS 'SHA-256 of the data files.';
COMMENT ON COLUMN runs.hours IS 'Wall-clock hours of the stages the run rests on, summed when it was loaded; NULL where they are not known.';
COMMENT ON COLUMN runs.gpu_hours IS 'GPU-hours of those stages.';
COMMENT ON TABLE scores IS 'What a run scored on the test split; several metrics a run, one of them the main one.';
COMMENT ON COLUMN scores.run_id IS 'The run.';
COMMENT ON COLUMN scores.metric IS 'Metric, as the task names it.';
COMMENT ON COLUMN scores.value IS 'Percent of the metric, 0 to 100.';
COMMENT ON COLUMN scores.score_err IS 'Half-width of the reading in points, for figures read off a plot.';
COMMENT ON COLUMN scores.n_test IS 'Items of the test split.';
COMMENT ON COLUMN scores.is_main IS 'True for the metric that fits and answers use.';
COMMENT ON COLUMN scores.task IS 'Task of the run.';
COMMENT ON TABLE stages IS 'One step of work that runs may share, and what it took; a design costs the sum of its stages, a campaign the sum of distinct stages.';
COMMENT ON COLUMN stages.stage_id IS 'Hash of everything the stage depends on.';
COMMENT ON COLUMN stages.kind IS 'tokenise, finetune_teacher, soft_label, llm_label, train_student or evaluate.';
COMMENT ON COLUMN stages.task IS 'Task name.';
COMMENT ON COLUMN stages.model IS 'The model that worked.';
COMMENT ON COLUMN stages.n_labels IS 'Human labels the stage saw.';
COMMENT ON COLUMN stages.n_llm_labels IS 'LLM labels the stage saw.';
COMMENT ON COLUMN stages.n_unlabeled IS 'Unlabelled texts the stage saw.';
COMMENT ON COLUMN stages.seed IS 'Seed of the stage.';
COMMENT ON COLUMN stages.seconds IS 'Wall-clock seconds.';
COMMENT ON COLUMN stages.n_devices IS 'Devices used at once.';
COMMENT ON COLUMN stages.device_class IS 'cpu or gpu.';
COMMENT ON COLUMN stages.device IS 'Name of the device.';
COMMENT ON COLUMN stages.gpu_hours IS 'Device-hours on GPUs: seconds x devices / 3600; 0 on a CPU.';
COMMENT ON COLUMN stages.flops IS 'Floating point operations, counted, not estimated.';
COMMENT ON COLUMN stages.examples IS 'Examples processed, epochs included.';
COMMENT ON COLUMN stages.tokens IS 'Tokens processed, padding included.';
COMMENT ON COLUMN stages.peak_memory_bytes IS 'Peak memory.';
COMMENT ON COLUMN stages.metric IS 'Metric of `score`.';
COMMENT ON COLUMN stages.score IS 'Score of the stage itself (a teacher''s own), percent.';
COMMENT ON COLUMN stages.finished_at IS 'When the stage ended, UTC.';
COMMENT ON COLUMN stages.provenance IS 'Versions, commit, host.';
COMMENT ON TABLE run_stages IS 'Which stages a run rests on.';
COMMENT ON COLUMN run_stages.run_id IS 'The run.';
COMMENT ON COLUMN run_stages.stage_id IS 'The stage.';
COMMENT ON COLUMN run_stages.task IS 'Task of the run.';
COMMENT ON COLUMN run_stages.stage_task IS 'Task of the stage.';
COMMENT ON TABLE designs IS 'Distinct feasible results, those of one design and way of making them counted together.';
COMMENT ON COLUMN designs.task IS 'Task name, as in `budgetsim tasks list`.';
COMMENT ON COLUMN designs.evidence_set IS 'Source, split, model family and device class in one name; fits never mix sets.';
COMMENT ON COLUMN designs.strategy IS 'annotate, distill, llm_annotate or annotate_plus_llm.';
COMMENT ON COLUMN designs.student IS 'The compact model that is used in the end.';
COMMENT ON COLUMN designs.teacher IS 'The large model that labels texts; NULL where there is none.';
COMMENT ON COLUMN designs.labeler IS 'Who labels besides people: an LLM, or a simulated one.';
COMMENT ON COLUMN designs.n_labels IS 'Examples that people labelled.';
COMMENT ON COLUMN designs.n_llm_labels IS 'Examples that an LLM labelled; of published rows derived from dollars.';
COMMENT ON COLUMN designs.n_unlabeled IS 'Texts that the teacher soft-labelled; NULL where it is not known.';
COMMENT ON COLUMN designs.recipe_id IS 'Hash of the hyper-parameters and a recipe version raised by hand.';
COMMENT ON COLUMN designs.unlabeled_source IS 'Where the unlabelled texts came from.';
COMMENT ON COLUMN designs.source IS 'measured, or published:NAME.';
COMMENT ON COLUMN designs.last_finished_at IS 'When the last of them ended, UTC; NULL for published rows.';
COMMENT ON COLUMN designs.n_runs IS 'How many.';

CREATE OR REPLACE VIEW points AS
SELECT
    r.run_id, r.task, r.strategy, r.student, r.teacher, r.labeler,
    r.n_labels, r.n_llm_labels, r.n_unlabeled, r.seed,
    s.metric, s.value AS score, s.n_test,
    r.hours, r.gpu_hours,
    r.source, r.evidence_set, c.panel, r.derived, r.feasible, r.device, r.finished_at
FROM runs r
JOIN scores s ON s.run_id = r.run_id AND s.task = r.task AND s.is_main
LEFT JOIN published_cells c ON c.record_id = r.run_id
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

CREATE OR REPLACE VIEW teacher_scores AS
SELECT rs.run_id, g.stage_id, g.model AS teacher, g.n_labels, g.seed, g.metric, g.score
FROM run_stages rs
JOIN stages g ON g.stage_id = rs.stage_id AND g.task = rs.stage_task
WHERE g.kind = 'finetune_teacher' AND g.score IS NOT NULL
UNION ALL
SELECT r.run_id, NULL, r.teacher, r.n_labels, NULL, s.metric, avg(s.value)
FROM runs r
JOIN runs t ON t.source = r.source AND t.evidence_set = r.evidence_set AND t.task = r.task
          AND t.strategy = 'annotate' AND t.student = r.teacher AND t.n_labels = r.n_labels
JOIN scores s ON s.run_id = t.run_id AND s.task = t.task AND s.is_main
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
