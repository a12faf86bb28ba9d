"""A delivery's life, and what the recipient then holds as told."""

import hashlib

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from pipelines.domain.schemas import GOLDEN
from pipelines.store import deliveries, frames, holdings, nights, recheck
from pipelines.store.engine import StoreError, transaction

NOW = "2026-11-02T00:30:00Z"
DAY = "2026-11-02"
BILLING = ("event", "customer_number", "street_line", "final_invoice_line")
RETURNS = ("customer_number", "field", "value", "source", "stated_at")


def row(party: int, event: str = "new", street: str = "") -> dict[str, str]:
    return {
        "event": event, "customer_number": f"{party:06}", "street_line": street,
        "final_invoice_line": "",
    }  # fmt: skip


def freeze(
    conn: Connection,
    delivery_id: str,
    *rows: dict[str, str],
    recipient: str = "finance",
    columns: tuple[str, ...] = BILLING,
    day: str = DAY,
    returned_to: str | None = None,
) -> None:
    returned = None
    if returned_to is not None:
        told = pd.DataFrame(list(rows))
        returned = told.rename(columns={"customer_number": "their_key"}).assign(source=returned_to)
        returned = returned[["their_key", "field", "value", "source"]]
    deliveries.freeze(
        conn,
        delivery_id=delivery_id,
        recipient=recipient,
        sequence=deliveries.next_sequence(conn, recipient),
        business_date=day,
        contract_version=1,
        notice_version="2021-05-18",
        payload=b"bytes",
        payload_mac="m",
        columns=columns,
        rows=pd.DataFrame(
            {
                "row_key": [f"{r['customer_number']}/{r.get('field', 'P1')}" for r in rows],
                "party_id": [int(r["customer_number"][-6:]) for r in rows],
                "content": list(rows),
            }
        ),
        now=NOW,
        returned=returned,
    )


def send(conn: Connection, delivery_id: str) -> None:
    deliveries.seal(conn)
    deliveries.mark(conn, delivery_id, "sending", NOW)
    deliveries.mark(conn, delivery_id, "sent", NOW, receipt={"name": "f.csv"})


def test_what_was_accepted_is_what_the_recipient_holds(engine: Engine) -> None:
    with transaction(engine) as conn:
        freeze(conn, "d1", row(1), row(2), row(3))
        send(conn, "d1")
        refused = deliveries.acknowledge(conn, "d1", {2: "E7"}, NOW)
        told = holdings.told_to(conn, "finance")
        some = holdings.told_to(conn, "finance", pd.DataFrame({"party_id": [3, 9]}))
        done = deliveries.find(conn, "d1")
        rows = deliveries.rows_of(conn, "d1")
    assert refused.to_numpy().tolist() == [[2, "000002/P1", 2, "E7"]]
    assert told["party_id"].tolist() == [1, 3] and told["row"].tolist() == [row(1), row(3)]
    assert some["party_id"].tolist() == [3]
    assert (done.state, done.accepted, done.rejected) == ("acknowledged", 2, 1)
    assert done.receipt == {"name": "f.csv"} and done.columns == BILLING
    assert rows["status"].tolist() == ["accepted", "rejected", "accepted"]


def test_what_was_kept_for_sending_is_blanked_once_the_recipient_has_it(engine: Engine) -> None:
    with transaction(engine) as conn:
        freeze(conn, "d1", row(1), row(2))
        sealed = deliveries.find(conn, "d1")
        assert deliveries.fingerprint(sealed) == (5, hashlib.sha256(b"bytes").hexdigest())
        assert "bytes" not in repr(sealed)
        send(conn, "d1")
        deliveries.acknowledge(conn, "d1", {2: "E7"}, NOW)
        assert deliveries.rows_of(conn, "d1")["row"].tolist() == [None, row(2)]
        with pytest.raises(StoreError, match="no longer kept"):
            deliveries.fingerprint(deliveries.find(conn, "d1"))


