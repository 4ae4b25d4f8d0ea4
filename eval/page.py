"""A run as one HTML file that needs nothing else: summary, intervals, refusing, kinds, the ladder, and each failed question with its trace.

No script and no request. Everything that comes from questions, reports and answers is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from rag.types import SOUND

from .metrics import bare, expected_calibration_error, reliability
from .report import (
    MEANINGS,
    RUNGS,
    SIZES,
    Figure,
    Record,
    failures,
    figures,
    groups,
    interval_of,
    is_answered,
    ladder,
    outcome,
    predictions,
    refusals,
    risk,
    rung,
    written,
)

TILES = ("answer_hit", "evidence_covered", "recall_at_5", "claims_supported", "false_refusal", "false_answer", "latency_p50_ms")
WORDS = {
    "answer_hit": "answered right",
    "evidence_covered": "evidence cited",
    "recall_at_5": "found in 5 passages",
    "claims_supported": "grounded sentences",
    "false_refusal": "refused, though answerable",
    "false_answer": "answered, though unanswerable",
    "latency_p50_ms": "ms, median answer",
}
STOPS = {
    1: "not among the best 10 passages",
    2: "found, but its sentence was not chosen",
    3: "chosen, but refused",
    4: "cited, but the answer misses a part",
}
"""Where a question stopped on the ladder, by the rungs climbed."""
MOST_HITS = 6

STYLE = """
:root{--ink:#1c2430;--dim:#5c6773;--line:#dde3ea;--paper:#fff;--soft:#f5f7fa;--good:#1f7a4d;--bad:#b3372f;--tone:#2b5fa5;--pale:#c9d9ee}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--dim:#9aa6b2;--line:#333d49;--paper:#161b22;--soft:#1e252e;--good:#58b98a;
--bad:#e58077;--tone:#7fb0ec;--pale:#2e4766}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.55 system-ui,"Noto Sans CJK SC","Noto Sans SC",
"PingFang SC","Microsoft YaHei",sans-serif}main{max-width:1080px;margin:0 auto;padding:2rem 1.2rem 5rem}h1{font-size:1.6rem;margin:0 0 .2rem}
h2{font-size:1.15rem;margin:2.6rem 0 .6rem;padding-top:.8rem;border-top:1px solid var(--line)}p{margin:.4rem 0}.dim{color:var(--dim)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(132px,1fr));gap:.7rem;margin:1.2rem 0}.tile{background:var(--soft);
border-radius:8px;padding:.8rem}.tile b{display:block;font-size:1.55rem;font-weight:600;line-height:1.2}.tile span{font-size:.82rem;color:var(--dim)}
table{border-collapse:collapse;width:100%;font-size:.9rem}th{text-align:left;font-weight:500;color:var(--dim);border-bottom:1px solid var(--line)}
th,td{padding:.3rem .6rem .3rem 0;vertical-align:middle}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr+tr td{border-top:1px solid var(--line)}code{font:.85em ui-monospace,Menlo,Consolas,monospace}svg{max-width:100%;height:auto;display:block}
svg text{fill:var(--dim);font-size:12px}.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(320px,100%),1fr));gap:2rem}
.wide{overflow-x:auto}.wide table{min-width:720px}
details{border:1px solid var(--line);border-radius:8px;margin:.5rem 0;background:var(--paper)}summary{cursor:pointer;padding:.6rem .8rem}
summary .tag{float:right;font-size:.8rem;color:var(--bad);margin-left:1rem}details>div{padding:0 .8rem .8rem}.sides{display:grid;
grid-template-columns:1fr 1fr;gap:1rem}@media(max-width:700px){.sides{grid-template-columns:1fr}}.side{background:var(--soft);border-radius:6px;
padding:.6rem .8rem;overflow-wrap:anywhere}.side h4{margin:0 0 .3rem;font-size:.82rem;font-weight:500;color:var(--dim)}.hit{margin:.45rem 0;
padding-left:.6rem;border-left:3px solid var(--line);overflow-wrap:anywhere}.hit.gold{border-color:var(--good)}.place{font-size:.8rem;
color:var(--dim)}h3{font-size:1rem;margin:1.4rem 0 .4rem}
@media(max-width:700px){main{padding:1.2rem .9rem 3rem}.figures tr{display:grid;grid-template-columns:1fr auto 4.5rem;padding:.5rem 0;
border-top:1px solid var(--line)}.figures tr:first-child{display:none}.figures td{border:0!important;padding:.05rem 0}.figures td:nth-child(3)
{grid-area:2/1}.figures td:nth-child(4){grid-area:2/2/3/4}.figures td:nth-child(5){grid-area:1/3}.figures td:nth-child(5)::before{content:"n = "}
.figures td:last-child{grid-area:3/1/4/4}}
"""


def page(run: Mapping[str, Any], records: Sequence[Record], gate: Sequence[str] | None = None) -> str:
    """The whole file. `run` is what run.json holds, `gate` why the gate stayed shut, if it was asked."""
    found = {figure.name: figure for figure in figures(records)}
    parts = [
        _head(run, records),
        _gate(gate),
        _tiles(found),
        _reading(found, records),
        _section(
            "Figures", "The bar is the 95 % bootstrap interval over questions; differences inside it are no differences.", _figures(found)
        ),
        _section("How far each question came", LADDER_NOTE, _ladder(ladder(records))),
        _section("Refusing", RISK_NOTE, _refusing(records, found)),
        _section("Refusals by reason", REASON_NOTE, _reasons(records)),
        _section("Calibration", CALIBRATION_NOTE, _calibration(records)),
        _section("By group", GROUP_NOTE, _groups(records)),
        _section("What went wrong", "", _failures(records)),
        _section("How it was asked", "", _settings(run)),
    ]
    title = escape(f"Evaluation of {run['questions']['file']}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        f'<link rel="icon" href="data:,"><title>{title}</title><style>{STYLE}</style></head><body><main>{"".join(parts)}</main></body></html>\n'
    )


LADDER_NOTE = (
    "Of the answerable questions with a known place: was it among the best ten passages, was its sentence chosen, was that cited, and was the"
    " answer right? Each step counts only those that took the step before, so the widest drop is where to work."
)
RISK_NOTE = (
    "If only the most confident answers were given: how many questions would be answered (to the right), and what share of those answers would"
    " be wrong (up)? A good score makes a curve that starts low and rises late."
)
REASON_NOTE = "The code that a refusal carries, and what was right: the reports do answer, they do not, or the file does not say."
CALIBRATION_NOTE = (
    "How often an answer of a given score was right (up), over what the score says (to the right). On the dashed line the score can be read as a"
    " probability; below it answers are surer than they should be. A larger dot stands for more answers."
)

GROUP_NOTE = (
    "Right is what came out as wanted: the accepted answer on a gold place, or a refusal where the reports do not say. Answer hits, evidence and"
    " passages are over the answerable questions of a group."
)
GROUP_COLUMNS = ("answer_hit", "evidence_covered", "recall_at_5", "refused")


def _head(run: Mapping[str, Any], records: Sequence[Record]) -> str:
    planted = run.get("setting", {}).get("plant")
    warning = f'<p style="color:var(--bad)">A fault was planted for this run: {escape(planted)}.</p>' if planted else ""
    about = f"{len(records)} questions, {len(run['corpus'])} reports, {run['started']}"
    return f"<h1>Evaluation of {escape(run['questions']['file'])}</h1><p class=dim>{escape(about)}</p>{warning}"


def _gate(reasons: Sequence[str] | None) -> str:
    if reasons is None:
        return ""
    if not reasons:
        return '<p style="color:var(--good)">The gate is open: no figure fell.</p>'
    lines = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return f'<div style="color:var(--bad)">The gate is shut:<ul>{lines}</ul></div>'


def _tiles(found: Mapping[str, Figure]) -> str:
    tiles = "".join(
        f"<div class=tile><b>{_share(found[name])}</b><span>{WORDS[name]}<br>n = {found[name].n}</span></div>"
        for name in TILES
        if name in found
    )
    return f"<div class=tiles>{tiles}</div>"


def _share(figure: Figure) -> str:
    return f"{figure.value:.0f}" if figure.name.endswith("_ms") else f"{100 * figure.value:.0f} %"


def _reading(found: Mapping[str, Figure], records: Sequence[Record]) -> str:
    """Two or three sentences that say where it fails most."""
    said = []
    counts = ladder(records).get("all")
    if counts:
        lost = [(before - after, place) for place, (before, after) in enumerate(pairwise(counts), 1)]
        most, place = max(lost, key=lambda pair: pair[0])
        if most:
            said.append(
                f"Of {counts[0]} answerable questions {counts[-1]} came through; most were lost at one step: {most} {STOPS[place]}."
            )
    if "false_answer" in found and "false_refusal" in found:
        wrong = round(found["false_answer"].value * found["false_answer"].n)
        missed = round(found["false_refusal"].value * found["false_refusal"].n)
        said.append(
            f"It answered {wrong} of {found['false_answer'].n} questions that the reports do not answer,"
            f" and refused {missed} of {found['false_refusal'].n} that they do."
        )
    errors = sum(bool(record["error"]) for record in records)
    if errors:
        said.append(f"{errors} questions could not be asked at all; they count in no figure.")
    return f"<p>{escape(' '.join(said))}</p>" if said else ""


def _section(title: str, note: str, body: str) -> str:
    return f"<h2>{escape(title)}</h2>" + (f"<p class=dim>{escape(note)}</p>" if note else "") + body if body else ""


def _figures(found: Mapping[str, Figure]) -> str:
    rows = []
    for figure in found.values():
        plot = "" if figure.name.endswith("_ms") or figure.name in SIZES else _interval(figure)
        cells = f"<td><code>{figure.name}</code></td><td class=n>{written(figure.name, figure.value)}</td><td>{plot}</td>"
        rows.append(
            f"<tr>{cells}<td class=n>{interval_of(figure)}</td><td class=n>{figure.n}</td><td class=dim>{MEANINGS[figure.name]}</td></tr>"
        )
    head = "<tr><th>figure<th class=n>value<th><th class=n>95 % interval<th class=n>n<th>what it is</tr>"
    return f"<table class=figures>{head}{''.join(rows)}</table>"


def _interval(figure: Figure) -> str:
    width = 150
    band = ""
    if figure.low is not None and figure.high is not None:
        at, wide = figure.low * width, max(2.0, (figure.high - figure.low) * width)
        band = f'<rect x="{at:.1f}" y="5" width="{wide:.1f}" height="6" rx="3" fill="var(--pale)"/>'
    line = f'<line x1="0" x2="{width}" y1="8" y2="8" stroke="var(--line)"/>'
    dot = f'<circle cx="{figure.value * width:.1f}" cy="8" r="3.5" fill="var(--tone)"/>'
    return f'<svg width="{width + 8}" height="16" viewBox="-4 0 {width + 8} 16" role="img" aria-label="{figure.value:.3f}">{line}{band}{dot}</svg>'


def _ladder(counts: Mapping[str, Sequence[int]]) -> str:
    if not counts:
        return ""
    head = "".join(f"<th>{name}" for name in RUNGS)
    rows = []
    for group, climbed in counts.items():
        cells = []
        for place, count in enumerate(climbed):
            lost = climbed[place - 1] - count if place else 0
            minus = f' <span style="color:var(--bad)">−{lost}</span>' if lost else ""
            cells.append(f"<td>{_bar(count / climbed[0], f'{count}')}{minus}</td>")
        rows.append(f"<tr><td>{escape(group)}</td>{''.join(cells)}</tr>")
    return f"<div class=wide><table><tr><th>{head}</tr>{''.join(rows)}</table></div>"


def _bar(share: float, label: str, width: int = 90) -> str:
    return (
        f'<svg width="{width + 46}" height="16" viewBox="0 0 {width + 46} 16" role="img" aria-label="{escape(label)}" style="display:inline-block;'
        f'vertical-align:middle"><rect x="0" y="2" width="{width}" height="12" rx="3" fill="var(--soft)"/>'
        f'<rect x="0" y="2" width="{share * width:.1f}" height="12" rx="3" fill="var(--tone)" opacity=".75"/>'
        f'<text x="{width + 6}" y="12">{escape(label)}</text></svg>'
    )


def _refusing(records: Sequence[Record], found: Mapping[str, Figure]) -> str:
    points = risk(records)
    if not points:
        return ""
    width, height, left, bottom = 420, 230, 44, 34
    x = lambda share: left + share * (width - left - 12)  # noqa: E731
    y = lambda share: 10 + (1 - share) * (height - bottom - 10)  # noqa: E731
    top = max(0.1, *(wrong for _, wrong in points))
    scale = next(limit for limit in (0.1, 0.2, 0.3, 0.5, 1.0) if limit >= top - 1e-9)
    path = " ".join(f"{'L' if place else 'M'}{x(share):.1f},{y(wrong / scale):.1f}" for place, (share, wrong) in enumerate(points))
    grid = "".join(
        f'<line x1="{left}" x2="{width - 12}" y1="{y(part):.1f}" y2="{y(part):.1f}" stroke="var(--line)"/>'
        f'<text x="{left - 6}" y="{y(part) + 4:.1f}" text-anchor="end">{100 * part * scale:.0f} %</text>'
        for part in (0, 0.5, 1)
    )
    ticks = "".join(
        f'<text x="{x(part):.1f}" y="{height - 16}" text-anchor="{"end" if part == 1 else "middle"}">{100 * part:.0f} %</text>'
        for part in (0, 0.25, 0.5, 0.75, 1)
    )
    last = points[-1]
    dot = f'<circle cx="{x(last[0]):.1f}" cy="{y(last[1] / scale):.1f}" r="4" fill="var(--bad)"/>'
    plot = (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="risk over coverage">{grid}{ticks}'
        f'<path d="{path}" fill="none" stroke="var(--tone)" stroke-width="2"/>{dot}'
        f'<text x="{(width + left) / 2:.0f}" y="{height - 2}" text-anchor="middle">questions answered</text></svg>'
    )
    names = ("false_refusal", "false_answer", "refusing_balanced_accuracy", "refusing_auroc", "score_auroc", "area_under_risk")
    lines = "".join(
        f"<tr><td>{escape(MEANINGS[name])}</td><td class=n>{written(name, found[name].value)}</td><td class=n>n = {found[name].n}</td></tr>"
        for name in names
        if name in found
    )
    words = f"The red dot is what it does: {100 * last[0]:.0f} % answered, {100 * last[1]:.0f} % of these answers wrong."
    return f"<div class=two><div>{plot}<p class=dim>{words}</p></div><div><table>{lines}</table></div></div>"


def _reasons(records: Sequence[Record]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(code)}</code></td>" + "".join(f"<td class=n>{count}</td>" for count in (sum(counts), *counts)) + "</tr>"
        for code, counts in refusals(records).items()
    )
    head = "<tr><th>code<th class=n>refusals<th class=n>though answerable<th class=n>rightly<th class=n>not known</tr>"
    return f"<table>{head}{rows}</table>" if rows else ""


def _calibration(records: Sequence[Record]) -> str:
    bins = reliability(predictions(records))
    if not bins:
        return ""
    size, left, bottom = 260, 44, 34
    x = lambda share: left + share * (size - left - 12)  # noqa: E731
    y = lambda share: 10 + (1 - share) * (size - bottom - 10)  # noqa: E731
    grid = "".join(
        f'<line x1="{left}" x2="{size - 12}" y1="{y(part):.1f}" y2="{y(part):.1f}" stroke="var(--line)"/>'
        f'<text x="{left - 6}" y="{y(part) + 4:.1f}" text-anchor="end">{part:g}</text>'
        f'<text x="{x(part):.1f}" y="{size - 16}" text-anchor="middle">{part:g}</text>'
        for part in (0, 0.5, 1)
    )
    line = f'<line x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}" stroke="var(--dim)" stroke-dasharray="4 4"/>'
    path = " ".join(f"{'L' if place else 'M'}{x(each.said):.1f},{y(each.happened):.1f}" for place, each in enumerate(bins))
    most = max(each.n for each in bins)
    dots = "".join(
        f'<circle cx="{x(each.said):.1f}" cy="{y(each.happened):.1f}" r="{2.5 + 5 * (each.n / most) ** 0.5:.1f}" fill="var(--tone)">'
        f"<title>{each.n} answers of score {each.said:.2f}: {each.happened:.2f} right</title></circle>"
        for each in bins
    )
    plot = (
        f'<svg width="{size}" height="{size}" viewBox="0 0 {size} {size}" role="img" aria-label="share right over score">{grid}{line}'
        f'<path d="{path}" fill="none" stroke="var(--tone)" stroke-width="2"/>{dots}'
        f'<text x="{(size + left) / 2:.0f}" y="{size - 2}" text-anchor="middle">score of the answer</text></svg>'
    )
    rows = "".join(
        f"<tr><td>{each.low:.1f} to {each.high:.1f}</td><td class=n>{each.said:.2f}</td><td class=n>{each.happened:.2f}</td><td class=n>{each.n}</td></tr>"
        for each in bins
    )
    table = f"<table><tr><th>score<th class=n>says<th class=n>right<th class=n>answers</tr>{rows}</table>"
    total = sum(each.n for each in bins)
    words = f"Expected calibration error {expected_calibration_error(bins):.3f} over {total} answers; 0 is calibrated."
    return f"<div class=two><div>{plot}<p class=dim>{words}</p></div><div>{table}{_sureness(records)}</div></div>"


def _sureness(records: Sequence[Record]) -> str:
    """Where answers say in a word how sure they are: how often each word was right."""
    said: dict[str, list[bool]] = {}
    for record in records:
        if is_answered(record) and isinstance(word := record["answer"].get("confidence"), str) and word:
            said.setdefault(word, []).append(not outcome(record))
    rows = "".join(
        f"<tr><td>{escape(word)}</td><td class=n>{sum(right) / len(right):.2f}</td><td class=n>{len(right)}</td></tr>"
        for word, right in said.items()
    )
    return f"<table><tr><th>said<th class=n>right<th class=n>answers</tr>{rows}</table>" if rows else ""


def _groups(records: Sequence[Record]) -> str:
    rows = []
    by_group = groups(records)
    told = {figure.name for members in by_group.values() for values in members.values() for figure in values}
    columns = [name for name in GROUP_COLUMNS if name in told]
    for grouping, members in by_group.items():
        for member, values in members.items():
            found = {figure.name: figure for figure in values}
            cells = "".join(f"<td class=n>{f'{found[name].value:.2f}' if name in found else ''}</td>" for name in columns)
            bar = _bar(found["right"].value, f"{found['right'].value:.2f}", 180) if "right" in found else ""
            said = f"<td>{escape(grouping)}</td><td>{escape(member)}</td><td>{bar}</td>{cells}"
            rows.append(f"<tr>{said}<td class=n>{found['refused'].n}</td></tr>")
    head = "".join(f"<th class=n>{name.replace('_', ' ')}" for name in columns)
    return f"<div class=wide><table><tr><th>by<th>group<th>right{head}<th class=n>n</tr>{''.join(rows)}</table></div>" if rows else ""


def _failures(records: Sequence[Record]) -> str:
    by_id = {record["id"]: record for record in records}
    blocks = []
    for how, ids in failures(records).items():
        blocks.append(f"<h3>{escape(how)} ({len(ids)})</h3>" + "".join(_trace(by_id[name]) for name in ids))
    return "".join(blocks) or "<p>Nothing that these figures can see.</p>"


def _trace(record: Record) -> str:
    stop = STOPS.get(rung(record), "")
    tag = f"<span class=tag>{escape(stop)}</span>" if stop and outcome(record) not in ("wrongly answered",) else ""
    summary = f"<summary>{tag}<code>{escape(record['id'])}</code> {escape(record['question'])}</summary>"
    if record["error"]:
        return f"<details>{summary}<div><p>{escape(record['error'])}</p></div></details>"
    answer = record["answer"]
    asked = "".join(
        f"<p class=dim>before: {escape(turn['question'])}" + (f" — {escape(turn['answer'])}" if turn["answer"] else "") + "</p>"
        for turn in record["history"]
    )
    searched = f"<p class=dim>searched: {escape(answer['query'])}</p>" if answer["query"] != record["question"] else ""
    note = f"<p class=dim>{escape(record['note'])}</p>" if record.get("note") else ""
    sides = f"<div class=sides>{_wanted(record)}{_given(record)}</div>"
    hits = "".join(_hit(number, hit) for number, hit in enumerate(record["hits"][:MOST_HITS], 1))
    return f"<details>{summary}<div>{asked}{searched}{note}{sides}<p class=dim>best passages</p>{hits}</div></details>"


def _wanted(record: Record) -> str:
    wanted = record["wanted"]
    if record["answerable"] is False:
        return "<div class=side><h4>wanted</h4>A refusal: the reports do not say.</div>"
    joiner = " and " if wanted["match"] == "all" else " or "
    forms = escape(joiner).join(f"<b>{escape(' / '.join(item))}</b>" for item in wanted["answers"])
    places = "".join(
        f"<div class='hit gold'><span class=place>{escape(place['document'])} · {escape(place['section'])}</span><br>{escape(place['quote'])}</div>"
        for place in wanted["gold"]
    )
    return f"<div class=side><h4>wanted</h4>{forms}{places}</div>"


def _given(record: Record) -> str:
    answer = record["answer"]
    used = answer["citations"] or answer["nearest"]
    gold = [place["quote"] for place in record["wanted"]["gold"]]
    said = escape(answer["reason"]) if answer["abstained"] else ""
    head = "refused; nearest, not used" if answer["abstained"] else "given"
    body = "".join(
        f"<div class='hit{' gold' if _shows(citation['quote'], gold) else ''}'><span class=place>[{citation['n']}] {escape(citation['document'])} ·"
        f" {escape(citation['section'])} · score {citation['score']:.2f}</span><br>{escape(citation['quote'])}</div>"
        for citation in used
    )
    unsupported = "".join(
        f"<p style='color:var(--bad)'>{escape(claim['verdict'])}: {escape(claim['text'])} ({escape(claim['why'])})</p>"
        for claim in answer["claims"]
        if claim["verdict"] not in SOUND
    )
    return f"<div class=side><h4>{head}</h4>{said}{body}{unsupported}</div>"


def _shows(quote: str, gold: Iterable[str]) -> bool:
    letters = bare(quote)
    return any(bare(place) in letters or letters in bare(place) for place in gold if letters)


def _hit(number: int, hit: Mapping[str, Any]) -> str:
    gold = " gold" if hit["shows"] else ""
    scores = f"{hit['fused']:.2f} = lexical {hit['lexical']:.2f}, dense {hit['dense']:.2f}"
    place = f"{number}. {hit['document']} · {hit['section']} · {scores}" + (" · holds the gold place" if gold else "")
    text = " ".join(hit["text"].split())
    return f"<div class='hit{gold}'><span class=place>{escape(place)}</span><br>{escape(text[:260])}{'…' if len(text) > 260 else ''}</div>"


def _settings(run: Mapping[str, Any]) -> str:
    rows = []
    for title in ("questions", "corpus", "setting", "config", "versions"):
        values = ", ".join(f"{name} {value}" for name, value in run.get(title, {}).items() if value not in ("", None))
        rows.append(f"<tr><td>{title}</td><td style='overflow-wrap:anywhere'>{escape(values)}</td></tr>")
    return f"<table>{''.join(rows)}</table>"
