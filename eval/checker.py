"""Measures the check of claims: `python -m eval.checker` makes true paraphrases and false ones of known evidence and counts what is caught.

    python -m eval.checker                       # evidence of the bundled questions (the half for reporting)
    python -m eval.checker --questions FILE      # evidence of another question file; --split tune for the other half
    python -m eval.checker --clapnq FILE         # human answers against their passages and against others

Every case is made by rule from one quote, so a run is the same each time. What the rules cannot make (inference, summary over a page) is
not measured by them; the human answers are there for that.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.config import bundled
from rag.index.lexical import terms
from rag.rules.verify import check
from rag.search.question import HAN, language_of
from rag.search.translate import segment, source_words
from rag.text.chunk import split_sentences
from rag.text.quantities import Quantity, quantities


@dataclass(frozen=True, slots=True)
class Case:
    """A claim, what it cites, and whether it follows from that."""

    id: str
    true: bool
    kind: str
    claim: str
    evidence: tuple[str, ...]


# Written down before the checker's own tables were; about half of the pairs are in neither those nor any other table by hand.
SYNONYMS = (
    "预计=预期 达到=达 使用=采用 通过=借助 提升=提高 降低=减少 重要=关键 包括=涵盖 解决=化解 构建=搭建 提供=给出 推动=促进 企业=公司 问题=难题 方式=方法 成为=变成 迅速=快速 持续=不断 大量=海量 显著=明显 因此=所以 "
    "由于=因为 目前=现阶段 例如=比如 以及=和 逐步=渐渐 广泛=普遍 更加=愈发 能够=可以 实现=达成 复杂=繁杂 完善=健全 满足=符合 结合=融合 改变=转变 提出=给出 未来=今后 相关=有关 具备=拥有 保障=保证 面临=遭遇 依赖=依靠 缓解=减轻 "
    "巨大=庞大 整体=总体 需要=须 超过=逾 仍然=依然 加强=强化 扩大=拓展 帮助=协助 避免=防止 准确=精准 增加=增多 每年=一年 全球=全世界 形成=产生 快速=高速 支持=支撑 影响=左右 发现=察觉 出现=涌现 核心=关键 充分=足够 "
    "large=big uses=employs use=employ about=around shows=demonstrates began=started reached=hit important=crucial created=made company=firm "
    "because=since many=numerous help=assist need=require needs=requires quickly=rapidly often=frequently usually=typically main=primary "
    "begins=starts ended=finished received=obtained lived=resided released=issued known=called whole=entire located=situated "
    "various=several constructed=built allow=permit purchase=buy famous=renowned near=close several=multiple also=additionally wrote=penned"
).split()
OPENINGS = {
    "zh": ("根据报告，", "报告指出，", "此外，", "具体来说，"),
    "en": ("According to the report, ", "In addition, ", "The report states that "),
}
DIRECTIONS = (
    "提升=降低 提高=降低 增加=减少 增长=下降 上升=下降 扩大=缩小 超过=低于 高于=低于 加快=放缓 加速=减缓 缩短=延长 降低=提高 减少=增加 下降=上升 最大=最小 最高=最低 率先=最后 之前=之后 以上=以下 多于=少于 增强=减弱 优势=劣势 "
    "increased=decreased increase=decrease increasing=decreasing more=less higher=lower rose=fell grew=shrank before=after above=below largest=smallest "
    "first=last highest=lowest reduced=increased reduce=increase improve=worsen improved=worsened most=least longer=shorter earlier=later"
).split()
UNITS = (
    "GW=MW MW=GW 纳米=微米 nm=μm 微米=毫米 毫米=厘米 公里=米 平方毫米=平方厘米 小时=分钟 分钟=小时 天=年 年=个月 个月=年 周=年 秒=分钟 毫秒=秒 美元=人民币 元=美元 %=倍 倍=% 万=亿 亿=万 TB=GB GB=TB PB=TB Gbps=Mbps 人=家企业 "
    "million=billion billion=million thousand=million hours=days days=weeks years=months months=years minutes=hours percent=times km=m meters=miles feet=metres"
).split()
NAMES_ZH = "中国 美国 欧盟 日本 英国 德国 北京 上海 深圳 阿里云 阿里巴巴 华为 达摩院 腾讯 百度 谷歌 微软 英伟达 英特尔 三星 台积电 特斯拉 亚马逊 清华大学 北京大学 浙江大学 斯坦福大学".split()
NAMES_LATIN = "CPU GPU FPGA DPU NPU HBM PCIe RISC-V Kubernetes BERT DALL-E Arm NVIDIA Samsung Gartner IDC Microsoft Google Oxford Boston Canada Jefferson Wellington Victoria".split()
_NAME = re.compile(r"(?<![A-Za-z0-9])(?:[A-Z][A-Za-z]*[A-Z0-9][A-Za-z0-9-]*|[A-Z]{2,})(?![A-Za-z0-9])")
_NAME_EN = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}(?![A-Za-z])")
_WORDS_EN = {str(value): word for value, word in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())}


def cases(quotes: Sequence[str], neighbours: Sequence[str] = (), seed: int = 0) -> list[Case]:
    """True and false claims from each quote, by every rule that applies. `neighbours[i]` is what stands beside `quotes[i]`, "" for nothing."""
    made: list[Case] = []
    for place, quote in enumerate(quotes):
        choose = random.Random(f"{seed} {quote}")
        beside = neighbours[place] if place < len(neighbours) else ""
        for kind, claim, evidence in _true(quote, beside, choose):
            made.append(Case(f"{place}-true-{kind}", True, kind, claim, evidence))
        strangers = [each for each in quotes if language_of(each) == language_of(quote) and not _says(each, quote)]
        for kind, claim, evidence in _false(quote, beside, strangers, choose):
            made.append(Case(f"{place}-false-{kind}-{len(made)}", False, kind, claim, evidence))
    return made


def _true(quote: str, beside: str, choose: random.Random) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    zh = language_of(quote) == "zh"
    formatted = _reformatted(quote, zh)
    varied = _varied(quote, choose, 3)
    yield "verbatim", quote, (quote,)
    if formatted != quote:
        yield "format", formatted, (quote,)
    if (one := _varied(quote, choose, 1)) != quote:
        yield "synonym", one, (quote,)
    if varied != quote:
        yield "synonyms+format", _reformatted(varied, zh), (quote,)
    yield "opening", choose.choice(OPENINGS["zh" if zh else "en"]) + quote, (quote,)
    clauses = [part for part in re.split(r"(?<=[，；])" if zh else r"(?<=[,;]) ", quote) if len(part) > (8 if zh else 25)]
    if len(clauses) > 1 and not re.match(r"(?:如果|虽然|除非|当|若|if|although|unless|when)", clauses[0], re.IGNORECASE):
        yield "shortened", _varied(clauses[0].rstrip("，；,; "), choose, 1) + ("。" if zh else "."), (quote,)
    if beside:
        yield "joined", f"{quote.rstrip('。. ')}{'，' if zh else ', and '}{beside}", (quote, beside)


def _reformatted(text: str, zh: bool) -> str:
    """The same figures in another form, other spacing and other marks."""
    if zh:
        text = re.sub(r"(?<![\d.,~-])(\d+) ?%", lambda match: f"百分之{match[1]}" if int(match[1]) % 2 else f"{match[1]} ％", text)
        text = re.sub(r"(\d{4})\s?年", r"\1年", text)
        text = re.sub(
            r"(?<![\d.,~-])(\d{2,4})\s?万(?!亿|[\d.,]|\s?[~-])",
            lambda match: f"{int(match[1]):,} 万" if len(match[1]) > 3 else f"{match[1]}0000 ",
            text,
        )
        text = text.replace("（", "(").replace("）", ")").replace("，", ",", 1)
        return re.sub(r"(?<=[\u4e00-\u9fff]) (?=[A-Za-z0-9])|(?<=[A-Za-z0-9]) (?=[\u4e00-\u9fff])", "", text)
    text = re.sub(r"(?<![\w.,/-])(\d{1,2})(?![\w.,/%-]| ?percent)", lambda match: _WORDS_EN.get(match[1], match[1]), text, count=1)
    text = re.sub(r"(\d) ?%(?! ?[-–~])", r"\1 percent", text)
    return re.sub(r"(?<=\d),(?=\d{3})", "", text)


def _varied(text: str, choose: random.Random, most: int) -> str:
    pairs = [tuple(pair.split("=")) for pair in SYNONYMS]
    choose.shuffle(pairs)
    changed = 0
    for one, other in pairs:
        if changed < most and (place := _word(one, text)) >= 0:
            text, changed = text[:place] + other + text[place + len(one) :], changed + 1
    return text


def _word(word: str, text: str) -> int:
    """Where a word stands, not in the middle of another; -1 for nowhere."""
    if not HAN.search(word):
        match = re.search(rf"(?<![\w-]){word}(?![\w-])", text)
        return match.start() if match else -1
    for run in re.finditer(f"{HAN.pattern}+", text):
        at = run.start()
        for piece in segment(run[0]):
            if piece == word:
                return at
            at += len(piece)
    return -1


def _false(quote: str, beside: str, strangers: Sequence[str], choose: random.Random) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    zh = language_of(quote) == "zh"
    found = quantities(quote)
    for disguise in (lambda text: text, lambda text: _reformatted(_varied(text, choose, 2), zh)):
        for quantity in found[:2]:
            if quantity.kind == "year":
                yield "year", disguise(_put(quote, quantity, _other_number(quote, quantity, choose, 1))), (quote,)
            elif re.search(r"\d", quote[quantity.start : quantity.end]):
                yield "number", disguise(_put(quote, quantity, _other_number(quote, quantity, choose, 0))), (quote,)
                if (swapped := _other_unit(quote, quantity)) and swapped != quote:
                    yield "unit", disguise(swapped), (quote,)
        if crossed := _crossed(quote, found):
            yield "crossed", disguise(crossed), (quote,)
        if renamed := _renamed(quote, zh, choose):
            yield "entity", disguise(renamed), (quote,)
        if swapped := _other_word(quote, strangers, choose):
            yield "word", disguise(swapped), (quote,)
        if turned := _turned(quote):
            yield "direction", disguise(turned), (quote,)
        if negated := _negated(quote, zh):
            yield "negation", disguise(negated), (quote,)
        if beside and not _says(beside, quote):
            yield "neighbour", disguise(quote), (beside,)


def _crossed(text: str, found: Sequence[Quantity]) -> str:
    """The text with the first two different figures of one kind, each with its unit, in each other's place; no ranges, no growth from one to the other."""
    for place, one in enumerate(found):
        for other in found[place + 1 :]:
            between = text[one.end : other.start]
            alike = one.kind == other.kind and one.unit == other.unit and one.kind not in ("bare", "date") and one.low != other.low
            if (
                alike
                and one.low == one.high
                and other.low == other.high
                and len(between) > 3
                and not re.search(r"到|至|升|降|增|减|变|from|to\b", between)
            ):
                return f"{text[: one.start]}{text[other.start : other.end]}{between}{text[one.start : one.end]}{text[other.end :]}"
    return ""


