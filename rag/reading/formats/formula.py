"""Formulas of Word (OMML) and of web pages (MathML) as text on one line: P=(ρgQh)/1000, √(x), x², ∑_(i=1)^n i."""

from __future__ import annotations

import re
from collections.abc import Callable

from lxml import etree

from rag.reading.inline import raised, subscript

_DEEPEST = 60


def linear_formula(node: etree._Element, depth: int = 0) -> str:
    """The text of a formula, whichever of the two languages it is written in.

    >>> linear_formula(etree.fromstring("<math><mfrac><mi>a</mi><mrow><mi>b</mi><mo>+</mo><mn>1</mn></mrow></mfrac></math>"))
    'a/(b+1)'
    """
    if not isinstance(node.tag, str) or depth > _DEEPEST:
        return "" if depth <= _DEEPEST else "".join(node.itertext())
    name = etree.QName(node).localname
    if name in ("annotation", "annotation-xml", "ctrlPr", "rPr", "del"):
        return ""
    if name in ("t", "mi", "mn", "mo", "mtext", "ms"):
        return " ".join("".join(node.itertext()).split()) if name != "t" else node.text or ""
    if name in _FORMS:
        return _FORMS[name](node, depth + 1)
    return "".join(linear_formula(child, depth + 1) for child in node)


def _part(node: etree._Element, name: str, depth: int) -> str:
    """The named part of an OMML object."""
    return "".join(linear_formula(child, depth) for child in node if isinstance(child.tag, str) and etree.QName(child).localname == name)


def _parts(node: etree._Element, depth: int) -> list[str]:
    return [linear_formula(child, depth) for child in node if isinstance(child.tag, str)]


def _value(node: etree._Element, name: str) -> str | None:
    """A property of an OMML object, such as the sign of a sum."""
    for found in node.iter(f"{{*}}{name}"):
        return next((value for key, value in found.attrib.items() if etree.QName(key).localname == "val"), "")
    return None


def _grouped(text: str) -> str:
    return text if re.fullmatch(r"[\w.]*|\(.*\)", text) else f"({text})"


def _power(base: str, exponent: str) -> str:
    if re.fullmatch(r"[\d+−n-]{1,5}", exponent):
        return f"{base}{raised(exponent)}"
    return f"{base}^{_grouped(exponent)}" if exponent else base


def _index(base: str, index: str) -> str:
    if subscript(index) != index:
        return f"{base}{subscript(index)}"
    return f"{base}_{_grouped(index)}" if index else base


def _fraction(above: str, below: str) -> str:
    return f"{_grouped(above)}/{_grouped(below)}"


def _root(degree: str, inside: str) -> str:
    return f"{raised(degree)}√({inside})" if degree not in ("", "2") else f"√({inside})"


def _delimited(node: etree._Element, depth: int) -> str:
    opening, closing, parting = (_value(node, name) for name in ("begChr", "endChr", "sepChr"))
    inner = [linear_formula(child, depth) for child in node if isinstance(child.tag, str) and etree.QName(child).localname == "e"]
    return f"{'(' if opening is None else opening}{(parting or '|').join(inner)}{')' if closing is None else closing}"


def _sum(node: etree._Element, depth: int) -> str:
    sign = _value(node, "chr")
    return (
        _power(_index("∫" if sign is None else sign, _part(node, "sub", depth)), _part(node, "sup", depth)) + " " + _part(node, "e", depth)
    )


def _rows(node: etree._Element, depth: int) -> str:
    rows = [child for child in node if isinstance(child.tag, str) and etree.QName(child).localname in ("mr", "mtr", "mlabeledtr")]
    return "[" + "; ".join(", ".join(_parts(row, depth)) for row in rows) + "]"


def _of_parts(count: int, form: Callable[..., str]) -> Callable[[etree._Element, int], str]:
    """A MathML element whose children are so many parts; with other children they stand side by side."""

    def told(node: etree._Element, depth: int) -> str:
        parts = _parts(node, depth)
        return form(*parts) if len(parts) == count else "".join(parts)

    return told


_FORMS: dict[str, Callable[[etree._Element, int], str]] = {
    "f": lambda node, depth: _fraction(_part(node, "num", depth), _part(node, "den", depth)),
    "sSup": lambda node, depth: _power(_part(node, "e", depth), _part(node, "sup", depth)),
    "sSub": lambda node, depth: _index(_part(node, "e", depth), _part(node, "sub", depth)),
    "sSubSup": lambda node, depth: _power(_index(_part(node, "e", depth), _part(node, "sub", depth)), _part(node, "sup", depth)),
    "rad": lambda node, depth: _root(_part(node, "deg", depth), _part(node, "e", depth)),
    "d": _delimited,
    "nary": _sum,
    "m": _rows,
    "func": lambda node, depth: f"{_part(node, 'fName', depth)} {_part(node, 'e', depth)}",
    "eqArr": lambda node, depth: "; ".join(_parts(node, depth)),
    "limLow": lambda node, depth: _index(_part(node, "e", depth), _part(node, "lim", depth)),
    "limUpp": lambda node, depth: _power(_part(node, "e", depth), _part(node, "lim", depth)),
    "mfrac": _of_parts(2, _fraction),
    "msup": _of_parts(2, _power),
    "mover": _of_parts(2, lambda base, over: base + over if len(over) == 1 else _power(base, over)),
    "msub": _of_parts(2, _index),
    "munder": _of_parts(2, _index),
    "msubsup": _of_parts(3, lambda base, below, above: _power(_index(base, below), above)),
    "munderover": _of_parts(3, lambda base, below, above: _power(_index(base, below), above) + " "),
    "msqrt": lambda node, depth: _root("", "".join(_parts(node, depth))),
    "mroot": _of_parts(2, lambda inside, degree: _root(degree, inside)),
    "mfenced": lambda node, depth: f"{node.get('open', '(')}{', '.join(_parts(node, depth))}{node.get('close', ')')}",
    "mtable": _rows,
}
