"""What a comparison reads of a record, in a form that can be kept from night to night.

Belongs here: which columns of `person` and `organisation` that is, both ways between those tables and plain rows.
Does not belong here: how values are read (`normal`), the database that keeps rows (`store.linkage`).

A record that did not change need not be read again because a neighbour did. What depends on others (the identity
that stands once corrections are heard, who else lives there) stands in columns of its own, so that it can be put
right without reading names again.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import duckdb
import pandas as pd

READINGS = ("record_no", "party_type", "living_key", "business_id", "others", "content")
_TEXT, _TEXTS, _FLAG, _SHARE = "varchar", "varchar[]", "boolean", "double"
_NUMBER, _NUMBERS = "ubigint", "ubigint[]"
_PLACES = {
    "phone": _TEXT, "email": _TEXT, "street": _TEXT, "house": _TEXT, "flat": _TEXT, "code": _TEXT,
    "office": _TEXT, "property": _NUMBER, "place": _NUMBER, "home": _NUMBER, "places": _NUMBERS,
    "homes": _NUMBERS, "properties": _NUMBERS,
}  # fmt: skip
CONTENT: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "person": {
            "birth": _NUMBER, "guarded": _FLAG, "estate": _FLAG, "g1": _TEXT, "g2": _TEXT, "f": _TEXT,
            "f_parts": _TEXT, "g1_share": _SHARE, "f_share": _SHARE, **_PLACES,
        },
        "organisation": {
            "core": _TEXT, "words": _TEXTS, "numbers": _TEXT, "form": _TEXT, "contact": _TEXT,
            "core_share": _SHARE, **_PLACES,
        },
    }
)  # fmt: skip
"""Of each kind of record the columns that are kept as one text, with their types; see `normal.normalise`."""
_CHUNK = 50
"""Of two thousand rows each, handed on at once."""


def kept(connection: duckdb.DuckDBPyConnection) -> Iterator[pd.DataFrame]:
    """READINGS of `person` and `organisation`, in the order of their numbers, some at a time."""
    parts = []
    for table, columns in CONTENT.items():
        others = "case when home is not null then coalesce(at_home.others, 0) end"
        fields = ", ".join(f"{name} := {name}" for name in columns)
        parts.append(
            f"select r, '{table}' party_type, {others if table == 'person' else 'null'} others, "
            f"to_json(struct_pack({fields}))::varchar content from {table} left join at_home using (home)"
        )
    found = connection.execute(
        f"""select r record_no, party_type, living_key, business_id, others, content
        from ({" union all ".join(parts)}) join record using (r) order by r"""
    )
    while len(rows := found.fetch_df_chunk(_CHUNK)):
        yield rows.astype({"others": "Int64"})


def hold(connection: duckdb.DuckDBPyConnection, readings: pd.DataFrame) -> None:
    """Makes `person`, `organisation` and `at_home` of READINGS, with the columns that are compared."""
    plain = {
        "r": readings["record_no"].to_numpy(dtype="int64"),
        "others": readings["others"].astype("float64").to_numpy(),  # null is not a number there
        **{
            name: readings[name].astype("object").where(readings[name].notna(), None).to_numpy()
            for name in ("party_type", "living_key", "business_id", "content")
        },
    }
    connection.register("held", pd.DataFrame(plain))
    try:
        for table, columns in CONTENT.items():
            structure = ", ".join(f'"{name}": {_quoted(kind)}' for name, kind in columns.items())
            connection.execute(
                f"""create or replace table {table} as select r, living_key::varchar living_key,
                business_id::varchar business_id, unnest(read)
                from (select *, from_json(content::varchar, '{{{structure}}}') read
                from held where party_type = '{table}')"""
            )
        # of everybody at a home the same is kept
        connection.execute(
            """create or replace table at_home as
            select home, any_value(others)::bigint others from person join
            (select r, others from held where not isnan(others) and others <> 0) using (r)
            where home is not null group by home"""
        )
    finally:
        connection.unregister("held")


def _quoted(kind: str) -> str:
    return f'["{kind.removesuffix("[]")}"]' if kind.endswith("[]") else f'"{kind}"'
