"""A local HTTP server that speaks the protocol of OpenAI's chat completions, server-sent events included, and fails as it is told to.

    with ScriptedLLM("潮汐能是指利用水位差发电的能源。[1]") as server:
        Writer(server.base_url, "any")
    server.requests[0].body["messages"]

The script of each request is a reply: text, a list of pieces, a function of the request, or a `Reply` that says more. The last one repeats.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Asked:
    """One request as it came in, and when its connection was seen closed."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def prompt(self) -> str:
        return "\n".join(message["content"] for message in self.body["messages"])


@dataclass
class Reply:
    """What to send back. `raw` replaces the whole body; `pieces` are the contents of the chunks of a stream."""

    pieces: Sequence[str] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | Iterator[bytes] | None = None
    content_type: str = ""
    finish: str | None = "stop"
    done: bool = True
    """Whether [DONE] is sent."""
    delay: float = 0.0
    """Seconds before the first byte."""
    pause: float = 0.0
    """Seconds before each piece."""
    hang: float = 0.0
    """Seconds of silence behind the pieces, before the end."""
    error_in_stream: str = ""
    cut: bool = False
    """Closes the connection in the middle of a chunk."""


Script = str | Sequence[str] | Reply | Callable[[Asked], Any]


def failing(status: int, message: str = "", **headers: str) -> Reply:
    """An error as endpoints send it. Its words quote the key, which no message of ours may repeat."""
    body = {"error": {"message": message or f"status {status} for key sk-canary-123", "type": "error", "code": str(status)}}
    return Reply(status=status, raw=json.dumps(body).encode(), content_type="application/json", headers=headers)


class ScriptedLLM:
    """The server, on a free port, as a context manager."""

    def __init__(self, *scripts: Script):
        self.scripts = list(scripts) or ["..."]
        self.requests: list[Asked] = []
        self.models: dict[str, Any] | None = None
        """What /models says; None for a server that has no such list."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None: ...

            def do_GET(self) -> None:
                owner.requests.append(Asked(self.path, dict(self.headers), {}))
                if self.path.endswith("/models") and owner.models is not None:
                    body = json.dumps(owner.models).encode()
                    self.send_response(200)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                    return
                self.send_error(404)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
                asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                script = owner.scripts[min(len(owner.requests), len(owner.scripts) - 1)]
                owner.requests.append(asked)
                made = script(asked) if callable(script) else script
                reply = made if isinstance(made, Reply) else Reply([made] if isinstance(made, str) else list(made))
                try:
                    self.answer(asked, reply)
                except (BrokenPipeError, ConnectionResetError, ValueError):
                    asked.closed.set()
                    self.close_connection = True

            def answer(self, asked: Asked, reply: Reply) -> None:
                self.wait(asked, reply.delay)
                self.send_response(reply.status)
                streamed = asked.body.get("stream") and reply.raw is None
                self.send_header(
                    "content-type", reply.content_type or ("text/event-stream" if streamed or reply.raw is not None else "application/json")
                )
                for name, value in reply.headers.items():
                    self.send_header(name.replace("_", "-"), value)
                if isinstance(reply.raw, bytes):
                    self.send_header("content-length", str(len(reply.raw)))
                    self.end_headers()
                    self.wfile.write(reply.raw)
                    return
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for part in reply.raw if reply.raw is not None else self.events(asked, reply):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                    self.wfile.flush()
                if reply.cut:
                    self.wfile.write(b"40\r\ndata: {")
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                self.wfile.write(b"0\r\n\r\n")

            def events(self, asked: Asked, reply: Reply) -> Iterator[bytes]:
                for piece in reply.pieces:
                    self.wait(asked, reply.pause)
                    yield event({"content": piece})
                self.wait(asked, reply.hang)
                if reply.error_in_stream:
                    yield f"data: {json.dumps({'error': {'message': reply.error_in_stream}})}\n\n".encode()
                if reply.finish and not reply.cut:
                    yield event({}, reply.finish)
                if reply.done and not reply.cut:
                    yield b"data: [DONE]\n\n"

            def wait(self, asked: Asked, seconds: float) -> None:
                """Sleeps, but notices when the other side hangs up."""
                end = time.monotonic() + seconds
                while (left := end - time.monotonic()) > 0:
                    self.connection.settimeout(min(left, 0.05))
                    try:
                        if self.connection.recv(1, socket.MSG_PEEK) == b"":
                            raise ConnectionResetError
                        time.sleep(min(left, 0.02))
                    except TimeoutError:
                        continue
                    finally:
                        self.connection.settimeout(None)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None: ...

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> ScriptedLLM:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    """One server-sent event of a streamed completion."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": [choice]}
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()
