"""What people type to narrow down who may answer: "只看华为：……", "only Cloud Computing 2030: ...". A pure function of the text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.types import Document

_ASKED = (
    re.compile(r"^\s*(?:请)?(?:只看|仅看|只查|仅限|只在)\s*(?:《(?P<title>[^》]+)》|(?P<name>[^，,：:；;。？?\n]{1,60}?))(?:报告|里|中)*\s*(?:[，,：:；;\n]\s*(?P<rest>.*))?$", re.S),
    re.compile(r"^\s*only\s+(?:(?:look|search)\s+)?(?:(?:in|at|use|from)\s+)?(?:\"(?P<title>[^\"]+)\"|(?P<name>[^,:;?\n]{1,80}?))\s*(?:[,:;\n]\s*(?P<rest>.*))?$", re.S | re.I),
)  # fmt: skip
_ALL = re.compile(r"(?:全部|所有|all|everything|all reports)", re.I)
_LANGUAGES = {"中文": "zh", "chinese": "zh", "英文": "en", "english": "en"}


def narrowed(text: str, documents: Sequence[Document]) -> tuple[str, tuple[str, ...], str] | None:
    """(the name given, ids of the reports that answer to it, the question that follows); None when the text asks for no such thing.

    No id when no report answers to the name. Asking for all gives all ids.
    """
    for pattern in _ASKED:
        match = pattern.match(text)
        if match:
            name = (match["title"] or match["name"]).strip()
            rest = (match["rest"] or "").strip()
            if _ALL.fullmatch(name):
                return name, tuple(document.id for document in documents), rest
            found = tuple(document.id for document in documents if _answers(document, name))
            return (name, found, rest) if found or rest or len(name) <= 30 else None
    return None


def _answers(document: Document, name: str) -> bool:
    """Whether each part of a name stands in the title, publisher, file or id of a report, or is its year or language."""
    there = " ".join((document.title, document.publisher, document.source, document.id)).casefold()
    for part in re.findall(r"(?:19|20)\d\d|[\u3400-\u9fff]+|[^\s\u3400-\u9fff]+", name.casefold()):
        part = part.strip("年的")
        if part in _LANGUAGES:
            if document.language != _LANGUAGES[part]:
                return False
        elif part and part != str(document.year or "") and part not in there:
            return False
    return True
