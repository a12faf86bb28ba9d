"""The post's file over SFTP: what it spoils is refused, what was held stays, and a customer's address says how it stands."""

import json

import pytest

from pipelines.cli import main
from pipelines.domain.postal import GRADES
from pipelines.domain.schemas import ADDRESSES
from pipelines.steps.load_postal import load_postal
from pipelines.steps.night import StepResult
from pipelines.store import postal
from pipelines.store.engine import transaction
from tests.journeys.living import Living

pytestmark = pytest.mark.journey


def load(hub: Living) -> StepResult:
    """Tonight's step of the post's file, alone."""
    with hub.opened() as house:
        config = house.settings.sources["postal"]
        night = house.night(hub.town.today)
        return load_postal(night, config, lambda: house.reference("postal"))


def streets(hub: Living) -> int:
    with hub.opened() as house, transaction(house.engine) as conn:
        return postal.count(conn, "postal_street")


def test_a_spoiled_or_missing_file_leaves_the_last_one_in_force(hub: Living) -> None:
    held = streets(hub)
    assert held > 300
    for kind in ("truncated", "wrong_encoding"):
        hub.town.fault("postal", kind)
        result = load(hub)
        assert (result.status, hub.feed("postal").status) == ("failed", "refused"), kind
        assert "BAF_20261031.dat" in result.text
        hub.town.clear_faults()
    hub.town.fault("postal", "missing")
    hub.town.advance(quiet=True)
    assert (load(hub).status, hub.feed("postal").status) == ("ok", "unchanged")
    assert streets(hub) == held


def test_a_night_goes_on_without_the_post_says_so_and_is_mended_by_the_next(hub: Living) -> None:
    hub.town.advance(quiet=True)
    hub.town.fault("postal", "truncated")
    outcome = hub.night()
    assert outcome.status == "failed"
    assert "BAF_20261031.dat" in outcome.letter
    assert {"standardise", "consolidate"} <= {step.name for step in outcome.steps}
    hub.town.clear_faults()
    assert hub.next_night(quiet=True).status != "failed"
    checked = hub.table(ADDRESSES).query("country == 'FI'")["postal_check"]
    assert checked.notna().all()
    assert (checked == "exact").mean() > 0.5
    assert (checked == "postal_code_only").any()


def test_whoever_looks_at_a_customer_reads_how_the_address_stands(
    hub: Living, capsys: pytest.CaptureFixture[str]
) -> None:
    number = hub.ordinary_payers()[0]
    show = ["--home", str(hub.home), "customer", "show", number]
    assert main(show, {"HUB_USER": "clerk"}) == 0
    assert "Postin osoitetiedosto" in capsys.readouterr().out
    assert main([*show, "--json"], {"HUB_USER": "clerk"}) == 0
    assert json.loads(capsys.readouterr().out)["postal_check"] in GRADES[:3]
