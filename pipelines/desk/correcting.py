"""The form in which a refused record is corrected: its fields in words, what was typed into them.

Belongs here: names for people, inputs, reading them back. Does not belong here: which field may be shown or corrected
(`steps.look`), whether what was typed is right (`steps.correct`).
"""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipelines.desk.visit import Visit, plain
from pipelines.domain.correction import standard_fields
from pipelines.domain.fields import FIELDS
from pipelines.steps.correct import NotCorrected
from pipelines.steps.look_at_refused import Refused

_TYPED = "f:"
_LONGEST = 300
_WRITTEN_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_CHOICES = re.compile(r"\^\(([a-z_|]+)\)\$")


def rows(
    visit: Visit, seen: Refused, *, marked: tuple[str, ...] = (), keeps: bool = False
) -> list[dict[str, Any]]:
    """Each field in words: as it came, corrected, held now, and an input where it may be corrected.

    marked: standard fields that are wrong, beside the one that was refused. keeps: what was typed stays in the inputs.
    What is wrong comes first: what is stated so, or where nothing is, what is missing.
    """
    broken = {*marked, plain(seen.item["field"])} - {""}
    found = [_row(visit, seen, row, broken, keeps) for row in seen.fields.to_dict("records")]
    said = [row for row in found if row["is_wrong"] and row["is_stated"]]
    if said:
        found = [{**row, "is_wrong": row in said} for row in found]
    return sorted(found, key=lambda row: not row["is_wrong"])


def _row(
    visit: Visit, seen: Refused, row: Mapping[Any, Any], broken: set[str], keeps: bool
) -> dict[str, Any]:
    path = str(row["field"])
    typed = visit.form.get(_TYPED + path) if keeps else None
    now = _text(visit, path, row["stands"])
    return {
        "path": path,
        "id": _TYPED + path,
        "label": label(visit, path),
        "came": lines(visit, path, row["came"]),
        "corrected": lines(visit, path, row["stands"]) if row["corrected"] else [],
        "held": lines(visit, path, row["held"]),
        "is_wrong": path == seen.unread or bool(broken & {path, *standard_fields(path)}),
        "is_stated": path == seen.unread
        or any(_is_there(row[name]) for name in ("came", "held", "stands")),
        "may_correct": bool(row["may_correct"]),
        "value": now if typed is None else typed,
        "choices": _choices(visit, path, row["stands"]),
        "is_day": _kind(path) == "date",
        "longest": max(_LONGEST, len(now)),
    }


def stated(visit: Visit, seen: Refused) -> dict[str, str]:
    """Field → what was typed, of the fields in which something else was typed than stands there."""
    typed: dict[str, str] = {}
    for row in seen.fields.to_dict("records"):
        path = str(row["field"])
        value = visit.form.get(_TYPED + path)
        if value is None or not row["may_correct"]:
            continue
        if path == seen.unread or value.strip() != _text(visit, path, row["stands"]).strip():
            typed[path] = _as_kept(value.strip(), path)
    return typed


def is_changed(visit: Visit, seen: Refused) -> bool:
    """Whether anything was typed into the form."""
    return any(value or path != seen.unread for path, value in stated(visit, seen).items())


def refusals(visit: Visit, no: NotCorrected) -> list[str]:
    """Why nothing can be corrected so, a sentence for each thing that is wrong."""
    if no.why == "still_refused":
        return [
            visit.texts.say(
                "desk.correct.still_refused",
                field=visit.code("field", field), meaning=visit.texts.refusal(rule),
            ) if field else visit.texts.refusal(rule)
            for rule, field in no.broken
        ]  # fmt: skip
    fields = ", ".join(label(visit, field) for field in no.fields)
    return [visit.texts.say(f"desk.correct.{no.why}", fields=fields)]


def label(visit: Visit, path: str) -> str:
    """A field as a steward calls it, with the address it is a part of."""
    top, _, rest = path.partition(".")
    which, _, part = rest.rpartition(".")
    if top == "addresses" and which:
        number = visit.texts.say("desk.correct.address", n=which)
        return f"{number if which.isdigit() else visit.code('value', which)}: {_name(visit, part)}"
    if top == "final_invoice" and rest:
        return f"{visit.texts.say('value.final_invoice')}: {_name(visit, rest)}"
    return _name(visit, path)


def _name(visit: Visit, field: str) -> str:
    return visit.code("field", field)


def lines(visit: Visit, path: str, value: object) -> list[str]:
    """What a field says, a line for each of several."""
    if isinstance(value, Mapping):
        return ["; ".join(f"{_name(visit, k)} {visit.word(k, v)}" for k, v in value.items())]
    if isinstance(value, list):
        return [line for one in value for line in lines(visit, path, one)]
    return [_worded(visit, path, value)] if _is_there(value) else []


def _worded(visit: Visit, path: str, value: object) -> str:
    part = path.rpartition(".")[2]
    if isinstance(value, bool):
        return visit.texts.say(f"value.{str(value).lower()}")
    text = visit.word(part, value)
    is_code = bool(_CHOICES.fullmatch(_pattern(part) or ""))
    return visit.code(_family(part), text) if is_code else text


def _text(visit: Visit, path: str, value: object) -> str:
    """What stands in an input: a browser takes no line break in one."""
    if isinstance(value, bool):
        return str(value).lower()
    if not _is_there(value) or isinstance(value, Mapping | list):
        return ""
    text = visit.word(path.rpartition(".")[2], value) if _kind(path) == "date" else str(value)
    return re.sub(r"[\r\n]", "", text)


def _as_kept(text: str, path: str) -> str:
    """What was typed as the hub keeps it: a day written 1.11.2026 is the day 2026-11-01."""
    day = _WRITTEN_DAY.fullmatch(text) if _kind(path) == "date" else None
    return f"{day[3]}-{int(day[2]):02}-{int(day[1]):02}" if day else text


def _choices(visit: Visit, path: str, now: object) -> list[tuple[str, str]]:
    """The codes a field may hold, in words; what stands there stays among them, though it be none."""
    part = path.rpartition(".")[2]
    if _kind(path) == "boolean":
        codes = ["true", "false"]
    else:
        found = _CHOICES.fullmatch(_pattern(part) or "")
        codes = found[1].split("|") if found else []
    if not codes:
        return []
    text = _text(visit, path, now)
    known = [("", ""), *((code, visit.code(_family(part), code)) for code in codes)]
    return known if text in ("", *codes) else [*known, (text, text)]


def _family(part: str) -> str:
    return "role" if part == "role_type" else "value"


def _kind(path: str) -> str:
    part = path.rpartition(".")[2]
    return FIELDS[part].kind if part in FIELDS else "text"


def _pattern(part: str) -> str | None:
    return FIELDS[part].pattern if part in FIELDS else None


def _is_there(value: Any) -> bool:
    return isinstance(value, Mapping | list) or bool(pd.notna(value))
