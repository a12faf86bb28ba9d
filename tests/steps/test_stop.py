"""What may not leave any more does not, whoever comes first (PRIVACY §2.4 T2, R25, R26, R45, R56)."""

import json
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from pipelines.domain.schemas import GOLDEN, PARTY_RECORDS
from pipelines.errors import HubError
from pipelines.steps.around import NotFound
from pipelines.steps.restrain import release, restrain
from pipelines.steps.stop import Stopped
from pipelines.store import deliveries, disclosures, frames, holdings, recheck, restraints, tables
from pipelines.store.engine import transaction
from tests.steps.logged import Inbox, Logged

OWN = "registrations"


@pytest.fixture
def log(engine: Engine, tmp_path: Path) -> Logged:
    """Two customers, 100007 and 100008 in the own register, parties 7 and 8."""
    with transaction(engine) as conn:
        for party in (7, 8):
            record = {"source": OWN, "source_key": f"1000{party:02}", "party_id": party}
            frames.put(conn, PARTY_RECORDS, PARTY_RECORDS.frame([record]))
            golden = {"party_id": party, "party_type": "person", "protection": "off"}
            frames.put(conn, GOLDEN, GOLDEN.frame([golden]))
    return Logged(engine, tmp_path)


def forbid(log: Logged, kind: str = "restriction") -> Stopped:
    return restrain(
        log.night(), "100007", kind, channel="phone", evidence="call 7", who="clerk", why="asked"
    )


def kinds(log: Logged, delivery_id: str) -> list[str]:
    """The leaves of a delivery, oldest first."""
    with transaction(log.engine) as conn:
        recent = disclosures.recent(conn, 100)
    mine = recent[(recent["delivery_id"] == delivery_id) & recent["entry_id"].isna()]
    return [line.partition('"t":"')[2].partition('"')[0] for line in mine["leaf"]][::-1]


def test_r45_a_restriction_stops_what_is_frozen_in_the_same_transaction(log: Logged) -> None:
    name = log.freeze(7, 8)
    assert forbid(log) == Stopped(stopped=(name,))
    assert log.state(name) == "aborted" and kinds(log, name) == ["intent", "aborted"]
    inbox = Inbox()
    log.deliver(inbox)
    assert inbox.files == {}


def test_r45_a_restriction_between_seal_and_send_stops_it(log: Logged) -> None:
    """The gate is passed, the seal is made, and still the last look comes after the ban."""
    inbox = Inbox()
    name = log.freeze(7)
    log.reached = lambda place: forbid(log) and None if place.endswith(":sealed") else None
    log.deliver(inbox)
    assert inbox.files == {} and log.state(name) == "aborted"


def test_r45_a_restriction_while_it_is_sent_finds_it_on_its_way_and_it_counts_as_told(
    log: Logged,
) -> None:
    heard: list[Stopped] = []
    inbox = Inbox(on_arrival=lambda: heard.append(forbid(log)))
    name = log.freeze(7)
    log.deliver(inbox)
    assert heard == [Stopped(under_way=(name,))]
    assert log.state(name) == "acknowledged"
    assert kinds(log, name) == ["intent", "attempt", "delivered", "acknowledged"]
    with transaction(log.engine) as conn:
        assert holdings.told_to(conn, "finance")["party_id"].tolist() == [7]


def test_r45_of_the_last_look_and_the_ban_one_comes_first(log: Logged) -> None:
    """Whoever records waits for whoever is about to send, and then finds it on its way."""
    name = log.freeze(7)
    with transaction(log.engine) as conn:
        deliveries.seal(conn)
    heard: list[Stopped] = []
    recording = threading.Thread(target=lambda: heard.append(forbid(log)))
    with transaction(log.engine) as conn:
        recheck.alone(conn)
        recording.start()
        recording.join(0.5)
        assert recording.is_alive() and heard == []
        deliveries.mark(conn, name, "sending", log.night().now())
    recording.join()
    assert heard == [Stopped(under_way=(name,))]


