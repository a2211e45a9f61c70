"""The second contact: how soon a first visit is followed up, day by day, with the rule of three days marked."""

from __future__ import annotations

from collections.abc import Iterator

from kpi_research.kpis.process import SECOND_CONTACT_DAYS
from kpi_research.language import say
from kpi_research.policy import MIN_DENOMINATOR
from kpi_research.report.block import Block
from kpi_research.report.data import PageData
from kpi_research.report.funnel_charts import contact_curve
from kpi_research.report.page import Section
from kpi_research.report.words import range_of, value_of


def build(page: PageData) -> Iterator[Block]:
    """A sentence and the whole curve."""
    title = say("funnel_contact.title", page.language)
    funnel = page.funnel
    rows = funnel.contact if funnel is not None else None
    at_rule = rows[rows["is_rule"]].iloc[0] if rows is not None else None
    if funnel is None or rows is None or at_rule is None or at_rule["status"] != "ok":
        reason = "no_activities" if funnel is None or not funnel.has_contacts else "too_few"
        text = say(f"funnel_contact.{reason}", page.language, least=MIN_DENOMINATOR)
        yield Block("funnel_contact", title, text=(text,), status="no_data")
        return
    last = rows[rows["status"] == "ok"].iloc[-1]
    text = say(
        "funnel_contact.sentence",
        page.language,
        n=value_of(page, at_rule["n"], "count"),
        days=SECOND_CONTACT_DAYS,
        share=value_of(page, at_rule["contacted"], "share"),
        range=range_of(page, at_rule["ci_low"], at_rule["ci_high"], "share"),
        longest=int(last["days"]),
        never=value_of(page, 1 - last["contacted"], "share"),
    )
    curve = rows.assign(value=rows["contacted"])
    caption = say("funnel_contact.figure", page.language)
    yield Block(
        "funnel_contact",
        title,
        text=(text,),
        figure=contact_curve(curve, page.language, rule=SECOND_CONTACT_DAYS, caption=caption),
        notes=(say("funnel_contact.note", page.language),),
        facts={"curve": rows.to_dict("records")},
    )


SECTION = Section("funnel_contact", build)
