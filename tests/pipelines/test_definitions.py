"""The night as Dagster loads it: what is in the graph, when it runs, what it shows, what it never stores."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import cron_string_iterator  # how the daemon reckons

from connectors.sandbox.town import start
from pipelines.assets.stage import GROUPS, check_result, columns_of
from pipelines.build import NIGHTLY, build_defs
from pipelines.catalogue import RECIPIENT_CONNECTORS
from pipelines.cli.town import point_at
from pipelines.domain import schemas
from pipelines.domain.fields import FIELDS
from pipelines.domain.schemas import Schema
from pipelines.house import House, open_house
from pipelines.keys import init
from pipelines.resources import NoFrames
from pipelines.settings import Settings, load_settings, shipped
from pipelines.steps.night import Check
from pipelines.store.engine import migrate, open_engine
from pipelines.store.lock import RunLock
from pipelines.texts import Texts

HELSINKI = ZoneInfo("Europe/Helsinki")
# what each shipped counterparty is called in the town in a box
ENDPOINTS = {
    "sources/address_batch": "address_batch",
    "sources/dvv": "dvv",
    "sources/exemptions": "exemptions",
    "sources/finance_status": "finance",
    "sources/kuntagml": "kuntagml",
    "sources/municipality": "municipality",
    "sources/orders": "order_desk",
    "sources/postal": "postal",
    "sources/registrations": "own_register",
    "sources/ryhti": "ryhti",
    "sources/subcontractor": "contractor",
    "sources/ytj": "ytj",
    "recipients/building_control": "building_control",
    "recipients/finance": "finance",
    "recipients/municipality": "municipality",
    "recipients/own_register": "own_register",
}
# whom the town has nobody for: told case by case, or as building control is
NOT_IN_THE_TOWN = {
    f"recipients/{name}"
    for name in ("authorities", "collection", "credit", "environmental_control")
}
TABLES = [s for s in vars(schemas).values() if isinstance(s, Schema)]


def door(port: int = 1) -> dict[str, Any]:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    return {"host": "127.0.0.1", "port": port, "username": "u", "password": "p", "host_key": key}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A hub that has an address for everybody there is; nobody lives there."""
    home = tmp_path_factory.mktemp("configured")
    dvv = {
        "base_url": "http://127.0.0.1:1/api/v1",
        "username": "u",
        "password": "p",
        "client": "a/b/c/d",
    }
    ryhti = {"base_url": "http://127.0.0.1:1", "client_id": "u", "client_secret": "p"}
    ytj = {"base_url": "http://127.0.0.1:1/v3"}
    sftp = dict.fromkeys(
        (
            "own_register",
            "finance",
            "municipality",
            "building_control",
            "postal",
            "address_batch",
            "order_desk",
            "contractor",
        ),
        door(),
    )
    wfs = {"base_url": "http://127.0.0.1:1/wfs", "username": "u", "password": "p"}
    asked = {"dvv": dvv, "ryhti": ryhti, "ytj": ytj, "kuntagml": wfs, "exemptions": wfs}
    point_at(home, {**asked, **sftp})
    return load_settings(home, {})


@pytest.fixture(scope="module")
def defs(settings: Settings) -> dg.Definitions:
    return build_defs(settings.home, settings)


@pytest.fixture(scope="module")
def specs(defs: dg.Definitions) -> list[dg.AssetSpec]:
    return sorted(defs.resolve_all_asset_specs(), key=lambda s: s.key.to_user_string())


def checks_of(defs: dg.Definitions, spec: dg.AssetSpec) -> list[str]:
    keys = defs.resolve_asset_graph().asset_check_keys
    return sorted(k.name for k in keys if k.asset_key == spec.key)


# --- the graph ------------------------------------------------------------------------------------------


def test_the_graph_is_the_one_that_was_reviewed(
    defs: dg.Definitions, specs: list[dg.AssetSpec], golden: Any
) -> None:
    def words(values: Any) -> str:
        return ",".join(sorted(values)) or "-"

    lines = [
        " | ".join(
            [
                spec.key.to_user_string(),
                words(d.asset_key.to_user_string() for d in spec.deps),
                spec.group_name or "-",
                words(spec.owners),
                words(spec.kinds),
                words(checks_of(defs, spec)),
            ]
        )
        for spec in specs
    ]
    golden("graph.txt", "\n".join(["asset | after | group | owners | kinds | checks", *lines, ""]))


