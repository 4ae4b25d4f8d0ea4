"""What a question says of the list that it asks for: how many entries, or which one of them."""

from __future__ import annotations

import re

from rag.answer.lists import LABEL, Enumeration
from rag.index.lexical import terms
from rag.text.quantities import DIGITS

_ASKED = re.compile(
    r"(?<![第十百千万\d.])(?P<n>[两二三四五六七八九十]|\d{1,2})(?:大)?(?:个|种|类|大|项|条|点|步|方面|阶段|件|样|套|位|家|款|层|道|重|座)"
    r"|\b(?P<word>two|three|four|five|six|seven|eight)\b",
    re.IGNORECASE,
)
_WORDS = {word: n for n, word in enumerate("two three four five six seven eight".split(), 2)}


def is_about(made: Enumeration, question: str, place: int) -> bool:
    """Tell whether a question names the label of the entry that holds a sentence, so that it is about this one and not about the list."""
    label = next((LABEL.match(entry[0].text) for entry in made.entries if place in {sentence.position for sentence in entry}), None)
    if not label:
        return False
    others = [found["label"] for entry in made.entries if (found := LABEL.match(entry[0].text)) and found["label"] != label["label"]]
    own = {term for term in terms(label["label"]) if len(term) > 1} - {term for other in others for term in terms(other)}
    return bool(own) and 2 * len(own & set(terms(question))) >= len(own)


def asked_count(question: str) -> int:
    """How many entries a question asks for; 0 when it does not say.

    >>> asked_count("有哪三条技术路径？"), asked_count("Name the two risks."), asked_count("有哪些路径？"), asked_count("2030 年有什么变化？")
    (3, 2, 0, 0)
    """
    match = _ASKED.search(question)
    if not match:
        return 0
    if match["word"]:
        return _WORDS[match["word"].lower()]
    return int(match["n"]) if match["n"].isdigit() else {**DIGITS, "十": 10}[match["n"]]
