"""Records in the form they are compared in: one table of persons, one of organisations.

Belongs here: folding, reading names, numbers and places apart, in SQL and whole columns at a time. Does not
belong here: which records are compared (`candidates`), how (`patterns`). What is made here is for comparing
only and is never shown or stored.

The fold is `domain.names.fold` and a test holds the two equal; here it runs over columns.
"""

import duckdb

from pipelines.domain.matching import LEGAL_FORMS
from pipelines.domain.prior import assumed

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

# What stands after c/o is somebody else's name. A number is the national significant one: +358 40,
# 00358 40 and 040 are one.
_READERS = {
    "fold(t)": _folded("t"),
    "before_care_of(t)": r"regexp_replace(t, '(?i)(^|\s)c\s?/\s?o\b.*$', '')",
    "single_spaced(t)": "nullif(trim(regexp_replace(t, ' +', ' ', 'g')), '')",
    "without_estate(t)": f"single_spaced(regexp_replace(t, '{_ESTATE}', ' ', 'g'))",
    "is_estate(t)": f"coalesce(regexp_matches(t, '{_ESTATE}'), false)",
    "digits_of(t)": "regexp_replace(t, '[^0-9]', '', 'g')",
    # letters doubled or in another order, and of consonants other vowels, change nothing
    "letters_of(t)": "array_to_string(list_sort(list_distinct(string_split(t, ''))), '')",
    "consonants_of(t)": "left(t, 1) || letters_of(regexp_replace(substr(t, 2), '[aeiouyh]', '', 'g'))",
    "number_of(t)": "nullif(regexp_replace(digits_of(t), '^(00358|358|0)', ''), '')",
}


def _read_once(column: str, readings: str) -> str:
    """A table of a column's distinct values and what is read from each: text costs once a value."""
    return (
        f"create or replace temp table read_{column} as select {column}, {readings} "
        f"from (select distinct {column} from record where {column} is not null)"
    )


_READINGS = (
    _read_once(
        "family_name",
        "fold(before_care_of(family_name)) folded, without_estate(folded) spaced, "
        "replace(spaced, ' ', '') f, string_split(spaced, ' ') parts, is_estate(folded) estate, "
        "letters_of(f) f_letters, consonants_of(f) f_consonants",
    ),
    _read_once(
        "given_names",
        # a hyphenated name is one name
        "fold(replace(before_care_of(given_names), '-', '')) folded, "
        "string_split(without_estate(folded), ' ') given, given[1] g1, given[2] g2, "
        "is_estate(folded) estate, letters_of(g1) g1_letters, consonants_of(g1) g1_consonants",
    ),
    _read_once(
        "organisation_name",
        "fold(before_care_of(organisation_name)) whole, "
        f"coalesce(single_spaced(regexp_replace(whole, '{_FORMS}', ' ', 'g')), whole) core, "
        "list_sort(string_split(core, ' ')) words, "
        "nullif(trim(regexp_replace(core, '[^0-9]+', ' ', 'g')), '') numbers, "
        f"nullif(array_to_string(list_sort(regexp_extract_all(whole, '{_FORMS}')), ' '), '') form",
    ),
    _read_once("street", "fold(street) folded"),
    _read_once("post_office", "fold(post_office) folded"),
    # every record's way to be reached, of persons and organisations alike
    """
    create or replace temp table placed as
    select r, number_of(phone) phone, lower(email) email,
        nullif(regexp_replace(split_part(lower(email), '@', 1), '[0-9]+', '', 'g'), '') mailbox,
        read_street.folded street,
        nullif(replace(fold(house_number), ' ', ''), '') house,
        nullif(replace(fold(apartment), ' ', ''), '') flat,
        nullif(replace(upper(postal_code), ' ', ''), '') code,
        read_post_office.folded office, property_id property,
        read_street.folded || '|' || coalesce(house, '')
            || '|' || coalesce(code, read_post_office.folded, '') place
    from record left join read_street using (street) left join read_post_office using (post_office)
    """,
)


def _share(column: str) -> str:
    """SQL for a name's share of the records, as if those assumed had been seen too.

    The two records that are compared say nothing about how many others have their name.
    """
    holders, people = assumed(column)
    return f"(greatest(count(*) - 2, 0) + {holders}) / ((select count(*) from read) + {people})"


_PERSONS = f"""
create or replace table person as
with read as (
    select r, person_key, birth_key birth, coalesce(protection = 'on', false) guarded, g1, g2, f, parts,
        g1_letters, g1_consonants, f_letters, f_consonants,
        coalesce(read_given_names.estate, false) or coalesce(read_family_name.estate, false) estate,
        placed.* exclude (r)
    from record
    join placed using (r)
    left join read_given_names using (given_names)
    left join read_family_name using (family_name)
    where kind is distinct from 'organisation'
), given as (
    select g1, {_share("g1")} g1_share from read group by g1
), family as (
    select f, {_share("f")} f_share from read group by f
), home as (
    select place, flat, count(distinct left(g1, 2)) - 1 others from read
    where place is not null group by place, flat
)
select read.*, g1_share, f_share, others
from read
left join given on given.g1 = read.g1
left join family on family.f = read.f
left join home on home.place = read.place and home.flat is not distinct from read.flat
"""

_ORGANISATIONS = f"""
create or replace table organisation as
with read as (
    select r, business_id, whole, core, words, numbers, form, fold(contact_name) contact,
        placed.* exclude (r)
    from record join placed using (r) left join read_organisation_name using (organisation_name)
    where kind = 'organisation'
), name as (
    select core, {_share("core")} core_share from read group by core
)
select read.*, core_share from read left join name on name.core = read.core
"""


def normalise(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes tables `person` and `organisation` out of `record`.

    person: r, person_key, birth, guarded, estate, g1 and g2 (first and second given name), f (family name)
    and its parts, g1_letters, g1_consonants, f_letters, f_consonants (names as a slip leaves them), phone,
    email, mailbox (its name without domain and number), street, house, flat, code, office, property, place (street, house and code in one),
    g1_share and f_share (of the persons' records), others (people of other names at that address).
    organisation: r, business_id, whole and core (name with and without legal form), form, words, numbers,
    contact, core_share and the same places.
    """
    for name, body in _READERS.items():
        connection.execute(f"create or replace macro {name} as {body}")
    for statement in (*_READINGS, _PERSONS, _ORGANISATIONS):
        connection.execute(statement)
