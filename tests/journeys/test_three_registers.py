"""Three registers speak of the same properties: what the register holds of it, night after night.

The registers' standard rows are put into the store as `standardise` would leave them; matching,
consolidating and what finance is told are the house's own. No town, so a night takes a moment.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Connection, Engine

from pipelines.domain.schemas import (
    ADDRESSES,
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    LANDED,
    PARTIES,
    PARTY_RECORDS,
    POINT_TIES,
    POINT_VALUES,
    POINTS,
    ROLES,
    Schema,
)
from pipelines.settings import Settings, load_settings
from pipelines.steps.consolidate import consolidate
from pipelines.steps.match import match
from pipelines.steps.night import LogKeys, Night, StepRun, executing
from pipelines.steps.prepare_extract import foresee, prepare_extract
from pipelines.steps.propose import propose
from pipelines.store import frames, holdings, linkage, proposals, quarantine
from pipelines.store.backup import backup, restore
from pipelines.store.engine import open_engine, transaction
from tests.journeys.crashing import contents
from tests.steps.logged import NAME, SIGNING, VAULT

OWN, TOWN, CONTROL = "registrations", "municipality", "ryhti"
HOME, BARN = "900000759J", "9000007604"
PLOT, PARCEL, ELSEWHERE = "10340100010023", "10340100010024", "10340100010099"
NOW = "2026-11-02T00:30:00Z"


class Registers:
    """A hub that hears three registers by hand."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self.settings = settings
        self.today = 2

    def hub(self, *, full: bool = False) -> Night:
        return Night(
            self.engine, self.settings, f"2026-11-{self.today:02}",
            lambda: datetime(2026, 11, self.today, 0, 30, tzinfo=UTC), full=full,
            log_keys=lambda: LogKeys(VAULT, NAME, SIGNING),
        )  # fmt: skip

    def night(self, *, full: bool = False) -> Mapping[str, int]:
        """Match and consolidate; what was counted."""
        match(self.hub(full=full))
        counts = consolidate(self.hub(full=full)).counts
        self.today += 1
        return counts

    def proposed(self) -> set[str]:
        """The kinds of what waits for a steward, after a night's look."""
        propose(self.hub())
        with transaction(self.engine) as conn:
            return set(proposals.listed(conn)["kind"])

    @contextmanager
    def hearing(self) -> Iterator[StepRun]:
        with executing(self.hub(), "standardise") as step:
            yield step

    def party(self, source: str, key: str, name: str, person: str | None = None) -> None:
        """A person with an address to bill; the same token is the same person."""
        record = {
            "party_type": "person", "family_name": name, "given_names": "Aino Maria",
            "protection": "not_stated", "source_time": NOW, "person_key": person,
        }  # fmt: skip
        home = {
            "address_no": 1, "address_type": "postal", "street_line": f"{name}tie 1",
            "postal_code": "31640", "post_office": "HUMPPILA", "country": "FI", "stated_at": NOW,
        }  # fmt: skip
        with self.hearing() as step:
            self._say(step, PARTIES, "party", source, key, record)
            if source == OWN:
                self._say(step, ADDRESSES, "party", source, key, home)

    def place(self, source: str, key: str, **facts: Any) -> None:
        with self.hearing() as step:
            self._say(step, POINTS, "point", source, key, facts)

    def role(
        self, source: str, key: str, party: str, place: str, role_type: str, **days: Any
    ) -> None:
        named = {"party_source_key": party, "point_source_key": place, "role_type": role_type}
        with self.hearing() as step:
            self._say(step, ROLES, "role", source, key, named | days)

    def _say(
        self,
        step: StepRun,
        schema: Schema,
        kind: str,
        source: str,
        key: str,
        row: Mapping[str, Any],
    ) -> None:
        record = {"source": source, "source_key": key}
        written = schema.frame([record | row])
        if schema is ROLES:
            linkage.put_roles(step.conn, written, step.id)
        else:
            frames.put(step.conn, schema, written, step.id)
        landed = LANDED.frame([record | {"kind": kind, "content": {}, "content_hash": "x"}])
        frames.put(step.conn, LANDED, landed, step.id)

    def refuse(self, source: str, kind: str, key: str, content: Mapping[str, Any]) -> None:
        """A record that landed and stands in quarantine, never read."""
        finding = {
            "source": source, "kind": kind, "source_key": key, "content_hash": "x", "rule": "r",
            "severity": "critical", "field": None, "reason": None, "business_date": "2026-11-02",
        }  # fmt: skip
        row = {k: finding[k] for k in ("source", "kind", "source_key", "content_hash")}
        with self.hearing() as step:
            frames.put(step.conn, LANDED, LANDED.frame([row | {"content": dict(content)}]), step.id)
            quarantine.open_findings(step.conn, pd.DataFrame([finding]).assign(content=None), NOW)

    def table(self, schema: Schema) -> pd.DataFrame:
        with transaction(self.engine) as conn:
            return frames.read(conn, schema)

    def held(self, source: str) -> set[tuple[str, str]]:
        """Kind and key of everything landed from a source that is still kept."""
        landed = self.table(LANDED)
        mine = landed[landed["source"] == source]
        return set(mine[["kind", "source_key"]].itertuples(index=False, name=None))

    def roles(self) -> set[tuple[Any, ...]]:
        """Source, own or other register's party key, role, first and last day, rule."""
        roles = self.table(GOLDEN_ROLES)
        names = self.table(GOLDEN).set_index("party_id")["family_name"]
        told = roles.assign(name=roles["party_id"].map(names)).astype(object)
        told = told[["source", "name", "role_type", "valid_from", "valid_to", "rule"]]
        return set(told.where(told.notna(), None).itertuples(index=False, name=None))

    def stamps(self) -> dict[str, int]:
        """How many rows of the register were written after each table's last look."""
        with transaction(self.engine) as conn:
            return {
                s.name: _latest(conn, s) for s in (GOLDEN, GOLDEN_ROLES, POINT_VALUES, POINT_TIES)
            }

    def tell_finance(self) -> list[tuple[str, str]]:
        """What finance would hear tonight (event, name), and from then on knows."""
        finance = self.settings.recipients["finance"]
        events = foresee(self.hub(), finance).events.drop(columns="party_id")
        prepare_extract(self.hub(), finance, lambda: pytest.fail("nothing is sent in shadow"))
        points = self.table(GOLDEN_POINTS).set_index("point_ref")["point_id"]
        rows = [dict(row) for row in events.to_dict("records")]
        known = pd.DataFrame(
            {
                "row_key": [f"{r['customer_number']}-{points[r['point_ref']]:06}" for r in rows],
                "party_id": [int(r["customer_number"]) for r in rows],
                "row": rows,
            }
        )
        with transaction(self.engine) as conn:
            holdings.adopt(conn, "finance", known)
        return sorted((r["event"], r["invoice_name"] or "") for r in rows)


