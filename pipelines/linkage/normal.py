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
    # letters doubled or in another order change nothing
    "letters_of(t)": "array_to_string(list_sort(list_distinct(string_split(t, ''))), '')",
    "number_of(t)": "nullif(regexp_replace(digits_of(t), '^(00358|358|0)', ''), '')",
}


def _read_once(column: str, *levels: str, source: str = "record", beside: str = "") -> str:
    """A table of a column's distinct values and what is read from each: text costs once a value.

    levels: each reads what the ones before it made; written as one, an expression would be planned anew for
    every use of it. beside: what is counted over the records of a value.
    """
    read = f"select {column} {beside} from {source} where {column} is not null group by {column}"
    for level in levels:
        read = f"select *, {level} from ({read})"
    return f"create or replace temp table read_{column} as {read}"


_PERSON = "kind is distinct from 'organisation'"
_ORGANISATION = "kind = 'organisation'"
_STATED = "(select {0} from record union all select {0} from elsewhere)"


def _numbered(value: str) -> str:
    """SQL for a number that stands for a value of which only is asked whether it is another's too."""
    return f"case when {value} is not null then hash({value}) end"


def _placed(stated: str, columns: str) -> str:
    """SQL for the rows of something that states places, with what is read of these; columns: what besides."""
    return f"""
    select *, case when place is not null then hash(place, coalesce(flat, '')) end home
    from (select *, case when street is not null
            then hash(street, coalesce(house, ''), coalesce(code, office, '')) end place
        from (select {columns}, read_street.folded street, house, flat,
            nullif(replace(upper(postal_code), ' ', ''), '') code, read_post_office.folded office,
            {_numbered("property_id")} property
        from {stated}
        left join read_street using (street) left join read_house_number using (house_number)
        left join read_apartment using (apartment) left join read_post_office using (post_office)))"""


# every record's way to be reached, of persons and organisations alike
_REACHED = """number_of(phone) phone, lower(email) email,
    nullif(regexp_replace(split_part(lower(email), '@', 1), '[0-9]+', '', 'g'), '') mailbox"""

_RETIRED = f"r, {_numbered('person_key')} person_key"
_SEVERAL = "(from record semi join elsewhere using (r)) record"

_READINGS = (
    _read_once(
        "family_name",
        "fold(before_care_of(family_name)) folded",
        "without_estate(folded) spaced, is_estate(folded) estate",
        "replace(spaced, ' ', '') f, case when contains(spaced, ' ') then spaced end f_parts",
        "letters_of(f) f_letters",
        beside=f", count(*) filter (where {_PERSON}) borne",
    ),
    _read_once(
        "given_names",
        # a hyphenated name is one name
        "fold(replace(before_care_of(given_names), '-', '')) folded",
        "string_split(without_estate(folded), ' ') given, is_estate(folded) estate",
        "given[1] g1, given[2] g2",
        "letters_of(g1) g1_letters",
        beside=f", count(*) filter (where {_PERSON}) borne",
    ),
    _read_once(
        "organisation_name",
        "fold(before_care_of(organisation_name)) whole",
        f"coalesce(single_spaced(regexp_replace(whole, '{_FORMS}', ' ', 'g')), whole) core, "
        f"nullif(array_to_string(list_sort(regexp_extract_all(whole, '{_FORMS}')), ' '), '') form",
        "list_sort(string_split(core, ' ')) words, "
        "nullif(trim(regexp_replace(core, '[^0-9]+', ' ', 'g')), '') numbers",
        beside=f", count(*) filter (where {_ORGANISATION}) borne",
    ),
    _read_once("street", "fold(street) folded", source=_STATED.format("street")),
    _read_once("post_office", "fold(post_office) folded", source=_STATED.format("post_office")),
    _read_once(
        "house_number",
        "nullif(replace(fold(house_number), ' ', ''), '') house",
        source=_STATED.format("house_number"),
    ),
    _read_once(
        "apartment",
        "nullif(replace(fold(apartment), ' ', ''), '') flat",
        source=_STATED.format("apartment"),
    ),
    # what a record is known by besides: further places, and identities that were corrected
    f"create or replace temp table read_place as {_placed('elsewhere', _RETIRED)}",
    # who is known at several places is compared at each; where nobody is, no lists are made; in one order, since
    # the lists are kept
    f"""
    create or replace temp table everywhere as
    select r, list_sort(list(distinct place) filter (place is not null)) places,
        list_sort(list(distinct home) filter (home is not null)) homes,
        list_sort(list(distinct property) filter (property is not null)) properties
    from (
        select r, place, home, property from read_place
        union all
        select r, place, home, property
        from ({_placed(_SEVERAL, "r")})
    ) group by r
    """,
)

HELD_BY = 3
"""A name that fewer records bear has no share of its own: whose two records are compared says nothing of others."""
SELDOM = -1
"""Stands for every such name in `name_share`; no hash is negative."""


