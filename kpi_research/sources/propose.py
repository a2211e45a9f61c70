"""An export of a system that nobody knows: which canonical table it is, by what its columns are called and hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kpi_research.crm.tables import TABLES
from kpi_research.sources.mapping import PERSON_KEYS, Lines, TableMapping
from kpi_research.sources.proposal import (
    Doubt,
    Guess,
    Look,
    Proposal,
    Reason,
    by_header,
    depends_on,
    is_key,
    needed,
    values_of,
)
from kpi_research.sources.synonyms import factor_of, hint, kind_of, named, outcome_of, plain, specific, synonyms

LEAST_SCORE = 6
"""Below this an export has too little in common with a table for anything to be said of it."""
NAMES_ALONE = 4
"""What a file's own name counts: as much as two headers that only this table has."""
NAMED_BY_THEMSELVES = ("people", "teams", "accounts", "products", "channels")
"""Tables whose rows may be known by their names where there is no id."""
DECIDED = ("won", "lost")


@dataclass
class _Draft:
    """A table in the making."""

    look: Look
    table: str
    columns: dict[str, str]
    reasons: dict[str, Reason]
    options: dict[str, object]
    doubts: list[Doubt]

    def set(self, column: str, header: str, reason: Reason) -> None:
        self.columns[column] = header
        self.reasons[column] = reason

    def doubt(self, topic: str, column: str = "", candidates: tuple[str, ...] = (), **values: object) -> None:
        essential = bool(values.pop("essential", False))
        self.doubts.append(
            Doubt(topic, self.look.name, self.table, column, candidates, values, essential)  # type: ignore[arg-type]
        )


def propose(look: Look) -> Proposal | None:
    """The canonical table that an export resembles most, whole or with columns missing; None if it resembles none."""
    scored = [
        (found, table)
        for table in TABLES
        if table in synonyms().tables and (found := score(look.place, look.headers, table))
    ]
    drafts = [(points, propose_table(look, table)) for points, table in scored if points >= LEAST_SCORE]
    if not drafts:
        return None
    return max(drafts, key=lambda found: (not found[1].missing, found[0]))[1]


def propose_table(look: Look, table: str, known: Mapping[str, str] | None = None) -> Proposal:
    """One canonical table out of an export.

    Parameters
    ----------
    known
        Canonical column -> header, where something else has told it.
    """
    draft = _Draft(look, table, {}, {}, {}, [])
    for column, header in (known or {}).items():
        draft.set(column, header, "derived")
    _choose_columns(draft)
    if table == "opportunities":
        _find_outcome(draft)
    if table == "activities":
        _find_kind(draft)
    _find_key(draft)
    _say_forms(draft)
    return _finished(draft)


def score(place: str, headers: Sequence[str], table: str) -> int:
    """How much of a table's own words the headers are, its name in the export's name included.

    Parameters
    ----------
    place
        What the file, sheet or table of a database is called.
    """
    own, words = specific(table), synonyms().tables[table]
    found = {hits[0].header for hits in named(headers, table).values()}
    points = sum(2 if plain(header) in own else 1 for header in found)
    # of several tables' names in a file's name the longest is meant: sales_teams are no teams, emails no mail order
    mine = hint(place, words.names)
    best = max(hint(place, other.names) for other in synonyms().tables.values())
    return points + (NAMES_ALONE if mine and mine == best else 0) if len(found) > 1 else 0


def _choose_columns(draft: _Draft) -> None:
    """For each column the best header of its name whose cells may be of its kind."""
    look, canonical = draft.look, TABLES[draft.table].columns
    for column, hits in named(look.headers, draft.table).items():
        if column not in canonical or column in draft.columns:
            continue
        filled = [hit for hit in hits if look.profiles[hit.header].filled]
        fitting = [hit for hit in filled if look.profiles[hit.header].fits(canonical[column].kind)]
        if fitting and column not in ("outcome", "kind"):
            draft.set(column, fitting[0].header, "synonym")
        elif filled and not fitting:
            draft.doubt("misfit", column, tuple(hit.header for hit in filled))
    chosen = set(draft.columns.values())
    for column, hits in named(look.headers, draft.table).items():
        # a second id or name of the same thing is no other opinion
        if column not in canonical or (canonical[column].kind == "id" and canonical[column].refers != "people"):
            continue
        others = tuple(
            hit.header
            for hit in hits
            if column in draft.columns
            and hit.header not in chosen
            and look.profiles[hit.header].filled
            and look.profiles[hit.header].fits(canonical[column].kind)
        )
        if others:
            draft.doubt("alternatives", column, others, chosen=draft.columns[column])


