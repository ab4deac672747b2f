-- The store: what was run or published, what it scored, and what it took. Never dollars of ours.
CREATE TABLE runs (
    run_id VARCHAR PRIMARY KEY,
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
    data_hash VARCHAR
);
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

CREATE TABLE scores (
    run_id VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    value DOUBLE NOT NULL,
    score_err DOUBLE,
    n_test BIGINT,
    is_main BOOLEAN NOT NULL,
    PRIMARY KEY (run_id, metric)
);
COMMENT ON TABLE scores IS 'What a run scored on the test split; several metrics a run, one of them the main one.';
COMMENT ON COLUMN scores.run_id IS 'The run.';
COMMENT ON COLUMN scores.metric IS 'Metric, as the task names it.';
COMMENT ON COLUMN scores.value IS 'Percent of the metric, 0 to 100.';
COMMENT ON COLUMN scores.score_err IS 'Half-width of the reading in points, for figures read off a plot.';
COMMENT ON COLUMN scores.n_test IS 'Items of the test split.';
COMMENT ON COLUMN scores.is_main IS 'True for the metric that fits and answers use.';

CREATE TABLE stages (
    stage_id VARCHAR PRIMARY KEY,
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

CREATE TABLE run_stages (
    run_id VARCHAR NOT NULL,
    stage_id VARCHAR NOT NULL,
    PRIMARY KEY (run_id, stage_id)
);
COMMENT ON TABLE run_stages IS 'Which stages a run rests on.';
COMMENT ON COLUMN run_stages.run_id IS 'The run.';
COMMENT ON COLUMN run_stages.stage_id IS 'The stage.';

CREATE TABLE published_cells (
    record_id VARCHAR PRIMARY KEY,
    panel VARCHAR,
    initial_n_labels BIGINT,
    additional_budget_usd DOUBLE,
    total_cost_usd DOUBLE,
    total_cost_err_usd DOUBLE,
    gpu_hours DOUBLE,
    implied_n_unlabeled DOUBLE,
    provenance VARCHAR
);
COMMENT ON TABLE published_cells IS 'Dollars and hours as a paper printed them; never used as a measurement.';
COMMENT ON COLUMN published_cells.record_id IS 'run_id of the published row.';
COMMENT ON COLUMN published_cells.panel IS 'Table or figure of the paper.';
COMMENT ON COLUMN published_cells.initial_n_labels IS 'Labels owned at the start of the comparison.';
COMMENT ON COLUMN published_cells.additional_budget_usd IS 'Dollars spent beyond the initial labels.';
COMMENT ON COLUMN published_cells.total_cost_usd IS 'Labels (the initial ones included) plus compute, as printed.';
COMMENT ON COLUMN published_cells.total_cost_err_usd IS 'Half-width of the reading.';
COMMENT ON COLUMN published_cells.gpu_hours IS 'GPU-hours, where printed.';
COMMENT ON COLUMN published_cells.implied_n_unlabeled IS 'Texts that the additional budget pays for, before the pool cuts them.';
COMMENT ON COLUMN published_cells.provenance IS 'printed, or digitised from a figure.';

CREATE TABLE published_compute (
    source VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    teacher VARCHAR NOT NULL,
    student VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    n_labels BIGINT NOT NULL,
    gpu_hours DOUBLE NOT NULL,
    gpu_hours_se DOUBLE,
    PRIMARY KEY (source, task, teacher, student, kind, n_labels)
);
COMMENT ON TABLE published_compute IS 'GPU-hours derived from the dollars a paper printed, at the price of the hour it printed.';
COMMENT ON COLUMN published_compute.source IS 'published:NAME.';
COMMENT ON COLUMN published_compute.task IS 'Task name.';
COMMENT ON COLUMN published_compute.teacher IS 'Teacher.';
COMMENT ON COLUMN published_compute.student IS 'Student.';
COMMENT ON COLUMN published_compute.kind IS 'finetune_teacher, or distill_text (labelling one text and training the student on it).';
COMMENT ON COLUMN published_compute.n_labels IS 'Labels the teacher was fine-tuned on; 0 for distill_text.';
COMMENT ON COLUMN published_compute.gpu_hours IS 'GPU-hours in all; of distill_text, a text.';
COMMENT ON COLUMN published_compute.gpu_hours_se IS 'Standard error of gpu_hours.';

CREATE TABLE bills (
    bill_id VARCHAR PRIMARY KEY,
    run_id VARCHAR,
    stage_id VARCHAR,
    vendor VARCHAR NOT NULL,
    amount_usd DOUBLE NOT NULL,
    billed_at TIMESTAMP NOT NULL,
    detail JSON
);
COMMENT ON TABLE bills IS 'What a vendor actually billed, with its date; the only dollars of ours in the store.';
COMMENT ON COLUMN bills.bill_id IS 'Hash of the bill.';
COMMENT ON COLUMN bills.run_id IS 'The run it paid for.';
COMMENT ON COLUMN bills.stage_id IS 'The stage it paid for.';
COMMENT ON COLUMN bills.vendor IS 'Who billed.';
COMMENT ON COLUMN bills.amount_usd IS 'US dollars billed.';
COMMENT ON COLUMN bills.billed_at IS 'When, UTC.';
COMMENT ON COLUMN bills.detail IS 'Tokens, model, units: as on the bill.';

CREATE VIEW points AS
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
    SELECT rs.run_id, list_sum(list(g.seconds ORDER BY g.stage_id)) / 3600 AS hours,
           list_sum(list(g.gpu_hours ORDER BY g.stage_id)) AS gpu_hours
    FROM run_stages rs JOIN stages g USING (stage_id) GROUP BY rs.run_id
) h ON h.run_id = r.run_id
WHERE r.same_as IS NULL;
COMMENT ON VIEW points IS 'Flat: every distinct result with its score and the hours of its stages.';

