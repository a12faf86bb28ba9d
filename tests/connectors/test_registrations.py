"""The own register: a whole delivery or none, every row accounted for, no code kept."""

import hashlib
import io
import json
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from openpyxl import Workbook
from stdnum.fi import hetu

from connectors.base import (
    Ask,
    Batch,
    Borrowed,
    CursorWentBack,
    Malformed,
    Only,
    Record,
    Unavailable,
)
from connectors.files import FolderOptions
from connectors.mapping import Layout
from connectors.sources.registrations import Registrations, RegistrationsOptions
from tests.connectors.sftp_server import SftpServer

CONFIG = Path(__file__).parents[2] / "config" / "sources" / "registrations.yml"
CANARY = "Kanarialintu"
STAMP = "20261102"
CODE = "010180-999A"
OTHER_CODE = "020290-9999"

Row = dict[str, str]


def with_check_character(code: str) -> str:
    """The code with its last character put right."""
    return code[:-1] + hetu._calc_checksum(code[:6] + code[7:10])


def customer(number: int, **values: str) -> Row:
    return {
        "ASIAKASNRO": str(number),
        "TYYPPI": "0",
        "NIMI": "Mäkelä Åke",
        "LASKUKANAVA": "PAPERI",
        "MUUTETTU": "30.10.2026 14:05",
    } | values


def point(number: int = 501, **values: str) -> Row:
    return {
        "KULUTUSPISTE": str(number),
        "KIINTEISTOTUNNUS": "10340100010001",
        "OSOITE": "Kennintie 5",
        "POSTINRO": "31640",
        "POSTITMP": "HUMPPILA",
        "MUUTETTU": "01.07.2026 08:00",
    } | values


def role(number: int = 901, **values: str) -> Row:
    return {
        "ROOLINRO": str(number),
        "KULUTUSPISTE": "501",
        "ASIAKASNRO": "20001",
        "ROOLI": "MAKSAJA",
        "ALKAEN": "01.01.2020",
    } | values


class FakeTokens:
    key_id = "test-key"

    def person(self, identity_code: str) -> str:
        return "person:" + hashlib.sha256(identity_code.encode()).hexdigest()

    def birth(self, birth_date: str) -> str:
        return f"birth:{birth_date}"


