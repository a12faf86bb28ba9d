"""What makes one landed record equal to another, and since when each field has said what it says.

Belongs here: canonical JSON, the content hash, what a new word leaves standing, the age of each field. Does not belong here: reading what
the fields mean (`standardise`), storing them (`store`).
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import pandas as pd


def canonical_json(value: object) -> str:
    """JSON with sorted keys, no spaces and letters as they are: equal values have equal text.

    Raises TypeError or ValueError (naming types only) for what JSON can't say.
    """
    return _CANONICAL.encode(value)


# made once: json.dumps would make one for every value
_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_rows(rows: Sequence[Mapping[str, str | None]]) -> list[str]:
    """`canonical_json` of many mappings to text, nulls left out; quick where all have the same keys and no null.

    Some thousand at once are quickest: what is the same in all of them is encoded once.
    """
    if not rows or {*map(len, rows)} != {len(rows[0])}:
        return _one_by_one(rows)
    quoted: Callable[[Any], str] = json.encoder.encode_basestring  # of a null a TypeError
    template, differing = [], []
    try:
        for name in sorted(rows[0]):
            values = list(map(itemgetter(name), rows))
            said = quoted(name).replace("%", "%%") + ":"
            if values[0] == values[-1] and values.count(values[0]) == len(values):
                template.append(said + quoted(values[0]).replace("%", "%%"))
            else:
                template.append(f"{said}%s")
                differing.append(list(map(quoted, values)))
    except (KeyError, TypeError):  # other keys, or a null
        return _one_by_one(rows)
    whole = "{" + ",".join(template) + "}"
    if not differing:
        return [whole % ()] * len(rows)
    return list(map(whole.__mod__, zip(*differing, strict=True)))


def _one_by_one(rows: Sequence[Mapping[str, str | None]]) -> list[str]:
    return [canonical_json({k: v for k, v in row.items() if v is not None}) for row in rows]


# Only a statement to the contrary ends these; silence never does (R56, DESIGN 12; FORMATS §1.1 on deaths).
_ENDED_BY_WORD_ONLY: Mapping[str, tuple[object, tuple[str, ...]]] = {
    "protection": ("on", ("protection_until",)),
    "is_deceased": (True, ("death_date",)),
}


def standing(
    content: Mapping[str, object], before: Mapping[str, object], *, is_partial: bool
) -> dict[str, object]:
    """What a source's word amounts to now, given what it said before.

    A partial record changes only what it states. A whole one replaces everything, but for a protective
    order and a death: those stand until the source says that they don't.
    """
    if is_partial:
        return {**before, **content}
    now = dict(content)
    for field, (value, with_it) in _ENDED_BY_WORD_ONLY.items():
        if before.get(field) == value and field not in now:
            now |= {name: before[name] for name in (field, *with_it) if name in before}
    return now


def content_hash(content: Mapping[str, object]) -> str:
    """SHA-256 (hex) of the canonical content; a field that is None counts as not stated."""
    stated = {field: value for field, value in content.items() if value is not None}
    return hashlib.sha256(canonical_json(stated).encode("utf-8", "surrogatepass")).hexdigest()


def field_times(records: pd.DataFrame, previous: pd.DataFrame, now: str) -> list[dict[str, str]]:
    """Per record, in order: field → instant since which the source has stated its present value.

    records: source, kind, source_key, source_time, content. previous: LANDED rows of the same keys, as
    they stood. An unchanged field keeps its instant, so a register's touched-row stamp does not make
    every old value young. A new or changed one gets the record's source_time, or `now` when the source
    gives none. A field that is None or absent has no instant.
    """
    before = {
        key: (content, times if isinstance(times, dict) else {})
        for key, content, times in zip(
            _keys(previous), previous["content"], previous["field_times"], strict=True
        )
        if isinstance(content, dict)
    }
    told = records["source_time"].where(records["source_time"].notna(), now)
    every = []
    for key, instant, content in zip(_keys(records), told, records["content"], strict=True):
        old, times = before.get(key, ({}, {}))
        every.append(
            {
                field: times[field] if field in times and _same(old.get(field), value) else instant
                for field, value in content.items()
                if value is not None
            }
        )
    return every


def _keys(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    return list(zip(rows["source"], rows["kind"], rows["source_key"], strict=True))


def _same(old: object, new: object) -> bool:
    # In Python True == 1, which no register means.
    return type(old) is type(new) and old == new
