"""Fetching one page on request, from a scripted server on this machine."""

from __future__ import annotations

import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rag.cli import run
from rag.errors import RagError, UsageError
from rag.reading import fetch as module
from rag.reading.dispatch import Sources, read_document
from rag.reading.fetch import fetch

PAGE = b"<html><head><title>Tides</title></head><body><nav>Menu</nav><main><h1>Tides</h1><p>The spring tide stood at 4.2 m.</p></main></body></html>"


@pytest.fixture
def server():
    """Its address, and the paths that were asked."""
    asked = []

    class Scripted(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, heads, body = {
                "/tides/": (200, {"Content-Type": "text/html"}, PAGE),
                "/packed": (200, {"Content-Type": "text/html", "Content-Encoding": "gzip"}, gzip.compress(PAGE)),
                "/bomb": (200, {"Content-Type": "text/html", "Content-Encoding": "gzip"}, gzip.compress(b"a" * 3_000_000)),
                "/slow": (200, {"Content-Type": "text/html"}, PAGE),
                "/gbk": (
                    200,
                    {"Content-Type": "text/html; charset=gbk"},
                    "<html><body><p>潮位在五月上升了三米。</p></body></html>".encode("gbk"),
                ),
                "/data.csv": (200, {"Content-Type": "application/octet-stream"}, b"Quay,Tonnage\nNorth,412\n"),
                "/film": (200, {"Content-Type": "video/mp4"}, b"\0\0"),
                "/moved": (302, {"Location": "/tides/"}, b""),
                "/loop": (302, {"Location": "/loop"}, b""),
                "/file": (302, {"Location": "file:///etc/passwd"}, b""),
                "/inside": (302, {"Location": "http://10.0.0.1/"}, b""),
            }.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in heads.items():
                self.send_header(name, value)
            self.end_headers()
            if self.path == "/slow":
                time.sleep(1)
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}", asked
    made.shutdown()
    made.server_close()


def test_a_page_is_kept_with_its_day_and_cited_as_such(server, tmp_path):
    address, asked = server
    file = fetch(f"{address}/tides/", tmp_path, allow_private=True)
    assert file.suffix == ".html" and file.read_bytes() == PAGE and asked == ["/tides/"]
    document = read_document(file, known=Sources([tmp_path]).known(file))
    assert document.text == "Tides\nThe spring tide stood at 4.2 m."
    assert document.publisher.startswith("127.0.0.1 (fetched 20") and document.notes == (f"copy of {address}/tides/",)
    again = fetch(f"{address}/moved", tmp_path, allow_private=True)
    assert again == file and len(Sources([tmp_path]).known(file)) == 2  # the same page of the same day is one copy


def test_packed_and_labelled_content_and_other_kinds(server, tmp_path):
    address, _ = server
    assert fetch(f"{address}/packed", tmp_path, allow_private=True).read_bytes() == PAGE
    assert read_document(fetch(f"{address}/gbk", tmp_path, allow_private=True)).text == "潮位在五月上升了三米。"
    assert fetch(f"{address}/data.csv", tmp_path, allow_private=True).suffix == ".csv"
    assert len(list(tmp_path.glob("*-*-*"))) == 3


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.1.2.3", "192.168.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_private_addresses_are_refused_unless_allowed(host, tmp_path):
    with pytest.raises(UsageError, match="--allow-private"):
        fetch(f"http://{host}:9/", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "address",
    ["ftp://a.example/x", "http://", "http://user:word@a.example/", "http://a.example:99999/", "http://a b/", "http://a.example/\r\nX: y"],
)
def test_what_is_no_plain_address_is_refused(address, tmp_path):
    with pytest.raises(UsageError):
        fetch(address, tmp_path, allow_private=True)


@pytest.mark.parametrize(
    ("path", "error", "told"),
    [
        ("/loop", RagError, "leads on more than"), ("/file", UsageError, "begins with http"), ("/film", RagError, "video/mp4"), ("/none", RagError, "404 Not Found"),
    ],
)  # fmt: skip
def test_what_comes_back_and_is_of_no_use_says_why(server, tmp_path, path, error, told):
    with pytest.raises(error, match=told):
        fetch(f"{server[0]}{path}", tmp_path, allow_private=True)
    assert not list(tmp_path.iterdir())


def test_a_redirect_into_a_private_network_is_refused(server, tmp_path, monkeypatch):
    known = module._open_to
    first = iter([True, False])  # the scripted server may be asked, what it leads to may not
    monkeypatch.setattr(module, "_open_to", lambda parts, allowed: known(parts, next(first)))
    with pytest.raises(UsageError, match="10.0.0.1, an address of a private network"):
        fetch(f"{server[0]}/inside", tmp_path)


def test_size_and_time_have_limits(server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1_000_000)
    with pytest.raises(RagError, match="over the limit of 1 MB"):
        fetch(f"{server[0]}/bomb", tmp_path, allow_private=True)
    monkeypatch.setattr(module, "SECONDS", 0.3)
    with pytest.raises(RagError, match="took too long"):
        fetch(f"{server[0]}/slow", tmp_path, allow_private=True)


def test_the_command_line_indexes_a_page(server, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["index", f"{server[0]}/tides/", "--index", "index"]) == 2
    assert "--allow-private" in capsys.readouterr().err
    assert run(["index", f"{server[0]}/tides/", "--index", "index", "--allow-private", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["documents"] == 1 and report["notes"][0][1] == f"copy of {server[0]}/tides/"
    assert len(list((tmp_path / "index-web").glob("*.html"))) == 1
