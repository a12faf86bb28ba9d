"""Lay two records open: side by side, what matching found of them, what an answer would do.

Belongs here: choosing what of a pair may be seen. Does not belong here: which pairs there are (`review`), what
evidence weighs (`linkage`, `domain`), words (`texts`).

No token is handed out, and of a pair with a protective order no place (R56): where the two might be one person,
the address of either is the protected one's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from pipelines.domain.evidence import EVIDENCE
from pipelines.domain.names import fold
from pipelines.domain.points import OWN_REGISTER
from pipelines.domain.schemas import ADDRESSES, ROLES
from pipelines.domain.wording import STRENGTHS, without_whereabouts
from pipelines.linkage.matcher import Compared
from pipelines.linkage.model import Model
from pipelines.linkage.showing import evidence_of_each
from pipelines.steps.around import RECORD, Around, Pair, keys_of
from pipelines.store import frames, linkage
from pipelines.store import pairs as pairs_kept
from pipelines.store.judgements import RecordKey

HIDDEN, KNOWN, UNKNOWN = "hidden", "known", "unknown"
_SAID = (
    "family_name", "given_names", "called_name", "organisation_name", "name_role", "business_id",
    "death_date", "phone", "email",
)  # fmt: skip
_NAMES = {"family_name", "given_names", "called_name", "organisation_name"}
_TELLING = {"father_and_son"}  # rules that speak of a shared home
_ADDRESS = (
    "address_type", "care_of", "street_line", "postal_code", "post_office", "valid_from", "valid_to",
)  # fmt: skip


@dataclass(frozen=True)
class Weighed:
    """What matching found of a pair; evidence: what facts show and how strongly, guards: rules' names.

    levels: fact → level. is_current: whether the evidence can be weighed by the model in force.
    """

    score: float
    levels: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[tuple[str, str | None], ...] = ()
    guards: tuple[str, ...] = ()
    is_current: bool = False


@dataclass(frozen=True)
class Side:
    """One record of a pair, as a steward writes it, and the customer it belongs to.

    key: the source's own key, none where that is a token. records: how many the customer has.
    """

    record: str
    source: str
    key: str | None
    stated_at: str | None
    party_id: int | None
    records: int


@dataclass(frozen=True)
class Row:
    """What both records state in one field. mark: same, partly, differs, or nothing to compare."""

    field: str
    left: tuple[Mapping[str, str] | str, ...]
    right: tuple[Mapping[str, str] | str, ...]
    mark: str


@dataclass(frozen=True)
class Outlook:
    """What a yes would do. parties: the customers it concerns, ascending; the first one's id survives.

    records: how many they have together. obstacle: why the two can never be one. is_torn: other records of
    these customers hold different identities, so not all would come together. is_one: both records are one
    customer already.
    """

    parties: tuple[int, ...]
    records: int
    obstacle: str | None
    is_torn: bool
    is_one: bool


def weighed(conn: Connection, pairs: Sequence[Pair], around: Around) -> list[Weighed | None]:
    """What matching found of each pair; none where it never compared the two."""
    kept = linkage.latest_model(conn)
    model = None if kept is None else Model.of(kept)
    numbers = [tuple(sorted(around.number.get(record, -1) for record in pair)) for pair in pairs]
    asked = np.unique(np.array([n for both in numbers for n in both], dtype=np.int64))
    held = pairs_kept.having(conn, asked)
    protected = {
        both: any(map(around.is_protected, pair)) for both, pair in zip(numbers, pairs, strict=True)
    }
    found = _as_weighed(held, model, protected)
    return [found.get(both) for both in numbers]


def _as_weighed(
    held: pd.DataFrame, model: Model | None, protected: Mapping[tuple[int, ...], bool]
) -> dict[tuple[int, ...], Weighed]:
    """Kept pairs by their records' numbers, those that were asked for, all of one kind weighed at once."""
    found: dict[tuple[int, ...], Weighed] = {}
    for kind, every in held.groupby("party_type"):
        keys = list(zip(every["left_no"].astype(int), every["right_no"].astype(int), strict=True))
        is_asked = [key in protected for key in keys]
        rows, asked = every[is_asked], [key for key in keys if key in protected]
        scores = dict(zip(asked, rows["score"].astype(float), strict=True))
        if model is None:
            found.update((key, Weighed(score)) for key, score in scores.items())
        elif asked:
            found |= _shown(str(kind), rows, asked, scores, model, protected)
    return found


