"""What the page's tests serve: `python tests/browser.py PORT FOLDER` indexes the bundled corpus and four reports of our own in FOLDER.

The real engine answers, except for a few questions whose answers are fixed, so that stopping, failing and hostile text can be tested. With
`--alone` the process refuses every socket address and every name that is not this machine's, and says so on standard error.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tiny_reader import WISHES, TinyReader

from rag.chat import Assistant, Event, Finished, Passage, Rewritten, Said
from rag.config import Config
from rag.errors import LLMError, UsageError
from rag.index.build import build_index
from rag.index.encoder import open_encoder
from rag.index.snapshot import open_index
from rag.search.reader import Reader
from rag.types import Answer, Citation, Claim, Document, Filter, Turn

ROOT = Path(__file__).resolve().parent.parent
ORCHARD = (
    "果园在四月开花，花期约为十二天。蜜蜂每天飞行六公里，为三千棵梨树授粉。"
    "采摘从九月开始，全程由二十名工人完成，每人每天采摘一百五十公斤。雨天停工，余下的日子照常。"
)
HOSTILE = (
    "The lighthouse log <script>window.PWNED=1</script> reads <img src=x onerror='window.PWNED=2'> ${Reflect.set(window,'PWNED',3)} "
    "{{constructor}} ![x](http://example.invalid/x.png) [9](#cite-t1s0c0) <style>body{display:none}</style> and the lamp burns 40 hours."
)
LIGHTHOUSE = (
    "The keeper trims the wick at dusk.\nThe tower is 31 metres tall and was painted in 1987. Ships see its light from 18 miles away."
)
TEXTS = {"orchard.zh": ORCHARD, "lighthouse.en": LIGHTHOUSE, "hostile.en": HOSTILE}
DOCUMENTS = (
    Document("hostile.en", "Log <b>of</b> ${storms}", "", (), "0" * 64, "log.txt", "<i>Nobody</i>", 1990, "en"),
    Document("lighthouse.en", "A Lighthouse Handbook", "", (), "1" * 64, "light.pdf", "Harbour Office", 2021, "en", 12),
    Document("orchard.zh", "梨园年报", "", (), "2" * 64, "pear.md", "山谷合作社", 2022, "zh"),
)

TALL = "How tall is the tower?"
PEARS = "梨园一年怎么过？"
FOLLOW = "那采摘呢？"
UNKNOWN = "月亮上有几座果园？"
NASTY = "What does the log say?"
BROKEN = "break the model"
LONG = "tell me a long story"


def cite(n: int, document: str, quote: str, page: int | None = None, section: str = "", score: float = 0.8) -> Citation:
    """The first place of a quote in one of the scripted texts."""
    start = TEXTS[document].index(quote)
    title = next(each.title for each in DOCUMENTS if each.id == document)
    return Citation(n, document, title, section, page, start, start + len(quote), quote, f"{document}:{n}", score)


class ScriptedAssistant:
    """The interface of `rag.chat.Assistant` over a handful of fixed answers."""

    def __init__(self, warning: str = ""):
        self.warning = warning

    @property
    def store(self) -> ScriptedAssistant:
        return self

    def documents(self) -> tuple[Document, ...]:
        return DOCUMENTS

    def document(self, name: str) -> Document:
        return next(each for each in DOCUMENTS if each.id == name)

    def openers(self, language: str, count: int = 4, only: Filter | None = None) -> tuple[str, ...]:
        return (TALL, PEARS)[:count]

    def ask(self, question: str, *, history: Sequence[Turn] = (), only: Filter | None = None) -> Answer:
        return next(event.answer for event in self.stream(question) if isinstance(event, Finished))

    def passage(self, citation: Citation) -> Passage:
        document = next(each for each in DOCUMENTS if each.id == citation.document)
        names = (document.id, document.title, document.publisher, document.year, document.language)
        return Passage(*names, citation.section, citation.page, 0, TEXTS[citation.document])

    def stream(self, question: str, *, history: Sequence[Turn] = (), only: Filter = Filter()) -> Iterator[Event]:
        query = f"梨园的采摘怎么过？（接着：{history[-1].query}）" if question == FOLLOW and history else question
        yield Rewritten(query)
        if question == BROKEN:
            raise LLMError("http://127.0.0.1:9/v1 refused the connection: start it or unset llm_base_url")
        if question == "impossible":
            raise ZeroDivisionError("secret detail")
        if only.reports == ("hostile.en",) and question != NASTY:
            raise UsageError("no report answers to 'nothing': see rag list")
        if question == LONG:
            for number in range(60):
                time.sleep(0.15)
                yield Said(
                    Claim(f"This is sentence number {number} of a long story. ", (1,), "supported"), (cite(1, "lighthouse.en", "wick"),)
                )
        said = self.script(question)
        for claim, citations in said:
            yield Said(claim, citations)
        claims = tuple(claim for claim, _ in said)
        citations = tuple(dict.fromkeys(citation for _, each in said for citation in each))
        zh = any("\u4e00" <= sign <= "\u9fff" for sign in question)
        answer = Answer(question, query, "zh" if zh else "en", claims, citations, timings_ms={"total": 12.0})
        if not said and question != LONG:
            near = (cite(1, "orchard.zh", "为三千棵梨树授粉", section="第二章 四季 / 蜜蜂", score=0.31),)
            answer = Answer(question, query, "zh", abstained=True, reason="没有一段文字提到月亮。", nearest=near, timings_ms={"total": 9.0})
        yield Finished(answer)

    def script(self, question: str) -> list[tuple[Claim, tuple[Citation, ...]]]:
        if question == TALL:
            place = {"page": 4, "section": "2 The tower"}
            tall = cite(1, "lighthouse.en", "The tower is 31 metres tall and was painted in 1987.", **place)
            seen = cite(2, "lighthouse.en", "18 miles away", **place)
            return [
                (Claim("The tower is 31 metres tall. ", (1,), "supported", "", (13, 22)), (tall,)),
                (Claim("Its light carries far. ", (2,), "partial", "the distance is not repeated"), (seen,)),
                (Claim("It has a gift shop.", (1,), "unsupported", "no shop in the passage"), (tall,)),
            ]
        if question == PEARS:
            quotes = ("果园在四月开花，花期约为十二天。", "蜜蜂每天飞行六公里，为三千棵梨树授粉。", "采摘从九月开始，全程由二十名工人完成")
            texts = ("梨园四月开花，花期约十二天。", "蜜蜂每天飞六公里，为三千棵梨树授粉。", "九月开始采摘，由二十名工人完成。")
            section = "第二章 四季 / 从花到果"
            return [
                (
                    Claim(text, (1,), "supported", "", (2, 4) if text.startswith("梨园") else None),
                    (cite(1, "orchard.zh", quote, 7, section, 0.91),),
                )
                for text, quote in zip(texts, quotes, strict=True)
            ]
        if question == FOLLOW:
            return [
                (Claim("每人每天采摘一百五十公斤。", (1,), "supported", "", (6, 12)), (cite(1, "orchard.zh", "每人每天采摘一百五十公斤"),))
            ]
        if question == NASTY:
            text = (
                "It says <img src=x onerror='window.PWNED=4'> ${Reflect.set(window,'PWNED',5)} "
                "**and** [7](#cite-t1s0c9) https://example.invalid"
            )
            return [(Claim(text, (1,), "supported"), (cite(1, "hostile.en", HOSTILE[:-30]),))]
        return []


CRANE = ("The harbour crane was built in 1931.", "It lifts 75 tonnes of granite in one go.", "A crew of four works it from dawn to noon.")
"""The second page of harbour.pdf, a line each."""
HARBOUR = (("The Harbour and its Tools", "This handbook names every tool of the harbour."), CRANE)


def pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """A small PDF with one line of Helvetica a string, from 700 points down, 40 points apart."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        drawn = "".join(f"BT /F1 14 Tf 60 {700 - 40 * place} Td ({line}) Tj ET\n" for place, line in enumerate(lines)).encode()
        objects.append(b"<< /Length %d >>\nstream\n%sendstream" % (len(drawn), drawn))
        content = len(objects)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>" % content
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    made, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    return made + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)


