"""Records in the form they are compared in: one table of persons, one of organisations.

Belongs here: folding, reading names, numbers and places apart, in SQL and whole columns at a time; how
common a name is. Does not belong here: which records are compared (`candidates`), how (`patterns`). What is
made here is for comparing only and is never shown; the register keeps it as it is read (`readings`), so that
a record goes on being compared without being read again.

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


def _read_once(column: str, *levels: str, source: str = "record") -> str:
    """A table of a column's distinct values and what is read from each: text costs once a value.

    levels: each reads what the ones before it made; written as one, an expression would be planned anew for
    every use of it.
    """
    read = f"select distinct {column} from {source} where {column} is not null"
    for level in levels:
        read = f"select *, {level} from ({read})"
    return f"create or replace temp table read_{column} as {read}"


_READINGS = (
    _read_once(
        "family_name",
        "fold(before_care_of(family_name)) folded",
        "without_estate(folded) spaced, is_estate(folded) estate",
        "replace(spaced, ' ', '') f, string_split(spaced, ' ') parts",
        "letters_of(f) f_letters, consonants_of(f) f_consonants",
    ),
    _read_once(
        "given_names",
        # a hyphenated name is one name
        "fold(replace(before_care_of(given_names), '-', '')) folded",
        "string_split(without_estate(folded), ' ') given, is_estate(folded) estate",
        "given[1] g1, given[2] g2",
        "letters_of(g1) g1_letters, consonants_of(g1) g1_consonants",
    ),
    _read_once(
        "organisation_name",
        "fold(before_care_of(organisation_name)) whole",
        f"coalesce(single_spaced(regexp_replace(whole, '{_FORMS}', ' ', 'g')), whole) core, "
        f"nullif(array_to_string(list_sort(regexp_extract_all(whole, '{_FORMS}')), ' '), '') form",
        "list_sort(string_split(core, ' ')) words, "
        "nullif(trim(regexp_replace(core, '[^0-9]+', ' ', 'g')), '') numbers",
    ),
    # every place a record is known at: its own first, then what stands in `elsewhere`
    """
    create or replace temp table stated_place as
    select r, true own, null::varchar person_key, street, house_number, apartment, postal_code, post_office, property_id
    from record
    union all
    select r, false, person_key, street, house_number, apartment, postal_code, post_office, property_id
    from elsewhere
    """,
    _read_once("street", "fold(street) folded", source="stated_place"),
    _read_once("post_office", "fold(post_office) folded", source="stated_place"),
    """
    create or replace temp table read_place as
    select *, place || '|' || coalesce(flat, '') home
    from (select *, street || '|' || coalesce(house, '') || '|' || coalesce(code, office, '') place
    from (select r, own, person_key, read_street.folded street,
        nullif(replace(fold(house_number), ' ', ''), '') house,
        nullif(replace(fold(apartment), ' ', ''), '') flat,
        nullif(replace(upper(postal_code), ' ', ''), '') code,
        read_post_office.folded office, property_id property
    from stated_place
    left join read_street using (street) left join read_post_office using (post_office)))
    """,
    # who is known at several places is compared at each; where nobody is, no lists are made
    """
    create or replace temp table everywhere as
    select r, list(distinct place) filter (place is not null) places,
        list(distinct home) filter (home is not null) homes,
        list(distinct property) filter (property is not null) properties
    from read_place where exists (from elsewhere) group by r
    """,
    # every record's way to be reached, of persons and organisations alike
    """
    create or replace temp table placed as
    select r, number_of(phone) phone, lower(email) email,
        nullif(regexp_replace(split_part(lower(email), '@', 1), '[0-9]+', '', 'g'), '') mailbox, places, homes, properties,
        read_place.* exclude (r, own, person_key, home)
    from record join read_place using (r) left join everywhere using (r) where own
    """,
)

_PERSONS_READ = """
create or replace temp table person_read as
select r, person_key, living_key, birth_key birth, coalesce(protection = 'on', false) guarded, g1, g2, f, parts,
    g1_letters, g1_consonants, f_letters, f_consonants,
    coalesce(name_role = 'death_estate', false) or coalesce(read_given_names.estate, false)
        or coalesce(read_family_name.estate, false) estate,
    placed.* exclude (r)
