"""A document on paper: a statement as PDF.

Belongs here: type, layout and the properties of the file. Does not belong here: what it says (`statement`).
"""

import unicodedata
from datetime import datetime
from pathlib import Path

import font_source_sans_pro
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import TTFFont

from pipelines.statement import Document, Section

_REGULAR, _BOLD = "SourceSansPro-Regular.ttf", "SourceSansPro-Semibold.ttf"
_LABEL_MM = 42
_LINE_MM = 5.2


class _Page(FPDF):
    """A4 with page numbers, a typeface that has Finland's letters, and nobody's name in its properties."""

    def __init__(self, document: Document, made_at: datetime) -> None:
        super().__init__(format="A4")
        folder = Path(font_source_sans_pro.font_directory)
        self.add_font("text", "", folder / _REGULAR)
        self.add_font("text", "B", folder / _BOLD)
        font = self.fonts["text"]
        self._letters = font.cmap if isinstance(font, TTFFont) else {}
        self.set_margins(20, 18)
        self.set_auto_page_break(True, margin=20)
        self.set_title(document.title)
        self.set_subject(document.subject)
        self.set_lang(document.language)
        self.set_creation_date(made_at)
        self.set_producer("register-hub")
        self.alias_nb_pages()

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font("text", "", 8.5)
        self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="R")

    def say(self, text: str, *, size: float = 10, bold: bool = False) -> None:
        """A paragraph over the whole width."""
        self.set_font("text", "B" if bold else "", size)
        self.multi_cell(
            0, size * 0.52, self.written(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )

    def lay(self, section: Section) -> None:
        """A heading and its lines, label beside text, on one page."""
        with self.unbreakable() as page:
            page.ln(3)
            page.set_font("text", "B", 11)
            page.multi_cell(
                0, 6, self.written(section.heading), new_x=XPos.LMARGIN, new_y=YPos.NEXT
            )
            for label, text in section.lines:
                page.set_font("text", "B", 9.5)
                page.cell(_LABEL_MM, _LINE_MM, self.written(label))
                page.set_font("text", "", 9.5)
                page.multi_cell(
                    0, _LINE_MM, self.written(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
                )

    def written(self, text: str) -> str:
        """The text in letters the typeface has: a rare one in its parts, or as a question mark.

        Left to the library, a missing letter would be named in a log.
        """
        letters = self._letters
        out = []
        for letter in unicodedata.normalize("NFC", text):
            parts = unicodedata.normalize("NFD", letter)
            known = letter if ord(letter) in letters else parts
            out.append(known if all(ord(part) in letters for part in known) else "?")
        return "".join(out)


def pdf(document: Document, made_at: datetime) -> bytes:
    """The document as a PDF, made at that moment; the same document and moment give the same bytes."""
    page = _Page(document, made_at)
    page.add_page()
    page.say(document.title, size=17, bold=True)
    page.ln(2)
    for line in document.opening:
        page.say(line) if line else page.ln(3)
    for section in document.sections:
        page.lay(section)
    page.ln(5)
    for line in document.closing:
        page.say(line, size=9)
        page.ln(1)
    return bytes(page.output())
