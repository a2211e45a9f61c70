"""Whose exports lie in a folder: every preset is held against the headers, what none knows is proposed by its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kpi_research.crm.tables import TABLES
from kpi_research.sources.derive import derive
from kpi_research.sources.export import Export
from kpi_research.sources.preset import (
    Preset,
    PresetTable,
    Resolved,
    find_preset,
    goes_with,
    has_needs,
    load_presets,
    normalise,
    resolve,
)
from kpi_research.sources.profile import profile
from kpi_research.sources.proposal import Doubt, Guess, Look, Proposal, Reason, as_list, needed
from kpi_research.sources.propose import LEAST_SCORE, dates_of, propose, score
from kpi_research.sources.synonyms import hint, synonyms
from kpi_research.sources.together import chosen, keyed_as_referred, lacking, nothing_kept, taken_once

WEIGHTS = {"D": 4, "S": 3, "I": 2, "N": 1}
"""What a column that a preset knows counts, by how well it is documented."""
REASONS: dict[str, Reason] = {"D": "documented", "S": "seen", "I": "inferred", "N": "unknown"}
NAME_HINT = 6
"""What it counts that a file bears the object's name."""
LEAST_COLUMNS = 4
"""A preset that finds fewer columns in an export proves nothing: `Id, Name, Owner` is in every system."""
CLOSE = 0.9
"""A second system whose score is at least this share of the first's cannot be told from it by headers."""


@dataclass(frozen=True)
class Recognised:
    """What lies in a folder.

    Parameters
    ----------
    systems
        Presets that were recognised, the main one first; none if headers were only read by their words.
    proposals
        Every canonical table, those with columns missing included.
    unused
        Exports that resemble nothing.
    doubts
        What is doubtful of the folder as a whole.
    """

    systems: tuple[str, ...]
    proposals: tuple[Proposal, ...]
    unused: tuple[Look, ...]
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True)
class _Match:
    """`named`: 2 if the export bears the object's own name, 1 if its name holds that, 0 if it is called otherwise."""

    system: str
    part: PresetTable
    resolved: Resolved
    score: float
    named: int


def look_at(export: Export, file: str = "", sheet: str | None = None, *, bare: str = "") -> Look:
    """An export with the profile of its columns.

    Parameters
    ----------
    file, sheet
        How a client file names it.
    bare
        Of a table of a database: its name without its schema.
    """
    table = export.name if bare else None
    return Look(file, sheet, export.rows, tuple(export.headers), profile(export.rows, export.headers), table, bare)


def likeness(place: str, headers: Sequence[str], preset: str | None = None) -> float:
    """How much there is in a table by its name and columns alone: 0 if it resembles nothing.

    Parameters
    ----------
    preset
        As for `recognise`.

    Raises
    ------
    InputError
        If there is no such preset.
    """
    if known := _matches(place, headers, _presets(preset)):
        return known[0].score
    words = max(score(place, headers, table) for table in synonyms().tables)
    return words if words >= LEAST_SCORE else 0


def recognise(looks: Sequence[Look], preset: str | None = None, *, picked: bool = True) -> Recognised:
    """Which systems' exports these are, and the canonical tables that they give.

    Parameters
    ----------
    preset
        The only system to be looked for, where its user knows it.
    picked
        Whether somebody chose the exports for this client. Of a database every table is seen that there is: an object
        of a system is then not taken out of tables that are called otherwise, nor what the system gives out of others.

    Raises
    ------
    InputError
        If there is no such preset, with the nearest name.
    """
    presets = _presets(preset)
    found = {look.name: _matches(look.place, look.headers, presets) for look in looks}
    found = found if picked else _by_name(found)
    systems, doubts = _systems(list(found.values()), presets, asked=preset)
    proposals = [proposal for look in looks for proposal in _proposals(look, _of_systems(found[look.name], systems))]
    whole = {proposal.table for proposal in proposals if not proposal.missing}
    # what lacks something is no loss where another export gives that table
    proposals = [proposal for proposal in proposals if not proposal.missing or proposal.table not in whole]
    proposals, beside = (proposals, []) if picked else chosen(proposals)
    unused = [look for look in looks if all(proposal.look is not look for proposal in proposals)]
    proposals, again = taken_once(proposals)
    derived = derive(proposals)
    derived, strangers = keyed_as_referred(derived)
    used = tuple(system for system in systems if any(each.system == system for each in proposals))
    if not any(each.table == "people" and not each.missing for each in derived):
        doubts.append(Doubt("no_people", essential=True))
    doubts += [*nothing_kept(derived), *again, *beside, *strangers, *lacking(derived)]
    return Recognised(used, tuple(derived), tuple(unused), tuple(doubts))


def _presets(preset: str | None) -> dict[str, Preset]:
    return {preset: find_preset(preset)} if preset else load_presets()


def _matches(place: str, headers: Sequence[str], presets: dict[str, Preset]) -> list[_Match]:
    """Every object of every preset that an export of this name may be, the likeliest first."""
    spelled = set(map(normalise, headers))
    found: list[_Match] = []
    for system, preset in presets.items():
        hints = [hint(place, part.names) for part in preset.tables]
        best = max(hints)
        for part, its_hint in zip(preset.tables, hints, strict=True):
            # a file called after an object is no object of a shorter name: a history of deals is no deal
            if 0 < its_hint < best or not has_needs(part, spelled):
                continue
            resolved = resolve(part, headers)
            whole = set(needed(part.table)) <= _filled(resolved)
            named = 0 < its_hint == best
            if whole and (named or len(resolved.grades) >= LEAST_COLUMNS):
                points = sum(WEIGHTS[grade] for _, grade in resolved.grades.values())
                exact = any(normalise(place) == normalise(name) for name in part.names)
                found.append(_Match(system, part, resolved, points + (NAME_HINT if named else 0), named + exact))
    return sorted(found, key=lambda match: -match.score)