def _find_outcome(draft: _Draft) -> None:
    """Won and lost are told by the words of a column; a won deal needs its day."""
    hits = named(draft.look.headers, draft.table)
    headers = dict.fromkeys(hit.header for column in ("outcome", "stage") for hit in hits.get(column, []))
    headers |= {draft.columns["stage"]: None} if "stage" in draft.columns else {}
    for header in headers:
        profile = draft.look.profiles[header]
        if not profile.complete or not any(outcome_of(value) == "won" for value in profile.values):
            continue
        # a value that only later rows hold counts as well
        said = {
            value: outcome_of(value)
            for value in dict.fromkeys([*profile.values, *sorted(values_of(draft.look, header))])
        }
        draft.set("outcome", header, "content")
        draft.options["values"] = {"outcome": {value: outcome or "open" for value, outcome in said.items()}}
        if still_open := tuple(value for value, outcome in said.items() if not outcome):
            draft.doubt("taken_as_open", "outcome", still_open)
        if "closed_at" not in draft.columns:
            draft.doubt("no_closing", "closed_at", _dates_left(draft), essential=True)
        return


def _find_kind(draft: _Draft) -> None:
    """Kinds of activities are told by the words of a column, or of the file's name."""
    hits = named(draft.look.headers, draft.table).get("kind", [])
    for header in (hit.header for hit in hits):
        profile = draft.look.profiles[header]
        said = {value: kind_of(value) for value in profile.values}
        if any(said.values()):
            draft.set("kind", header, "synonym")
            draft.options["values"] = {"kind": {value: kind for value, kind in said.items() if kind}}
            if unknown := tuple(value for value, kind in said.items() if not kind):
                draft.doubt("unknown_kinds", "kind", unknown)
            return
    if kind := kind_of(draft.look.table or draft.look.sheet or draft.look.file):
        draft.options["constants"] = {"kind": kind}
        draft.reasons["kind"] = "file_name"


def _find_key(draft: _Draft) -> None:
    """Every row needs what tells it from the others: its id, its name, or several columns together."""
    look, key = draft.look, TABLES[draft.table].key
    if len(key) > 1:
        return
    if key[0] not in draft.columns:
        known = _known_by(draft)
        joined = list(dict.fromkeys(draft.columns[column] for column in draft.columns if column != "name"))
        if known and (draft.table in NAMED_BY_THEMSELVES or look.profiles[known].unique):
            draft.set(key[0], known, "derived")
        elif not _missing(draft, besides=key[0]) and is_key(look, joined):
            draft.options["join"] = {key[0]: joined}
            draft.reasons[key[0]] = "derived"
            return
        else:
            return
    elif draft.table == "people" and "name" not in draft.columns:
        draft.set("name", draft.columns[key[0]], "derived")
    header = draft.columns[key[0]]
    if look.profiles[header].distinct < look.profiles[header].filled:
        _repeated(draft, header)


def _known_by(draft: _Draft) -> str | None:
    """What stands for an id that is not there: of people the surest of their other keys, of all else the name."""
    keys = PERSON_KEYS if draft.table == "people" else ("name",)
    given = [draft.columns[key] for key in keys if key in draft.columns]
    return next((header for header in given if draft.look.profiles[header].unique), given[-1] if given else None)


