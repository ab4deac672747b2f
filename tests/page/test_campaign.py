"""A campaign in progress: what is done and ahead, from the files of its runs; the page follows it to its end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from budgetsim.measure.progress import look_at, mean_scores
from made import run_cli
from page.browser import FOUND, Browser
from page.campaigns import finish, made_campaign


def test_done_hours_and_dollars_are_counted_once_a_stage(tmp_path: Path) -> None:
    campaign = made_campaign(tmp_path)
    nothing = look_at(campaign)
    assert (nothing.done, nothing.planned, nothing.device_hours, nothing.last_at) == (0, 4, 0.0, None)
    finish(campaign, 0, 2)
    progress = look_at(campaign)
    assert (progress.done, progress.planned, progress.is_over) == (2, 4, False)
    assert progress.device_hours == pytest.approx(0.75)  # 1800 + 900 s, shared by both runs
    assert progress.cost_usd == pytest.approx(1.5)  # at 2 dollars an hour
    assert 0 < progress.cost_ahead_usd < nothing.cost_ahead_usd  # told finer than hours, which round to the same
    assert progress.last_at is not None
    assert progress.last_at.minute == 1
    ((_, _, counts),) = mean_scores(progress.runs)
    assert mean_scores(progress.runs)[("toy_requests", "annotate (tfidf-lr)", counts)] == (60.5, 2)


def page_data(file: Path) -> dict:
    text = file.read_text(encoding="utf-8").partition('id="data">')[2].partition("</script>")[0]
    return json.loads(text)


def test_the_page_of_a_campaign_without_evidence_tells_its_state(tmp_path: Path) -> None:
    finish(made_campaign(tmp_path), 0, 3)
    file = tmp_path / "r.html"
    done = run_cli("report", "--grid", "four.yaml", "-o", str(file), store=tmp_path / "budgetsim.duckdb", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    data = page_data(file)
    assert (data["campaign"]["done"], data["campaign"]["planned"], data["tasks"]) == (3, 4, [])
    assert [p["score"] for p in data["campaign"]["points"]] == [60.5, 62.0]
    assert 'http-equiv="refresh"' not in file.read_text(encoding="utf-8")  # nobody is watching


@pytest.mark.slow
@pytest.mark.skipif(FOUND is None, reason="no Chromium is installed: the page is not tested in a browser")
def test_watching_writes_the_page_again_until_the_campaign_is_over(tmp_path: Path) -> None:
    campaign, file = made_campaign(tmp_path), tmp_path / "r.html"
    finish(campaign, 0, 2)
    command = [sys.executable, "-m", "budgetsim", "report", "--grid", "four.yaml", "-o", str(file), "--watch"]
    command += ["--every", "2", "--store", str(campaign.paths.database), "--create"]
    watching = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        _until(file.exists)
        with Browser(tmp_path / "chromium") as browser:
            browser.open(file.as_uri())
            words = "document.querySelector('h1')?.innerText ?? ''"
            assert browser.evaluate(words).startswith("2 of 4 runs of four are done; they took 0.75 device-hours")
            assert browser.evaluate("document.querySelectorAll('#campaign .uplot').length") == 1
            finish(campaign, 2, 4)
            browser.wait(f"({words}).startsWith('4 of 4 runs')")  # by itself
            assert browser.errors == []
        assert watching.wait(timeout=60) == 0
    finally:
        watching.kill()
        watching.wait()


def _until(condition) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_watching_needs_a_campaign(tmp_path: Path, store) -> None:
    done = run_cli("report", "--watch", "-o", str(tmp_path / "r.html"), store=store.database)
    assert done.returncode == 2
    assert "name its grid with --grid" in done.stderr
