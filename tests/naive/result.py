"""Results, attainment and growth of people a second time, written from what the KPIs mean, row after row.

What holds at a period's end is looked at day by day, as somebody would who opens the CRM every evening.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

import numpy as np
import pandas as pd

from kpi_research.errors import InputError
from kpi_research.periods import Period

Tables = dict[str, pd.DataFrame]
Row = dict[str, object]
DAY = pd.Timedelta(days=1)
YEAR = 365 * DAY
EVER = pd.Timestamp("1900-01-01")
CONTACTS = {"visit", "call", "meeting", "demo", "message", "proposal", "quote", "survey"}
LENGTHS = ("day", "week", "month", "quarter", "half_year", "year")


def records(tables: Tables, name: str, time: str = "", until: pd.Timestamp | None = None) -> list[dict]:
    """Rows as dictionaries, empty cells being None; of events those that had happened by the end."""
    rows = [{k: None if pd.isna(v) else v for k, v in row.items()} for row in tables[name].to_dict("records")]
    return [row for row in rows if not time or (row[time] is not None and row[time] < until)]


def sums(rows: Iterable[tuple], until: pd.Timestamp, wait: int = 0) -> pd.DataFrame:
    kept = [row for row in rows if None not in row[:2] and row[1].normalize() + wait * DAY < until]
    return pd.DataFrame(kept, columns=["who", "when", "numerator", "denominator"])


def held(rows: Iterable[tuple]) -> pd.DataFrame:
    """From `who, evening, numerator, denominator`."""
    kept = [(who, day, day + DAY, top, bottom) for who, day, top, bottom in rows if who is not None]
    return pd.DataFrame(kept, columns=["who", "since", "until", "numerator", "denominator"])


def contracts(tables: Tables, until: pd.Timestamp) -> list[dict]:
    """Those that stand, the earliest first."""
    rows = [row for row in records(tables, "contracts", "signed_at", until) if row["cancelled_at"] is None]
    rows = [{**row, "day": row["signed_at"].normalize(), "amount": float(row["amount"])} for row in rows]
    return sorted(rows, key=lambda row: (row["signed_at"], row["contract_id"]))


def by_account(tables: Tables, until: pd.Timestamp) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for row in contracts(tables, until):
        if row["account_id"] is not None:
            found[row["account_id"]].append(row)
    return found


def over_contracts(
    top: Callable[[Row], float],
    bottom: Callable[[Row], float | None] = lambda _: None,
    where: Callable[[Row], bool] = bool,
) -> Callable[[Tables, pd.Timestamp], pd.DataFrame]:
    def contributions(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
        rows = [row for row in contracts(tables, until) if where(row)]
        return sums(((row["owner_id"], row["signed_at"], top(row), bottom(row)) for row in rows), until)

    return contributions


def amount(row: Row) -> float:
    return row["amount"]


def profit(row: Row) -> float:
    return row["amount"] - float(row["cost"])


def has_cost(row: Row) -> bool:
    return row["cost"] is not None


def new_customers(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    firsts = [rows[0] for rows in by_account(tables, until).values()]
    return sums(((row["owner_id"], row["signed_at"], 1, None) for row in firsts), until)


def payments_of(tables: Tables, until: pd.Timestamp) -> tuple[dict[str, str], list[dict]]:
    owners = {row["contract_id"]: row["owner_id"] for row in records(tables, "contracts", "signed_at", until)}
    return owners, [row for row in records(tables, "payments", "paid_at", until) if row["contract_id"] in owners]


def collected_amount(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    owners, paid = payments_of(tables, until)
    return sums(((owners[row["contract_id"]], row["paid_at"], float(row["amount"]), None) for row in paid), until)


def collection_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    owners, payments = payments_of(tables, until)
    before, found = defaultdict(float), []
    for due in sorted(records(tables, "receivables"), key=lambda row: (row["due_on"], row["receivable_id"])):
        contract, owed = due["contract_id"], float(due["amount_due"])
        if contract not in owners:
            continue
        in_time = [
            row for row in payments if row["contract_id"] == contract and row["paid_at"] < due["due_on"] + 31 * DAY
        ]
        left = sum(float(row["amount"]) for row in in_time) - before[contract]
        before[contract] += owed
        found.append((owners[contract], due["due_on"], min(max(left, 0), owed), owed))
    return sums(found, until, wait=30)


def a_year_ago(tables: Tables, until: pd.Timestamp) -> Iterator[tuple]:
    """`who, evening, is kept` of everybody who was a customer a year before."""
    for orders in by_account(tables, until).values():
        for evening in pd.date_range(orders[0]["day"], until - DAY):
            past = [row for row in orders if row["day"] <= evening]
            if any(evening - 2 * YEAR < row["day"] <= evening - YEAR for row in past):
                yield past[-1]["owner_id"], evening, past[-1]["day"] > evening - YEAR


def net_customer_growth(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    found = []
    for orders in by_account(tables, until).values():
        last = None
        for evening in pd.date_range(orders[0]["day"], until - DAY):
            was = last is not None and last["day"] > evening - DAY - YEAR
            if was and last["day"] == evening - YEAR:
                found.append((last["owner_id"], evening, -1, None))
                was = False
            for row in [row for row in orders if row["day"] == evening]:
                last = row
            if not was and last is not None and last["day"] == evening:
                found.append((last["owner_id"], evening, 1, None))
    return sums(found, until)


def covered(tables: Tables, until: pd.Timestamp, events: list[tuple], days: int) -> pd.DataFrame:
    """From `account, time` of events."""
    found = []
    for account in records(tables, "accounts"):
        if account["tier"] is None or not events:
            continue
        own = [time for name, time in events if name == account["account_id"]]
        created = account["created_at"] or min(time for _, time in events)
        for evening in pd.date_range(min([created, *own]).normalize(), until - DAY):
            seen = any(evening - days * DAY < time.normalize() <= evening for time in own)
            found.append((account["owner_id"], evening, int(seen), 1))
    return held(found)


def market_coverage(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    return covered(tables, until, [(row["account_id"], row["signed_at"]) for row in contracts(tables, until)], 365)


def contact_coverage(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows = [row for row in records(tables, "activities", "occurred_at", until) if row["kind"] in CONTACTS]
    return covered(tables, until, [(row["account_id"], row["occurred_at"]) for row in rows], 90)


def period_of(text: str) -> Period | None:
    try:
        period = Period.parse(text)
    except InputError:
        return None
    return period if period.name == text else None


def targets(tables: Tables, kpi: str) -> list[dict]:
    latest: dict = {}
    for row in records(tables, "targets"):
        period = period_of(row["period"])
        if row["kpi"] != kpi or period is None:
            continue
        end, holds, version = pd.Timestamp(period.end), row["effective_from"] or EVER, row["version"] or ""
        name = "company" if row["scope"] == "company" else row["scope_id"]
        key, rank = (row["scope"], name, row["period"]), (holds, len(version), version)
        if holds < end and (key not in latest or rank > latest[key]["rank"]):
            start, length = pd.Timestamp(period.start), LENGTHS.index(period.grain)
            latest[key] = {
                **row,
                "scope_id": name,
                "start": start,
                "end": end,
                "last": end - DAY,
                "length": length,
                "rank": rank,
            }
    found = [row for row in latest.values() if row["base"] > 0]
    alike = defaultdict(list)
    for row in found:
        alike[row["scope"], row["scope_id"], row["last"].year].append(row["length"])
    return [row for row in found if row["length"] == min(alike[row["scope"], row["scope_id"], row["last"].year])]


def team_of(tables: Tables, person: str, time: pd.Timestamp) -> str | None:
    stays = [
        (row["since"] or EVER, row["team_id"])
        for row in records(tables, "assignments")
        if row["person_id"] == person
        and (row["since"] or EVER) <= time
        and (row["until"] is None or time < row["until"] + DAY)
    ]
    return max(stays)[1] if stays else None


def employed(tables: Tables, day: pd.Timestamp) -> list[str]:
    return [
        row["person_id"]
        for row in records(tables, "people")
        if (row["hired_on"] or EVER) < day + DAY and (row["left_on"] is None or row["left_on"] >= day)
    ]


def shares(tables: Tables, until: pd.Timestamp, targets: list[dict]) -> Iterator[dict]:
    """Each target as rows of the people who carry it: `who`, `sold` and `base`, those of groups in equal parts."""
    rows = contracts(tables, until)
    teams = [team_of(tables, row["owner_id"], row["signed_at"]) for row in rows]
    for target in targets:
        scope, name, last = target["scope"], target["scope_id"], target["last"]
        of = {
            "person": lambda n, name=name: rows[n]["owner_id"] == name,
            "team": lambda n, name=name: teams[n] == name,
            "company": lambda n: True,
        }[scope]
        inside = [n for n, row in enumerate(rows) if target["start"] <= row["signed_at"] < target["end"]]
        sold = sum(rows[n]["amount"] for n in inside if of(n))
        people = {
            "person": lambda name=name: [name],
            "team": lambda name=name, last=last: [
                p for p in employed(tables, last) if team_of(tables, p, last) == name
            ],
            "company": lambda last=last: employed(tables, last),
        }[scope]()
        for who in people:
            yield {**target, "who": who, "sold": sold / len(people), "base": target["base"] / len(people)}


def attained(tables: Tables, until: pd.Timestamp, scope: str) -> list[dict]:
    found = [row for row in targets(tables, "signed_amount") if row["scope"] == scope]
    return list(shares(tables, until, found))


def attainment(scope: str) -> Callable[[Tables, pd.Timestamp], pd.DataFrame]:
    return lambda tables, until: sums(
        ((row["who"], row["last"], row["sold"], row["base"]) for row in attained(tables, until, scope)), until
    )


def target_hit_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows = attained(tables, until, "person")
    return sums(((r["who"], r["last"], int(round(r["sold"] - r["base"], 2) >= 0), 1) for r in rows), until)


def market_share(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    found = []
    figures = targets(tables, "market_sales")
    for year in {row["last"].year for row in figures}:
        of_year = [row for row in figures if row["last"].year == year]
        finest = next(scope for scope in ("person", "team", "company") if scope in {row["scope"] for row in of_year})
        found += [row for row in of_year if row["scope"] == finest]
    return sums(((r["who"], r["last"], r["sold"], r["base"]) for r in shares(tables, until, found)), until)


def own_territory(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    accounts = {row["account_id"]: row["region"] for row in records(tables, "accounts")}
    teams = {row["team_id"]: row["region"] for row in records(tables, "teams")}
    found = []
    for row in contracts(tables, until):
        region = accounts.get(row["account_id"])
        if region is not None and region == teams.get(team_of(tables, row["owner_id"], row["signed_at"])):
            found.append((row["owner_id"], row["signed_at"], row["amount"], None))
    return sums(found, until)


def from_recent_deals(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    opened = {row["opportunity_id"]: row["created_at"] for row in records(tables, "opportunities")}
    found = []
    for row in contracts(tables, until):
        begun = opened.get(row["opportunity_id"])
        if begun is not None and months_of(row["signed_at"]) - months_of(begun) < 3:
            found.append((row["owner_id"], row["signed_at"], row["amount"], None))
    return sums(found, until)


def months_of(time: pd.Timestamp) -> int:
    return 12 * time.year + time.month


def growth(months: int) -> Callable[[Tables, pd.Timestamp], pd.DataFrame]:
    def contributions(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
        later = pd.DateOffset(months=months)
        found = []
        for row in contracts(tables, until):
            found.append((row["owner_id"], row["signed_at"], row["amount"], 0))
            found.append((row["owner_id"], row["signed_at"] + later, -row["amount"], row["amount"]))
        return sums(found, until)

    return contributions


def person_months(tables: Tables, until: pd.Timestamp) -> Iterator[tuple]:
    """`person, first day, share of the month` from the first signing on, to the end of the last signing's year."""
    signed = [row["signed_at"] for row in records(tables, "contracts", "signed_at", until)]
    years = {time.year for time in signed}
    for month in pd.period_range(min(signed), f"{max(years)}-12", freq="M") if signed else ():
        days = pd.date_range(month.start_time, month.end_time.normalize())
        for row in records(tables, "people") if month.year in years else ():
            hired, left = (row["hired_on"] or EVER).normalize(), row["left_on"] or until + 900 * DAY
            there = [day for day in days if hired <= day <= left]
            if there:
                yield row["person_id"], there[0], float(Fraction(len(there), len(days)))


