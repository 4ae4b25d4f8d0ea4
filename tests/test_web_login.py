"""Who may come in: files of names and hashes, and the slowing down of guesses."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from rag.errors import UsageError
from rag.web.guard import Guard, Throttle
from rag.web.login import checker, hashed, read_users


def test_names_and_passwords_belong_together(tmp_path):
    file = tmp_path / "users"
    made = subprocess.run(
        [sys.executable, "-m", "rag.web.login", "ada"], input="correct horse\n", capture_output=True, text=True, check=True
    )
    file.write_text("# people\n\n" + made.stdout + f"李雷:{hashed('long enough')}\n", encoding="utf-8")
    file.chmod(0o600)
    users = read_users(file)
    check = checker(users)
    assert set(users) == {"ada", "李雷"} and "correct" not in file.read_text(encoding="utf-8")
    assert check("ada", "correct horse") and check("李雷", "long enough")
    assert not any(
        (check("ada", "long enough"), check("eve", "correct horse"), check("", ""), check("ada", "x" * 5000), check("ada", "\ud800"))
    )
    assert hashed("same") != hashed("same")


@pytest.mark.parametrize("text, word", [("", "names nobody"), ("ada:plain", "line 1"), ("ada", "line 1"), (":scrypt$a$b", "line 1")])
def test_a_file_that_will_not_do_says_where(tmp_path, text, word):
    file = tmp_path / "users"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(UsageError, match=word):
        read_users(file)


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX")
def test_a_file_that_others_can_read_is_refused(tmp_path):
    file = tmp_path / "users"
    file.write_text(f"ada:{hashed('correct horse')}")
    file.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        read_users(file)
    with pytest.raises(UsageError, match="cannot be read"):
        read_users(tmp_path / "none")


def test_a_short_password_is_refused():
    done = subprocess.run([sys.executable, "-m", "rag.web.login", "ada"], input="short\n", capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout and "8 characters" in done.stderr


def test_guesses_are_counted_by_address_and_in_all_and_forgotten_in_time():
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    for _ in range(throttle.FEW):
        assert not throttle.holds("a")
        throttle.note("a", False)
    assert throttle.holds("a") and not throttle.holds("b")
    now[0] = throttle.WINDOW + 1
    assert not throttle.holds("a")
    for number in range(throttle.MANY):
        throttle.note(f"c{number}", False)
    assert throttle.holds("b")
    throttle.note("c0", True)
    assert not throttle.holds("b")


def test_the_root_path_may_or_may_not_stand_in_what_arrives():
    inner = Starlette(routes=[Route("/config", lambda _: PlainTextResponse("config")), Route("/", lambda _: PlainTextResponse("home"))])
    client = TestClient(Guard(inner, root="/reports/"), base_url="http://127.0.0.1:7860")
    assert [client.get(path).text for path in ("/config", "/reports/config", "/reports", "/reports/", "/")] == [
        "config",
        "config",
        "home",
        "home",
        "home",
    ]
    assert client.get("/reportsconfig").status_code == client.get("/reports/gradio_api/file=/etc/passwd").status_code == 404
