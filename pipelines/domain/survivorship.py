"""Groups of records → one golden value per field, with the source that won and the rule that let it.

Belongs here: the order of sources (R12, R14), what counts as one statement (a name, an address, a way of
billing is taken whole from one record), protective orders (R56), provenance. Does not belong here: which
records are one party (`clusters`), what may be told to whom (`extract`).

A party's value depends on what was stated and when, never on the order it arrived in.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.domain.matching import RECORD
from pipelines.domain.names import fold
from pipelines.domain.schemas import GOLDEN, PROVENANCE

_Codes = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]

_NO_TIME = -(1 << 62)
_DAY = 86_400
# What is known of a record wherever one of its statements stands for election.
_STANDING = (
    *RECORD, "party", "place", "source_code", "rank", "is_own", "is_service", "prefer",
    "source_time", "field_times",
)  # fmt: skip
ADDRESS_FIELDS = ("care_of", "street_line", "postal_code", "post_office", "country", "address_type")


@dataclass(frozen=True)
class Policy:
    """Who is believed (config/survivorship.yml).

    own_notice: sources through which customers speak for themselves. update_services: sources such a
    notice outranks unless its statement is more than `margin_days` older than theirs (R12). order: all
    sources, best first; an unnamed source comes last. address_order: address types a bill may go to,
    best first; `contact` among them means nothing unless the party is protected. death_authority:
    sources whose word on death, either way, stands against all others. death_hearsay: sources whose word on a
    death is for a steward to look at, and never by itself makes anybody dead. point_owners: field of a
    consumption point (street_line stands for the whole address) → sources, the owner first, the others
    where it is silent; role_owners: role type → the same (R14).
    """

    own_notice: tuple[str, ...]
    update_services: tuple[str, ...]
    margin_days: int
    order: tuple[str, ...]
    address_order: tuple[str, ...]
    death_authority: tuple[str, ...] = ("dvv",)
    death_hearsay: tuple[str, ...] = ()
    point_owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    role_owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Golden:
    """parties: GOLDEN, one row a party. values: PROVENANCE, one row per golden field with a value."""

    parties: pd.DataFrame
    values: pd.DataFrame


@dataclass(frozen=True)
class _Unit:
    """Fields that are one statement: taken together from one record.

    anchors: the unit is stated where one of them is. told_as: landed fields whose times date it.
    """

    fields: tuple[str, ...]
    anchors: tuple[str, ...]
    told_as: tuple[str, ...]


_NAME = _Unit(
    ("family_name", "given_names", "called_name", "organisation_name", "name_role"),
    ("family_name", "given_names", "organisation_name"),
    ("name", "family_name", "given_names", "called_name", "organisation_name"),
)
_CHANNEL = _Unit(
    ("delivery_channel", "einvoice_address", "einvoice_operator"),
    ("delivery_channel",),
    ("delivery_channel", "einvoice_address", "einvoice_operator"),
)
_SITUATION = _Unit(
    ("company_situation", "situation_date"),
    ("company_situation",),
    ("company_situation", "situation_date"),
)
_PROTECTION = _Unit(("protection",), ("protection",), ("protection",))
_DEATH = _Unit(("is_deceased", "death_date"), ("is_deceased",), ("is_deceased", "death_date"))
_PLAIN = tuple(
    _Unit((name,), (name,), (name,))
    for name in ("party_type", "business_id", "phone", "email", "www", "language")
)


def golden(
    records: pd.DataFrame,
    parties: pd.DataFrame,
    addresses: pd.DataFrame,
    policy: Policy,
    business_date: str,
    echoes: pd.DataFrame,
) -> Golden:
    """The golden row of every party that has a record in `parties`, and where each value is from.

    records: PARTY_RECORDS. parties: PARTIES. addresses: ADDRESSES; those valid on business_date count.
    echoes: [source, source_key, field, value], what we returned to a register (fields as in
    `extract.return_rows`). A record that shows only what we told it states nothing of its own: another
    record that states the unit goes first (DESIGN 10).

    Between sources: see `Policy`. Within one: the better address type, then the newest statement, then
    the smallest key. A protective order from any record holds; then the address is the contact address
    or none (R56). Death: the authority's word, else any record's but hearsay. Rows are sorted by party.
    """
    members = records.merge(parties, on=list(RECORD)).sort_values(["party_id", *RECORD])
    members = members.reset_index(drop=True)
    party_ids = np.unique(members["party_id"].to_numpy(dtype=np.int64))
    contest = _Contest(members, party_ids, policy)

    protection = _protection(contest)
    is_protected = np.zeros(len(party_ids), dtype=bool)
    on = protection["protection"].to_numpy(dtype=object) == "on"
    is_protected[protection["party"].to_numpy(dtype=np.int64)[on]] = True
    won = [
        (_NAME.fields, _name(contest, echoes)),
        (_CHANNEL.fields, contest.winners(contest.stated(_CHANNEL))),
        (_SITUATION.fields, contest.winners(contest.stated(_SITUATION))),
        (_PROTECTION.fields, protection),
        (_DEATH.fields, _death(contest, echoes)),
        (ADDRESS_FIELDS, _address(contest, addresses, is_protected, business_date, echoes)),
        *((unit.fields, contest.winners(contest.stated(unit))) for unit in _PLAIN),
    ]

    rows = pd.DataFrame({"party_id": party_ids})
    units = [winners.set_index("party")[[*fields]].reindex(rows.index) for fields, winners in won]
    rows = pd.concat([rows, *units], axis=1)
    rows["protection"] = rows["protection"].fillna("not_stated")
    rows["display_name"] = display_names(rows)
    rows = GOLDEN.conform(rows)
    return Golden(rows.assign(row_hash=row_hashes(rows)), _provenance(won, party_ids))


def display_names(named: pd.DataFrame) -> pd.Series:
    """One line per row of family_name, given_names, organisation_name: `Family Given`, else the firm's.

    A contact person has both: the firm is then whom they speak for.
    """
    family, given = named["family_name"].fillna(""), named["given_names"].fillna("")
    person = (family + " " + given).str.strip()
    return person.where(person != "", named["organisation_name"])


class _Contest:
    """The parties' records and the rules by which one statement beats another."""

    def __init__(self, members: pd.DataFrame, party_ids: _Codes, policy: Policy) -> None:
        order = {source: rank for rank, source in enumerate(policy.order)}
        # whichever way customers speak for themselves, their latest word is the one that counts
        best_own = min((order[s] for s in policy.own_notice if s in order), default=len(order))
        order |= dict.fromkeys(policy.own_notice, best_own)
        sources, names = pd.factorize(members["source"])
        ranks = np.array([order.get(str(name), len(order)) for name in names], dtype=np.int64)
        self.members = members.assign(
            party=np.searchsorted(party_ids, members["party_id"].to_numpy(dtype=np.int64)),
            place=np.arange(len(members)),
            source_code=sources,
            rank=ranks[sources],
            is_own=members["source"].isin(policy.own_notice),
            is_service=members["source"].isin(policy.update_services),
            prefer=0,
        )
        self.policy = policy

    def stated(self, unit: _Unit) -> pd.DataFrame:
        """The records that state the unit, each with the newest instant of its fields as `stated`."""
        says = np.logical_or.reduce([self.members[name].notna() for name in unit.anchors])
        saying = self.members.loc[says, [*_STANDING, *unit.fields]]
        times = [
            max((told[name] for name in unit.told_as if name in told), default=None)
            if isinstance(told, dict)
            else None
            for told in saying["field_times"]
        ]
        dated = pd.Series(times, index=saying.index, dtype="str")
        return saying.assign(stated=dated.fillna(saying["source_time"]))

    def winners(self, candidates: pd.DataFrame) -> pd.DataFrame:
        """One candidate per party, with the `rule` that chose it.

        The own notices and update services of a party stand together at the best rank among them; inside,
        a notice that is not too old comes before the services, and one that is comes after (R12). So the
        order is total, and nobody's presence turns two others round.
        """
        party, rank = _column(candidates, "party"), _column(candidates, "rank")
        own, service = _flags(candidates, "is_own"), _flags(candidates, "is_service")
        time = _seconds(candidates["stated"])
        ties = (_column(candidates, "place"), -time, _column(candidates, "prefer"), rank)
        size = int(party.max(initial=-1)) + 1

        best_service = _first(party, np.lexsort((*ties, party)), service)
        has_service = np.zeros(size, dtype=bool)
        has_service[party[best_service]] = True
        service_time = np.full(size, _NO_TIME, dtype=np.int64)
        service_time[party[best_service]] = time[best_service]
        told = service_time[party]
        undated = (told == _NO_TIME) | (time == _NO_TIME)
        is_old = ~undated & (time < told - self.policy.margin_days * _DAY)
        turn = np.where(own & ~service, np.where(is_old, 2, 0), np.where(service, 1, 0))

        together = own | service
        best = np.full(size, len(self.policy.order), dtype=np.int64)
        np.minimum.at(best, party[together], rank[together])
        block = np.where(together, best[party], rank)
        winner = _first(party, np.lexsort((*ties, turn, block, party)))

        has_own = np.zeros(size, dtype=bool)
        has_own[party[own]] = True
        code = _column(candidates, "source_code")
        lowest, highest = np.full(size, np.iinfo(np.int64).max), np.full(size, -1)
        np.minimum.at(lowest, party, code)
        np.maximum.at(highest, party, code)
        whose = party[winner]
        rule = np.select(
            [
                lowest[whose] == highest[whose],
                own[winner] & has_service[whose] & (time[winner] >= told[winner]),
                own[winner] & has_service[whose],
                service[winner] & has_own[whose],
            ],
            ["only_source", "own_notice_newer", "own_notice_within_margin", "update_service"],
            "source_order",
        )
        return candidates.iloc[winner].assign(rule=rule)


