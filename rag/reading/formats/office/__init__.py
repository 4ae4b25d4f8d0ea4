"""DOCX and PPTX, from their XML."""

from rag.reading.formats.office.slides import read_pptx
from rag.reading.formats.office.word import read_docx

__all__ = ["read_docx", "read_pptx"]