README = Path(__file__).parents[2] / "README.md"
PICTURE = re.compile(r"(<!-- the picture[^\n]*-->\n).*?(<!-- end of the picture -->)", re.DOTALL)


def picture(specs: Sequence[dg.AssetSpec]) -> str:
    """The graph in Mermaid: a box per group in the order of the night, an arrow per dependency."""

    def node(key: dg.AssetKey) -> str:
        return "_".join(key.path)

    lines = ["```mermaid", "flowchart LR"]
    specs = sorted(specs, key=lambda s: (s.group_name or "", s.key.path))
    for group in sorted({s.group_name or "" for s in specs}):
        lines.append(f'  subgraph night_{group}["{group.replace("_", " ")}"]')
        lines += [f'    {node(s.key)}["{s.key.path[-1]}"]' for s in specs if s.group_name == group]
        lines.append("  end")
    lines += [f"  {node(d.asset_key)} --> {node(s.key)}" for s in specs for d in s.deps]
    return "\n".join([*lines, "```", ""])


def test_the_picture_in_the_readme_is_the_graph(
    specs: list[dg.AssetSpec], request: pytest.FixtureRequest
) -> None:
    text = README.read_text("utf-8")
    drawn = PICTURE.sub(lambda m: m[1] + picture(specs) + m[2], text)
    if request.config.getoption("--update-golden"):
        README.write_text(drawn, "utf-8")
    assert README.read_text("utf-8") == drawn, "README's picture: --update-golden redraws it"
    assert picture(specs) in drawn


def test_the_picture_is_still_read_at_a_glance() -> None:
    def spec(layer: str, thing: str, *deps: str) -> dg.AssetSpec:
        after = [dg.AssetKey(d.split("/")) for d in deps]
        return dg.AssetSpec(dg.AssetKey([layer, thing]), deps=after, group_name=GROUPS[layer])

    sources = [
        "dvv", "exemptions", "kuntagml", "municipality", "registrations", "ryhti", "ytj"
    ]  # fmt: skip
    recipients = ["building_control", "finance", "municipality", "own_register"]
    drawn = picture(
        [
            *(spec("landing", s) for s in sources),
            spec("standardised", "records", *(f"landing/{s}" for s in sources)),
            spec("matched", "parties", "standardised/records"),
            spec("register", "customers", "matched/parties"),
            *(spec("extract", r, "register/customers") for r in recipients),
            *(spec("delivery", r, f"extract/{r}") for r in recipients),
            spec("disclosure", "log", *(f"delivery/{r}" for r in recipients)),
            spec("proposals", "properties", "register/customers"),
            spec("night", "close", "disclosure/log", "proposals/properties"),
        ]
    )
    assert drawn.count("subgraph") == drawn.count("  end\n") == len(set(GROUPS.values()))
    assert drawn.count("-->") == len(sources) + 3 * len(recipients) + 5
    assert 'landing_municipality["municipality"]' in drawn, "one name, two boxes"
    assert 'extract_municipality["municipality"]' in drawn
    columns = [
        group for group in dict.fromkeys(GROUPS.values()) if f"subgraph night_{group}[" in drawn
    ]
    assert columns == re.findall(r"subgraph night_(\w+)", drawn), "left to right as the night"
    assert max(len(label) for label in re.findall(r'\["(.*?)"\]', drawn)) <= 16


def test_building_the_graph_opens_nothing(defs: dg.Definitions, settings: Settings) -> None:
    assert {p.name for p in settings.home.iterdir()} == {"config", "secrets"}
    dg.Definitions.validate_loadable(defs)


def test_every_asset_says_what_it_is_whose_it_is_and_by_when(
    defs: dg.Definitions, specs: list[dg.AssetSpec]
) -> None:
    for spec in specs:
        assert len(spec.description or "") > 30, spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.freshness_policy is not None, spec.key
        assert spec.group_name == GROUPS[spec.key.path[0]]
        assert "{" not in (spec.description or ""), "a text with a hole in it"


def test_every_check_says_what_it_asks(defs: dg.Definitions) -> None:
    described = [s.description for d in defs.assets or () for s in d.check_specs]  # type: ignore[union-attr]
    assert described
    assert all(described)