def write_reports(folder: Path) -> None:
    """The reports of our own as files."""
    folder.mkdir(parents=True)
    for document in DOCUMENTS:
        facts = f"---\nid: {document.id}\ntitle: {document.title}\npublisher: {document.publisher}\nyear: {document.year}\n---\n"
        (folder / f"{document.id}.txt").write_text(facts + TEXTS[document.id], encoding="utf-8")
    (folder / "harbour.pdf").write_bytes(pdf(HARBOUR))


class Stage(Assistant):
    """The real engine, with the fixed answers of `ScriptedAssistant` put where their words stand in the real reports."""

    note = ""
    warning = property(lambda self: self.note)

    def stream(self, question: str, *, history: Sequence[Turn] = (), only: Filter | None = None, **options) -> Iterator[Event]:
        if question not in (TALL, PEARS, FOLLOW, UNKNOWN, NASTY, BROKEN, LONG, "impossible", "nothing"):
            yield from super().stream(question, history=history, only=only, **options)
            return
        for event in ScriptedAssistant().stream(question, history=history, only=only or Filter()):
            if isinstance(event, Said):
                event = Said(event.claim, tuple(map(self._placed, event.citations)))
            elif isinstance(event, Finished):
                citations, nearest = (tuple(map(self._placed, each)) for each in (event.answer.citations, event.answer.nearest))
                event = Finished(replace(event.answer, citations=citations, nearest=nearest))
            yield event

    def _placed(self, citation: Citation) -> Citation:
        start = self.store.document(citation.document).text.index(citation.quote)
        return replace(citation, start=start, end=start + len(citation.quote))