def _put(text: str, quantity: Quantity, written: str) -> str:
    return text[: quantity.start] + written + text[quantity.end :]


def _other_number(text: str, quantity: Quantity, choose: random.Random, step: int) -> str:
    """The quantity as written with its first number changed to one that stands nowhere in the text."""
    written = text[quantity.start : quantity.end]
    number = re.search(r"\d[\d,]*(?:\.\d+)?", written)
    value = float(number[0].replace(",", ""))
    for _ in range(50):
        other = value + choose.choice((-3, -2, -1, 1, 2, 3, 5)) if step else value * choose.choice((0.5, 0.8, 1.2, 1.5, 2, 3, 10))
        shown = f"{other:.0f}" if value == int(value) else f"{other:.2f}".rstrip("0").rstrip(".")
        if float(shown) not in (value, 0) and shown not in text:
            return written[: number.start()] + shown + written[number.end() :]
    return written.replace(number[0], "7777")


def _other_unit(text: str, quantity: Quantity) -> str:
    if quantity.low != quantity.high:
        return ""
    end = min(len(text), quantity.end + 10)
    for one, other in (pair.split("=") for pair in UNITS):
        match = re.search(
            rf"(?<=[\d ]){re.escape(one)}(?![A-Za-z])" if one.isascii() else rf"(?<=[\d 个万亿]){re.escape(one)}",
            text[quantity.start : end],
        )
        if match and match.start() <= quantity.end - quantity.start:
            at = quantity.start + match.start()
            return text[:at] + other + text[at + len(one) :]
    return ""


