"""What tests of data need: a cache of their own, no network, a server here, small trees."""

import functools
import http.server
import threading
import urllib.request

import pytest
from image_trees import TreeMaker


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep every test's cache apart, and the user's data out of it."""
    monkeypatch.setenv("SCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SCE_DATA", str(tmp_path / "data"))
    return tmp_path / "cache" / "decoded"


@pytest.fixture
def offline(monkeypatch):
    """Cut the network off for urllib: a proxy at a port where nothing listens."""
    set_proxy(monkeypatch, "http://127.0.0.1:9", exempt="")


def set_proxy(monkeypatch, proxy, exempt):
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", proxy)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, exempt)
    # urllib reads these once and keeps what it found.
    monkeypatch.setattr(urllib.request, "_opener", None)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve tmp_path/served on this machine, as torchvision's servers would; give the address."""
    set_proxy(monkeypatch, "", exempt="*")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def make(tmp_path):
    return TreeMaker(tmp_path / "data")
