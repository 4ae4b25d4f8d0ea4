"""Mails: heads, text in any encoding, and attachments by their own readers."""

from email.message import EmailMessage

import pytest

from rag.errors import UnreadableFile
from rag.reading.dispatch import read_document
from rag.reading.formats import mail as mail_module


def written(tmp_path, message, name="mail.eml"):
    (tmp_path / name).write_bytes(message if isinstance(message, bytes) else message.as_bytes())
    return tmp_path / name


def lines(document):
    return [document.text[block.start : block.end] for block in document.blocks]


@pytest.fixture
def message():
    made = EmailMessage()
    made["From"], made["To"], made["Subject"], made["Date"] = (
        "Mara <mara@quay.example>",
        "crew@quay.example",
        "潮位站 2023",
        "Mon, 5 Jun 2023 08:00:00 +0000",
    )
    made.set_content("The gauge was\nmoved in May.\n")
    return made


def test_heads_text_and_attachments_in_order(tmp_path, message):
    message.add_alternative("<p>The gauge was <b>moved</b> in May.</p>", subtype="html")
    message.add_attachment("Quay,Tonnage\nNorth,412\nSouth,87\n", subtype="csv", filename="港口.csv")
    message.add_attachment(b"\0\0ftyp", maintype="video", subtype="mp4", filename="film.mp4")
    document = read_document(written(tmp_path, message))
    assert lines(document) == [
        "From: Mara <mara@quay.example>", "To: crew@quay.example", "Date: Mon, 05 Jun 2023 08:00:00 +0000", "The gauge was", "moved in May.",
        "📎 港口.csv", "Quay | Tonnage", "Quay: North | Tonnage: 412", "Quay: South | Tonnage: 87",
    ]  # fmt: skip
    assert (document.title, document.year, document.blocks[-1].section) == ("潮位站 2023", 2023, ("📎 港口.csv",))
    assert document.notes[:2] == ("attachments not read: 1", "attachments read: 1")
    assert "attachment film.mp4 not read: cannot read .mp4" in document.notes[2]


def test_a_page_is_read_where_there_is_no_plain_text_and_inline_pictures_are_counted(tmp_path):
    made = EmailMessage()
    made["From"], made["Subject"] = "a@b.example", "Report"
    made.set_content(
        "<html><body><h2>Depths</h2><table><tr><th>Station</th><th>m</th></tr><tr><td>Low Marsh</td><td>3</td></tr></table></body></html>",
        subtype="html",
    )
    made.add_related(b"GIF8", maintype="image", subtype="gif", cid="<logo>")
    document = read_document(written(tmp_path, made))
    assert lines(document)[1:] == ["Depths", "Station | m", "Station: Low Marsh | m: 3"] and "pictures not read: 1" in document.notes


@pytest.mark.parametrize("label", ["gb2312", "utf-8", "unknown-8bit"])
def test_chinese_bytes_under_any_label(tmp_path, label):
    coded = "潮位站在五月迁移到了北港的码头。\n这是新的统计口径。".encode("utf-8" if label == "utf-8" else "gb18030")
    head = f"From: a@b.example\r\nSubject: 港口月报\r\nContent-Type: text/plain; charset={label}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    data = head.encode("utf-8" if label == "utf-8" else "gb18030") + coded
    document = read_document(written(tmp_path, data))
    assert document.title == "港口月报" and lines(document)[1].startswith("潮位站在五月迁移到了北港的码头。")


def test_a_forwarded_mail_is_read_and_nesting_ends(tmp_path, message):
    for number in range(6):
        outer = EmailMessage()
        outer["From"], outer["Subject"] = "x@y.example", f"Fwd {number}"
        outer.set_content(f"See below {number}.")
        outer.add_attachment(message)
        message = outer
    document = read_document(written(tmp_path, message))
    found = lines(document)
    assert [line for line in found if line.startswith("See below")] == ["See below 5.", "See below 4.", "See below 3.", "See below 2."]
    assert any("nested too deeply" in note for note in document.notes)


def test_text_under_the_name_of_a_mail_is_no_mail(tmp_path):
    with pytest.raises(UnreadableFile, match="not a mail"):
        read_document(written(tmp_path, b"Just some words.\n"))


def test_outlook_files_that_are_none_say_what_to_do(tmp_path):
    pytest.importorskip("oxmsg", reason="python-oxmsg is not installed")
    with pytest.raises(UnreadableFile, match="save it as .eml"):
        read_document(written(tmp_path, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000, "a.msg"))


def test_more_attachments_than_are_read_are_counted(tmp_path, message, monkeypatch):
    monkeypatch.setattr(mail_module, "MAX_ATTACHMENTS", 2)
    for number in range(5):
        message.add_attachment(f"Note {number} of the crew.", filename=f"n{number}.txt")
    document = read_document(written(tmp_path, message))
    assert "attachments not read: 3" in document.notes and "attachments read: 2" in document.notes
