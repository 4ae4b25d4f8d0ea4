"""What people leave behind at the page: their conversations, in a file of SQLite beside the index, and what they thought of answers.

A conversation belongs to whoever holds the key that the browser keeps (or to a name, where people sign in); only a hash of it is stored.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rag.chat import Passage
from rag.types import Answer, Citation, Claim
from rag.web.panel import RATINGS, Evidence, Shown, visible

KEPT = 200
"""Conversations of one owner; the oldest go first."""
LARGEST = 8_000_000
"""Bytes of one conversation."""
TITLE = 80
FEEDBACK_BYTES = 50_000_000
_OWNER = re.compile(r"[0-9a-f]{32,64}")


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation in a list."""

    id: str
    title: str
    turns: int
    changed: str
    """ISO time, UTC."""


class Talks:
    """Conversations by owner. Safe to use from several threads; a file that cannot be written only means that nothing is kept."""

    def __init__(self, file: Path):
        self.file = file
        self._lock = threading.Lock()

    def save(self, owner: str, talk: str, turns: Sequence[Shown]) -> str:
        """Keeps a conversation, a new one where `talk` is "" or not the owner's; its id, "" when it cannot be kept."""
        finished = [turn for turn in turns if not turn.running]
        if not (name := _owned(owner)) or not finished:
            return ""
        content = json.dumps([to_plain(turn) for turn in finished], ensure_ascii=False)
        if len(content) > LARGEST:
            return talk
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        title = " ".join(visible(finished[0].question).split())[:TITLE]
        try:
            with self._open() as database:
                done = database.execute(
                    "UPDATE talks SET turns = ?, content = ?, changed = ? WHERE id = ? AND owner = ?",
                    (len(finished), content, now, talk, name),
                )
                if not done.rowcount:
                    talk = secrets.token_hex(8)
                    database.execute("INSERT INTO talks VALUES (?, ?, ?, ?, ?, ?)", (talk, name, title, len(finished), now, content))
                    oldest = "SELECT id FROM talks WHERE owner = ? ORDER BY changed DESC LIMIT -1 OFFSET ?"
                    database.execute(f"DELETE FROM talks WHERE id IN ({oldest})", (name, KEPT))
        except (sqlite3.Error, OSError):
            return ""
        return talk

    def all(self, owner: str) -> list[Talk]:
        """Conversations of an owner, the newest first."""
        return [
            Talk(*row) for row in self._rows("SELECT id, title, turns, changed FROM talks WHERE owner = ? ORDER BY changed DESC", owner)
        ]

    def load(self, owner: str, talk: str) -> list[Shown] | None:
        """The turns of a conversation; None when there is no such one of this owner."""
        rows = self._rows("SELECT content FROM talks WHERE owner = ? AND id = ?", owner, talk)
        with suppress(ValueError, KeyError, TypeError):
            return [from_plain(turn) for turn in json.loads(rows[0][0])] if rows else None
        return None

    def rename(self, owner: str, talk: str, title: str) -> None:
        """Gives a conversation another title; an empty one changes nothing."""
        title = " ".join(visible(title).split())[:TITLE]
        if title:
            self._do("UPDATE talks SET title = ? WHERE owner = ? AND id = ?", title, _owned(owner), talk)

    def delete(self, owner: str, talk: str) -> None:
        """Deletes a conversation for good."""
        self._do("DELETE FROM talks WHERE owner = ? AND id = ?", _owned(owner), talk)

    def _rows(self, statement: str, owner: str, *values: str) -> list[tuple]:
        name = _owned(owner)
        if not name or not self.file.exists():
            return []
        try:
            with self._open() as database:
                return database.execute(statement, (name, *values)).fetchall()
        except (sqlite3.Error, OSError):
            return []

    def _do(self, statement: str, *values: str) -> None:
        with suppress(sqlite3.Error, OSError), self._open() as database:
            database.execute(statement, values)

    def _open(self) -> _Connection:
        return _Connection(self.file, self._lock)


