"""The page in a real browser: the command line's numbers, no network, keyboard, phone, dark mode, print, deep links."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from budgetsim.page.assemble import page_html
from made import run_cli
from page.browser import FOUND, Browser
from page.settings import PAPER_TASKS, TOLD, answer, compare, for_page, numbers, payload, random_settings

pytestmark = pytest.mark.skipif(FOUND is None, reason="no Chromium is installed: the page is not tested in a browser")
FAST_MS = 100  # within which a slider's answer is there


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of one task, written by the command."""
    home = tmp_path_factory.mktemp("report")
    file = home / "report.html"
    done = run_cli("report", "--task", "stance", "-o", str(file), store=home / "budgetsim.duckdb")
    assert done.returncode == 0, done.stderr
    return file.as_uri()


def drawn(browser: Browser, page: str, **how: object) -> None:
    browser.open(page, **how)
    browser.wait("document.querySelector('.bar') !== null")


def test_it_opens_from_disk_with_no_network_and_no_error_and_advises_first(browser: Browser, page: str) -> None:
    drawn(browser, page)
    assert browser.errors == []
    assert {url.partition("#")[0] for url in browser.asked} <= {page, "about:blank"}
    assert browser.evaluate("document.querySelector('h1').innerText").startswith("Spend about $9")
    charts = browser.evaluate(
        "[...document.querySelectorAll('[data-chart]')].map((s) => [s.dataset.chart, s.innerText])"
    )
    assert [name for name, _ in charts] == ["curve", "plans", "frontier", "map", "tornado", "evidence", "next"]
    assert all("Table" in text for _, text in charts)  # one behind each
    assert "published-kang2023" in browser.evaluate("document.getElementById('provenance').innerText")


def test_an_address_sets_the_sliders_and_the_sliders_the_address(browser: Browser, page: str) -> None:
    drawn(browser, f"{page}#task=stance&budget=2k&labels=0.5&owned=100&pool=none")
    settings = "document.querySelector('#controls input[type=text]').value"
    assert browser.evaluate(settings) == "2,000"
    assert browser.evaluate("location.hash") == "#task=stance&budget=2000&labels=0.5&owned=100"
    browser.evaluate("document.querySelector('#controls input[type=range]').focus()")
    before = browser.evaluate("document.querySelector('h1').innerText")
    for _ in range(60):
        browser.press("ArrowLeft", 37)
    assert float(browser.evaluate(settings).replace(",", "")) < 1000
    assert browser.evaluate("document.querySelector('h1').innerText") != before
    assert "budget=2000" not in browser.evaluate("location.hash")


def test_a_typed_number_that_is_none_is_marked_and_changes_nothing(browser: Browser, page: str) -> None:
    drawn(browser, page)
    box = "document.querySelector('#controls input[type=text]')"
    before = browser.evaluate("location.hash")
    browser.evaluate(f"({box}.value = 'lots', {box}.dispatchEvent(new Event('change')), 0)")
    assert browser.evaluate(f"{box}.getAttribute('aria-invalid')") == "true"
    assert browser.evaluate("location.hash") == before


def test_everything_can_be_reached_by_keyboard_and_says_what_it_is(browser: Browser, page: str) -> None:
    drawn(browser, page)
    named = """[...document.querySelectorAll('input, select, button, summary, a')].filter((e) =>
        e.tabIndex < 0 || !(e.getAttribute('aria-label') || e.textContent.trim() || e.closest('label'))).length"""
    assert browser.evaluate(named) == 0
    assert browser.evaluate("document.querySelectorAll('[role=img]:not([aria-label])').length") == 0


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_in_both_modes(browser: Browser, page: str, dark: bool) -> None:
    drawn(browser, page, width=390, height=800, phone=True, dark=dark)
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390
    back = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(v) for v in back[4:-1].split(",")) < 200) is dark


def test_it_prints_with_its_tables_open_and_folds_them_again(browser: Browser, page: str) -> None:
    drawn(browser, page)
    folded = "document.querySelectorAll('details:not([open])').length"
    before = browser.evaluate(folded)
    browser.evaluate("(dispatchEvent(new Event('beforeprint')), 0)")
    assert browser.evaluate(folded) == 0
    browser.evaluate("(dispatchEvent(new Event('afterprint')), 0)")
    assert browser.evaluate(folded) == before
    assert browser.printed().startswith(b"%PDF")


def test_a_slider_is_answered_in_under_a_tenth_of_a_second(browser: Browser, page: str) -> None:
    drawn(browser, page)
    times = browser.evaluate("[...Array(31)].map(() => budgetsim.refresh())")
    assert statistics.median(times) < FAST_MS, times


def _agree(browser: Browser, folder: Path, file: Path, n: int, seed: int) -> dict[str, float]:
    """Compare so many random settings on a page of six tasks; the largest differences and the time an answer takes."""
    file.write_text(page_html(payload(folder, *PAPER_TASKS)), encoding="utf-8")
    assert file.stat().st_size <= 1_500_000
    drawn(browser, file.as_uri())
    asked = random_settings(n, seed)
    worst: dict[str, float] = {}
    times = []
    for settings in asked:
        given = {k: v for k, v in for_page(settings).items() if k != "task"}
        task = json.dumps(settings["task"])
        run = f"""(() => {{ const began = performance.now();
            const a = budgetsim.optimize(budgetsim.tasks[{task}], budgetsim.asked({json.dumps(given)}));
            return {{ ...({TOLD})(a), ms: performance.now() - began }}; }})()"""
        told = browser.evaluate(run)
        times.append(told["ms"])
        compare(told, numbers(answer(folder, settings)[1]), worst)
    return {**worst, "ms_median": statistics.median(times), "ms_95": sorted(times)[int(0.95 * len(times))]}


def test_the_page_says_what_the_command_line_says(browser: Browser, folder: Path, tmp_path: Path) -> None:
    assert _agree(browser, folder, tmp_path / "page.html", 6, seed=2)["score"] < 1e-6


@pytest.mark.slow
def test_the_page_says_what_the_command_line_says_under_200_settings(
    browser: Browser, folder: Path, tmp_path: Path
) -> None:
    figures = _agree(browser, folder, tmp_path / "page.html", 200, seed=0)
    print(figures)
    assert figures["score"] < 1e-6
    assert figures["ms_median"] < FAST_MS
