"""The settings of the page: who may change them, where they are kept, and where the key goes."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from scripted_llm import Reply, ScriptedLLM
from test_llm import by_words, opened  # noqa: F401  (a fixture)

from rag.chat import Assistant
from rag.config import Config, load_config
from rag.web.settings import Settings

KEY = "sk-canary-456"
ADA, EVE, NOBODY = SimpleNamespace(username="ada"), SimpleNamespace(username="eve"), SimpleNamespace(username=None)
WORDS = ["Station 7", " has 52", " turbines", ", as", " the list says."]


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    for field in dataclasses.fields(Config):
        monkeypatch.delenv(f"RAG_{field.name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def assistant(opened):  # noqa: F811
    return Assistant(replace(opened.config), opened.encoder, opened._current(), opened.reader, by_words)


def form(url, key="", model="tiny", context=8192, mode="llm", strictness="strict"):
    return url, key, model, context, mode, strictness


def test_what_is_saved_is_in_force_at_once_and_after_a_restart(assistant, tmp_path):
    settings = Settings(assistant, tmp_path, None)
    settings.save(*form("http://127.0.0.1:9/v1", KEY, context=4096), "en", NOBODY)
    held = load_config()[0]
    for config in (assistant.config, held):
        assert (config.llm_base_url, config.llm_model, config.llm_context) == ("http://127.0.0.1:9/v1", "tiny", 4096)
        assert (config.default_mode, config.strictness, config.llm_api_key) == ("llm", "strict", KEY)
    assert assistant.model == "tiny" and (tmp_path / "rag.secrets.toml").stat().st_mode & 0o777 == 0o600
    assert KEY not in (tmp_path / "rag.toml").read_text()


def test_the_key_is_never_given_back(assistant, tmp_path, caplog):
    caplog.set_level("DEBUG")
    settings = Settings(assistant, tmp_path, None)
    with ScriptedLLM(Reply(WORDS, delay=0.1, pause=0.05)) as server:
        server.models = {"data": [{"id": "tiny", "context_length": 2048}]}
        filled = form(server.base_url, KEY)
        said = [
            settings.models(*filled, "en", NOBODY),
            settings.test(*filled, "en", NOBODY),
            settings.save(*filled, "en", NOBODY),
            settings.fill("en", NOBODY),
            settings.words("en", NOBODY),
        ]
        assert [request.headers.get("authorization", request.headers.get("Authorization")) for request in server.requests] == [
            f"Bearer {KEY}"
        ] * 3
    assert "2,048" in said[1][0] and "It works" in said[1][0]
    assert KEY not in json.dumps(said, default=str) + caplog.text


def test_the_key_stays_with_the_endpoint_that_it_was_given_for(assistant, tmp_path):
    settings = Settings(assistant, tmp_path, None)
    with ScriptedLLM(*[Reply(WORDS, delay=0.1)]) as mine, ScriptedLLM(Reply(WORDS, delay=0.1)) as other:
        other.models = {"data": []}
        settings.save(*form(mine.base_url, KEY), "en", NOBODY)
        settings.test(*form(other.base_url), "en", NOBODY)
        settings.models(*form(other.base_url), "en", NOBODY)
        assert other.requests and KEY not in json.dumps([request.headers for request in other.requests])
        settings.save(*form(mine.base_url, model="larger"), "en", NOBODY)
        assert assistant.config.llm_api_key == KEY  # an empty field leaves it alone
        settings.save(*form(other.base_url), "en", NOBODY)
        assert assistant.config.llm_api_key == "" and KEY not in (tmp_path / "rag.secrets.toml").read_text()


def test_a_key_can_be_taken_out(assistant, tmp_path):
    settings = Settings(assistant, tmp_path, None)
    settings.save(*form("http://127.0.0.1:9/v1", KEY), "en", NOBODY)
    settings.forget("en", NOBODY)
    assert assistant.config.llm_api_key == "" and load_config()[0].llm_api_key == ""


@pytest.mark.parametrize("who", [EVE, NOBODY, None])
def test_with_a_login_only_administrators_see_and_change_anything(assistant, tmp_path, who):
    settings = Settings(assistant, tmp_path, ["ada"])
    with ScriptedLLM("x") as server:
        filled = form(server.base_url, KEY)
        for told in (
            settings.save(*filled, "en", who)[1],
            settings.test(*filled, "en", who)[0],
            settings.models(*filled, "en", who)[2],
            settings.forget("en", who)[1],
            settings.fill("en", who)[-1],
        ):
            assert "Only administrators" in told
        assert server.requests == []
    assert not list(tmp_path.iterdir()) and assistant.config.llm_base_url == "" and not settings.may(who) and settings.may(ADA)


@pytest.mark.parametrize(
    ("url", "words"),
    [("http://169.254.169.254/latest", "never asked"), ("file:///etc/passwd", "not an address"), ("http://a:b@c/v1", "password")],
)
def test_addresses_that_are_never_asked_are_neither_saved_nor_tried(assistant, tmp_path, url, words):
    settings = Settings(assistant, tmp_path, None)
    assert words in settings.save(*form(url), "en", NOBODY)[1]
    assert words in settings.test(*form(url), "en", NOBODY)[0] and words in settings.models(*form(url), "en", NOBODY)[2]
    assert not list(tmp_path.iterdir())


def test_what_the_environment_says_is_not_changed_here(assistant, tmp_path, monkeypatch):
    monkeypatch.setenv("RAG_LLM_MODEL", "fixed")
    settings = Settings(assistant, tmp_path, None)
    assert "RAG_LLM_MODEL" in settings.save(*form("http://127.0.0.1:9/v1"), "en", NOBODY)[1]
    monkeypatch.delenv("RAG_LLM_MODEL")
    monkeypatch.setenv("RAG_LLM_API_KEY", KEY)  # it is meant for one endpoint, and another must not get it
    assert "RAG_LLM_API_KEY" in settings.save(*form("http://elsewhere.example/v1"), "en", NOBODY)[1]
    assert not list(tmp_path.iterdir())


def test_a_failing_endpoint_is_told_in_the_language_of_the_page(assistant, tmp_path):
    settings = Settings(assistant, tmp_path, None)
    with ScriptedLLM("x") as server:
        address = server.base_url
    assert (
        "连不上" in settings.test(*form(address), "zh", NOBODY)[0]
        and "cannot be reached" in settings.models(*form(address), "en", NOBODY)[2]
    )
