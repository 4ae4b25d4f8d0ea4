"""Names and passwords for a page that other machines can reach: a file with one `name:secret` a line, secrets as scrypt hashes.

python -m rag.web.login NAME >> users        asks for a password and writes the line
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import hmac
import os
import secrets
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from rag.errors import UsageError

_COST = {"n": 2**14, "r": 8, "p": 1}
_MARK = "scrypt$"
SHORTEST = 8
"""Characters of a password."""


def hashed(password: str) -> str:
    """The secret to store for a password."""
    salt = secrets.token_bytes(16)
    return _MARK + "$".join(base64.b64encode(part).decode() for part in (salt, _stretched(password, salt)))


def read_users(file: Path) -> dict[str, str]:
    """name -> secret. Raises UsageError when the file cannot be read, can be read by others, or holds a line that is no name and secret."""
    try:
        status = file.stat()
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: give a file with one name:secret a line") from error
    if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
        raise UsageError(f"{file} can be read by other users of this machine: run `chmod 600 {file}`")
    users = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, secret = line.strip().partition(":")
        if not colon or not name or not secret.startswith(_MARK) or secret.count("$") != 2:
            raise UsageError(f"{file}, line {number}: not name:secret; make one with `python -m rag.web.login NAME >> {file}`")
        users[name] = secret
    if not users:
        raise UsageError(f"{file} names nobody: make a line with `python -m rag.web.login NAME >> {file}`")
    return users


def checker(users: Mapping[str, str]) -> Callable[[str, str], bool]:
    """Whether a name and a password belong together; an unknown name takes as long as a wrong password."""
    nobody = hashed(secrets.token_hex(16))

    def check(name: str, password: str) -> bool:
        if len(name) > 200 or len(password) > 1000:
            return False
        _, salt, digest = users.get(name, nobody).split("$")
        same = hmac.compare_digest(_stretched(password, base64.b64decode(salt)), base64.b64decode(digest))
        return same and name in users

    return check


def _stretched(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, dklen=32, **_COST)


def main() -> int:
    """Writes one line for the file of users on standard output."""
    if len(sys.argv) != 2 or not sys.argv[1] or ":" in sys.argv[1]:
        sys.stderr.write("usage: python -m rag.web.login NAME >> users   (a name without a colon)\n")
        return 2
    password = getpass.getpass("password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if len(password) < SHORTEST:
        sys.stderr.write(f"the password has fewer than {SHORTEST} characters: choose a longer one\n")
        return 2
    sys.stdout.write(f"{sys.argv[1]}:{hashed(password)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