class _Connection:
    """One transaction on the file, which is made when it is missing."""

    def __init__(self, file: Path, lock: threading.Lock):
        self.file, self.lock = file, lock

    def __enter__(self) -> sqlite3.Connection:
        self.lock.acquire()
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.database = sqlite3.connect(self.file, timeout=10)
            self.database.execute("PRAGMA secure_delete=ON")
            self.database.execute(
                "CREATE TABLE IF NOT EXISTS talks (id TEXT PRIMARY KEY, owner TEXT, title TEXT, turns INTEGER, changed TEXT, content TEXT)"
            )
            self.database.execute("CREATE INDEX IF NOT EXISTS by_owner ON talks (owner, changed)")
            with suppress(OSError):
                self.file.chmod(0o600)
        except BaseException:
            self.lock.release()
            raise
        return self.database

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            with closing(self.database):
                self.database.rollback() if kind else self.database.commit()
        finally:
            self.lock.release()


def _owned(owner: str) -> str:
    """What is stored of an owner's key: a hash; "" for what is no key."""
    # The salt is a name of long ago and must stay: conversations that were stored are found by it.
    whole = owner.startswith("user:") or _OWNER.fullmatch(owner)
    return hashlib.sha256(f"veracite talk {owner}".encode()).hexdigest() if whole else ""


class Feedback:
    """A file with one line of JSON for each opinion, with everything that is needed to see what happened."""

    def __init__(self, file: Path):
        self.file = file
        self._lock = threading.Lock()

    def note(self, turn: Shown, rating: str, trace: Mapping[str, Any]) -> bool:
        """Adds a line; whether that could be done. `rating` is one of RATINGS, or "" when it is taken back."""
        if rating and rating not in RATINGS:
            return False
        record = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "rating": rating,
            **trace,
            "answer": turn.answer.to_dict() if turn.answer else None,
            "turn": to_plain(turn),
        }
        line = json.dumps(record, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"
        try:
            with self._lock:
                self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                if self.file.exists() and self.file.stat().st_size + len(line) > FEEDBACK_BYTES:
                    return False
                handle = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                with os.fdopen(handle, "ab") as out:
                    out.write(line)
        except OSError:
            return False
        return True


# ------------------------------------------------------------------------------------------------------------- turns as plain values


def to_plain(turn: Shown) -> dict[str, Any]:
    """A turn as JSON can hold it.

    >>> from_plain(json.loads(json.dumps(to_plain(Shown("t1", "Why?", phase="stopped"))))) == Shown("t1", "Why?", phase="stopped")
    True
    """
    return asdict(turn)


def from_plain(value: Mapping[str, Any]) -> Shown:
    """The turn that `to_plain` gave. Raises KeyError or TypeError for anything else."""
    answer = value["answer"]
    return Shown(
        **{
            **value,
            "sentences": tuple(map(_claim, value["sentences"])),
            "evidence": tuple(tuple(map(_evidence, items)) for items in value["evidence"]),
            "nearest": tuple(map(_evidence, value["nearest"])),
            "followups": tuple(value["followups"]),
            "answer": answer
            and Answer(
                **{
                    **answer,
                    "suggestions": tuple(answer.get("suggestions", ())),
                    "claims": tuple(map(_claim, answer["claims"])),
                    "citations": tuple(Citation(**each) for each in answer["citations"]),
                    "nearest": tuple(Citation(**each) for each in answer["nearest"]),
                }
            ),
        }
    )


def _claim(value: Mapping[str, Any]) -> Claim:
    emphasis = value["emphasis"]
    return Claim(**{**value, "citations": tuple(value["citations"]), "emphasis": tuple(emphasis) if emphasis else None})


def _evidence(value: Mapping[str, Any]) -> Evidence:
    return Evidence(value["key"], Citation(**value["citation"]), Passage(**value["passage"]))
