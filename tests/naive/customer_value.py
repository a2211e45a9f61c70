"""Customer value, collaboration, digital and growth a second time, written from what the KPIs mean, row after row.

What holds at a period's end is looked at day by day, as somebody would who opens the CRM every evening.
"""

import calendar
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import pandas as pd

Tables = dict[str, pd.DataFrame]
DAY = pd.Timedelta(days=1)
YEAR = 365 * DAY
SUMS = ["who", "when", "numerator", "denominator"]
HELD = ["who", "since", "until", "numerator", "denominator"]
CONTACTS = {"visit", "call", "meeting", "demo", "message", "proposal", "quote", "survey"}


def records(tables: Tables, name: str) -> list[dict]:
    """Rows as dictionaries, empty cells being None."""
    rows = tables[name].to_dict("records")
    return [{key: None if pd.isna(value) else value for key, value in row.items()} for row in rows]


def evenings(first: pd.Timestamp, until: pd.Timestamp) -> Iterable[pd.Timestamp]:
    return pd.date_range(first.normalize(), until - DAY, freq="D")


def sums(rows: Iterable[tuple], until: pd.Timestamp, wait: int = 0) -> pd.DataFrame:
    """Of somebody, by the end of the data and old enough to be judged."""
    kept = [row for row in rows if None not in row[:2] and row[1].normalize() + wait * DAY < until]
    return pd.DataFrame(kept, columns=SUMS)


def held(rows: Iterable[tuple]) -> pd.DataFrame:
    """`who, evening, numerator, denominator` as what holds for that one day."""
    kept = [(who, day, day + DAY, top, bottom) for who, day, top, bottom in rows if who is not None]
    return pd.DataFrame(kept, columns=HELD)


def contracts(tables: Tables, until: pd.Timestamp) -> list[dict]:
    """Those that stand, the earliest first, with the day of signing."""
    rows = [{**row, "day": row["signed_at"].normalize()} for row in records(tables, "contracts")]
    rows = [row for row in rows if row["cancelled_at"] is None and row["signed_at"] < until]
    return sorted(rows, key=lambda row: (row["signed_at"], row["contract_id"]))


def by_account(tables: Tables, until: pd.Timestamp) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for row in contracts(tables, until):
        if row["account_id"] is not None:
            found[row["account_id"]].append(row)
    return found


def activities(tables: Tables, until: pd.Timestamp, *kinds: str) -> list[dict]:
    return [row for row in records(tables, "activities") if row["kind"] in kinds and row["occurred_at"] < until]


def owners(tables: Tables) -> dict[str, str | None]:
    return {row["account_id"]: row["owner_id"] for row in records(tables, "accounts")}


def each_evening(tables: Tables, until: pd.Timestamp) -> Iterator[tuple[pd.Timestamp, list[dict]]]:
    """Every evening, each customer's orders so far."""
    for orders in by_account(tables, until).values():
        for evening in evenings(orders[0]["day"], until):
            yield evening, [row for row in orders if row["day"] <= evening]


def within_year(row: dict, evening: pd.Timestamp) -> bool:
    return row["day"] > evening - YEAR


def repurchase_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    return held(
        (orders[-1]["owner_id"], evening, int(within_year(orders[-1], evening)), 1)
        for evening, orders in each_evening(tables, until)
        if not within_year(orders[0], evening)
    )


