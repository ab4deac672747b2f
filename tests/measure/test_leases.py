"""Leases: one builder a stage, whoever vanishes; with threads that race, and owners that are gone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from budgetsim.measure import leases as leases_module
from budgetsim.measure.leases import FREE, LeaseLostError, Leases, free_leases, is_gone, lease_of, owner_name
from budgetsim.measure.stagestore import Device, StageStore, Work


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases_module, "GLANCE", 0.01)


def leases(name: str, patience: float = 30.0, beat: float = 0.05) -> Leases:
    return Leases(f"{name}.there.1.0", patience=patience, beat=beat)


def test_of_many_who_want_it_one_builds_and_the_others_find_it(tmp_path: Path) -> None:
    built: list[int] = []
    found: list[str] = []

    def work(number: int) -> None:
        store = StageStore(tmp_path, Device("cpu", ""), locks=leases(f"w{number}"))

        def build(folder: Path) -> Work:
            built.append(number)
            time.sleep(0.05)
            (folder / "x").write_text(str(number))
            return Work()

        stages = (store.get("encode", {"key": key}, build, task="t") for key in range(5))
        found.extend((stage.folder / "x").read_text() for stage in stages)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(built) == 5
    assert len(found) == 40
    assert not list(tmp_path.glob("*.lease*"))


def test_holders_never_overlap_whoever_fails(tmp_path: Path) -> None:
    """Each of six owners holds one lease thirty times and fails half of the times; a count catches two at once."""
    place, inside, seen = tmp_path / "stage", [0], []

    def work(number: int) -> None:
        own = leases(f"w{number}")
        for turn in range(30):
            try:
                with own.hold(place):
                    inside[0] += 1
                    seen.append(inside[0])
                    time.sleep(0.0005)
                    inside[0] -= 1
                    if turn % 2:
                        raise OSError("as if")
            except OSError:
                continue

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(seen) == 180
    assert set(seen) == {1}


def test_what_a_lost_builder_left_goes_on_with_its_successor(tmp_path: Path) -> None:
    place = tmp_path / "stage"
    silent = leases("lost", beat=1000)
    with pytest.raises(LeaseLostError), silent.hold(place) as building:  # noqa: PT012
        building.mkdir()
        (building / "checkpoint").write_text("step 200")
        with leases("next", patience=0.2).hold(place) as mine:
            assert (mine / "checkpoint").read_text() == "step 200"
            assert not building.exists()  # who was slow writes into nothing
            assert [p.name for p in lease_of(place).iterdir() if p.name.startswith("holder")] == [
                "holder-next.there.1.0"
            ]
        (building / "more").write_text("too late")


def test_a_holder_that_gives_signs_of_life_is_waited_for(tmp_path: Path) -> None:
    place, order = tmp_path / "stage", []

    def wait() -> None:
        with leases("other", patience=0.3).hold(place):
            order.append("other")

    with leases("busy", beat=0.02).hold(place):
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(1.0)  # three times the other's patience
        order.append("busy")
    waiting.join(30)
    assert order == ["busy", "other"]


def test_a_holder_may_be_told_of_instead_of_waited_for(tmp_path: Path) -> None:
    def refuse(holder: str) -> None:
        raise RuntimeError(holder)

    asked = leases("other").hold(tmp_path / "x", refuse)
    with leases("busy", beat=0.02).hold(tmp_path / "x"), pytest.raises(RuntimeError, match=r"busy\.there"), asked:
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_who_was_killed_on_this_machine_is_not_waited_for(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from budgetsim.measure.leases import Leases, owner_name\n"
        "with Leases(owner_name('w')).hold(Path(sys.argv[1])) as building:\n"
        "    building.mkdir(); print('held', flush=True); sys.stdin.read()\n"
    )
    place = tmp_path / "stage"
    builder = subprocess.Popen(
        [sys.executable, "-c", program, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert builder.stdout is not None
    assert builder.stdin is not None
    assert builder.stdout.readline() == b"held\n"
    builder.kill()
    builder.wait()
    builder.stdin.close()
    builder.stdout.close()
    with leases("next", patience=3600).hold(place) as mine:
        assert mine.is_dir()
    assert not is_gone(owner_name("me"))
    assert not is_gone(f"me.another.{os.getpid():x}.0")


def test_what_a_conductor_knows_to_be_gone_it_frees(tmp_path: Path) -> None:
    place = tmp_path / "stage"
    lost = leases("w7", beat=1000)
    with pytest.raises(LeaseLostError), lost.hold(place):  # noqa: PT012
        assert free_leases(tmp_path, "w70") == 0
        assert free_leases(tmp_path, "w7") == 1
        assert (lease_of(place) / FREE).exists()
        raise OSError
