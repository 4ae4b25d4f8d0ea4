"""What is said of the tool itself and in small talk: short texts of our own, in both languages, and questions that can be asked.

Which text answers a question about the tool is told by the nearest of a few examples, since more would need a model for what few ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rag.answer.material import Asked, Material, offered
from rag.answer.overview import with_questions
from rag.index.encoder import BuiltinEncoder
from rag.types import Answer, Claim

NEAR = 0.5
"""Cosine below which no example is near enough."""


@dataclass(frozen=True, slots=True)
class Told:
    """A text of our own, with questions that it answers."""

    zh: str
    en: str
    examples: tuple[str, ...] = ()


TOOL: Mapping[str, Told] = {
    "what": Told(
        "我是有据（Provenote），依据这里收录的报告回答问题：查事实和数字、概括一份报告或一章、列要点、比较几份报告。每句话都标出处，点编号就能看到原文。",
        "I am Provenote. I answer questions from the reports that are loaded here: facts and figures, what a report or a chapter says, key "
        "takeaways, comparisons. Every sentence carries a citation; click its number to see the passage.",
        ("你是谁", "你能做什么", "你有什么功能", "怎么用", "你叫什么名字", "这是什么工具", "who are you", "what can you do", "how does this work", "what are you for", "help"),
    ),
    "files": Told(
        "可以。在“报告”里把文件拖进去就行，一次最多 20 个：PDF、Word、PowerPoint、Excel、网页、Markdown、电子书和纯文本都能读。几秒之后就能提问；读不了的文件会说明原因。",
        "Yes. Drop files under Reports, up to 20 at once: PDF, Word, PowerPoint, Excel, web pages, Markdown, e-books and plain text. They can be "
        "asked about seconds later; a file that cannot be read is named with the reason.",
        ("可以上传PDF吗", "支持什么格式", "怎么添加文件", "能读word吗", "一次可以传几个文件", "上传按钮在哪里", "can I upload a PDF", "which file formats are supported", "how do I add my own report", "can I upload several files at once", "where is the upload button"),
    ),
    "scans": Told(
        "扫描件要先做文字识别：装好 tesseract，再用 `rag index --ocr` 建索引，页面图像里的文字就能读了。没有文字也没有识别的页面会被标出来。",
        "Scans need text recognition: install tesseract and index with `rag index --ocr`, and the words in page images are read. Pages without "
        "text are named.",
        ("扫描版能读吗", "支持OCR吗", "图片里的文字能识别吗", "can you read scanned PDFs", "do you support OCR", "can you read text in images"),
    ),
    "ai": Told(
        "不联网也不需要密钥：检索和挑选句子用的是随附的小模型，回答是报告原文的摘录。如果配置了大语言模型，可以让它来写，写出的每句话仍会逐句核对。",
        "Nothing goes online and no key is needed: small models that come with the tool find and choose sentences, and answers quote the "
        "reports. Where a language model is configured it may write instead, and each of its sentences is checked.",
        ("你用了AI吗", "你是不是ChatGPT", "背后是什么模型", "用的是大模型吗", "do you use AI", "are you ChatGPT", "which model are you", "are you a bot or a human", "is this GPT"),
    ),
    "private": Told(
        "所有内容都留在这台机器上：报告、索引和对话都存在本地文件夹里，运行时不向外发送任何东西。只有你自己配置了外部的语言模型，问题和找到的段落才会发给它。",
        "Everything stays on this machine: reports, index and conversations lie in local folders, and nothing is sent out. Only if you configure "
        "an outside language model does it get your question and the passages found.",
        ("我的数据安全吗", "文件会上传到网上吗", "会不会泄露", "数据存在哪里", "is my data private", "where are my files stored", "do you send my data anywhere", "who can see my reports"),
    ),
    "errors": Told(
        "会出错，所以每句话都能核对：引用逐字来自原文，点编号就能看到它在报告里的位置。报告里没有的内容我会直说没有找到。重要的结论请看一眼原文。",
        "I can be wrong, which is why every sentence can be checked: quotes are word for word, and a click shows where they stand. What the "
        "reports do not say I say I did not find. For what matters, look at the passage.",
        ("你会出错吗", "你的回答可靠吗", "可以相信你吗", "准确率多少", "引用是什么意思", "can you make mistakes", "how accurate are you", "can I trust you", "what do the numbers in brackets mean"),
    ),
    "languages": Told(
        "中文和英文都可以，提问和报告的语言可以不同；回答按原文引用。没有配置语言模型时不做整篇翻译，但报告有两种语言的版本时可以对照着看。",
        "Chinese and English, and the question may be in another language than the report; answers quote the original. Without a language model "
        "whole reports are not translated, but where a report is there in both languages you can see the other edition.",
        ("支持哪些语言", "可以用英文问吗", "能翻译整篇报告吗", "which languages do you speak", "can I ask in Chinese", "can you translate the whole report"),
    ),
    "export": Told(
        "可以。页面上方的“导出”会把对话连同出处存成 Markdown；在“对话”里还能存成 JSON 或 BibTeX。单个回答下面有复制按钮。",
        "Yes. Export at the top saves the conversation with its sources as Markdown; under History there are JSON and BibTeX as well. Each answer "
        "has a button to copy it.",
        ("可以导出吗", "怎么保存对话", "能下载答案吗", "怎么复制", "can I export the answers", "how do I save this conversation", "can I download this"),
    ),
    "memory": Told(
        "同一个对话里的前几轮我都记得，可以接着追问；对话保存在本机，在“对话”里可以重新打开、改名或删除。",
        "Within one conversation I go by the turns before, so you can follow up; conversations are kept on this machine and can be reopened, "
        "renamed or deleted under History.",
        ("你记得之前的对话吗", "历史记录在哪里", "怎么删除对话", "do you remember earlier conversations", "where is my history", "how do I delete a conversation"),
    ),
    "knowledge": Told(
        "我只依据这里收录的报告，不上网，也不用报告之外的知识；查不到就说没有找到。",
        "I go only by the reports that are loaded here: no web, no outside knowledge. What they do not say I say I did not find.",
        ("你能上网吗", "你知道今天的新闻吗", "你的知识到什么时候", "答案从哪里来", "can you search the web", "do you know the news", "where do your answers come from", "is your knowledge up to date"),
    ),
}  # fmt: skip

SAID: Mapping[str, Told] = {
    "greeting": Told(
        "你好！这里收录了 {n} 份报告，想知道什么直接问就行。", "Hello! {n} reports are loaded here; ask whatever you would like to know."
    ),
    "thanks_bye": Told("不客气，需要时再来问。", "You are welcome. Come back any time."),
    "complaint_praise": Told(
        "谢谢告诉我。回答不对或不全时，可以换个说法、指明报告或章节再问一次，也可以点回答下面的按钮记下来。",
        "Thank you for telling me. Where an answer is wrong or falls short, ask again in other words or name the report or section; the buttons "
        "below an answer note it.",
    ),
    "meta_instruction": Told(
        "我只依据收录的报告回答问题，没有别的角色，也没有可以更改的隐藏指令。",
        "I only answer questions from the reports that are loaded; there is no other role and no hidden instruction to change.",
    ),
}


def small_talk(material: Material, asked: Asked, kind: str) -> Answer:
    """A friendly line, and three questions that can be asked."""
    return with_questions(material, _said(asked, SAID[kind], n=len(material.reports)), offered(material, asked))


def about_tool(material: Material, asked: Asked) -> Answer:
    """What the tool is and can do."""
    name = nearest(material.words, asked.text, {name: told.examples for name, told in TOOL.items()}) or "what"
    return with_questions(material, _said(asked, TOOL[name]), offered(material, asked))


def line(asked: Asked, zh: str, en: str, mode: Literal["talk", "library"] = "talk") -> Answer:
    """An answer of one line of our own."""
    return Answer(asked.text, asked.text, asked.language, (Claim(zh if asked.language == "zh" else en, verdict="own"),), mode=mode)


def _said(asked: Asked, told: Told, **fields: object) -> Answer:
    return line(asked, told.zh.format(**fields), told.en.format(**fields))


def nearest(words: BuiltinEncoder, text: str, table: Mapping[str, Sequence[str]], least: float = NEAR) -> str:
    """The name whose two nearest examples are nearest to a text by the encoder's vectors; "" where none is near."""
    asked = words.encode([text])[0]
    near = {name: sorted((words.encode(examples) @ asked).tolist())[-2:] for name, examples in table.items()}
    best = max(near, key=lambda name: sum(near[name]))
    return best if near[best][-1] >= least else ""
