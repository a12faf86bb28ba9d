"""A refused value and what a steward put in its place: beside the source's word, which stays as it was said.

Belongs here: finding a field in a record's content, reading it with corrections in place, and when a correction has
had its day. Does not belong here: whether what comes of it is valid (`expectations`), who may correct (`steps.correct`),
keeping it (`store.corrections`).

A field is named as a steward writes it: `phone`, `final_invoice.line`, and of an address its type or its number among
the record's addresses: `addresses.postal.postal_code`, `addresses.2.postal_code`.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from math import isnan
from typing import Any, Literal

import pandas as pd

from pipelines.domain.fields import FIELDS
from pipelines.domain.landing import canonical_json
from pipelines.domain.schemas import LANDED

Ending = Literal["undone", "replaced", "source_mended", "source_changed"]

ENDED_BY_SOURCE: tuple[Ending, ...] = ("source_mended", "source_changed")
RECORD = ("source", "kind", "source_key")
_ADDRESSES, _FINAL = "addresses", "final_invoice"
_PARTS = frozenset(
    {
        "address_type", "care_of", "line", "street", "house", "stair", "apartment", "split", "postal_code",
        "post_office", "country", "valid_from", "valid_to",
    }
)  # fmt: skip
# Who somebody is and what protects them is for its source to say (R56): no steward's word stands in for it.
_NEVER = frozenset(
    {
        "person_key", "birth_key", "key_id", "superseded_person_keys", "identity_fault", "protection",
        "protection_until", "is_deceased", "death_date", "corrects",
    }
)  # fmt: skip
# What a field of a content is called once it is standard; a name is read into several.
_STANDARD: Mapping[str, tuple[str, ...]] = {
    "line": ("street_line",),
    "street": ("street_line",),
    "house": ("street_line",),
    "stair": ("street_line",),
    "apartment": ("street_line",),
    "split": ("street_line",),
    "name": ("family_name", "given_names", "organisation_name"),
    "party": ("party_source_key",),
    "point": ("point_source_key",),
}


class NotAField(ValueError):
    """No field that may be corrected in this record; the message names fields, never a value."""


@dataclass(frozen=True)
class Corrected:
    """LANDED rows with corrections in place, and the numbers of the corrections that found their error again."""

    landed: pd.DataFrame
    applied: frozenset[int]


# ---- one field of a content


def check(path: str, allowed: frozenset[str]) -> None:
    """Raises NotAField unless a steward may correct the field. allowed: what the source may state at all."""
    top, _, rest = path.partition(".")
    if top in _NEVER:
        raise NotAField(f"{top} is for its source to say: it can't be corrected here")
    if top not in allowed:
        raise NotAField(f"{top} is no field of this source; see: hub quarantine show")
    part = rest.rpartition(".")[2]
    if top == _ADDRESSES and (rest.count(".") != 1 or part not in _PARTS):
        raise NotAField(
            "name a part of one address: addresses.postal.postal_code, addresses.2.line"
        )
    if top == _FINAL and rest not in _PARTS:
        raise NotAField("name a part of the final-invoice address: final_invoice.postal_code")
    if top not in (_ADDRESSES, _FINAL) and rest:
        raise NotAField(f"{top} has no parts")


def may_correct(content: Mapping[str, Any], path: str, allowed: frozenset[str]) -> bool:
    """Whether a steward may put a value in the place of what a record says, or does not say, in a field."""
    try:
        check(path, allowed)
        now = value_at(content, path)
        with_value(content, path, "x")
    except NotAField:
        return False
    return not isinstance(now, list | dict)


def typed(text: str, path: str) -> object:
    """A value as a steward types it; nothing typed means that the field is not stated. Raises NotAField."""
    kind = FIELDS[path].kind if path in FIELDS else "text"
    if not text.strip():
        return None
    if kind == "boolean":
        if text.strip() not in ("true", "false"):
            raise NotAField(f"{path} is true or false")
        return text.strip() == "true"
    return text.strip()


def value_at(content: Mapping[str, Any], path: str) -> object:
    """What a content says in a field, None when nothing; NotAField where several addresses could be meant."""
    holder, part = _holder(content, path)
    return None if holder is None else holder.get(part)


def with_value(content: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """The content with another value in a field; None takes it out. The content itself is left alone."""
    changed = deepcopy(dict(content))
    holder, part = _holder(changed, path)
    if holder is None:
        if value is None:
            return changed
        holder = _made(changed, path)
    if value is None:
        holder.pop(part, None)
    else:
        holder[part] = value
    return changed


def _holder(content: Mapping[str, Any], path: str) -> tuple[dict[str, Any] | None, str]:
    """The mapping that a field stands in, None when there is none, and its name there."""
    steps = path.split(".")
    if steps[0] == _FINAL:
        final = content.get(_FINAL)
        return (final if isinstance(final, dict) else None), steps[-1]
    if steps[0] != _ADDRESSES:
        return (content if isinstance(content, dict) else dict(content)), path
    stated = content.get(_ADDRESSES)
    every = stated if isinstance(stated, list) else []
    if steps[1].isdigit():
        number = int(steps[1])
        chosen = every[number - 1 : number] if number else []
    else:
        chosen = [a for a in every if isinstance(a, dict) and a.get("address_type") == steps[1]]
    if len(chosen) > 1:
        raise NotAField(
            f"the record states several addresses of type {steps[1]}: give the number of one, "
            f"as in addresses.2.{steps[2]}"
        )
    if not chosen:
        return None, steps[-1]
    return (chosen[0] if isinstance(chosen[0], dict) else None), steps[-1]


def _made(content: dict[str, Any], path: str) -> dict[str, Any]:
    """A new address for a field whose record has none like it."""
    steps = path.split(".")
    if steps[0] == _FINAL:
        made: dict[str, Any] = {}
        content[_FINAL] = made
        return made
    if steps[1].isdigit():
        raise NotAField(f"the record has no address number {steps[1]}")
    made = {"address_type": steps[1]}
    stated = content.get(_ADDRESSES)
    content[_ADDRESSES] = [*(stated if isinstance(stated, list) else []), made]
    return made


def flat(content: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Every field a content states, as it would be named in a correction, in the content's order."""
    for name, value in content.items():
        if name == _ADDRESSES and isinstance(value, list):
            types = [a.get("address_type") if isinstance(a, dict) else None for a in value]
            for number, address in enumerate(value, start=1):
                kind = types[number - 1]
                which = kind if kind and types.count(kind) == 1 else number
                if not isinstance(address, dict):
                    yield f"{_ADDRESSES}.{which}", address
                    continue
                shown = (
                    address
                    if which == number
                    else {k: v for k, v in address.items() if k != "address_type"}
                )
                for part, said in shown.items():
                    yield f"{_ADDRESSES}.{which}.{part}", said
        elif name == _FINAL and isinstance(value, dict):
            for part, said in value.items():
                yield f"{_FINAL}.{part}", said
        else:
            yield name, value