class Drop:
    """The folder the export is dropped in, and a source that reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
        own = {"format", "encoding", "delimiter", "files"}
        self.options = RegistrationsOptions.from_mapping(
            {key: value for key, value in config.items() if key in own}
            | {"folder": {"kind": "folder", "path": str(path)}},
            allow_test_identities=True,
        )
        self.columns = {
            table: [mapping.key, *mapping.columns, mapping.source_time]
            for table, mapping in self.options.files.items()
        }

    def deliver(
        self,
        customers: Sequence[Row],
        points: Sequence[Row] = (point(),),
        roles: Sequence[Row] = (role(),),
        stamp: str = STAMP,
        encoding: str = "windows-1252",
    ) -> None:
        tables = {"asiakkaat": customers, "kulutuspisteet": points, "roolit": roles}
        for table, rows in tables.items():
            columns = [*self.columns[table]]
            columns += sorted({c for row in rows for c in row} - set(columns))
            lines = [columns, *([row.get(c, "") for c in columns] for row in rows)]
            payload = "".join(";".join(line) + "\r\n" for line in lines).encode(encoding)
            (self.path / f"{table}_{stamp}.csv").write_bytes(payload)
        self.mark({table: len(rows) for table, rows in tables.items()}, stamp)

    def mark(self, rows: Mapping[str, int], stamp: str = STAMP, suffix: str = "csv") -> None:
        files = {}
        for table, count in rows.items():
            payload = (self.path / f"{table}_{stamp}.{suffix}").read_bytes()
            files[f"{table}_{stamp}.{suffix}"] = {
                "rivit": count,
                "sha256": hashlib.sha256(payload).hexdigest(),
            }
        (self.path / f"valmis_{stamp}.json").write_text(json.dumps({"tiedostot": files}))

    @property
    def source(self) -> Registrations:
        return Registrations(self.options, FakeTokens())

    def fetch(self, cursor: Mapping[str, Any] | None = None, date: str = "2026-11-02") -> Batch:
        return self.source.fetch(Ask(cursor, frozenset(), date, lambda operation, keys: None))

    def party(self, **values: str) -> Record:
        """The one customer of a delivery, as a record."""
        self.deliver([customer(20001, **values)])
        return self.fetch().records[0]


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    return Drop(tmp_path)


def of_kind(batch: Batch, kind: str) -> list[Record]:
    return [record for record in batch.records if record.kind == kind]


# ── what a delivery becomes ─────────────────────────────────────────────────────────────────────


def test_a_delivery_becomes_parties_points_and_roles(drop: Drop) -> None:
    drop.deliver([customer(20001), customer(20004)])
    batch = drop.fetch()

    assert [(r.kind, r.key, r.source_time) for r in batch.records] == [
        ("party", "20001", "2026-10-30T12:05:00Z"),
        ("party", "20004", "2026-10-30T12:05:00Z"),
        ("point", "501", "2026-07-01T05:00:00Z"),
        ("role", "901", None),
    ]
    assert (batch.fetched, batch.total) == (4, 2)
    assert batch.faults == []
    assert batch.cursor["delivery"] == STAMP
    assert set(batch.cursor["files"]) == {f"{t}_{STAMP}.csv" for t in drop.columns}
    json.dumps(batch.cursor)


def test_a_customer_in_full(drop: Drop) -> None:
    record = drop.party(
        HETU_YTUNNUS=CODE,
        LAHIOSOITE="Kennintie 5 A 1",
        POSTINRO="31640",
        POSTITMP="HUMPPILA",
        MAA="Suomi",
        PUHELIN="0401234567",
        SAHKOPOSTI="ake@example.invalid",
        KIELI="SV",
        LASKUKANAVA="VERKKOLASKU",
        VERKKOLASKUOSOITE="FI2112345600000785",
        VALITTAJA="NDEAFIHH",
        YHTEYSOSOITE="PL 5",
        YHTEYSPOSTINRO="31641",
        TURVAKIELTO="K",
    )

    assert record.content == {
        "party_type": "person",
        "name": "Mäkelä Åke",
        "person_key": FakeTokens().person(CODE),
        "birth_key": "birth:1980-01-01",
        "key_id": "test-key",
        "phone": "0401234567",
        "email": "ake@example.invalid",
        "language": "sv",
        "delivery_channel": "einvoice",
        "einvoice_address": "FI2112345600000785",
        "einvoice_operator": "NDEAFIHH",
        "protection": "on",
        "addresses": [
            {
                "address_type": "postal",
                "line": "Kennintie 5 A 1",
                "postal_code": "31640",
                "post_office": "HUMPPILA",
                "country": "FI",
            },
            {"address_type": "contact", "line": "PL 5", "postal_code": "31641"},
        ],
    }


def test_a_point_and_a_role_in_full(drop: Drop) -> None:
    ended = role(
        PAATTYEN="31.10.2026",
        LOPPULASKU_OSOITE="Mallikatu 1",
        LOPPULASKU_POSTINRO="30100",
        LOPPULASKU_POSTITMP="FORSSA",
    )
    drop.deliver([customer(20001)], [point(RAKENNUSTUNNUS="900000759J")], [ended])
    batch = drop.fetch()

    assert of_kind(batch, "point")[0].content == {
        "property_id": "10340100010001",
        "building_id": "900000759J",
        "line": "Kennintie 5",
        "postal_code": "31640",
        "post_office": "HUMPPILA",
    }
    assert of_kind(batch, "role")[0].content == {
        "party": "20001",
        "point": "501",
        "role_type": "payer",
        "valid_from": "2020-01-01",
        "valid_to": "2026-11-01",
        "final_invoice": {"line": "Mallikatu 1", "postal_code": "30100", "post_office": "FORSSA"},
    }


def test_a_country_alone_is_no_address(drop: Drop) -> None:
    assert "addresses" not in drop.party(MAA="FI").content


@pytest.mark.parametrize("word", ["?", "kyllä", "1", "N", "-"])
def test_an_unclear_restriction_is_a_restriction(drop: Drop, word: str) -> None:
    """R56, DESIGN 12: and it is loud."""
    assert drop.party(TURVAKIELTO=word).content["protection"] == "on"
    assert drop.fetch().unknown == {"TURVAKIELTO": 1}


@pytest.mark.parametrize(("word", "state"), [("K", "on"), ("e", "off"), ("", None), (" ", None)])
def test_a_clear_restriction_is_what_it_says(drop: Drop, word: str, state: str | None) -> None:
    assert drop.party(TURVAKIELTO=word).content.get("protection") == state


def test_columns_the_notice_does_not_cover_are_dropped_and_counted(drop: Drop) -> None:
    """R9."""
    drop.deliver(
        [customer(20001, LISATIETO=CANARY, TILINUMERO=""), customer(20004, LISATIETO=CANARY)],
        [point(VUOSIARVIO_M3="120,5")],
    )
    batch = drop.fetch()

    assert batch.dropped == {"LISATIETO": 2, "TILINUMERO": 0, "VUOSIARVIO_M3": 1}
    assert CANARY not in repr(batch)


# ── identity codes ──────────────────────────────────────────────────────────────────────────────


def test_a_business_id_is_told_by_its_shape_whatever_the_customer_type(drop: Drop) -> None:
    """FORMATS §10.3 no 8."""
    for kind in ("0", "2"):
        for written, expected in [
            ("0112038-9", "0112038-9"),
            ("FI01120389", "01120389"),
            ("112038-9", "112038-9"),
        ]:
            content = drop.party(TYYPPI=kind, HETU_YTUNNUS=written).content
            assert content["business_id"] == expected
            assert "person_key" not in content and "identity_fault" not in content


def test_an_organisation_may_carry_a_persons_code(drop: Drop) -> None:
    content = drop.party(TYYPPI="2", HETU_YTUNNUS=CODE).content
    assert content["party_type"] == "organisation"
    assert content["person_key"] == FakeTokens().person(CODE)


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        (CODE[:-1] + "B", "check_character"),
        (with_check_character("310280-999X"), "not_a_date"),
        ("010180-99", "malformed"),
        ("ei tiedossa", "malformed"),
    ],
)
def test_a_faulty_code_leaves_its_fault_behind_and_not_itself(
    drop: Drop, written: str, fault: str
) -> None:
    record = drop.party(HETU_YTUNNUS=written)

    assert record.content["identity_fault"] == fault
    assert written not in repr(record)


def test_test_identities_are_refused_unless_allowed(drop: Drop) -> None:
    drop.options = replace(drop.options, allow_test_identities=False)

    assert drop.party(HETU_YTUNNUS=CODE).content["identity_fault"] == "test_identity"
    assert not drop.source.borrow().people


def test_no_code_leaves_the_connector_in_a_batch(drop: Drop) -> None:
    """DESIGN 2, for rows that are taken, refused and doubled alike."""
    drop.deliver(
        [
            customer(20001, HETU_YTUNNUS=CODE),
            customer(20004, HETU_YTUNNUS=CODE.lower(), LASKUKANAVA="kyyhky"),
            customer(20007, HETU_YTUNNUS=CODE),
            customer(20007, HETU_YTUNNUS=CODE, NIMI="Toinen"),
            customer(20010, HETU_YTUNNUS=CODE, NIMI="liikaa;kenttiä"),
        ]
    )
    batch = drop.fetch()

    assert [fault.rule for fault in batch.faults] == [
        "unknown_code",
        "wrong_number_of_fields",
        "duplicate_key",
    ]
    assert CODE not in repr(batch).upper()


def test_borrowing_yields_valid_codes_of_customers_only_and_shows_none(drop: Drop) -> None:
    """Somebody without a role at any point is no customer, and nobody is asked about them."""
    other = with_check_character(OTHER_CODE)
    drop.deliver(
        [
            customer(20001, HETU_YTUNNUS=CODE),
            customer(20004, HETU_YTUNNUS="0112038-9"),
            customer(20007),
            customer(20010, HETU_YTUNNUS=CODE[:-1] + "B"),
            customer(20013, HETU_YTUNNUS=other.lower(), TYYPPI="?"),
            customer(20016, HETU_YTUNNUS=other),
        ],
        roles=[role(900 + n, ASIAKASNRO=str(20001 + 3 * n)) for n in range(5)],
    )
    lent = drop.source.borrow()

    assert lent.people == {"20001": CODE, "20013": other}
    assert lent.organisations == {"20004": "0112038-9"}
    assert CODE not in repr(lent) and "0112038" not in repr(lent)


def test_borrowing_yields_the_properties_and_buildings_of_points_somebody_has_a_role_at(
    drop: Drop,
) -> None:
    drop.deliver(
        [customer(20001), customer(20004)],
        points=[
            point(100001, KIINTEISTOTUNNUS="103-401-1-23", RAKENNUSTUNNUS="900100007u"),
            point(100002, KIINTEISTOTUNNUS="10340100010024"),
            point(100003, KIINTEISTOTUNNUS="10340100010025"),
        ],
        roles=[
            role(1, KULUTUSPISTE="100001", ASIAKASNRO="20001"),
            role(2, KULUTUSPISTE="100002", ASIAKASNRO="20004"),
        ],
    )
    lent = drop.source.borrow()

    assert lent.property_ids == {"10340100010023", "10340100010024"}
    assert lent.building_ids == {"900100007U"}


def test_one_customer_is_lent_alone(drop: Drop) -> None:
    """A refresh asks about nobody else."""
    other = with_check_character(OTHER_CODE)
    drop.deliver(
        [customer(20001, HETU_YTUNNUS=CODE), customer(20004, HETU_YTUNNUS=other)],
        points=[point(100001, KIINTEISTOTUNNUS="103-401-1-23"), point(100002)],
        roles=[
            role(1, KULUTUSPISTE="100001", ASIAKASNRO="20001"),
            role(2, KULUTUSPISTE="100002", ASIAKASNRO="20004"),
        ],
    )
    lent = Only(drop.source, frozenset({"20001"})).borrow()

    assert lent.people == {"20001": CODE}
    assert lent.property_ids == {"10340100010023"}
    assert Only(drop.source, frozenset({"20001"})).borrow(["20004"]) == Borrowed()


def test_nothing_of_a_call_stays_in_the_source(drop: Drop) -> None:
    drop.deliver([customer(20001, HETU_YTUNNUS=CODE)])
    source = drop.source
    before = dict(vars(source))
    source.borrow()
    source.fetch(Ask(None, frozenset(), "2026-11-02", lambda operation, keys: None))

    assert vars(source) == before


# ── which delivery ──────────────────────────────────────────────────────────────────────────────


def test_the_newest_complete_delivery_is_read(drop: Drop) -> None:
    drop.deliver([customer(1)], stamp="20261030")
    drop.deliver([customer(2)], stamp="20261101")
    drop.deliver([customer(3)], stamp="20261102")
    (drop.path / "valmis_20261102.json").unlink()

    assert [r.key for r in of_kind(drop.fetch(), "party")] == ["2"]


def test_no_delivery_yet_is_unavailable(drop: Drop) -> None:
    with pytest.raises(Unavailable, match="no complete delivery"):
        drop.fetch()


def test_a_quiet_night_reads_the_marker_only(tmp_path: Path) -> None:
    drop = Drop(tmp_path)
    drop.deliver([customer(20001)])
    with SftpServer(tmp_path) as server:
        drop.options = replace(drop.options, folder=server.options())
        first = drop.fetch()
        server.seen.reads.clear()
        second = drop.fetch(first.cursor)

        assert server.seen.reads == [f"valmis_{STAMP}.json"]
    assert (list(second.records), second.cursor, second.fetched) == ([], first.cursor, 0)
    assert second.total == 1


def test_the_same_export_under_a_new_date_is_quiet_too(drop: Drop) -> None:
    drop.deliver([customer(20001)], stamp="20261101")
    first = drop.fetch()
    drop.deliver([customer(20001)], stamp="20261102")

    assert drop.fetch(first.cursor) == Batch((), first.cursor, fetched=0, total=1)


def test_one_changed_file_brings_the_whole_delivery(drop: Drop) -> None:
    drop.deliver([customer(20001)], stamp="20261101")
    first = drop.fetch()
    drop.deliver([customer(20001)], roles=[role(PAATTYEN="01.11.2026")], stamp="20261102")
    second = drop.fetch(first.cursor)

    assert len(second.records) == 3
    assert second.cursor["delivery"] == "20261102"


def test_a_delivery_older_than_the_one_read_before_is_refused(drop: Drop) -> None:
    drop.deliver([customer(20001)], stamp="20261101")
    first = drop.fetch()
    for left in drop.path.iterdir():
        left.unlink()
    drop.deliver([customer(20001)], stamp="20261031")

    with pytest.raises(CursorWentBack, match="20261031.*20261101"):
        drop.fetch(first.cursor)


@pytest.mark.parametrize("stamp", ["20261104", "20991231", "20261301"])
def test_a_delivery_dated_ahead_is_refused(drop: Drop, stamp: str) -> None:
    """Were it read, every later delivery would look old."""
    drop.deliver([customer(20001)], stamp=stamp)

    with pytest.raises(Malformed, match="dated ahead"):
        drop.fetch(date="2026-11-02")


def test_without_a_marker_a_delivery_is_there_when_all_its_files_are(drop: Drop) -> None:
    drop.options = replace(drop.options, manifest=False)
    drop.deliver([customer(1)], stamp="20261101")
    drop.deliver([customer(2)], stamp="20261102")
    (drop.path / "roolit_20261102.csv").unlink()
    first = drop.fetch()

    assert [r.key for r in of_kind(first, "party")] == ["1"]
    assert drop.fetch(first.cursor).records == ()


def test_a_check_names_the_delivery_and_nobody(drop: Drop) -> None:
    drop.deliver([customer(20001)])
    assert drop.source.check() == f"{drop.path}: newest delivery {STAMP}"


# ── what is wrong with it ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("reader", ["fetch", "borrow"])
def test_a_cut_off_file_is_refused(drop: Drop, reader: str) -> None:
    drop.deliver([customer(n) for n in range(50)])
    path = drop.path / f"asiakkaat_{STAMP}.csv"
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(Malformed, match=f"asiakkaat_{STAMP}.csv is not whole"):
        drop.fetch() if reader == "fetch" else drop.source.borrow()


def test_a_file_with_other_rows_than_its_marker_states_is_refused(drop: Drop) -> None:
    drop.deliver([customer(1), customer(2)])
    drop.mark({"asiakkaat": 3, "kulutuspisteet": 1, "roolit": 1})

    with pytest.raises(Malformed, match="2 rows, but its marker states 3"):
        drop.fetch()


def test_a_file_the_marker_names_and_nobody_sent_is_refused(drop: Drop) -> None:
    drop.deliver([customer(1)])
    (drop.path / f"roolit_{STAMP}.csv").unlink()

    with pytest.raises(Malformed, match=f"roolit_{STAMP}.csv is not there"):
        drop.fetch()


@pytest.mark.parametrize(
    "marker",
    ["", "[]", "{", '{"tiedostot": null}', '{"tiedostot": {}}', "[" * 100_000, "\udcff"],
)
def test_a_marker_that_cannot_be_read_is_refused(drop: Drop, marker: str) -> None:
    drop.deliver([customer(1)])
    (drop.path / f"valmis_{STAMP}.json").write_bytes(marker.encode("utf-8", "surrogateescape"))

    with pytest.raises(Malformed, match="does not name every file"):
        drop.fetch()


@pytest.mark.parametrize(("key", "value"), [("rivit", True), ("rivit", -1), ("sha256", "x" * 64)])
def test_a_marker_with_a_wrong_value_is_refused(drop: Drop, key: str, value: object) -> None:
    drop.deliver([customer(1)])
    path = drop.path / f"valmis_{STAMP}.json"
    marker = json.loads(path.read_text())
    marker["tiedostot"][f"roolit_{STAMP}.csv"][key] = value
    path.write_text(json.dumps(marker))

    with pytest.raises(Malformed, match="does not name every file"):
        drop.fetch()


@pytest.mark.parametrize("table", ["asiakkaat", "kulutuspisteet", "roolit"])
def test_a_table_without_rows_is_refused(drop: Drop, table: str) -> None:
    rows: dict[str, list[Row]] = {
        "asiakkaat": [customer(1)],
        "kulutuspisteet": [point()],
        "roolit": [role()],
    }
    rows[table] = []
    drop.deliver(*rows.values())

    with pytest.raises(Malformed, match=f"{table}_{STAMP}.csv: no row to take in, it has none"):
        drop.fetch()


def test_a_table_all_of_whose_rows_are_refused_is_refused(drop: Drop) -> None:
    drop.deliver([customer(1, TYYPPI="9"), customer(2, TYYPPI="9")])

    with pytest.raises(Malformed, match="all 2 were refused"):
        drop.fetch()


def test_a_wrongly_declared_encoding_is_refused(drop: Drop) -> None:
    drop.deliver([customer(1)], encoding="utf-8")
    with pytest.raises(Malformed, match="looks like UTF-8"):
        drop.fetch()

    drop.deliver([customer(1)], encoding="windows-1252")
    drop.options = replace(drop.options, layout=Layout("csv", "utf-8", ";"))
    with pytest.raises(Malformed, match="not utf-8 at byte"):
        drop.fetch()


def test_a_renamed_column_holds_the_delivery(drop: Drop) -> None:
    drop.columns["asiakkaat"][drop.columns["asiakkaat"].index("LAHIOSOITE")] = "OSOITE"
    drop.deliver([customer(1)])

    with pytest.raises(Malformed, match="no column LAHIOSOITE"):
        drop.fetch()


def test_one_bad_row_harms_no_other(drop: Drop) -> None:
    drop.deliver([customer(1), customer(2, MUUTETTU="eilen", TURVAKIELTO="K"), customer(3)])
    batch = drop.fetch()

    assert [r.key for r in of_kind(batch, "party")] == ["1", "3"]
    fault = batch.faults[0]
    assert (fault.kind, fault.key, fault.rule) == ("party", "2", "not_an_instant")
    assert fault.reason == "row 2: column MUUTETTU: not a time dd.mm.yyyy hh:mm"
    assert fault.content["protection"] == "on"
    assert batch.total == 3


def test_a_row_without_a_readable_key_is_named_by_its_number(drop: Drop) -> None:
    drop.deliver([customer(1), customer(2, ASIAKASNRO="")])

    assert [(f.key, f.rule) for f in drop.fetch().faults] == [("row 2", "missing_value")]


def test_the_same_row_twice_is_one_record(drop: Drop) -> None:
    drop.deliver([customer(1), customer(1)])
    batch = drop.fetch()

    assert len(of_kind(batch, "party")) == 1
    assert batch.faults == []


def test_of_two_rows_with_one_key_the_later_counts_and_the_earlier_is_held(drop: Drop) -> None:
    drop.deliver([customer(1, NIMI="Vanha"), customer(2), customer(1, NIMI="Uusi")])
    batch = drop.fetch()

    assert [(r.key, r.content["name"]) for r in of_kind(batch, "party")] == [
        ("1", "Uusi"),
        ("2", "Mäkelä Åke"),
    ]
    fault = batch.faults[0]
    assert (fault.key, fault.rule) == ("1", "duplicate_key")
    assert fault.reason == "rows 1 and 3 have the same key and differ"
    assert fault.content["name"] == "Vanha"


def test_a_role_that_names_no_party_is_refused(drop: Drop) -> None:
    drop.deliver([customer(1)], roles=[role(), role(902, ASIAKASNRO="")])

    assert [(f.key, f.rule) for f in drop.fetch().faults] == [("902", "missing_value")]


def told(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield from (str(error), repr(error), repr(vars(error)))
        yield from traceback.format_exception(error)
        yield repr(getattr(error, "doc", "")) + repr(getattr(error, "object", ""))
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("fault", ["encoding", "rows", "cut", "marker", "refused"])
def test_no_value_is_in_any_exception(drop: Drop, fault: str) -> None:
    rows = [
        customer(1, NIMI=CANARY + "ä", HETU_YTUNNUS=CODE, TYYPPI="9" if fault == "refused" else "0")
    ]
    drop.deliver(rows, encoding="utf-8" if fault == "encoding" else "windows-1252")
    if fault == "rows":
        drop.mark({"asiakkaat": 7, "kulutuspisteet": 1, "roolit": 1})
    if fault == "cut":
        (drop.path / f"asiakkaat_{STAMP}.csv").write_text(CANARY)
    if fault == "marker":
        (drop.path / f"valmis_{STAMP}.json").write_text("{" + CANARY)

    with pytest.raises(Malformed) as refusal:
        drop.fetch()
    text = "".join(told(refusal.value))
    assert CANARY not in text and CODE not in text


# ── transports and formats ──────────────────────────────────────────────────────────────────────


def test_workbooks_over_sftp_read_like_files(tmp_path: Path) -> None:
    drop = Drop(tmp_path)
    drop.options = replace(
        drop.options,
        layout=Layout("xlsx"),
        files={
            table: replace(mapping, pattern=f"{table}_{{date}}.xlsx")
            for table, mapping in drop.options.files.items()
        },
    )
    rows = {"asiakkaat": [customer(20001)], "kulutuspisteet": [point()], "roolit": [role()]}
    for table, (row,) in rows.items():
        book = Workbook()
        assert book.active is not None
        book.active.append(drop.columns[table])
        book.active.append([row.get(column, "") for column in drop.columns[table]])
        stream = io.BytesIO()
        book.save(stream)
        (tmp_path / f"{table}_{STAMP}.xlsx").write_bytes(stream.getvalue())
    drop.mark({table: 1 for table in rows}, suffix="xlsx")

    with SftpServer(tmp_path) as server:
        drop.options = replace(drop.options, folder=server.options())
        batch = drop.fetch()

    delimited = Drop(tmp_path)
    delimited.deliver([customer(20001)])
    assert batch.records == delimited.fetch().records


# ── the mapping ─────────────────────────────────────────────────────────────────────────────────


def config(**changed: Any) -> dict[str, Any]:
    party = {
        "kind": "party",
        "pattern": "a_{date}.csv",
        "key": "NRO",
        "columns": {"A": {"field": "name"}},
    }
    return {"folder": {"kind": "folder", "path": "x"}, "files": {"a": party | changed}}


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"columns": {"A": {"field": "shoe_size"}}}, r"files\.a\.columns\.A: a party has no field"),
        (
            {"columns": {"A": {"field": "name"}, "B": {"field": "name"}}},
            r"files\.a\.columns\.A: name is mapped twice",
        ),
        ({"columns": {"A": {"field": "person_key"}}}, "a party has no field person_key"),
        ({"kind": "meter"}, r"files\.a\.kind"),
        ({"kind": "point", "columns": {}}, "exactly one must be of kind party"),
        ({"pattern": "a.csv"}, r"files\.a\.pattern"),
    ],
)
def test_a_mapping_outside_the_hubs_words_is_refused(
    changed: dict[str, Any], complaint: str
) -> None:
    RegistrationsOptions.from_mapping(config())
    with pytest.raises(ValueError, match=complaint):
        RegistrationsOptions.from_mapping(config(**changed))


def test_a_password_is_in_no_complaint() -> None:
    wrong = config() | {"folder": {"kind": "sftp", "port": "hush", "password": "hush"}}
    with pytest.raises(ValueError, match="port") as refusal:
        RegistrationsOptions.from_mapping(wrong)

    assert "hush" not in "".join(told(refusal.value))
    assert "hush" not in repr(FolderOptions.from_mapping({"kind": "sftp", "password": "hush"}))
