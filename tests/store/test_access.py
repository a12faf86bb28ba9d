"""The audit log of our own people."""

from sqlalchemy import Engine

from pipelines.store import access
from pipelines.store.engine import transaction


def test_every_look_is_kept_with_who_when_why_and_about_whom(engine: Engine) -> None:
    with transaction(engine) as conn:
        access.record(conn, "2026-11-02T08:00:00Z", "anna", "customer_show", 7, "customer_service")
        access.record(conn, "2026-11-02T08:01:00Z", "anna", "quarantine_list", detail="3 items")
        about = access.of_party(conn, 7)
        recent = access.recent(conn, 1)
    assert about[["who", "operation", "purpose"]].to_numpy().tolist() == [
        ["anna", "customer_show", "customer_service"]
    ]
    assert recent["detail"].tolist() == ["3 items"]


def test_a_search_is_kept_about_everybody_it_showed_or_about_nobody(engine: Engine) -> None:
    with transaction(engine) as conn:
        access.record_many(conn, "2026-11-02T08:00:00Z", "anna", "customer_find", [7, 8], "call")
        access.record_many(conn, "2026-11-02T08:01:00Z", "anna", "customer_find", [], "call")
        assert len(access.of_party(conn, 8)) == 1
        assert access.recent(conn, 5)["party_id"].isna().tolist() == [True, False, False]
