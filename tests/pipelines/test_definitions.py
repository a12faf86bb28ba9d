"""The night as Dagster loads it: what is in the graph, when it runs, what it shows, what it never stores."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import cron_string_iterator  # how the daemon reckons

from connectors.sandbox.town import start
from pipelines.assets.close import take_off_what_is_no_more
from pipelines.assets.names import Names, names_of
from pipelines.assets.stage import DESK, Shown, as_it_stood, check_result, stage
from pipelines.build import NIGHTLY, build_defs
from pipelines.catalogue import RECIPIENT_CONNECTORS
from pipelines.cli.town import point_at
from pipelines.contracts import Title
from pipelines.domain import schemas
from pipelines.domain.schemas import Schema
from pipelines.house import House, open_house
from pipelines.keys import init
from pipelines.launchpad import Deed, known_of, refusal
from pipelines.resources import Hub, NoFrames
from pipelines.settings import Settings, load_settings, shipped
from pipelines.steps.night import Check, StepResult
from pipelines.store.engine import migrate, open_engine
from pipelines.store.lock import RunLock
from pipelines.texts import Language, catalogue

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


Key = tuple[str, ...]
# the night's assets as our code and the golden graph know them; how the order of the night numbers their layers
LAYERS = {
    "landing": "1_landing", "standardised": "2_standardised", "matched": "3_matched",
    "register": "4_register", "proposals": "4_register", "extract": "5_extract",
    "delivery": "6_delivery", "disclosure": "7_disclosure", "night": "8_close",
}  # fmt: skip
SINGLE: dict[str, Key] = {
    "standardised": ("standardised", "records"),
    "matched": ("matched", "parties"),
    "register": ("register", "customers"),
    "proposals": ("proposals", "properties"),
    "disclosure": ("disclosure", "log"),
    "night": ("night", "close"),
}


@pytest.fixture(scope="module")
def names(settings: Settings) -> Names:
    return names_of(settings)


@pytest.fixture(scope="module")
def ours(names: Names) -> dict[dg.AssetKey, Key]:
    """What Dagster calls an asset → what our code does."""
    return {names.key(key): key for key in (*names.titles, *SINGLE.values())}


def checks_of(defs: dg.Definitions, spec: dg.AssetSpec) -> list[str]:
    keys = defs.resolve_asset_graph().asset_check_keys
    return sorted(k.name for k in keys if k.asset_key == spec.key)


# --- the graph ------------------------------------------------------------------------------------------


def test_the_graph_is_the_one_that_was_reviewed(
    defs: dg.Definitions,
    specs: list[dg.AssetSpec],
    ours: dict[dg.AssetKey, Key],
    names: Names,
    golden: Any,
) -> None:
    def words(values: Any) -> str:
        return ",".join(sorted(values)) or "-"

    checks = {names.check(name): name for name in every_check()}
    lines = sorted(
        " | ".join(
            [
                "/".join(ours[spec.key]),
                words("/".join(ours[d.asset_key]) for d in spec.deps),
                LAYERS[ours[spec.key][0]],
                words(checks[name] for name in checks_of(defs, spec)),
                " / ".join(spec.key.path),
            ]
        )
        for spec in specs
    )
    golden("graph.txt", "\n".join(["asset | after | group | checks | shown as", *lines, ""]))


def every_check() -> set[str]:
    """Every check of the catalogue, by the name our code has for it."""
    return {entry.partition(".")[2] for entry in catalogue() if entry.startswith("check.")}


README = Path(__file__).parents[2] / "README.md"
PICTURE = re.compile(r"(<!-- the picture[^\n]*-->\n).*?(<!-- end of the picture -->)", re.DOTALL)


Drawn = dict[Key, Sequence[Key]]


def picture(graph: Drawn) -> str:
    """The graph in Mermaid: a box per group in the order of the night, an arrow per dependency."""
    lines = ["```mermaid", "flowchart LR"]
    graph = dict(sorted(graph.items(), key=lambda node: (LAYERS[node[0][0]], node[0])))
    for group in sorted({LAYERS[key[0]] for key in graph}):
        lines.append(f'  subgraph night_{group}["{group.replace("_", " ")}"]')
        lines += [f'    {"_".join(k)}["{k[-1]}"]' for k in graph if LAYERS[k[0]] == group]
        lines.append("  end")
    lines += [f"  {'_'.join(d)} --> {'_'.join(key)}" for key, deps in graph.items() for d in deps]
    return "\n".join([*lines, "```", ""])


def test_the_picture_in_the_readme_is_the_graph(
    specs: list[dg.AssetSpec], ours: dict[dg.AssetKey, Key], request: pytest.FixtureRequest
) -> None:
    graph = {ours[s.key]: [ours[d.asset_key] for d in s.deps] for s in specs}
    graph = {key: sorted(deps) for key, deps in graph.items()}
    text = README.read_text("utf-8")
    drawn = PICTURE.sub(lambda m: m[1] + picture(graph) + m[2], text)
    if request.config.getoption("--update-golden"):
        README.write_text(drawn, "utf-8")
    assert README.read_text("utf-8") == drawn, "README's picture: --update-golden redraws it"
    assert picture(graph) in drawn


def test_the_picture_is_still_read_at_a_glance() -> None:
    def spec(layer: str, thing: str, *deps: str) -> tuple[Key, list[Key]]:
        return (layer, thing), [tuple(d.split("/")) for d in deps]

    sources = [
        "dvv", "exemptions", "kuntagml", "municipality", "registrations", "ryhti", "ytj"
    ]  # fmt: skip
    recipients = ["building_control", "finance", "municipality", "own_register"]
    drawn = picture(
        dict(
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
    )
    assert drawn.count("subgraph") == drawn.count("  end\n") == len(set(LAYERS.values()))
    assert drawn.count("-->") == len(sources) + 3 * len(recipients) + 5
    assert 'landing_municipality["municipality"]' in drawn, "one name, two boxes"
    assert 'extract_municipality["municipality"]' in drawn
    columns = [
        group for group in dict.fromkeys(LAYERS.values()) if f"subgraph night_{group}[" in drawn
    ]
    assert columns == re.findall(r"subgraph night_(\w+)", drawn), "left to right as the night"
    assert max(len(label) for label in re.findall(r'\["(.*?)"\]', drawn)) <= 16


def test_building_the_graph_opens_nothing(defs: dg.Definitions, settings: Settings) -> None:
    assert {p.name for p in settings.home.iterdir()} == {"config", "secrets"}
    dg.Definitions.validate_loadable(defs)


LANGUAGES = get_args(Language)


def in_language(settings: Settings, language: Language) -> Settings:
    """The same hub, read in another language."""
    return replace(settings, hub=settings.hub.model_copy(update={"language": language}))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_asset_says_in_every_language_what_it_is_whose_by_when_and_where_to_go_on(
    settings: Settings, language: Language
) -> None:
    specs = list(
        build_defs(settings.home, in_language(settings, language)).resolve_all_asset_specs()
    )
    assert len(specs) == 27
    for spec in specs:
        assert len(spec.description or "") > 30, spec.key
        assert "{" not in (spec.description or ""), "a text with a hole in it"
        assert len(spec.owners) == 1, spec.key
        assert spec.freshness_policy is not None, spec.key
        links = [v.value for v in spec.metadata.values() if isinstance(v, dg.UrlMetadataValue)]
        assert len(links) == 1, "one way to the desk"
        assert (links[0] or "").startswith("/desk"), "behind whatever address the page stands"


def test_an_asset_is_called_what_a_steward_calls_it_and_our_own_word_shows_nowhere(
    specs: list[dg.AssetSpec], ours: dict[dg.AssetKey, Key]
) -> None:
    shown = {ours[spec.key]: spec.key.path for spec in specs}
    assert shown["landing", "dvv"] == ["1 Saapuneet", "Väestötietojärjestelmä (DVV)"]
    assert shown["delivery", "finance"] == ["6 Luovutukset", "Taloushallinto"]
    for key, path in shown.items():
        assert not set(key) & set(re.findall(r"[a-z_]+", " ".join(path))), path


def test_the_list_of_assets_is_in_the_order_of_the_night(
    specs: list[dg.AssetSpec], ours: dict[dg.AssetKey, Key]
) -> None:
    """Dagster's catalogue sorts by name."""
    layers = [LAYERS[ours[spec.key][0]] for spec in specs]
    assert layers == sorted(layers)


