"""EML and MSG -> pieces: who wrote to whom and when, the text, then each attachment as its own reader reads it.

What it gave up: calendars and signatures as such, encrypted mail, and pages of attachments, since a mail has none.
"""

from __future__ import annotations

import email.policy
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePath

from rag.errors import UnreadableFile
from rag.reading.cleanup import drop_control
from rag.reading.elements import Content, Piece, counted_notes
from rag.reading.formats.encoding import decode

MAX_ATTACHMENTS = 100
MAX_DEPTH = 3
"""Mails within mails."""
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252", "us-ascii": "utf-8", "ks_c_5601-1987": "cp949"}
_INSTALL = "needs a package of its own to read: pip install 'provenote[msg]', or save the mail as .eml"


ReadFile = Callable[[Path, bytes], Content]
Paragraphs = Callable[[str], Sequence[Piece]]


@dataclass(slots=True)
class _Mail:
    """What a mail holds, in whatever format it came."""

    heads: list[tuple[str, str]] = field(default_factory=list)
    subject: str = ""
    date: str = ""
    text: str = ""
    page: str = ""
    """The text as HTML, where there is no plain one."""
    attachments: list[tuple[str, bytes]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def read_mail(path: Path, data: bytes, read: ReadFile, paragraphs: Paragraphs, depth: int = 0) -> Content:
    """A mail with its attachments, which `read` reads; `paragraphs` cuts its text. Raises UnreadableFile for what is none."""
    mail = _outlook(path, data) if path.suffix.lower() == ".msg" else _internet(path, data)
    pieces = [Piece("prose", f"{name}: {value}") for name, value in mail.heads]
    pieces += _body(path, mail, paragraphs)
    notes = []
    for name, content in mail.attachments[:MAX_ATTACHMENTS]:
        attached, note = _attached(name, content, read, paragraphs, depth)
        notes += [note] if note else []
        mail.left_out["attachments read" if attached else "attachments not read"] += 1
        if attached:
            section = (f"📎 {name}",)
            pieces += [Piece("heading", section[0], None, section)]
            pieces += [replace(piece, page=None, breaks=(), section=section + piece.section) for piece in attached]
    mail.left_out["attachments not read"] += max(0, len(mail.attachments) - MAX_ATTACHMENTS)
    matter = {"date": mail.date} if mail.date else {}
    return Content(pieces, mail.subject, matter, notes=(*counted_notes(mail.left_out), *notes))


def _attached(name: str, data: bytes, read: ReadFile, paragraphs: Paragraphs, depth: int) -> tuple[list[Piece], str]:
    """(pieces, "") of an attachment, or none and why it could not be read."""
    path = Path(name)
    try:
        if path.suffix.lower() in (".eml", ".msg"):
            if depth >= MAX_DEPTH:
                raise UnreadableFile(path, "mails nested too deeply")
            content = read_mail(path, data, read, paragraphs, depth + 1)
        else:
            content = read(path, data)
    except UnreadableFile as error:
        return [], f"attachment {name} not read: {error.reason}"
    pieces = [piece for piece in content.pieces if piece.text.strip()]
    told = "; ".join(content.notes)
    return pieces, f"attachment {name}: {told}" if told and pieces else "" if pieces else f"attachment {name} not read: no text in it"


def _body(path: Path, mail: _Mail, paragraphs: Paragraphs) -> Sequence[Piece]:
    if mail.text.strip():
        return paragraphs(drop_control(mail.text.replace("\r\n", "\n")))
    if mail.page.strip():
        from rag.reading.formats.html import parse_markup
        from rag.reading.formats.markup import walk

        root = parse_markup(path, mail.page)
        body = root.find(".//body")
        pieces, _, left_out = walk(root if body is None else body, menus=False)
        mail.left_out += left_out
        return pieces
    return []


# --------------------------------------------------------------------------------------------------------------------------------- EML


def _internet(path: Path, data: bytes) -> _Mail:
    message = BytesParser(EmailMessage, policy=email.policy.default).parsebytes(data)
    if not any(message.get(name) for name in ("from", "subject", "date", "to")):
        raise UnreadableFile(path, "not a mail (it has neither sender nor subject); give a text file the suffix .txt")
    mail = _Mail(subject=_head(message, "subject"), date=_date(_head(message, "date")))
    mail.heads = [(name, value) for name in ("From", "To", "Cc", "Date") if (value := _head(message, name))]
    texts, pages = [], []
    for part in _leaves(message):
        name = _file_name(part)
        if part.get_content_maintype() == "image" and part.get_content_disposition() != "attachment":
            mail.left_out["pictures not read"] += 1
        elif part.get_content_type() == "message/rfc822" or name or part.get_content_disposition() == "attachment":
            if content := _payload(part):
                mail.attachments.append((name or _default_name(part), content))
        elif part.get_content_type() == "text/plain":
            texts.append(_text(part, path))
        elif part.get_content_type() == "text/html":
            pages.append(_text(part, path))
        else:
            mail.left_out[f"parts of kind {part.get_content_type()[:40]} not read"] += 1
    mail.text, mail.page = "\n\n".join(texts), "\n".join(pages)
    return mail


def _leaves(message: EmailMessage) -> list[EmailMessage]:
    """Parts that hold no others, in order, a mail within the mail as one. Of alternatives a plain text goes before a page."""
    found, waiting = [], [message]
    while waiting and len(found) < 1_000:
        part = waiting.pop(0)
        if part.get_content_type() == "message/rfc822" or not part.is_multipart():
            found.append(part)
            continue
        inner = list(part.iter_parts())
        if part.get_content_type() == "multipart/alternative":
            plain = [one for one in inner if one.get_content_type() == "text/plain" and (one.get_payload() or "").strip()]
            inner = plain[:1] or inner[-1:]
        waiting = inner + waiting
    return found


def _payload(part: EmailMessage) -> bytes:
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        return inner[0].as_bytes() if isinstance(inner, list) and inner else b""
    return part.get_payload(decode=True) or b""


def _text(part: EmailMessage, path: Path) -> str:
    data = part.get_payload(decode=True) or b""
    label = (part.get_content_charset() or "").lower()
    try:
        return data.decode(_WIDER.get(label, label) or "utf-8")
    except (UnicodeDecodeError, LookupError):
        return decode(data, path) if data.strip() else ""


def _head(message: EmailMessage, name: str) -> str:
    """A head of a mail in words; bytes without a label go by what they look like."""
    try:
        value = str(message.get(name) or "")
    except (ValueError, IndexError, KeyError, AttributeError, TypeError):  # heads that the parser of addresses trips over
        value = next((str(raw) for key, raw in message.raw_items() if key.lower() == name.lower()), "")
    if re.search("[\ud800-\udfff\ufffd]", value):
        raw = next((str(raw) for key, raw in message.raw_items() if key.lower() == name.lower()), value)
        try:
            value = decode(raw.encode("utf-8", "surrogateescape"), name)
        except (UnreadableFile, UnicodeEncodeError):
            value = raw.encode("utf-8", "replace").decode()
    return " ".join(drop_control(value).split())[:1_000]


def _file_name(part: EmailMessage) -> str:
    name = part.get_filename() or ""
    if re.search("[\ud800-\udfff\ufffd]", name):
        try:
            name = decode(name.encode("utf-8", "surrogateescape"), "attachment")
        except (UnreadableFile, UnicodeEncodeError):
            name = name.encode("utf-8", "replace").decode()
    return PurePath(" ".join(drop_control(name).split()).replace("\\", "/")).name[:200]


def _default_name(part: EmailMessage) -> str:
    if part.get_content_type() == "message/rfc822":
        return "mail.eml"
    known = {"text/plain": ".txt", "text/html": ".html", "text/csv": ".csv", "application/pdf": ".pdf", "text/markdown": ".md"}
    return f"attachment{known.get(part.get_content_type(), '')}"


def _date(value: str) -> str:
    try:
        return f"{parsedate_to_datetime(value):%Y-%m-%d}"
    except (ValueError, TypeError, IndexError):
        return ""


# --------------------------------------------------------------------------------------------------------------------------------- MSG


def _outlook(path: Path, data: bytes) -> _Mail:
    try:
        from oxmsg import Message
    except ImportError as error:
        raise UnreadableFile(path, _INSTALL) from error
    try:
        message = Message.load(data)
        sent = message.sent_date
        mail = _Mail(subject=" ".join(drop_control(message.subject or "").split()), date=f"{sent:%Y-%m-%d}" if sent else "")
        to = ", ".join(filter(None, (f"{one.name} <{one.email_address}>" if one.name else one.email_address for one in message.recipients)))
        heads = (("From", message.sender or ""), ("To", to), ("Date", f"{sent:%Y-%m-%d %H:%M}" if sent else ""))
        mail.heads = [(name, " ".join(drop_control(value).split())[:1_000]) for name, value in heads if value]
        mail.text, mail.page = message.body or "", message.html_body or ""
        for attachment in message.attachments:
            if attachment.file_bytes:
                mail.attachments.append((PurePath(attachment.file_name or "attachment").name[:200], attachment.file_bytes))
            else:
                mail.left_out["attachments not read"] += 1
    except MemoryError:
        raise
    except Exception as error:  # a damaged file raises almost anything
        raise UnreadableFile(path, f"not a mail of Outlook that can be read ({type(error).__name__}); save it as .eml") from error
    return mail