def _protection(contest: _Contest) -> pd.DataFrame:
    """Most protective wins; a source lifts only its own order, which its record then no longer states."""
    stated = contest.stated(_PROTECTION)
    stated = stated[stated["protection"].isin(["on", "off"])]
    on = stated["protection"] == "on"
    guarded = stated["party"].isin(stated.loc[on, "party"])
    winners = contest.winners(stated[on | ~guarded])
    is_on = winners["protection"] == "on"
    return winners.assign(rule=winners["rule"].where(~is_on, "most_protective"))


def _death(contest: _Contest, echoes: pd.DataFrame) -> pd.DataFrame:
    stated = contest.stated(_DEATH)
    stated = stated[~stated["source"].isin(contest.policy.death_hearsay)]
    deceased = stated["is_deceased"].to_numpy(dtype=bool)
    spoken = stated.assign(is_deceased_text=np.where(deceased, "true", "false"))
    stated = _own_words(spoken, spoken, {"is_deceased": "is_deceased_text"}, echoes)
    deceased = stated["is_deceased"].to_numpy(dtype=bool)
    authority = stated["source"].isin(contest.policy.death_authority).to_numpy(dtype=bool)
    tier = pd.Series(np.where(authority, 0, np.where(deceased, 1, 2)), index=stated.index)
    heard = stated[tier == tier.groupby(stated["party"]).transform("min")]
    winners = contest.winners(heard)
    named = tier.loc[winners.index].map({0: "death_authority", 1: "death_reported"})
    alive = ~winners["is_deceased"].astype(bool)
    return winners.assign(
        rule=named.fillna(winners["rule"]), death_date=winners["death_date"].mask(alive)
    )


