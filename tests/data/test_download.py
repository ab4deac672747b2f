"""Downloads by the real path (pooch over HTTP) from a server on this machine; the project's tests need no network."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from budgetsim.data import pins
from budgetsim.data.loading import Access, load_task
from budgetsim.data.pins import AuthorFile, fetch
from budgetsim.errors import InputError

pytest.importorskip("pooch")

GOOD = json.dumps({"source": "claim: a tweet: b", "target": "Supporting"}).encode()
OTHER = b"<html>please log in</html>"


class Site:
    """What the server answers, by path, and what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The authors' repository on a loopback address, and an empty cache."""
    made = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            body = made.files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(pins, "BASE_URL", f"http://127.0.0.1:{server.server_port}/{pins.COMMIT}/")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("BUDGETSIM_DATA_DIR", raising=False)
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def put(site: Site, file: AuthorFile, body: bytes) -> None:
    site.files[f"/{pins.COMMIT}/{file.folder}/{file.name}"] = body


def pinned(body: bytes = GOOD) -> AuthorFile:
    return AuthorFile("stanceosaurus", "x_test.json", hashlib.sha256(body).hexdigest())


def kept() -> list[str]:
    folder = pins.cache_dir()
    return sorted(p.name for p in folder.rglob("*") if p.is_file()) if folder.exists() else []


UNPINNED = AuthorFile("stanceosaurus", "x_train.json")


def test_the_right_hash_is_kept_and_asked_for_once(site: Site) -> None:
    put(site, pinned(), GOOD)
    found = fetch(pinned())
    assert found is not None
    assert json.loads(found.text)["target"] == "Supporting"
    assert fetch(pinned()) == found
    assert site.asked == [f"/{pins.COMMIT}/stanceosaurus/x_test.json"]
    assert kept() == ["x_test.json"]


def test_a_wrong_hash_is_refused_and_nothing_is_kept(site: Site) -> None:
    put(site, pinned(), OTHER)
    with pytest.raises(InputError, match="another hash than wanted") as caught:
        fetch(pinned())
    assert "BUDGETSIM_DATA_DIR" in str(caught.value)
    assert kept() == []
    put(site, pinned(), GOOD)  # and the next try is a fresh one
    assert fetch(pinned()) is not None


def test_an_unpinned_file_is_not_even_asked_for(site: Site) -> None:
    put(site, UNPINNED, GOOD)
    with pytest.raises(InputError, match="--trust-first-use"):
        fetch(UNPINNED)
    assert site.asked == []
    assert kept() == []


def test_what_was_trusted_once_is_recorded_and_enforced(site: Site) -> None:
    put(site, UNPINNED, GOOD)
    assert fetch(UNPINNED, trust_first_use=True) is not None
    recorded = json.loads((pins.cache_dir() / "trusted.json").read_text())
    assert recorded == {"stanceosaurus/x_train.json": hashlib.sha256(GOOD).hexdigest()}
    assert fetch(UNPINNED) is not None  # recorded: the flag is not needed again
    place = pins.cache_dir() / "stanceosaurus" / "x_train.json"
    place.write_bytes(OTHER)
    with pytest.raises(InputError, match="recorded at the first use"):
        fetch(UNPINNED, trust_first_use=True)
    place.unlink()
    put(site, UNPINNED, OTHER)  # the server's file changed: trusting was for the first time only
    with pytest.raises(InputError, match="another hash than wanted"):
        fetch(UNPINNED, trust_first_use=True)
    assert kept() == ["trusted.json"]


def test_a_missing_file_and_a_dead_server_say_where_to_put_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"404.*stanceosaurus/x_test\.json"):
        fetch(pinned())
    monkeypatch.setattr(pins, "BASE_URL", "http://127.0.0.1:9/")
    with pytest.raises(InputError, match=r"could not be downloaded.*BUDGETSIM_DATA_DIR"):
        fetch(pinned())
    assert kept() == []


def test_a_task_is_loaded_over_the_wire(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pins.TEST_FILES, "stance", pinned())
    monkeypatch.setitem(pins.TRAIN_FILES, "stance", UNPINNED)
    put(site, pinned(), GOOD)
    put(site, UNPINNED, GOOD)
    assert load_task("stance", Access()).train == ()  # the unpinned file is left alone
    monkeypatch.setenv("XDG_CACHE_HOME", "/nowhere")
    with pytest.raises(InputError, match="No file of stance"):
        load_task("stance", Access(download=False))
