"""The tab where the LLM is set up: endpoint, model, key, how answers are made. Only administrators where there is a login.

The key goes one way: it is written to a file that only its owner can read, and no page, answer or log ever holds it. It belongs to the
endpoint that it was given for: another address does not get it.
"""

from __future__ import annotations

import html
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rag.config import CHOICES, Config, save_settings
from rag.errors import RagError
from rag.llm.address import host_of
from rag.llm.client import Writer
from rag.llm.endpoint import PRESETS, Measured, list_models, measure
from rag.llm.failures import Failure
from rag.llm.patience import Patience
from rag.web.framework import gr
from rag.web.strings import LANGUAGES, say

if TYPE_CHECKING:
    from rag.chat import Assistant

log = logging.getLogger("provenote.settings")

FIELDS = ("llm_base_url", "llm_model", "llm_context", "default_mode", "strictness")
"""What the tab sets besides the key, in the order of its parts."""
LONGEST = 500
"""Characters of a field."""
ANY = "…"
TEST_SECONDS = 90


class Settings:
    """The tab over one assistant. `admins` are the names that may change settings; None where there is no login."""

    def __init__(self, assistant: Assistant, folder: Path, admins: Sequence[str] | None):
        self._assistant, self._folder = assistant, folder
        self._admins = None if admins is None else frozenset(admins)

    def may(self, request: gr.Request | None) -> bool:
        """Whether whoever asks may see and change settings."""
        return self._admins is None or (request is not None and getattr(request, "username", None) in self._admins)

    # ---- what is shown

    def draw(self) -> None:
        """Makes the parts of the tab; to be called inside it."""
        config = self._assistant.config
        with gr.Column(elem_id="settings"):
            self._help = gr.HTML("", elem_id="settings-help", apply_default_css=False)
            with gr.Group():
                self._preset = gr.Dropdown([*PRESETS, ANY], value=_preset(config.llm_base_url), label="", elem_id="set-preset")
                self._url = gr.Textbox(value=config.llm_base_url, label="", elem_id="set-url", max_length=LONGEST)
                self._key = gr.Textbox(label="", type="password", elem_id="set-key", max_length=LONGEST)
                self._forget = gr.Button("", elem_id="set-forget", size="sm")
            with gr.Group():
                self._model = gr.Dropdown([], value=config.llm_model or None, label="", allow_custom_value=True, elem_id="set-model")
                self._list = gr.Button("", elem_id="set-list", size="sm")
                self._context = gr.Number(value=config.llm_context, precision=0, minimum=1, label="", elem_id="set-context")
            with gr.Group():
                self._mode = gr.Radio(list(CHOICES["default_mode"]), value=config.default_mode, label="", elem_id="set-mode")
                self._strictness = gr.Radio(list(CHOICES["strictness"]), value=config.strictness, label="", elem_id="set-strictness")
            with gr.Row(elem_id="set-buttons"):
                self._test = gr.Button("", elem_id="set-test")
                self._save = gr.Button("", elem_id="set-save", variant="primary")
            self._told = gr.HTML("", elem_id="settings-told", apply_default_css=False)

    def wire(self, tab: gr.Tab, language: gr.State, switch: gr.Checkbox, quiet: dict[str, Any]) -> None:
        """Ties the parts to what they do. `switch` is the one below the question, which follows the settings."""
        form = [self._url, self._key, self._model, self._context, self._mode, self._strictness]
        filled = [self._preset, *form, self._help, self._told]
        changes = {**quiet, "concurrency_limit": 2, "concurrency_id": "settings"}
        tab.select(self.fill, language, filled, **quiet)
        self._preset.input(lambda name: gr.skip() if name == ANY else PRESETS.get(name, ""), self._preset, self._url, **quiet)
        self._list.click(self.models, [*form, language], [self._model, self._context, self._told], **changes)
        self._test.click(self.test, [*form, language], [self._told, self._context], **changes)
        self._save.click(self.save, [*form, language], [self._key, self._told, self._help, switch], **changes)
        self._forget.click(self.forget, language, [self._key, self._told, self._help], **changes)

    @property
    def worded(self) -> list[Any]:
        """The parts that carry words, in the order of `words`."""
        parts = [self._preset, self._url, self._key, self._forget, self._model, self._list, self._context]
        return [*parts, self._mode, self._strictness, self._test, self._save]

    def words(self, language: str, request: gr.Request | None) -> list[Any]:
        """What changes of `worded` in one language."""
        own = self.may(request)
        hint = say(language, "set_key_held" if self._assistant.config.llm_api_key and own else "set_key_none")
        return [
            gr.update(label=say(language, "set_preset"), choices=[*PRESETS, (say(language, "set_any"), ANY)]),
            gr.update(label=say(language, "set_url")),
            gr.update(label=say(language, "set_key"), placeholder=hint),
            gr.update(value=say(language, "set_forget")),
            gr.update(label=say(language, "set_model")),
            gr.update(value=say(language, "set_list")),
            gr.update(label=say(language, "set_context")),
            gr.update(label=say(language, "set_mode"), choices=_choices(language, "default_mode")),
            gr.update(label=say(language, "set_strictness"), choices=_choices(language, "strictness")),
            gr.update(value=say(language, "set_test")),
            gr.update(value=say(language, "set_save")),
        ]

    # ---- what is done; each asks first who asks

    def fill(self, language: str, request: gr.Request) -> tuple:
        """The settings as they are, whenever the tab is opened. The key is not among them."""
        if not self.may(request):
            return (*(gr.skip() for _ in range(8)), _note(say(_known(language), "set_not_yours"), "bad"))
        config = self._assistant.config
        fields = (config.llm_base_url, "", config.llm_model or None, config.llm_context, config.default_mode, config.strictness)
        return _preset(config.llm_base_url), *fields, self._about(_known(language)), ""

    def models(self, url: Any, key: Any, model: Any, context: Any, mode: Any, strictness: Any, language: str, request: gr.Request) -> tuple:
        """The endpoint's models, to choose from."""
        language = _known(language)
        try:
            self._admit(request)
            found = list_models(self._writer(_text(url), _text(key), ""))
        except RagError as error:
            return gr.skip(), gr.skip(), _note(_complaint(error, language), "bad")
        names = [each.id for each in found]
        chosen = _text(model) if _text(model) in names else names[0] if len(names) == 1 else _text(model) or None
        known = next((each.context for each in found if each.id == chosen), None)
        return (
            gr.update(choices=names, value=chosen),
            gr.update(value=known) if known else gr.skip(),
            _note(say(language, "set_listed", n=len(names)), "good"),
        )

    def test(self, url: Any, key: Any, model: Any, context: Any, mode: Any, strictness: Any, language: str, request: gr.Request) -> tuple:
        """One short question to the endpoint as the form has it, before anything is saved."""
        language = _known(language)
        try:
            self._admit(request)
            found = measure(self._writer(_text(url), _text(key), _text(model)))
        except RagError as error:
            return _note(_complaint(error, language), "bad"), gr.skip()
        return _measured(found, language), gr.update(value=found.context) if found.context else gr.skip()

    def save(self, url: Any, key: Any, model: Any, context: Any, mode: Any, strictness: Any, language: str, request: gr.Request) -> tuple:
        """Writes the form to the files of settings and answers by it from the next question on."""
        language, key = _known(language), _text(key)
        try:
            self._admit(request)
            values = dict(zip(FIELDS, (_text(url), _text(model), context, mode, strictness), strict=True))
            changes = self._changes(values)
            if key:
                changes["llm_api_key"] = key
            elif not self._same_origin(values["llm_base_url"]) and self._assistant.config.llm_api_key:
                changes["llm_api_key"] = None
            save_settings(changes, self._folder)
        except RagError as error:
            return gr.skip(), _note(_complaint(error, language), "bad"), gr.skip(), gr.skip()
        taken = {name: getattr(Config(), name) if value is None else value for name, value in changes.items()}
        self._assistant.reconfigure(replace(self._assistant.config, **taken))
        log.info("settings saved: %s", ", ".join(sorted(changes)))
        config = self._assistant.config
        switch = gr.update(
            label=say(language, "llm_switch", model=self._assistant.model), visible=bool(self._assistant.model), value=config.writes
        )
        held = say(language, "set_key_held" if config.llm_api_key else "set_key_none")
        return gr.update(value="", placeholder=held), _note(say(language, "set_saved"), "good"), self._about(language), switch

    def forget(self, language: str, request: gr.Request) -> tuple:
        """Takes the key out of its file."""
        language = _known(language)
        try:
            self._admit(request)
            self._changes({"llm_api_key": ""})
            save_settings({"llm_api_key": None}, self._folder)
        except RagError as error:
            return gr.skip(), _note(_complaint(error, language), "bad"), gr.skip()
        self._assistant.reconfigure(replace(self._assistant.config, llm_api_key=""))
        told = _note(say(language, "set_forgotten"), "good")
        return gr.update(value="", placeholder=say(language, "set_key_none")), told, self._about(language)

    # ---- rules

    def _admit(self, request: gr.Request | None) -> None:
        if not self.may(request):
            raise _Refused("set_not_yours")

    def _changes(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values that differ from those in force; an empty one is taken out. Raises RagError for one that cannot be saved."""
        if not isinstance(values.get("llm_context", 1), int):
            raise _Refused("set_no_number")
        if values.get("llm_base_url"):
            host_of(values["llm_base_url"])
        changes = {
            name: value for name, value in values.items() if value != getattr(self._assistant.config, name) or name in ("llm_api_key",)
        }
        if fixed := [name for name in changes if f"RAG_{name.upper()}" in os.environ]:
            raise _Refused("set_fixed", name=f"RAG_{fixed[0].upper()}")
        if "llm_base_url" in changes and not self._same_origin(values["llm_base_url"]) and "RAG_LLM_API_KEY" in os.environ:
            raise _Refused("set_fixed", name="RAG_LLM_API_KEY")  # the key of the environment is meant for another endpoint
        return {name: None if value == "" else value for name, value in changes.items()}

    def _same_origin(self, url: str) -> bool:
        here, there = urlsplit(self._assistant.config.llm_base_url), urlsplit(url)
        return (here.scheme, here.netloc.lower()) == (there.scheme, there.netloc.lower())

    def _writer(self, url: str, key: str, model: str) -> Writer:
        """The endpoint as the form has it; the stored key goes only where it belongs."""
        config = self._assistant.config
        if not url:
            raise _Refused("set_no_url")
        key = key or (config.llm_api_key if self._same_origin(url) else "")
        return Writer(url, model, key, context=config.llm_context, patience=Patience.of(min(config.llm_timeout, TEST_SECONDS)))

    def _about(self, language: str) -> str:
        """What the tab is for, where things are kept, and which settings come from the environment."""
        fixed = [f"RAG_{name.upper()}" for name in (*FIELDS, "llm_api_key") if f"RAG_{name.upper()}" in os.environ]
        parts = [say(language, "set_help"), *([say(language, "set_from_outside", names=", ".join(fixed))] if fixed else [])]
        return "".join(f"<p>{html.escape(part)}</p>" for part in parts)


class _Refused(RagError):
    """Something that the tab does not do, by the key of its words."""

    def __init__(self, key: str, **fields: object):
        super().__init__(say("en", key, **fields))
        self.key, self.fields = key, fields


def _complaint(error: RagError, language: str) -> str:
    if isinstance(error, _Refused):
        return say(language, error.key, **error.fields)
    return error.told(language) if isinstance(error, Failure) else str(error)


def _measured(found: Measured, language: str) -> str:
    rows = [
        ("set_first", say(language, "set_seconds", n=f"{found.first_word:.1f}")),
        ("set_reads", say(language, "set_rate", n=f"{found.reads:.0f}")),
        ("set_writes", say(language, "set_rate", n=f"{found.writes:.0f}") if found.writes else "–"),
        ("set_context_told", f"{found.context:,}" if found.context else "–"),
    ]
    cells = "".join(f"<dt>{html.escape(say(language, name))}</dt><dd>{html.escape(value)}</dd>" for name, value in rows)
    return f"<dl>{cells}</dl>" + _note(say(language, "set_right" if found.right else "set_wrong"), "good" if found.right else "bad")


def _note(text: str, kind: str) -> str:
    return f'<p class="{kind}" role="status">{html.escape(text)}</p>'


def _choices(language: str, setting: str) -> list[tuple[str, str]]:
    return [(say(language, f"set_{value}"), value) for value in CHOICES[setting]]


def _preset(url: str) -> str:
    return next((name for name, address in PRESETS.items() if address == url), ANY)


def _text(value: Any) -> str:
    return value.strip()[:LONGEST] if isinstance(value, str) else ""


def _known(language: Any) -> str:
    return language if language in LANGUAGES else LANGUAGES[0]
