"""`rag eval`: measure, compare, gate, and make questions of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rag.cli import shared
from rag.cli.shared import AsJson, IndexDir, app, command, config_of
from rag.config import load_config


class _RunByDefault(typer.core.TyperGroup):
    """`rag eval [QUESTIONS]` runs; a first word that is a command of its own wins over a file of that name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, "-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


evaluation = typer.Typer(cls=_RunByDefault, help="Measure answers, citations and refusals; see whether a change helped.")
app.add_typer(evaluation, name="eval")
app.add_typer(evaluation, name="eval")


Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="DIR", help="Records go to a new folder in it.", show_default="runs")
]


Split = Annotated[str, typer.Option(metavar="tune|report", help="One half of the questions.")]


Judge = Annotated[str, typer.Option(metavar="NAME", help="Who judges support: builtin, nli:MODEL or llm:MODEL.")]


Plant = Annotated[str, typer.Option(metavar="FAULT", help="Take a part out, to see whether the figures notice.")]


@command("run", evaluation)
def evaluate(
    questions: Annotated[Path | None, typer.Argument(metavar="[QUESTIONS]", help="JSONL, CSV or XLSX; by default the bundled set.")] = None,
    output: Output = None,
    index_dir: IndexDir = None,
    corpus: Annotated[Path | None, typer.Option(metavar="DIR", help="Make an index of this folder for the run.")] = None,
    split: Split = "",
    judge: Judge = "builtin",
    plant: Plant = "",
    llm: Annotated[bool, typer.Option("--llm", help="Ask the configured LLM too, and show both side by side.")] = False,
    as_json: AsJson = False,
) -> int:
    """Ask a set of questions; the default, so that `rag eval FILE` is enough."""
    settings = load_config({"index_dir": index_dir})
    config = shared.with_index(settings)[0] if questions and not corpus else settings[0]
    run = shared.import_bundled("eval.run")
    if llm:
        modes = shared.import_bundled("eval.modes")
        return modes.run_both(config, questions, output, as_json, run.Setting(split, judge, plant), corpus)
    return run.run(config, questions, output, as_json, run.Setting(split, judge, plant), corpus)


@command("compare", evaluation)
def compare(
    before: Annotated[Path, typer.Argument(metavar="A", help="Folder of a run, or a baseline.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Folder of a run, or a baseline.")],
    as_json: AsJson = False,
) -> int:
    """Two runs side by side: figures with paired intervals, and the questions that changed sides."""
    return shared.import_bundled("eval.compare").compare_runs(before, after, as_json)


@command("gate", evaluation)
def gate(
    run: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="Folder of a run; by default one is made now.")] = None,
    against: Annotated[Path | None, typer.Option(metavar="BASELINE", help="A baseline or a run.", show_default="the stored one")] = None,
    max_drop: Annotated[float, typer.Option(min=0, max=1, help="How far a figure may fall.")] = 0.02,
    refresh: Annotated[bool, typer.Option("--refresh", help="Store what is measured now as the new baseline.")] = False,
    output: Output = None,
    split: Split = "tune",
    plant: Plant = "",
) -> int:
    """Exit 1 when a figure fell against the baseline by more than is allowed."""
    module = shared.import_bundled("eval.compare")
    return module.gate(config_of(), against, max_drop, output, module.Setting(split, plant=plant), run, refresh)


@command("intents", evaluation)
def intents(
    messages: Annotated[Path, typer.Argument(metavar="FILE", help='JSONL: {"text", "intent", "history": whether an answer came before}.')],
    as_json: AsJson = False,
) -> int:
    """Measure what messages are taken for: macro F1, questions about contents that are lost, and a table of confusions."""
    return shared.import_bundled("eval.intents").run(messages, as_json)


@command("make", evaluation)
def make_questions(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="A report or a folder of reports.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="JSONL, CSV or XLSX.")] = Path("questions.jsonl"),
    count: Annotated[int, typer.Option("-n", min=1, max=10_000, help="How many questions.")] = 100,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> int:
    """Write candidate questions over reports of your own, by rule, for a person to edit."""
    return shared.import_bundled("eval.make").make(config_of(), corpus, output, count, force)


@command("edit", evaluation)
def edit_questions(
    questions: Annotated[Path, typer.Argument(metavar="QUESTIONS", help="A file that `rag eval make` wrote, or one of your own.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="First port to try.")] = 7870,
) -> int:
    """Go through questions one by one in a browser on this machine: keep, mend or strike out; each step is saved."""
    return shared.import_bundled("eval.edit").edit(questions, port)


@command("public", evaluation)
def public(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Where the public sets are.")],
    sets: Annotated[list[str] | None, typer.Option("--set", metavar="NAME", help="Only this set; may be given again.")] = None,
    count: Annotated[int, typer.Option("-n", min=1, help="Questions of each set, evenly spread.")] = 300,
    as_json: AsJson = False,
) -> int:
    """Measure on public question sets: CMRC, SQuAD, XQuAD, CLAPnq."""
    return shared.import_bundled("eval.public").run_public(config_of(), data, sets, count, as_json)


@command("reader", evaluation)
def reader(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSONL of questions or claims, each with its passage.")],
    as_json: AsJson = False,
) -> int:
    """Measure the reader alone: what a passage answers, the best sentence, unsupported claims."""
    return shared.import_bundled("eval.reader").run_reader(files, as_json)