def _latest(conn: Connection, schema: Schema) -> int:
    low = 0
    while frames.has_changed(conn, schema, low):
        low += 1
    return low


@pytest.fixture
def hub(engine: Engine, tmp_path: Path) -> Registers:
    """A point KP1 on a plot, which Aino holds and pays for; nobody else has spoken."""
    hub = Registers(engine, load_settings(tmp_path / "nobody", {}))
    hub.party(OWN, "1", "Aarnio", person="aino")
    hub.place(OWN, "KP1", property_id=PLOT, building_id=HOME, street_line="Mäkitie 3")
    hub.role(OWN, "r1", "1", "KP1", "holder", valid_from="2010-01-01")
    hub.role(OWN, "r2", "1", "KP1", "payer", valid_from="2010-01-01")
    hub.night()
    return hub


def owned(hub: Registers, key: str = "b1", **facts: Any) -> None:
    """Building control knows the house and says that Eino owns it, no day given."""
    hub.place(CONTROL, key, building_id=HOME, property_id=PLOT, building_state="in_use", **facts)
    hub.party(CONTROL, "e", "Einola", person="eino")
    hub.role(CONTROL, "o1", "e", key, "owner")


def test_an_owner_building_control_names_becomes_a_customer_at_our_point(hub: Registers) -> None:
    owned(hub, has_sewer_connection=True)
    counts = hub.night()
    assert (counts["places_tied"], counts["places_untied"], counts["customers"]) == (1, 0, 2)
    assert (CONTROL, "Einola", "owner", None, None, "owner_silent") in hub.roles()
    values = hub.table(POINT_VALUES).set_index("field")
    assert values.loc["has_sewer_connection", "source"] == CONTROL
    assert values.loc["street_line", "source"] == OWN