CREATE VIEW learning_curves AS
SELECT
    evidence_set, task, strategy, student, teacher, labeler, n_labels, n_llm_labels, n_unlabeled,
    metric, count(*) AS n_runs, avg(score) AS mean_score, stddev_samp(score) AS sd_score,
    min(score) AS min_score, max(score) AS max_score
FROM points
WHERE feasible
GROUP BY ALL
ORDER BY ALL;
COMMENT ON VIEW learning_curves IS 'Mean and spread of the score over the replicates of a design point.';
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
COMMENT ON COLUMN learning_curves.evidence_set IS 'Source, split, model family and device class in one name; fits never mix sets.';
COMMENT ON COLUMN learning_curves.task IS 'Task name, as in `budgetsim tasks list`.';
COMMENT ON COLUMN learning_curves.strategy IS 'annotate, distill, llm_annotate or annotate_plus_llm.';
COMMENT ON COLUMN learning_curves.student IS 'The compact model that is used in the end.';
COMMENT ON COLUMN learning_curves.teacher IS 'The large model that labels texts; NULL where there is none.';
COMMENT ON COLUMN learning_curves.labeler IS 'Who labels besides people: an LLM, or a simulated one.';
COMMENT ON COLUMN learning_curves.n_labels IS 'Examples that people labelled.';
COMMENT ON COLUMN learning_curves.n_llm_labels IS 'Examples that an LLM labelled; of published rows derived from dollars.';
COMMENT ON COLUMN learning_curves.n_unlabeled IS 'Texts that the teacher soft-labelled; NULL where it is not known.';
COMMENT ON COLUMN learning_curves.metric IS 'Metric, as the task names it.';
COMMENT ON COLUMN learning_curves.n_runs IS 'Replicates of the design point.';
COMMENT ON COLUMN learning_curves.mean_score IS 'Mean over replicates, percent.';
COMMENT ON COLUMN learning_curves.sd_score IS 'Standard deviation over replicates, points.';
COMMENT ON COLUMN learning_curves.min_score IS 'Lowest replicate, percent.';
COMMENT ON COLUMN learning_curves.max_score IS 'Highest replicate, percent.';
