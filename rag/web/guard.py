"""A guard in front of the server, plain ASGI so that streams are not held back.

It answers only to its own names (so that no foreign page reaches it by rebinding a domain) and to its own origin, refuses the framework's
routes that the page does not use, bounds the size of a request, slows down whoever guesses passwords and adds the security headers. It
does not know users or passwords: a login counts as failed by the status of the reply.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from rag.web.tools import Tools

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Callable[[], Awaitable[Message]], Send], Awaitable[None]]

BODY_LIMIT = 262_144
"""Bytes of a request; the longest question takes about 12,000."""
UPLOAD_LIMIT = 210_000_000
"""Bytes of a request that uploads files."""

OPEN = frozenset(
    {"", "assets", "static", "svelte", "theme.css", "favicon.ico", "manifest.json", "pwa_icon", "robots.txt"}
    | {"config", "info", "app_id", "startup-events", "heartbeat", "queue", "run", "cancel", "reset"}
    | {"upload", "upload_progress", "mcp"}
    | {"login", "login_check", "logout", "token", "user"}
)
"""First parts of the paths that the page asks for; files, proxies, plain calls and all else of the framework stay closed."""

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # the framework's page holds inline scripts and compiles templates
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "frame-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)

HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


class Guard:
    """Wraps an ASGI application. `names` are the host names it is served under besides localhost and plain IP addresses.

    `tools` answers programs at /mcp, `root` is the path under which a proxy serves it, which may or may not stand in the paths that
    arrive. `also` are first parts of paths that are open besides the page's.
    """

    def __init__(
        self,
        app: App,
        names: Iterable[str] = (),
        body_limit: int = BODY_LIMIT,
        root: str = "",
        tools: Tools | None = None,
        also: Iterable[str] = (),
    ):
        self.app = app
        self.also = frozenset(also)
        self.names = frozenset(name.lower() for name in names)
        self.body_limit = body_limit
        self.root = "/" + root.strip("/") if root.strip("/") else ""
        self.tools = tools
        self.throttle = Throttle()

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # the page opens no websocket
            return await send({"type": "websocket.close", "code": 1008})

        if self.root and (scope["path"] + "/").startswith(self.root + "/"):
            scope = {**scope, "path": (bare := scope["path"][len(self.root) :] or "/"), "raw_path": bare.encode()}
        client = (scope.get("client") or ("",))[0]
        signing_in = scope["method"] == "POST" and scope["path"].strip("/") == "login"

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                if signing_in and message["status"] != 429:
                    self.throttle.note(client, message["status"] < 400)
                ours = {name for name, _ in HEADERS}
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in ours]
                message = {**message, "headers": [*kept, *HEADERS]}
            await send(message)

        status = 429 if signing_in and self.throttle.holds(client) else self.refusal(scope)
        if status == 200 and first(scope["path"]) == "mcp":
            status = self.admitted(scope, client)
            if status == 200:
                return await self.tools(scope, receive, guarded)
        if status == 200:
            return await self.app(scope, receive, guarded)
        body = {
            401: b"name and password needed",
            403: b"forbidden",
            404: b"not found",
            413: b"too large",
            429: b"too many attempts, wait a few minutes",
        }[status]
        kind = b"text/plain"
        if first(scope["path"]) == "v1":  # programs read errors in the form of the protocol that they speak
            said, kind = body.decode(), b"application/json"
            body = json.dumps({"error": {"message": said, "type": "invalid_request_error", "param": None, "code": None}}).encode()
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        await guarded({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def admitted(self, scope: Message, client: str) -> int:
        """The same for a program that calls the tools."""
        if self.tools is None:
            return 404
        if self.throttle.holds(client):
            return 429
        headers = {name.lower(): [value.decode("latin-1")] for name, value in scope["headers"]}
        if self.tools.allows(headers):
            return 200
        if b"authorization" in headers:
            self.throttle.note(client, False)
        return 401

    def refusal(self, scope: Message) -> int:
        """200 to let the request pass, or the status to refuse it with."""
        headers: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value.decode("latin-1"))
        hosts, origins = headers.get(b"host", []), headers.get(b"origin", [])
        if len(hosts) != 1 or not self.known(hosts[0]):
            return 403
        if not all(self.same(origin, hosts[0]) for origin in origins):
            return 403
        if headers.get(b"sec-fetch-site") == ["cross-site"] and headers.get(b"sec-fetch-mode") != ["navigate"]:
            return 403
        if closed(scope["path"]) and first(scope["path"]) not in self.also:
            return 404
        if scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            length = headers.get(b"content-length", [""] if b"transfer-encoding" in headers else ["0"])
            limit = UPLOAD_LIMIT if first(scope["path"]) == "upload" else self.body_limit
            if len(length) != 1 or not length[0].isdecimal() or int(length[0][:12]) > limit:
                return 413
        return 200

    def known(self, host: str) -> bool:
        """Whether a Host header is one of ours: a listed name, or an IP address, which no domain can be rebound to."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
            if name == "localhost" or name in self.names:
                return True
            ip_address(name)
        except ValueError:
            return False
        return True

    def same(self, origin: str, host: str) -> bool:
        """Whether an Origin header is our own page: the host asked for, or a listed name, under which a proxy may serve it."""
        try:
            parts = urlsplit(origin)
            return parts.netloc.lower() == host.lower() or (parts.hostname or "") in self.names
        except ValueError:
            return False


def closed(path: str) -> bool:
    """Whether the path belongs to a part of the framework that the page does not use.

    >>> closed("/gradio_api/file=/etc/passwd"), closed("/gradio_api/queue/join"), closed("/")
    (True, False, False)
    """
    return first(path) not in OPEN


def first(path: str) -> str:
    """The first part of a path behind the framework's own prefix.

    >>> first("/gradio_api/queue/join"), first("//login"), first("/")
    ('queue', 'login', '')
    """
    parts = [part for part in path.split("/") if part]
    if parts and parts[0] == "gradio_api":
        parts = parts[1:] or ["gradio_api"]
    return parts[0] if parts else ""


class Throttle:
    """Counts failed logins: after FEW from one address, or MANY from everywhere, within WINDOW seconds further ones are not even looked at."""

    FEW, MANY, WINDOW = 5, 100, 300.0

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self._lock = threading.Lock()
        self._failed: dict[str, deque[float]] = {}

    def holds(self, client: str) -> bool:
        """Whether this address has to wait."""
        with self._lock:
            now = self.clock()
            for name in list(self._failed):
                times = self._failed[name]
                while times and times[0] < now - self.WINDOW:
                    times.popleft()
                if not times:
                    del self._failed[name]
            return len(self._failed.get(client, ())) >= self.FEW or sum(map(len, self._failed.values())) >= self.MANY

    def note(self, client: str, passed: bool) -> None:
        """A login that passed or failed."""
        with self._lock:
            if passed:
                self._failed.pop(client, None)
            else:
                self._failed.setdefault(client, deque(maxlen=self.FEW)).append(self.clock())