def test_what_was_last_told_under_a_key_is_kept_even_when_it_was_an_end(engine: Engine) -> None:
    """An end that was told must not be told again."""
    last = (row(1, "ended"), row(2, "changed", "Katu 1"))
    with transaction(engine) as conn:
        for delivery_id, rows in (("d1", (row(1), row(2))), ("d2", last)):
            freeze(conn, delivery_id, *rows)
            send(conn, delivery_id)
            deliveries.acknowledge(conn, delivery_id, {}, NOW)
        assert holdings.told_to(conn, "finance")["row"].tolist() == list(last)


def test_the_last_refusal_under_a_key_is_known_until_the_row_is_taken(engine: Engine) -> None:
    with transaction(engine) as conn:
        for delivery_id, street, rejected in (("d1", "A", {1: "E"}), ("d2", "B", {1: "E"})):
            freeze(conn, delivery_id, row(1, street=street))
            send(conn, delivery_id)
            deliveries.acknowledge(conn, delivery_id, rejected, NOW)
        assert holdings.refused_rows(conn, "finance")["row"].tolist() == [row(1, street="B")]
        assert holdings.refused_rows(conn, "other").empty


def test_while_a_delivery_is_open_no_other_is_frozen(engine: Engine) -> None:
    with transaction(engine) as conn:
        freeze(conn, "d1", row(1))
        freeze(conn, "r1", row(1), recipient="other")
        assert [d.delivery_id for d in deliveries.outstanding(conn, "finance")] == ["d1"]
        with pytest.raises(StoreError, match="not settled"):
            freeze(conn, "d2", row(2))
        assert deliveries.unanswered_since(conn, "finance", DAY) == 1
        assert deliveries.unanswered_since(conn, "finance", "2026-11-01") == 0


def test_two_rows_of_a_delivery_never_share_a_key(engine: Engine) -> None:
    with pytest.raises(StoreError, match="share a key"), transaction(engine) as conn:
        freeze(conn, "d1", row(1), row(1, "changed"))


def test_an_aborted_delivery_leaves_no_gap_and_its_people_are_looked_at_again(
    engine: Engine,
) -> None:
    with transaction(engine) as conn:
        freeze(conn, "d1", row(1))
        deliveries.mark(conn, "d1", "aborted", NOW)
        assert deliveries.next_sequence(conn, "finance") == 1
        assert deliveries.find(conn, "d1").payload is None
        assert deliveries.rows_of(conn, "d1")["row"].tolist() == [None]
        assert deliveries.unsettled_parties(conn, "finance").tolist() == [1]
        freeze(conn, "d1", row(1))  # the same bytes under the same number bear the same id
        send(conn, "d1")
        deliveries.acknowledge(conn, "d1", {}, NOW)
        assert deliveries.unsettled_parties(conn, "finance").tolist() == []
        assert deliveries.next_sequence(conn, "finance") == 2


def test_a_refused_row_is_remembered_until_one_under_its_key_is_accepted(engine: Engine) -> None:
    with transaction(engine) as conn:
        for delivery_id, rejected, keys in (("d1", {1: "E7"}, True), ("d2", {}, False)):
            freeze(conn, delivery_id, row(1))
            send(conn, delivery_id)
            deliveries.acknowledge(conn, delivery_id, rejected, NOW)
            assert holdings.refused_rows(conn, "finance").empty is not keys
        assert deliveries.rows_of(conn, "d1")[["status", "row"]].to_numpy().tolist() == [
            ["superseded", None]
        ]


