"""Which addresses are asked at all: a server that fetches what it is told to must not reach what only it can reach.

Machines of one's own and of one's network are fine, since models run there. Never asked are link-local addresses, under which clouds hand
out credentials, and what is no address of a machine. A name is looked up once for each request, every address that it has is checked, and
those are the ones connected to, so that a name cannot mean something else a moment later. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from functools import cache
from typing import TYPE_CHECKING, Any

from rag.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MOST_BYTES = 4_000_000
"""Of one response on the wire, where each token costs about 200 bytes of JSON."""
_NEVER = tuple(
    ipaddress.ip_network(network)
    for network in ("100.100.100.200/32", "192.0.0.0/24", "168.63.129.16/32", "fd00:ec2::/32", "fd20:ce::254/128")
)
"""Where clouds answer besides link-local addresses."""
_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"})
_INSIDE = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
"""IPv6 addresses whose last four bytes are an IPv4 address."""


class Forbidden(Exception):
    """An address that is never asked."""


class TooMuch(Exception):
    """A response went beyond MOST_BYTES."""


def host_of(base_url: str) -> str:
    """The host and port of an endpoint's address. Raises UsageError, without quoting it, when it is none that may be asked.

    >>> host_of("http://127.0.0.1:11434/v1")
    '127.0.0.1:11434'
    """
    match = re.fullmatch(r"https?://(?:[^/@\s]+@)?([^/@?#\s\\]+)(?:/[^?#\s\\]*)?", base_url)
    if not match:
        raise UsageError("llm_base_url is not an address: give one such as http://127.0.0.1:11434/v1, without a question mark or hash")
    if "@" in base_url:
        raise UsageError("llm_base_url holds a name or password: give the key as llm_api_key instead")
    name = (re.sub(r":\d*$", "", match[1]) if not match[1].endswith("]") else match[1]).strip("[]").rstrip(".").lower()
    if name in _NAMES or (literal := _literal(name)) is not None and forbidden(literal):
        raise UsageError("llm_base_url names an address that is never asked (link-local, metadata or none of a machine): name another")
    return match[1]


def forbidden(address: str) -> bool:
    """Whether an IP address is never asked.

    >>> [forbidden(each) for each in ("169.254.169.254", "::ffff:169.254.169.254", "0.0.0.0", "127.0.0.1", "192.168.1.9", "8.8.8.8")]
    [True, True, True, False, False, False]
    """
    found: Any = ipaddress.ip_address(address.partition("%")[0])
    if found.version == 6:
        inside = found.ipv4_mapped or found.sixtofour
        if (
            inside is None
            and found not in (ipaddress.ip_address("::1"), ipaddress.ip_address("::"))
            and any(found in net for net in _INSIDE)
        ):
            inside = ipaddress.ip_address(int(found) & 0xFFFFFFFF)
        if inside is not None:
            return forbidden(str(inside))
    return bool(
        found.is_link_local
        or found.is_multicast
        or found.is_unspecified
        or (found.version == 4 and (found in ipaddress.ip_network("0.0.0.0/8") or found in ipaddress.ip_network("240.0.0.0/4")))
        or any(found.version == net.version and found in net for net in _NEVER)
    )


def _literal(name: str) -> str | None:
    """The IP address that a host name is, in any of the spellings that systems take (2852039166, 0xa9.254.43518); None for a name."""
    try:
        return str(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        pass
    if re.fullmatch(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+)){0,3}", name):
        try:
            return socket.inet_ntoa(socket.inet_aton(name))
        except OSError:
            return None
    return None


async def addresses_of(host: str, port: int) -> list[str]:
    """The addresses of a name, in the system's order. Raises Forbidden when one of them is never asked, OSError when there is none."""
    if host.rstrip(".").lower() in _NAMES:
        raise Forbidden(host)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if any(forbidden(address) for address in addresses):
        raise Forbidden(host)
    return addresses


@cache
def transport_class() -> type:
    """A transport that connects to checked addresses only, and whose responses end after MOST_BYTES and are never unpacked.

    `extensions["heard"]` of a response becomes true once the mark that ends a stream has been read.
    """
    import httpx2

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, stream: Any, extensions: dict[str, Any]):
            self._stream, self._extensions = stream, extensions

        async def __aiter__(self) -> AsyncIterator[bytes]:
            taken, tail = 0, b"\n"
            async for part in self._stream:
                taken += len(part)
                if taken > MOST_BYTES:
                    raise TooMuch
                tail = (tail + part)[-64:] if len(part) < 64 else part[-64:]
                if re.search(rb"[\r\n]data:\s*\[DONE\]", tail):
                    self._extensions["heard"] = True
                yield part

        async def aclose(self) -> None:
            await self._stream.aclose()

    class Transport(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: Any) -> Any:
            request.headers["accept-encoding"] = "identity"
            host, port = request.url.host, request.url.port or (443 if request.url.scheme == "https" else 80)
            try:
                addresses = await addresses_of(host, port)
            except OSError as error:
                raise httpx2.ConnectError(str(error), request=request) from error
            request.extensions = {**request.extensions, "sni_hostname": host}
            whole = request.url
            for place, address in enumerate(addresses):
                request.url = whole.copy_with(host=address)
                try:
                    response = await super().handle_async_request(request)
                    break
                except (httpx2.ConnectError, httpx2.ConnectTimeout):
                    if place == len(addresses) - 1:
                        raise
                finally:
                    request.url = whole
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                await response.aclose()
                raise httpx2.DecodingError("packed though nobody asked for it")
            response.stream = Bounded(response.stream, response.extensions)
            return response

    return Transport
