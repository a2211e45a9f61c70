"""Holds a scheme to every rule: what is wrong, what is allowed, who says so and what to change."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pandas as pd

from kpi_research.appraisal.rules import SEVERITIES, Checked, Found, Rule, Severity, not_known
from kpi_research.language import Bilingual, Language, say

REMARK_COLUMNS = [
    "rule", "severity", "subject", "sentence_zh", "sentence_en", "mend_zh", "mend_en", "source_zh", "source_en",
]  # fmt: skip


@dataclass(frozen=True)
class Remark:
    """What a rule has to say of a scheme.

    Parameters
    ----------
    severity
        `error` and `warning` are breaches, `note` is worth knowing, `not_checked` says which input was missing.
    """

    rule: Rule
    severity: Severity
    found: Found

    def text(self, language: Language) -> str:
        """What was found, and what is allowed."""
        return say(f"scheme_remark.{self.found.key}.found", language, **self._values(language))

    def mend(self, language: Language) -> str:
        """What to change."""
        return say(f"scheme_remark.{self.found.key}.mend", language, **self._values(language))

    def _values(self, language: Language) -> dict[str, str]:
        values = {"rule": self.rule.id, **self.found.values}
        return {name: value[language] if isinstance(value, Bilingual) else value for name, value in values.items()}


@functools.cache
def rules() -> dict[str, Rule]:
    """Every rule by number.

    Raises
    ------
    ValueError
        If two share a number.
    """
    files = sorted(path.stem for path in Path(__file__).parent.glob("rules_*.py"))
    found = [rule for name in files for rule in import_module(f"{__package__}.{name}").RULES]
    numbers = [rule.id for rule in found]
    if twice := {number for number in numbers if numbers.count(number) > 1}:
        raise ValueError(f"two rules share the number {sorted(twice)}")
    return {rule.id: rule for rule in sorted(found, key=lambda rule: rule.id)}


def lint(checked: Checked, *, strict: bool = False) -> list[Remark]:
    """What all rules that ask anything of such a scheme have to say, gravest first, then what rests on data.

    Parameters
    ----------
    strict
        Warnings count as errors.
    """
    remarks = [remark for rule in rules().values() if rule.applies(checked) for remark in _remarks(rule, checked)]
    if strict:
        remarks = [Remark(r.rule, "error" if r.severity == "warning" else r.severity, r.found) for r in remarks]
    return sorted(remarks, key=lambda r: (SEVERITIES.index(r.severity), not r.rule.from_data, r.rule.id))


def as_frame(remarks: Iterable[Remark]) -> pd.DataFrame:
    """One row a remark, in `REMARK_COLUMNS`."""
    rows = [
        (
            *(remark.rule.id, remark.severity, remark.found.subject),
            *(remark.text("zh"), remark.text("en"), remark.mend("zh"), remark.mend("en")),
            *(remark.rule.source("zh"), remark.rule.source("en")),
        )
        for remark in remarks
    ]
    return pd.DataFrame(rows, columns=REMARK_COLUMNS)


def _remarks(rule: Rule, checked: Checked) -> Iterable[Remark]:
    found = list(not_known(checked, *rule.needs)) or rule.check(checked)
    return [Remark(rule, each.severity or rule.severity, each) for each in found]
