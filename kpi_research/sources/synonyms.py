"""Words that tell what a column or a value means where no preset knows the system: `synonyms.yaml`, checked."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

FILE = Path(__file__).with_name("synonyms.yaml")
BRACKETED = re.compile(r"[(（\[【].*?[)）\]】]")
SPELLINGS_KEPT = 100_000
"""A database has thousands of tables, and all are held against the same words."""
_IGNORED = re.compile(r"[\W_]+")


class TableWords(BaseModel):
    """What a canonical table and its columns are called."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    names: list[str]
    columns: dict[str, list[str]]


class Synonyms(BaseModel):
    """All words; see the comments in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tables: dict[str, TableWords]
    outcomes: dict[str, list[str]]
    stages: list[list[str]]
    kinds: dict[str, list[str]]
    currencies: dict[str, str]
    units: dict[str, float]
    forms: dict[str, str]
    separators: list[str]
    notes: str
    number_in_name: str


@dataclass(frozen=True)
class Named:
    """A header that goes by one of a column's names; `rank` is that name's place among them."""

    header: str
    rank: int


@functools.cache
def synonyms() -> Synonyms:
    """The words of the package."""
    return Synonyms.model_validate(YAML(typ="safe").load(FILE.read_text(encoding="utf-8")))


@functools.lru_cache(maxsize=SPELLINGS_KEPT)
def plain(text: str) -> str:
    """A spelling without case, width, spaces and punctuation: what is left is compared."""
    return _IGNORED.sub("", unicodedata.normalize("NFKC", text)).casefold()


def named(headers: Iterable[str], table: str) -> dict[str, list[Named]]:
    """Which headers go by a name of each column of a table, the best first; those with a remark in brackets last."""
    words = synonyms().tables[table].columns
    headers = list(headers)
    found: dict[str, list[Named]] = {}
    for column, spellings in words.items():
        ranks = {plain(spelling): rank for rank, spelling in enumerate(spellings)}
        hits = [Named(header, ranks[plain(header)]) for header in headers if plain(header) in ranks]
        for header in headers:
            bare = plain(BRACKETED.sub("", unicodedata.normalize("NFKC", header)))
            if plain(header) not in ranks and bare in ranks:
                hits.append(Named(header, len(ranks) + ranks[bare]))
        if hits:
            found[column] = sorted(hits, key=lambda hit: hit.rank)
    return found


@functools.cache
def specific(table: str) -> frozenset[str]:
    """The spellings that only this table has."""

    def spellings(words: TableWords) -> set[str]:
        return {plain(spelling) for known in words.columns.values() for spelling in known}

    tables = synonyms().tables
    others: set[str] = set().union(*(spellings(words) for name, words in tables.items() if name != table))
    return frozenset(spellings(tables[table]) - others)


def hint(name: str, words: Iterable[str]) -> int:
    """Length of the longest of the words that a file, sheet or table name holds; 0 if it holds none."""
    bare = plain(name)
    return max((len(word) for word in map(plain, words) if word and word in bare), default=0)


def outcome_of(value: str) -> str | None:
    """`won`, `lost` or `void` if a value says so."""
    bare = plain(value)
    return next((name for name, words in synonyms().outcomes.items() if bare in map(plain, words)), None)


def kind_of(text: str) -> str | None:
    """The kind of activity that a name or a note speaks of."""
    bare = plain(text)
    return next((kind for kind, words in synonyms().kinds.items() if any(plain(word) in bare for word in words)), None)


def in_order(stages: Iterable[str]) -> list[str] | None:
    """Stages in their usual order, or None unless each of them is known by its name."""
    places: Mapping[str, int] = {plain(word): place for place, words in enumerate(synonyms().stages) for word in words}
    stages = list(stages)
    if any(plain(stage) not in places for stage in stages):
        return None
    return sorted(stages, key=lambda stage: places[plain(stage)])


def factor_of(header: str) -> float | None:
    """The factor that a unit in a header's brackets stands for: `金额(万元)`."""
    remarks = BRACKETED.findall(unicodedata.normalize("NFKC", header))
    units = synonyms().units
    return next((units[bare] for remark in remarks if (bare := remark[1:-1].strip().split(":")[-1]) in units), None)