def repurchase_amount_per_customer(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    def rows() -> Iterator[tuple]:
        for evening, orders in each_evening(tables, until):
            if not within_year(orders[0], evening):
                yield orders[-1]["owner_id"], evening, 0.0, 1
                for row in orders:
                    if within_year(row, evening):
                        yield row["owner_id"], evening, float(row["amount"]), 0

    return held(rows())


def repeat_purchase_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    def rows() -> Iterator[tuple]:
        for evening, orders in each_evening(tables, until):
            recent = [row for row in orders if within_year(row, evening)]
            if recent:
                yield recent[-1]["owner_id"], evening, int(len(recent) >= 2), 1

    return held(rows())


def repeat_buyers_growth(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    """Each person's repeat customers of an evening less those of the evening before."""
    counts: dict = defaultdict(int)
    for row in repeat_purchase_rate(tables, until).itertuples():
        counts[row.who, row.since] += row.numerator
    rows = []
    for who in {who for who, _ in counts}:
        days = [day for one, day in counts if one == who]
        for day in pd.date_range(min(days), until - DAY, freq="D"):
            change = counts.get((who, day), 0) - counts.get((who, day - DAY), 0)
            if change:
                rows.append((who, day, change, None))
    return sums(rows, until)


def new_customers_a_year_later(tables: Tables, until: pd.Timestamp) -> Iterator[tuple[dict, pd.Timestamp, list[dict]]]:
    for orders in by_account(tables, until).values():
        if orders[0]["kind"] in (None, "new"):
            yield orders[0], orders[0]["day"] + YEAR, orders


def first_year_customer_value(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    return sums(
        (
            (first["owner_id"], over, sum(float(row["amount"]) for row in orders if row["day"] < over), 1)
            for first, over, orders in new_customers_a_year_later(tables, until)
        ),
        until,
    )


def first_year_customer_margin(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    def rows() -> Iterator[tuple]:
        for first, over, orders in new_customers_a_year_later(tables, until):
            year = [row for row in orders if row["day"] < over]
            if all(row["cost"] is not None for row in year):
                yield first["owner_id"], over, sum(float(row["amount"]) - float(row["cost"]) for row in year), 1

    return sums(rows(), until)


def first_year_retention_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    def stays(first: dict, over: pd.Timestamp, orders: list[dict]) -> bool:
        late = over + 30 * DAY
        for row in (row for row in orders if row["day"] <= late):
            if row["ends_on"] is not None and row["ends_on"] > late:
                return True
            if row["day"] > first["day"] and (row["ends_on"] is None or row["ends_on"] > over):
                return True
        return False

    new = new_customers_a_year_later(tables, until)
    return sums(
        ((first["owner_id"], over, int(stays(first, over, orders)), 1) for first, over, orders in new), until, 30
    )


def renewals(worth: Callable[[dict], float]) -> Callable:
    def rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
        def rows() -> Iterator[tuple]:
            for orders in by_account(tables, until).values():
                for row in orders:
                    if row["ends_on"] is None:
                        continue
                    start, end = row["ends_on"] - 90 * DAY, row["ends_on"] + 31 * DAY
                    again = [
                        other
                        for other in orders
                        if other is not row and other["kind"] == "renewal" and start <= other["signed_at"] < end
                    ]
                    yield row["owner_id"], row["ends_on"], worth(row) if again else 0.0, worth(row)

        return sums(rows(), until, 30)

    return rate


def second_purchases(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    second = [orders[1] for orders in by_account(tables, until).values() if len(orders) > 1]
    return sums(((row["owner_id"], row["signed_at"], 1, None) for row in second), until)


def is_referral(source: str | None) -> bool:
    said = (source or "").lower()
    by = ("转介绍", "客户推荐", "客户介绍", "朋友介绍", "熟人介绍", "老带新", "口碑", "referral", "referred",
          "word of mouth", "recommend")  # fmt: skip
    others = ("员工", "内部", "渠道", "伙伴", "employee", "internal", "partner", "agent")
    return any(word in said for word in by) and not any(word in said for word in others)


def referred_leads(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    leads = [row for row in records(tables, "leads") if is_referral(row["source"])]
    return sums(((row["owner_id"], row["created_at"], 1, None) for row in leads), until)


def referred_wins(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    referred = {row["opportunity_id"] for row in records(tables, "leads") if is_referral(row["source"])}
    won = [row for row in records(tables, "opportunities") if row["outcome"] == "won"]
    return sums(
        ((row["owner_id"], row["closed_at"], 1, None) for row in won if row["opportunity_id"] in referred), until
    )


def active_account_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    used = defaultdict(set)
    for row in activities(tables, until, "usage", "login"):
        used[row["account_id"]].add(row["occurred_at"].normalize())
    owner = owners(tables)
    return held(
        (
            owner.get(orders[0]["account_id"]),
            evening,
            int(any(evening - 30 * DAY < day <= evening for day in used[orders[0]["account_id"]])),
            1,
        )
        for evening, orders in each_evening(tables, until)
    )


def complaint_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    owner = owners(tables)
    complaints = [
        (owner.get(row["account_id"]) or row["person_id"], row["occurred_at"], 1, 0)
        for row in activities(tables, until, "complaint")
    ]
    signed = [(row["owner_id"], row["signed_at"], 0, 1) for row in contracts(tables, until)]
    return sums(complaints + signed, until)


def customer_feedback(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    owner = owners(tables)
    said = [(row["person_id"], row["occurred_at"], 1, None) for row in activities(tables, until, "feedback")]
    answered = [
        (owner.get(row["account_id"]) or row["subject_id"], row["answered_at"], 1, None)
        for row in records(tables, "surveys")
        if row["kind"] in ("csat", "nps", "delivery")
    ]
    return sums(said + answered, until)


def success_cases(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    return sums(((row["person_id"], row["occurred_at"], 1, None) for row in activities(tables, until, "case")), until)


def points(row: dict) -> float:
    return 100.0 * (row["score"] - row["scale_min"]) / (row["scale_max"] - row["scale_min"])


def surveys(kind: str, who: Callable[[dict, dict], str | None], worth: Callable[[dict], float | None]) -> Callable:
    """The mean of what answers are worth; those that are worth nothing do not count."""

    def mean(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
        owner = owners(tables)
        answers = [row for row in records(tables, "surveys") if row["kind"] == kind and worth(row) is not None]
        return sums(((who(row, owner), row["answered_at"], worth(row), 1) for row in answers), until)

    return mean


def recommends(row: dict) -> float | None:
    if (row["scale_min"], row["scale_max"]) != (0, 10):
        return None
    return 100.0 if row["score"] >= 9 else -100.0 if row["score"] <= 6 else 0.0


def last_day(period: str) -> pd.Timestamp | None:
    try:
        if "W" in period:
            return pd.Timestamp(dt.date.fromisocalendar(int(period[:4]), int(period[6:]), 7))
        if len(period) == 10:
            return pd.Timestamp(dt.datetime.strptime(period, "%Y-%m-%d"))
        year, rest = int(period[:4]), period[4:]
        month = {"": 12, "H1": 6, "H2": 12, "Q1": 3, "Q2": 6, "Q3": 9, "Q4": 12}.get(rest)
        month = int(rest[1:]) if month is None else month
        return pd.Timestamp(year, month, calendar.monthrange(year, month)[1])
    except ValueError:
        return None


def rated(kpi: str, *, in_points: bool) -> Callable:
    def share(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
        def rows() -> Iterator[tuple]:
            for row in records(tables, "ratings"):
                if row["kpi"] == kpi and row["rater"] != "self" and (row["scale_max"] or 0) > 0:
                    parts = (
                        (row["score"] / row["scale_max"] * 100, 1) if in_points else (row["score"], row["scale_max"])
                    )
                    yield row["person_id"], last_day(row["period"]), *parts

        return sums(rows(), until)

    return share


def joint_call_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    seen = defaultdict(set)
    for row in activities(tables, until, "visit", "meeting", "demo"):
        if row["account_id"] is not None:
            seen[row["account_id"], row["occurred_at"].normalize()].add(row["person_id"])
    return sums(((who, day, int(len(people) > 1), 1) for (_, day), people in seen.items() for who in people), until)


def learned(*kinds: str, confirmed: bool = False) -> Callable:
    def count(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
        rows = [row for row in records(tables, "learning") if row["kind"] in kinds]
        if confirmed:
            rows = [row for row in rows if row["confirmed_by"] not in (None, row["person_id"])]
        return sums(((row["person_id"], row["occurred_at"], 1, None) for row in rows), until)

    return count


def selling_partner_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    return held(
        (row["owner_id"], evening, int(row["stores_selling"] > 0), 1)
        for row in records(tables, "channels")
        if row["opened_at"] is not None and row["stores_selling"] is not None
        for evening in evenings(row["opened_at"], until)
    )


def crm_filing_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    met = defaultdict(set)
    for row in activities(tables, until, *CONTACTS):
        met[row["account_id"]].add(row["occurred_at"].normalize())
    return sums(
        (
            (
                row["owner_id"],
                row["signed_at"],
                int(any(0 <= (row["day"] - day).days <= 30 for day in met[row["account_id"]])),
                1,
            )
            for row in contracts(tables, until)
            if row["account_id"] is not None
        ),
        until,
    )


def crm_completeness(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    fields = ("account_id", "product", "amount", "expected_close_on", "stage")
    rows = records(tables, "opportunities")
    return sums(
        ((row["owner_id"], row["created_at"], sum(row[name] is not None for name in fields), 5) for row in rows), until
    )


def entry_timeliness(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows = [
        row for row in records(tables, "activities") if row["recorded_at"] is not None and row["occurred_at"] < until
    ]
    return sums(
        (
            (row["person_id"], row["occurred_at"], int(row["recorded_at"] - row["occurred_at"] <= DAY), 1)
            for row in rows
        ),
        until,
    )


def logins(tables: Tables) -> dict[str, str]:
    people = records(tables, "people")
    by_user = {
        row["user_id"]: row["person_id"]
        for row in sorted(people, key=lambda row: row["person_id"], reverse=True)
        if row["user_id"] is not None
    }
    return by_user | {row["person_id"]: row["person_id"] for row in people}


def automation_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    people = logins(tables)
    owner = {("opportunities", row["opportunity_id"]): row["owner_id"] for row in records(tables, "opportunities")}
    owner |= {("leads", row["lead_id"]): row["owner_id"] for row in records(tables, "leads")}
    return sums(
        (
            (owner.get((row["table"], row["record_id"])), row["changed_at"], int(row["changed_by"] not in people), 1)
            for row in records(tables, "changes")
            if row["changed_by"] is not None
        ),
        until,
    )


def customer_records_entered(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    people = logins(tables)
    kept = {
        (row["owner_id"], row["account_id"], row["created_at"].normalize())
        for row in records(tables, "accounts")
        if row["created_at"] is not None
    } | {
        (people.get(row["changed_by"]), row["record_id"], row["changed_at"].normalize())
        for row in records(tables, "changes")
        if row["table"] == "accounts"
    }
    return sums(((who, day, 1, None) for who, _, day in kept), until)


def training_participation(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    months = defaultdict(list)
    for row in records(tables, "learning"):
        if row["kind"] == "training":
            months[row["person_id"], row["occurred_at"].strftime("%Y-%m")].append(row["offered"])

    def rows() -> Iterator[tuple]:
        for (who, month), offered in months.items():
            if any(number is not None for number in offered):
                most = max(number for number in offered if number is not None)
                yield who, last_day(month), len(offered), max(most, len(offered))

    return sums(rows(), until)


def quarterly_sharing_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    learning = [(row, str(pd.Period(row["occurred_at"], "Q"))) for row in records(tables, "learning")]
    shared = {(row["person_id"], quarter) for row, quarter in learning if row["kind"] == "sharing"}

    def rows() -> Iterator[tuple]:
        for quarter in {quarter for _, quarter in learning}:
            day = last_day(quarter)
            for person in records(tables, "people"):
                hired, left = person["hired_on"], person["left_on"]
                if (hired is None or hired <= day) and (left is None or left >= day):
                    yield person["person_id"], day, int((person["person_id"], quarter) in shared), 1

    return sums(rows(), until)


def support_proposals(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    words = ("售前", "方案", "支持", "presales", "pre-sales", "presale", "solution", "support", "sales engineer")
    support = {
        row["person_id"]
        for row in records(tables, "people")
        if any(word in (row["role"] or "").lower() for word in words)
    }
    rows = activities(tables, until, "proposal")
    return sums(((row["person_id"], row["occurred_at"], 1, None) for row in rows if row["person_id"] in support), until)


_PLAIN = (
    repurchase_rate, repurchase_amount_per_customer, repeat_purchase_rate, repeat_buyers_growth,
    first_year_customer_value, first_year_customer_margin, first_year_retention_rate, second_purchases, referred_leads,
    referred_wins, active_account_rate, complaint_rate, customer_feedback, success_cases, joint_call_rate,
    selling_partner_rate, crm_filing_rate, crm_completeness, entry_timeliness, automation_rate, customer_records_entered,
    training_participation, quarterly_sharing_rate, support_proposals,
)  # fmt: skip
NAIVE: dict[str, Callable[[Tables, pd.Timestamp], pd.DataFrame]] = {each.__name__: each for each in _PLAIN} | {
    "renewal_rate": renewals(lambda _: 1.0),
    "renewed_amount_rate": renewals(lambda row: float(row["amount"])),
    "customer_satisfaction": surveys("csat", lambda row, owner: owner.get(row["account_id"]), points),
    "team_customer_satisfaction": surveys("csat", lambda row, owner: owner.get(row["account_id"]), points),
    "nps": surveys("nps", lambda row, owner: owner.get(row["account_id"]), recommends),
    "peer_rating": surveys("peer", lambda row, _: row["subject_id"], points),
    "delivery_satisfaction": surveys(
        "delivery", lambda row, owner: row["subject_id"] or owner.get(row["account_id"]), points
    ),
    "employee_satisfaction": surveys("employee", lambda row, _: row["rater_id"] or row["subject_id"], points),
    "cross_team_feedback": rated("cross_team_feedback", in_points=True),
    "proposal_quality": rated("proposal_quality", in_points=True),
    "joint_tasks_on_time_rate": rated("joint_tasks_on_time", in_points=False),
    "crm_accuracy": rated("crm_accuracy", in_points=False),
    "error_rate": rated("kpi_audit", in_points=False),
    "cross_team_projects": learned("cross_team"),
    "confirmed_help": learned("help", confirmed=True),
    "skill_records": learned("training", "sharing"),
    "sharing_sessions": learned("sharing"),
}
