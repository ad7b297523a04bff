"""A local server in the place of the network, and an empty cache folder."""

from __future__ import annotations

import pytest
from bad_server import Server


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    """No data folder, an empty cache (its path is returned), and a mirror that is not there."""
    monkeypatch.delenv("GENZOO_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GENZOO_MIRROR", "http://127.0.0.1:9")  # the discard port: refused
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache" / "genzoo"


@pytest.fixture
def server(no_network, monkeypatch):
    server = Server()
    monkeypatch.setenv("GENZOO_MIRROR", server.address)
    yield server
    server.close()
