"""Which file wins, what the environment overrides, and how a mistake is told."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from connectors.recipients.netvisor_customer import COLUMNS
from pipelines.breaches import check
from pipelines.catalogue import RECIPIENT_CONNECTORS
from pipelines.settings import ConfigError, Settings, load_settings, read_yaml, shipped, site_files

DVV = {
    "HUB_SOURCES__DVV__BASE_URL": "https://dvv.example/api/v1",
    "HUB_DVV_USERNAME": "somebody",
    "HUB_DVV_PASSWORD": "hush-hush",
}


def write(home: Path, path: str, text: str) -> Path:
    file = home / "config" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def test_the_shipped_configuration_loads_and_nobody_is_set_up(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    assert settings.hub.language == "fi"
    assert settings.hub.allow_test_identities is False
    assert settings.hub.database_url == f"sqlite:///{tmp_path}/hub.db"
    assert {s.configured for s in settings.sources.values()} == {False}
    assert {r.configured for r in settings.recipients.values()} == {False}
    assert {r.mode for r in settings.recipients.values()} == {"shadow"}
    assert list(tmp_path.iterdir()) == [], "loading writes nothing"


def test_a_sites_file_replaces_the_shipped_one_whole_and_its_origin_is_told(tmp_path: Path) -> None:
    mine = write(tmp_path, "hub.yml", "language: sv\n")
    settings = load_settings(tmp_path, {})
    assert settings.hub.language == "sv"
    assert settings.origins["hub.yml"] == mine
    assert settings.origins["notice.yml"] == shipped("notice.yml")


def test_a_site_may_add_a_source_of_its_own(tmp_path: Path) -> None:
    text = shipped("sources/dvv.yml").read_text("utf-8").replace("name: dvv", "name: dvv_test")
    write(tmp_path, "sources/dvv_test.yml", text)
    assert "dvv_test" in load_settings(tmp_path, {}).sources


def test_a_file_has_to_carry_its_own_name(tmp_path: Path) -> None:
    write(tmp_path, "sources/other.yml", shipped("sources/dvv.yml").read_text("utf-8"))
    with pytest.raises(ConfigError, match="name: expected other"):
        load_settings(tmp_path, {})


def test_every_replaceable_file_is_read_by_somebody() -> None:
    read = set(load_settings(Path("nowhere"), {}).origins)
    in_place_of_another = {"alternatives/finance-netvisor.yml"}
    assert set(site_files()) - read == {"dagster/dagster.yaml"} | in_place_of_another


def netvisor_contract() -> str:
    return shipped("alternatives/finance-netvisor.yml").read_text("utf-8")


def test_the_finance_contract_for_netvisor_takes_the_place_of_the_other(tmp_path: Path) -> None:
    write(tmp_path, "recipients/finance.yml", netvisor_contract())
    settings = load_settings(tmp_path, {})
    finance = settings.recipients["finance"]
    assert (finance.transport.connector, finance.configured) == ("netvisor", False)
    assert check(settings.notice, settings.sources, settings.recipients, "2026-11-02") == []


def test_the_columns_of_a_contract_for_netvisor_are_those_it_carries_and_no_others(
    tmp_path: Path,
) -> None:
    """Held equal to the connector's own list; one more would be logged as told and never leave."""
    assert RECIPIENT_CONNECTORS["netvisor"].columns == set(COLUMNS)
    write(tmp_path, "recipients/finance.yml", netvisor_contract())
    assert set(load_settings(tmp_path, {}).recipients["finance"].columns) == set(COLUMNS)
    more = "  - {name: point_ref, made_of: [point_ref], reason: x, used_by: x}\n\ntransport:"
    text = netvisor_contract().replace("\ntransport:", more, 1)
    write(tmp_path, "recipients/finance.yml", text)
    with pytest.raises(ConfigError, match="point_ref"):
        load_settings(tmp_path, {})


def test_the_keys_of_netvisor_stand_in_no_file(tmp_path: Path) -> None:
    text = netvisor_contract().replace("{env: HUB_FINANCE_PARTNER_SECRET}", "hush-hush")
    write(tmp_path, "recipients/finance.yml", text)
    with pytest.raises(ConfigError, match="partner_secret") as refused:
        load_settings(tmp_path, {})
    assert "hush-hush" not in str(refused.value)