def _shown(
    table: str,
    rows: pd.DataFrame,
    asked: Sequence[tuple[int, int]],
    scores: Mapping[tuple[int, int], float],
    model: Model,
    protected: Mapping[tuple[int, ...], bool],
) -> dict[tuple[int, ...], Weighed]:
    """What the model in force shows of some kept pairs of a kind."""
    sides = (rows[name].to_numpy(dtype=np.int64) for name in ("left_no", "right_no", "pattern"))
    part = Compared.of(table, *sides)
    each = evidence_of_each(part, range(len(part.levels)), model.fits[table])
    levels = [
        {f: names[int(row[f])] for f, names in EVIDENCE[table].levels.items()}
        for row in part.levels.to_dict("records")
    ]
    found: dict[tuple[int, ...], Weighed] = {}
    for key, pattern in zip(asked, part.pattern.tolist(), strict=True):
        shown, is_protected = each[pattern], protected[key]
        evidence = [(said, weight) for said, weight in shown if weight in STRENGTHS]
        evidence.sort(key=lambda piece: STRENGTHS.index(piece[1]))
        guards = [said.partition(".")[2] for said, _ in shown if said.startswith("guard.")]
        found[key] = Weighed(
            score=scores[key],
            levels=levels[pattern],
            evidence=_told(evidence, is_protected),
            guards=tuple(name for name in guards if not (is_protected and name in _TELLING)),
            is_current=True,
        )
    return found


def _told(
    evidence: Sequence[tuple[str, str]], is_protected: bool
) -> tuple[tuple[str, str | None], ...]:
    """The evidence that may be told; of what a place is part of, not how it weighs."""
    if not is_protected:
        return tuple(evidence)
    bared = [(without_whereabouts(said), said, weight) for said, weight in evidence]
    return tuple((bare, weight if bare == said else None) for bare, said, weight in bared if bare)


def side(record: RecordKey, around: Around) -> Side:
    """A record and the customer it belongs to."""
    party = around.party(record)
    return Side(
        record=around.handle(record),
        source=record[0],
        key=None if around.is_token(record) else record[1],
        stated_at=_text(around.stated(record)["source_time"]),
        party_id=party,
        records=around.together([record]),
    )


def rows(
    conn: Connection,
    pair: Pair,
    weighed: Weighed | None,
    around: Around,
    is_protected: bool,
) -> list[Row]:
    """What either record states, field by field."""
    one, other = (around.stated(record) for record in pair)
    stated = [(name, _one(one[name]), _one(other[name])) for name in _SAID]
    said = [
        Row(name, left, right, _mark(_words(name, left), _words(name, right)))
        for name, left, right in stated
        if left or right
    ]
    if "person" in (one["party_type"], other["party_type"]):
        place = next(
            (n for n, row in enumerate(said) if row.field in ("phone", "email")), len(said)
        )
        said[place:place] = _identities(one, other, weighed)
    return [*said, *_places(conn, pair, around, is_protected), *_roles(conn, pair, is_protected)]


def _identities(one: pd.Series, other: pd.Series, weighed: Weighed | None) -> list[Row]:
    """Whether identity code and birth are known, and equal; a code that was corrected is still equal."""
    left, right = _one(one["person_key"]), _one(other["person_key"])
    found = {"same": "same", "other": "differs"}.get(
        (weighed.levels if weighed else {}).get("key", "")
    )
    keys = found or _mark(_one(one["living"]), _one(other["living"]))
    born, born_too = _one(one["birth_key"]), _one(other["birth_key"])
    return [
        Row("identity", _known(left), _known(right), keys if left and right else ""),
        Row("birth", _known(born), _known(born_too), _mark(born, born_too)),
    ]


