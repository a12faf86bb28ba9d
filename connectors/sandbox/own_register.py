"""The utility's own customer register: what its clerks typed, its nightly export, the returns it takes.

Belongs here: the register's three tables, the delivery they are exported as, and applying corrections the
hub sends back. Does not belong here: the truth behind a row (`world`), where files lie (`sftp`), spoiled
exports (`faults`). The layout is our own design on the entity model of FORMATS 9: a full snapshot as
`;`-separated Windows-1252 files with CRLF, and a `valmis_` file last that names their rows and SHA-256.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Row = dict[str, str]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CUSTOMER_COLUMNS = _words(
    "ASIAKASNRO TYYPPI NIMI HETU_YTUNNUS LAHIOSOITE POSTINRO POSTITMP MAA PUHELIN SAHKOPOSTI WWW KIELI "
    "LASKUKANAVA VERKKOLASKUOSOITE VALITTAJA YHTEYSOSOITE YHTEYSPOSTINRO YHTEYSPOSTITMP TURVAKIELTO "
    "MUUTETTU LISATIETO TILINUMERO"
)
POINT_COLUMNS = _words(
    "KULUTUSPISTE KIINTEISTOTUNNUS RAKENNUSTUNNUS OSOITE POSTINRO POSTITMP VUOSIARVIO_M3 MUUTETTU"
)
ROLE_COLUMNS = _words(
    "ROOLINRO KULUTUSPISTE ASIAKASNRO ROOLI ALKAEN PAATTYEN LOPPULASKU_OSOITE LOPPULASKU_POSTINRO "
    "LOPPULASKU_POSTITMP MUUTETTU"
)


@dataclass(frozen=True)
class Layout:
    """How a register drops its tables. parties, roles: the tables of people and of what they are to us.

    needed: a column of the table of people without which nobody can use it.
    """

    columns: Mapping[str, tuple[str, ...]]
    encoding: str
    parties: str
    roles: str
    needed: str = "HETU_YTUNNUS"


TABLES = {"asiakkaat": CUSTOMER_COLUMNS, "kulutuspisteet": POINT_COLUMNS, "roolit": ROLE_COLUMNS}
ENCODING = "windows-1252"
LAYOUT = Layout(TABLES, ENCODING, parties="asiakkaat", roles="roolit")

RETURN_COLUMNS = ("customer_number", "field", "value", "source", "stated_at")
_RETURNED_FIELDS = {
    "name": "NIMI",
    "street_line": "LAHIOSOITE",
    "postal_code": "POSTINRO",
    "post_office": "POSTITMP",
    "country": "MAA",
    "is_deceased": "LISATIETO",
}

HOLDER, PAYER, OWNER, CONTACT = "LIITTYJA", "MAKSAJA", "OMISTAJA", "YHTEYSHENKILO"


def finnish_date(day: str) -> str:
    """An ISO date as a clerk's program prints it, dd.mm.yyyy; empty stays empty."""
    return ".".join(reversed(day.split("-"))) if day else ""


@dataclass
class OwnRegister:
    """The register on one day; every row is a dict of the exported columns."""

    customers: dict[str, Row] = field(default_factory=dict)
    points: dict[str, Row] = field(default_factory=dict)
    roles: dict[str, Row] = field(default_factory=dict)
    entity_of: dict[str, str] = field(default_factory=dict)

    def add_customer(self, entity: str, values: Row, changed: str) -> str:
        """A new customer row for a person or company; the new customer number."""
        number = str(20001 + 3 * len(self.customers))
        row = (
            dict.fromkeys(CUSTOMER_COLUMNS, "")
            | values
            | {"ASIAKASNRO": number, "MUUTETTU": changed}
        )
        self.customers[number] = row
        self.entity_of[number] = entity
        return number

    def add_point(self, values: Row, changed: str) -> str:
        """A new consumption point; its reference."""
        self.points[values["KULUTUSPISTE"]] = (
            dict.fromkeys(POINT_COLUMNS, "") | values | {"MUUTETTU": changed}
        )
        return values["KULUTUSPISTE"]

    def add_role(
        self, point: str, customer: str, role: str, since: str, changed: str, until: str = ""
    ) -> str:
        """A dated role (ISO dates, `until` inclusive); its number."""
        number = str(700001 + len(self.roles))
        self.roles[number] = dict.fromkeys(ROLE_COLUMNS, "") | {
            "ROOLINRO": number,
            "KULUTUSPISTE": point,
            "ASIAKASNRO": customer,
            "ROOLI": role,
            "ALKAEN": finnish_date(since),
            "PAATTYEN": finnish_date(until),
            "MUUTETTU": changed,
        }
        return number

    def edit(self, row: Row, changed: str, **values: str) -> None:
        """A clerk changes a row."""
        row.update(values, MUUTETTU=changed)

    def tables(self) -> dict[str, list[Row]]:
        """The three tables as they stand, by the file name's beginning."""
        return {
            "asiakkaat": list(self.customers.values()),
            "kulutuspisteet": list(self.points.values()),
            "roolit": list(self.roles.values()),
        }

    def apply_return(
        self, rows: Iterable[Row], changed: str, stubborn: bool = False, refuse_first: bool = False
    ) -> dict[int, str]:
        """Take corrections in; row number (from 1) → code for those refused.

        A stubborn register accepts everything and keeps its own values.
        """
        refused: dict[int, str] = {}
        for number, row in enumerate(rows, start=1):
            customer = self.customers.get(row["customer_number"])
            column = _RETURNED_FIELDS.get(row["field"])
            if refuse_first and number == 1:
                refused[number] = "refused_by_sandbox"
            elif customer is None:
                refused[number] = "unknown_customer"
            elif column is None:
                refused[number] = "unknown_field"
            elif row["field"] != "is_deceased" and not row["value"].strip():
                refused[number] = "empty_value"
            elif not _fits(row["value"]):
                refused[number] = "unknown_character"
            elif not stubborn and customer[column] != row["value"]:
                value = _remark(row["value"]) if row["field"] == "is_deceased" else row["value"]
                self.edit(customer, changed, **{column: value})
        return refused


def _remark(is_deceased: str) -> str:
    return "kuollut" if is_deceased == "true" else ""


def _fits(value: str) -> bool:
    return value.encode(ENCODING, errors="ignore").decode(ENCODING) == value


def delivery(
    tables: Mapping[str, list[Row]],
    stamp: str,
    columns: Mapping[str, tuple[str, ...]] = TABLES,
    encoding: str = ENCODING,
) -> dict[str, bytes]:
    """The files of one export in the order they appear; `stamp` is yyyymmdd. The marker comes last."""
    files: dict[str, bytes] = {}
    marker: dict[str, dict[str, int | str]] = {}
    for table, rows in tables.items():
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
        writer.writerow(columns[table])
        writer.writerows([row.get(c, "") for c in columns[table]] for row in rows)
        payload = text.getvalue().encode(encoding)
        name = f"{table}_{stamp}.csv"
        files[name] = payload
        marker[name] = {"rivit": len(rows), "sha256": hashlib.sha256(payload).hexdigest()}
    files[f"valmis_{stamp}.json"] = json.dumps({"tiedostot": marker}, indent=1).encode()
    return files