def signed_amount_per_head(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    sold = [(row["owner_id"], row["signed_at"], 12 * row["amount"], 0) for row in contracts(tables, until)]
    return sums([*sold, *((who, day, 0, share) for who, day, share in person_months(tables, until))], until)


def staff_turnover(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    signed = [row["signed_at"] for row in records(tables, "contracts", "signed_at", until)]
    begin = min(signed).replace(day=1).normalize() if signed else until
    left = [(row["person_id"], row["left_on"]) for row in records(tables, "people") if row["left_on"] is not None]
    left = [(who, day, 12, 0) for who, day in left if day >= begin]
    return sums([*left, *((who, day, 0, share) for who, day, share in person_months(tables, until))], until)


def ramp_days(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    signed = [row["signed_at"] for row in records(tables, "contracts", "signed_at", until)]
    found = []
    for person in records(tables, "people"):
        hired = person["hired_on"]
        if hired is None or not signed or hired < min(signed).normalize():
            continue
        own = [row for row in contracts(tables, until) if row["owner_id"] == person["person_id"]]
        since = [row for row in own if row["signed_at"] >= hired]
        if since:
            found.append((person["person_id"], since[0]["signed_at"], (since[0]["day"] - hired.normalize()).days))
    return pd.DataFrame(found, columns=["who", "when", "value"])


def improvement(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    own, pairs = defaultdict(list), []
    for row in sorted(attained(tables, until, "person"), key=lambda row: row["last"]):
        own[row["who"], row["length"]].append((row["last"], row["sold"] / row["base"]))
    for (who, length), series in own.items():
        pairs += [(who, length, day, x, y) for (_, x), (day, y) in zip(series, series[1:], strict=False)]
    found = []
    for who, length, day, x, y in pairs:
        known = np.array([(other[3], other[4]) for other in pairs if other[1] == length and other[2] <= day])
        if len(known) < 10:
            continue
        spread = known[:, 0].std()
        slope = np.cov(known.T, bias=True)[0, 1] / spread**2 if spread > 1e-9 else 1.0
        expected = x + (min(max(slope, 0), 1) - 1) * (x - known[:, 0].mean())
        found.append((who, day, 100 * (y - expected), 1))
    return sums(found, until)


NAIVE: dict[str, Callable[[Tables, pd.Timestamp], pd.DataFrame]] = {
    "signed_amount": over_contracts(amount),
    "collected_amount": collected_amount,
    "collection_rate": collection_rate,
    "signed_contracts": over_contracts(lambda _: 1),
    "new_customers": new_customers,
    "enrolments": over_contracts(lambda _: 1, where=lambda row: row["kind"] in (None, "new")),
    "gross_margin": over_contracts(profit, amount, has_cost),
    "order_profit_rate": over_contracts(profit, amount, lambda row: has_cost(row) and row["kind"] != "renewal"),
    "profit": over_contracts(profit, where=has_cost),
    "customer_retention": lambda t, u: held((who, day, int(kept), 1) for who, day, kept in a_year_ago(t, u)),
    "customer_churn": lambda t, u: held((who, day, int(not kept), 1) for who, day, kept in a_year_ago(t, u)),
    "net_customer_growth": net_customer_growth,
    "market_coverage": market_coverage,
    "contact_coverage": contact_coverage,
    "attainment": attainment("person"),
    "team_attainment": attainment("team"),
    "target_hit_rate": target_hit_rate,
    "market_share": market_share,
    "signed_amount_in_own_territory": own_territory,
    "signed_amount_from_recent_deals": from_recent_deals,
    "signed_amount_growth_on_year": growth(12),
    "signed_amount_growth_on_quarter": growth(3),
    "signed_amount_per_head": signed_amount_per_head,
    "staff_turnover": staff_turnover,
    "ramp_days": ramp_days,
    "improvement": improvement,
}
