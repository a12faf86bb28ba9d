"""What building and environmental control are told: a property's connection, and never a person."""

from collections.abc import Mapping

import pandas as pd
import pytest

from pipelines.domain.connections import (
    CONNECTION_COLUMNS,
    CONNECTION_MADE_OF,
    Connections,
    connection_events,
    connection_rows,
)
from pipelines.domain.extract import Contract
from pipelines.domain.schemas import GOLDEN_POINTS, GOLDEN_ROLES

TONIGHT = "2026-11-02"
CONTROL = Contract("building_control", "1", CONNECTION_COLUMNS, dict(CONNECTION_MADE_OF))
Row = Mapping[str, object]


def holder(party: int = 1, point: int = 1, **dates: object) -> Row:
    row = {"source": "registrations", "source_key": f"{party}/{point}/{dates.get('valid_from')}"}
    return {**row, "party_id": party, "point_id": point, "role_type": "holder", **dates}


def connections(*roles: Row, restricted: tuple[int, ...] = (), **point: object) -> Connections:
    facts = {"point_ref": "KP1", "property_id": "10300400010001", "building_id": "9000000001"}
    points = GOLDEN_POINTS.frame([{"point_id": 1, **facts, **point}])
    return connection_rows(points, GOLDEN_ROLES.frame(list(roles)), TONIGHT, restricted)


def only(found: Connections) -> dict[str, str]:
    (row,) = found.rows.to_dict("records")
    return {str(k): v for k, v in row.items()}


def nothing_told() -> pd.DataFrame:
    return pd.DataFrame({"row_key": [], "party_id": pd.array([], "Int64"), "row": []})


def told(found: pd.DataFrame) -> pd.DataFrame:
    rows = found[[*CONNECTION_COLUMNS]].to_dict("records")
    return found[["row_key", "party_id"]].assign(row=pd.Series(rows, found.index, "object"))


def events(now: Connections, before: pd.DataFrame, *points: int) -> pd.DataFrame:
    looked_at = pd.DataFrame({"point_id": pd.array(points or (1,), "Int64")})
    return connection_events(now, before, looked_at, CONTROL, TONIGHT)


@pytest.mark.parametrize(
    ("dates", "connection", "ended_on"),
    [
        ({"valid_from": "2001-01-01"}, "connected", ""),
        ({"valid_from": TONIGHT}, "connected", ""),
        ({"valid_from": "2026-11-03"}, "applied", ""),
        ({"valid_from": "2001-01-01", "valid_to": "2026-11-03"}, "connected", ""),
        ({"valid_from": "2001-01-01", "valid_to": TONIGHT}, "ended", TONIGHT),
    ],
)
def test_a_connection_is_applied_for_then_lasts_then_ends(
    dates: Row, connection: str, ended_on: str
) -> None:
    row = only(connections(holder(**dates)))
    assert (row["connection"], row["ended_on"]) == (connection, ended_on)
    assert row["connected_from"] == dates["valid_from"]


def test_a_change_of_holder_is_no_change_of_the_connection() -> None:
    sold = [
        holder(1, valid_from="2001-01-01", valid_to="2026-10-01"),
        holder(2, valid_from="2026-10-01"),
    ]
    row = only(connections(*sold))
    assert (row["connection"], row["connected_from"], row["ended_on"]) == (
        "connected", "2001-01-01", "",
    )  # fmt: skip
    assert row["party_id"] == 2, "in the disclosure log it is the holder's of now"
    before = told(connections(holder(1, valid_from="2001-01-01")).rows)
    assert events(connections(*sold), before).empty


@pytest.mark.parametrize("kind", ["payer", "owner", "contact"])
def test_nobody_but_a_holder_makes_a_connection(kind: str) -> None:
    assert connections({**holder(valid_from="2001-01-01"), "role_type": kind}).rows.empty


def test_only_what_differs_is_told() -> None:
    now = connections(holder(valid_from="2001-01-01"))
    first = events(now, nothing_told())
    assert len(first) == 1
    assert events(now, told(first)).empty
    ended = connections(holder(valid_from="2001-01-01", valid_to=TONIGHT))
    assert events(ended, told(first))["connection"].tolist() == ["ended"]


def test_a_point_the_register_has_no_more_has_ended_once() -> None:
    first = events(connections(holder(valid_from="2001-01-01")), nothing_told())
    gone = connections()
    over = events(gone, told(first))
    assert over[["connection", "ended_on", "connected_from"]].to_numpy().tolist() == [
        ["ended", TONIGHT, "2001-01-01"]
    ]
    assert events(gone, told(over)).empty, "it is not told twice"
    assert events(gone, told(first), 7).empty, "nor of a point nobody has looked at"


def test_r45_a_restricted_holders_connection_is_held_and_what_was_told_stays() -> None:
    first = events(connections(holder(valid_from="2001-01-01")), nothing_told())
    now = connections(holder(valid_from="2001-01-01", valid_to=TONIGHT), restricted=(1,))
    assert now.held.to_numpy().tolist() == [[1, "restricted"]]
    assert events(now, told(first)).empty


def test_a_point_of_no_known_property_is_held() -> None:
    found = connections(holder(valid_from="2001-01-01"), property_id=None)
    assert found.held.to_numpy().tolist() == [[1, "no_property"]]
    assert found.rows.empty


def test_r18_a_contract_that_hides_what_stands_in_a_column_is_refused() -> None:
    sly = Contract("x", "1", ("property_id",), {"property_id": ("point_ref",)})
    now = connections(holder(valid_from="2001-01-01"))
    with pytest.raises(KeyError, match="more stands in property_id"):
        connection_events(now, nothing_told(), pd.DataFrame({"point_id": [1]}), sly, TONIGHT)
