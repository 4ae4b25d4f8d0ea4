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


# ------------------------------------------------------------------------------------------------- what is drawn, and what is read


def text_of(tmp_path, draw) -> str:
    (tmp_path / "drawn.pdf").write_bytes(drawn(draw))
    return " ".join(read_document(tmp_path / "drawn.pdf").text.split())


def lines_down(canvas, lines: list[str], left: float = 60, top: float = 780, step: float = 14) -> None:
    for at, line in enumerate(lines):
        canvas.drawString(left, top - step * at, line)


def test_what_is_filled_into_a_form_stands_behind_its_label(tmp_path):
    def draw(canvas):
        canvas.setFont("Helvetica", 11)
        lines_down(canvas, ["Mooring Permit", "Vessel:", "Length (m):", "Nothing here:", "The harbour office keeps a copy."], step=30)
        form = canvas.acroForm
        for at, value in enumerate(("Grey Heron", "41", "")):
            form.textfield(name=f"field{at}", value=value, x=180, y=745 - 30 * at, width=200, height=16, fontSize=10)
        form.textfield(name="Home port", value="Sandvik", x=180, y=600, width=200, height=16, fontSize=10)
        for at, (name, ticked) in enumerate((("Insured", True), ("For hire", False))):
            canvas.drawString(80, 560 - 20 * at, name)
            form.checkbox(name=name, checked=ticked, x=62, y=558 - 20 * at, size=12)

    (tmp_path / "permit.pdf").write_bytes(drawn(draw))
    document = read_document(tmp_path / "permit.pdf")
    rows = [document.text[b.start : b.end] for b in document.blocks if b.kind == "row"]
    assert rows == ["Vessel: Grey Heron", "Length (m): 41", "Home port: Sandvik"]
    assert "☒ Insured" in document.text and "☐ For hire" in document.text


def with_marks(page: bytes, annotations: list[bytes], more: bytes = b"") -> bytes:
    """A PDF of one page with annotations; `more` stands in its page object."""
    numbers = b" ".join(b"%d 0 R" % (6 + at) for at in range(len(annotations)))
    shown = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> /Annots [%s] %s >>"
        % (numbers, more)
    )
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    return hostile.pdf_of([hostile.CATALOG, pages, shown, hostile.stream(page), font, *annotations])


def test_comments_and_text_boxes_of_readers_are_kept_and_counted(tmp_path):
    page = b"BT /F1 12 Tf 72 700 Td (The cranes lift forty boxes an hour.) Tj ET"
    note = b"<< /Type /Annot /Subtype /Text /Rect [400 690 420 710] /Contents (Forty-two since May.) /T (Ann) >>"
    box = b"<< /Type /Annot /Subtype /FreeText /Rect [72 600 300 616] /Contents (Figures are provisional.) >>"
    hidden = b"<< /Type /Annot /Subtype /Text /Rect [400 590 420 610] /Contents (Not for you.) /F 2 >>"
    content = read_pdf(tmp_path / "a.pdf", with_marks(page, [note, box, hidden]))
    assert [piece.text for piece in content.pieces] == [
        "The cranes lift forty boxes an hour.",
        "Figures are provisional.",
        "Comment (Ann): Forty-two since May.",
    ]
    assert content.notes == ("1 comment of readers kept as such",)


def test_text_that_nobody_sees_is_left_out_and_said(tmp_path):
    page = (
        b"BT /F1 12 Tf 72 700 Td (The cranes lift forty boxes.) Tj 3 Tr 0 -20 Td (Invisible words.) Tj 0 Tr 1 1 1 rg 0 -20 Td (White on white.) Tj ET "
        b"0 0 0.5 rg 60 590 300 30 re f BT 1 1 1 rg /F1 12 Tf 72 600 Td (White on blue.) Tj ET "
        b"BT 0 0 0 rg /F1 12 Tf 72 40 Td (Below the cut.) Tj ET"
    )
    content = read_pdf(tmp_path / "a.pdf", with_marks(page, [], b"/CropBox [0 100 612 792]"))
    text = " ".join(piece.text for piece in content.pieces)
    assert text == "The cranes lift forty boxes. White on blue."
    assert content.notes == ("page 1: text outside the visible page left out", "page 1: hidden text left out")


