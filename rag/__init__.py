"""Answers from your reports, every sentence cited to its exact span.

    import rag
    rag.ask("存算一体有哪三条技术路径？", index="index").answer

Reading order: types, config, then the rooms: text, reading, index, search, answer, llm; then chat, batch, web, cli.
"""

from typing import TYPE_CHECKING, Any

from rag.config import Config, load_config
from rag.errors import RagError
from rag.types import Answer, Chunk, Citation, Claim, Document, Filter, Hit, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.chat import Assistant

__version__ = "0.2.0"
__all__ = [
    # ask
    "ask", "Assistant", "Filter", "Turn",
    # what comes back
    "Answer", "Claim", "Citation", "Hit", "Chunk", "Document",
    # settings and errors
    "Config", "load_config", "RagError",
]  # fmt: skip


def ask(
    question: str, *, index: str | None = None, history: "Sequence[Turn]" = (), only: Filter | None = None, llm: bool | None = None
) -> Answer:
    """One question to one index, with the settings of `load_config`. For several questions open an `Assistant` once.

    With `llm` the configured model writes the answer; None leaves that to the setting `default_mode`.
    """
    from rag.chat import Assistant  # opens FAISS and tantivy, which `import rag` need not

    config, _ = load_config({"index_dir": index})
    return Assistant.open(config).ask(question, history=history, only=only, llm=config.writes if llm is None else llm)


def __getattr__(name: str) -> Any:
    if name == "Assistant":
        from rag.chat import Assistant

        return Assistant
    raise AttributeError(f"module 'rag' has no attribute {name!r}")