def test_an_answer_about_rows_that_were_not_sent_is_refused(engine: Engine) -> None:
    with transaction(engine) as conn:
        freeze(conn, "d1", row(1))
        with pytest.raises(StoreError, match="prepared"):
            deliveries.acknowledge(conn, "d1", {}, NOW)
        send(conn, "d1")
        for number in (0, 2):
            with pytest.raises(StoreError, match="no such rows"):
                deliveries.acknowledge(conn, "d1", {number: "E7"}, NOW)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    moves=st.lists(
        st.sampled_from(["sealed", "sending", "sent", "uncertain", "acknowledged", "aborted"]),
        max_size=6,
    )
)
def test_whatever_is_tried_the_sequence_at_the_recipient_has_no_gap(
    engine: Engine, moves: list[deliveries.State]
) -> None:
    with transaction(engine) as conn:
        first = deliveries.next_sequence(conn, "finance")
        freeze(conn, "d", row(1))
        for state in moves:
            try:
                if state == "acknowledged":
                    deliveries.acknowledge(conn, "d", {}, NOW)
                else:
                    deliveries.mark(conn, "d", state, NOW)
            except StoreError as refused:
                assert f"can't become {state}" in str(refused)
        delivery = deliveries.find(conn, "d")
        assert deliveries.next_sequence(conn, "finance") == first + (delivery.state != "aborted")
        assert (delivery.payload is None) == (delivery.state in ("acknowledged", "aborted"))
        conn.rollback()


def golden(party: int, **values: str | None) -> pd.DataFrame:
    return GOLDEN.frame([{"party_id": party, "protection": "on", **values}])


@pytest.mark.parametrize(
    ("told", "stands", "exposes"),
    [
        (row(1, street="Salatie 1"), {}, True),
        (row(1, street="PL 1"), {"street_line": "PL 1", "address_type": "contact"}, False),
        (row(1, street="PL 1"), {"street_line": "PL 1", "address_type": "postal"}, True),
        (row(1), {}, False),
        ({**row(1), "final_invoice_line": "Salatie 1"}, {}, True),
        (
            {**row(1), "field": "post_office", "said": "SALOLA"},
            {},
            True,
        ),  # a return, its own columns
        ({**row(2), "field": "post_office", "said": "SALOLA"}, {}, False),
        (row(2, street="Salatie 1"), {}, False),
        (row(3, street="Salatie 1"), {}, True),  # 3 has since gone into 1
    ],
)
def test_an_order_that_came_after_freezing_stops_the_delivery(
    engine: Engine, told: dict[str, str], stands: dict[str, str], exposes: bool
) -> None:
    """R56, PRIVACY §2.4 T2; party 1 is protected by now, 2 is not."""
    with transaction(engine) as conn:
        freeze(conn, "d1", told)
        frames.put(conn, GOLDEN, golden(1, **stands))
        frames.put(conn, GOLDEN, golden(2, protection="off"))
        merged = pd.DataFrame({"party_id": [3], "into_party_id": [1]})
        nights.redirect(conn, merged, merged.head(0), DAY)
        assert bool(recheck.exposing(conn, "d1")) is exposes


def test_the_totals_and_refusals_of_a_night_are_counts(engine: Engine) -> None:
    with transaction(engine) as conn:
        freeze(conn, "d1", row(1), row(2), row(3), row(4))
        send(conn, "d1")
        deliveries.acknowledge(conn, "d1", {1: "E7", 2: "E9", 3: "E7"}, NOW)
        freeze(conn, "d2", row(1), day="2026-11-03")
        assert deliveries.totals(conn, "finance", DAY) == {
            "deliveries": 1, "sent": 4, "acknowledged": 1, "rejected": 3,
        }  # fmt: skip
        assert deliveries.rejections(conn, "finance") == [("d1", 3, "E7 ×2, E9 ×1")]
        assert deliveries.totals(conn, "finance", "2026-11-03")["deliveries"] == 0


def test_a_recipient_is_in_the_mode_of_its_contract_until_a_person_decides(engine: Engine) -> None:
    with transaction(engine) as conn:
        freeze(conn, "d1", row(1))
        assert deliveries.mode_of(conn, "finance", "shadow") == "shadow"
        deliveries.set_mode(conn, "finance", "live", "anna", NOW)
        assert deliveries.mode_of(conn, "finance", "shadow") == "live"
        assert deliveries.next_sequence(conn, "finance") == 2


