"""Which records speak of one party: exact keys, candidate pairs from shared keys, a verdict with grounds.

Belongs here: keys, vetoes and verdicts over equality of standardised values. Does not belong here:
standardising (`standardise`), stewards' algebra (`judgements`), what follows for groups (`clusters`).

Only what is certain is `same`; what two people of one household can share (name, phone, e-mail, address)
is `review`. Father and son of one name at one address without a birth date can't be told apart.
"""

import hashlib
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.domain.address import address_key
from pipelines.domain.judgements import PAIR, settle
from pipelines.domain.names import fold
from pipelines.domain.schemas import MATCH_KEYS

RECORD = ("source", "source_key")
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]
"""One integer per record or pair: equal values have equal codes, -1 is no value."""

EVIDENCE = (
    "judgement",
    "person_key",
    "business_id",
    "name+birth",
    "name+phone",
    "name+email",
    "name+address",
)
"""Grounds for `same` and `review`, strongest first."""

SHARED_BY_AT_MOST = 20
"""A key more records share than this identifies nobody (a property manager's phone) and is dropped."""

_KEY_KINDS = EVIDENCE[1:]
IDENTIFIERS = _KEY_KINDS[:2]  # issued to one party each, however many records it has
LEGAL_FORMS = frozenset(
    {
        "oy", "ab", "oyj", "abp", "ky", "kb", "tmi", "osk", "ry", "rf", "koy", "ltd",
        "as", "asunto", "kiinteisto", "bost", "bostads",
    }
)  # fmt: skip
_SEPARATOR = (
    "\x1f"  # no standardised value holds one; a NUL would end the text in pandas' hash tables
)


def match_keys(parties: pd.DataFrame, addresses: pd.DataFrame) -> pd.DataFrame:
    """Every exact key of every record: MATCH_KEYS, `kind:digest`, each once.

    parties: PARTIES. addresses: ADDRESSES. Two records share a key when they are equal in

    * person_key: the token of the identity code; a record also has the keys a correction retired
    * business_id (organisations)
    * name+birth: all folded name tokens in any order, and the birth key
    * name+phone, name+email: family name and first given name in either order, and the contact
    * name+address: all name tokens (organisations: name without legal form) and an address key

    The digest hides nothing from who holds the key's parts; it keeps names out of an index.
    """
    persons = parties[parties["party_type"] == "person"]
    full, short = _person_names(persons)
    companies = parties[parties["party_type"] == "organisation"]
    called = pd.concat([full, _each(companies["organisation_name"], company_key)])

    retired = parties[[*RECORD, "person_key", "superseded_person_keys"]]
    retired = retired.explode("superseded_person_keys").drop_duplicates()
    retired = retired[retired["superseded_person_keys"] != retired["person_key"]]
    located = addresses[list(RECORD)].assign(place=address_key(addresses))
    named = parties[list(RECORD)].assign(name=called.reindex(parties.index))
    located = located.merge(named, on=list(RECORD)).drop_duplicates()
    keys = [
        _keys("person_key", parties, parties["person_key"]),
        _keys("person_key", retired, retired["superseded_person_keys"]),
        _keys("business_id", companies, companies["business_id"]),
        _keys("name+birth", persons, full, persons["birth_key"]),
        _keys("name+phone", persons, short, persons["phone"]),
        _keys("name+email", persons, short, persons["email"]),
        _keys("name+address", located, located["name"], located["place"]),
    ]
    return MATCH_KEYS.conform(pd.concat(keys, ignore_index=True))


