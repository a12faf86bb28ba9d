"""A list the recipient holds already: which line is which of our rows."""

import pandas as pd

from pipelines.domain.adoption import Recognised, recognised
from pipelines.domain.extract import Contract

FINANCE = Contract("finance", "1", ("event", "customer_number", "point_ref", "invoice_name"))
CONTROL = Contract("building_control", "1", ("point_ref", "property_id"))
POINTS = pd.DataFrame({"point_id": pd.array([7, 8], "Int64"), "point_ref": ["KP7", "KP8"]})
CUSTOMERS = pd.DataFrame({"party_id": pd.array([1, 2], "Int64")})


def listed(*lines: tuple[str, str, str]) -> Recognised:
    frame = pd.DataFrame(lines, columns=["customer_number", "point_ref", "invoice_name"])
    return recognised(frame, POINTS, CUSTOMERS, FINANCE, "payers_of_points")


def test_a_line_is_known_by_customer_and_point() -> None:
    found = listed(("000001", "KP7", "Laine Aino"), ("2", "KP8", "Salo Liisa"))
    assert found.rows["row_key"].tolist() == ["000001-000007", "000002-000008"]
    assert found.rows["party_id"].tolist() == [1, 2]
    assert found.rows["row"].iloc[0] == {
        "event": "new", "customer_number": "000001", "point_ref": "KP7", "invoice_name": "Laine Aino",
    }  # fmt: skip


def test_a_line_about_nobody_here_is_counted_by_its_number() -> None:
    found = listed(
        ("000009", "KP7", ""), ("000001", "KP9", ""), ("x", "", ""), ("000001", "KP7", "")
    )
    assert found.unknown == [1, 2, 3]
    assert len(found.rows) == 1


def test_two_lines_about_one_row_are_found() -> None:
    found = listed(("000001", "KP7", "a"), ("000001", "KP7", "b"), ("1", "KP7", "c"))
    assert found.repeated == [2, 3]


def test_a_connection_is_known_by_its_point_and_logged_under_its_holder() -> None:
    holders = pd.DataFrame({"point_id": [7], "party_id": [1]}).astype("Int64")
    lines = pd.DataFrame({"point_ref": ["KP7", "KP8"], "property_id": ["1", "2"]})
    found = recognised(lines, POINTS, holders, CONTROL, "connections_of_properties")
    assert found.rows[["row_key", "party_id"]].to_numpy().tolist() == [["000007", 1]]
    assert found.unknown == [2]