def test_the_groups_are_in_the_order_of_the_night(specs: list[dg.AssetSpec]) -> None:
    group = {spec.key: spec.group_name or "" for spec in specs}
    for spec in specs:
        assert all(group[d.asset_key] <= group[spec.key] for d in spec.deps)


def test_a_counterparty_without_an_address_is_absent_and_the_rest_holds_together(
    tmp_path: Path,
) -> None:
    bare = build_defs(tmp_path, load_settings(tmp_path, {}))
    keys = {s.key.path[0] for s in bare.resolve_all_asset_specs()}
    assert keys == {"standardised", "matched", "register", "proposals", "disclosure", "night"}
    one = {
        "HUB_SOURCES__DVV__BASE_URL": "https://example.invalid/api/v1",
        "HUB_DVV_USERNAME": "u",
        "HUB_DVV_PASSWORD": "p",
    }
    some = build_defs(tmp_path, load_settings(tmp_path, one))
    landing = [s.key for s in some.resolve_all_asset_specs() if s.key.path[0] == "landing"]
    assert landing == [dg.AssetKey(["landing", "dvv"])]


# --- what a steward sees of tables and checks -----------------------------------------------------------


def test_every_column_shown_has_its_meaning_and_privacy_class(specs: list[dg.AssetSpec]) -> None:
    shown = [s.metadata["dagster/column_schema"] for s in specs if s.metadata]
    assert len(shown) >= 4
    for table in shown:
        for column in table.columns:
            field = FIELDS[column.name.rpartition(".")[2]]
            assert column.tags == {"privacy": field.privacy}
            assert column.description == field.meaning


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_a_column_is_nullable_unless_it_is_of_the_key(table: Schema) -> None:
    columns = {c.name: c.constraints.nullable for c in columns_of([table]).columns}
    assert {n.rpartition(".")[2] for n, null in columns.items() if not null} == set(table.key)


def test_a_failed_check_shows_counts_and_nothing_else() -> None:
    check = Check("feed_in_order", passed=False, severity="warning", counts={"faults": 3})
    shown = check_result(Texts("en"), dg.AssetKey(["landing", "dvv"]), check)
    assert shown.passed is False
    assert shown.severity is dg.AssetCheckSeverity.WARN
    assert shown.description is None
    assert [m.value for m in shown.metadata.values()] == [3]


# --- when -----------------------------------------------------------------------------------------------


def test_the_night_is_at_half_past_one_and_runs_without_being_switched_on(
    defs: dg.Definitions,
) -> None:
    schedule = defs.resolve_schedule_def(NIGHTLY)
    assert schedule.cron_schedule == "30 1 * * *"
    assert schedule.execution_timezone == "Europe/Helsinki"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


@pytest.mark.parametrize(
    "change", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)]
)
def test_every_day_has_one_night_also_when_the_clocks_change(
    defs: dg.Definitions, change: datetime
) -> None:
    schedule = defs.resolve_schedule_def(NIGHTLY)
    first = (change - timedelta(days=2)).timestamp()
    ticks = cron_string_iterator(first, str(schedule.cron_schedule), HELSINKI.key)
    moments = [next(ticks).astimezone(HELSINKI) for _ in range(5)]
    assert [m.strftime("%H:%M") for m in moments] == ["01:30"] * 5
    days = [m.date() for m in moments]
    assert days == [days[0] + timedelta(days=n) for n in range(5)]
    assert change.date() in days
    asked = dg.build_schedule_context(scheduled_execution_time=moments[2].astimezone(UTC))
    tick = schedule.evaluate_tick(asked)
    assert tick.run_requests is not None
    assert len(tick.run_requests) == 1
    assert tick.run_requests[0].run_config == {}, "run config is stored and shown in clear"


# --- configuration, connectors, town --------------------------------------------------------------------