def _share(part: str, name: str, table: str, kind: str) -> str:
    """SQL for the shares of a table's names, as if those assumed had been seen too; names stand as hashes."""
    holders, people = assumed(name)
    records = f"((select count(*) from record where {kind}) + {people})"
    return f"""
        select '{part}' part, {_hashed(name)} "name", (sum(borne) - {HELD_BY - 1} + {holders}) / {records} share
        from {table} where {name} is not null group by {name} having sum(borne) >= {HELD_BY}
        union all
        select '{part}', {SELDOM}, {holders} / {records}"""


def _hashed(name: str) -> str:
    return f"(hash({name}) >> 1)::bigint"


_SHARES = "create or replace table name_share as " + " union all ".join(
    (
        _share("given", "g1", "read_given_names", _PERSON),
        _share("family", "f", "read_family_name", _PERSON),
        _share("organisation", "core", "read_organisation_name", _ORGANISATION),
    )
)


def _with_share(column: str, part: str, name: str) -> str:
    """The names that were read, each with its share."""
    seldom = f"(select share from name_share where part = '{part}' and name = {SELDOM})"
    return f"""
    create or replace temp table known_{column} as
    select read_{column}.* exclude (borne), coalesce(share, {seldom}) {name}_share
    from read_{column} left join (from name_share where part = '{part}') known on known.name = {_hashed(name)}
    """


_NAMES_WITH_SHARES = (
    _with_share("given_names", "given", "g1"),
    _with_share("family_name", "family", "f"),
    _with_share("organisation_name", "organisation", "core"),
)

_PERSON_COLUMNS = f"""
    r, {_numbered("person_key")} person_key, {_numbered("living_key")} living_key, {_numbered("birth_key")} birth,
    coalesce(protection = 'on', false) guarded,
    coalesce(name_role = 'death_estate', false) or coalesce(known_given_names.estate, false)
        or coalesce(known_family_name.estate, false) estate,
    g1, g2, f, f_parts, g1_letters, f_letters, g1_share, f_share, {_REACHED}"""
_NAMED = f"""(from record where {_PERSON}) record
    left join known_given_names using (given_names) left join known_family_name using (family_name)"""
_PERSONS = f"""
create or replace table person as
select read.*, places, homes, properties
from ({_placed(_NAMED, _PERSON_COLUMNS)}) read left join everywhere using (r)
"""

# most people are alone with their name
_AT_HOME = """
create or replace table at_home as
select home, count(distinct left(g1, 2)) - 1 others from person
where home is not null group by home having others <> 0
"""

_ORGANISATION_COLUMNS = f"""
    r, {_numbered("business_id")} business_id, whole, core, words, numbers, form, fold(contact_name) contact, core_share,
    {_REACHED}"""
_TITLED = f"""(from record where {_ORGANISATION}) record
    left join known_organisation_name using (organisation_name)"""
_ORGANISATIONS = f"""
create or replace table organisation as
select read.*, places, homes, properties
from ({_placed(_TITLED, _ORGANISATION_COLUMNS)}) read left join everywhere using (r)
"""

_USED_UP = (
    "everywhere",
    *(f"known_{column}" for column in ("given_names", "family_name", "organisation_name")),
    *(
        f"read_{column}"
        for column in (
            "given_names", "family_name", "organisation_name", "street", "post_office", "house_number", "apartment",
        )
    ),
)  # fmt: skip


def statements() -> tuple[str, ...]:
    """Everything that says how values are read, in order."""
    macros = (f"create or replace macro {name} as {body}" for name, body in _READERS.items())
    return (
        *macros,
        *_READINGS,
        _SHARES,
        *_NAMES_WITH_SHARES,
        _PERSONS,
        _AT_HOME,
        _ORGANISATIONS,
        # a register's names twice over would be most of the memory
        *(f"drop table {table}" for table in _USED_UP),
    )


def normalise(connection: duckdb.DuckDBPyConnection, *, shares_known: bool = False) -> None:
    """Makes tables `person`, `at_home` and `organisation` out of `record` and `elsewhere` (see `layout`).

    person: r, person_key, living_key, birth, guarded, estate, g1 and g2 (first and second given name), f (family name)
    and f_parts (where it has several), g1_letters, g1_consonants, f_letters and f_consonants (names as a slip leaves
    them), phone, email, mailbox (its name without domain and number), street, house, flat, code, office, property,
    place (street, house and code in one), places, homes and properties (of who is known at several), g1_share and
    f_share (of the persons' records), home (place and flat in one). Of a token, an id or a place nothing is asked but
    whether it is the same, so numbers stand for them.
    at_home: home, others (people of other names there), of the homes where others is not 0.
    organisation: r, business_id, whole and core (name with and without legal form), form, words, numbers,
    contact, core_share and the same places.

    shares_known: `name_share` (part, name, share) stands already, learnt from a larger register; a name
    that is not in it is very rare. Otherwise it is made from these records.
    """
    for statement in statements():
        if not (shares_known and statement is _SHARES):
            connection.execute(statement)