def _renamed(text: str, zh: bool, choose: random.Random) -> str:
    options = [match.span() for match in _NAME.finditer(text)]
    options += [(place, place + len(name)) for name in NAMES_ZH if (place := text.find(name)) >= 0]
    if not zh:
        options += [match.span() for match in _NAME_EN.finditer(text)]
    if not options:
        return ""
    start, end = choose.choice(options)
    pool = [name for name in (NAMES_ZH if HAN.search(text[start:end]) else NAMES_LATIN) if name.lower() not in text.lower()]
    return text[:start] + choose.choice(pool) + text[end:]


def _other_word(text: str, strangers: Sequence[str], choose: random.Random) -> str:
    """The text with one word of content replaced by a word of another text."""
    mine, theirs = (
        _content_words(text),
        [word for word in _content_words(choose.choice(strangers) if strangers else "") if word not in text],
    )
    if not mine or not theirs:
        return ""
    word = choose.choice(mine)
    place = _word(word, text)
    return text[:place] + choose.choice(theirs) + text[place + len(word) :] if place >= 0 else ""


def _content_words(text: str) -> list[str]:
    """Words that carry meaning: Chinese of two characters and more, English of six letters and more."""
    return [word for word in source_words(text) if len(word) > 1 and HAN.match(word)] or re.findall(r"(?<![\w-])[a-z]{6,}(?![\w-])", text)