def _repeated(draft: _Draft, key: str) -> None:
    """Several rows a record: order lines are added up, what only names things is taken once, the rest is asked."""
    if draft.table == "contracts" and "amount" in draft.columns:
        on_lines: list[str] = [
            name for name in ("amount", "cost") if name in draft.columns and _varies(draft, key, name)
        ]
        draft.options["lines"] = Lines(per="contract_id", sum=on_lines)
        draft.doubt("lines", "amount", tuple(on_lines), key=key)
    elif draft.table in NAMED_BY_THEMSELVES:
        draft.options["lines"] = Lines(per=TABLES[draft.table].key[0])
    else:
        draft.doubt("key_repeats", TABLES[draft.table].key[0], (key,))


def _varies(draft: _Draft, key: str, column: str) -> bool:
    return not depends_on(draft.look, draft.columns[column], key)


def _say_forms(draft: _Draft) -> None:
    """Dates, units and cells that cannot be read without being told."""
    dates, doubts = dates_of(draft.look, draft.table, draft.columns)
    draft.doubts += doubts
    units: dict[str, float] = {}
    pick: dict[str, str] = {}
    for column, header in draft.columns.items():
        profile, spec = draft.look.profiles[header], TABLES[draft.table].columns[column]
        if spec.kind == "money" and (factor := factor_of(header)):
            units[column] = factor
        if spec.refers == "people" and profile.is_form("name_and_number"):
            pick[column] = synonyms().number_in_name
        elif spec.refers == "people" and profile.separator:
            draft.doubt("several_values", column, (profile.separator,), header=header)
    draft.options |= {name: said for name, said in (("dates", dates), ("units", units), ("pick", pick)) if said}


def dates_of(look: Look, table: str, columns: Mapping[str, str]) -> tuple[dict[str, str], list[Doubt]]:
    """The forms of dates that must be named, by canonical column, and the columns where two forms are possible."""
    forms: dict[str, str] = {}
    doubts: list[Doubt] = []
    for column, header in columns.items():
        profile = look.profiles.get(header)
        if TABLES[table].columns[column].kind not in ("date", "time") or not (profile and profile.dates):
            continue
        if len(profile.dates) == 1:
            forms[column] = profile.dates[0]
        else:
            values = {"header": header, "sample": profile.values[0]}
            doubts.append(Doubt("day_or_month", look.name, table, column, profile.dates, values, essential=True))
    return forms, doubts


def _missing(draft: _Draft, besides: str = "") -> tuple[str, ...]:
    given = {*draft.columns, *draft.reasons, besides}
    return tuple(column for column in needed(draft.table) if column not in given)


def _finished(draft: _Draft) -> Proposal:
    look, missing = draft.look, _missing(draft)
    for column in missing:
        draft.doubt("missing", column, _candidates(draft, column), essential=True)
    mapping = TableMapping.model_validate({**look.lies, "columns": by_header(draft.columns), **draft.options})
    guesses = tuple(Guess(column, draft.columns.get(column, ""), reason) for column, reason in draft.reasons.items())
    used = {*draft.columns.values(), *(header for joined in mapping.join.values() for header in joined)}
    leftover = tuple(header for header in look.headers if header not in used)
    return replace(Proposal(look, draft.table, mapping, guesses, tuple(draft.doubts), missing), leftover=leftover)


def _candidates(draft: _Draft, column: str) -> tuple[str, ...]:
    """Headers left over whose cells may be those of a column."""
    spec, used = TABLES[draft.table].columns[column], set(draft.columns.values())
    # a column of stages may tell of the outcome as well
    left = [header for header in draft.look.headers if header not in used or column == "outcome"]
    profiles = [draft.look.profiles[header] for header in left if draft.look.profiles[header].filled]
    if spec.kind in ("date", "time"):
        return _dates_left(draft)
    if spec.refers == "people":
        return tuple(p.header for p in profiles if p.is_form("email") or (not p.unique and not p.is_form("number")))[:5]
    if spec.kind == "choice" or column in ("kind", "stage"):
        return tuple(p.header for p in profiles if p.complete and not p.is_form("number"))[:5]
    return tuple(p.header for p in profiles if p.fits(spec.kind) and (spec.kind != "id" or p.unique))[:5]


def _dates_left(draft: _Draft) -> tuple[str, ...]:
    used = set(draft.columns.values())
    return tuple(p.header for p in draft.look.profiles.values() if p.header not in used and p.filled and p.is_date)
