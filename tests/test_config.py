"""Settings: precedence, origins, and refusals that name the value and where it stands."""

import dataclasses

import pytest

from rag.config import Config, bundled, load_config, save_settings, shown
from rag.errors import UsageError


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    for field in dataclasses.fields(Config):
        monkeypatch.delenv(f"RAG_{field.name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_defaults_need_no_file(tmp_path):
    config, origins = load_config()
    assert config == Config()
    assert set(origins.values()) == {"default"}


def test_flag_over_environment_over_file_over_default(monkeypatch, tmp_path):
    (tmp_path / "rag.toml").write_text('port = 1001\nindex_dir = "a"\nencoder = "from-file"\n', encoding="utf-8")
    monkeypatch.setenv("RAG_PORT", "1002")
    monkeypatch.setenv("RAG_INDEX_DIR", "b")
    config, origins = load_config({"index_dir": "c", "port": None})
    assert (config.index_dir, config.port, config.encoder, config.top_k) == ("c", 1002, "from-file", Config().top_k)
    assert origins["index_dir"] == "flag"
    assert origins["port"] == "RAG_PORT"
    assert origins["encoder"] == str(tmp_path / "rag.toml")
    assert origins["top_k"] == "default"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1\n", ["'prot'", "rag.toml", "port"]),
        ('port = "many"\n', ["port is 'many'", "rag.toml", "whole number"]),
        ("port = 1.5\n", ["port is 1.5", "whole number"]),
        ("port = true\n", ["port is True", "whole number"]),
        ("port = 70000\n", ["port is 70000", "65535"]),
        ("top_k = 0\n", ["top_k is 0", "at least 1"]),
        ("encoder = 3\n", ["encoder is 3", "text"]),
        ('encoder = ""\n', ["encoder is ''", "empty"]),
        ('strictness = "lax"\n', ["'lax'", "strict, balanced, open"]),
        ("target_tokens = 500\n", ["max_tokens is 400", "target_tokens 500"]),
        ("port = = 1\n", ["rag.toml", "TOML"]),
    ],
)
def test_a_wrong_file_is_refused_with_value_place_and_way_out(tmp_path, text, words):
    (tmp_path / "rag.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_config()
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_wrong_environment_value_names_the_variable(monkeypatch):
    monkeypatch.setenv("RAG_TOP_K", "a few")
    with pytest.raises(UsageError, match="'a few' .RAG_TOP_K."):
        load_config()


def test_an_unknown_flag_is_refused():
    with pytest.raises(UsageError, match="'indx'"):
        load_config({"indx": "here"})


def test_the_key_is_never_shown(monkeypatch, tmp_path):
    monkeypatch.setenv("RAG_LLM_API_KEY", "sk-very-secret")
    config, _ = load_config()
    assert config.llm_api_key == "sk-very-secret"
    assert "secret" not in repr(config)
    assert (shown("llm_api_key", config.llm_api_key), shown("llm_api_key", ""), shown("port", 7860)) == ("set", "not set", "7860")
    monkeypatch.delenv("RAG_LLM_API_KEY")
    (tmp_path / "rag.toml").write_text("llm_api_key = 987654321\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_config()
    assert "987654321" not in str(caught.value)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "rag.toml").write_bytes(b"\xef\xbb\xbfport = 1234\n")
    assert load_config()[0].port == 1234


def test_the_bundled_corpus_is_there():
    assert bundled("corpus").is_dir()


def test_settings_are_written_where_they_are_read_and_comments_stay(tmp_path):
    (tmp_path / "rag.toml").write_text('# ours\nport = 8000  # behind the proxy\nllm_model = "old"\n', encoding="utf-8")
    save_settings({"llm_model": 'new "one" \\ é\n', "llm_wait": 5, "port": None})
    assert (tmp_path / "rag.toml").read_text(encoding="utf-8").startswith("# ours\nllm_model = ")
    config, origins = load_config()
    assert (config.llm_model, config.llm_wait, config.port) == ('new "one" \\ é\n', 5, 7860)
    assert origins["llm_wait"] == str(tmp_path / "rag.toml") and not (tmp_path / "rag.secrets.toml").exists()


def test_a_secret_goes_into_a_file_of_its_own_that_nobody_else_reads(tmp_path):
    (tmp_path / "rag.toml").write_text('llm_api_key = "sk-old"\nport = 1\n', encoding="utf-8")
    save_settings({"llm_api_key": "sk-canary"})
    secret = tmp_path / "rag.secrets.toml"
    assert secret.stat().st_mode & 0o777 == 0o600 and (tmp_path / "rag.toml").read_text() == "port = 1\n"
    assert load_config()[0].llm_api_key == "sk-canary" and load_config()[1]["llm_api_key"] == str(secret)
    secret.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        load_config()
    secret.chmod(0o600)
    save_settings({"llm_api_key": None})
    assert load_config()[0].llm_api_key == ""


@pytest.mark.parametrize("changes", [{"prot": 1}, {"port": 0}, {"strictness": "lax"}, {"llm_wait": "soon"}, {"default_mode": "poem"}])
def test_what_would_not_be_read_is_not_written(tmp_path, changes):
    with pytest.raises(UsageError):
        save_settings({"llm_model": "x", **changes})
    assert not list(tmp_path.iterdir())
