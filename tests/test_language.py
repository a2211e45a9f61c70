"""Every sentence exists in both languages with the same placeholders, and every key that the code asks for exists."""

import ast
import re
from pathlib import Path

import pytest

from kpi_research.language import Bilingual, catalogue, placeholders, say

PACKAGE = Path(__file__).parents[1] / "kpi_research"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
DATA = ("kpis/", "sources/simulation/", "crm/typing.py", "report/axes.py", "report/drawing.py", "report/format.py")
"""Where Chinese is data: KPI labels, names of made-up people, marks of yes and no, characters to be measured."""


@pytest.mark.parametrize("key", sorted(catalogue()))
def test_both_languages_take_the_same_placeholders(key):
    both = catalogue()[key]
    assert placeholders(both.zh) == placeholders(both.en)
    words = re.sub(r"\{[^}]*\}", "", both.zh)
    assert CHINESE.search(words) or not re.search(r"[A-Za-z]{3}", words), "the Chinese sentence is not Chinese"
    assert not CHINESE.search(both.en)


def keys_in_code() -> dict[str, str]:
    """Sentence keys written out in the source, by the file they stand in."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                (
                    isinstance(node, ast.Call)
                    and getattr(node.func, "id", "") in ("say", "Problem", "sentence")
                    and node.args
                )
                and isinstance(node.args[0], ast.Constant)
                and isinstance(node.args[0].value, str)
            ):
                found[node.args[0].value] = path.name
    return found


def test_every_key_in_the_code_has_a_sentence():
    missing = {key: file for key, file in keys_in_code().items() if key not in catalogue()}
    assert len(keys_in_code()) > 100
    assert missing == {}


def prefixes_in_code() -> set[str]:
    """Beginnings of keys that are completed at run time: `say(f"status.{name}")`."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    templates = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.j2"))
    return set(re.findall(r'f["\']([a-z_]+\.[a-zA-Z_.]*)\{', source)) | set(
        re.findall(r"[\"']([a-z_]+\.[a-z_.]*)[\"']\s*[~+|]", templates)
    )


def test_no_sentence_is_left_over():
    source = "\n".join(
        path.read_text(encoding="utf-8") for suffix in ("*.py", "*.j2") for path in PACKAGE.rglob(suffix)
    )
    begun = tuple(prefixes_in_code())
    unused = [
        key
        for key in catalogue()
        if f'"{key}"' not in source and f"'{key}'" not in source and not key.startswith(begun)
    ]
    assert unused == []


def test_chinese_stands_in_the_catalogue_only():
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).as_posix()
        if place.startswith(DATA) or place in ("errors.py",):
            continue
        strings = [
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CHINESE.search(node.value)
        ]
        docstrings = [text for text in strings if "\n" in text or text.endswith(".")]
        assert set(strings) - set(docstrings) == set(), place


def test_braces_in_a_value_are_text():
    assert "{kpi} {0.__class__}" in say("kpi.unknown", "en", kpi="{kpi} {0.__class__}")


def test_a_missing_language_is_refused():
    with pytest.raises(ValueError, match="both languages"):
        Bilingual("有", " ")
