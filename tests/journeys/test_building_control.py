"""Building control over whole nights: its book is the register's connections, told once, with nobody in it."""

import csv
from collections.abc import Callable

import pytest

from connectors.sandbox.own_register import HOLDER
from pipelines.domain.schemas import GOLDEN, GOLDEN_POINTS, GOLDEN_ROLES
from pipelines.nightly import Outcome
from pipelines.store import holdings
from pipelines.store.engine import transaction
from tests.journeys.living import Living

pytestmark = pytest.mark.journey


def connected(hub: Living) -> set[tuple[str, str]]:
    """Reference and property of every point somebody holds a connection at, as the register has it."""
    roles, points = hub.table(GOLDEN_ROLES), hub.table(GOLDEN_POINTS)
    held = roles.loc[roles["role_type"] == "holder", "point_id"]
    rows = points[points["point_id"].isin(held) & points["property_id"].notna()]
    return set(rows[["point_ref", "property_id"]].itertuples(index=False, name=None))


def test_its_book_is_every_connection_and_no_customer_is_in_it(hub: Living) -> None:
    book = hub.town.connections()
    assert {(row["point_ref"], row["property_id"]) for row in book.values()} == connected(hub)
    told = b"".join(path.read_bytes() for path in hub.inbox("building_control")).decode()
    golden = hub.table(GOLDEN)
    assert len(golden) > 90
    for names in ("family_name", "email", "phone"):
        assert not [name for name in golden[names].dropna() if f'"{name}"' in told]
    lines = {line for line in golden["street_line"].dropna() if f'"{line}"' in told}
    assert lines == set()


def test_a_quiet_night_tells_it_nothing_and_an_ended_contract_one_row(
    hub: Living, night: Callable[..., Outcome]
) -> None:
    hub.town.advance(quiet=True)
    assert night().status != "failed"
    assert hub.sequences("building_control") == [1]
    register = hub.town._founded.register
    roles = [r for r in register.roles.values() if r["ROOLI"] == HOLDER and not r["PAATTYEN"]]
    known = hub.town.connections()
    alone = next(
        r
        for r in roles
        if r["KULUTUSPISTE"] in known
        and [o["KULUTUSPISTE"] for o in roles].count(r["KULUTUSPISTE"]) == 1
    )
    hub.town.advance(quiet=True)
    year, month, day = hub.town.today.split("-")
    yesterday = f"{int(day) - 1:02d}.{month}.{year}"
    register.edit(alone, f"{yesterday} 09:00", PAATTYEN=yesterday)
    hub.export_again()
    night()
    assert hub.sequences("building_control") == [1, 2]
    assert hub.town.connections()[alone["KULUTUSPISTE"]]["connection"] == "ended"
    newest = max(p for p in hub.inbox("building_control") if p.suffix == ".csv")
    rows = list(csv.DictReader(newest.read_text("utf-8").splitlines(), delimiter=";"))
    assert [row["point_ref"] for row in rows] == [alone["KULUTUSPISTE"]]


def test_each_connection_is_logged_under_whoever_holds_it(hub: Living) -> None:
    with hub.opened() as house, transaction(house.engine) as conn:
        told = holdings.told_to(conn, "building_control")
    assert len(told) == len(hub.town.connections())
    assert told["party_id"].notna().all()


def test_whatever_befalls_a_delivery_its_row_is_in_the_book_once(
    hub: Living, night: Callable[..., Outcome]
) -> None:
    """Let in by nobody, another host key, cut off in mid write, unanswered, refused: then told, once."""
    held = hub.town._founded.register
    known = hub.town.connections()
    role = next(
        r for r in held.roles.values()
        if r["ROOLI"] == HOLDER and not r["PAATTYEN"] and r["KULUTUSPISTE"] in known
    )  # fmt: skip
    point = role["KULUTUSPISTE"]
    for other in held.roles.values():
        if other["KULUTUSPISTE"] == point and other["ROOLI"] == HOLDER:
            held.edit(other, "02.11.2026 09:00", PAATTYEN="02.11.2026")
    hub.export_again()
    for fault in ("unauthorised", "wrong_host_key", "dropped_connection"):
        hub.town.fault("building_control", fault, 1 if fault == "dropped_connection" else 99)
        night()
        assert hub.town.connections() == known
        hub.town.clear_faults()
        hub.town.advance(quiet=True)
    hub.town.fault("building_control", "lost_acknowledgement", 1)
    night()
    hub.town.clear_faults()
    assert hub.town.connections()[point]["connection"] == "ended"
    assert hub.sequences("building_control") == [1, 2]
    hub.town.advance(quiet=True)
    hub.town.fault("building_control", "rejecting", 99)
    night()
    assert hub.sequences("building_control") == [1, 2]
