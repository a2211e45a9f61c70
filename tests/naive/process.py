"""Activities, visits, follow-up and progress a second time, written from what the KPIs mean, row after row.

What holds at a period's end is looked at evening by evening.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable

import pandas as pd

from kpi_research.kpis.process_intent import INTENT_FIELDS, LEVEL_FIELDS, WORDS

CONTACTS = {"visit", "call", "meeting", "demo", "message", "proposal", "quote", "survey"}
DAY = pd.Timedelta(days=1)
Tables = dict[str, pd.DataFrame]
SUMS, VALUES = ["who", "when", "numerator", "denominator"], ["who", "when", "value"]
HELD = ["who", "since", "until", "numerator", "denominator"]


def records(tables: Tables, name: str) -> list[dict]:
    """Rows as dictionaries, empty cells being None."""
    rows = tables[name].to_dict("records")
    return [{key: None if pd.isna(value) else value for key, value in row.items()} for row in rows]


def activities(tables: Tables, until: pd.Timestamp, *kinds: str) -> list[dict]:
    """In the order in which they happened."""
    rows = [row for row in records(tables, "activities") if row["kind"] in kinds and row["occurred_at"] < until]
    return sorted(rows, key=lambda row: (row["occurred_at"], row["activity_id"]))


def orders(tables: Tables, until: pd.Timestamp) -> list[dict]:
    rows = [row for row in records(tables, "contracts") if row["cancelled_at"] is None and row["signed_at"] < until]
    rows = [row for row in rows if row["account_id"] is not None]
    return sorted(rows, key=lambda row: (row["signed_at"], row["contract_id"]))


def days(later: pd.Timestamp, earlier: pd.Timestamp) -> int:
    return (later.normalize() - earlier.normalize()).days


def is_open_on(deal: dict, day: pd.Timestamp) -> bool:
    """Whether a contact of that day fell into the deal's life, its first and last day included."""
    begun = deal["created_at"] is None or days(day, deal["created_at"]) >= 0
    return begun and (deal["outcome"] == "open" or days(day, deal["closed_at"]) <= 0)


def sums(rows: Iterable[tuple], until: pd.Timestamp, wait: int = 0) -> pd.DataFrame:
    """Of somebody, by the end of the data and old enough to be judged."""
    kept = [row for row in rows if None not in row[:2] and row[1].normalize() + wait * DAY < until]
    return pd.DataFrame(kept, columns=SUMS)


def values(rows: Iterable[tuple], until: pd.Timestamp) -> pd.DataFrame:
    return pd.DataFrame([row for row in rows if None not in row and row[1] < until], columns=VALUES)


def held(rows: Iterable[tuple]) -> pd.DataFrame:
    """`who, evening, numerator, denominator` as what holds for that one day; evenings are numbers of days."""
    frame = pd.DataFrame([(row[0], row[1], row[1] + 1, *row[2:]) for row in rows if row[0] is not None], columns=HELD)
    return frame.assign(**{name: frame[name].map(pd.Timestamp.fromordinal) for name in ("since", "until")})


def contact_days(tables: Tables, until: pd.Timestamp, key: str) -> dict[str, set[int]]:
    found = defaultdict(set)
    for row in activities(tables, until, *CONTACTS):
        found[row[key]].add(row["occurred_at"].toordinal())
    return found


