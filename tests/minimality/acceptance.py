"""What each recipient does with what it gets: the proof that it needs every field of its contract.

Belongs here: a recipient's own work, in its own records, from deliveries alone. Does not belong here: how the
deliveries were made (`register`). Each acceptance returns what the recipient ends up with; the tests hold it
against what it has to end up with (`EXPECTED`), and see that it doesn't without any one field.

A missing column reads as empty: what fails then is the recipient's work, not its reader.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from connectors.sandbox.finance import Delivery, Ledger
from tests.minimality.register import Delivered

Acceptance = Callable[[list[Delivered]], Any]
METERS = {f"KP{n}": Decimal(n) / 10 for n in range(1, 10)}


def bills(told: list[Delivered]) -> Any:
    """Finance: the invoices of November, and what it could not book."""
    ledger, refused = Ledger(), []
    for sequence, one in enumerate(told, start=1):
        refused += ledger.receive(Delivery(f"d{sequence}", sequence, one.rows)).values()
    made = ledger.bill("2026-11-01", "2026-11-30", METERS)
    return refused, [
        (
            i.customer_number, i.point_ref, i.addressee, i.buyer_id, i.to, i.postage, str(i.reminder),
            i.first_day, i.last_day, str(i.net), "final" if i.is_final else "",
        )
        for i in made
    ]  # fmt: skip


# customer, point, addressee, buyer's id, to, postage, reminder, first and last day, euros, final
_NOVEMBER = ("2026-11-01", "2026-11-30")
INVOICES = [
    ("000001", "KP1", "Laine Aino", "", "Uusitie 2, 31600 JOKIOINEN, FI", "domestic", "5.00", *_NOVEMBER, "13.80", ""),
    ("000002", "KP2", "Koivula Oy", "0000001-9", "003700000019 @ OPPI", "", "40.00", *_NOVEMBER, "27.60", ""),
    ("000003", "KP3", "Berg Mats", "", "berg.mats@example.invalid", "", "5.00", *_NOVEMBER, "41.40", ""),
    ("000004", "KP4", "Holm Eva", "", "Storgatan 7, 11122 STOCKHOLM, SE", "abroad", "5.00", *_NOVEMBER, "55.20", ""),
    ("000005", "KP5", "Salo Liisa", "", "Piilokuja 9, 31640 HUMPPILA, FI", "domestic", "5.00", *_NOVEMBER, "69.00", ""),
    ("000006", "KP6", "Niemi Ville", "", "Loppukuja 4, 31500 KOSKI", "domestic", "5.00", "2026-11-01", "2026-11-02", "5.52", "final"),
    ("000007", "KP6", "Joki Sari", "", "Vanhatie 6, 31640 HUMPPILA, FI", "domestic", "5.00", "2026-11-03", "2026-11-30", "77.28", ""),
    ("000009", "KP8", "Aho Olli", "", "Ahontie 8, 31640 HUMPPILA, FI", "domestic", "5.00", *_NOVEMBER, "110.40", ""),
    ("000010", "KP9", "Aho Olli", "", "Ahontie 8, 31640 HUMPPILA, FI", "domestic", "5.00", *_NOVEMBER, "124.20", ""),
]  # fmt: skip


def _heard_since(stated_at: str, own_notice: str) -> bool:
    """Whether the register has heard from the customer after what it is told was stated."""
    return not stated_at or stated_at <= own_notice


def clerks(told: list[Delivered]) -> Any:
    """Our own register: the changes its clerks take, each with the remark they see beside it.

    Customer 20006 has been on the phone since: a change older than that call waits for a clerk.
    """
    called = {"20006": "2026-10-25T09:00:00Z"}
    taken: dict[tuple[str, str], tuple[str, str]] = {}
    waiting = []
    for row in (row for one in told for row in one.rows):
        number, name = row.get("customer_number", ""), row.get("field", "")
        value, source = row.get("value", ""), row.get("source", "")
        if _heard_since(row.get("stated_at", ""), called.get(number, "")):
            waiting.append((number, name))
        else:
            taken[number, name] = (value, f"tieto: {source}")
    return sorted(taken.items()), sorted(set(waiting))


CHANGES = (
    [
        (("20001", "post_office"), ("JOKIOINEN", "tieto: dvv")),
        (("20001", "postal_code"), ("31600", "tieto: dvv")),
        (("20001", "street_line"), ("Uusitie 2", "tieto: dvv")),
        (("20002", "name"), ("Koivula Oy", "tieto: ytj")),
        (("20004", "country"), ("SE", "tieto: dvv")),
        (("20004", "post_office"), ("STOCKHOLM", "tieto: dvv")),
        (("20004", "postal_code"), ("11122", "tieto: dvv")),
        (("20004", "street_line"), ("Storgatan 7", "tieto: dvv")),
        (("20011", "is_deceased"), ("true", "tieto: dvv")),
    ],
    [("20006", "street_line")],
)


def registrars(told: list[Delivered]) -> Any:
    """The municipality: what it corrects on the population register's word, what it asks its residents about.

    Record 40006 was confirmed by a resident since: an older correction is left.
    """
    confirmed = {"40006": "2026-10-25T09:00:00Z"}
    corrected: dict[tuple[str, str], str] = {}
    asked, left = [], []
    for row in (row for one in told for row in one.rows):
        key, name = row.get("record_key", ""), row.get("field", "")
        if _heard_since(row.get("stated_at", ""), confirmed.get(key, "")):
            left.append((key, name))
        elif row.get("reason", "").startswith("dvv: "):
            corrected[key, name] = row.get("value", "")
        else:
            asked.append((key, name, row.get("value", "")))
    return sorted(corrected.items()), asked, sorted(set(left))


CORRECTIONS = (
    [
        (("40001", "post_office"), "JOKIOINEN"),
        (("40001", "postal_code"), "31600"),
        (("40001", "street_line"), "Uusitie 2"),
    ],
    [("40005", "name", "Salo Liisa")],
    [("40006", "street_line")],
)


def inspectors(told: list[Delivered]) -> Any:
    """Building control: per building whether its final inspection may pass on 3 November, and what it asks about."""
    known = _connections_told(told)
    passes, asks = [], []
    for ref, row in known.items():
        building = (row.get("property_id", ""), row.get("building_id", ""), ref)
        connection, since = row.get("connection", ""), row.get("connected_from", "")
        if connection == "connected" and since and since <= "2026-11-03":
            passes.append(building)
        else:
            asks.append((*building, connection, row.get("ended_on") or since))
    return sorted(passes), sorted(asks)


def _connections_told(told: list[Delivered]) -> Mapping[str, Mapping[str, str]]:
    return {row.get("point_ref", ""): row for one in told for row in one.rows}


def _building(point: int, of: int | None = None) -> tuple[str, str, str]:
    return f"1030040001{of or point:04d}", f"90000000{point:02d}", f"KP{point}"


INSPECTIONS = (
    sorted([_building(1), _building(4), _building(5), _building(8), _building(9, of=8)]),
    sorted(
        [
            (*_building(2), "applied", "2026-12-01"),
            (*_building(3), "ended", "2026-11-03"),
        ]
    ),
)


def wardens(told: list[Delivered]) -> Any:
    """Environmental control: per property when its own treatment of waste water is inspected, from and until.

    A property is off the list while one of its connections lasts.
    """
    by_property: dict[str, list[tuple[str, str]]] = {}
    for row in _connections_told(told).values():
        until, again = row.get("connected_from", ""), row.get("ended_on", "")
        if row.get("connection") == "ended":
            by_property.setdefault(row.get("property_id", ""), []).append((until, again))
        elif row.get("connection") in ("applied", "connected"):
            by_property.setdefault(row.get("property_id", ""), []).append((until, ""))
    return sorted(
        (place, min(until for until, _ in found), min(again for _, again in found), len(found))
        for place, found in by_property.items()
    )


INSPECTED = [
    ("10300400010001", "2001-05-04", "", 1),
    ("10300400010002", "2026-12-01", "", 1),
    ("10300400010003", "1999-09-09", "2026-11-03", 1),
    ("10300400010004", "1980-01-01", "", 1),
    ("10300400010005", "2010-01-01", "", 1),
    ("10300400010008", "2012-02-02", "", 2),
]


def collectors(told: list[Delivered]) -> Any:
    """A collection agency: the demands it writes in its cases, whose invoices it has from finance."""
    debts = {"P-1": "000001", "P-2": "000002", "P-3": "000004", "P-4": "000005"}
    written, refused = [], []
    for row in (row for one in told for row in one.rows):
        case, kind = row.get("case_reference", ""), row.get("party_kind", "")
        if debts.get(case) != row.get("customer_number") or kind not in ("person", "organisation"):
            refused.append(case)
            continue
        code, office = row.get("postal_code", ""), row.get("post_office", "")
        to = f"{row.get('name', '')}, {row.get('street_line', '')}, {code} {office}"
        terms = "consumer" if kind == "person" else f"company {row.get('business_id', '')}"
        written.append((case, to, terms, row.get("country", "")))
    return written, refused


DEMANDS = (
    [
        ("P-1", "Laine Aino, Kotikatu 1, 31640 HUMPPILA", "consumer", "FI"),
        ("P-2", "Koivula Oy, Teollisuustie 3, 31640 HUMPPILA", "company 0000001-9", "FI"),
        ("P-3", "Holm Eva, Storgatan 7, 11122 STOCKHOLM", "consumer", "SE"),
        ("P-4", "Salo Liisa, Piilokuja 9, 31640 HUMPPILA", "consumer", "FI"),
    ],
    [],
)


def lenders(told: list[Delivered]) -> Any:
    """A credit-decision service: whom it finds for an application, companies by id, people by name and home."""
    found = []
    for row in (row for one in told for row in one.rows):
        if row.get("party_kind") == "organisation":
            key = ("companies", row.get("business_id", ""), row.get("name", ""))
        else:
            home = f"{row.get('street_line', '')} {row.get('postal_code', '')}"
            key = (row.get("party_kind", ""), row.get("name", ""), home)
        found.append((row.get("case_reference", ""), *key))
    return found


FOUND = [
    ("P-1", "person", "Laine Aino", "Kotikatu 1 31640"),
    ("P-2", "companies", "0000001-9", "Koivula Oy"),
    ("P-3", "person", "Holm Eva", "Storgatan 7 11122"),
    ("P-4", "person", "Salo Liisa", "Piilokuja 9 31640"),
]


def officers(told: list[Delivered]) -> Any:
    """An authority: how it serves a document in each matter, and on which statute the answer was given."""
    return [
        (
            row.get("case_reference", ""), row.get("statute_reference", ""), row.get("name", ""),
            f"{row.get('street_line', '')}, {row.get('postal_code', '')} {row.get('post_office', '')}",
            "domestic" if row.get("country") == "FI" else f"abroad {row.get('country', '')}",
        )
        for one in told
        for row in one.rows
    ]  # fmt: skip


_LAW = "119/2001 21 §"
SERVED = [
    ("P-1", _LAW, "Laine Aino", "Kotikatu 1, 31640 HUMPPILA", "domestic"),
    ("P-2", _LAW, "Koivula Oy", "Teollisuustie 3, 31640 HUMPPILA", "domestic"),
    ("P-3", _LAW, "Holm Eva", "Storgatan 7, 11122 STOCKHOLM", "abroad SE"),
    ("P-4", _LAW, "Salo Liisa", "Piilokuja 9, 31640 HUMPPILA", "domestic"),
]

ACCEPTANCES: Mapping[str, tuple[Acceptance, Any]] = {
    "finance": (bills, ([], INVOICES)),
    "own_register": (clerks, CHANGES),
    "municipality": (registrars, CORRECTIONS),
    "building_control": (inspectors, INSPECTIONS),
    "environmental_control": (wardens, INSPECTED),
    "collection": (collectors, DEMANDS),
    "credit": (lenders, FOUND),
    "authorities": (officers, SERVED),
}