def test_rows_a_recipient_held_before_us_are_adopted(engine: Engine) -> None:
    held = pd.DataFrame({"row_key": ["1|P1"], "party_id": [1], "row": [row(1)]})
    with transaction(engine) as conn:
        assert holdings.adopt(conn, "finance", held) == 1
        assert holdings.told_to(conn, "finance")["row"].tolist() == [row(1)]


def test_being_held_back_is_decided_anew_for_those_looked_at_only(engine: Engine) -> None:
    def ids(*parties: int) -> pd.DataFrame:
        return pd.DataFrame({"party_id": parties}, dtype="Int64")

    with transaction(engine) as conn:
        reason = ids(1, 2, 3).assign(reason="no_route")
        holdings.hold(conn, "finance", ids(1, 2, 3), reason, NOW)
        later = ids(2, 4).assign(reason=["no_route", "restricted"])
        holdings.hold(conn, "finance", ids(1, 2, 4), later, "2026-11-03T00:30:00Z")
        held = holdings.held(conn, "finance")
        assert held.to_numpy().tolist() == [
            [2, "no_route", NOW],
            [3, "no_route", NOW],
            [4, "restricted", "2026-11-03T00:30:00Z"],
        ]
        assert holdings.held_reasons(conn, "finance") == {"no_route": 2, "restricted": 1}
        assert holdings.held_count(conn, "finance") == 3
        assert holdings.held_count(conn, "other") == 0
        assert deliveries.unsettled_parties(
            conn, "finance"
        ).empty  # they wait for a change of theirs
        nobody = pd.DataFrame({"party_id": [], "reason": []})
        holdings.hold(conn, "finance", ids(2, 3, 4), nobody, NOW)
        assert holdings.held_count(conn, "finance") == 0


def returning(key: str, field: str, value: str) -> dict[str, str]:
    return {
        "customer_number": key, "field": field, "value": value, "source": "dvv", "stated_at": NOW,
    }  # fmt: skip


def test_a_returned_value_is_known_as_ours_when_it_comes_back(engine: Engine) -> None:
    """DESIGN 10: an echo is confirmed, never a new source time."""
    with transaction(engine) as conn:
        freeze(
            conn, "r1", returning("000001", "name", "A B"), returning("000001", "country", "FI"),
            returning("000002", "name", "C D"), recipient="own", columns=RETURNS,
            returned_to="registrations",
        )  # fmt: skip
        send(conn, "r1")
        deliveries.acknowledge(conn, "r1", {2: "E1"}, NOW)
        assert holdings.told_to(conn, "own").empty
        answers = pd.DataFrame(
            {
                "their_key": ["000001", "000002", "999999"],
                "field": ["name", "name", "name"],
                "state": ["confirmed", "overwritten", "confirmed"],
            }
        )
        assert holdings.mark_returned(conn, "own", answers, NOW) == 2
        returned = holdings.returned(conn, "own")
        assert returned[["field", "state"]].to_numpy().tolist() == [
            ["country", "rejected"],
            ["name", "confirmed"],
            ["name", "overwritten"],
        ]
        states = {"confirmed": 1, "overwritten": 1, "rejected": 1}
        assert holdings.returned_counts(conn, "own") == states
        assert holdings.echoes(conn).to_numpy().tolist() == [
            ["registrations", "000001", "name", "A B"]
        ]


def test_what_an_aborted_return_would_have_said_was_not_said(engine: Engine) -> None:
    with transaction(engine) as conn:
        told = returning("000001", "name", "A B")
        freeze(conn, "r1", told, recipient="own", columns=RETURNS, returned_to="registrations")
        deliveries.mark(conn, "r1", "aborted", NOW)
        assert holdings.returned(conn, "own").empty
