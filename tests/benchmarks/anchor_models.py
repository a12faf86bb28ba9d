"""What the anchor compares and which pairs it looks at, as Splink settings tuned for households.

Belongs here: normalisation, comparisons and blocking rules. Does not belong here: running them (`anchor`).
Read in the benchmarks' own environment only, where Splink is: nothing of the hub is imported.

All evidence of place and contact is one comparison, so that a household is not counted four times; the given
name is a comparison of its own. Unlike the hub it sees identity codes and birth dates as text, and may compare
them fuzzily.
"""

from typing import Any

import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import SettingsCreator, block_on

NORMALISED = r"""
create or replace macro fold(s) as nullif(trim(regexp_replace(
    translate(lower(s), 'äöåéüáóøæ', 'aoaeuaooa'), '[^a-z0-9]+', ' ', 'g')), '');
create or replace table recs as
with a as (
    select record_id rec_id, kind, fold(given) fn, fold(family) ln, fold(second) mid, birth dob,
        upper(replace(identity_code, ' ', '')) hetu, business_id,
        nullif(right(regexp_replace(coalesce(phone, ''), '[^0-9]', '', 'g'), 9), '') phone,
        lower(trim(email)) email, fold(street) street, house house_no, fold(flat) apt, code postcode, property_id,
        nullif(trim(regexp_replace(' ' || fold(organisation) || ' ',
            ' (oy ab|as oy|asunto oy|osakeyhtio|oy|ab|ky|tmi) ', ' ', 'g')), '') cn
    from src
)
select * replace (coalesce(dob, case when regexp_full_match(hetu, '[0-9]{6}[-YXWVUA-F][0-9]{3}.')
        then case when substr(hetu, 7, 1) between 'A' and 'F' then '20' else '19' end || substr(hetu, 5, 2)
            || '-' || substr(hetu, 3, 2) || '-' || left(hetu, 2) end) as dob),
    fn || ' ' || ln full_name, street || ' ' || house_no || ' ' || postcode addr,
    street || ' ' || house_no || coalesce(' ' || apt, '') || ' ' || postcode addr_full
from a"""


def _null(condition: str) -> dict[str, object]:
    return {"sql_condition": condition, "label_for_charts": "null", "is_null_level": True}


def _level(label: str, condition: str) -> dict[str, str]:
    return {"sql_condition": condition, "label_for_charts": label}


def _same(column: str) -> Any:
    return cll.ExactMatchLevel(column, term_frequency_adjustments=True)


def _comparison(name: str, *levels: object) -> dict[str, object]:
    return {"output_column_name": name, "comparison_levels": [*levels, cll.ElseLevel()]}


_SWAPPED = "fn_l = ln_r and ln_l = fn_r"
_CROSSED = "fn_l = mid_r or mid_l = fn_r"
_NO_PLACE = (
    "(addr_l is null or addr_r is null) and (property_id_l is null or property_id_r is null)"
)
_NO_CONTACT = "(phone_l is null or phone_r is null) and (email_l is null or email_r is null)"


