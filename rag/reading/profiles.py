"""What is known of the layout of single publishers: rules that hold for their reports, tried only where the report shows its marks.

Labelled parts (the trend reports of Alibaba DAMO Academy): every part has a summary, a reading and signed remarks of experts, each under a
label of its own, and the text layer of the designed pages gives them in another order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

from rag.reading.drafts import Draft, attribute

_ROLES = {
    "摘要": "summary",
    "趋势摘要": "summary",
    "概要": "summary",
    "趋势解读": "reading",
    "解读": "reading",
    "深度解读": "reading",
    "专家点评": "remark",
    "专家观点": "remark",
    "点评": "remark",
}


def labels_of(texts: Collection[str], titles: Collection[str]) -> Mapping[str, str]:
    """Label -> what it says of the text below it ("summary", "reading", "remark"); empty for any other report.

    A report is made of labelled parts when it has numbered running titles and a label for readings or remarks on a line of its own.

    >>> labels_of(["趋势解读", "港口在雨中醒来。"], {"边缘网关", "潮汐能"})["专家点评"], labels_of(["趋势解读"], set()), labels_of(["摘要"], {"潮汐能"})
    ('remark', {}, {})
    """
    alone = {_ROLES[text] for text in texts if text in _ROLES}
    return _ROLES if titles and alone & {"reading", "remark"} else {}


def gathered(drafts: list[Draft], titles: set[str]) -> list[Draft]:
    """Inside each titled part, put text under the label that it belongs to, wherever on the page the label was set.

    The first text after the title is the summary, a drop capital opens the reading, and boxes that end in a signature are remarks.
    """
    attribute(drafts)
    counts = Counter(draft.text for draft in drafts if draft.kind == "heading" and draft.role)
    usual = {draft.role: draft for draft in drafts if draft.kind == "heading" and draft.role and counts[draft.text] >= 3}
    result: list[Draft] = []
    part: list[Draft] = []
    title: Draft | None = None

    def close() -> None:
        if title is None:
            result.extend(part)
        else:
            result.append(title)
            result.extend(_by_label(part, usual))
        part.clear()

    for draft in drafts:
        if draft.kind == "heading" and draft.text in titles:
            while part and title is None and part[-1].role and part[-1].line.page == draft.line.page:
                part.pop()  # a label left over from another page's layout
            waiting = []  # remarks that stand above the title of their page
            while part and title is not None and part[-1].line.page == draft.line.page and (part[-1].role or part[-1].speaker):
                waiting.insert(0, part.pop())
            if _opens_with(part, draft):  # the page goes on with the part before, so the remarks are that part's
                part.extend(waiting)
                waiting = []
            close()
            title = draft
            part.extend(waiting)
            continue
        if title is not None and draft.kind == "heading" and draft.depth == 1 and not draft.role:
            close()
            title = None
            result.append(draft)
            continue
        part.append(draft)
    close()
    return result


def _opens_with(part: list[Draft], title: Draft) -> bool:
    """Whether other text of the part before stands on the title's page, above its remarks."""
    return any(draft.line.page == title.line.page and draft.kind in ("prose", "item") for draft in part)


def _by_label(part: list[Draft], usual: dict[str, Draft]) -> list[Draft]:
    """Drafts of one part in the order summary, reading, remarks, each under its label; a missing label is taken from other parts."""
    names = usual | {draft.role: draft for draft in part if draft.kind == "heading" and draft.role}
    ordered: dict[str, list[Draft]] = {"summary": [], "reading": [], "remark": []}
    role = "summary"
    for draft in part:
        if draft.kind == "heading" and draft.role:
            continue
        if draft.speaker:
            ordered["remark"].append(draft)
            continue
        if draft.drop_capital:
            role = "reading"
        ordered[role].append(draft)
    result: list[Draft] = []
    for role, members in ordered.items():
        if members and role in names:
            result.append(replace(names[role], depth=2, line=members[0].line))
        result.extend(members)
    return result