def count_of(*kinds: str) -> Callable:
    def counted(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
        return sums(
            ((row["person_id"], row["occurred_at"], 1, None) for row in activities(tables, until, *kinds)), until
        )

    return counted


def by_customer_day(rows: list[dict]) -> dict[tuple, list[dict]]:
    """Rows of one person with one customer on one day; of an unknown customer each by itself."""
    found = defaultdict(list)
    for row in rows:
        customer = row["account_id"] if row["account_id"] is not None else row["activity_id"]
        found[row["person_id"], customer, row["occurred_at"].normalize()].append(row)
    return found


def once_a_customer_day(*kinds: str, where: Callable = lambda tables, row: True) -> Callable:
    def counted(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
        rows = [row for row in activities(tables, until, *kinds) if where(tables, row)]
        return sums(((key[0], same[0]["occurred_at"], 1, None) for key, same in by_customer_day(rows).items()), until)

    return counted


def second_contact_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows, seen = [], set()
    contacts = [row for row in activities(tables, until, *CONTACTS) if row["account_id"] is not None]
    for place, row in enumerate(contacts):
        if row["kind"] == "visit" and row["account_id"] not in seen:
            seen.add(row["account_id"])
            later = [each for each in contacts[place + 1 :] if each["account_id"] == row["account_id"]]
            again = bool(later) and later[0]["occurred_at"] <= row["occurred_at"] + 3 * DAY
            rows.append((row["person_id"], row["occurred_at"], again, 1))
    return sums(rows, until, 3)


def new_leads(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    return sums(((row["owner_id"], row["created_at"], 1, None) for row in records(tables, "leads")), until)


def win_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    decided = [row for row in records(tables, "opportunities") if row["outcome"] in ("won", "lost")]
    return sums(((row["owner_id"], row["closed_at"], row["outcome"] == "won", 1) for row in decided), until)


def path(deal: dict, changes: list[dict]) -> list[pd.Timestamp]:
    """When a deal got to each of its stages first, without what it got to when it was given up."""
    first: dict = {}
    for change in sorted(changes, key=lambda row: row["entered_at"]):
        first.setdefault(change["stage"], change["entered_at"])
    gone = deal["outcome"] in ("lost", "void")
    return [time for time in first.values() if not (gone and days(time, deal["closed_at"]) >= 0)]


def paths(tables: Tables) -> dict[str, tuple[dict, list[pd.Timestamp]]]:
    changes = defaultdict(list)
    for row in records(tables, "stage_changes"):
        changes[row["opportunity_id"]].append(row)
    return {
        deal["opportunity_id"]: (deal, path(deal, changes[deal["opportunity_id"]]))
        for deal in records(tables, "opportunities")
    }


def steps_ahead(deal: dict, entered: list[pd.Timestamp]) -> list[pd.Timestamp]:
    was_there = deal["created_at"] is not None and bool(entered) and days(entered[0], deal["created_at"]) > 0
    won = [deal["closed_at"]] if deal["outcome"] == "won" else []
    return (entered if was_there else entered[1:]) + won


def effective(tables: Tables, until: pd.Timestamp) -> Iterable[tuple]:
    known = paths(tables)
    contacted = defaultdict(set)
    for row in activities(tables, until, *CONTACTS):
        contacted[row["account_id"]].add(row["occurred_at"].normalize())
    for (person, _, day), visits in by_customer_day(activities(tables, until, "visit")).items():
        account = visits[0]["account_id"]
        led_on = account is not None and any(0 < days(each, day) <= 14 for each in contacted[account])
        for visit in visits:
            if visit["opportunity_id"] in known:
                moves = steps_ahead(*known[visit["opportunity_id"]])
                led_on = led_on or any(0 <= days(move, day) <= 14 for move in moves)
        proved = False
        for visit in visits:
            place = (visit["longitude"], visit["latitude"])
            located = None not in place and place != (0, 0)
            proved = proved or bool(located if visit["effective"] is None else visit["effective"])
        yield person, visits[0]["occurred_at"], proved and led_on


def effective_visits(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    return sums(((who, when, 1, None) for who, when, good in effective(tables, until) if good), until, 14)


def effective_visit_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    return sums(((who, when, good, 1) for who, when, good in effective(tables, until)), until, 14)


def is_at_hospital(tables: Tables, row: dict) -> bool:
    industries = tables["accounts"].set_index("account_id")["industry"]
    industry = str(industries.get(row["account_id"]) or "").lower()
    return any(word in industry for word in ("医院", "卫生院", "hospital")) and "hospitality" not in industry


def visited(tables: Tables, until: pd.Timestamp) -> Iterable[tuple]:
    """`person, account, day`, and whether it is the person's first there in that month."""
    rows = [row for row in activities(tables, until, "visit") if row["account_id"] is not None]
    seen = set()
    for person, account, day in by_customer_day(rows):
        month = (person, account, day.year, day.month)
        yield person, account, day, month not in seen
        seen.add(month)


def revisit_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows = list(visited(tables, until))
    again = lambda account, day: any(one == account and 0 < days(other, day) <= 90 for _, one, other, _ in rows)  # noqa: E731
    return sums(((who, day, again(account, day), 1) for who, account, day, first in rows if first), until, 90)


def visits_per_customer(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    return sums(((who, day, 1, int(first)) for who, _, day, first in visited(tables, until)), until)


def prospect_visits(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    signed = [(order["account_id"], order["signed_at"].normalize()) for order in orders(tables, until)]
    rows = [row[:3] for row in visited(tables, until)]
    is_new = lambda account, day: not any(one == account and other < day for one, other in signed)  # noqa: E731
    return sums(((who, day, 1, None) for who, account, day in rows if is_new(account, day)), until)


def proposal_days(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows, answered = [], set()
    done = activities(tables, until, "survey", "proposal")
    for row in (each for each in done if each["kind"] == "proposal"):
        deal, account = row["opportunity_id"], row["account_id"]
        times = [
            survey["occurred_at"] for survey in done
            if survey["kind"] == "survey" and survey["occurred_at"] <= row["occurred_at"] and (
                (deal is not None and survey["opportunity_id"] == deal)
                or (account is not None and survey["account_id"] == account and None in (deal, survey["opportunity_id"]))
            )
        ]  # fmt: skip
        if times and (deal, account, max(times)) not in answered:
            answered.add((deal, account, max(times)))
            rows.append((row["person_id"], row["occurred_at"], days(row["occurred_at"], max(times))))
    return values(rows, until)


def followed(tables: Tables, until: pd.Timestamp) -> dict[str, tuple[dict, list[pd.Timestamp]]]:
    """Deals, and the days on which they were contacted while they were open."""
    deals = {row["opportunity_id"]: (row, set()) for row in records(tables, "opportunities")}
    for row in activities(tables, until, *CONTACTS):
        deal, found = deals.get(row["opportunity_id"], ({}, set()))
        if deal and is_open_on(deal, row["occurred_at"]):
            found.add(row["occurred_at"].normalize())
    return {key: (deal, sorted(found)) for key, (deal, found) in deals.items()}


def follow_up_interval_days(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows = []
    for deal, contacted in followed(tables, until).values():
        rows += [
            (deal["owner_id"], day, days(day, before))
            for before, day in zip(contacted[:-1], contacted[1:], strict=True)
        ]
    return values(rows, until)


def follow_up_success_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows, known = [], paths(tables)
    for key, (deal, contacted) in followed(tables, until).items():
        moves, months = steps_ahead(*known[key]), set()
        for day in contacted:
            if (day.year, day.month) not in months:
                months.add((day.year, day.month))
                rows.append((deal["owner_id"], day, any(0 <= days(move, day) <= 30 for move in moves), 1))
    return sums(rows, until, 30)


def follow_up_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows, contacted = [], contact_days(tables, until, "opportunity_id")
    for deal in records(tables, "opportunities"):
        if deal["created_at"] is not None:
            last = until if deal["outcome"] == "open" else min(until, deal["closed_at"])
            for evening in range(deal["created_at"].toordinal(), last.toordinal()):
                recent = any(0 <= evening - day < 30 for day in contacted[deal["opportunity_id"]])
                rows.append((deal["owner_id"], evening, int(recent), 1))
    return held(rows)


def first_rate(*kinds: str) -> Callable:
    def rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
        rows, contacts = [], activities(tables, until, *kinds)
        for lead in records(tables, "leads"):
            reached = any(
                0 <= days(row["occurred_at"], lead["created_at"]) <= 3
                and any(lead[key] is not None and lead[key] == row[key] for key in ("lead_id", "account_id"))
                for row in contacts
            )
            rows.append((lead["owner_id"], lead["created_at"], reached, 1))
        return sums(rows, until, 3)

    return rate


def existing_customer_contact_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows, bought, contacted = [], defaultdict(list), contact_days(tables, until, "account_id")
    for order in orders(tables, until):
        signed = order["signed_at"].toordinal()
        ends = signed if order["ends_on"] is None else order["ends_on"].toordinal()
        bought[order["account_id"]].append((signed, max(signed + 364, ends), order["owner_id"]))
    for account, signed in bought.items():
        for evening in range(signed[0][0], until.toordinal()):
            so_far = [order for order in signed if order[0] <= evening]
            if any(evening <= last for _, last, _ in so_far):
                recent = any(0 <= evening - day < 90 for day in contacted[account])
                rows.append((so_far[-1][2], evening, int(recent), 1))
    return held(rows)


def key_nodes_on_time_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows = []
    for deal, entered in paths(tables).values():
        won = [deal["closed_at"]] if deal["outcome"] == "won" else []
        for place, time in enumerate(entered):
            if deal["outcome"] != "open" and days(time, deal["closed_at"]) >= 0:
                continue
            in_time = any(days(each, time) <= 30 for each in entered[place + 1 :] + won)
            given_up = deal["outcome"] in ("lost", "void") and days(deal["closed_at"], time) <= 30
            if in_time or not given_up:
                rows.append((deal["owner_id"], time, in_time, 1))
    return sums(rows, until, 30)


def closed_as_expected_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows = []
    for deal in records(tables, "opportunities"):
        if deal["outcome"] != "void" and deal["expected_close_on"] is not None:
            met = deal["outcome"] != "open" and days(deal["closed_at"], deal["expected_close_on"]) <= 0
            rows.append((deal["owner_id"], deal["expected_close_on"], met, 1))
    return sums(rows, until)


def level(text: str | None) -> tuple[str, float] | None:
    """What a level is measured in, and how high it is."""
    text = (text or "").strip().lower()
    if number := re.match(r"(\d+(\.\d+)?)(?![\d.])", text):
        return ("number", float(number[1])) if len(number[1].split(".")[0]) <= 3 else None
    if re.match(r"[a-e](类|级|$)", text):
        return "letter", -ord(text[0])
    return next((("word", place) for words, place in WORDS if text in words), None)


def intent_rise_rate(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    risen = defaultdict(list)
    for row in records(tables, "changes"):
        fields = INTENT_FIELDS if row["table"] == "accounts" else INTENT_FIELDS + LEVEL_FIELDS
        old, new = level(row["old"]), level(row["new"])
        if row["field"].strip().lower() in fields and old and new and old[0] == new[0] and new[1] > old[1]:
            risen[row["table"], row["record_id"]].append(row["changed_at"])
    rows = []
    for row in activities(tables, until, *CONTACTS):
        about = [(table, row[key]) for table, key in
                 (("opportunities", "opportunity_id"), ("leads", "lead_id"), ("accounts", "account_id"))
                 if row[key] is not None]  # fmt: skip
        if about:
            rose = any(0 <= days(time, row["occurred_at"]) <= 14 for each in about for time in risen[each])
            rows.append((row["person_id"], row["occurred_at"], rose, 1))
    return sums(rows, until, 14)


NAIVE: dict[str, Callable[[Tables, pd.Timestamp], pd.DataFrame]] = {
    "visits": once_a_customer_day("visit"),
    "calls": count_of("call"),
    "booked_meetings": once_a_customer_day("appointment", "meeting"),
    "meetings_held": count_of("meeting"),
    "need_surveys": count_of("survey"),
    "proposals": count_of("proposal"),
    "quotes": count_of("quote"),
    "demos": count_of("demo"),
    "trial_requests": count_of("trial"),
    "academic_meetings": count_of("conference"),
    "follow_ups": count_of(*CONTACTS),
    "visitors_received": count_of("reception"),
    "second_contact_rate": second_contact_rate,
    "new_leads": new_leads,
    "win_rate": win_rate,
    "effective_visits": effective_visits,
    "effective_visit_rate": effective_visit_rate,
    "hospital_visits": once_a_customer_day("visit", where=is_at_hospital),
    "revisit_rate": revisit_rate,
    "visits_per_customer": visits_per_customer,
    "prospect_visits": prospect_visits,
    "proposal_days": proposal_days,
    "follow_up_interval_days": follow_up_interval_days,
    "follow_up_success_rate": follow_up_success_rate,
    "follow_up_rate": follow_up_rate,
    "first_visit_rate": first_rate("visit"),
    "first_contact_rate": first_rate(*CONTACTS),
    "existing_customer_contact_rate": existing_customer_contact_rate,
    "key_nodes_on_time_rate": key_nodes_on_time_rate,
    "closed_as_expected_rate": closed_as_expected_rate,
    "intent_rise_rate": intent_rise_rate,
}
