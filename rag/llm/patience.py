"""How fast an endpoint has shown to be, how long it is waited for, and how long a prompt it gets.

Speeds are kept for as long as the process lives. Gave up on telling apart what a server computes and what it has cached: the mean of what
was seen last is good enough to fit a prompt.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

FIRST_TOKENS = 1500
"""Of the first prompt to an endpoint whose speed is not known: a slow one reads it in half a minute, a fast one loses little."""
LEAST_TOKENS = 600
"""Of any prompt, however slow the endpoint: the rules and the two or three best passages."""
UNKNOWN = 0.75
"""Share of the whole time that the first word of an endpoint may take whose speed is not known."""
SLACK = 3.0
"""How many times the expected time the first word may take."""
LATEST = 0.5
"""Weight of the latest measurement."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second, by our own count, that an endpoint reads and writes; the time until a request arrives is part of reading."""

    reads: float
    writes: float = 0.0

    def after(self, older: Speed | None) -> Speed:
        """Mixed with what was measured before."""
        if older is None:
            return self
        mixed = LATEST * self.reads + (1 - LATEST) * older.reads
        return Speed(
            mixed, LATEST * self.writes + (1 - LATEST) * older.writes if self.writes and older.writes else self.writes or older.writes
        )


@dataclass(frozen=True, slots=True)
class Manners:
    """What an endpoint turned out to want of a request."""

    limit: str = "max_tokens"
    temperature: bool = True
    thinks: bool = False
    """Whether it needs room for thoughts before it writes."""


class Known:
    """Speed and manners of endpoints by address and model, for every writer of this process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._speeds: dict[tuple[str, str], Speed] = {}
        self._manners: dict[tuple[str, str], Manners] = {}
        self._spent: dict[tuple[str, str], tuple[int, int, int]] = {}

    def speed(self, name: tuple[str, str]) -> Speed | None:
        with self._lock:
            return self._speeds.get(name)

    def spent(self, name: tuple[str, str]) -> tuple[int, int, int]:
        """Requests that were answered, tokens sent, tokens received, by our own count."""
        with self._lock:
            return self._spent.get(name, (0, 0, 0))

    def measured(self, name: tuple[str, str], speed: Speed, sent: int = 0, received: int = 0) -> None:
        with self._lock:
            requests, before, after = self._spent.get(name, (0, 0, 0))
            self._spent[name] = (requests + 1, before + sent, after + received)
            self._speeds[name] = speed.after(self._speeds.get(name))

    def manners(self, name: tuple[str, str]) -> Manners:
        with self._lock:
            return self._manners.get(name, Manners())

    def learn(self, name: tuple[str, str], **manners: object) -> None:
        with self._lock:
            self._manners[name] = replace(self._manners.get(name, Manners()), **manners)  # type: ignore[arg-type]


KNOWN = Known()


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a request may take."""

    connect: float = 5.0
    first: float = 30.0
    gap: float = 20.0
    total: float = 120.0
    wait: float = 15.0
    """For the first word, which prompts are fitted to."""
    pause: float = 0.4
    """Before the first of the further tries, twice that before the second, each a little more or less."""
    pause_asked: float = 20.0
    """Longest wait that an endpoint may ask for."""

    @classmethod
    def of(cls, total: float, wait: float = 15.0) -> Patience:
        """A quarter of the whole for the first word, a sixth between words."""
        return cls(first=total / 4, gap=total / 6, total=total, wait=wait)

    def expecting(self, seconds: float | None) -> Patience:
        """As long for the first word as the endpoint's speed warrants.

        >>> Patience.of(120).expecting(2.0).first, Patience.of(120).expecting(15.0).first, Patience.of(120).expecting(None).first
        (30.0, 45.0, 90.0)
        """
        longest = max(self.first, UNKNOWN * self.total)
        return replace(self, first=longest if seconds is None else min(longest, max(self.first, SLACK * seconds)))

    def room(self, speed: Speed | None) -> int:
        """Tokens that a prompt may have for the first word to come in time.

        >>> Patience.of(120).room(Speed(100)), Patience.of(120).room(Speed(5)), Patience.of(120).room(None)
        (1500, 600, 1500)
        """
        return FIRST_TOKENS if speed is None else max(LEAST_TOKENS, int(self.wait * speed.reads))