def standard_fields(path: str) -> tuple[str, ...]:
    """What becomes of a field of a content once it is standard."""
    part = path.rpartition(".")[2]
    return _STANDARD.get(part, (part,))


# ---- whole frames


def settling(corrections: pd.DataFrame, item: "pd.Series[Any]") -> pd.DataFrame:
    """Those that settled a refusal (a row of quarantine); several refusals of one content are settled together."""
    record = (corrections[list(RECORD)] == item[list(RECORD)]).all(axis=1)
    is_it = corrections["quarantine_id"] == item["quarantine_id"]
    is_same = record & (corrections["content_hash"] == item["content_hash"])
    mine: pd.DataFrame = corrections[(is_it | is_same).astype(bool)]
    return mine


def is_of_unlanded(corrections: pd.DataFrame) -> pd.Series:
    """Which corrections are of a record whose row could not be landed."""
    told = [isinstance(content, dict) for content in corrections["content"]]
    return pd.Series(told, corrections.index, dtype=bool)


def never_landed(corrections: pd.DataFrame) -> pd.DataFrame:
    """LANDED rows of the records that no source's row could be landed of: what of each could be read.

    corrections: those in force, all columns of `store.corrections`. To be read with corrections in place, as any other.
    """
    mine = corrections[is_of_unlanded(corrections)]
    first = mine.drop_duplicates(list(RECORD))
    rows = first[[*RECORD, "content", "content_hash"]].assign(
        source_time=first["decided_at"],
        field_times=pd.Series([{} for _ in range(len(first))], first.index, dtype=object),
        business_date=first["decided_at"].str[:10],
    )
    return LANDED.conform(rows)


