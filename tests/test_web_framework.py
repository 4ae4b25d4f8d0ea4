"""Gradio is imported without what the page has no use for, and everything is as it was afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
START = """
import gc, inspect, sys
getfile = inspect.getfile
from rag.web.framework import draft, gr
"""


def said(code: str) -> list[str]:
    """The words that a fresh process prints."""
    return subprocess.run(
        [sys.executable, "-c", START + code], cwd=ROOT, capture_output=True, text=True, check=True, encoding="utf-8"
    ).stdout.split()


def test_the_page_imports_neither_torch_nor_agents_nor_encoders_of_others():
    heavy = "{'torch', 'sentence_transformers', 'transformers', 'mcp', 'matplotlib', 'scipy', 'sklearn', 'openai', 'pypdfium2'}"
    assert said(f"import app; print('app' in sys.modules, *({heavy} & set(sys.modules)))") == ["True"]


def test_what_was_put_aside_is_back_after_the_import():
    assert said("print(inspect.getfile is getfile, gc.isenabled(), 'mcp' in sys.modules)") == ["True", "True", "False"]
    assert said("print(inspect.getfile(gr.Textbox).endswith('textbox.py'), hasattr(gr.Textbox, 'submit'))") == ["True", "True"]


def test_agents_can_be_served_after_the_import():
    pytest.importorskip("mcp")
    assert said("import mcp; from rag.web.tools import Tools; print(hasattr(mcp, 'Client'))") == ["True"]


def test_a_draft_makes_no_server_and_the_launch_does():
    code = """
with draft(), gr.Blocks(analytics_enabled=False) as page:
    gr.Textbox()
drafted = page.app
page.launch(prevent_thread_lock=True, quiet=True, _frontend=False, share=False)
print(drafted, type(page.app).__name__)
page.close(verbose=False)
"""
    assert said(code) == ["None", "App"]


def test_updates_leave_one_component_of_each_in_a_session():
    code = """
import asyncio
from gradio.state_holder import SessionState
with draft(), gr.Blocks(analytics_enabled=False) as page:
    box, view = gr.Textbox(), gr.HTML()
    box.submit(lambda words: (words, words), box, [box, view])
session, event = SessionState(page), page.fns[0]
async def turns(count):
    for turn in range(count):
        for made in ((gr.update(placeholder=str(turn)), gr.skip()), (f"words {turn}", f"<b>{turn}</b>")):
            await page.postprocess_data(event, list(made), session)
asyncio.run(turns(5))
print(sorted(session.blocks_config.blocks) == sorted(page.blocks), session[box._id].placeholder, session[box._id]._id == box._id)
"""
    assert said(code) == ["True", "4", "True"]