def test_r14_the_municipality_is_believed_on_owners_and_the_other_is_counted(
    hub: Registers,
) -> None:
    """R14: two joint controllers disagree; the declared one wins, whoever came last."""
    hub.place(TOWN, PLOT, property_id=PLOT)
    hub.party(TOWN, "t1", "Aarnio", person="aino")
    hub.role(TOWN, "t1", "t1", PLOT, "owner", valid_from="2009-05-01")
    hub.night()
    owned(hub)
    counts = hub.night()
    assert counts["roles_set_aside"] == 1
    owners = {role for role in hub.roles() if role[2] == "owner"}
    assert owners == {(TOWN, "Aarnio", "owner", "2009-05-01", None, "declared_owner")}
    assert hub.held(CONTROL) == {("point", "b1")}, "who is no customer leaves no trace"


def test_a_buyer_the_municipality_has_not_heard_of_is_kept_until_it_has(hub: Registers) -> None:
    """A feed tells of a sale once; the owner of the answer may hear of it weeks later."""
    hub.party(TOWN, "t1", "Myyja", "p-seller")
    hub.place(TOWN, PLOT, property_id=PLOT)
    hub.role(TOWN, "o1", "t1", PLOT, "owner", valid_from="2010-05-01")
    hub.party(CONTROL, "c1", "Ostaja", "p-buyer")
    hub.place(CONTROL, "b1", property_id=PLOT, building_id=HOME)
    hub.role(CONTROL, "c1", "c1", "b1", "owner", valid_from="2026-11-01")
    hub.party(CONTROL, "c0", "Entinen", "p-former")
    hub.role(CONTROL, "c0", "c0", "b1", "owner", valid_from="2001-01-01", valid_to="2009-01-01")
    hub.night()
    assert ("party", "c1") in hub.held(CONTROL)
    owners = {name for _, name, kind, *_ in hub.roles() if kind == "owner"}
    assert "Ostaja" not in owners

    hub.role(TOWN, "o1", "t1", PLOT, "owner", valid_from="2010-05-01", valid_to="2026-11-01")
    hub.party(TOWN, "t2", "Ostaja", "p-buyer")
    hub.role(TOWN, "o2", "t2", PLOT, "owner", valid_from="2026-11-01")
    hub.night()
    open_now = {r[1] for r in hub.roles() if r[2] == "owner" and r[4] is None}
    assert open_now == {"Ostaja"}


def test_a_point_of_ours_is_never_made_by_another_register(hub: Registers) -> None:
    owned(hub)
    hub.place(TOWN, PLOT, property_id=PLOT)
    hub.night()
    assert list(hub.table(GOLDEN_POINTS)["point_ref"]) == ["KP1"]


def test_places_that_are_none_of_ours_go_with_their_roles_and_people(hub: Registers) -> None:
    hub.place(TOWN, ELSEWHERE, property_id=ELSEWHERE)
    hub.party(TOWN, "t9", "Vieraala")
    hub.role(TOWN, "t9", "t9", ELSEWHERE, "owner", valid_from="2000-01-01")
    counts = hub.night()
    assert (counts["strange_places_dropped"], counts["non_customers:municipality"]) == (1, 1)
    assert hub.held(TOWN) == set()
    for schema in (POINTS, ROLES, PARTIES, PARTY_RECORDS):
        assert TOWN not in set(hub.table(schema)["source"]), schema.name


