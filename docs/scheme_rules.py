"""`docs/scheme-rules.md`: what schemes are held to, who says so and where it is checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kpi_research.appraisal.lint import rules
from kpi_research.appraisal.rules import Rule

HEAD = """\
<!-- Written by docs/check.py --write from kpi_research/appraisal/rules_*.py and text/schemes.toml. -->

# Rules for schemes · 考核方案的规则

`kpi-research check` holds a client's scheme to these rules and says what was found, what is allowed and what would
mend it; `lint_client` in `kpi_research/run/schemes.py` gives the same as a table. An *error* makes a score wrong or
impossible, a *warning* departs from what an article recommends (with `strict` it counts as an error), a *note* is worth
knowing. A rule whose input is missing is `not_checked` and says which; it never passes in silence. What weights can
mend is mended by one proposal: of all weights in steps of 5 points those that keep every rule on weights and move the
fewest points; where there are none, the rules that cannot be kept together are named (`appraisal/mend.py`).

`kpi-research check` 用这些规则检查客户的考核方案,说明哪里不符、允许多少、怎样改。错误会使分数不对或算不出;\
警告是与文章建议不符(strict 时算错误);提示供参考。缺少资料的规则标为未检查,并说明缺什么,不会默认通过。\
权重能解决的,只给一组建议:以 5 分为一档,在同时符合所有权重规则的分法里取挪动最少的;\
没有这样的分法时,说明哪些规则不能同时做到。

Where the articles contradict each other: the sentence on a phase (expansion, special, mature) goes before the tables;
the table of two kinds is for schemes of results and process, the table of four for those with customer value or digital
KPIs; a band that a third article names is a note only. A KPI is of the kind that the catalogue says unless the scheme
says another (`kind`). The schemes that come with the package, and what the rules say of the articles' own
examples, are in [templates.md](templates.md).

Each rule is tested by `tests/test_schemes_rules.py`: one scheme that keeps it and at least one that does not."""


def scheme_rules() -> str:
    """The page."""
    head = ("rule", "asks · 要求", "breach", "source · 来源", "checked in", "test")
    return f"{HEAD}\n\n{table(head, (_rule(rule) for rule in rules().values()))}\n"


def _rule(rule: Rule) -> Sequence[str]:
    file, function = rule.check.__module__.rsplit(".", 1)[-1], rule.check.__qualname__.split(".")[0]
    what, source = (f"{text('zh')}<br>{text('en')}" for text in (rule.what, rule.source))
    return rule.id, what, rule.severity, source, f"`{file}.{function}`", f"`-k {rule.id}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