def decide(
    parties: pd.DataFrame,
    addresses: pd.DataFrame,
    keys: pd.DataFrame,
    judgements: pd.DataFrame,
) -> pd.DataFrame:
    """A verdict on every pair that shares a key or was judged by a steward.

    parties: PARTIES, at least every record that has one of the keys. addresses: ADDRESSES, for matchers
    that weigh places; the exact one finds them in the keys. keys: MATCH_KEYS of those records, and all
    records of each key, or what is shared too widely goes unnoticed. judgements: see `judgements.settle`.

    Returns left_source, left_key, right_source, right_key, verdict (same, review, different), evidence
    (names joined by commas, the deciding one first), each pair once, left < right, sorted.

    In order: different living person keys, different business ids and different party types are
    `different` whatever a steward says; then a steward's judgement (unsure is `review`); equal person
    keys are `same`; an estate is not the person, different births with different first names are not one
    person; a protected record goes by its person key or to a steward (R56); equal business ids, equal
    full name and birth, equal short name, birth and contact are `same`; the rest is `review`.
    """
    index = record_index(parties)
    records = parties.set_index(list(RECORD)).reindex(index).reset_index()
    ruled = settle(judgements)
    ruled_left = positions(index, ruled, "left_source", "left_key")
    ruled_right = positions(index, ruled, "right_source", "right_key")
    present = (ruled_left >= 0) & (ruled_right >= 0)
    judged = pd.Series(
        ruled["verdict"].to_numpy()[present],
        index=(ruled_left * len(index) + ruled_right)[present],
        dtype="str",
    )
    pairs, shared = _candidates(index, keys, judged.index.to_numpy(dtype=np.int64))
    left, right = np.divmod(pairs, max(len(index), 1))
    said = judged.reindex(pairs).to_numpy(dtype=object)

    def equal(codes: Codes) -> Flags:
        alike: Flags = (codes[left] == codes[right]) & (codes[left] >= 0)
        return alike

    def differ(codes: Codes) -> Flags:
        apart: Flags = (codes[left] != codes[right]) & (codes[left] >= 0) & (codes[right] >= 0)
        return apart

    def share(*kinds: str) -> Flags:
        return np.bitwise_and(shared, sum(_bit(kind) for kind in kinds)) > 0

    person = codes_of(living_person_keys(records))
    birth = codes_of(records["birth_key"])
    first = codes_of(_each(records["given_names"], _first))
    estate = (records["name_role"] == "death_estate").to_numpy(dtype=bool)
    guarded = (records["protection"] == "on").to_numpy(dtype=bool)
    shared[equal(person)] |= _bit("person_key")

    grounds: list[tuple[Flags, str, str]] = [
        (differ(person), "different", "other_person_key"),
        (differ(codes_of(records["business_id"])), "different", "other_business_id"),
        (differ(codes_of(records["party_type"])), "different", "other_party_type"),
        (said == "same", "same", "judgement"),
        (said == "different", "different", "judgement"),
        (said == "unsure", "review", "judgement"),
        (share("person_key"), "same", ""),
        (estate[left] != estate[right], "different", "death_estate"),
        (differ(birth) & differ(first), "different", "other_birth_and_name"),
        (guarded[left] | guarded[right], "review", ""),
        (share("business_id", "name+birth"), "same", ""),
        (share("name+phone", "name+email") & equal(birth), "same", ""),
    ]
    holds = [ground for ground, _, _ in grounds]
    verdict = np.select(holds, [v for _, v, _ in grounds], "review")
    reason = np.select(holds, [r for _, _, r in grounds], "")
    decided = pd.DataFrame(
        {
            **dict(zip(PAIR[:2], _columns(index, left), strict=True)),
            **dict(zip(PAIR[2:], _columns(index, right), strict=True)),
            "verdict": verdict,
            "evidence": _worded(reason, shared),
        }
    )
    return decided.astype("str")


def living_person_keys(parties: pd.DataFrame) -> pd.Series:
    """The token that stands for each person once all corrections are heard, on the frame's index.

    A token somebody's correction retired is replaced by its successor; where successors contradict each
    other or go in a circle it is null: a superseded key vetoes nothing (DESIGN 2).
    """
    if "superseded_person_keys" not in parties:
        return parties["person_key"]
    edges = parties.loc[parties["person_key"].notna(), ["person_key", "superseded_person_keys"]]
    edges = edges.explode("superseded_person_keys").dropna().drop_duplicates()
    edges = edges[edges["person_key"] != edges["superseded_person_keys"]]
    if edges.empty:
        return parties["person_key"]
    heirs = edges.groupby("superseded_person_keys")["person_key"].agg(["first", "nunique"])
    successor = heirs["first"].where(heirs["nunique"] == 1)
    for _ in range(len(successor).bit_length()):
        successor = successor.map(successor).where(successor.isin(successor.index), successor)
    successor = successor.where(~successor.isin(successor.index))
    token = parties["person_key"]
    return token.map(successor).where(token.isin(successor.index), token)


def company_key(name: str) -> str | None:
    """An organisation's folded name without its legal form, for comparing only; None if none is left."""
    tokens = fold(name).split()
    return " ".join(token for token in tokens if token not in LEGAL_FORMS) or None


def record_index(records: pd.DataFrame) -> pd.MultiIndex:
    """The records of a frame, each once, in the one order that decides ties."""
    return pd.MultiIndex.from_frame(records[list(RECORD)].drop_duplicates().sort_values([*RECORD]))