def test_every_file_of_configuration_has_a_connector_and_a_place_in_the_town() -> None:
    root = shipped()
    files = {
        str(p.relative_to(root).with_suffix(""))
        for folder in ("sources", "recipients")
        for p in (root / folder).glob("*.yml")
    }
    assert files == set(ENDPOINTS) | NOT_IN_THE_TOWN
    ours = Path(__file__).parents[2] / "connectors"
    bare = load_settings(Path("nowhere"), {})
    sources = {p.stem for p in (ours / "sources").glob("*.py") if p.stem != "__init__"}
    assert {s.connector for s in bare.sources.values()} <= sources
    recipients = {p.stem for p in (ours / "recipients").glob("*.py") if p.stem != "__init__"}
    assert {r.transport.connector for r in bare.recipients.values()} <= recipients
    assert set(RECIPIENT_CONNECTORS) <= recipients


def test_everybody_in_the_town_lets_the_hub_in(tmp_path: Path) -> None:
    with start(tmp_path / "town", 100, 1) as town:
        point_at(tmp_path / "hub", town.addresses)
        home = ready(tmp_path / "hub")
        house = open_house(home, {})
        assert set(ENDPOINTS.values()) <= set(town.addresses)
        for name, config in house.settings.sources.items():
            assert config.configured
            assert house.source(name).check()
        for name, contract in house.settings.recipients.items():
            assert contract.configured is (f"recipients/{name}" in ENDPOINTS)
            if not contract.configured:
                continue
            assert house.recipient(name).check()
        house.close()


# --- running it -------------------------------------------------------------------------------------------


def ready(home: Path) -> Path:
    """A key and an empty register."""
    found = load_settings(home, {})
    init(home, found.hub.key_file)
    engine = open_engine(found.hub.database_url)
    migrate(engine)
    engine.dispose()
    return home


def night_of(home: Path) -> dg.ExecuteInProcessResult:
    def opener() -> House:
        return open_house(home, {}, clock=lambda: datetime(2026, 11, 2, 23, 30, tzinfo=UTC))

    job = build_defs(home, load_settings(home, {}), opener=opener).resolve_job_def(NIGHTLY)
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(instance=instance, raise_on_error=False)


def test_a_hub_that_knows_nobody_yet_has_a_clean_night(tmp_path: Path) -> None:
    done = night_of(ready(tmp_path))
    assert done.success
    events = done.get_asset_materialization_events()
    assert len(events) == 6
    for event in events:
        for label, entry in event.materialization.metadata.items():
            assert isinstance(entry.value, int | str), label
    assert (tmp_path / "letters" / "2026-11-03.txt").is_file()


def test_a_night_while_another_runs_succeeds_and_does_nothing(tmp_path: Path) -> None:
    home = ready(tmp_path)
    engine = open_engine(f"sqlite:///{home / 'hub.db'}")
    lock = RunLock(engine, home)
    assert lock.acquire()
    try:
        done = night_of(home)
    finally:
        lock.release()
        engine.dispose()
    assert done.success
    assert done.get_asset_materialization_events() == []
    assert not (home / "letters").exists()


def test_a_hub_that_can_not_be_opened_fails_the_run_in_one_line(tmp_path: Path) -> None:
    job = build_defs(tmp_path, load_settings(tmp_path, {})).resolve_job_def(NIGHTLY)
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not done.success
    told = [str(event.event_specific_data) for event in done.all_events]
    assert any("run `hub migrate`" in line for line in told)


def test_an_error_asked_for_whole_is_shown_here_and_dagster_hears_its_kind_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def opener() -> House:
        raise ValueError("Vartiotar, Lintuhaakinpolku 77")

    monkeypatch.setenv("HUB_TRACEBACK", "1")
    settings = load_settings(tmp_path, {})
    job = build_defs(tmp_path, settings, opener=opener).resolve_job_def(NIGHTLY)
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(instance=instance, raise_on_error=False)
        kept = [str(entry) for entry in instance.all_logs(done.run_id)]
    assert "Vartiotar" in capfd.readouterr().err
    assert any("ValueError" in line for line in kept)
    assert [line for line in kept if "Vartiotar" in line] == []


@pytest.mark.parametrize("value", [1, "Virtanen", [], object()])
def test_nothing_but_none_is_ever_handed_to_dagster_for_keeping(value: object) -> None:
    with pytest.raises(dg.DagsterInvariantViolationError, match="no data may enter Dagster"):
        NoFrames().handle_output(dg.build_output_context(), value)
    NoFrames().handle_output(dg.build_output_context(), None)
    with pytest.raises(dg.DagsterInvariantViolationError, match="read from the store"):
        NoFrames().load_input(dg.build_input_context())
