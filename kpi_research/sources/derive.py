"""Canonical tables that no export is, but that stand inside others: teams, owners as people, won deals, diaries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from kpi_research.crm.tables import TABLES
from kpi_research.sources.mapping import OneOrMore, TableMapping, Unfold
from kpi_research.sources.profile import Profile
from kpi_research.sources.proposal import Doubt, Guess, Look, Proposal, as_list, by_header, depends_on
from kpi_research.sources.propose import DECIDED, propose_table
from kpi_research.sources.synonyms import kind_of, named, outcome_of, synonyms

PERSON_COLUMNS = ("owner_id", "person_id")
LISTS_OWNERS = ("opportunities", "contracts", "activities", "leads", "accounts")
"""Where people are taken from if nobody lists them, in this order: who sells first."""
KEPT_OPTIONS = ("unless", "zone", "nulls", "ids", "dates", "units", "fill_down", "encoding", "delimiter", "header_row")
"""What holds for an export whichever table is taken out of it."""
SIGNED = {"opportunity_id": ("contract_id", "opportunity_id"), "account_id": ("account_id",), "owner_id": ("owner_id",),
          "closed_at": ("signed_at",), "amount": ("amount",), "currency": ("currency",)}  # fmt: skip
"""Column of a won opportunity -> columns of the contract that it stands for."""
NAME_IN_NAME = r"^([^(（]+)"


def derive(proposals: Sequence[Proposal]) -> list[Proposal]:
    """The proposals with everything that can be read out of the same exports besides."""
    found = list(proposals)
    for each in proposals:
        found += _deals_of_customers(each) if not _has(found, "opportunities") else []
    # the deal of a customer says more of its notes than the customer: the last proposal of an export counts
    found += [diary for each in {each.look.name: each for each in found}.values() for diary in _diary(each)]
    if not _has(found, "contracts"):
        found += [signed for each in _whole(found, "opportunities") if (signed := _signed(each))]
    if not _has(found, "people"):
        found += _owners(found)
    if not _has(found, "assignments"):
        found += _teams(found)
    return _told_apart(found)


def _has(proposals: Iterable[Proposal], table: str) -> bool:
    return any(each.table == table and not each.missing for each in proposals)


def _whole(proposals: Iterable[Proposal], table: str) -> list[Proposal]:
    return [each for each in proposals if each.table == table and not each.missing]


def _deals_of_customers(given: Proposal) -> list[Proposal]:
    """A list of customers that says of each whether it was won or lost is a list of deals as well."""
    if given.table not in ("accounts", "leads") or given.missing:
        return []
    for header in given.leftover:
        profile = given.look.profiles[header]
        key = given.header(TABLES[given.table].key[0])
        if key and profile.complete and set(DECIDED) <= {outcome_of(value) for value in profile.values}:
            return [propose_table(given.look, "opportunities", {"opportunity_id": key, "stage": header})]
    return []


def _diary(given: Proposal) -> list[Proposal]:
    """Notes with their dates before them, all in one cell, are activities."""
    header = next((head for head in given.leftover if given.look.profiles[head].is_diary), None)
    person, key = given.header("owner_id"), given.header(TABLES[given.table].key[0])
    if not (header and person and key):
        return []
    date, text = _unused(given.look, "note_date"), _unused(given.look, "note_text")
    pattern = synonyms().notes.replace("DATE", date).replace("TEXT", text)
    columns = {"person_id": person, "occurred_at": date, "kind": text}
    columns |= {column: head for column in ("account_id", "opportunity_id") if (head := given.header(column))}
    said = _kinds_in(given.look.profiles[header], pattern, text)
    known = {value: kind for value, kind in said.items() if kind}
    made = _taken_from(
        given,
        "activities",
        columns,
        join={"activity_id": [key, date, text]},
        values={"kind": known} if known else {},
        unfold=Unfold(column=header, pattern=pattern),
        distinct=True,
    )
    seen = tuple(Guess(column, header, "content") for column in ("activity_id", "kind", "occurred_at"))
    copied = tuple(guess for guess in made.guesses if guess.column not in ("kind", "occurred_at"))
    unknown = tuple(value for value, kind in said.items() if not kind)
    doubts = (Doubt("unknown_kinds", given.look.name, "activities", "kind", unknown),) if unknown else ()
    return [replace(made, guesses=seen + copied, doubts=doubts)]


def _kinds_in(profile: Profile, pattern: str, group: str) -> dict[str, str | None]:
    """What the notes seen say, and the kind of activity that each speaks of; long notes are no kinds."""
    texts = [match[group].strip() for value in profile.values for match in re.finditer(pattern, value)]
    return {text: kind_of(text) for text in dict.fromkeys(texts) if 0 < len(text) <= 40}


def _unused(look: Look, name: str) -> str:
    while name in look.headers:
        name += "_"
    return name


def _signed(given: Proposal) -> Proposal | None:
    """Where nobody keeps contracts a won opportunity is the sale."""
    columns = {
        target: header for column, targets in SIGNED.items() if (header := given.header(column)) for target in targets
    }
    won = _where_won(given.mapping)
    if not won or not {"contract_id", "signed_at", "amount"} <= set(columns):
        return None
    currency = {name: value for name, value in given.mapping.constants.items() if name == "currency"}
    return _taken_from(given, "contracts", columns, where=won, constants=currency)


def _where_won(mapping: TableMapping) -> dict[str, OneOrMore]:
    """The conditions under which a mapping calls an opportunity won."""
    if cases := mapping.cases.get("outcome"):
        return dict(cases[0].where) if cases[0].value == "won" else {}
    header = next((head for head, targets in mapping.columns.items() if "outcome" in as_list(targets)), None)
    won = [value for value, outcome in mapping.values.get("outcome", {}).items() if outcome == "won"]
    return {header: won if len(won) > 1 else won[0]} if header and won else {}


def _taken_from(given: Proposal, table: str, columns: dict[str, str], **said: object) -> Proposal:
    """Another table out of the same export, with those options of the first that hold for it too."""
    mapping = given.mapping
    kept: dict[str, object] = {"file": mapping.file, "sheet": mapping.sheet, "table": mapping.table}
    for option in KEPT_OPTIONS:
        found = getattr(mapping, option)
        if option in ("dates", "units") and isinstance(found, dict):
            told = {given.header(column): form for column, form in found.items()}
            found = {column: told[header] for column, header in columns.items() if header in told} or None
            found = found if found or option == "dates" else {}
        kept[option] = found
    whole = TableMapping.model_validate({**kept, "columns": by_header(columns), **said})
    guesses = tuple(Guess(column, header, "derived") for column, header in columns.items())
    return Proposal(given.look, table, whole, guesses, system=given.system)


def _owners(proposals: Sequence[Proposal]) -> list[Proposal]:
    """Where nobody lists the people they are the owners of what they sold."""
    ranked = [each for table in LISTS_OWNERS for each in _whole(proposals, table)]
    for each in ranked:
        header = next((head for column in PERSON_COLUMNS if (head := each.header(column))), None)
        if not header:
            continue
        profile = each.look.profiles[header]
        columns = {"person_id": header, "name": header} | ({"email": header} if profile.is_form("email") else {})
        picked = {"person_id": synonyms().number_in_name, "name": NAME_IN_NAME}
        pick = picked if profile.is_form("name_and_number") else {}
        return [_taken_from(each, "people", columns, pick=pick, distinct=True)]
    return []


def _teams(proposals: Sequence[Proposal]) -> list[Proposal]:
    """Teams and who is in them, from a column that stands beside people."""
    found: list[Proposal] = []
    for people in _whole(proposals, "people"):
        person, look = people.header("person_id"), people.look
        groups = _groups(look)
        steady = [header for header in groups if person and depends_on(look, header, person)]
        if not steady or not person:
            return [_moving(people, groups)] if groups else []
        group, region = steady[0], _region_of(look, steady[0])
        if not _has(proposals, "teams"):
            columns = {"team_id": group, "name": _name_of(look, group)} | ({"region": region} if region else {})
            doubt = Doubt("teams", look.name, "teams", "team_id", tuple(steady[1:]), {"chosen": group})
            teams = _taken_from(people, "teams", columns, distinct=True)
            found.append(replace(teams, doubts=(doubt,) if len(steady) > 1 else ()))
        pick = {name: pattern for name, pattern in people.mapping.pick.items() if name == "person_id"}
        joined = {"person_id": person, "team_id": group}
        found.append(_taken_from(people, "assignments", joined, pick=pick, distinct=True))
    return found


def _groups(look: Look) -> list[str]:
    """Headers that may name a person's team, the likeliest first: its id, its name, the superior, the region."""
    hits = named(look.headers, "people")
    ids = [hit.header for hit in named(look.headers, "teams").get("team_id", [])]
    others = [hit.header for column in ("team", "manager", "region") for hit in hits.get(column, [])]
    return [header for header in dict.fromkeys(ids + others) if look.profiles[header].filled]