def _by_name(found: dict[str, list[_Match]]) -> dict[str, list[_Match]]:
    """The matches without those of tables that are called otherwise than the one that bears an object's name.

    Beside `customer` a database has `customer_backup` and `customer_log`, with the same columns.
    """

    def thing(match: _Match) -> tuple[str, str, str]:
        return match.system, match.part.table, normalise(match.part.names[0])

    best: dict[tuple[str, str, str], int] = {}
    for match in (match for matches in found.values() for match in matches):
        best[thing(match)] = max(match.named, best.get(thing(match), 0))
    return {name: [each for each in matches if each.named == best[thing(each)]] for name, matches in found.items()}


def _filled(resolved: Resolved) -> set[str]:
    """The canonical columns that a resolved map fills."""
    mapping = resolved.mapping
    copied = {column for targets in mapping.columns.values() for column in as_list(targets)}
    return copied | set(mapping.join) | set(mapping.cases) | set(mapping.constants)


def _systems(
    found: list[list[_Match]], presets: dict[str, Preset], asked: str | None
) -> tuple[tuple[str, ...], list[Doubt]]:
    """The system that explains most of the exports, then those of other roles that explain what is left."""
    if asked:
        return (asked,), []
    chosen: list[str] = []
    doubts: list[Doubt] = []
    left = [matches for matches in found if matches]
    while left:
        roles = {presets[system].role for system in chosen}
        scores = {system: score for system, score in _scores(left).items() if presets[system].role not in roles}
        if not scores:
            break
        best = max(scores, key=lambda system: scores[system])
        close = tuple(system for system in scores if system != best and scores[system] >= CLOSE * scores[best])
        doubts += [Doubt("systems", candidates=close, values={"chosen": best})] if close else []
        chosen.append(best)
        left = [matches for matches in left if all(match.system != best for match in matches)]
    return tuple(chosen), doubts


def _scores(found: list[list[_Match]]) -> dict[str, float]:
    """System -> what it explains of all exports, for those that prove themselves on one of them."""
    scores: dict[str, float] = {}
    proven: set[str] = set()
    for matches in found:
        # the best stands first, so that of a system's matches the last written is its best
        for match in {match.system: match for match in reversed(matches)}.values():
            scores[match.system] = scores.get(match.system, 0) + match.score
            proven |= {match.system} if len(match.resolved.grades) >= LEAST_COLUMNS else set()
    return {system: score for system, score in scores.items() if system in proven}


def _of_systems(matches: list[_Match], systems: tuple[str, ...]) -> list[_Match]:
    """The matches of the first of the systems that knows the export."""
    system = next((system for system in systems if any(match.system == system for match in matches)), None)
    return [match for match in matches if match.system == system]


def _same_object(matches: list[_Match]) -> list[_Match]:
    """The best match, and what else the preset takes out of the same object: teams out of its users."""
    if not matches:
        return []
    return [matches[0], *(match for match in matches[1:] if goes_with(match.part, matches[0].part))]


def _proposals(look: Look, matches: list[_Match]) -> list[Proposal]:
    """What a system's preset takes out of an export; where it knows none, what its words say."""
    known = [_proposal(look, match) for match in _same_object(matches)]
    guessed = None if known else propose(look)
    return known or ([guessed] if guessed else [])


def _proposal(look: Look, match: _Match) -> Proposal:
    """A preset's map in the export's headers; where its dates are written otherwise the cells decide."""
    resolved, table = match.resolved, match.part.table
    copied = {column: header for column, (header, _) in resolved.grades.items()}
    dates, doubts = _dates(look, match, copied)
    # ids of 18 characters need not be completed
    short = any(look.profiles[header].shares["salesforce_15"] for header in copied.values())
    said = {**look.lies, "dates": dates, "ids": resolved.mapping.ids if short else None}
    mapping = resolved.mapping.model_copy(update=said)
    guesses = [Guess(column, header, REASONS[grade]) for column, (header, grade) in resolved.grades.items()]
    others = sorted(_filled(resolved) - set(resolved.grades))
    guesses += [Guess(column, "", "constant" if column in mapping.constants else "derived") for column in others]
    return Proposal(
        look,
        table,
        mapping,
        tuple(guesses),
        tuple(doubts),
        leftover=resolved.unmatched,
        system=match.system,
        dropped=resolved.dropped,
    )


def _dates(look: Look, match: _Match, copied: dict[str, str]) -> tuple[dict[str, str] | str | None, list[Doubt]]:
    """The preset's forms of dates, except for columns whose cells show another form."""
    given = match.resolved.mapping.dates
    seen, doubts = dates_of(look, match.part.table, copied)
    times = [column for column in copied if TABLES[match.part.table].columns[column].kind in ("date", "time")]
    known = dict.fromkeys(times, given) if isinstance(given, str) else dict(given or {})
    right = {column: form for column, form in known.items() if _may_be(look, copied.get(column), form)}
    left = [doubt for doubt in doubts if doubt.column not in right]
    if isinstance(given, str) and right == known and set(seen.values()) <= {given}:
        return given, left
    return {**right, **seen} or None, left


def _may_be(look: Look, header: str | None, form: str) -> bool:
    """Whether a column's cells may have a form of dates; of what is not copied or empty nothing is seen."""
    profile = look.profiles.get(header) if header else None
    return profile is None or not profile.filled or form in profile.dates
