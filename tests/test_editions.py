"""One report in two languages, known by what it says: figures in order and names, not ids."""

from rag.search.editions import told_twice
from rag.types import Document

CITIES = (
    "Turin",
    "Oslo",
    "Porto",
    "Gdansk",
    "Malmo",
    "Leeds",
    "Ghent",
    "Split",
    "Basel",
    "Tartu",
    "Turku",
    "Lyon",
    "Kyiv",
    "Riga",
    "Bergen",
    "Graz",
)


def report(name: str, language: str, figures: range, cities: tuple[str, ...] = CITIES) -> Document:
    line = "{} 的电站在 {} 年的装机容量达到了 {} MW。\n" if language == "zh" else "The plant at {} reached a capacity of {} in {} MW.\n"
    values = [(1990 + number, 137 * number % 900 + 100) for number in figures]
    text = "".join(line.format(city, *value) for city, value in zip(cities, values, strict=False))
    return Document(name, name, text, (), "", "", language=language)


def test_a_translation_is_known_by_figures_in_their_order_and_by_names():
    chinese, english = report("bees", "zh", range(1, 17)), report("winds", "en", range(1, 17))
    assert told_twice([chinese, english], "en") == {"winds"} and told_twice([chinese, english], "zh") == {"bees"}
    assert told_twice([english], "en") == told_twice([report("bees", "en", range(1, 17)), english], "en") == frozenset()


def test_ids_alone_make_no_edition():
    chinese = report("tides.zh", "zh", range(1, 17))
    assert told_twice([chinese, report("tides.en", "en", range(40, 56))], "en") == frozenset()
    assert told_twice([chinese, report("tides.en", "en", range(16, 0, -1))], "en") == frozenset()
    assert told_twice([chinese, report("tides.en", "en", range(1, 17), tuple(f"City{n}" for n in range(16)))], "en") == frozenset()


def test_where_there_are_few_figures_nearly_all_names_must_be_there():
    chinese = Document("a", "a", " 和 ".join(CITIES) + " 都在名单上。", (), "", "", language="zh")
    english = Document("b", "b", "The list holds " + ", ".join(CITIES) + " and nobody else.", (), "", "", language="en")
    other = Document("c", "c", "The list holds " + ", ".join(CITIES[:10]) + " and, as we hear, nobody else.", (), "", "", language="en")
    assert told_twice([chinese, english, other], "en") == {"b"}


def test_texts_with_nothing_to_go_by_are_no_editions():
    empty, short = Document("a", "a", "", (), "", "", language="zh"), Document("b", "b", "A word.", (), "", "", language="en")
    assert told_twice([empty, short], "en") == frozenset() == told_twice([], "zh")