def _turned(text: str) -> str:
    for one, other in (pair.split("=") for pair in DIRECTIONS):
        if other not in text and (place := _word(one, text)) >= 0:
            return text[:place] + other + text[place + len(one) :]
    return ""


def _negated(text: str, zh: bool) -> str:
    rules = (
        (r"不能|无法", "能够"), (r"没有(?=[\u4e00-\u9fff])", "有"), (r"(?<![不一])是(?=[一由在以为])", "不是"), (r"可以|能够", "不能"), (r"(?<!不)需要", "不需要"), (r"已经|已(?=[可实经成])", "尚未"),
        (r"将(?=[会成使大为是有达])", "将不"), (r"具有|拥有|具备", "没有"), (r"可(?=[将以使实在])", "不可"),
    ) if zh else (
        (r"\b(is|are|was|were|can|could|will|would|has been|have been) not\b", r"\1"), (r"\b(is|are|was|were|can|could|will|would)\b", r"\1 not"), (r"\bhas\b", "has no"),
    )  # fmt: skip
    for pattern, other in rules:
        if re.search(pattern, text):
            return re.sub(pattern, other, text, count=1)
    return ""


def _says(text: str, claim: str) -> bool:
    """Whether a neighbour happens to say most of it too."""
    wanted = set(terms(claim))
    return len(wanted & set(terms(text))) > 0.5 * len(wanted)


# ---- where evidence comes from ----


def bundled_evidence(questions: Path, split: str) -> tuple[list[str], list[str]]:
    """The gold quotes of a question file whose documents are in the bundled corpus, as whole sentences, and the sentences beside them."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in bundled("corpus").glob("*.md")}
    quotes: dict[str, str] = {}
    for line in questions.read_text(encoding="utf-8").splitlines():
        question = json.loads(line)
        if question.get("split", split) != split:
            continue
        for place in question.get("gold", ()):
            text = texts.get(place["document"], "")
            spans = split_sentences(text)
            at = text.find(place["quote"])
            inside = [i for i, (start, end) in enumerate(spans) if start < at + len(place["quote"]) and end > at] if at >= 0 else []
            for i in inside[:2]:
                sentence = _bare(text[slice(*spans[i])])
                beside = next(
                    (
                        _bare(text[slice(*spans[j])])
                        for j in (i + 1, i - 1, i + 2)
                        if 0 <= j < len(spans) and _is_prose(text[slice(*spans[j])])
                    ),
                    "",
                )
                if _is_prose(sentence):
                    quotes.setdefault(sentence, beside)
    return list(quotes), list(quotes.values())


def gold_evidence(path: Path) -> tuple[list[str], list[str]]:
    """The evidence of a gold file (`evidence[].quote`); the neighbour of a quote is another one of the same report."""
    rows = [
        (place["report"], _bare(place["quote"]))
        for line in path.read_text(encoding="utf-8").splitlines()
        for place in json.loads(line).get("evidence") or ()
    ]
    rows = [row for row in dict.fromkeys(rows) if _is_prose(row[1])]
    beside = [
        next((other for report, other in [*rows[i + 1 :], *rows[:i]] if report == name and other != quote), "")
        for i, (name, quote) in enumerate(rows)
    ]
    return [quote for _, quote in rows], beside


def text_evidence(path: Path, most: int) -> tuple[list[str], list[str]]:
    """Sentences of a plain text, evenly spread, and those behind them."""
    text = path.read_text(encoding="utf-8")
    sentences = [_bare(text[start:end]) for start, end in split_sentences(text)]
    good = [i for i in range(len(sentences) - 1) if _is_prose(sentences[i]) and _is_prose(sentences[i + 1])]
    chosen = good[:: max(1, len(good) // most)][:most]
    return [sentences[i] for i in chosen], [sentences[i + 1] for i in chosen]


def _bare(sentence: str) -> str:
    return " ".join(re.sub(r"^[-*#>\s|]+|\*\*|\s*\|\s*$", "", sentence).split())


def _is_prose(sentence: str) -> bool:
    han = len(HAN.findall(sentence))
    return (12 <= han <= 200 or (han == 0 and 40 <= len(sentence) <= 500)) and "|" not in sentence


# ---- measuring ----


def measure(
    made: Sequence[Case], judge: Callable[[Case], str] = lambda case: check(case.claim, case.evidence)[0]
) -> dict[str, tuple[int, int]]:
    """(flagged, all) by kind and for "false" and "true" together. Flagged is every verdict but "supported".

    "harder" is apart: one word of content replaced by any other, which no rule of the check aims at by name.
    """
    counts: Counter[str] = Counter()
    flagged: Counter[str] = Counter()
    for case in made:
        hit = judge(case) != "supported"
        whole = "true" if case.true else "harder" if case.kind == "word" else "false"
        for name in (f"{whole}: {case.kind}", whole):
            counts[name] += 1
            flagged[name] += hit
    return {name: (flagged[name], counts[name]) for name in sorted(counts)}


def clapnq(path: Path) -> tuple[int, int, int, int]:
    """(supported, all) of sentences of human answers against their own passage, and against the passage of the next question."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["output"] and row["output"][0]["answer"]]
    own = other = total = crossed = 0
    for place, row in enumerate(rows):
        mine, next_one = (
            [_untokenised(sentence) for sentence in each["passages"][0]["sentences"]] for each in (row, rows[(place + 1) % len(rows)])
        )
        title, next_title = row["passages"][0]["title"], rows[(place + 1) % len(rows)]["passages"][0]["title"]
        for output in row["output"][:1]:
            text = _untokenised(output["answer"])
            for start, end in split_sentences(text):
                if len(text[start:end].split()) < 4:
                    continue
                total += 1
                own += check(text[start:end], best_of(text[start:end], mine), title)[0] == "supported"
                crossed += 1
                other += check(text[start:end], best_of(text[start:end], next_one), next_title)[0] == "supported"
    return own, total, other, crossed