def persons() -> SettingsCreator:
    """The model of persons."""
    given = _comparison(
        "given",
        _null("fn_l is null or fn_r is null"),
        _same("fn"),
        _level("swapped", _SWAPPED),
        _level("middle", _CROSSED),
        _level(
            "initial",
            "(length(fn_l) = 1 or length(fn_r) = 1) and substr(fn_l, 1, 1) = substr(fn_r, 1, 1)",
        ),
        cll.JaroWinklerLevel("fn", 0.92),
        cll.DamerauLevenshteinLevel("fn", 1),
        _level(
            "near",
            "starts_with(fn_l, fn_r) or starts_with(fn_r, fn_l) "
            "or jaro_winkler_similarity(fn_l, fn_r) >= 0.82",
        ),
    )
    family = _comparison(
        "family",
        _null(f"ln_l is null or ln_r is null or ({_SWAPPED})"),
        _same("ln"),
        cll.JaroWinklerLevel("ln", 0.92),
        cll.DamerauLevenshteinLevel("ln", 1),
        _level("double surname", "contains(ln_l, ln_r) or contains(ln_r, ln_l)"),
    )
    second = _comparison(
        "second",
        cll.NullLevel("mid"),
        cll.ExactMatchLevel("mid"),
        cll.JaroWinklerLevel("mid", 0.88),
        _level("crossed", _CROSSED),
    )
    code = _comparison(
        "code",
        cll.NullLevel("hetu"),
        _same("hetu"),
        cll.DamerauLevenshteinLevel("hetu", 1),
    )
    birth = _comparison(
        "birth",
        _null("dob_l is null or dob_r is null or hetu_l = hetu_r"),
        cll.ExactMatchLevel("dob"),
        cll.DamerauLevenshteinLevel("dob", 1),
        _level(
            "day and month swapped",
            "left(dob_l, 4) = left(dob_r, 4) and substr(dob_l, 6, 2) = substr(dob_r, 9, 2) "
            "and substr(dob_l, 9, 2) = substr(dob_r, 6, 2)",
        ),
        _level("two of three", "left(dob_l, 7) = left(dob_r, 7) or substr(dob_l, 5) = substr(dob_r, 5)"),
    )  # fmt: skip
    place = _comparison(
        "place",
        _null(f"{_NO_PLACE} and {_NO_CONTACT}"),
        _same("email"),
        _level("phone and place", "phone_l = phone_r and (addr_l = addr_r or property_id_l = property_id_r)"),
        *(_same(column) for column in ("phone", "addr_full", "addr", "property_id")),
        _level(
            "street near",
            "house_no_l = house_no_r and left(postcode_l, 3) = left(postcode_r, 3) "
            "and jaro_winkler_similarity(street_l, street_r) >= 0.88",
        ),
        _level(
            "contact near",
            "damerau_levenshtein(phone_l, phone_r) <= 1 or jaro_winkler_similarity(email_l, email_r) >= 0.95",
        ),
        _same("postcode"),
    )  # fmt: skip
    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="rec_id",
        blocking_rules_to_generate_predictions=[
            block_on("hetu"), block_on("email"), block_on("phone"), block_on("full_name", "dob"),
            block_on("ln", "dob"), block_on("fn", "dob"), block_on("ln", "addr"), block_on("fn", "addr"),
            block_on("full_name", "substr(postcode,1,2)"), block_on("ln", "property_id"),
            block_on("fn", "property_id"), "l.fn = r.ln and l.ln = r.fn", block_on("full_name", "mid"),
            block_on("substr(fn,1,3)", "substr(ln,1,3)", "street"), block_on("substr(fn,1,2)", "addr"),
        ],
        comparisons=[given, family, second, birth, code, place],
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=False,
    )  # fmt: skip


def organisations() -> SettingsCreator:
    """The model of organisations."""
    name = _comparison(
        "name",
        cll.NullLevel("cn"),
        _same("cn"),
        cll.JaroWinklerLevel("cn", 0.95),
        cll.JaroWinklerLevel("cn", 0.85),
    )
    place = _comparison(
        "place", _null(_NO_PLACE), _same("addr"), _same("property_id"), _same("postcode")
    )
    contacts = [
        _comparison(column, cll.NullLevel(column), _same(column)) for column in ("phone", "email")
    ]
    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="rec_id",
        blocking_rules_to_generate_predictions=[
            block_on("business_id"), block_on("cn", "substr(postcode,1,2)"), block_on("email"),
            block_on("phone"), block_on("addr"), block_on("property_id"),
        ],
        comparisons=[name, place, cl.ExactMatch("business_id"), *contacts],
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=False,
    )  # fmt: skip


SETTINGS = {"person": persons, "organisation": organisations}
SURE = {
    "person": [
        block_on("hetu"), block_on("full_name", "dob"), block_on("full_name", "email"),
        block_on("full_name", "phone"),
    ],
    "organisation": [block_on("business_id"), block_on("cn", "addr")],
}  # fmt: skip
"""Rules that only true pairs meet, by and large: they tell how many there are."""
LEARNING = {
    "person": [
        block_on("full_name", "substr(postcode,1,3)"), block_on("dob", "fn"), block_on("email"),
        block_on("hetu"),
    ],
    "organisation": [block_on("cn"), block_on("business_id"), block_on("addr")],
}  # fmt: skip
"""Blocks in which the weights are learnt, one after the other."""
FREQUENCIES = {
    "person": (
        "fn", "ln", "hetu", "email", "phone", "addr_full", "addr", "property_id", "postcode",
    ),
    "organisation": ("cn", "addr", "property_id", "postcode", "phone", "email"),
}  # fmt: skip
"""Columns whose agreement is worth more the rarer the value."""