def test_the_environment_overrides_nested_keys_in_their_own_types(tmp_path: Path) -> None:
    settings = load_settings(
        tmp_path,
        {
            **DVV,
            "HUB_LANGUAGE": "en",
            "HUB_ALLOW_TEST_IDENTITIES": "true",
            "HUB_LETTER__SMTP__HOST": "mail.example",
            "HUB_LETTER__SMTP__PORT": "25",
            "HUB_LETTER__TO": '["a@example.org"]',
            "HUB_SURVIVORSHIP__MARGIN_DAYS": "7",
            "HUB_RECIPIENTS__OWN_REGISTER__TRANSPORT__FOLDER__PORT": "2222",
        },
    )
    assert settings.sources["dvv"].configured
    assert settings.sources["dvv"].options["password"] == "hush-hush"
    assert settings.hub.language == "en"
    assert settings.hub.allow_test_identities is True
    assert settings.hub.letter.smtp is not None
    assert settings.hub.letter.smtp.port == 25
    assert settings.hub.letter.to == ("a@example.org",)
    assert settings.survivorship_rules.margin_days == 7
    folder = settings.recipients["own_register"].transport.options["folder"]
    assert isinstance(folder, dict)
    assert folder["port"] == 2222
    assert "HUB_LANGUAGE" in settings.overridden


@pytest.mark.parametrize("password", ["0123", "true", "{secret", "[1]"])
def test_a_password_is_taken_letter_by_letter(tmp_path: Path, password: str) -> None:
    given = {**DVV, "HUB_SOURCES__DVV__PASSWORD": password}
    assert load_settings(tmp_path, given).sources["dvv"].options["password"] == password


@pytest.mark.parametrize(
    ("variable", "value", "key"),
    [
        ("HUB_SOURCES__DVV__BASEURL", "https://x.example", "HUB_SOURCES__DVV__BASEURL"),
        ("HUB_SOURCES__DDV__BASE_URL", "https://x.example", "HUB_SOURCES__DDV__BASE_URL"),
        ("HUB_RECIPIENTS__NOBODY__MODE", "live", "HUB_RECIPIENTS__NOBODY__MODE"),
        ("HUB_LANGUAGE", "finnish", "HUB_LANGUAGE"),
        ("HUB_LANGUAGE__FI", "x", "HUB_LANGUAGE__FI"),
        ("HUB_LETTER__TO", "[a", "HUB_LETTER__TO"),
        ("HUB_NOTICE__CONSENT", "x", "HUB_NOTICE__CONSENT"),
        ("HUB_DATABASE_URL", "postgresql://db/hub", "HUB_DATABASE_URL"),
        ("HUB_TIMEZONE", "Europe/Humppila", "HUB_TIMEZONE"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_and_its_value_is_not(
    tmp_path: Path, variable: str, value: str, key: str
) -> None:
    with pytest.raises(ConfigError) as wrong:
        load_settings(tmp_path, {variable: value})
    assert wrong.value.file == "environment"
    assert wrong.value.key == key
    assert value not in str(wrong.value) or len(value) < 3


def test_variables_that_mean_nothing_are_listed_and_those_a_file_refers_to_are_not(
    tmp_path: Path,
) -> None:
    settings = load_settings(
        tmp_path, {**DVV, "HUB_LANGAUGE": "sv", "HUB_HOME": "x", "HUB_USER": "x"}
    )
    assert settings.unknown_variables == ("HUB_LANGAUGE",)


@pytest.mark.parametrize(
    ("path", "old", "new", "key"),
    [
        ("sources/dvv.yml", "password: {env: HUB_DVV_PASSWORD}", "password: hush-hush", "password"),
        ("hub.yml", "smtp: null", "smtp: {host: m, password: hush-hush}", "letter.smtp.password"),
        (
            "hub.yml",
            "database_url: null",
            "database_url: postgresql+psycopg://hub:hush-hush@db/hub",
            "database_url",
        ),
        (
            "recipients/finance.yml",
            "password: {env: HUB_FINANCE_PASSWORD}",
            "password: hush-hush",
            "transport.folder.password",
        ),
    ],
)
def test_a_literal_secret_in_a_file_is_refused_and_not_repeated(
    tmp_path: Path, path: str, old: str, new: str, key: str
) -> None:
    text = shipped(path).read_text("utf-8")
    assert old in text
    write(tmp_path, path, text.replace(old, new))
    with pytest.raises(ConfigError) as refused:
        load_settings(tmp_path, {})
    assert refused.value.key == key
    assert "hush-hush" not in str(refused.value)


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    text = shipped("sources/dvv.yml").read_text("utf-8")
    write(
        tmp_path,
        "sources/dvv.yml",
        text.replace("{env: HUB_DVV_PASSWORD}", "{file: keys/dvv}").replace(
            "base_url: null", "base_url: https://dvv.example"
        ),
    )
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "dvv").write_text("hush-hush\n")
    settings = load_settings(tmp_path, {"HUB_DVV_USERNAME": "somebody"})
    assert settings.sources["dvv"].options["password"] == "hush-hush"
    assert "hush-hush" not in repr(settings)


def test_a_reference_that_leads_nowhere_matters_only_once_there_is_an_address(
    tmp_path: Path,
) -> None:
    load_settings(tmp_path, {})
    address = {"HUB_SOURCES__DVV__BASE_URL": "https://dvv.example"}
    with pytest.raises(ConfigError, match=r"username: expected the variable HUB_DVV_USERNAME"):
        load_settings(tmp_path, address)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("language: fi\nlanguage: sv\n", "line 2"),
        ("language: fi\ncolour: red\n", "colour"),
        ("language: [fi\n", "line 2"),
        ("- fi\n", "file"),
        ("language: fi\nletter:\n  to: fi\n", "letter.to"),
        ("database_url: mysql://db/hub\n", "database_url"),
    ],
)
def test_a_mistake_in_a_file_names_the_file_and_the_place(
    tmp_path: Path, text: str, key: str
) -> None:
    file = write(tmp_path, "hub.yml", text)
    with pytest.raises(ConfigError) as wrong:
        load_settings(tmp_path, {})
    assert wrong.value.file == str(file)
    assert wrong.value.key == key
    assert "\n" not in str(wrong.value)