def _name(contest: _Contest, echoes: pd.DataFrame) -> pd.DataFrame:
    stated = contest.stated(_NAME)
    told = echoes[echoes["field"] == "name"]
    if len(told):
        # Compared folded: what we return is a line, what comes back was read into parts again.
        shown = stated.assign(line=display_names(stated).map(fold))
        told = told.assign(value=told["value"].map(fold))
        stated = _own_words(stated, shown, {"name": "line"}, told)
    return contest.winners(stated)


def _address(
    contest: _Contest,
    addresses: pd.DataFrame,
    is_protected: _Flags,
    business_date: str,
    echoes: pd.DataFrame,
) -> pd.DataFrame:
    """The address a bill may go to; for a protected party only ever a contact address (R56)."""
    begun = addresses["valid_from"].isna() | (addresses["valid_from"] <= business_date)
    open_ = addresses["valid_to"].isna() | (addresses["valid_to"] > business_date)
    placed = addresses["street_line"].notna() | addresses["postal_code"].notna()
    columns = [*RECORD, "address_no", *ADDRESS_FIELDS, "stated_at"]
    current = addresses.loc[begun & open_ & placed, columns]
    standing = contest.members[[*_STANDING]].drop(columns=["prefer", "field_times"])
    stated = standing.merge(current, on=list(RECORD))
    ordinary = {
        kind: rank for rank, kind in enumerate(contest.policy.address_order) if kind != "contact"
    }
    prefer = stated["address_type"].map(ordinary)
    guarded = is_protected[_column(stated, "party")]
    contact = (stated["address_type"] == "contact").to_numpy(dtype=bool)
    eligible = np.where(guarded, contact, prefer.notna().to_numpy(dtype=bool))
    stated = stated.assign(
        prefer=prefer.fillna(0).astype("int64"),
        stated=stated["stated_at"].fillna(stated["source_time"]),
    )[eligible]
    stated = stated.sort_values(["place", "address_no"]).reset_index(drop=True)
    stated["place"] = stated.index
    returned = ("street_line", "postal_code", "post_office", "country")
    own = _own_words(stated, stated, {name: name for name in returned}, echoes)
    winners = contest.winners(own)
    is_contact = winners["address_type"] == "contact"
    return winners.assign(rule=winners["rule"].where(~is_contact, "protected_contact"))


