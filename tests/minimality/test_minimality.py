"""Each contract is the minimum: every field is needed, nothing else matters, nobody else shows (R18, PRIVACY §4).

Over every file in config/recipients: a new one is covered by itself, once it has an acceptance.
"""

import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from pipelines.contracts import RecipientContract
from pipelines.domain.fields import FIELDS
from pipelines.domain.schemas import Schema
from pipelines.settings import Settings, load_settings
from pipelines.steps.prepare_case import NotTold
from pipelines.store.engine import open_engine
from tests.minimality.acceptance import ACCEPTANCES
from tests.minimality.register import (
    PROTECTED,
    PROTECTED_CASES,
    Delivered,
    Register,
    delivered,
    in_use,
    lines,
    live,
    protect,
    unrelated,
    without,
)

SETTINGS = in_use(load_settings(Path("nowhere"), {}))
CONTRACTS = {name: live(contract) for name, contract in SETTINGS.recipients.items()}
EACH = pytest.mark.parametrize("name", CONTRACTS)
FIELD = pytest.mark.parametrize(
    ("name", "field"), [(n, f.name) for n, c in CONTRACTS.items() for f in c.fields]
)

# What decides who is in an extract and by which way, beside the fields that are told: by population rule.
_RETURNS = {
    "party": {"party_type", "protection", "address_type"},
    "standard_party": {"family_name", "given_names", "organisation_name", "is_deceased"},
    "standard_address": {"address_type", "street_line", "postal_code", "post_office", "country"},
    "party_value": {"source", "rule", "source_time"},
}
DECIDES: Mapping[str, Mapping[str, set[str]]] = {
    "payers_of_points": {
        "party": {"protection", "address_type"},
        "role": {"role_type", "valid_from", "valid_to"},
        "standard_address": {
            "address_type", "stated_at", "valid_from", "valid_to", "street_line", "postal_code",
            "post_office", "country", "care_of",
        },
    },
    "own_customers_with_accepted_changes": _RETURNS,
    "supplied_records_in_error": _RETURNS,
    "connections_of_properties": {"role": {"role_type", "valid_from", "valid_to"}},
    "per_case": {"party": {"protection", "address_type", "name_role"}},
}  # fmt: skip

Fresh = Callable[[], Engine]
Plain = Callable[[str], list[Delivered]]


@pytest.fixture(scope="module")
def fresh(_sqlite_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fresh]:
    """Makes databases with the hub's tables and nothing in them."""
    opened: list[Engine] = []

    def make() -> Engine:
        home = tmp_path_factory.mktemp("minimal") / "home"
        home.mkdir(mode=0o700)
        shutil.copyfile(_sqlite_template, home / "hub.db")
        opened.append(open_engine(f"sqlite:///{home}/hub.db"))
        return opened[-1]

    yield make
    for engine in opened:
        engine.dispose()


@pytest.fixture(scope="module")
def settings() -> Settings:
    return SETTINGS


@pytest.fixture(scope="module")
def plain(fresh: Fresh, settings: Settings) -> Plain:
    """What a recipient is told over the register as it is; made once."""
    return cache(lambda name: delivered(fresh(), settings, CONTRACTS[name]))


@EACH
def test_r18_with_all_its_fields_a_recipient_does_its_work(
    name: str, engine: Engine, settings: Settings
) -> None:
    accept, expected = ACCEPTANCES[name]
    assert accept(delivered(engine, settings, CONTRACTS[name])) == expected


@FIELD
def test_r18_without_any_one_field_a_recipient_cannot_do_its_work(
    name: str, field: str, fresh: Fresh, settings: Settings
) -> None:
    accept, expected = ACCEPTANCES[name]
    try:
        told = delivered(fresh(), settings, without(CONTRACTS[name], field))
    except KeyError as unmade:
        assert "one column for the value" in str(unmade)  # without it there is no return at all
        return
    except NotTold as refused:
        assert "what it rests on" in str(
            refused
        )  # without its reference nobody is told of (R17, R20)
        return
    found = accept(told)
    assert found != expected, f"config/recipients/{name}.yml: fields.{field}: nobody misses it"


@EACH
@pytest.mark.parametrize("seed", range(2))
def test_r18_whatever_else_the_register_holds_the_bytes_are_the_same(
    name: str, seed: int, fresh: Fresh, settings: Settings, plain: Plain
) -> None:
    contract = CONTRACTS[name]
    scrambled = delivered(fresh(), settings, contract, lambda r: scramble(r, contract, seed))
    assert payloads(scrambled) == payloads(plain(name))


@EACH
def test_r18_a_customer_a_recipient_has_nothing_to_do_with_changes_nothing(
    name: str, fresh: Fresh, settings: Settings, plain: Plain
) -> None:
    joined = delivered(fresh(), settings, CONTRACTS[name], unrelated)
    assert payloads(joined) == payloads(plain(name))


@EACH
def test_r56_a_protective_order_changes_nobody_elses_bytes_and_does_not_show_in_its_own(
    name: str, fresh: Fresh, settings: Settings, plain: Plain
) -> None:
    open_ = lines(plain(name))
    hidden = lines(delivered(fresh(), settings, CONTRACTS[name], protect))

    def is_theirs(row: Mapping[str, str]) -> bool:
        mine = (
            f"{PROTECTED:06d}",
            str(20000 + PROTECTED),
            str(40000 + PROTECTED),
            *PROTECTED_CASES,
        )
        named_by = ("customer_number", "record_key", "case_reference")
        return any(row.get(key) in mine for key in named_by)

    assert [r for r in hidden if not is_theirs(r)] == [r for r in open_ if not is_theirs(r)]
    others = {shape(r) for r in open_ if not is_theirs(r)}
    assert {shape(r) for r in hidden if is_theirs(r)} <= others
    told = {text for row in hidden for text in row.values()}
    assert "Piilokuja 9" not in told


def shape(row: Mapping[str, str]) -> tuple[str, ...]:
    """What a reader could tell one row from another by, but for its values: event, route, filled columns."""
    kinds = ("event", "field", "delivery_channel", "party_kind")
    return (
        *(row.get(k, "") for k in kinds),
        *sorted(column for column, text in row.items() if text),
    )


def payloads(told: list[Delivered]) -> list[tuple[str, bytes]]:
    return [(one.date, one.payload) for one in told]


def scramble(register: Register, contract: RecipientContract, seed: int) -> None:
    """Every column that is neither told nor decides holds something else."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    told = {part for field in contract.fields for part in field.made_of}
    decides = DECIDES[contract.population.rule]
    for schema, rows in register.rows.items():
        free = set(schema.columns) - _kept(schema) - told - decides.get(schema.name, set())
        for row in rows:
            row |= {column: _anything(column, chance) for column in free}


def _kept(schema: Schema) -> set[str]:
    """What holds rows together: keys and references."""
    joins = {"party_id", "point_id", "source", "source_key", "field", "address_no"}
    return set(schema.key) | (joins & set(schema.columns))


def _anything(column: str, chance: random.Random) -> Any:
    if chance.random() < 0.2:
        return None
    number = chance.randrange(1, 10**6)
    return {
        "integer": number,
        "boolean": bool(number % 2),
        "date": f"20{number % 100:02d}-01-01",
        "instant": f"20{number % 100:02d}-01-01T00:00:00Z",
        "json": {"x": number},
    }.get(FIELDS[column].kind, f"X{number}")