def best_of(claim: str, sentences: Sequence[str], most: int = 3) -> list[str]:
    """The sentences of a passage that share most with a claim, as a writer's citations would be."""
    wanted = set(terms(claim))
    chosen: list[int] = []
    covered: set[str] = set()
    for _ in range(most):
        gain, place = max(
            ((len((wanted - covered) & set(terms(sentence))), -i) for i, sentence in enumerate(sentences) if i not in chosen),
            default=(0, 0),
        )
        if not gain:
            break
        chosen.append(-place)
        covered |= set(terms(sentences[-place]))
    return [sentences[i] for i in sorted(chosen)] or list(sentences[:1])


def _untokenised(text: str) -> str:
    text = re.sub(r"\s+([.,;:!?%)\]]|'s\b|n't\b)", r"\1", text)
    text = re.sub(r"([(\[])\s+", r"\1", re.sub(r"``\s*|\s*''", '"', text))
    return re.sub(r"(?<=\w)\s*-\s*(?=\w)", "-", text)


def shown(figures: dict[str, tuple[int, int]]) -> str:
    """The figures as a table."""
    return "\n".join(f"{name:<24} {flagged:5} of {total:5} flagged  {flagged / total:.3f}" for name, (flagged, total) in figures.items())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m eval.checker", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--questions", type=Path, default=bundled("eval") / "questions.jsonl", help="a question file over the bundled corpus"
    )
    parser.add_argument("--split", default="report", help="tune or report")
    parser.add_argument("--gold", type=Path, help="a gold file with evidence quotes instead")
    parser.add_argument("--text", type=Path, help="sentences of a text instead")
    parser.add_argument("--clapnq", type=Path, help="a file of CLAPnq with human answers instead")
    parser.add_argument("--wrong", type=int, default=0, metavar="N", help="show N wrong verdicts")
    given = parser.parse_args()
    if given.clapnq:
        own, total, other, crossed = clapnq(given.clapnq)
        print(f"human answers, own passage:   {own} of {total} sentences supported (recall {own / total:.3f})")
        print(f"human answers, other passage: {other} of {crossed} supported; precision of supported {own / max(1, own + other):.3f}")
        return 0
    if given.gold:
        quotes, beside = gold_evidence(given.gold)
    elif given.text:
        quotes, beside = text_evidence(given.text, 200)
    else:
        quotes, beside = bundled_evidence(given.questions, given.split)
    made = cases(quotes, beside)
    print(f"{len(quotes)} quotes, {len(made)} cases\n{shown(measure(made))}")
    wrong = [
        (case, *check(case.claim, case.evidence)) for case in made if (check(case.claim, case.evidence)[0] == "supported") != case.true
    ]
    for case, verdict, why in wrong[: given.wrong]:
        print(f"\n{case.id} {verdict} {why}\n  claim:    {case.claim}\n  evidence: {' / '.join(case.evidence)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