def stay_home() -> None:
    """From here on the process reaches no other machine: look-ups and connections elsewhere raise and leave a line on standard error."""
    connect, lookup = socket.socket.connect, socket.getaddrinfo
    home = ("127.0.0.1", "::1", "localhost", None)

    def checked(name: object) -> None:
        if name not in home:
            sys.stderr.write(f"LEFT HOME {name}\n")
            raise OSError(f"not this machine: {name}")

    def guarded_connect(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple):
            checked(address[0])
        return connect(self, address)

    def guarded_lookup(host: object, *rest: object, **options: object) -> object:
        checked(host.decode() if isinstance(host, bytes) else host)
        return lookup(host, *rest, **options)

    socket.socket.connect, socket.getaddrinfo = guarded_connect, guarded_lookup


def build(folder: Path) -> Config:
    """An index of the bundled corpus and the reports of our own under a folder."""
    write_reports(folder / "reports")
    config = Config(index_dir=str(folder / "index"))
    build_index([ROOT / "corpus", folder / "reports"], config.index_dir, open_encoder("builtin"))
    return config


if __name__ == "__main__":
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    config, encoder = build(folder), open_encoder("builtin")
    reader = Reader() if "--shipped" in sys.argv else TinyReader({"哪三条": "list", "How many": "number", "多少": "number"}, WISHES)
    assistant = Stage(config, encoder, open_index(Path(config.index_dir), encoder=encoder), reader, rules=True)
    if "--warn" in sys.argv:
        assistant.note = "An <older> generation is served."
    if "--alone" in sys.argv:
        stay_home()
    import app

    options = {}
    if "--login" in sys.argv:
        from rag.web.login import checker, hashed

        options = {"login": checker({"ada": hashed("correct horse")}), "root_path": "/reports"}
    os.chdir(folder)
    app.serve(assistant, port=port, mcp=True, **options)
