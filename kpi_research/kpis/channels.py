"""KPIs of sales through channels: new ones, how many of their stores have the goods, and how many sell them."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Example, Kpi
from kpi_research.kpis.parts import each_row
from kpi_research.language import Bilingual


def standing_channels(crm: Crm) -> ir.Table:
    """Channels with `closed_at`, which nothing on file tells: an opened channel stands."""
    return crm.channels.mutate(closed_at=ibis.null("timestamp"))


def _channel(number: str, opened: str | None, *stores: int | None, owner: str = "P1") -> dict[str, str | int | None]:
    columns = ("stores_target", "stores_stocked", "stores_selling")
    counted = dict(zip(columns, stores, strict=True)) if stores else {}
    return {"channel_id": number, "owner_id": owner, "opened_at": opened, **counted}


_CHANNELS = {
    "channels": (
        _channel("C1", "2026-06-01", 100, 60, 45),
        _channel("C2", "2026-07-31 17:00", 50, 10, 0),
        _channel("C3", "2026-08-01", 30, 30, 30),
        _channel("C4", "2026-06-01", 40, 40, 40, owner="P2"),
        _channel("C5", "2026-06-01", None, 5, 5),
        _channel("C6", "2026-06-01", 20, None, 7),
        _channel("C7", "2026-06-01", 20, 0, 0),
        _channel("C8", "2026-06-01", 0, 4, None),
    )
}
_STATE = (
    "The table says how it is today and nothing of how it was: for past periods only which channels were there is right, "
    "so that the figure of an old period changes with today's stores. "
)

KPIS = (
    Kpi(
        id="P32",
        name="new_channels",
        label=Bilingual("新增渠道数量", "New channels"),
        meaning=Bilingual("期内开通的渠道(经销商)数。", "Channels (distributors) opened in the period."),
        kind="process",
        nature="quantity",
        unit="count",
        direction="up",
        needs=("channels",),
        rows=lambda crm: crm.channels,
        who="owner_id",
        when="opened_at",
        numerator=each_row,
        aliases=("渠道开发", "新开渠道数", "渠道开发数", "new distributors"),
        why="Every channel that was opened, active or not: whether it sells is known for today alone, so a number of "
        "active new ones would change for past periods. Read it beside distribution_rate.",
        gaming=Bilingual(
            "签下不进货的渠道充数。",
            "Channels are signed that never stock anything.",
        ),
        example=Example(
            {
                "channels": (
                    _channel("C1", "2026-07-01"),
                    _channel("C2", "2026-07-31 17:00"),
                    _channel("C3", "2026-08-01"),
                    _channel("C4", "2026-07-01", owner="P2"),
                    _channel("C5", None),
                )
            },
            "2026-07",
            "P1",
            2,
            None,
            "C3 is August's, C4 is P2's, C5 has no date of opening.",
        ),
    ),
    Kpi(
        id="P33",
        name="distribution_rate",
        label=Bilingual("铺货率", "Distribution rate"),
        meaning=Bilingual(
            "期末已开通渠道的已铺货门店数 ÷ 目标门店数。",
            "Stores that stock our goods ÷ stores targeted, over the channels opened by the end of the period.",
        ),
        kind="process",
        nature="quality",
        unit="share",
        direction="up",
        needs=("channels",),
        rows=lambda crm: standing_channels(crm).filter(
            lambda rows: (rows.stores_target > 0) & rows.stores_stocked.notnull()
        ),
        who="owner_id",
        when="opened_at",
        until="closed_at",
        aggregation="at_end",
        numerator=lambda rows: rows.stores_stocked,
        denominator=lambda rows: rows.stores_target,
        counted_over=Bilingual("已开通渠道的目标门店", "targeted stores of the opened channels"),
        aliases=("门店铺货率", "数值铺货率", "numeric distribution"),
        why=_STATE
        + "Numeric distribution: every store counts alike; the weighted one needs each store's sales. Channels "
        "without a target, a number of stocked stores or a date of opening are left out. More than 100 % means that the "
        "target list is out of date.",
        gaming=Bilingual(
            "缩小目标门店名单,或以一次性压货充当铺货。",
            "The list of targeted stores is cut, or one forced delivery is called stocked.",
        ),
        example=Example(
            _CHANNELS,
            "2026-07",
            "P1",
            70,
            170,
            "C1 60 of 100, C2 (opened on the last day) 10 of 50, C7 0 of 20; C3 opens in August, C4 is P2's, C5 and C8 have "
            "no target, C6 no number of stocked stores.",
        ),
    ),
    Kpi(
        id="V14",
        name="selling_stores_rate",
        label=Bilingual("终端动销率", "Selling stores"),
        meaning=Bilingual(
            "期末已开通渠道中有销售的门店数 ÷ 已铺货门店数。",
            "Stores that sold our goods ÷ stores that stock them, over the channels opened by the end of the period.",
        ),
        kind="customer_value",
        nature="quality",
        unit="share",
        direction="up",
        needs=("channels",),
        rows=lambda crm: standing_channels(crm).filter(
            lambda rows: (rows.stores_stocked > 0) & rows.stores_selling.notnull()
        ),
        who="owner_id",
        when="opened_at",
        until="closed_at",
        aggregation="at_end",
        numerator=lambda rows: rows.stores_selling,
        denominator=lambda rows: rows.stores_stocked,
        counted_over=Bilingual("已开通渠道的已铺货门店", "stocked stores of the opened channels"),
        aliases=("药店终端动销率", "动销率", "门店动销率", "sell-through store rate"),
        why=_STATE
        + "By stores, not by pieces: pieces sold ÷ pieces stocked needs the stores' stock. Since when a store "
        "must have sold is what the CRM's column means; the usual window is a month.",
        gaming=Bilingual(
            "业务员自购一件使门店“动销”。",
            "A salesperson buys one piece to make a store count.",
        ),
        example=Example(
            _CHANNELS,
            "2026-07",
            "P1",
            50,
            75,
            "C1 45 of 60, C2 0 of 10, C5 5 of 5; C3 opens in August, C4 is P2's, C6 and C7 stock nothing that is known, "
            "C8 has no number of selling stores.",
        ),
    ),
)
