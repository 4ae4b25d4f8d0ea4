"""Files made to hurt or to confuse a reader, and honest ones beside them. Everything is generated; nothing is taken from anywhere."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib

BODY = (
    "The harbour opened a second terminal last spring, and ships now wait less than a day.",
    "Cranes lift forty boxes an hour, which is twice what they lifted ten years ago.",
)


def pdf_of(objects: list[bytes], root: int = 1, extra: bytes = b"", first: int = 1) -> bytes:
    """A PDF of these objects, numbered from `first`, with a sound cross-reference table."""
    out, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, first):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size %d /Root %d 0 R %s >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, root, extra, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + trailer


def stream(data: bytes, keys: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), keys, data)


def shown(*lines: str) -> bytes:
    """The operators that draw lines of text one below the other."""
    return b"BT /F1 12 Tf 72 720 Td " + b"".join(b"(%s) Tj 0 -14 Td " % line.encode("latin-1", "replace") for line in lines) + b"ET"


FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"


def page(content: int, font: bytes = b"5 0 R", more: bytes = b"") -> bytes:
    return b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources << /Font << /F1 %s >> %s >> >>" % (
        content,
        font,
        more,
    )


def small_pdf(*lines: str) -> bytes:
    return pdf_of([CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page(4), stream(shown(*(lines or BODY))), FONT])


def pages_pdf(contents: list[bytes]) -> bytes:
    """One page for each content stream."""
    count = len(contents)
    kids = b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(count))
    objects = [CATALOG, b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, count), FONT]
    for number, content in enumerate(contents):
        objects += [page(5 + 2 * number, b"3 0 R"), stream(content)]
    return pdf_of(objects)


def many_pages(count: int) -> bytes:
    """Many pages that share one content."""
    kids = b" ".join(b"%d 0 R" % (5 + number) for number in range(count))
    shared = [page(4, b"3 0 R")] * count
    return pdf_of([CATALOG, b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, count), FONT, stream(shown(*BODY)), *shared])


def flate_bomb(size: int) -> bytes:
    """A page whose content unpacks twice, to `size` bytes."""
    once = zlib.compressobj(9)
    packed = b"".join(once.compress(b" " * 1_000_000) for _ in range(size // 1_000_000)) + once.flush()
    content = stream(zlib.compress(packed, 9), b"/Filter [/FlateDecode /FlateDecode]")
    return pdf_of([CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page(4), content, FONT])


def billion_laughs(levels: int = 9) -> bytes:
    """Forms that call forms, ten each, `levels` deep."""
    objects = [CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page(4, more=b"/XObject << /X 6 0 R >>"), stream(b"/X Do"), FONT]
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 612 792] "
    for level in range(levels):
        objects.append(stream(b"/X Do " * 10, form + b"/Resources << /XObject << /X %d 0 R >> >>" % (7 + level)))
    objects.append(stream(shown("x"), form + b"/Resources << /Font << /F1 5 0 R >> >>"))
    return pdf_of(objects)


def looping_pdfs() -> dict[str, bytes]:
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /XObject << /X 6 0 R >> >>"
    good = small_pdf()
    return {
        "kids.pdf": pdf_of([CATALOG, b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"]),
        "count.pdf": pdf_of([CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 2000000000 >>", page(4), stream(shown(*BODY)), FONT]),
        "prev.pdf": good.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % good.rindex(b"xref\n0")),
        "self.pdf": pdf_of(
            [
                CATALOG,
                b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
                page(4, more=b"/XObject << /X 6 0 R >>"),
                stream(b"/X Do"),
                FONT,
                stream(b"/X Do", form),
            ]
        ),
        "nested.pdf": pdf_of(
            [CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page(4), stream(b"[" * 200_000 + b"]" * 200_000), FONT]
        ),
        "arrays.pdf": pdf_of(
            [
                CATALOG,
                b"<< /Type /Pages /Kids [3 0 R] /Count 1 /Odd %s >>" % (b"[" * 100_000 + b"]" * 100_000),
                page(4),
                stream(shown(*BODY)),
                FONT,
            ]
        ),
    }


def unmapped_pdf() -> bytes:
    """A page whose font says that every character is a private one."""
    chars = b"".join(b"<%02x> <%04x>\n" % (code, 0xE000 + code) for code in range(32, 127))
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <00> <ff> endcodespacerange\n95 beginbfchar\n"
        + chars
    )
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>"
    return pdf_of(
        [
            CATALOG,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            page(4),
            stream(shown(*BODY * 4)),
            font,
            stream(cmap + b"endbfchar endcmap end end"),
        ]
    )


def endless_map_pdf() -> bytes:
    """A page whose font maps two thousand million codes in one range."""
    cmap = b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <00000000> <ffffffff> endcodespacerange\n"
    cmap += b"1 beginbfrange\n<00000000> <7fffffff> <0041>\nendbfrange endcmap end end"
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>"
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    return pdf_of([CATALOG, pages, page(4), stream(shown(*BODY)), font, stream(cmap)])


def many_operators(count: int) -> bytes:
    """A page of `count` operators that draw one letter each; a few hundred bytes."""
    content = stream(zlib.compress(b"BT /F1 1 Tf " + b"(x) Tj " * count + b"ET", 9), b"/Filter /FlateDecode")
    return pdf_of([CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page(4), content, FONT])


def flipped(data: bytes, seed: int) -> bytes:
    """The same with a few bytes changed."""
    chance, changed = random.Random(seed), bytearray(data)
    for _ in range(chance.randint(1, 12)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def zipped(entries: dict[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def docx(body: str, **parts: str) -> bytes:
    """A Word file of this body."""
    whole = f'<?xml version="1.0"?><w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    return zipped(
        {"[Content_Types].xml": "<Types/>", "word/document.xml": whole} | {name.replace("__", "/"): data for name, data in parts.items()}
    )


def overlapping_zip() -> bytes:
    """Two entries of the directory that share one place in the file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "harbour " * 50)
        archive.writestr("b.txt", "harbour " * 50)
    data = bytearray(buffer.getvalue())
    second = data.rindex(b"PK\1\2")
    data[second + 42 : second + 46] = struct.pack("<L", 0)
    data[second + 46 : second + 51] = b"a.txt"
    return bytes(data)


def twenty(limit: int) -> dict[str, bytes]:
    """Files of which none can be read, each for a reason of its own. `limit` is the size in bytes from which a file is too big."""
    loops = looping_pdfs()
    entity = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    chance = random.Random(5)
    return {
        "empty.pdf": b"",
        "head.pdf": b"%PDF-1.7",
        "noise.pdf": chance.randbytes(900),
        "bomb.pdf": flate_bomb(400_000_000),
        "kids.pdf": loops["kids.pdf"],
        "self.pdf": loops["self.pdf"],
        "nested.pdf": loops["nested.pdf"],
        "font.pdf": unmapped_pdf(),
        "images.pdf": pages_pdf([b"", b""]),
        "word.pdf": docx("<w:p/>"),
        "pdf.docx": small_pdf(),
        "cut.docx": docx("<w:p/>")[:50],
        "bomb.docx": docx("<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 1_500_000),
        "entity.docx": zipped({"word/document.xml": f'{entity}<w:document xmlns:w="{WORD}"><w:body/></w:document>'}),
        "other.pptx": zipped({"a.txt": "The harbour wakes."}),
        "old.docx": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        "overlap.zip": overlapping_zip(),
        "binary.txt": bytes(range(256)) * 40,
        "wide.txt": b"\xff\xfe" + chance.randbytes(4000),
        "big.md": b"harbour " * (limit // 8 + 1),
    }
