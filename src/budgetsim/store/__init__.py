"""The evidence store: a plain DuckDB file built from text, and the fits derived from it."""

from budgetsim.store.database import migrations, open_reader, open_writer, schema_version
from budgetsim.store.fits import fit_path, load_fit, save_fit
from budgetsim.store.location import StorePaths, locate, package_data
from budgetsim.store.merge import MergeReport, check, import_published, merge, merge_folder, rebuild, seed
from budgetsim.store.query import (
    ComputeRow,
    Table,
    choose_evidence,
    describe,
    export_csv,
    load_compute,
    load_measurements,
    run_sql,
)
from budgetsim.store.records import RunRecord, Score, StageRecord, read_shards, write_shard

__all__ = [
    "ComputeRow",
    "MergeReport",
    "RunRecord",
    "Score",
    "StageRecord",
    "StorePaths",
    "Table",
    "check",
    "choose_evidence",
    "describe",
    "export_csv",
    "fit_path",
    "import_published",
    "load_compute",
    "load_fit",
    "load_measurements",
    "locate",
    "merge",
    "merge_folder",
    "migrations",
    "open_reader",
    "open_writer",
    "package_data",
    "read_shards",
    "rebuild",
    "run_sql",
    "save_fit",
    "schema_version",
    "seed",
    "write_shard",
]
