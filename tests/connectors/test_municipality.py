"""The municipality's drop: everybody in town is in it, and only ours come out of the connector."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Ask, Batch, Borrowed, Malformed, NobodyLends, Opening
from connectors.ours import Ours
from connectors.sources import registrations
from connectors.sources.registrations import Registrations
from tests.connectors.test_registrations import CODE, FakeTokens, with_check_character

CONFIG = Path(__file__).parents[2] / "config" / "sources" / "municipality.yml"
OPTIONS = ("format", "encoding", "delimiter", "files", "keep")
DAY = "2026-11-02"
OURS, THEIRS = "10340100010001", "10340100010002"
LANDLORDS = with_check_character("030390-9990")
STRANGER = "Vieraslintu"

Row = dict[str, str]


class Lending:
    """Our own register: whoever is set is ours."""

    def __init__(self, **ours: Any) -> None:
        self.borrowed = Borrowed(**ours)

    def borrow(self, customers: Collection[str] | None = None) -> Borrowed:
        return self.borrowed


def person(number: int, **values: str) -> Row:
    return {
        "HENKILONRO": str(number), "TYYPPI": "H", "SUKUNIMI": "Aalto", "ETUNIMET": "Elo Ilma",
        "KATUOSOITE": "Kennintie 5", "POSTINRO": "31640", "POSTITMP": "HUMPPILA", "TURVAKIELTO": "E",
        "MUUTETTU": "30.10.2026 14:05",
    } | values  # fmt: skip


def firm(number: int, business_id: str) -> Row:
    return person(number, TYYPPI="Y", SUKUNIMI="", ETUNIMET="", YHTEISO="Piennar Oy") | {
        "HETU_YTUNNUS": business_id
    }


def estate(property_id: str = OURS, **values: str) -> Row:
    return {"KIINTEISTOTUNNUS": property_id, "OSOITE": "Kennintie 5", "POSTINRO": "31640"} | values


def owning(number: int, person: int, property_id: str = OURS, **values: str) -> Row:
    return {
        "OMISTUSNRO": str(number), "KIINTEISTOTUNNUS": property_id, "HENKILONRO": str(person),
        "LAJI": "OMISTAJA", "ALKAEN": "01.01.2020",
    } | values  # fmt: skip


class Drop:
    """The folder it is dropped in, read for whom `lender` lends."""

    def __init__(self, path: Path, lender: Lending) -> None:
        self.path, self.lender = path, lender
        config = yaml.safe_load(CONFIG.read_text("utf-8"))
        self.config = {k: v for k, v in config.items() if k in OPTIONS}
        self.config["folder"] = {"kind": "folder", "path": str(path)}

    @property
    def source(self) -> Registrations:
        return registrations.connect(
            self.config, Opening(FakeTokens(), self.lender, lambda: DAY, allow_test_identities=True)
        )

    def deliver(
        self,
        people: Sequence[Row],
        estates: Sequence[Row] = (estate(), estate(THEIRS)),
        ownerships: Sequence[Row] = (),
        stamp: str = "20261102",
    ) -> None:
        tables = {"henkilot": people, "kiinteistot": estates, "omistukset": ownerships}
        marker = {}
        for name, rows in tables.items():
            mapping = self.config["files"][name]
            known = [mapping["key"], *mapping["columns"], mapping["source_time"]]
            columns = list(dict.fromkeys(known))
            lines = [columns, *([row.get(c, "") for c in columns] for row in rows)]
            payload = "".join(";".join(line) + "\r\n" for line in lines).encode()
            file = f"{name}_{stamp}.csv"
            (self.path / file).write_bytes(payload)
            marker[file] = {"rivit": len(rows), "sha256": hashlib.sha256(payload).hexdigest()}
        (self.path / f"valmis_{stamp}.json").write_text(json.dumps({"tiedostot": marker}))

    def fetch(self, cursor: Mapping[str, Any] | None = None) -> Batch:
        return self.source.fetch(Ask(cursor, frozenset(), DAY, lambda operation, keys: None))


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    return Drop(tmp_path, Lending(people={"20001": CODE}, property_ids=frozenset({OURS})))


def keys(batch: Batch, kind: str) -> list[str]:
    return [record.key for record in batch.records if record.kind == kind]


ELSEWHERE = (owning(9, 8, THEIRS),)


def test_only_our_customers_our_properties_and_their_owners_leave_the_connector(drop: Drop) -> None:
    """DESIGN 4: a resident who is nobody to us is as if not read."""
    drop.deliver(
        [person(1, HETU_YTUNNUS=CODE), person(2), person(3, SUKUNIMI=STRANGER), person(8)],
        ownerships=[owning(7, 2), *ELSEWHERE],
    )
    batch = drop.fetch()
    assert keys(batch, "party") == ["1", "2"]
    assert keys(batch, "point") == [OURS]
    assert keys(batch, "role") == ["7"]
    assert STRANGER not in repr(batch)
    assert (batch.fetched, batch.total) == (8, 4)


def test_a_resident_an_owner_and_a_property_in_full(drop: Drop) -> None:
    drop.deliver(
        [person(1, HETU_YTUNNUS=CODE), firm(2, "1234567-1")],
        [estate(POSTITMP="HUMPPILA")],
        [owning(7, 2, LAJI="VUOKRAOIKEUS", PAATTYEN="31.10.2026")],
    )
    home = {
        "address_type": "permanent", "line": "Kennintie 5", "postal_code": "31640",
        "post_office": "HUMPPILA",
    }  # fmt: skip
    assert [dict(record.content) for record in drop.fetch().records] == [
        {
            "party_type": "person", "family_name": "Aalto", "given_names": "Elo Ilma",
            "person_key": FakeTokens().person(CODE), "birth_key": "birth:1980-01-01",
            "key_id": "test-key", "protection": "off", "addresses": [home],
        },
        {
            "party_type": "organisation", "organisation_name": "Piennar Oy", "protection": "off",
            "business_id": "1234567-1", "addresses": [home],
        },
        {"property_id": OURS, "line": "Kennintie 5", "postal_code": "31640", "post_office": "HUMPPILA"},
        {
            "point": OURS, "party": "2", "role_type": "owner", "valid_from": "2020-01-01",
            "valid_to": "2026-11-01",
        },
    ]  # fmt: skip


@pytest.mark.parametrize("written", ["103-401-1-1", " 10340100010001", "10340100010001M0001"])
def test_a_property_is_ours_however_it_is_written(drop: Drop, written: str) -> None:
    drop.deliver([person(1), person(2)], [estate(written)], [owning(7, 2, written)])
    assert keys(drop.fetch(), "party") == ["2"]


@pytest.mark.parametrize("ours", ["1234567-1", "12345671", "FI12345671", " 1234567-1"])
def test_an_organisation_is_ours_by_its_business_id(drop: Drop, ours: str) -> None:
    drop.lender = Lending(organisations={"20001": ours.strip().removeprefix("FI")})
    drop.deliver([firm(1, "1234567-1"), firm(2, "7654321-2")], ownerships=ELSEWHERE)
    assert keys(drop.fetch(), "party") == ["1"]


def test_nobody_is_ours_for_having_no_code_as_a_customer_has_none(drop: Drop) -> None:
    drop.lender = Lending(organisations={"20001": ""}, people={})
    drop.deliver([person(1), firm(2, "-")], ownerships=ELSEWHERE)
    assert keys(drop.fetch(), "party") == []


def test_an_unreadable_row_of_somebody_else_is_a_number_and_no_more(drop: Drop) -> None:
    drop.deliver(
        [
            person(1, HETU_YTUNNUS=CODE, TYYPPI="?"),
            person(3, SUKUNIMI=STRANGER, HETU_YTUNNUS=LANDLORDS, TYYPPI="?"),
            person(3, SUKUNIMI=STRANGER, ETUNIMET="Toinen"),
            person(3, SUKUNIMI=STRANGER, ETUNIMET="Kolmas"),
            person(4),
        ],
        [estate(), estate(THEIRS), estate("", OSOITE=STRANGER)],
        [owning(7, 4, ALKAEN="eilen"), owning(8, 3, THEIRS, ALKAEN="eilen"), *ELSEWHERE],
    )
    batch = drop.fetch()
    assert [(f.kind, f.key, f.rule) for f in batch.faults] == [
        ("party", "1", "unknown_code"),
        ("role", "7", "not_a_date"),
    ]
    assert batch.faults_of_others == 4
    assert STRANGER not in repr(batch)


def test_a_quiet_night_says_nothing_and_asks_nobody(drop: Drop) -> None:
    drop.deliver([person(1, HETU_YTUNNUS=CODE)], ownerships=ELSEWHERE)
    first = drop.fetch()
    again = drop.fetch(first.cursor)
    assert (again.records, again.fetched, again.total) == ((), 0, 1)
    drop.deliver([person(1, HETU_YTUNNUS=CODE)], ownerships=ELSEWHERE, stamp="20261103")
    assert drop.fetch(first.cursor).records == ()


@pytest.mark.parametrize(
    ("newcomer", "comes"),
    [
        ({"people": {"20001": CODE, "20002": LANDLORDS}}, ["1", "2"]),
        ({"people": {"20001": CODE}, "property_ids": frozenset({OURS, THEIRS})}, ["1", "8"]),
        ({"people": {"20001": CODE}, "organisations": {"20003": "1234567-1"}}, ["1", "5"]),
    ],
)
def test_an_unchanged_drop_is_read_again_once_somebody_has_become_ours(
    drop: Drop, newcomer: dict[str, Any], comes: list[str]
) -> None:
    people = [person(1, HETU_YTUNNUS=CODE), person(2, HETU_YTUNNUS=LANDLORDS), person(8)]
    drop.deliver([*people, firm(5, "1234567-1")], ownerships=ELSEWHERE)
    first = drop.fetch()
    assert keys(first, "party") == ["1"]
    drop.lender = Lending(**newcomer)
    later = drop.fetch(first.cursor)
    assert keys(later, "party") == comes
    assert drop.fetch(later.cursor).records == ()


def test_the_cursor_tells_of_nobody(drop: Drop) -> None:
    drop.deliver([person(1, HETU_YTUNNUS=CODE)], ownerships=ELSEWHERE)
    cursor = json.dumps(drop.fetch().cursor)
    assert not [w for w in (CODE, FakeTokens().person(CODE), OURS, THEIRS) if w in cursor]


people_lent = st.dictionaries(
    st.text("12", min_size=1, max_size=2), st.sampled_from([CODE, LANDLORDS])
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(people_lent, people_lent)
def test_the_mark_of_what_was_lent_changes_exactly_with_who_is_ours(
    before: dict[str, str], after: dict[str, str]
) -> None:
    """Customer numbers may change, and the order they come in; nobody becomes ours by that."""
    marks = [Ours.of(Borrowed(people=lent), FakeTokens()).digest for lent in (before, after)]
    assert (marks[0] == marks[1]) == (set(before.values()) == set(after.values()))


def test_without_a_lender_nothing_is_read(drop: Drop) -> None:
    nobody = Opening(FakeTokens(), NobodyLends(), lambda: DAY)
    with pytest.raises(ValueError, match="keep: ours needs borrow_from"):
        registrations.connect(drop.config, nobody)
    with pytest.raises(ValueError, match="keep: must be all or ours"):
        registrations.connect({**drop.config, "keep": "some"}, nobody)


def test_a_drop_that_keeps_everybody_takes_no_notice_of_who_is_ours(drop: Drop) -> None:
    drop.config["keep"] = "all"
    drop.deliver([person(1), person(2)], ownerships=ELSEWHERE)
    batch = drop.fetch()
    assert keys(batch, "party") == ["1", "2"]
    assert "ours" not in batch.cursor


def test_a_drop_in_another_encoding_is_refused(drop: Drop) -> None:
    drop.deliver([person(1, SUKUNIMI="Mäkelä")], ownerships=ELSEWHERE)
    file = drop.path / "henkilot_20261102.csv"
    file.write_bytes(file.read_bytes().decode().encode("windows-1252"))
    marker = drop.path / "valmis_20261102.json"
    stated = json.loads(marker.read_text())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    stated["tiedostot"][file.name]["sha256"] = digest
    marker.write_text(json.dumps(stated))
    with pytest.raises(Malformed, match="henkilot_20261102.csv"):
        drop.fetch()