def positions(index: pd.MultiIndex, frame: pd.DataFrame, source: str, key: str) -> Codes:
    """Where in the index each row's record stands; -1 when it is not there."""
    wanted = pd.MultiIndex.from_arrays([frame[source], frame[key]])
    return index.get_indexer(wanted).astype(np.int64)


def codes_of(values: pd.Series) -> Codes:
    """Equal values to equal codes, null to -1."""
    return pd.factorize(values)[0].astype(np.int64)


def _candidates(index: pd.MultiIndex, keys: pd.DataFrame, judged: Codes) -> tuple[Codes, Codes]:
    """Pairs as left * n + right, ascending, and the kinds of key each shares, one bit a kind."""
    size = len(index)
    place = positions(index, keys, *RECORD)
    code = codes_of(keys["match_key"])
    sharers = np.bincount(code, minlength=1)[code]
    kept = (place >= 0) & (sharers > 1)
    blocks = pd.DataFrame({"code": code[kept], "place": place[kept], "sharers": sharers[kept]})
    texts = keys["match_key"][kept].to_numpy(dtype=object)
    blocks["bit"] = [_bit(str(text).partition(":")[0]) for text in texts]
    blocks = blocks.sort_values(["code", "place"])

    narrow = blocks[blocks["sharers"] <= SHARED_BY_AT_MOST]
    # An identifier's large block is tied to its first record: as many pairs as records, not their square.
    identifying = blocks["bit"].isin([_bit(kind) for kind in IDENTIFIERS])
    wide = blocks[(blocks["sharers"] > SHARED_BY_AT_MOST) & identifying]
    joined = pd.concat(
        [
            narrow.merge(narrow[["code", "place"]], on="code", suffixes=("_left", "")),
            wide.drop_duplicates("code").merge(
                wide[["code", "place"]], on="code", suffixes=("_left", "")
            ),
        ]
    )
    joined = joined[joined["place_left"] < joined["place"]]
    found = joined["place_left"].to_numpy() * size + joined["place"].to_numpy()
    pairs, where = np.unique(np.concatenate([found, judged]), return_inverse=True)
    shared = np.zeros(len(pairs), dtype=np.int64)
    np.bitwise_or.at(shared, where[: len(found)], joined["bit"].to_numpy(dtype=np.int64))
    return pairs.astype(np.int64), shared


def _worded(reason: npt.NDArray[np.str_], shared: Codes) -> list[str]:
    words = {
        mask: ",".join(kind for kind in _KEY_KINDS if mask & _bit(kind))
        for mask in np.unique(shared).tolist()
    }
    return [
        ",".join(part for part in (why, words[mask]) if part)
        for why, mask in zip(reason.tolist(), shared.tolist(), strict=True)
    ]


def _columns(index: pd.MultiIndex, rows: Codes) -> list[pd.Index]:
    return [index.get_level_values(level)[rows] for level in RECORD]


def _bit(kind: str) -> int:
    return 1 << _KEY_KINDS.index(kind)


def _keys(kind: str, records: pd.DataFrame, *parts: pd.Series) -> pd.DataFrame:
    """A key for each record that has all the parts, which are aligned with the records."""
    stated = np.logical_and.reduce([part.notna().to_numpy(dtype=bool) for part in parts])
    made = records.loc[stated, list(RECORD)]
    texts = zip(*(part[stated].tolist() for part in parts), strict=True)
    return made.assign(match_key=[f"{kind}:{_digest(text)}" for text in texts])


def _digest(parts: Iterable[str]) -> str:
    return hashlib.blake2b(_SEPARATOR.join(parts).encode(), digest_size=16).hexdigest()


def _each(values: pd.Series, form: Callable[[str], str | None]) -> pd.Series:
    """A form of each value, computed once a distinct value; null stays null."""
    codes, distinct = pd.factorize(values)
    forms = np.array([*map(form, distinct.tolist()), None], dtype=object)
    return pd.Series(forms[codes], index=values.index, dtype="str")


def _person_names(persons: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """All name tokens, and family name with the first given one; both sorted, so never swapped."""
    both = persons["family_name"] + _SEPARATOR + persons["given_names"]
    return _each(both, lambda name: _sorted(fold(name).split())), _each(both, _short)


def _short(name: str) -> str | None:
    family, _, given = name.partition(_SEPARATOR)
    return _sorted([*fold(family).split(), *fold(given).split()[:1]])


def _sorted(tokens: Iterable[str]) -> str | None:
    return " ".join(sorted(tokens)) or None


def _first(given: str) -> str | None:
    return next(iter(fold(given).split()), None)