@pytest.mark.parametrize("kind", ["ban_on_publication", "ban_on_marketing"])
def test_r25_r26_a_ban_on_another_purpose_stops_no_bill(log: Logged, kind: str) -> None:
    name = log.freeze(7)
    assert forbid(log, kind) == Stopped()
    log.deliver()
    assert log.state(name) == "acknowledged"


def test_r27_a_ban_by_two_channels_is_one_ban_and_can_end(log: Logged) -> None:
    forbid(log)
    forbid(log)
    with transaction(log.engine) as conn:
        assert len(frames.rows(conn, tables.party_restraint.select())) == 1
    night = log.night()
    ending = {"who": "clerk", "why": "asked", "informed": "2026-11-02"}
    release(night, "100007", "restriction", **ending)
    with pytest.raises(NotFound, match="no restriction stands"):
        release(night, "100007", "restriction", **ending)
    name = log.freeze(7)
    log.deliver()
    assert log.state(name) == "acknowledged"


@pytest.mark.parametrize("informed", [None, "2026-11-03", "soon"])
def test_r45_no_restriction_ends_before_the_customer_was_told_that_it_will(
    log: Logged, informed: str | None
) -> None:
    forbid(log)
    with pytest.raises(HubError, match="told"):
        release(log.night(), "100007", "restriction", who="c", why="asked", informed=informed)
    with transaction(log.engine) as conn:
        assert restraints.standing(conn, 7) == ["restriction"]


def test_r26_r45_what_is_forbidden_has_a_leaf_that_says_nothing_of_whom(log: Logged) -> None:
    forbid(log)
    forbid(log)
    forbid(log, "ban_on_marketing")
    with transaction(log.engine) as conn:
        lines = [json.loads(line) for line in disclosures.recent(conn, 100)["leaf"][::-1]]
    at = "2026-11-02T00:30:00Z"
    assert [line for line in lines if line["t"] in ("restricted", "ban")] == [
        {"t": "restricted", "v": 1, "at": at},
        {"t": "ban", "v": 1, "at": at},
    ]


def test_r56_an_order_that_a_record_states_stops_a_row_with_an_address(log: Logged) -> None:
    """Before the register has been made anew: the record's word is enough."""
    hidden, shown = log.freeze(7), "aborted"
    stated = {"source": OWN, "source_key": "100007", "protection": "on"}
    with transaction(log.engine) as conn:
        conn.execute(insert(tables.standard_party).values(stated))
    inbox = Inbox()
    log.deliver(inbox)
    assert inbox.files == {} and log.state(hidden) == shown


def test_r56_an_order_leaves_a_row_without_an_address_alone(log: Logged) -> None:
    name = log.freeze(7, street="")
    stated = {"source": OWN, "source_key": "100007", "protection": "on"}
    with transaction(log.engine) as conn:
        conn.execute(insert(tables.standard_party).values(stated))
    log.deliver()
    assert log.state(name) == "acknowledged"


CHANGES = {
    "the agreement has ended": {"AGREEMENT__VALID_TO": "2026-11-01"},
    "the contract is another": {"VERSION": "2"},
    "the recipient is in shadow": {"MODE": "shadow"},
}


@pytest.mark.parametrize("why", CHANGES)
def test_r15_what_was_frozen_under_other_terms_is_given_up(log: Logged, why: str) -> None:
    name, inbox = log.freeze(7), Inbox()
    log.environ |= {f"HUB_RECIPIENTS__FINANCE__{key}": v for key, v in CHANGES[why].items()}
    log.deliver(inbox)
    assert inbox.files == {} and log.state(name) == "aborted"


def test_who_has_been_held_since_is_not_told(log: Logged) -> None:
    name, inbox = log.freeze(7), Inbox()
    with transaction(log.engine) as conn:
        held = {
            "recipient": "finance",
            "party_id": 7,
            "reason": "x",
            "since": "2026-11-02T09:00:00Z",
        }
        conn.execute(insert(tables.held_row).values(held))
    log.deliver(inbox)
    assert inbox.files == {} and log.state(name) == "aborted"
