"""Makes `proper_names.txt`: Chinese names that a dictionary writes with a capital, `python -m train.proper_names --data FOLDER`.

CC-CEDICT (CC BY-SA 4.0) gives names of places, peoples, companies and persons a capital in their pinyin. Small places are left out: they are many
and their two characters often meet by chance across the border of two words.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from rag.config import PACKAGE

OUTPUT = PACKAGE / "model" / "proper_names.txt"
COMPANIES = (
    "阿里云 阿里巴巴 蚂蚁集团 腾讯云 百度 百度云 字节跳动 抖音 快手 美团 拼多多 京东 滴滴 网易 新浪 搜狐 携程 小米 华为 荣耀 中兴 联想 浪潮 曙光 海康威视 大疆 科大讯飞 商汤 旷视 "
    "寒武纪 地平线 壁仞 摩尔线程 燧原 海光 龙芯 飞腾 兆芯 中芯国际 长江存储 长鑫存储 紫光 韦尔 比亚迪 宁德时代 蔚来 小鹏 理想汽车 吉利 长城汽车 特斯拉 丰田 本田 大众汽车 宝马 奔驰 福特 通用汽车 "
    "顺丰 中国移动 中国电信 中国联通 国家电网 南方电网 中石油 中石化 工商银行 建设银行 招商银行 平安 商飞 谷歌 微软 亚马逊 脸书 英特尔 英伟达 高通 博通 美光 三星 海力士 台积电 联发科 联电 格罗方德 "
    "安谋 赛灵思 铠侠 西部数据 希捷 甲骨文 思科 戴尔 惠普 国际商业机器 赛富时 索尼 松下 东芝 富士通 日立 西门子 博世 爱立信 诺基亚 飞利浦 阿斯麦 应用材料 德勤 普华永道 毕马威 安永 埃森哲 麦肯锡 "
    "波士顿咨询 贝恩 高盛 摩根士丹利 摩根大通 彭博 路透 高德纳 波音 空客 洛克希德 通用电气 霍尼韦尔 辉瑞 罗氏 诺华 阿斯利康 强生 沃尔玛 星巴克 麦当劳 奈飞 迪士尼 优步 爱彼迎 星链 智谱 月之暗面 "
    "百川智能 零一万物 深度求索 稀宇科技 阶跃星辰 通义千问 文心一言 盘古 混元 豆包"
).split()
"""Companies and what they make that news calls by these names and the dictionary lacks or also has as a common word."""
_ENTRY = re.compile(r"(\S+) (\S+) \[([^\]]+)\] /(.*)/")
_SMALL = re.compile(
    r"county|township|district|level city|village|\btown\b|surname|street|commune|banner|also written|language|script|dollar|currency|Internet|dynasty|emperor|"
    r"reign|era name|variant of|courtesy name|\bchapter\b|star\b|constellation|stem|\bnovel|opera|Book of|Buddhis|Daois|Taois|prefecture|revolution",
    re.IGNORECASE,
)


def names(lines: Iterable[str]) -> Iterator[str]:
    """Headwords in simplified characters, two to eight Han characters, that occur with a capital only."""
    glosses: dict[str, str] = {}
    common: set[str] = set()
    for line in lines:
        match = _ENTRY.match(line)
        if not match or not re.fullmatch(r"[\u4e00-\u9fff]{2,8}", match[2]):
            continue
        if match[3][0].isupper():
            glosses[match[2]] = glosses.get(match[2], "") + match[4]
        else:
            common.add(match[2])
    known = {name for name, gloss in glosses.items() if name not in common and not _SMALL.search(gloss)}
    yield from sorted(known.union(COMPANIES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cedict/cedict_ts_utf8.txt.gz")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    with gzip.open(options.data / "cedict" / "cedict_ts_utf8.txt.gz", "rt", encoding="utf-8") as dictionary:
        found = list(names(dictionary))
    header = "# Proper names out of CC-CEDICT, CC BY-SA 4.0, https://www.mdbg.net/chinese/dictionary?page=cedict"
    options.output.write_text("\n".join([header, *found]) + "\n", encoding="utf-8")
    print(f"{len(found)} names: {options.output}")


if __name__ == "__main__":
    main()
