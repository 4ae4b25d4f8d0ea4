"""Other names of what a question asks about, where reports call it otherwise: financial statements and their lines, fiscal years.

A pure function over a table that a person can read and extend. What it gave up: names that depend on the trade or the company.
"""

from __future__ import annotations

import re

_NAMES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.I), names)
    for pattern, names in (
        (
            r"\bincome statements?|\bstatements? of income|\bprofit and loss|\bP&L\b",
            "statements of operations statements of earnings statements of income",
        ),
        (r"\bbalance sheets?|\bstatements? of financial position", "balance sheets statement of financial position"),
        (r"\bcash flows?\b", "statements of cash flows"),
        (r"\bPP&E\b|\bPPE\b|\bfixed[- ]assets?\b", "property plant and equipment net"),
        (r"\bcapex\b|\bcapital expenditures?\b|\bfree cash flow|\bFCF\b", "purchases of property and equipment capital expenditures"),
        # which statement a figure that is worked out stands on
        (
            r"\bgross (?:margin|profit)s?\b|\b(?:operating|net|profit) margins?\b|\bCAGR\b|\b(?:revenue|sales) growth\b",
            "statements of operations statements of earnings",
        ),
        (r"\bworking capital|\b(?:current|quick) ratio|\btotal (?:current )?(?:assets|liabilities)|\binventory turnover", "balance sheets"),
        (r"\bcapex\b|\bcapital expenditures?\b|\bdividends? paid|\bFCF\b", "statements of cash flows"),
        (r"\brevenues?\b|\bturnover\b", "net sales total net revenues"),
        (r"\bCOGS\b|\bcost of goods sold", "cost of sales cost of revenue"),
        (r"\bSG&A\b", "selling general and administrative"),
        (r"\bR&D\b", "research and development"),
        (r"\bD&A\b", "depreciation and amortization"),
        (r"\bEBITDA\b", "operating income depreciation and amortization"),
        (r"\bgross margins?|\bgross profits?", "gross profit cost of sales"),
        (r"\bnet income|\bnet profits?", "net income net earnings"),
        (r"\bEPS\b", "earnings per share"),
        (r"\bworking capital|\bcurrent ratio|\bquick ratio", "total current assets total current liabilities"),
        (r"\bROA\b|\breturn on assets", "net income total assets"),
        (r"\bROE\b|\breturn on equity", "net income total equity"),
        (r"\bbuybacks?|\b(?:stock|share) repurchases?", "repurchases of common stock"),
        (r"\b(?:FY|fiscal(?: year)?)\s?'?((?:19|20)\d\d)(?:\s?Q[1-4])?", r"\1"),
        (r"\bFY\s?'?(\d\d)(?:\s?Q[1-4])?\b", r"20\1"),
        (r"利润表|损益表", "利润表 损益表"),
        (r"资产负债表|财务状况表", "资产负债表 财务状况表"),
        (r"营收|销售额", "营业收入"),
        (r"净利(?!润)|盈利", "净利润"),
        (r"毛利率", "毛利 营业成本"),
        (r"资本(?:性)?(?:开支|支出)", "购建固定资产 资本支出"),
        (r"研发投入", "研发费用 研发支出"),
    )
)


def other_names(question: str) -> str:
    """What a report may call the statements, lines and fiscal years of a question, each once; empty when it has none.

    >>> other_names("What was capex in FY2019?"), other_names("Who opened the harbour?")
    ('purchases of property and equipment capital expenditures statements of cash flows 2019', '')
    """
    found: dict[str, None] = {}
    for pattern, names in _NAMES:
        for match in pattern.finditer(question):
            found.setdefault(match.expand(names))
    return " ".join(found)
