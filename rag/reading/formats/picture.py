"""Pictures of pages (PNG, JPEG, TIFF, WebP) -> the text that is recognised on them. A TIFF has as many pages as frames."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rag.errors import UnreadableFile
from rag.reading.elements import Content
from rag.reading.formats.ocr import INSTALL, MAX_PIXELS, RecognitionFailed, recognised
from rag.reading.pdf.document import content_of
from rag.reading.pdf.layout import lines_of_runs
from rag.reading.pdf.page import Page

MAX_PAGES = 500
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
_LARGEST = 120_000_000
"""Pixels of a picture that is opened at all."""
_PAGE_WIDTH = 595.0
"""Points that the width of a picture is taken for."""


def read_picture(path: Path, data: bytes, watch: Callable[[int], None], recognise: str) -> Content:
    """The text on a picture, by the engine `recognise`. Raises UnreadableFile, also where none was asked for."""
    if not recognise:
        raise UnreadableFile(path, f"a picture: install {INSTALL} and index it with --ocr to read the text on it")
    pages, sure = [], {}
    for number, image in enumerate(_frames(path, data), 1):
        watch(number)
        scale = image.width / _PAGE_WIDTH
        try:
            seen = recognised(image, scale, recognise)
        except RecognitionFailed:
            pages.append(Page())
            continue
        pages.append(Page(lines_of_runs(seen.runs, number)))
        if seen.runs:
            sure[number] = seen.sure
    return content_of(path, pages, len(pages), {}, {}, {}, (), sure)


def _frames(path: Path, data: bytes) -> Any:
    """The frames of a picture, upright and no larger than text recognition needs."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is damaged is judged by what can be read
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                if image.width * image.height > _LARGEST:
                    raise UnreadableFile(
                        path, f"{image.width} x {image.height} pixels, over the limit of {_LARGEST / 1e6:.0f} million; make it smaller"
                    )
                for frame in range(min(getattr(image, "n_frames", 1) if image.format == "TIFF" else 1, MAX_PAGES)):
                    image.seek(frame)
                    upright = ImageOps.exif_transpose(image).convert("RGB")
                    share = (MAX_PIXELS / (upright.width * upright.height)) ** 0.5
                    yield upright if share >= 1 else upright.resize((int(upright.width * share), int(upright.height * share)))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise UnreadableFile(path, f"not a readable picture ({type(error).__name__}); save it again") from error
