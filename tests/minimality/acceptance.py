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
from tests.minimality.register import NIGHTS, Delivered

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

ACCEPTANCES: Mapping[str, tuple[Acceptance, Any]] = {
    "finance": (bills, ([], INVOICES)),
    "own_register": (clerks, CHANGES),
    "municipality": (registrars, CORRECTIONS),
}
assert NIGHTS == ("2026-11-02", "2026-11-03", "2026-11-04")