def test_two_sources_of_one_title_are_told_apart(settings: Settings) -> None:
    twin = settings.sources["orders"].model_copy(update={"title": settings.sources["dvv"].title})
    names = names_of(replace(settings, sources={**settings.sources, "orders": twin}))
    assert names.key(("landing", "orders")) != names.key(("landing", "dvv"))
    assert names.step(("landing", "orders")) != names.step(("landing", "dvv"))


def test_what_a_title_holds_that_the_page_cannot_ask_for_is_left_out_of_the_name(
    settings: Settings,
) -> None:
    odd = settings.sources["orders"].model_copy(
        update={"title": Title(fi="Myynti & «tilaukset»/web", sv="x", en="x")}
    )
    names = names_of(replace(settings, sources={**settings.sources, "orders": odd}))
    assert names.key(("landing", "orders")).path[1] == "Myynti tilaukset web"


def test_every_name_dagster_shows_is_one_its_page_may_ask_for(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    shown = [part for key in graph.get_all_asset_keys() for part in key.path]
    shown += [key.name for key in graph.asset_check_keys]
    known = known_of({"data": {"workspaceOrError": shown}})
    asked = Deed("launchRun", "launchRun", {"assetSelection": shown}, is_object=True)
    assert refusal([asked], known) is None


def test_every_check_is_called_what_it_asks(defs: dg.Definitions) -> None:
    checks = [spec for asset in defs.assets or () for spec in asset.check_specs]  # type: ignore[union-attr]
    assert len(checks) > 40
    for check in checks:
        assert re.fullmatch(r"[A-ZÅÄÖ][^()_]+ [^()_]+", check.name), check.name
        assert (check.description or "").startswith(check.name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_checks_are_called_the_same(settings: Settings, language: Language) -> None:
    names = names_of(in_language(settings, language))
    every = [e.partition(".")[2] for e in catalogue() if e.startswith("check.")]
    assert len({names.check(name) for name in every}) == len(every)


def test_the_groups_are_in_the_order_of_the_night(specs: list[dg.AssetSpec]) -> None:
    group = {spec.key: spec.group_name or "" for spec in specs}
    assert sorted(set(group.values())) == [
        "1_Saapuneet", "2_Tarkistetut", "3_Tunnistetut", "4_Rekisteri", "5_Kerrottavat",
        "6_Luovutukset", "7_Luovutusloki", "8_Aamukirje",
    ]  # fmt: skip
    for spec in specs:
        assert all(group[d.asset_key] <= group[spec.key] for d in spec.deps)


def test_what_nothing_makes_any_more_goes_from_the_page_and_the_rest_stays() -> None:
    gone, there = dg.AssetKey(["landing", "dvv"]), dg.AssetKey(["1", "DVV"])
    with dg.DagsterInstance.ephemeral() as instance:
        for key in (gone, there):
            instance.report_runless_asset_event(dg.AssetMaterialization(key))
        take_off_what_is_no_more(instance, {there})
        assert list(instance.all_asset_keys()) == [there]


def test_a_counterparty_without_an_address_is_absent_and_the_rest_holds_together(
    tmp_path: Path,
) -> None:
    bare = build_defs(tmp_path, load_settings(tmp_path, {}))
    names = names_of(load_settings(tmp_path, {}))
    keys = {s.key for s in bare.resolve_all_asset_specs()}
    assert keys == {names.key(key) for key in SINGLE.values()}
    one = {
        "HUB_SOURCES__DVV__BASE_URL": "https://example.invalid/api/v1",
        "HUB_DVV_USERNAME": "u",
        "HUB_DVV_PASSWORD": "p",
    }
    some = build_defs(tmp_path, load_settings(tmp_path, one))
    dvv = names.key(("landing", "dvv"))
    landing = [s.key for s in some.resolve_all_asset_specs() if s.key.path[0] == dvv.path[0]]
    assert landing == [dvv]


# --- what a steward sees of tables and checks -----------------------------------------------------------


def tables_of(defs: dg.Definitions) -> dict[dg.AssetKey, dg.TableSchema]:
    """The columns of every asset that shows some."""
    entry = "dagster/column_schema"
    return {s.key: s.metadata[entry] for s in defs.resolve_all_asset_specs() if entry in s.metadata}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_column_shown_says_what_it_is_how_private_and_what_the_notice_has_on_it(
    settings: Settings, language: Language
) -> None:
    def words(family: str) -> set[str]:
        return {t[language] for e, t in catalogue().items() if e.startswith(f"{family}.")}

    tables = tables_of(build_defs(settings.home, in_language(settings, language)))
    assert len(tables) == 11 + 3 + 2 * 4, "who brings records, what we hold, who is told"
    for key, table in tables.items():
        assert len({c.name for c in table.columns}) == len(table.columns), key
        for column in table.columns:
            assert "_" not in f"{column.name} {column.description}", (key, column.name)
            assert (column.description or "").endswith(".")
            assert column.type in words("type")
            privacy, category = column.tags.values()
            assert privacy in words("privacy")
            assert set(category.split(", ")) <= words("category")


def test_a_column_is_as_private_as_what_it_is_made_of(
    defs: dg.Definitions, names: Names, settings: Settings
) -> None:
    def tags(key: Key, column: str) -> list[str]:
        found = [c for c in tables_of(defs)[names.key(key)].columns if c.name == column]
        return list(found[0].tags.values())

    hidden = "henkilötieto, jonka turvakielto salaa"
    assert tags(("register", "customers"), "asiakas: katuosoite") == [hidden, "yhteystiedot"]
    assert tags(("landing", "dvv"), "turvakielto") == ["henkilötieto", "ei mainita selosteessa"]
    # a place to send the last bill to, which no column of ours holds
    final = tags(("extract", "finance"), names.texts.say("column.final_invoice_line"))
    assert final == [hidden, "ei mainita selosteessa"]
    told = tables_of(defs)[names.key(("extract", "finance"))].columns
    assert [c.name for c in told] == [
        names.texts.say(f"column.{c}") for c in settings.recipients["finance"].columns
    ]


def test_a_source_is_shown_with_what_the_notice_lets_it_bring_and_no_more(
    defs: dg.Definitions, names: Names
) -> None:
    columns = {c.name for c in tables_of(defs)[names.key(("landing", "dvv"))].columns}
    assert {"sukunimi", "postinumero", "turvakielto"} <= columns
    assert not {"sähköposti", "laskukanava", "laskun tila"} & columns


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_a_column_is_nullable_unless_it_is_of_the_key(table: Schema, names: Names) -> None:
    if f"table.{table.name}" not in catalogue():
        return  # never shown
    columns = names.columns([table]).columns
    required = [c.name for c in columns if not c.constraints.nullable]
    assert len(required) == len(table.key)


def test_a_failed_check_shows_counts_and_nothing_else(names: Names) -> None:
    check = Check("feed_in_order", passed=False, severity="warning", counts={"faults": 3})
    shown = check_result(names, names.key(("landing", "dvv")), check)
    assert shown.passed is False
    assert shown.severity is dg.AssetCheckSeverity.WARN
    assert shown.description is None
    assert [m.value for m in shown.metadata.values()] == [3]


def test_a_check_that_was_not_asked_tonight_says_what_it_said_last(names: Names) -> None:
    """Dagster would show it as failed."""
    check = dg.AssetCheckKey(names.key(("landing", "dvv")), names.check("values_as_agreed"))
    with dg.DagsterInstance.ephemeral() as instance:
        first = as_it_stood(names, instance, check)
        assert first.passed
        assert [m.value for m in first.metadata.values()] == ["ei vielä mitään, mistä kysyä"]
        said = Check("values_as_agreed", passed=False, severity="warning", counts={"not_a_date": 2})
        dated = check_result(names, check.asset_key, said)
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=check.asset_key,
                check_name=check.name,
                passed=dated.passed,
                severity=dated.severity,
                metadata=dated.metadata,
            )
        )
        again = as_it_stood(names, instance, check)
    assert (again.passed, again.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert again.metadata == dated.metadata


def test_a_red_night_has_its_letter_beside_it_before_the_run_fails(
    names: Names, settings: Settings
) -> None:
    def red(hub: Hub) -> StepResult:
        return StepResult(status="failed", text="**VIRHE**")

    asset = stage(names, SINGLE["night"], [], red, Shown(ends_red=True))

    @contextmanager
    def opened(_: dg.InitResourceContext) -> Iterator[Hub]:
        house = SimpleNamespace(failures=[])
        yield Hub(house, SimpleNamespace(business_date="2026-11-03"), False, None)  # type: ignore[arg-type]

    done = dg.materialize(
        [asset], resources={"hub": dg.ResourceDefinition(opened)}, raise_on_error=False
    )
    assert not done.success
    (event,) = done.get_asset_materialization_events()
    shown = event.materialization.metadata
    assert shown["aamukirje"].value == "**VIRHE**"
    assert shown["käsittele työpöydällä"].value == "/desk"
    assert shown["yö"].value == "3.11.2026"
    told = [str(e.event_specific_data) for e in done.all_events if e.is_step_failure]
    assert "Yönä 3.11.2026 jokin jäi kesken" in told[0]


def test_a_check_that_lists_broken_rules_has_a_number_on_a_good_night_too(names: Names) -> None:
    """So that its line goes down to nought where nothing was wrong, instead of ending."""
    key, total = names.key(SINGLE["standardised"]), names.texts.count("deviations")
    good = check_result(names, key, Check("addresses_valid", passed=True))
    assert {label: m.value for label, m in good.metadata.items()} == {total: 0}
    counts = {"finnish_postal_code": 2, "value_too_long": 1}
    bad = check_result(names, key, Check("addresses_valid", passed=False, counts=counts))
    assert [m.value for m in bad.metadata.values()] == [3, 2, 1]


def test_every_layer_leads_to_a_page_the_desk_has() -> None:
    from pipelines.desk import customers, deliveries, morning, pairs, refused

    there = {
        f"/desk{page.path}".rstrip("/")
        for module in (customers, deliveries, morning, pairs, refused)
        for page in module.PAGES
        if page.method == "GET"
    }
    assert set(DESK) == set(LAYERS)
    assert set(DESK.values()) <= there


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
    assert tick.run_requests[0].tags["pvm"] == moments[2].strftime("%Y-%m-%d")


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