def corrected(landed: pd.DataFrame, corrections: pd.DataFrame) -> Corrected:
    """Landed rows as they are to be read; a row none of whose errors was corrected is left as it is.

    landed: LANDED, one row a record. corrections: correction_no, source, kind, source_key, field, refused, corrected of
    those in force. One applies while the record says what was refused; any other value there is the source's new word
    and stands. The content hash stays that of the source's word, as do its times.
    """
    if corrections.empty or landed.empty:
        return Corrected(landed, frozenset())
    by_record = _by_record(corrections)
    keys = list(zip(*(landed[name] for name in RECORD), strict=True))
    contents, applied = list(landed["content"]), set()
    for position in [n for n, key in enumerate(keys) if key in by_record]:
        content = contents[position]
        for number, path, refused, right in by_record[keys[position]]:
            if isinstance(content, dict) and still_says(content, path, refused):
                content = with_value(content, path, right)
                applied.add(number)
        contents[position] = content
    if not applied:
        return Corrected(landed, frozenset())
    return Corrected(
        landed.assign(content=pd.Series(contents, landed.index, dtype=object)), frozenset(applied)
    )


def endings(contents: pd.DataFrame, corrections: pd.DataFrame) -> pd.DataFrame:
    """correction_no and how it ended (`Ending`) of the corrections whose record now says something else.

    contents: source, kind, source_key, content as the source has it now; a record that is not among them says nothing
    new. corrections: as `corrected` has them, and content: of a record that never landed, whose coming at last ends it.
    """
    ended: list[tuple[int, Ending]] = []
    said = dict(
        zip(
            zip(*(contents[name] for name in RECORD), strict=True), contents["content"], strict=True
        )
    )
    columns = ["correction_no", *RECORD, "field", "refused", "corrected", "content"]
    for number, *rest in corrections[columns].itertuples(index=False):
        *key_, path, refused, right, never_landed = rest
        content = said.get(tuple(key_))
        if content is None:
            continue
        if not isinstance(never_landed, dict) and still_says(content, path, refused):
            continue
        is_mended = still_says(content, path, right)
        ended.append((int(number), "source_mended" if is_mended else "source_changed"))
    return pd.DataFrame(
        {
            "correction_no": pd.Series([n for n, _ in ended], dtype="Int64"),
            "ending": pd.Series([how for _, how in ended], dtype="str"),
        }
    )


def still_says(content: object, path: str, value: object) -> bool:
    """Whether a content says just this in a field; nothing is said by absence and by null alike."""
    if not isinstance(content, Mapping):
        return False
    try:
        holder, part = _holder(content, path)
    except NotAField:  # another address of that type has come
        return False
    if holder is None and path.split(".")[1].isdigit():  # that one has gone
        return False
    now = None if holder is None else holder.get(part)
    return canonical_json(now) == canonical_json(_null(value))


def _null(value: object) -> object:
    return None if isinstance(value, float) and isnan(value) else value


def _by_record(
    corrections: pd.DataFrame,
) -> dict[tuple[Any, ...], list[tuple[int, str, object, object]]]:
    by_record: dict[tuple[Any, ...], list[tuple[int, str, object, object]]] = {}
    columns = ["correction_no", *RECORD, "field", "refused", "corrected"]
    for number, source, kind, key, path, refused, right in corrections[columns].itertuples(
        index=False
    ):
        found = by_record.setdefault((source, kind, key), [])
        found.append((int(number), str(path), refused, _null(right)))
    return by_record
