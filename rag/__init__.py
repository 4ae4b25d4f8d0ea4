"""Answers from your reports, every sentence cited to its exact span.

    import rag
    rag.ask("存算一体有哪三条技术路径？", index="index").answer

Reading order: types, config, then the rooms: text, reading, index, search, answer, llm; then chat, batch, web, cli.
"""

from typing import TYPE_CHECKING

from rag.config import Config, load_config
from rag.errors import RagError
from rag.types import Answer, Chunk, Citation, Claim, Document, Filter, Hit, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

__version__ = "0.2.0"

__all__ = [
    # ask
    "ask", "Filter", "Turn",
    # what comes back
    "Answer", "Claim", "Citation", "Hit", "Chunk", "Document",
    # settings and errors
    "Config", "load_config", "RagError",
]  # fmt: skip


def ask(question: str, *, index: str | None = None, history: "Sequence[Turn]" = (), only: Filter | None = None) -> Answer:
    """One question to one index, with the settings of `load_config`. For several questions open a `rag.chat.Assistant` once."""
    from rag.chat import Assistant  # opens FAISS and tantivy, which `import rag` need not

    config, _ = load_config({"index_dir": index})
    return Assistant.open(config).ask(question, history=history, only=only)
