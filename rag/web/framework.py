"""Gradio without what the page has no use for: `from rag.web.framework import gr`, never `import gradio`, which takes twice as long.

Two things are left out while it is imported (`lean`), and one while a page is put together (`draft`). For each of its components Gradio parses its own source and writes a stub file for editors
beside it, on every start and into the installed package: most of the time of its import. And it imports `mcp` where that is installed,
though the page has an MCP server of its own (`rag.web.tools`), which imports it when it is asked for.
"""

from __future__ import annotations

import gc
import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Middleware", "draft", "gr"]

# read at import: no telemetry, no look-ups, and Gradio's own call to itself not through a proxy
os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
for _variable in ("NO_PROXY", "no_proxy"):
    os.environ[_variable] = ",".join(filter(None, [os.environ.get(_variable), "127.0.0.1,localhost,::1"]))


@contextmanager
def lean() -> Iterator[None]:
    """Inside it, components of Gradio have no source file, which spares them their stub, and `mcp` is not there."""
    getfile, collecting = inspect.getfile, gc.isenabled()
    absent = [name for name in ("mcp",) if name not in sys.modules]

    def without_source(thing: Any) -> str:
        if isinstance(thing, type) and thing.__module__.startswith("gradio."):
            raise OSError("no stub is wanted")
        return getfile(thing)

    inspect.getfile = without_source
    sys.modules.update(dict.fromkeys(absent))  # None: an ImportError for whoever asks
    gc.disable()  # hundreds of thousands of objects are made and none dies
    try:
        yield
    finally:
        inspect.getfile = getfile
        for name in absent:
            del sys.modules[name]
        if collecting:
            gc.enable()


with lean():
    import gradio as gr
    from gradio.blocks import Block
    from gradio.routes import App
    from gradio.state_holder import SessionState
    from starlette.middleware import Middleware


def _keep_one_of_each() -> None:
    """Gradio makes a new component at each update of one, also at `gr.skip()`, and files it in the session under its new number as well as
    under that of the one it stands for, where it stays: some 100 kB for each question asked. With the old number there is one of each.
    """
    put = SessionState.__setitem__

    def under_its_own_number(session: SessionState, key: int, value: Any) -> None:
        if isinstance(value, Block):
            value._id = key
        put(session, key, value)

    SessionState.__setitem__ = under_its_own_number  # type: ignore[method-assign]


_keep_one_of_each()


@contextmanager
def draft() -> Iterator[None]:
    """Inside it a page is put together without the servers that Gradio makes of every draft and throws away; `launch` makes the last one."""
    make = App.create_app
    App.create_app = staticmethod(lambda *_, **__: None)  # type: ignore[assignment]
    try:
        yield
    finally:
        App.create_app = staticmethod(make)  # type: ignore[assignment]
