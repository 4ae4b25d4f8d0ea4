"""What can go wrong at an endpoint, by name, told in both languages together with the setting that helps.

No message holds a key or the endpoint's own words, which may quote one.
"""

from __future__ import annotations

from typing import Any, Literal

from rag.errors import LLMError

Language = Literal["zh", "en"]

_TOLD = {
    "zh": "语言模型这次没有用上（{why}），以下是报告原文摘句。",
    "en": "The language model could not be used ({why}); these are sentences quoted from the reports.",
}
_WHY: dict[str, dict[Language, str]] = {
    "unreachable": {"zh": "连不上 {host}", "en": "{host} cannot be reached"},
    "forbidden": {"zh": "{host} 是不会去访问的地址", "en": "{host} is an address that is never asked"},
    "key": {
        "zh": "{host} 不接受密钥，状态 {status}，见 llm_api_key",
        "en": "{host} does not accept the key, status {status}, see llm_api_key",
    },
    "missing": {
        "zh": "{host} 上没有模型 {model} 或地址不对，状态 404，见 llm_model 和 llm_base_url",
        "en": "{host} has no model {model} or no such path, status 404, see llm_model and llm_base_url",
    },
    "busy": {"zh": "{host} 请求过多，状态 429", "en": "{host} has too many requests, status 429"},
    "refused": {"zh": "{host} 拒绝了请求，状态 {status}", "en": "{host} refused the request, status {status}"},
    "moved": {"zh": "{host} 转向别处，没有跟随", "en": "{host} redirects elsewhere, which is not followed"},
    "broken": {"zh": "{host} 出错，状态 {status}", "en": "{host} failed, status {status}"},
    "failed": {"zh": "{host} 在回答中途报错", "en": "{host} reported an error in the middle of the answer"},
    "slow": {
        "zh": "{host} 超过 {seconds:g} 秒没有{what}，可调大 llm_timeout",
        "en": "{host} {what} within {seconds:g} s, raise llm_timeout",
    },
    "cut": {"zh": "{host} 的回答中途断开", "en": "the answer of {host} broke off"},
    "garbage": {"zh": "{host} 发来的不是回答", "en": "{host} sent something that is not an answer"},
    "silent": {"zh": "{host} 没有写出任何文字", "en": "{host} wrote no text"},
    "thought": {"zh": "{host} 一直在思考，到长度上限也没有写出任何文字", "en": "{host} thought up to its limit and wrote no text"},
    "endless": {"zh": "{host} 的回答没完没了", "en": "the answer of {host} did not end"},
    "context": {
        "zh": "{host} 的上下文放不下这些段落，可调整 llm_context",
        "en": "the passages do not fit the context of {host}, see llm_context",
    },
    "filtered": {"zh": "{host} 不肯回答", "en": "{host} declined to answer"},
}
_SLOW = {
    "connect": {"zh": "接通", "en": "did not take the call"},
    "first": {"zh": "开始回答", "en": "did not begin"},
    "gap": {"zh": "接着写", "en": "did not go on"},
    "total": {"zh": "写完", "en": "did not finish"},
}


class Failure(LLMError):
    """A fault of the endpoint by its name, which can be told in both languages."""

    def __init__(self, name: str, **details: Any):
        self.name, self.details = name, details
        super().__init__(self.told("en"))

    def told(self, language: str) -> str:
        """Why, in a few words."""
        language: Language = "zh" if language == "zh" else "en"
        details = dict(self.details)
        if "what" in details:
            details["what"] = _SLOW[details["what"]][language]
        return _WHY[self.name][language].format(**details)


def told(failure: Failure, language: str) -> str:
    """The one plain line on why there is no prose.

    >>> told(Failure("cut", host="localhost:8000"), "en")
    'The language model could not be used (the answer of localhost:8000 broke off); these are sentences quoted from the reports.'
    """
    return _TOLD["zh" if language == "zh" else "en"].format(why=failure.told(language))
