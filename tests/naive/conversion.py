"""Conversion, channels and efficiency a second time, written from what the KPIs mean, row after row."""

from collections.abc import Callable, Iterator

import pandas as pd

from kpi_research.kpis.conversion_customers import SELF_SOURCED

CONTACTS = {"visit", "call", "meeting", "demo", "message", "proposal", "quote", "survey"}
DAY = pd.Timedelta(days=1)
Tables = dict[str, pd.DataFrame]
SUMS, VALUES = ["who", "when", "numerator", "denominator"], ["who", "when", "value"]
HELD = ["who", "since", "until", "numerator", "denominator"]


def records(tables: Tables, name: str) -> list[dict]:
    """Rows as dictionaries, empty cells being None."""
    frame = tables.get(name, pd.DataFrame())
    return [{key: None if pd.isna(value) else value for key, value in row.items()} for row in frame.to_dict("records")]


def known(rows: list[dict], time: str, until: pd.Timestamp) -> list[dict]:
    """What had happened by then."""
    return [row for row in rows if row[time] is not None and row[time] < until]


def day(time: pd.Timestamp) -> pd.Timestamp:
    return time.normalize()


def days(later: pd.Timestamp, earlier: pd.Timestamp) -> int:
    return (day(later) - day(earlier)).days


def sums(rows: Iterator[tuple], until: pd.Timestamp, wait: int = 0) -> pd.DataFrame:
    """Of somebody, and old enough: the day and `wait` days more are covered."""
    kept = [row for row in rows if row[0] is not None and row[1] is not None and day(row[1]) + wait * DAY < until]
    return pd.DataFrame(kept, columns=SUMS)


def contracts(tables: Tables, until: pd.Timestamp) -> list[dict]:
    """Those that stand, the earliest first."""
    rows = [row for row in known(records(tables, "contracts"), "signed_at", until) if row["cancelled_at"] is None]
    return sorted(rows, key=lambda row: (row["signed_at"], row["contract_id"]))


def activities(tables: Tables, until: pd.Timestamp) -> list[dict]:
    rows = known(records(tables, "activities"), "occurred_at", until)
    return sorted(rows, key=lambda row: (row["occurred_at"], row["activity_id"]))


def first_by(rows: list[dict], *keys: str) -> dict:
    """The first row of each key; rows without one do not count."""
    found: dict = {}
    for row in rows:
        key = next((row[name] for name in keys if row[name] is not None), None)
        if key is not None:
            found.setdefault(key, row)
    return found


def first_signing(
    signed: list[dict], by: dict[str, str | None], start: pd.Timestamp, limit: int
) -> pd.Timestamp | None:
    """When somebody first bought something new in the days from the start on."""
    for contract in signed:
        same = any(value is not None and contract[key] == value for key, value in by.items())
        if same and contract["kind"] != "renewal" and 0 <= days(contract["signed_at"], start) <= limit:
            return contract["signed_at"]
    return None