def _own_words(
    candidates: pd.DataFrame, shown: pd.DataFrame, columns: dict[str, str], echoes: pd.DataFrame
) -> pd.DataFrame:
    """The candidates without mere echoes, wherever the party has a candidate that is none.

    columns: returned field → column of `shown` that holds the record's present value. An echo shows a
    value we returned in every field that we returned to the record.
    """
    told = echoes[echoes["field"].isin(list(columns))]
    if told.empty or candidates.empty:
        return candidates
    present = shown.reset_index(drop=True).reset_index(names="at")
    compared = present[["at", *RECORD, *columns.values()]].merge(told, on=list(RECORD))
    says = np.full(len(compared), None, dtype=object)
    for name, column in columns.items():
        asked = (compared["field"] == name).to_numpy(dtype=bool)
        says[asked] = compared[column].to_numpy(dtype=object)[asked]
    compared["equal"] = says == compared["value"].to_numpy(dtype=object)
    by_field = compared.groupby(["at", "field"])["equal"].any()
    echoed = by_field.groupby(level="at").all()
    is_echo = np.zeros(len(candidates), dtype=bool)
    is_echo[echoed.index[echoed].to_numpy(dtype=np.int64)] = True
    has_own = candidates["party"].isin(candidates.loc[~is_echo, "party"]).to_numpy(dtype=bool)
    return candidates[~(is_echo & has_own)]


def _provenance(
    won: Iterable[tuple[tuple[str, ...], pd.DataFrame]], party_ids: _Codes
) -> pd.DataFrame:
    pieces = []
    for fields, winners in won:
        for name in fields:
            stated = winners[winners[name].notna()]
            value = stated[name].astype("str")
            if name == "is_deceased":
                value = value.str.lower()
            pieces.append(
                pd.DataFrame(
                    {
                        "party_id": party_ids[_column(stated, "party")],
                        "field": name,
                        "value": value.to_numpy(dtype=object),
                        "source": stated["source"].to_numpy(dtype=object),
                        "source_key": stated["source_key"].to_numpy(dtype=object),
                        "source_time": stated["stated"].to_numpy(dtype=object),
                        "rule": stated["rule"].to_numpy(dtype=object),
                    }
                )
            )
    every = pd.concat(pieces).sort_values(["party_id", "field"]).reset_index(drop=True)
    return PROVENANCE.conform(every)


def row_hashes(rows: pd.DataFrame) -> list[str]:
    """SHA-256 per row over its values in schema order; null and empty differ."""
    columns = [rows[c].astype("str").fillna("\x00") for c in rows.columns if c != "row_hash"]
    texts = zip(*(c.tolist() for c in columns), strict=True)
    return [hashlib.sha256("\x1f".join(row).encode()).hexdigest() for row in texts]


def _first(party: _Codes, order: npt.NDArray[np.intp], among: _Flags | None = None) -> _Codes:
    """The first row of each party in that order, among the flagged ones."""
    if among is not None:
        order = order[among[order]]
    ranked = party[order]
    leads = np.ones(len(ranked), dtype=bool)
    leads[1:] = ranked[1:] != ranked[:-1]
    return order[leads].astype(np.int64)


def _seconds(instants: pd.Series) -> _Codes:
    """ISO instants as seconds since 1970, null as long before any."""
    read = pd.to_datetime(instants, format="%Y-%m-%dT%H:%M:%SZ", utc=True).dt.tz_localize(None)
    seconds = read.to_numpy(dtype="datetime64[s]").astype(np.int64)
    return np.where(read.isna(), _NO_TIME, seconds)


def _column(frame: pd.DataFrame, name: str) -> _Codes:
    return frame[name].to_numpy(dtype=np.int64)


def _flags(frame: pd.DataFrame, name: str) -> _Flags:
    return frame[name].to_numpy(dtype=bool)