def test_a_place_that_stops_being_ours_goes_too(hub: Registers) -> None:
    owned(hub)
    hub.place(OWN, "KP1", property_id=ELSEWHERE, street_line="Mäkitie 3")
    hub.night()
    assert hub.held(CONTROL) == set()
    assert set(hub.table(GOLDEN)["family_name"]) == {"Aarnio"}


def test_a_role_whose_place_has_not_come_waits_with_its_party(hub: Registers) -> None:
    hub.party(CONTROL, "e", "Einola", person="eino")
    hub.role(CONTROL, "o1", "e", "b1", "owner")
    hub.night()
    assert not {role for role in hub.roles() if role[0] == CONTROL}
    hub.place(CONTROL, "b1", building_id=HOME)
    hub.night()
    assert (CONTROL, "Einola", "owner", None, None, "owner_silent") in hub.roles()


def test_a_place_waits_with_our_own_point_in_quarantine(hub: Registers) -> None:
    hub.refuse(OWN, "point", "KP2", {"property_id": "103-401-1-99"})
    hub.place(TOWN, ELSEWHERE, property_id=ELSEWHERE)
    assert hub.night()["strange_places_dropped"] == 0
    hub.place(OWN, "KP2", property_id=ELSEWHERE)
    assert hub.night()["places_tied"] == 1


def test_a_refused_place_or_role_that_is_none_of_ours_goes_from_quarantine(hub: Registers) -> None:
    owned(hub)
    hub.place(CONTROL, "barn", property_id=PLOT, building_id=BARN)
    hub.night()
    hub.refuse(CONTROL, "point", "strange", {"property_id": ELSEWHERE})
    hub.refuse(CONTROL, "point", "ours", {"property_id": PLOT})
    hub.party(CONTROL, "b", "Vieraala")
    hub.refuse(CONTROL, "role", "o2", {"party": "b", "point": "barn"})
    counts = hub.night()
    assert (counts["strange_places_dropped"], counts["non_customers:ryhti"]) == (1, 1)
    kept = {("point", "b1"), ("point", "barn"), ("point", "ours"), ("party", "e"), ("role", "o1")}
    assert hub.held(CONTROL) == kept
    with transaction(hub.engine) as conn:
        assert list(quarantine.open_items(conn)["source_key"]) == ["ours"]


def test_a_building_that_moves_to_a_new_parcel_takes_its_point_along(hub: Registers) -> None:
    owned(hub)
    hub.place(TOWN, PLOT, property_id=PLOT)
    hub.place(TOWN, PARCEL, property_id=PARCEL)
    hub.night()
    assert (TOWN, PARCEL) not in set(
        hub.table(POINTS)[["source", "source_key"]].itertuples(index=False, name=None)
    )
    owned(hub)
    hub.place(CONTROL, "b1", building_id=HOME, property_id=PARCEL)
    hub.place(TOWN, PARCEL, property_id=PARCEL)
    hub.night()
    assert list(hub.table(GOLDEN_POINTS)["property_id"]) == [PARCEL]
    tied = hub.table(POINT_TIES).set_index("source_key")["tied_by"]
    assert dict(tied) == {"b1": "building_id", PARCEL: "property_id", PLOT: "beside"}