def qualified_leads(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    return sums(((lead["owner_id"], lead["qualified_at"], 1, None) for lead in records(tables, "leads")), until)


def step(start: str, end: str, limit: int) -> Callable:
    """Leads that get from one date to the next in time."""

    def rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
        rows = [lead for lead in records(tables, "leads") if lead[start] is not None]
        in_time = [lead[end] is not None and days(lead[end], lead[start]) <= limit for lead in rows]
        made = ((row["owner_id"], row[start], int(good), 1) for row, good in zip(rows, in_time, strict=True))
        return sums(made, until, limit)

    return rate


def leads_signed(tables: Tables, until: pd.Timestamp) -> Iterator[tuple[dict, pd.Timestamp | None]]:
    signed = contracts(tables, until)
    for lead in records(tables, "leads"):
        if lead["qualified_at"] is not None:
            by = {"account_id": lead["account_id"], "opportunity_id": lead["opportunity_id"]}
            yield lead, first_signing(signed, by, lead["qualified_at"], 180)


def qualified_lead_win_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows = (
        (lead["owner_id"], lead["qualified_at"], int(at is not None), 1) for lead, at in leads_signed(tables, until)
    )
    return sums(rows, until, 180)


def qualified_leads_won(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    return sums(((lead["owner_id"], at, 1, None) for lead, at in leads_signed(tables, until)), until)


def proposal_win_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    sent = [row for row in activities(tables, until) if row["kind"] in ("proposal", "quote")]

    def rows() -> Iterator[tuple]:
        for deal in records(tables, "opportunities"):
            if deal["outcome"] in ("won", "lost") and deal["closed_at"] is not None:
                mine = [row for row in sent if row["opportunity_id"] == deal["opportunity_id"]]
                if any(days(row["occurred_at"], deal["closed_at"]) <= 0 for row in mine):
                    yield deal["owner_id"], deal["closed_at"], int(deal["outcome"] == "won"), 1

    return sums(rows(), until)


def with_customer(tables: Tables, rows: list[dict]) -> list[dict]:
    """A customer is an account, the account of a lead, or at least a lead: never a lead's id taken for an account's."""
    became = {lead["lead_id"]: lead["account_id"] for lead in records(tables, "leads")}
    made = []
    for row in rows:
        account = row["account_id"] if row["account_id"] is not None else became.get(row["lead_id"])
        prospect = ("lead", row["lead_id"]) if row["lead_id"] is not None else None
        made.append({**row, "account": account, "customer": ("account", account) if account is not None else prospect})
    return made


def trials(kind: str) -> Callable:
    def rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
        signed = contracts(tables, until)
        tried = with_customer(tables, [row for row in activities(tables, until) if row["kind"] == kind])

        def rows() -> Iterator[tuple]:
            for row in first_by(tried, "customer", "activity_id").values():
                at = first_signing(signed, {"account_id": row["account"]}, row["occurred_at"], 30)
                yield row["person_id"], row["occurred_at"], int(at is not None), 1

        return sums(rows(), until, 30)

    return rate


def won_after(start: dict[str, tuple], tables: Tables, until: pd.Timestamp, limit: int) -> pd.DataFrame:
    """Of accounts that begin with somebody at some time, and were no customers: who signs in time."""
    customers = first_by(contracts(tables, until), "account_id")

    def rows() -> Iterator[tuple]:
        for account, (who, when) in start.items():
            waited = days(customers[account]["signed_at"], when) if account in customers else None
            if waited is None or waited >= 0:
                yield who, when, int(waited is not None and waited <= limit), 1

    return sums(rows(), until, limit)


def customer_conversion_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    first = first_by([row for row in activities(tables, until) if row["kind"] in CONTACTS], "account_id")
    start = {account: (row["person_id"], row["occurred_at"]) for account, row in first.items()}
    return won_after(start, tables, until, 180)


def first_order_conversion_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows = [row for row in records(tables, "accounts") if row["created_at"] is not None]
    return won_after({row["account_id"]: (row["owner_id"], row["created_at"]) for row in rows}, tables, until, 90)


def self_sourced_share(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    leads = sorted(records(tables, "leads"), key=lambda lead: (lead["created_at"], lead["lead_id"]))
    origin = first_by(leads, "account_id")

    def rows() -> Iterator[tuple]:
        for account, contract in first_by(contracts(tables, until), "account_id").items():
            lead = origin.get(account)
            found = lead is not None and days(lead["created_at"], contract["signed_at"]) <= 0
            own = found and (lead["source"] or "").strip().lower() in SELF_SOURCED
            yield contract["owner_id"], contract["signed_at"], int(own), 1

    return sums(rows(), until)


def new_channels(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    return sums(((row["owner_id"], row["opened_at"], 1, None) for row in records(tables, "channels")), until)


def stores(part: str, whole: str) -> Callable:
    def rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
        rows = [row for row in known(records(tables, "channels"), "opened_at", until) if row["owner_id"] is not None]
        kept = [
            (row["owner_id"], row["opened_at"], pd.NaT, row[part], row[whole])
            for row in rows
            if row[part] is not None and (row[whole] or 0) > 0
        ]
        return pd.DataFrame(kept, columns=HELD)

    return rate


def median_cycle_days(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows = [row for row in known(records(tables, "opportunities"), "closed_at", until) if row["outcome"] == "won"]
    made = [
        (row["owner_id"], row["closed_at"], float(days(row["closed_at"], row["created_at"])))
        for row in rows
        if row["owner_id"] is not None and row["created_at"] is not None
    ]
    return pd.DataFrame(made, columns=VALUES)


def won_cycle_days(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows = median_cycle_days(tables, until)
    return sums(((row.who, row.when, row.value, 1) for row in rows.itertuples()), until)


def signing_cycle_days(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    entered = records(tables, "stage_changes")

    def rows() -> Iterator[tuple]:
        for opportunity, contract in first_by(contracts(tables, until), "opportunity_id").items():
            stages = [row["entered_at"] for row in entered if row["opportunity_id"] == opportunity]
            waited = [gap for at in stages if (gap := days(contract["signed_at"], at)) > 0]
            if waited:
                yield contract["owner_id"], contract["signed_at"], min(waited), 1

    return sums(rows(), until)


def moves(deal: dict, changes: list[dict]) -> list[pd.Timestamp]:
    """When a deal was opened and when it changed its stage since."""
    mine = [row for row in changes if row["opportunity_id"] == deal["opportunity_id"]]
    mine.sort(key=lambda row: (row["entered_at"], row["stage"]))
    real = [row["entered_at"] for n, row in enumerate(mine) if n == 0 or row["stage"] != mine[n - 1]["stage"]]
    opened = deal["created_at"] if deal["created_at"] is not None else min(real, default=None)
    return [] if opened is None else [opened, *(max(at, opened) for at in real)]


def stalled_share(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    changes, rows = records(tables, "stage_changes"), []
    for deal in records(tables, "opportunities"):
        is_open, entered = deal["outcome"] == "open", moves(deal, changes)
        if deal["owner_id"] is None or not entered or (not is_open and deal["closed_at"] is None):
            continue
        end = pd.NaT if is_open else deal["closed_at"]
        rows.append((deal["owner_id"], entered[0], end, 0, 1))
        for at, following in zip(entered, [*entered[1:], pd.NaT], strict=True):
            left = min((time for time in (following, end) if not pd.isna(time)), default=pd.NaT)
            since = day(at) + 31 * DAY
            if pd.isna(left) or left > since:
                rows.append((deal["owner_id"], since, left, 1, 0))
    return pd.DataFrame(rows, columns=HELD)


def response_hours(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows, made = with_customer(tables, activities(tables, until)), []
    for asked in rows:
        if asked["kind"] != "enquiry" or asked["customer"] is None or asked["person_id"] is None:
            continue
        asked_at, same = asked["occurred_at"], [row for row in rows if row["customer"] == asked["customer"]]
        later = [row["occurred_at"] for row in same if row["kind"] in CONTACTS and row["occurred_at"] >= asked_at]
        waits = [(at.floor("s") - asked_at.floor("s")).total_seconds() / 3600 for at in later]
        if day(asked["occurred_at"]) + 7 * DAY < until:
            made.append((asked["person_id"], asked["occurred_at"], min([168.0, *waits])))
    return pd.DataFrame(made, columns=VALUES)


def on_time_collection_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    paid, due = known(records(tables, "payments"), "paid_at", until), records(tables, "receivables")

    def rows() -> Iterator[tuple]:
        for contract in contracts(tables, until):
            mine = [row for row in due if row["contract_id"] == contract["contract_id"]]
            parts = [(max(row["due_on"], day(contract["signed_at"])), row["receivable_id"], row) for row in mine]
            received, earlier = [row for row in paid if row["contract_id"] == contract["contract_id"]], 0.0
            for due_at, _, part in sorted(parts, key=lambda each: each[:2]):
                owed = float(part["amount_due"])
                come = sum(float(row["amount"]) for row in received if days(row["paid_at"], due_at) <= 0)
                yield contract["owner_id"], due_at, min(max(come - earlier, 0.0), owed), owed
                earlier += owed

    return sums(rows(), until)


def collection_days(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    signed = {row["contract_id"]: row for row in contracts(tables, until)}

    def rows() -> Iterator[tuple]:
        for row in known(records(tables, "payments"), "paid_at", until):
            contract, money = signed.get(row["contract_id"]), float(row["amount"])
            if contract and money > 0:
                waited = max(days(row["paid_at"], contract["signed_at"]), 0)
                yield contract["owner_id"], max(row["paid_at"], contract["signed_at"]), money * waited, money

    return sums(rows(), until)


_PLAIN = (
    qualified_leads, qualified_lead_win_rate, qualified_leads_won, proposal_win_rate, customer_conversion_rate,
    first_order_conversion_rate, self_sourced_share, new_channels, won_cycle_days, median_cycle_days, signing_cycle_days,
    stalled_share, response_hours, on_time_collection_rate, collection_days,
)  # fmt: skip
NAIVE: dict[str, Callable] = {function.__name__: function for function in _PLAIN} | {
    "lead_qualification_rate": step("created_at", "qualified_at", 30),
    "lead_conversion_rate": step("qualified_at", "converted_at", 60),
    "trial_conversion_rate": trials("trial"),
    "trial_lesson_conversion_rate": trials("trial_lesson"),
    "distribution_rate": stores("stores_stocked", "stores_target"),
    "selling_stores_rate": stores("stores_selling", "stores_stocked"),
}
