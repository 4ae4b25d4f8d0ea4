"""What a workbook holds beside the values that are read, counted by kind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Losses:
    """Counts, by kind; `notes` says them."""

    hidden_sheets: int = 0
    hidden_rows: int = 0
    hidden_columns: int = 0
    struck: int = 0
    unsaved: int = 0
    """Formulas whose value the file does not hold."""
    charts: int = 0
    pictures: int = 0
    chart_sheets: int = 0
    wide_rows: int = 0

    def notes(self) -> list[str]:
        """One line for each kind that occurs.

        >>> Losses(hidden_sheets=1, charts=2).notes()
        ['1 hidden sheet read, marked as hidden', '2 charts not read']
        """
        told = (
            (self.hidden_sheets, "hidden sheet", "read, marked as hidden"),
            (self.hidden_rows, "hidden row", "read too"),
            (self.hidden_columns, "hidden column", "read too"),
            (self.struck, "struck-out cell", "left out"),
            (self.unsaved, "formula", "without a saved value: open and save the file in a spreadsheet program"),
            (self.charts + self.chart_sheets, "chart", "not read"),
            (self.pictures, "picture", "not read"),
            (self.wide_rows, "row", "cut behind the first 1,000 columns"),
        )
        return [f"{count} {name}{'s' if count > 1 else ''} {what}" for count, name, what in told if count]