def test_a_house_that_burns_is_asked_about_until_it_is_rebuilt(hub: Registers) -> None:
    """A burnt house may still be connected; one that is gone ends no contract by itself (R31)."""
    owned(hub)
    hub.night()
    assert hub.proposed() == set()
    hub.place(CONTROL, "b1", building_id=HOME, property_id=PLOT, building_state="abandoned")
    hub.night()
    assert hub.proposed() == set(), "ruins are no demolition"
    gone = {"building_state": "demolished", "demolition_date": "2026-11-10"}
    hub.place(CONTROL, "b1", building_id=HOME, property_id=PLOT, **gone)
    hub.night()
    assert hub.proposed() == set(), "not before its day"
    hub.today = 10
    assert hub.proposed() == {"demolished_with_contract"}
    assert {kind for _, _, kind, *_ in hub.roles()} == {"holder", "payer", "owner"}

    new = {"building_id": "9000007612", "building_state": "in_use", "has_water_connection": True}
    hub.place(CONTROL, "b2", property_id=PLOT, **new)
    hub.night()
    assert hub.proposed() == {"demolished_with_contract", "building_without_customer"}
    hub.place(OWN, "KP1", property_id=PLOT, building_id=new["building_id"], street_line="Mäkitie 3")
    hub.night()
    assert hub.proposed() == set(), "the own register names the new house"
    (point,) = hub.table(GOLDEN_POINTS).to_dict("records")
    assert (point["building_id"], point["building_state"]) == (new["building_id"], "in_use")


def test_of_a_farm_that_is_split_the_house_keeps_its_point_and_the_barn_has_none(
    hub: Registers,
) -> None:
    owned(hub, has_water_connection=True)
    hub.place(CONTROL, "b2", building_id=BARN, property_id=PLOT, building_state="in_use")
    hub.night()
    assert hub.proposed() == set(), "one farm, one connection"
    hub.place(CONTROL, "b1", building_id=HOME, property_id=PARCEL, building_state="in_use")
    barn = {"building_id": BARN, "property_id": PLOT, "building_state": "in_use"}
    hub.place(CONTROL, "b2", has_water_connection=True, **barn)
    hub.night()
    assert list(hub.table(GOLDEN_POINTS)["property_id"]) == [PARCEL]
    assert hub.proposed() == {"building_without_customer"}
    hub.place(OWN, "KP2", property_id=PLOT, building_id=BARN, street_line="Mäkitie 5")
    hub.night()
    assert hub.proposed() == set()
    assert set(hub.table(GOLDEN_POINTS)["property_id"]) == {PARCEL, PLOT}


def test_a_night_in_which_nothing_moved_looks_at_no_property(hub: Registers) -> None:
    hub.role(OWN, "r2", "1", "KP1", "payer", valid_from="2010-01-01", valid_to="2026-11-05")
    hub.night()
    assert hub.proposed() == set()
    assert "proposals_opened" not in propose(hub.hub()).counts
    hub.today = 5
    assert propose(hub.hub()).counts["proposals_opened"] == 1, "a role's end came due"
    assert hub.proposed() == {"no_payer"}


def test_when_a_role_goes_to_another_customer_finance_hears_of_both(hub: Registers) -> None:
    """The register's row changes hands: nothing of the one who lost it has changed but that."""
    hub.place(OWN, "KP2", property_id=ELSEWHERE)
    hub.party(OWN, "2", "Oksala", person="olga")
    hub.role(OWN, "r3", "2", "KP2", "payer", valid_from="2010-01-01")
    hub.night()
    assert hub.tell_finance() == [("new", "Aarnio Aino Maria"), ("new", "Oksala Aino Maria")]
    hub.role(OWN, "r2", "2", "KP1", "payer", valid_from="2010-01-01")
    hub.night()
    assert hub.tell_finance() == [("ended", ""), ("new", "Oksala Aino Maria")]
    hub.night()
    assert hub.tell_finance() == []


def test_when_somebodys_last_role_goes_to_another_finance_hears_it_before_they_are_gone(
    hub: Registers,
) -> None:
    hub.party(OWN, "2", "Oksala", person="olga")
    hub.night()
    hub.tell_finance()
    hub.party(OWN, "2", "Oksala", person="olga")
    hub.role(OWN, "r1", "2", "KP1", "holder", valid_from="2010-01-01")
    hub.role(OWN, "r2", "2", "KP1", "payer", valid_from="2010-01-01")
    hub.night()
    assert set(hub.table(GOLDEN)["family_name"]) == {"Oksala"}
    assert hub.tell_finance() == [("ended", ""), ("new", "Oksala Aino Maria")]
    hub.night()
    assert hub.tell_finance() == []