def _name_of(look: Look, group: str) -> str:
    names = [hit.header for hit in named(look.headers, "people").get("team", []) if hit.header != group]
    return next((name for name in names if depends_on(look, name, group)), group)


def _region_of(look: Look, group: str) -> str | None:
    regions = [hit.header for hit in named(look.headers, "people").get("region", []) if hit.header != group]
    return next((region for region in regions if depends_on(look, region, group)), None)


def _moving(people: Proposal, groups: list[str]) -> Proposal:
    """Nothing can be written of people who stand in several teams without dates; it is only said."""
    doubt = Doubt("moves", people.look.name, "assignments", "team_id", tuple(groups))
    return replace(_taken_from(people, "assignments", {}), doubts=(doubt,), missing=("team_id",))


def _told_apart(proposals: list[Proposal]) -> list[Proposal]:
    """Ids of several exports of one table get their file's name before them where they may meet."""
    activities = _whole(proposals, "activities")
    plain = [each for each in activities if "activity_id" not in each.mapping.prefix and not each.system]
    if len(activities) < 2:
        return proposals
    named_apart = {
        id(each): replace(each, mapping=each.mapping.model_copy(update={"prefix": {"activity_id": _stem(each)}}))
        for each in plain
    }
    return [named_apart.get(id(each), each) for each in proposals]


def _stem(given: Proposal) -> str:
    ending = "notes" if given.mapping.unfold else given.look.sheet or ""
    return "-".join(part for part in (given.look.stem, ending) if part) + "-"
