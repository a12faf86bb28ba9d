"""Records in the form they are compared in: one table of persons, one of organisations.

Belongs here: folding, reading names, numbers and places apart, in SQL and whole columns at a time. Does not
belong here: which records are compared (`candidates`), how (`patterns`). What is made here is for comparing
only and is never shown or stored.

The fold is `domain.names.fold` and a test holds the two equal; here it runs over columns.
"""

import duckdb

from pipelines.domain.matching import LEGAL_FORMS

# Letters that no decomposition takes apart (domain.names has the same list), and the sharp s of casefold.
_LETTERS = {
    "ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th",
    "ß": "ss",
}  # fmt: skip
_SINGLE = {old: new for old, new in _LETTERS.items() if len(new) == 1}
_DOUBLE = {old: new for old, new in _LETTERS.items() if len(new) == 2}


def _folded(text: str) -> str:
    """SQL for the folded form of a text; null stays null, nothing left is null."""
    lower = f"translate(lower({text}), '{''.join(_SINGLE)}', '{''.join(_SINGLE.values())}')"
    for old, new in _DOUBLE.items():
        lower = f"replace({lower}, '{old}', '{new}')"
    return f"nullif(trim(regexp_replace(strip_accents({lower}), '[^\\pL\\pN]+', ' ', 'g')), '')"


_ESTATE = r"\b(kuolinpesan osakkaat|kuolinpesa|perikunta|dodsboet efter|dodsbo(et)?|kp|dbo)\b"
_WRITTEN_OUT = {"osakeyhtio", "aktiebolag", "toiminimi"}
_FORMS = rf"\b({'|'.join(sorted(LEGAL_FORMS | _WRITTEN_OUT))})\b"

_MACROS = (
    f"create or replace macro fold(t) as {_folded('t')}",
    # what stands after c/o is somebody else's name
    "create or replace macro before_care_of(t) as regexp_replace(t, '(?i)(^|\\s)c\\s?/\\s?o\\b.*$', '')",
    f"create or replace macro without_estate(t) as "
    f"nullif(trim(regexp_replace(regexp_replace(t, '{_ESTATE}', ' ', 'g'), ' +', ' ', 'g')), '')",
    f"create or replace macro is_estate(t) as coalesce(regexp_matches(t, '{_ESTATE}'), false)",
    # a hyphenated given name is one name, so words are cut before they are folded
    "create or replace macro given_word(t, n) as "
    "nullif(replace(without_estate(fold(split_part(trim(t), ' ', n))), ' ', ''), '')",
    # national significant number: +358 40, 00358 40 and 040 are one
    "create or replace macro number_of(t) as nullif(regexp_replace(regexp_replace("
    "coalesce(t, ''), '[^0-9]', '', 'g'), '^(00358|358|0)', ''), '')",
)

_PLACED = """
    number_of(phone) phone,
    nullif(lower(trim(email)), '') email,
    fold(street) street,
    nullif(replace(fold(house_number), ' ', ''), '') house,
    nullif(replace(fold(apartment), ' ', ''), '') flat,
    nullif(replace(fold(postal_code), ' ', ''), '') code,
    fold(post_office) office,
    nullif(trim(property_id), '') property
"""
_PLACE = "street || '|' || coalesce(house, '') || '|' || coalesce(code, office, '')"

_PERSONS = f"""
create or replace table person as
with read as (
    select r, person_key, birth_key birth, coalesce(protection = 'on', false) guarded,
        given_word(before_care_of(given_names), 1) g1,
        given_word(before_care_of(given_names), 2) g2,
        is_estate(fold(given_names)) or is_estate(fold(family_name)) estate,
        replace(without_estate(fold(before_care_of(family_name))), ' ', '') f,
        string_split(without_estate(fold(before_care_of(family_name))), ' ') parts,
        {_PLACED}
    from record where kind is distinct from 'organisation'
)
select read.*, home.others, {_PLACE.replace('street', 'read.street').replace('house', 'read.house').replace('code', 'read.code')} place,
    count(*) over (partition by g1) / count(*) over () g1_share,
    count(*) over (partition by f) / count(*) over () f_share
from read
left join (
    select street, house, code, flat, count(distinct left(g1, 2)) - 1 others from read
    where street is not null group by all
) home on home.street = read.street and home.house is not distinct from read.house
    and home.code is not distinct from read.code and home.flat is not distinct from read.flat
"""

_ORGANISATIONS = f"""
create or replace table organisation as
with read as (
    select r, business_id, fold(before_care_of(organisation_name)) whole,
        fold(contact_name) contact,
        {_PLACED}
    from record where kind = 'organisation'
), named as (
    select *, coalesce(
        nullif(trim(regexp_replace(regexp_replace(whole, '{_FORMS}', ' ', 'g'), ' +', ' ', 'g')), ''),
        whole
    ) core from read
)
select *, {_PLACE} place, list_sort(string_split(core, ' ')) words,
    nullif(trim(regexp_replace(core, '[^0-9]+', ' ', 'g')), '') numbers,
    nullif(list_aggregate(list_sort(regexp_extract_all(whole, '{_FORMS}')), 'string_agg', ' '), '') form,
    count(*) over (partition by core) / count(*) over () core_share
from named
"""


def normalise(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes tables `person` and `organisation` out of `record`.

    person: r, person_key, birth, guarded, estate, g1 and g2 (first and second given name), f (family name),
    phone, email, street, house, flat, code, office, property, place. organisation: r, business_id, whole
    and core (name with and without legal form), words, numbers, contact and the same contact columns.
    """
    for statement in (*_MACROS, _PERSONS, _ORGANISATIONS):
        connection.execute(statement)
