"""Pages of a PDF in reading order: columns however they are drawn, heads and feet away, tables with their header, footnotes apart."""

import io
import random
import re

import hostile
import pytest

from rag.errors import UnreadableFile
from rag.reading.dispatch import read_document
from rag.reading.pdf.document import read_pdf
from rag.reading.pdf.layout import lines_of_runs
from rag.reading.pdf.runs import Run

reportlab = pytest.importorskip("reportlab")
from reportlab.lib.pdfencrypt import StandardEncryption  # noqa: E402
from reportlab.pdfbase import pdfmetrics  # noqa: E402
from reportlab.pdfbase.cidfonts import UnicodeCIDFont  # noqa: E402
from reportlab.pdfgen.canvas import Canvas  # noqa: E402

pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
WORDS = {
    "en": "harbour crane tide ship cargo pilot quay signal lantern rope anchor engine winter market timber copper".split(),
    "zh": list("港口的吊机在潮水中船货和领航码头信号灯绳锚引擎冬天市场木材有铜雨雾晴风浪沙石桥路铁车站台钟楼"),
}


def lines_of(language: str, count: int, seed: int, width: int) -> list[str]:
    """Lines of made-up text, each as wide as a column, no two alike; every fifth ends a sentence."""
    chance, lines = random.Random(seed), []
    for number in range(count):
        kind = language if language != "mixed" else ("zh", "en")[number % 2]
        line = ""
        while len(line) < (width if kind == "en" else width // 2):
            line += chance.choice(WORDS[kind]) + (" " if kind == "en" else "")
        lines.append(line.strip()[: width if kind == "en" else width // 2] + ("." if kind == "en" else "。") * (number % 5 == 4))
    return lines


def two_columns(language: str, by_row: bool, pages: int = 3, gutter: float = 18.0) -> tuple[bytes, list[str]]:
    """(a PDF, its body lines in reading order): header, two columns, a table, a footnote and a page number on every page."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(595, 842), pageCompression=0)
    expected: list[str] = []
    for page in range(pages):
        canvas.setFont("STSong-Light", 9)
        canvas.drawString(60, 800, "Harbour Yearbook 港口年鉴")
        canvas.setFont("STSong-Light", 10)
        left, right = (lines_of(language, 34, 100 * page + side, 42) for side in (1, 2))
        place = {0: 60.0, 1: 60 + (475 - gutter) / 2 + gutter}
        drawn = [(row, side) for row in range(34) for side in (0, 1)] if by_row else [(row, side) for side in (0, 1) for row in range(34)]
        for row, side in drawn:
            line = (left, right)[side][row]
            room = (475 - gutter) / 2
            scale = room / pdfmetrics.stringWidth(line, "STSong-Light", 10)
            text = canvas.beginText(place[side], 770 - 15 * row)
            text.setHorizScale(100 * min(scale, 1.3))
            text.textOut(line)
            canvas.drawText(text)
        expected += left + right
        canvas.setFont("STSong-Light", 10)
        for row, cells in enumerate(
            (("Crane", "2030", "2031"), ("North", "41.5", "43.2"), ("South", "39.1", "40.7"), ("West", "12.0", "13.9"))
        ):
            for cell, x in zip(cells, (60, 250, 400), strict=True):
                canvas.drawString(x, 220 - 15 * row, cell)
        canvas.setFont("STSong-Light", 7)
        canvas.drawString(60, 90, f"1 Counted at the gate in year {2030 + page}.")
        canvas.setFont("STSong-Light", 9)
        canvas.drawCentredString(297, 40, str(page + 1))
        canvas.showPage()
    canvas.save()
    return buffer.getvalue(), expected


def bare(text: str) -> str:
    return re.sub(r"\W", "", text)


@pytest.mark.parametrize("language", ["zh", "en", "mixed"])
@pytest.mark.parametrize("by_row", [True, False])
@pytest.mark.parametrize("gutter", [30.0, 15.0])
def test_two_columns_are_read_one_after_the_other(tmp_path, language, by_row, gutter):
    data, expected = two_columns(language, by_row, gutter=gutter)
    (tmp_path / "year.pdf").write_bytes(data)
    document = read_document(tmp_path / "year.pdf")
    body = bare("".join(document.text[b.start : b.end] for b in document.blocks if b.kind != "row"))
    places = [body.find(bare(line)) for line in expected]
    assert -1 not in places and places == sorted(places)
    rows = [document.text[b.start : b.end] for b in document.blocks if b.kind == "row"]
    assert rows.count("North | 2030: 41.5 | 2031: 43.2") == 3
    assert "Yearbook" not in document.text and [document.text.count(f"in year {year}") for year in (2030, 2031, 2032)] == [1, 1, 1]
    notes = [b for b in document.blocks if document.text[b.start : b.end].startswith("1 Counted")]
    assert len(notes) == 3 and [note.page for note in notes] == [1, 2, 3]
    assert not any(re.fullmatch(r"\d", document.text[b.start : b.end]) for b in document.blocks)


def test_a_paragraph_over_a_page_knows_where_the_page_turns(tmp_path):
    first = [
        "The pilot waits for the tide and reads the harbour",
        "signals one by one while the crew of the small boat",
        "prepares the ropes, checks the lamps and sometimes",
    ]
    second = ["talks about the weather, which has been calm for so", "long that nobody believes it any more."]
    (tmp_path / "turn.pdf").write_bytes(hostile.pages_pdf([hostile.shown(*first), hostile.shown(*second)]))
    document = read_document(tmp_path / "turn.pdf")
    (block,) = document.blocks
    at = document.text.index("talks about")
    assert (document.page_at(0), document.page_at(at - 1), document.page_at(at), block.page) == (1, 1, 2, 1)
    assert document.pages == ((0, 1), (at, 2))


def row(y: float, *cells: tuple[str, float, float]) -> list[Run]:
    return [Run(text, left, right, y, y + 10) for text, left, right in cells]


def test_rows_of_a_table_keep_spanned_heads_wrapped_labels_and_signs():
    runs = [
        *row(700, ("Harbour Company", 200, 300)),
        *row(680, ("Year ended March 31,", 330, 430)),
        *row(660, ("2031", 320, 345), ("2030", 420, 445)),
        *row(640, ("Fees", 50, 75), ("$", 300, 305), ("1,204", 320, 345), ("$", 400, 405), ("998", 428, 445)),
        *row(620, ("Costs of cranes, of pilots", 50, 180)),
        *row(600, ("and of the gate", 50, 130), ("(310", 322, 344), (")", 356, 359), ("(295", 422, 444), (")", 456, 459)),
        *row(580, ("Profit", 50, 80), ("894", 325, 345), ("703", 425, 445)),
    ]
    lines = [s.line for s in lines_of_runs(runs, 1)]
    assert [line.text for line in lines] == [
        "Harbour Company",
        "Year ended March 31,",
        "Fees | 2031: $1,204 | 2030: $998",
        "Costs of cranes, of pilots and of the gate | 2031: (310) | 2030: (295)",
        "Profit | 2031: 894 | 2030: 703",
    ]
    assert [line.kind for line in lines] == ["", "row", "row", "row", "row"]


def drawn(draw) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(595, 842))
    draw(canvas)
    canvas.save()
    return buffer.getvalue()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("by_row", [True, False])
def test_drop_capitals_pull_quotes_and_glyphs_printed_twice(tmp_path, language, by_row):
    """A capital over two lines on the left; on the right a quote in spaced letters, a title in false shadow, and text below."""
    words = {
        "zh": ("随", "着潮水上涨，", "港 口 在 雨 中 醒 来，", "船 在 等 待 潮 水。"),
        "en": ("T", "he tide is in,", "Ships wait for", "the tide."),
    }
    capital, opening, *quote = words[language]
    pages: list[tuple[list[str], list[str]]] = []

    def draw(canvas):
        for page in range(3):
            left, right = lines_of(language, 20, page, 40), lines_of(language, 12, 50 + page, 40)
            left[:2] = [f"{opening}{left[0]}"[:16], left[1][:16]]
            pages.append((left, right))
            shown = [(60 + 34 * (row < 2), 755 - 15 * row, 10, line) for row, line in enumerate(left)]
            beside = [(330, 700, 16, quote[0]), (330, 676, 16, quote[1]), (330, 600, 12, "智智能能港港口口协协同同")]
            beside += [(330, 560 - 15 * row, 10, line) for row, line in enumerate(right)]
            whole = [(60, 737, 30, capital), *shown, *beside]
            for x, y, size, text in sorted(whole, key=lambda each: -each[1]) if by_row else whole:
                canvas.setFont("STSong-Light", size)
                canvas.drawString(x, y, text)
            canvas.setFont("STSong-Light", 9)
            canvas.drawCentredString(297, 40, str(page + 1))
            canvas.showPage()

    (tmp_path / "gloss.pdf").write_bytes(drawn(draw))
    document = read_document(tmp_path / "gloss.pdf")
    texts = [document.text[b.start : b.end] for b in document.blocks]
    for left, right in pages:
        assert bare(capital + "".join(left)) in bare("".join(texts)) and bare("".join(right)) in bare("".join(texts))
    joined = "".join(quote) if language == "zh" else " ".join(quote)
    assert sum(text == (re.sub(" ", "", joined) if language == "zh" else joined) for text in texts) == 3
    assert sum("智能港口协同" in text for text in texts) == 3 and not any(re.fullmatch(r"\d", text) for text in texts)


def test_headings_by_size_weight_outline_and_printed_pages(tmp_path):
    def draw(canvas):
        for page in range(4):
            canvas.setFont("Helvetica-Bold", 18)
            canvas.drawString(60, 780, f"Part {'ABCD'[page]} of the harbour")
            canvas.bookmarkPage(str(page))
            canvas.addOutlineEntry(f"Part {'ABCD'[page]} of the harbour", str(page), level=0)
            canvas.setFont("Helvetica-Bold", 10)
            canvas.drawString(60, 750, f"Cranes of pier {page}")
            canvas.setFont("Helvetica", 10)
            for number, line in enumerate(
                (
                    "The cranes of this pier lift boxes from the early morning",
                    "until the last ship has left the basin at night, and the",
                    "crews who work there change every eight hours, so that",
                    "nobody has to lift anything when the fog comes in.",
                )
            ):
                canvas.drawString(60, 730 - 13 * number, line)
            canvas.drawCentredString(297, 40, str(page + 11))
            canvas.showPage()

    (tmp_path / "parts.pdf").write_bytes(drawn(draw))
    document = read_document(tmp_path / "parts.pdf")
    assert [b.section for b in document.blocks if b.kind == "prose"] == [
        (f"Part {'ABCD'[page]} of the harbour", f"Cranes of pier {page}") for page in range(4)
    ]
    assert document.labels == ((1, "11"), (2, "12"), (3, "13"), (4, "14"))
    assert "11" not in document.text


def test_exponents_and_footnote_marks_stay_raised(tmp_path):
    def draw(canvas):
        text = canvas.beginText(60, 780)
        for part, size, rise in (
            ("The harbour holds 10", 10, 0),
            ("6", 6, 4),
            (" boxes, growth of 45.3", 10, 0),
            ("12", 6, 4),
            (" percent", 10, 0),
        ):
            text.setFont("Helvetica", size)
            text.setRise(rise)
            text.textOut(part)
        canvas.drawText(text)
        canvas.setFont("Helvetica", 18)
        canvas.drawString(60, 700, "Box ")
        canvas.setFont("Helvetica", 9)
        canvas.drawString(96, 700, "1934 is small but not raised")

    (tmp_path / "power.pdf").write_bytes(drawn(draw))
    text = " ".join(read_document(tmp_path / "power.pdf").text.split())
    assert "holds 10⁶ boxes, growth of 45.3¹² percent" in text and "1934" in text


def test_a_page_that_is_mostly_a_table_is_parted_like_the_others(tmp_path):
    def column(canvas, left: float, top: float, words: list[str]) -> None:
        for number, line in enumerate(words):
            canvas.drawString(left, top - 14 * number, line)

    def draw(canvas):
        for page in range(4):
            canvas.setFont("Helvetica", 10)
            if page == 2:
                for number in range(24):
                    for cell, left in (
                        (f"Crane {number}", 60),
                        ("north", 150),
                        (str(40 + number), 250),
                        ("open", 340),
                        (str(90 - number), 450),
                    ):
                        canvas.drawString(left, 780 - 14 * number, cell)
                column(
                    canvas,
                    60,
                    400,
                    ["The ships wait for the tide beside the quay", "and leave at noon. Nobody on the pier is so", "patient."],
                )
                column(
                    canvas, 310, 400, ["1. Pilots come first in their small boats.", "2. Tugs come behind them, slowly and never", "alone."]
                )
            else:
                left, right = (lines_of("en", 30, 10 * page + side, 42) for side in (1, 2))
                column(canvas, 60, 780, left)
                column(canvas, 310, 780, right)
            canvas.showPage()

    (tmp_path / "mixed.pdf").write_bytes(drawn(draw))
    text = " ".join(read_document(tmp_path / "mixed.pdf").text.split())
    assert (
        "The ships wait for the tide beside the quay and leave at noon. Nobody on the pier is so patient." in text
        and "Crane 7 north | 47 | open | 83" in text
    )
    assert "2. Tugs come behind them, slowly and never alone." in text


def test_headings_in_a_font_of_their_own_where_weights_and_names_tell_nothing(tmp_path):
    def font(number: int, descriptor: int) -> bytes:
        return (
            b"<< /Type /Font /Subtype /TrueType /BaseFont /F%d /Encoding /WinAnsiEncoding /FirstChar 32 /LastChar 122 /Widths [%s] /FontDescriptor %d 0 R >>"
            % (number, b" ".join([b"500"] * 91), descriptor)
        )

    def description(number: int) -> bytes:
        return (
            b"<< /Type /FontDescriptor /FontName /F%d /Flags 32 /FontBBox [0 -200 1000 800] /ItalicAngle 0 /Ascent 800 /Descent -200 /StemV 1000 >>"
            % number
        )

    body = b"".join(
        b"(%s) Tj 0 -14 Td " % line
        for line in (b"The cranes lift forty boxes an hour, and the", b"ships wait less than a day for their turn.")
    )
    text = (
        b"BT /F2 12 Tf 72 720 Td (Cranes of the pier) Tj 0 -24 Td /F1 12 Tf "
        + body
        + b"0 -24 Td /F2 12 Tf (Ships in the bay) Tj 0 -24 Td /F1 12 Tf "
        + body
        + b"ET"
    )
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R /F2 7 0 R >> >> >>"
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    objects = [hostile.CATALOG, pages, page, hostile.stream(text), font(1, 6), description(1), font(2, 8), description(2)]
    content = read_pdf(tmp_path / "a.pdf", hostile.pdf_of(objects), lambda page: None)
    assert [piece.text for piece in content.pieces if piece.kind == "heading"] == ["Cranes of the pier", "Ships in the bay"]
    assert [piece.kind for piece in content.pieces] == ["heading", "prose", "heading", "prose"]


def test_heads_reach_over_the_names_of_groups_and_behind_a_line_of_text():
    runs = [
        *row(700, ("At May 31, 2031", 300, 380), ("At May 31, 2030", 400, 480)),
        *row(686, ("Assets", 50, 80)),
        *row(672, ("Cranes", 60, 90), ("$", 300, 305), ("5,727", 350, 380), ("$", 386, 391), ("2,539", 450, 480)),
        *row(658, ("Ships", 60, 90), ("848 $", 362, 391), ("1,035", 450, 480)),
        *row(644, ("Ropes", 60, 90), ("32", 370, 380), ("43", 470, 480)),
        *row(630, ("The harbour counts its assets on the last day of May, whatever the weather and the tide may be on that day.", 50, 480)),
        *row(616, ("Debts", 60, 90), ("12", 370, 380), ("13", 470, 480)),
        *row(602, ("Loans", 60, 90), ("22", 370, 380), ("23", 470, 480)),
        *row(588, ("Total", 60, 90), ("34", 370, 380), ("36", 470, 480)),
    ]
    texts = [s.line.text for s in lines_of_runs(runs, 1)]
    heads = ("At May 31, 2031", "At May 31, 2030")
    assert texts[0] == "Assets" and texts[1] == f"Cranes | {heads[0]}: $5,727 | {heads[1]}: $2,539"
    assert texts[2] == f"Ships | {heads[0]}: 848 | {heads[1]}: $1,035" and texts[-1] == f"Total | {heads[0]}: 34 | {heads[1]}: 36"


def test_text_printed_twice_counts_once_and_sideways_pages_stand_up(tmp_path):
    def draw(canvas):
        canvas.setFont("STSong-Light", 12)
        for shift in (0, 0.4):
            canvas.drawString(60 + shift, 780, "智能港口在雨中醒来")
        canvas.showPage()
        canvas.rotate(90)
        canvas.setFont("Helvetica", 12)
        canvas.drawString(60, -100, "Tables often lie on")
        canvas.drawString(60, -114, "their side.")

    (tmp_path / "twice.pdf").write_bytes(drawn(draw))
    assert read_document(tmp_path / "twice.pdf").text.replace("\n", "") == "智能港口在雨中醒来Tables often lie on their side."


def test_locked_and_unlocked_files(tmp_path):
    def protected(user: str) -> bytes:
        buffer = io.BytesIO()
        canvas = Canvas(buffer, encrypt=StandardEncryption(user, ownerPassword="owner", strength=128))
        canvas.drawString(60, 700, "The harbour is open to all who know the word.")
        canvas.save()
        return buffer.getvalue()

    (tmp_path / "owner.pdf").write_bytes(protected(""))
    assert read_document(tmp_path / "owner.pdf").text == "The harbour is open to all who know the word."
    (tmp_path / "user.pdf").write_bytes(protected("secret"))
    with pytest.raises(UnreadableFile, match="locked with a password"):
        read_document(tmp_path / "user.pdf")


def test_pages_without_text_and_broken_fonts_are_said(tmp_path):
    text = hostile.shown(*hostile.BODY)
    half = read_pdf(tmp_path / "half.pdf", hostile.pages_pdf([text, b"", b"", text]))
    assert half.notes == ("pages 2-3: no text: empty or images only",) and half.page_count == 4
    glyphs = hostile.shown(*[r"\(cid:123\)\(cid:44\)\(cid:9\)"] * 8)
    named = read_pdf(tmp_path / "named.pdf", hostile.pages_pdf([text, glyphs, text]))
    assert named.notes == ("page 2: unreadable characters (broken font map), left out",)
    whole = " ".join(piece.text for piece in named.pieces)
    assert whole.count("second terminal") == 2 and "cid" not in whole
    with pytest.raises(UnreadableFile, match="page images only, 2 pages"):
        read_pdf(tmp_path / "scan.pdf", hostile.pages_pdf([b"", b""]))
    with pytest.raises(UnreadableFile, match="broken font map"):
        read_pdf(tmp_path / "font.pdf", hostile.unmapped_pdf())


def test_pages_that_killed_a_reader_are_read_by_hand_or_left_out(tmp_path):
    text = hostile.shown("The harbour wakes before the town and sleeps after it.")
    data = hostile.pages_pdf([text, text.replace(b"harbour", b"station"), text.replace(b"harbour", b"market")])
    seen: list[int] = []
    content = read_pdf(tmp_path / "a.pdf", data, seen.append, by_hand=[2, 3], lost=[3])
    text = " ".join(piece.text for piece in content.pieces)
    assert [text.count(word) for word in ("harbour", "station", "market")] == [1, 1, 0]
    assert seen == [0, 1, 1, 2, 3, 0] and content.notes == ("page 3: cannot be read",)
    text = " ".join(piece.text for piece in read_pdf(tmp_path / "a.pdf", data, by_hand=[0]).pieces)
    assert [text.count(word) for word in ("harbour", "station", "market")] == [1, 1, 1]


def test_a_long_file_is_cut_off_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("rag.reading.pdf.document.MAX_PAGES", 30)
    content = read_pdf(tmp_path / "long.pdf", hostile.many_pages(33))
    assert content.notes == ("cut off after 30 of 33 pages",) and content.page_count == 33
