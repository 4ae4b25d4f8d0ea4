"""The wheel holds all that a machine without this checkout needs; and importing the package stays cheap."""

import ast
import graphlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tiny_reader import needs_weights

import rag

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(*command, cwd, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAG_") and name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=clean | environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, f"{command[0]} gave {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("hatchling", reason="the wheel is built offline with the dev extra's hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, ROOT, cwd=folder)
    (file,) = folder.glob("*.whl")
    return file


def test_the_wheel_holds_code_model_page_corpus_and_evaluation(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    if (ROOT / ".git").exists():
        for folder, place in {"rag": "rag", "corpus": "rag/bundled/corpus", "eval": "rag/bundled/eval"}.items():
            tracked = run("git", "ls-files", folder, cwd=ROOT).split()
            assert [name for name in tracked if place + name.removeprefix(folder) not in names] == []
    assert "rag/bundled/app.py" in names and "rag/cli/__init__.py" in names
    assert not [name for name in names if "__pycache__" in name or name.startswith(("tests/", "train/", "index/", "app.py"))]
    assert not [name for name in names if name.startswith("rag/model/") and name.endswith(".py")]
    metadata = [name for name in names if ".dist-info/" in name]
    assert {name.rpartition("licenses/")[2] for name in metadata if "licenses/" in name} == {"LICENSE", "NOTICE"} and any(
        name.endswith("entry_points.txt") for name in metadata
    )
    assert metadata[0].startswith(f"provenote-{rag.__version__}.dist-info/")


@needs_weights
def test_an_installed_wheel_answers_about_the_bundled_corpus(wheel, tmp_path):
    """A fresh environment that borrows the libraries of this one: nothing is downloaded and nothing of the checkout is seen."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    binaries = home / ("Scripts" if os.name == "nt" else "bin")
    run(sys.executable, "-m", "pip", "--python", binaries / "python", "install", "-q", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    borrowed = [path for path in sys.path if Path(path).name == "site-packages"]
    (site / "borrowed.pth").write_text("\n".join(borrowed) + "\n", encoding="utf-8")
    assert Path(run(binaries / "python", "-c", "import rag; print(rag.__file__)", cwd=tmp_path).strip()).is_relative_to(site)

    report = json.loads(run(binaries / "rag", "index", "--json", cwd=tmp_path))
    assert report["failed"] == [] and report["documents"] >= 2
    answer = json.loads(run(binaries / "rag", "ask", "存算一体有哪三条技术路径？", "--json", cwd=tmp_path))
    reports = {document["id"]: document for document in json.loads(run(binaries / "rag", "list", "--json", cwd=tmp_path))["documents"]}
    assert not answer["abstained"] and answer["citations"]
    assert all(citation["document"] in reports for citation in answer["citations"])
    bundled = {path.name for path in (site / "rag" / "bundled" / "corpus").iterdir()}
    assert {document["source"] for document in reports.values()} <= bundled
    assert (tmp_path / "index" / "CURRENT").is_file()


@pytest.mark.parametrize("modules", ["rag", "rag.cli, rag.batch", "rag.chat"])
def test_importing_the_package_imports_nothing_heavy(modules):
    heavy = (
        "{'torch', 'sentence_transformers', 'transformers', 'gradio', 'pandas', 'sklearn', 'scipy', 'rich', 'onnxruntime', 'tokenizers'}"
    )
    assert run(sys.executable, "-c", f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))", cwd=ROOT).strip() == "[]"


def test_every_dependency_is_pinned_and_says_why():
    pinned = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    for text in PROJECT["dependencies"] + [text for extra in PROJECT["optional-dependencies"].values() for text in extra]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), text
    assert all("+" not in version and "/" not in version for version in pinned.values())
    source = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = source[source.index("dependencies = [") : source.index("]\n", source.index("dependencies = ["))]
    assert all(re.search(r'", +# \w', line) for line in block.splitlines()[1:])


def test_make_installs_what_is_needed_and_nothing_twice(tmp_path):
    """`make chat` takes what running needs, `make install` everything; each stamp is newer than what it depends on."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    plan = run("make", "-n", "chat", cwd=tmp_path)
    assert (
        plan.index("-m venv") < plan.index("-e .\n") < plan.index("rag serve")
        and "torch" not in plan
        and "[" not in plan.split("-e .")[1][:3]
    )
    plan = run("make", "-n", "install", cwd=tmp_path)
    assert plan.index("-m venv") < plan.index("torch==") < plan.index("-e '.[encoders,mcp,dev]'")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    (tmp_path / ".venv" / ".runs").touch()
    assert "install -c" not in run("make", "-n", "chat", cwd=tmp_path)
    (tmp_path / ".venv" / ".installed").touch()
    assert "Nothing to be done" in run("make", "install", cwd=tmp_path, LC_ALL="C")


def test_the_container_is_not_root_read_only_and_gets_all_that_the_wheel_needs(tmp_path):
    pytest.importorskip("hatchling", reason="the wheel is built offline with the dev extra's hatchling")
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    before, _, last = docker.partition("FROM python:3.12-slim-bookworm\n")
    assert "USER provenote" in last and "VOLUME /data" in last and "HEALTHCHECK" in last and "RUN pip" not in last
    copied = [name for line in re.findall(r"^COPY (?!--)(.+)$", before, re.M) for name in line.split()[:-1]]
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {f"!{name}" for name in copied} == {name for name in allowed if name.startswith("!")} and allowed[0] == "*"
    for name in copied:
        shutil.copytree(ROOT / name, tmp_path / name) if (ROOT / name).is_dir() else shutil.copy(ROOT / name, tmp_path / name)
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        tmp_path,
        tmp_path,
        cwd=tmp_path,
    )
    assert len(list(tmp_path.glob("provenote-*.whl"))) == 1
    page = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["page"]
    assert page["read_only"] and page["cap_drop"] == ["ALL"] and page["image"] == f"provenote:{rag.__version__}"
    assert all(port.startswith("127.0.0.1:") for port in page["ports"])


def test_the_default_install_has_no_torch():
    """What brings it stands in the extra `encoders` alone."""
    names = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    assert not names & {"torch", "sentence-transformers", "transformers", "scipy"} and {"onnxruntime", "tokenizers"} <= names


def test_imports_run_one_way():
    """Also those inside functions; what only a type checker sees does not count."""
    package = ROOT / "rag"
    found: dict[str, set[str]] = {}
    for file in sorted(package.rglob("*.py")):
        nodes, tree = set(), [ast.parse(file.read_text(encoding="utf-8"))]
        while tree:
            node = tree.pop()
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rag."):
                folder = ROOT.joinpath(*node.module.split("."))
                inside = {alias.name for alias in node.names if (folder / f"{alias.name}.py").exists() or (folder / alias.name).is_dir()}
                nodes |= {f"{node.module}.{name}" for name in inside} or {node.module}
            if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
                tree += ast.iter_child_nodes(node)
        found[".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = nodes
    order = list(graphlib.TopologicalSorter(found).static_order())  # raises CycleError
    assert (
        order.index("rag.reading.elements")
        < order.index("rag.reading.pdf.document")
        < order.index("rag.reading.dispatch")
        < order.index("rag.reading.sandbox")
    )
