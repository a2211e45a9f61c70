"""What the exports of a folder say of each other: the same records twice, and by what people are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kpi_research.crm.tables import TABLES
from kpi_research.sources.derive import PERSON_COLUMNS
from kpi_research.sources.mapping import PERSON_KEYS
from kpi_research.sources.proposal import Doubt, Guess, Proposal, as_list, needed, values_of

SAME_RECORDS = 0.5
"""Two exports of one table that share more of their ids than this hold the same records twice."""
STRANGERS = 0.5
"""More owners than this who are on no list of people mean that the list is another one, or keyed otherwise."""
EXAMPLES = 5


def taken_once(proposals: Sequence[Proposal]) -> tuple[list[Proposal], list[Doubt]]:
    """The proposals without those whose records another export of the same table holds already."""
    kept: list[Proposal] = []
    doubts: list[Doubt] = []
    for each in proposals:
        twin = next((other for other in kept if _same_records(each, other)), None)
        if twin:
            doubts.append(Doubt("again", each.look.name, each.table, values={"other": twin.look.name}))
        else:
            kept.append(each)
    return kept, doubts


def chosen(proposals: Sequence[Proposal]) -> tuple[list[Proposal], list[Doubt]]:
    """Of a database's tables those of its system; of the others only what it does not give, and that whole.

    What looks like a list of customers beside the customers of a CRM is a log, a copy or another program's.
    """
    given = {each.table for each in proposals if each.system}
    kept = [each for each in proposals if each.system or not given or not (each.missing or each.table in given)]
    beside: dict[str, list[str]] = {}
    for each in proposals:
        if each.table in given and not each.system and not each.missing:
            beside.setdefault(each.table, []).append(each.look.name)
    return kept, [Doubt("beside", table=table, candidates=tuple(names)) for table, names in beside.items()]


def lacking(proposals: Sequence[Proposal]) -> list[Doubt]:
    """What of each system's map could not be used, since exports lack the columns for it."""
    parts: dict[str, list[str]] = {}
    for each in proposals:
        parts.setdefault(each.system, []).extend(f"{each.table} {part}" for part in each.dropped)
    return [
        Doubt("dropped", candidates=tuple(dict.fromkeys(said)), values={"system": system})
        for system, said in parts.items()
        if said
    ]


def keyed_as_referred(proposals: Sequence[Proposal]) -> tuple[list[Proposal], list[Doubt]]:
    """The proposals with people known by what other exports name them by; and columns whose people are on no list.

    A list of people may have ids, numbers and names, while deals only say a name: then the name is the key.
    """
    people = next((each for each in proposals if each.table == "people" and not each.missing), None)
    if not people:
        return list(proposals), []
    given = _references(proposals, people)
    listed = {
        header: values_of(people.look, header)
        for key in ("person_id", *PERSON_KEYS)
        if (header := people.header(key)) and (key == "person_id" or people.look.profiles[header].unique)
    }
    old = people.header("person_id")
    if not listed or not old:
        return list(proposals), []
    met = {header: sum(len(known & each.values) for each in given) for header, known in listed.items()}
    best = max(met, key=lambda header: met[header])
    doubts = [doubt for each in given if (doubt := _strangers(each, listed[best]))]
    rekeyed = [_rekeyed(each, old, best) if each.look is people.look and best != old else each for each in proposals]
    return rekeyed, doubts


def nothing_kept(proposals: Sequence[Proposal]) -> list[Doubt]:
    """Tables of which no row would be kept: a condition leaves all out, or a column that they need is empty."""
    doubts: list[Doubt] = []
    for each in proposals:
        if each.missing:
            continue
        empty = [header for column in needed(each.table) if (header := each.header(column)) and _is_empty(each, header)]
        out = [header for header, values in each.mapping.unless.items() if _says_only(each, header, as_list(values))]
        doubts += [Doubt("empty", each.look.name, each.table, candidates=tuple(empty), essential=True)] if empty else []
        doubts += [Doubt("left_out", each.look.name, each.table, candidates=tuple(out))] if out else []
    return doubts


def _is_empty(given: Proposal, header: str) -> bool:
    profile = given.look.profiles.get(header)
    return profile is not None and profile.rows > 0 and profile.filled == 0


def _says_only(given: Proposal, header: str, values: Sequence[str]) -> bool:
    """Whether every cell of a column says one of some words."""
    profile = given.look.profiles.get(header)
    words = {value.strip().casefold() for value in values}
    return bool(
        profile
        and profile.rows == profile.filled > 0
        and profile.complete
        and {value.casefold() for value in profile.values} <= words
    )


@dataclass(frozen=True)
class _Reference:
    proposal: Proposal
    column: str
    values: set[str]


def _references(proposals: Sequence[Proposal], people: Proposal) -> list[_Reference]:
    """Columns of other exports that name people; a column that several tables use counts once."""
    found: dict[tuple[str, str], _Reference] = {}
    for each in proposals:
        for column in PERSON_COLUMNS:
            header = each.header(column)
            own = each.look is people.look or each.system != people.system
            if header and not own and not each.missing and column not in each.mapping.pick:
                reference = _Reference(each, column, values_of(each.look, header))
                found.setdefault((each.look.name, header), reference)
    return list(found.values())


def _strangers(given: _Reference, listed: set[str]) -> Doubt | None:
    unknown = sorted(given.values - listed)
    if len(unknown) <= STRANGERS * len(given.values):
        return None
    counts = {"n": len(unknown), "all": len(given.values)}
    export, table = given.proposal.look.name, given.proposal.table
    return Doubt("strangers", export, table, given.column, tuple(unknown[:EXAMPLES]), counts)


def _rekeyed(given: Proposal, old: str, new: str) -> Proposal:
    """The same table with people known by another column of their list."""
    if given.header("person_id") != old:
        return given
    targets = {header: as_list(columns) for header, columns in given.mapping.columns.items()}
    targets[old] = [column for column in targets[old] if column != "person_id"]
    targets[new] = ["person_id", *targets.get(new, [])]
    columns = {header: found[0] if len(found) == 1 else found for header, found in targets.items() if found}
    guesses = tuple(
        Guess("person_id", new, "content") if guess.column == "person_id" else guess for guess in given.guesses
    )
    return replace(given, mapping=given.mapping.model_copy(update={"columns": columns}), guesses=guesses)


def _same_records(one: Proposal, other: Proposal) -> bool:
    key = TABLES[one.table].key
    if one.table != other.table or one.look is other.look or len(key) > 1:
        return False
    ids, others = (_ids(each, key[0]) for each in (one, other))
    return bool(ids) and len(ids & others) > SAME_RECORDS * len(ids)


def _ids(given: Proposal, key: str) -> set[str]:
    """A table's ids as they will be: call 1 and visit 1 are two where a map puts the kind before their numbers."""
    before = given.mapping.prefix.get(key, "")
    return {before + value for value in values_of(given.look, given.header(key))}
