"""Reference data is replaced whole, and only where it says something else."""

import pandas as pd
from sqlalchemy import Engine

from pipelines.domain.schemas import ADDRESSES
from pipelines.store import frames, postal
from pipelines.store.engine import transaction

COLUMNS = ["postal_code", "street_fi", "street_sv", "side", "lowest", "highest"]
KOIVUTIE = ("31640", "Koivutie", None, "odd", 1, 35)
KUUSITIE = ("31650", "Kuusitie", "Grangatan", None, None, None)


def streets(*rows: tuple[object, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=COLUMNS)


def take(engine: Engine, rows: pd.DataFrame, step_run: int, table: str = "postal_street") -> bool:
    with transaction(engine) as conn:
        fresh = postal.differing(conn, table, rows)
        if fresh is not None:
            postal.replace(conn, table, fresh, step_run)
        return fresh is not None


def test_a_newer_file_takes_the_place_of_the_older_one(engine: Engine) -> None:
    assert take(engine, streets(KOIVUTIE, KUUSITIE), 1)
    assert take(engine, streets(KUUSITIE, KUUSITIE), 2)
    with transaction(engine) as conn:
        assert postal.count(conn, "postal_street") == 1
        assert list(postal.around(conn).streets["street_sv"]) == ["Grangatan"]
        assert postal.changed_in(conn) == 2


def test_what_says_the_same_in_another_order_is_not_written_again(engine: Engine) -> None:
    assert take(engine, streets(KOIVUTIE, KUUSITIE), 1)
    assert not take(engine, streets(KUUSITIE, KOIVUTIE, KUUSITIE), 2)
    with transaction(engine) as conn:
        assert postal.changed_in(conn) == 1


def test_of_two_records_of_one_postal_code_the_last_is_kept(engine: Engine) -> None:
    codes = pd.DataFrame(
        {
            "postal_code": ["31640"] * 2,
            "name_fi": ["VANHA", "UUSI"],
            "name_sv": None,
            "code_type": "1",
        }
    )
    assert take(engine, codes, 1, "postal_code")
    assert not take(engine, codes.iloc[1:], 2, "postal_code")


def test_only_what_is_asked_for_is_read(engine: Engine) -> None:
    with transaction(engine) as conn:
        assert postal.changed_in(conn) == 0
    take(engine, streets(KOIVUTIE, KUUSITIE), 1)
    with transaction(engine) as conn:
        found = postal.around(conn, pd.Series(["31650", None, "99999"], dtype="str"))
    assert list(found.streets["street_fi"]) == ["Kuusitie"]
    assert found.codes.empty


def test_a_check_is_kept_with_its_address_and_leaves_the_rest_of_the_row(engine: Engine) -> None:
    row = {
        "source": "own",
        "source_key": "1",
        "address_no": 1,
        "street_line": "Koivutie 1",
        "country": "FI",
    }
    with transaction(engine) as conn:
        frames.put(conn, ADDRESSES, ADDRESSES.frame([row]), step_run=3)
        postal.put_checks(conn, postal.standing(conn).assign(postal_check="exact"))
        found = frames.changed_since(conn, ADDRESSES, 2)
        assert frames.changed_since(conn, ADDRESSES, 3).empty
    assert list(found[["street_line", "postal_check"]].iloc[0]) == ["Koivutie 1", "exact"]
