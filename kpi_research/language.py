"""Every sentence a user reads, in Chinese and in English, looked up by key in `kpi_research/text/*.toml`.

A sentence is `[group.key]` with `zh` and `en`; its placeholders are `{names}`, filled with values that are already
formatted. Nothing is escaped here: whoever writes HTML, a file name or a cell escapes at that border.
"""

from __future__ import annotations

import functools
import string
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
TEXT_FOLDER = Path(__file__).parent / "text"


@dataclass(frozen=True)
class Bilingual:
    """A name or a sentence in both languages.

    Raises
    ------
    ValueError
        If one of the two is empty.
    """

    zh: str
    en: str

    def __post_init__(self) -> None:
        if not self.zh.strip() or not self.en.strip():
            raise ValueError(f"both languages are needed, got zh={self.zh!r}, en={self.en!r}")

    def __getitem__(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


def say(key: str, language: Language, /, **values: Any) -> str:
    """The sentence `key` in `language`, with its placeholders filled.

    Raises
    ------
    KeyError
        If there is no such sentence, or a placeholder has no value.
    """
    return sentence(key)[language].format(**values)


def sentence(key: str) -> Bilingual:
    """The sentence `key` in both languages, placeholders unfilled."""
    try:
        return catalogue()[key]
    except KeyError:
        raise KeyError(f"no sentence {key!r} in {TEXT_FOLDER.name}/*.toml") from None


@functools.cache
def catalogue() -> dict[str, Bilingual]:
    """All sentences by key.

    Raises
    ------
    ValueError
        If a key stands twice, or a sentence lacks a language.
    """
    found: dict[str, Bilingual] = {}
    for path in sorted(TEXT_FOLDER.glob("*.toml")):
        for key, entry in _sentences(tomllib.loads(path.read_text(encoding="utf-8"))):
            if key in found:
                raise ValueError(f"{path.name}: the sentence {key!r} stands in two files")
            found[key] = Bilingual(entry.get("zh", ""), entry.get("en", ""))
    return found


def placeholders(text: str) -> set[str]:
    """The names of a sentence's placeholders."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def _sentences(node: dict[str, Any], prefix: str = "") -> list[tuple[str, dict[str, str]]]:
    if all(isinstance(value, str) for value in node.values()):
        return [(prefix, node)]
    return [found for key, child in node.items() for found in _sentences(child, f"{prefix}.{key}" if prefix else key)]