def _places(conn: Connection, pair: Pair, around: Around, is_protected: bool) -> list[Row]:
    """Addresses and properties; where one of the two is protected, what `hub customer show` would show."""
    if is_protected:
        hidden = (HIDDEN,)
        one, other = (_contact_address(record, around) or hidden for record in pair)
        return [Row("address", one, other, ""), Row("property", hidden, hidden, "")]
    asked = pd.DataFrame(list(pair), columns=list(RECORD))
    held = frames.read_matching(conn, ADDRESSES, asked, RECORD)
    by_record = [held[[key == record for key in keys_of(held)]] for record in pair]
    shown = [tuple(_address(row) for _, row in rows.iterrows()) for rows in by_record]
    lines = [
        tuple(fold(f"{a.get('street_line')} {a.get('postal_code')}") for a in s) for s in shown
    ]
    numbers = np.array(sorted(around.number[r] for r in pair if r in around.number), dtype=np.int64)
    owned = linkage.properties(conn, numbers)
    properties = [
        tuple(owned.loc[owned["record_no"] == around.number.get(r, -1), "property_id"])
        for r in pair
    ]
    rows = [
        Row("address", shown[0], shown[1], _mark(*lines)),
        Row("property", properties[0], properties[1], _mark(*properties)),
    ]
    return [row for row in rows if row.left or row.right]


def _contact_address(record: RecordKey, around: Around) -> tuple[Mapping[str, str], ...]:
    """Of a protected customer the golden address, which survivorship leaves only to a contact address."""
    golden = around.golden[around.golden["party_id"] == around.party(record)]
    if (
        golden.empty
        or golden["protection"].iloc[0] != "on"
        or golden["address_type"].iloc[0] != "contact"
    ):
        return ()
    return (_address(golden.iloc[0]),)


def _address(row: pd.Series) -> Mapping[str, str]:
    return {name: text for name in _ADDRESS if (text := _text(row.get(name)))}


def _roles(conn: Connection, pair: Pair, is_protected: bool) -> list[Row]:
    """Roles with the points they are at; another register's number of a place may say where it is."""
    asked = pd.DataFrame(list(pair), columns=["source", "party_source_key"])
    held = frames.read_matching(conn, ROLES, asked, ("source", "party_source_key"))
    names = ("role_type", "point_source_key", "valid_from", "valid_to")
    found: dict[RecordKey, list[Mapping[str, str]]] = {record: [] for record in pair}
    for _, row in held.iterrows():
        role = {name: text for name in names if (text := _text(row[name]))}
        if is_protected and row["source"] != OWN_REGISTER:
            role.pop("point_source_key", None)
        found[str(row["source"]), str(row["party_source_key"])].append(role)
    left, right = (tuple(found[record]) for record in pair)
    return [Row("role", left, right, "")] if left or right else []


def _mark(one: Sequence[str], other: Sequence[str]) -> str:
    if not one or not other:
        return ""
    if set(one) == set(other):
        return "same"
    return "partly" if set(one) & set(other) else "differs"


def _words(name: str, values: Sequence[str]) -> tuple[str, ...]:
    """What is compared of a field: a name's words, however they are written."""
    return tuple(fold(" ".join(values)).split()) if name in _NAMES else tuple(values)


def _known(token: Sequence[str]) -> tuple[str]:
    return (KNOWN,) if token else (UNKNOWN,)


def _one(value: object) -> tuple[str, ...]:
    text = _text(value)
    return (text,) if text else ()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def outlook(pair: Pair, weighed: Weighed | None, around: Around) -> Outlook:
    """What a yes to the pair would do."""
    customers = around.customers(pair)
    obstacle = _obstacle(pair, weighed, around) if all(map(around.is_read, pair)) else None
    fellows = around.parties[around.parties["party_id"].isin(customers)]
    is_torn = any(fellows[name].dropna().nunique() > 1 for name in ("living", "business_id"))
    return Outlook(
        parties=customers,
        records=around.together(pair),
        obstacle=obstacle,
        is_torn=is_torn and obstacle is None,
        is_one=around.party(pair[0]) is not None and around.party(pair[0]) == around.party(pair[1]),
    )


def _obstacle(pair: Pair, weighed: Weighed | None, around: Around) -> str | None:
    """What keeps them two whatever a steward says."""
    one, other = (around.stated(record) for record in pair)
    key = (weighed.levels if weighed else {}).get("key")
    codes = _clash(one["living"], other["living"]) or _clash(
        one["business_id"], other["business_id"]
    )
    if one["party_type"] != other["party_type"]:
        return "two_kinds"
    return "two_identities" if key == "other" or (codes and key != "same") else None


def _clash(one: object, other: object) -> bool:
    return bool(_text(one) and _text(other) and one != other)