def test_letters_of_a_ligature_stay_and_false_bold_goes(tmp_path):
    to_unicode = hostile.stream(
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <00> <ff> endcodespacerange "
        b"3 beginbfchar <41> <00660066> <42> <006600660069> <43> <00740074> endbfchar 1 beginbfrange <61> <7a> <0061> endbfrange "
        b"1 beginbfchar <20> <0020> endbfchar endcmap end end"
    )
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>"
    text = b"BT /F1 12 Tf 72 700 Td (the oBce of traBc was aAected and beCer) Tj ET"
    bold = b"".join(
        b"BT /F1 12 Tf %.1f 660 Td (%c) Tj ET BT /F1 12 Tf %.1f 660 Td (%c) Tj ET " % (72 + 9 * at, sign, 72.3 + 9 * at, sign)
        for at, sign in enumerate(b"tidewater")
    )
    shown = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
    objects = [hostile.CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", shown, hostile.stream(text + bold), font, to_unicode]
    content = read_pdf(tmp_path / "a.pdf", hostile.pdf_of(objects))
    text = " ".join(piece.text for piece in content.pieces)
    assert "the office of traffic was affected and better" in text and "tidewater" in text.replace(" ", "")


def test_columns_of_vertical_text_are_read_from_right_to_left(tmp_path):
    columns = ["港口年报二〇三一", "全年到港船只四千二百艘︒", "比上年增加百分之六︒", "吊机新增十二台︒"]

    def draw(canvas):
        for column, text in enumerate(columns):
            for row, sign in enumerate(text):
                canvas.setFont("STSong-Light", 14)
                canvas.drawString(480 - 28 * column, 700 - 17 * row, sign)

    (tmp_path / "upright.pdf").write_bytes(drawn(draw))
    document = read_document(tmp_path / "upright.pdf")
    assert "全年到港船只四千二百艘" in document.text and "吊机新增十二台" in document.text
    assert document.text.index("港口年报") < document.text.index("四千二百") < document.text.index("百分之六")
    assert document.notes == ("page 1: text in vertical columns, read from right to left",)


def test_a_column_of_ticks_is_no_vertical_text(tmp_path):
    def draw(canvas):
        canvas.setFont("STSong-Light", 10)
        for row in range(14):
            for left, cell in ((60, f"Crane {row}"), (200, "是否"[row % 2]), (260, str(40 + 7 * row % 13))):
                canvas.drawString(left, 780 - 14 * row, cell)

    assert "Crane 7 否 | 50" in text_of(tmp_path, draw)


def test_exponents_with_signs_and_hyphens_at_the_end_of_a_line(tmp_path):
    def draw(canvas):
        text = canvas.beginText(60, 780)
        for part, size, rise in (("The dust weighs 10", 10, 0), ("-6", 6, 4), (" kg and the plans are long-", 10, 0)):
            text.setFont("Helvetica", size)
            text.setRise(rise)
            text.textOut(part)
        canvas.drawText(text)
        canvas.setFont("Helvetica", 10)
        lines_down(canvas, ["term ones for the years 2019-", "2023 in which the govern-", "ment pays for the quays of the town."], top=766)

    assert text_of(tmp_path, draw) == (
        "The dust weighs 10⁻⁶ kg and the plans are long-term ones for the years 2019-2023 in which the government pays for the quays of the town."
    )


# ----------------------------------------------------------------------------------------------------------------------------- tables


def grid_table(rows, spans=(), head: int = 1):
    from reportlab.platypus import Table, TableStyle

    style = [("GRID", (0, 0), (-1, -1), 0.5, "black"), ("VALIGN", (0, 0), (-1, -1), "MIDDLE"), *(("SPAN", *span) for span in spans)]
    return Table(rows, style=TableStyle(style), repeatRows=0)


def table_rows_of(tmp_path, *flowables) -> list[tuple[int | None, str]]:
    from reportlab.platypus import SimpleDocTemplate

    SimpleDocTemplate(str(tmp_path / "table.pdf"), title="").build(list(flowables))
    document = read_document(tmp_path / "table.pdf")
    return [(b.page, document.text[b.start : b.end]) for b in document.blocks if b.kind == "row"]


def test_cells_that_span_rows_and_columns(tmp_path):
    rows = [
        ["Pier", "Berth", "Ships", ""],
        ["", "", "2030", "2031"],
        ["North", "Inner", "41", "43"],
        ["", "Outer", "12", "9"],
        ["South", "Inner", "7", "8"],
    ]
    spans = [((0, 0), (0, 1)), ((1, 0), (1, 1)), ((2, 0), (3, 0)), ((0, 2), (0, 3))]
    assert [text for _, text in table_rows_of(tmp_path, grid_table(rows, spans))] == [
        "Pier | Berth | Ships, 2030 | Ships, 2031",
        "Pier: North | Berth: Inner | Ships, 2030: 41 | Ships, 2031: 43",
        "Pier: North | Berth: Outer | Ships, 2030: 12 | Ships, 2031: 9",
        "Pier: South | Berth: Inner | Ships, 2030: 7 | Ships, 2031: 8",
    ]


def test_a_ruled_table_over_pages_keeps_its_heads_and_cells_keep_their_lines(tmp_path):
    rows = [["Crane", "Lifts", "Remark"], *([f"Crane {at}", str(1000 + 7 * at), "checked in\nspring"] for at in range(40))]
    found = table_rows_of(tmp_path, grid_table(rows))
    assert found[0] == (1, "Crane | Lifts | Remark") and {page for page, _ in found} == {1, 2}
    assert (2, "Crane: Crane 39 | Lifts: 1273 | Remark: checked in spring") in found and len(found) == 41


def test_a_table_without_lines_keeps_its_heads_over_pages_and_names_its_groups(tmp_path):
    def draw(canvas):
        canvas.setFont("Helvetica", 10)
        for cell, left in (("Ships", 300), ("Boxes", 400)):
            canvas.drawString(left, 780, cell)
        groups = {0: "North", 3: "South", 5: "West"}
        for at in range(9):
            if at == 6:
                canvas.showPage()
                canvas.setFont("Helvetica", 10)
            y = 760 - 14 * at if at < 6 else 780 - 14 * (at - 6)
            cells = [(groups.get(at, ""), 60), (f"Berth {'ABCDEFGHI'[at]}", 160), (str(41 + at), 300), (str(900 + at), 400)]
            for cell, left in cells:
                canvas.drawString(left, y, cell)

    (tmp_path / "open.pdf").write_bytes(drawn(draw))
    document = read_document(tmp_path / "open.pdf")
    rows = [document.text[b.start : b.end] for b in document.blocks if b.kind == "row"]
    assert "North Berth B | Ships: 42 | Boxes: 901" in rows and "South Berth E | Ships: 45 | Boxes: 904" in rows
    assert "Berth I | Ships: 49 | Boxes: 908" in rows


def test_lines_under_sums_and_behind_charts_make_no_table(tmp_path):
    def draw(canvas):
        canvas.setFont("Helvetica", 10)
        for x in range(60, 461, 50):
            canvas.line(x, 400, x, 600)
        for y in range(400, 601, 25):
            canvas.line(60, y, 460, y)
        for at, label in enumerate(("0", "10", "20", "30")):
            canvas.drawString(40, 400 + 50 * at, label)
        for at, cells in enumerate((("", "2030", "2031"), ("Fees", "41", "43"), ("Rents", "12", "13"), ("Total", "53", "56"))):
            for cell, left in zip(cells, (60, 200, 300), strict=True):
                canvas.drawString(left, 780 - 16 * at, cell)
        canvas.rect(190, 720, 60, 70)
        canvas.rect(290, 720, 60, 70)

    assert "Total | 2030: 53 | 2031: 56" in text_of(tmp_path, draw)


def test_attached_files_are_named_and_titles_must_be_borne_out(tmp_path):
    import pypdf

    def draw(canvas):
        canvas.setTitle("(anonymous)")
        canvas.setFont("Helvetica-Bold", 18)
        canvas.drawString(60, 780, "Ferry Report 2024")
        canvas.setFont("Helvetica", 10)
        canvas.drawString(60, 750, "The ferries carried two million guests. The figures are attached.")

    writer = pypdf.PdfWriter(io.BytesIO(drawn(draw)))
    writer.add_attachment("figures.csv", b"ferry,guests\n")
    buffer = io.BytesIO()
    writer.write(buffer)
    (tmp_path / "ferry.pdf").write_bytes(buffer.getvalue())
    document = read_document(tmp_path / "ferry.pdf")
    assert (document.title, document.year) == ("Ferry Report 2024", 2024)
    assert document.notes == ("1 attached file not read: figures.csv",)
