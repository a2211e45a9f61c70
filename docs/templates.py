"""`docs/templates.md`: every template of the articles with its scheme and test, and what the rules say of examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scheme_rules import table

from kpi_research.appraisal.lint import Remark, lint, rules
from kpi_research.appraisal.rules import Checked, percent
from kpi_research.appraisal.scheme import Scheme, template_names
from kpi_research.kpis.catalogue import catalogue
from kpi_research.run.settings import read_scheme

NUMBERS = tuple(f"T{number:02d}" for number in range(1, 23))
"""The templates that the articles name."""

EXAMPLES = {
    "saas_2025": "35/15/20/10/10/10",
    "short_and_long_term": "50/20/15/15",
    "performance_and_growth": "50/20/15/15 (70/30)",
    "individual_and_team": "70/20/10",
    "goal_and_execution": "60/40",
}
"""Schemes that an article works out with weights, as printed there."""

SAID = ("error", "warning", "note")
TEST = "`tests/test_schemes_templates.py -k {}`"
HEAD = """\
<!-- Written by docs/check.py --write from kpi_research/appraisal/templates/ and the rules for schemes. -->

# Templates · 方案模板

Every template that the articles name has a scheme that a client file can take by its name (`scheme: b2b`); T21 is no
scheme but a table of which kind fits which business, and is a rule. Which weights an article gives and which were
added stands with each; none has somebody in charge of its figures (S27), which only the client can say. The rules are
in [scheme-rules.md](scheme-rules.md).

文章提到的每个模板都有一个方案,客户文件里写名字就能用(`scheme: b2b`)。T21 不是方案,而是“哪类指标适合哪类生意”的表,\
做成了规则。哪些权重是文章给的、哪些是补的,各行写明;谁负责数据(S27)只有客户知道,所以都没有写。"""

WORKED = """\
## Worked examples of the articles · 文章里算好的例子

Each stands as it was printed, even where it does not keep the rules that the articles themselves give.

各例按原文写,即使与文章自己的规则不符也不改。"""


def templates() -> str:
    """The page: the templates by number, the worked examples with what the rules say, then all schemes.

    Raises
    ------
    ValueError
        If a number has neither scheme nor rule.
    """
    head = ("number", "scheme", "for · 适用", "weights · 权重", "not kept · 不符", "where from · 出处", "test")
    rows = [row for number in NUMBERS for row in _of_number(number)]
    examples = ("printed", "scheme", "weights · 权重", "what the rules say · 检查结果", "test")
    return "\n\n".join(
        [
            HEAD,
            table(head, rows),
            WORKED,
            table(examples, [_example(name, printed) for name, printed in EXAMPLES.items()]),
        ]
    ) + "\n"  # fmt: skip


def _of_number(number: str) -> Iterator[Sequence[str]]:
    """A row for each scheme of a number; one for its rule where it has no scheme."""
    schemes = [scheme for scheme in map(_read, template_names()) if scheme.template == number]
    for scheme in schemes:
        label = f"{scheme.label.zh} · {scheme.label.en} ({scheme.phase}, {scheme.cycle})"
        broken = sorted({each.rule.id for each in _said(scheme) if each.severity != "note"})
        where = scheme.source.removeprefix(f"{number}, ")
        yield number, f"`{scheme.name}`", label, _weights(scheme), ", ".join(broken), where, TEST.format(scheme.name)
    if not schemes:
        if number not in rules():
            raise ValueError(f"template {number} of the articles has neither scheme nor rule")
        rule = rules()[number]
        what, source = (f"{text('zh')}<br>{text('en')}" for text in (rule.what, rule.source))
        yield number, "a rule", what, "–", "–", source, f"`tests/test_schemes_rules.py -k {number}`"


def _example(name: str, printed: str) -> Sequence[str]:
    scheme = _read(name)
    said = "<br>".join(f"{each.rule.id} {each.severity}: {each.text('en')}" for each in _said(scheme))
    return printed, f"`{name}`", _weights(scheme), said, TEST.format(name)


def _said(scheme: Scheme) -> list[Remark]:
    """What the rules say of a scheme by itself, without a client's data."""
    return [each for each in lint(Checked(scheme, catalogue())) if each.severity in SAID]


def _weights(scheme: Scheme) -> str:
    return ", ".join(f"{item.kpi} {percent(item.weight)}" for item in scheme.weighted)


def _read(name: str) -> Scheme:
    scheme = read_scheme(name)
    if scheme is None:
        raise ValueError(f"{name} is no template")
    return scheme