def test_an_unknown_connector_and_a_misspelt_option_are_errors(tmp_path: Path) -> None:
    text = shipped("sources/dvv.yml").read_text("utf-8")
    write(
        tmp_path, "sources/dvv.yml", text.replace("base_url: null", "base_ulr: https://x.example")
    )
    with pytest.raises(ConfigError, match="base_ulr"):
        load_settings(tmp_path, {})
    write(tmp_path, "sources/dvv.yml", text.replace("connector: dvv", "connector: vtj"))
    with pytest.raises(
        ConfigError, match="one of address_batch, dvv, kuntagml, postal, registrations, ryhti, ytj"
    ):
        load_settings(tmp_path, {})


def test_yaml_reads_what_people_mean(tmp_path: Path) -> None:
    file = tmp_path / "x.yml"
    file.write_text(
        "a: on\nb: NO\nc: 01000\nd: 2026-01-31\ne: 12:30\nf: true\ng: 7\nh: ~\ni: 1.5\nj: 0\nk: ''\n"
    )
    assert read_yaml(file) == {
        "a": "on", "b": "NO", "c": "01000", "d": "2026-01-31", "e": "12:30", "f": True, "g": 7,
        "h": None, "i": 1.5, "j": 0, "k": "",
    }  # fmt: skip


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=5), st.text(max_size=10), max_size=5))
def test_what_yaml_quotes_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, str]
) -> None:
    file = tmp_path_factory.mktemp("yaml") / "x.yml"
    quoted = yaml.safe_dump(tree, default_style='"', allow_unicode=True)
    file.write_text(quoted, "utf-8", newline="\n")
    assert read_yaml(file) == tree


def test_a_yaml_file_may_run_nothing(tmp_path: Path) -> None:
    file = tmp_path / "x.yml"
    file.write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ConfigError):
        read_yaml(file)


def test_the_acting_steward_is_the_first_variable_that_is_set(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"USER": "hub", "HUB_USER": "mari"}).user == "mari"
    assert load_settings(tmp_path, {}).user is None


def test_settings_do_not_change_once_loaded(tmp_path: Path) -> None:
    settings: Settings = load_settings(tmp_path, {})
    with pytest.raises(AttributeError):
        settings.home = tmp_path  # type: ignore[misc]  # that is the point
    with pytest.raises(TypeError):
        settings.sources["x"] = settings.sources["dvv"]  # type: ignore[index]  # that is the point


def test_survivorship_reaches_the_domain_as_its_own_policy(tmp_path: Path) -> None:
    policy = load_settings(tmp_path, {"HUB_SURVIVORSHIP__MARGIN_DAYS": "9"}).survivorship
    assert policy.margin_days == 9
    assert policy.own_notice == ("registrations", "notices")
    assert policy.address_order[0] == "postal"