def test_a_role_that_moves_to_another_point_leaves_the_first(hub: Registers) -> None:
    hub.place(OWN, "KP2", property_id=ELSEWHERE)
    hub.role(OWN, "r2", "1", "KP2", "payer", valid_from="2010-01-01")
    hub.night()
    roles = hub.table(GOLDEN_ROLES).merge(hub.table(GOLDEN_POINTS), on="point_id")
    assert set(roles[["role_type", "point_ref"]].itertuples(index=False, name=None)) == {
        ("holder", "KP1"),
        ("payer", "KP2"),
    }


def test_a_night_in_which_the_same_is_said_again_writes_nothing(hub: Registers) -> None:
    owned(hub)
    hub.place(TOWN, PLOT, property_id=PLOT)
    hub.night()
    before = hub.stamps()
    owned(hub)
    hub.place(TOWN, PLOT, property_id=PLOT)
    hub.place(OWN, "KP1", property_id=PLOT, building_id=HOME, street_line="Mäkitie 3")
    hub.role(OWN, "r2", "1", "KP1", "payer", valid_from="2010-01-01")
    hub.night()
    hub.night(full=True)
    assert hub.stamps() == before


@pytest.mark.parametrize("seed", range(4))
def test_nights_of_what_changed_come_to_the_same_as_one_of_everything(
    hub: Registers, seed: int
) -> None:
    """DESIGN 5: whatever the registers say, and in whatever order."""
    random = Random(seed)  # noqa: S311 - dice
    for name in ("Bergman", "Corander", "Dahl"):
        hub.party(OWN, name, name, person=name)
    for _ in range(5):
        for _ in range(random.randint(2, 6)):
            _something_is_said(hub, random)
        hub.night()
    before = contents(hub.engine)
    hub.night(full=True)
    after = contents(hub.engine)
    changed = {table: set(before[table]) ^ set(after[table]) for table in before}
    assert {table: rows for table, rows in changed.items() if rows} == {}
    assert before["point_tie"] or before["role"]


def _something_is_said(hub: Registers, random: Random) -> None:
    facts = {
        "property_id": random.choice([PLOT, PLOT, PARCEL, ELSEWHERE, None]),
        "building_id": random.choice([HOME, BARN, None, None]),
        "street_line": random.choice(["Mäkitie 3", "Mäkitie 5", None]),
        "building_state": random.choice(["in_use", "demolished", None]),
    }
    number = random.randint(1, 3)
    days = {"valid_from": random.choice([None, "2000-01-01", "2015-01-01"])}
    match random.randint(0, 4):
        case 0:
            hub.place(OWN, f"KP{number}", **facts)
        case 1:
            hub.place(CONTROL, f"b{number}", **facts)
        case 2:
            plot = random.choice([PLOT, PARCEL, ELSEWHERE])
            hub.place(TOWN, plot, property_id=plot)
        case 3:
            kind = random.choice(["payer", "holder", "owner"])
            party = random.choice(["1", "Bergman", "Corander", "Dahl"])
            hub.role(OWN, f"r{number}", party, f"KP{random.randint(1, 3)}", kind, **days)
        case _:
            source, place = random.choice([(TOWN, PLOT), (TOWN, PARCEL), (CONTROL, f"b{number}")])
            name = random.choice(["Bergman", "Eriksson", "Fors"])
            hub.party(source, name, name, person=name)
            hub.role(source, f"o{number}", name, place, "owner", **days)


def test_a_backup_brings_points_ties_and_roles_along(
    hub: Registers, tmp_path: Path, empty_url: str
) -> None:
    owned(hub, has_water_connection=False)
    hub.night()
    backup(hub.engine, tmp_path, tmp_path / "copy")
    other = open_engine(empty_url)
    restore(other, tmp_path / "copy")
    assert contents(other, and_history=True) == contents(hub.engine, and_history=True)
    assert contents(other)["point_value"] and contents(other)["point_tie"]
    other.dispose()
