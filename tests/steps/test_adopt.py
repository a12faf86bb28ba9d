"""A list the recipient has already is taken in whole or not at all, and the first night tells the differences."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine

from pipelines.settings import load_settings
from pipelines.steps.adopt import NotAdopted, adopt
from pipelines.steps.night import Night, executing
from pipelines.store import access, disclosures, holdings
from pipelines.store.engine import reading
from tests.minimality.register import NIGHTS, Inbox, live, night_of, story, tell

SETTINGS = load_settings(Path("nowhere"), {})
FINANCE = live(SETTINGS.recipients["finance"])
CONTROL = live(SETTINGS.recipients["building_control"])


@pytest.fixture
def night(engine: Engine) -> Iterator[Night]:
    """A register after its consolidation; nobody has been told anything."""
    night = night_of(engine, SETTINGS, NIGHTS[0])
    with executing(night, "consolidate") as step:
        story()[0].register.write(step)
    yield night


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, _sqlite_template: str) -> pd.DataFrame:
    """What finance would hold if everybody had been told."""
    import shutil

    from pipelines.store.engine import open_engine

    path = tmp_path_factory.mktemp("whole") / "hub.db"
    shutil.copyfile(_sqlite_template, path)
    engine = open_engine(f"sqlite:///{path}")
    other = night_of(engine, SETTINGS, NIGHTS[0])
    with executing(other, "consolidate") as step:
        story()[0].register.write(step)
    inbox = Inbox()
    tell(other, FINANCE, inbox)
    engine.dispose()
    return pd.DataFrame(inbox.parse(inbox.payloads[0])).drop(columns="event")


def leaves(night: Night) -> list[dict[str, Any]]:
    with reading(night.engine) as conn:
        return [json.loads(leaf) for leaf in disclosures.recent(conn, 50)["leaf"]]


def told(night: Night) -> pd.DataFrame:
    with reading(night.engine) as conn:
        return holdings.told_to(conn, "finance")


def test_who_has_everything_is_told_nothing_on_the_first_night(
    night: Night, whole: pd.DataFrame
) -> None:
    found = adopt(night, FINANCE, whole, "anna", record=True)
    assert (found.equal, found.changed, found.missing, found.unknown) == (len(whole), 0, 0, 0)
    inbox = Inbox()
    tell(night, FINANCE, inbox)
    assert inbox.payloads == []


def test_the_first_night_tells_the_differences_it_foresaw(
    night: Night, whole: pd.DataFrame
) -> None:
    mine = whole[whole["customer_number"] != "000004"].copy()
    mine.loc[mine["customer_number"] == "000001", "street_line"] = "Entinen 2"
    # somebody they bill for a point that another pays for here
    stray = mine[mine["customer_number"] == "000001"].assign(point_ref="KP2")
    mine = pd.concat([mine, stray], ignore_index=True)
    found = adopt(night, FINANCE, mine, "anna", record=True)
    assert (found.changed, found.ended, found.missing) == (1, 1, 1)
    assert found.equal == len(mine) - 2
    inbox = Inbox()
    tell(night, FINANCE, inbox)
    rows = inbox.parse(inbox.payloads[0])
    assert sorted((r["event"], r["customer_number"], r["point_ref"]) for r in rows) == [
        ("changed", "000001", "KP1"), ("ended", "000001", "KP2"), ("new", "000004", "KP4"),
    ]  # fmt: skip


def test_adopting_discloses_nothing_and_is_one_leaf_with_a_count(
    night: Night, whole: pd.DataFrame
) -> None:
    adopt(night, FINANCE, whole, "anna.asiakas", record=True)
    (leaf,) = leaves(night)
    assert (leaf["t"], leaf["operation"], leaf["n"]) == ("policy-change", "adopt", len(whole))
    with reading(night.engine) as conn:
        assert access.recent(conn, 1)["who"].tolist() == ["anna.asiakas"]
        assert disclosures.detail_count(conn) == 0


def test_without_yes_it_only_shows(night: Night, whole: pd.DataFrame) -> None:
    shown = adopt(night, FINANCE, whole, "anna")
    assert shown.equal == len(whole)
    assert told(night).empty
    assert leaves(night) == []


def test_a_list_taken_in_before_is_replaced(night: Night, whole: pd.DataFrame) -> None:
    adopt(night, FINANCE, whole, "anna", record=True)
    adopt(night, FINANCE, whole.head(2), "anna", record=True)
    assert len(told(night)) == 2


def test_a_column_the_list_lacks_is_told_as_changed(night: Night, whole: pd.DataFrame) -> None:
    found = adopt(night, FINANCE, whole.drop(columns="party_kind"), "anna")
    assert found.changed == len(whole)


@pytest.mark.parametrize(
    ("change", "saying"),
    [
        (lambda w: w.assign(phone="1"), "columns outside the contract: phone"),
        (lambda w: w.drop(columns="point_ref"), "has no point_ref"),
        (lambda w: pd.concat([w, w.head(1)]), "lines 9 speak of a row that another line has"),
        (lambda w: w.assign(customer_number="999999"), "about nobody here"),
        (lambda w: w.head(0), "the list is empty"),
    ],
)
def test_what_cannot_be_taken_whole_is_not_taken_at_all(
    night: Night, whole: pd.DataFrame, change: Any, saying: str
) -> None:
    with pytest.raises(NotAdopted, match=saying) as refused:
        adopt(night, FINANCE, change(whole), "anna", record=True)
    assert "999999" not in str(refused.value)
    assert told(night).empty
    assert leaves(night) == []


def test_a_share_of_strangers_may_be_allowed_and_is_left_out(
    night: Night, whole: pd.DataFrame
) -> None:
    stranger = whole.head(1).assign(customer_number="999999")
    mixed = pd.concat([whole, stranger], ignore_index=True)
    with pytest.raises(NotAdopted, match="--unknown-share"):
        adopt(night, FINANCE, mixed, "anna", unknown_share=0.05)
    found = adopt(night, FINANCE, mixed, "anna", unknown_share=0.2, record=True)
    assert (found.unknown, found.equal, found.ended) == (1, len(whole), 0)
    assert len(told(night)) == len(whole)


def test_who_has_been_told_by_us_has_no_list_to_adopt(night: Night, whole: pd.DataFrame) -> None:
    tell(night, FINANCE, Inbox())
    with pytest.raises(NotAdopted, match="told by us already"):
        adopt(night, FINANCE, whole, "anna", record=True)


@pytest.mark.parametrize("name", ["own_register", "municipality", "collection"])
def test_returns_and_cases_have_nothing_to_adopt(
    night: Night, whole: pd.DataFrame, name: str
) -> None:
    with pytest.raises(NotAdopted, match="nothing to adopt"):
        adopt(night, live(SETTINGS.recipients[name]), whole, "anna")


def test_a_list_of_connections_is_known_by_its_points(night: Night) -> None:
    held = pd.DataFrame(
        {
            "point_ref": ["KP1", "KP2"], "property_id": ["10300400010001", "10300400010002"],
            "building_id": ["9000000001", "9000000002"], "connection": ["connected", "connected"],
            "connected_from": ["2001-05-04", "2026-12-01"], "ended_on": ["", ""],
        }
    )  # fmt: skip
    found = adopt(night, CONTROL, held, "anna", record=True)
    assert (found.equal, found.changed, found.missing) == (1, 1, 5)
