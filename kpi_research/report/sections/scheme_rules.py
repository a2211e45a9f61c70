"""What the scheme itself does against the rules for schemes, most important first, and weights that would mend it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import pandas as pd

from kpi_research.appraisal.lint import Remark, lint, rules
from kpi_research.appraisal.mend import STEP, Proposal, in_words, mended_by_weights, proposal
from kpi_research.appraisal.rules import Checked, percent
from kpi_research.appraisal.scheme import Scheme
from kpi_research.crm.tables import TABLES
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.data import PageData
from kpi_research.report.page import Section
from kpi_research.report.words import listed

MOST_SHOWN = 5
COLUMNS = ("found", "mend", "source")
SHARES = ("now", "proposed")


def build(page: PageData) -> Iterator[Block]:
    """What can be checked with what the page holds; nothing where there is no scheme."""
    if page.scheme is not None:
        checked = _checked(page, page.scheme)
        remarks, found = lint(checked), proposal(checked)
        by_weights = [each for each in remarks if mended_by_weights(checked, each)]
        yield block_of(page, remarks, by_weights if found is not None and found.weights else ())
        if found is not None:
            yield _proposed(page, found) if found.weights else _contradiction(page, checked, found)


def block_of(page: PageData, remarks: Sequence[Remark], by_weights: Collection[Remark] = ()) -> Block:
    """The gravest breaches of a scheme's rules; one line where there are none.

    Parameters
    ----------
    remarks
        Gravest first, as `appraisal.lint.lint` gives them.
    by_weights
        Those of them that the weights proposed below mend.
    """
    breaches = [each for each in remarks if each.severity in ("error", "warning")]
    unchecked = len({each.rule.id for each in remarks if each.severity == "not_checked"})
    notes = [say("scheme_rules.unchecked", page.language, count=unchecked)] if unchecked else []
    if len(breaches) > MOST_SHOWN:
        notes.insert(0, say("scheme_rules.more", page.language, count=len(breaches) - MOST_SHOWN))
    return Block(
        "scheme_rules",
        say("scheme_rules.title", page.language),
        text=(say("scheme_rules.lead" if breaches else "scheme_rules.clean", page.language),),
        table=_table(page, breaches[:MOST_SHOWN], by_weights) if breaches else None,
        notes=tuple(notes),
        facts={"rules": [{"rule": each.rule.id, "severity": each.severity} for each in remarks]},
        status="warning" if any(each.severity == "error" for each in breaches) else "ok",
    )


SECTION = Section("scheme_rules", build)


def _checked(page: PageData, scheme: Scheme) -> Checked:
    verdicts = page.study.verdicts
    return Checked(
        scheme,
        page.kpis,
        period=page.period.name,
        day=page.period.start,
        tables=frozenset(TABLES) - set(page.quality.missing),
        letters=dict(zip(verdicts["kpi"], verdicts["code"], strict=True)),
    )


def _table(page: PageData, breaches: Sequence[Remark], by_weights: Collection[Remark]) -> DataTable:
    below = say("scheme_proposal.in_table", page.language)
    rows = [
        (
            each.text(page.language),
            f"{each.mend(page.language)} {below}" if each in by_weights else each.mend(page.language),
            f"{each.rule.id} {each.rule.source(page.language)}",
        )
        for each in breaches
    ]
    columns = tuple(ColumnView(key, say(f"scheme_rules.column.{key}", page.language)) for key in COLUMNS)
    return DataTable(pd.DataFrame(rows, columns=list(COLUMNS)), columns, say("scheme_rules.caption", page.language))


def _proposed(page: PageData, found: Proposal) -> Block:
    """Every KPI with its weight now and as proposed, then the rules that this heals."""
    names = [*found.weights]
    frame = pd.DataFrame(
        {
            "kpi": names,
            "label": [page.label(name) for name in names],
            "now": [found.now[name] / 100 for name in names],
            "proposed": [found.weights[name] / 100 for name in names],
            "change": [_signed(found.weights[name] - found.now[name]) for name in names],
        }
    )
    columns = tuple(
        ColumnView(key, say(f"scheme_proposal.column.{key}", page.language), "share" if key in SHARES else "text")
        for key in ("label", "now", "proposed", "change")
    )
    values = {"rules": listed(found.heals, page.language), "moved": percent(found.moved), "step": percent(STEP)}
    new = listed(map(page.label, found.taken_in), page.language)
    return Block(
        "scheme_proposal",
        say("scheme_proposal.title", page.language),
        text=(say("scheme_proposal.lead", page.language, **values),),
        table=DataTable(frame, columns, say("scheme_proposal.caption", page.language)),
        notes=(
            *((say("scheme_proposal.taken_in", page.language, kpis=new),) if new else ()),
            *_what(page, found.heals),
        ),
        facts={"now": dict(found.now), "weights": dict(found.weights), "heals": list(found.heals)},
    )


def _contradiction(page: PageData, checked: Checked, found: Proposal) -> Block:
    return Block(
        "scheme_proposal",
        say("scheme_proposal.title_contradict", page.language),
        text=(in_words(checked, found, page.language),),
        notes=tuple(_what(page, found.contradict)),
        facts={"contradict": list(found.contradict)},
    )


def _what(page: PageData, ids: Collection[str]) -> Iterator[str]:
    """What each of the rules asks."""
    for each in ids:
        yield say("scheme_proposal.what", page.language, rule=each, what=rules()[each].what(page.language))


def _signed(points: float) -> str:
    """A change of weight: `+5`, `-10`, and nothing where a weight stays."""
    return f"{round(points, 1):+g}" if round(points, 1) else ""
