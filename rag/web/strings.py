"""Every word of the page in Chinese and English. A test holds the two tables to the same keys and the same `{fields}`."""

from __future__ import annotations

LANGUAGES = ("zh", "en")

STRINGS: dict[str, dict[str, str]] = {
    "zh": {
        "tagline": "只依据报告作答，每句话都能点回原文",
        "new": "新对话",
        "export": "导出",
        "other_language": "EN",
        "theme": "明暗",
        "sources": "来源",
        "reports": "报告",
        "reports_chosen": "报告 · {chosen}/{total}",
        "ask": "就报告内容提问…",
        "ask_chosen": "在选中的 {chosen} 份报告中提问…",
        "hint": "`Enter` 发送　`Shift+Enter` 换行　`/` 回到输入框　`Alt+↓` `Alt+↑` 逐条看引用",
        "welcome": "## 想从报告里了解什么？\n已收录 {total} 份报告。每句回答后面都有引用编号，点一下就能看到原文中的那一段。",
        "choose": "只在这些报告中查找（不选即全部）",
        "no_reports": "还没有收录报告。请在命令行运行 `rag index 文件…`，然后刷新本页。",
        "searching": "正在检索报告",
        "searched_as": "按此检索：",
        "edit_query": "放进输入框修改",
        "not_found": "报告里没有找到依据",
        "not_found_help": "可以换个说法、写得更具体，或放宽报告范围。",
        "nearest": "最接近的段落列在“来源”里，均未用于回答。",
        "unused": "未采用",
        "unused_help": "下面的段落与问题最接近，但不足以回答，没有被采用。",
        "unused_none": "没有接近的段落。",
        "stopped": "已停止",
        "supported": "已核对：引用的原文支持这句话",
        "partial": "部分有据",
        "unsupported": "原文不支持",
        "uncited": "没有引用",
        "extractive": "摘自原文",
        "llm": "由 {model} 撰写，逐句核对",
        "page": "第 {page} 页",
        "relevance": "相关度",
        "no_sources": "还没有引用",
        "no_sources_help": "提问之后，这里列出回答所引用的原文段落，并标出支持每句话的那一段。",
        "previous": "上一条引用",
        "next": "下一条引用",
        "question": "问",
        "answer": "答",
        "zh": "中文",
        "en": "英文",
        "too_long": "问题太长（{detail} 字）。请精简后再问。",
        "busy": "上一个问题还在回答。请等它结束，或先点停止。",
        "UsageError": "这个问题没法处理：{detail}",
        "IndexDamaged": "索引没有通过检查，暂时不能回答。请运行 rag doctor 查看，再用 rag rollback 或 rag index 修复。",
        "IndexMismatch": "索引是用另一种设置建成的，暂时不能回答。请用 rag index 重建。",
        "NothingIndexed": "还没有可以检索的报告。请先运行 rag index 文件…",
        "IndexBusy": "索引正在更新，请稍后再问一次。",
        "EncoderError": "编码模型无法使用。请运行 rag doctor 查看原因。",
        "LLMError": "语言模型没有给出可用的回答，请稍后重试。",
        "RagError": "这次没有答成：{detail}",
        "unexpected": "这次没有答成，出了意料之外的问题。请再试一次；详情已记入日志。",
    },
    "en": {
        "tagline": "Answers only from your reports, every sentence traceable",
        "new": "New chat",
        "export": "Export",
        "other_language": "中文",
        "theme": "Theme",
        "sources": "Sources",
        "reports": "Reports",
        "reports_chosen": "Reports · {chosen}/{total}",
        "ask": "Ask about the reports…",
        "ask_chosen": "Ask within the {chosen} chosen reports…",
        "hint": "`Enter` sends   `Shift+Enter` new line   `/` back to the box   `Alt+↓` `Alt+↑` step through citations",
        "welcome": "## What would you like to know?\n{total} reports are indexed. "
        "Every sentence carries a citation: click its number to see the exact passage.",
        "choose": "Search only in these (none chosen = all)",
        "no_reports": "No report is indexed yet. Run `rag index FILE…` on the command line, then reload this page.",
        "searching": "Searching the reports",
        "searched_as": "Searched as: ",
        "edit_query": "Edit it in the question box",
        "not_found": "Not found in the reports",
        "not_found_help": "Try other words, be more specific, or widen the choice of reports.",
        "nearest": "The nearest passages are listed under Sources; none was used.",
        "unused": "Not used",
        "unused_help": "These passages came closest to the question but do not answer it, so none was used.",
        "unused_none": "No passage came close.",
        "stopped": "Stopped",
        "supported": "Checked: the cited passage supports this sentence",
        "partial": "Partly supported",
        "unsupported": "Not supported by its source",
        "uncited": "No citation",
        "extractive": "Quoted from the reports",
        "llm": "Written by {model}, each sentence checked",
        "page": "p. {page}",
        "relevance": "Relevance",
        "no_sources": "No citations yet",
        "no_sources_help": "Ask a question: the passages behind the answer appear here, with the words that support each sentence marked.",
        "previous": "Previous citation",
        "next": "Next citation",
        "question": "Q",
        "answer": "A",
        "zh": "Chinese",
        "en": "English",
        "too_long": "The question is too long ({detail} characters). Please shorten it.",
        "busy": "The last question is still being answered. Wait for it, or stop it first.",
        "UsageError": "This question cannot be handled: {detail}",
        "IndexDamaged": "The index failed a check and cannot answer now. Run rag doctor, then rag rollback or rag index.",
        "IndexMismatch": "The index was made with other settings and cannot answer now. Rebuild it with rag index.",
        "NothingIndexed": "There is no report to search yet. Run rag index FILE… first.",
        "IndexBusy": "The index is being updated; please ask again in a moment.",
        "EncoderError": "The encoder cannot be used. Run rag doctor to see why.",
        "LLMError": "The language model gave no usable answer; please try again later.",
        "RagError": "No answer this time: {detail}",
        "unexpected": "No answer this time: something unexpected went wrong. Please try again; the details are in the log.",
    },
}


def say(language: str, key: str, **fields: object) -> str:
    """One phrase in one language.

    >>> say("en", "page", page=7)
    'p. 7'
    """
    return STRINGS[language][key].format(**fields)


def complaint(error: Exception) -> str:
    """The key of the friendly line for an error. Only the general kinds quote its own words (`detail`), which name values, not secrets.

    >>> complaint(KeyError("x"))
    'unexpected'
    """
    return next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in STRINGS["zh"]), "unexpected")


def preferred(accept_language: str) -> str:
    """The page's language for a browser's Accept-Language header: whichever of zh and en it ranks first, else zh.

    >>> preferred("de, en-GB;q=0.8, zh;q=0.5")
    'en'
    """
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language.split(",")):
        tag, _, weight = part.partition(";q=")
        language = tag.strip().lower().split("-")[0]
        if language in LANGUAGES:
            try:
                ranked.append((-float(weight or 1), place, language))
            except ValueError:
                continue
    return min(ranked)[2] if ranked else "zh"