from record
join placed using (r)
left join read_given_names using (given_names)
left join read_family_name using (family_name)
where kind is distinct from 'organisation'
"""

_ORGANISATIONS_READ = """
create or replace temp table organisation_read as
select r, business_id, whole, core, words, numbers, form, fold(contact_name) contact, placed.* exclude (r)
from record join placed using (r) left join read_organisation_name using (organisation_name)
where kind = 'organisation'
"""

HELD_BY = 3
"""A name that fewer records bear has no share of its own: whose two records are compared says nothing of others."""
SELDOM = -1
"""Stands for every such name in `name_share`; no hash is negative."""


def _share(part: str, name: str, table: str) -> str:
    """SQL for the shares of a table's names, as if those assumed had been seen too; names stand as hashes."""
    holders, people = assumed(name)
    records = f"((select count(*) from {table}) + {people})"
    return f"""
        select '{part}' part, {_hashed(name)} "name", (count(*) - {HELD_BY - 1} + {holders}) / {records} share
        from {table} where {name} is not null group by {name} having count(*) >= {HELD_BY}
        union all
        select '{part}', {SELDOM}, {holders} / {records}"""


def _hashed(name: str) -> str:
    return f"(hash({name}) >> 1)::bigint"


def _share_of(part: str) -> str:
    """SQL for the share of a name joined under the part's name."""
    seldom = f"(select share from name_share where part = '{part}' and name = {SELDOM})"
    return f"coalesce({part}.share, {seldom})"


def _joined(part: str, name: str) -> str:
    return (
        f"left join name_share {part} on {part}.part = '{part}' and {part}.name = {_hashed(name)}"
    )


_SHARES = "create or replace table name_share as " + " union all ".join(
    (
        _share("given", "g1", "person_read"),
        _share("family", "f", "person_read"),
        _share("organisation", "core", "organisation_read"),
    )
)

_PERSONS = f"""
create or replace table person as
with home as (
    select place, flat, count(distinct left(g1, 2)) - 1 others from person_read
    where place is not null group by place, flat
)
select person_read.*, {_share_of("given")} g1_share, {_share_of("family")} f_share, others
from person_read {_joined("given", "g1")} {_joined("family", "f")}
left join home on home.place = person_read.place and home.flat is not distinct from person_read.flat
"""

_ORGANISATIONS = f"""
create or replace table organisation as
select organisation_read.*, {_share_of("organisation")} core_share
from organisation_read {_joined("organisation", "core")}
"""


def statements() -> tuple[str, ...]:
    """Everything that says how values are read, in order."""
    macros = (f"create or replace macro {name} as {body}" for name, body in _READERS.items())
    return (
        *macros,
        *_READINGS,
        _PERSONS_READ,
        _ORGANISATIONS_READ,
        _SHARES,
        _PERSONS,
        _ORGANISATIONS,
    )


def normalise(connection: duckdb.DuckDBPyConnection, *, shares_known: bool = False) -> None:
    """Makes tables `person` and `organisation` out of `record` and `elsewhere` (see `layout`).

    person: r, person_key, living_key, birth, guarded, estate, g1 and g2 (first and second given name), f (family name)
    and its parts, g1_letters, g1_consonants, f_letters and f_consonants (names as a slip leaves them), phone,
    email, mailbox (its name without domain and number), street, house, flat, code, office, property, place (street, house and code in
    one), places, homes and properties (of who is known at several), g1_share and f_share (of the persons'
    records), others (people of other names at that address).
    organisation: r, business_id, whole and core (name with and without legal form), form, words, numbers,
    contact, core_share and the same places.

    shares_known: `name_share` (part, name, share) stands already, learnt from a larger register; a name
    that is not in it is very rare. Otherwise it is made from these records.
    """
    for statement in statements():
        if not (shares_known and statement is _SHARES):
            connection.execute(statement)
