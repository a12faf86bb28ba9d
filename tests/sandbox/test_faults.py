"""Every fault does what its name says, as often as it was told to, and can be withdrawn."""

import csv
import hashlib
import json
from typing import Any

import asyncssh
import pytest
import requests

from connectors.sandbox import faults
from connectors.sandbox.own_register import CUSTOMER_COLUMNS
from connectors.sandbox.town import Town
from tests.sandbox.clients import ask, at, control
from tests.sandbox.test_exchange import E_INVOICE, PAPER, bill, give_back


def changes(town: Town, cursor: int = 100_000_000, **options: Any) -> dict[str, Any]:
    answer = ask(town, "POST", "/muutokset", {"viimeisinKirjausavain": cursor}, **options)
    assert answer.status_code == 200
    return dict(answer.json())


def codes(town: Town, count: int) -> list[str]:
    return [p.identity_code for p in list(town._founded.world.people.values())[:count]]


def export(town: Town, table: str = "asiakkaat") -> bytes:
    stamp = town.today.replace("-", "")
    return (town.directory / "own_register" / "vienti" / f"{table}_{stamp}.csv").read_bytes()


def test_faults_can_be_set_and_cleared_over_http_and_nonsense_is_refused(town: Town) -> None:
    armed = control(town, "POST", "/fault", {"where": "dvv", "kind": "http_500", "times": 2}).json()
    assert armed["faults"]["dvv"] == ["http_500"]
    cleared = control(town, "POST", "/fault", {"kind": "none"}).json()
    assert cleared["faults"] == {where: [] for where in faults.CATALOGUE}
    for wrong in ({"where": "dvv", "kind": "truncated"}, {"where": "moon", "kind": "http_500"}, {}):
        assert control(town, "POST", "/fault", wrong).status_code == 400


@pytest.mark.parametrize(
    ("kind", "status"), [("http_500", 500), ("http_429", 429), ("unauthorised", 401)]
)
def test_an_error_status_comes_so_many_times_and_then_no_more(
    town: Town, kind: str, status: int
) -> None:
    town.fault("dvv", kind, times=2)
    answers = [ask(town, "GET", "/kirjausavain/2026-11-02") for _ in range(3)]
    assert [a.status_code for a in answers] == [status, status, 200]
    assert ("Retry-After" in answers[0].headers) == (kind == "http_429")


def test_a_hanging_answer_lasts_until_the_fault_is_withdrawn(town: Town) -> None:
    town.fault("dvv", "timeout")
    with pytest.raises(requests.Timeout):
        ask(town, "GET", "/kirjausavain/2026-11-02", timeout=0.2)
    town.clear_faults()
    assert ask(town, "GET", "/kirjausavain/2026-11-02").status_code == 200


def test_a_hanging_answer_does_not_keep_the_town_from_closing(town: Town) -> None:
    town.fault("dvv", "timeout")
    with pytest.raises(requests.Timeout):
        ask(town, "GET", "/kirjausavain/2026-11-02", timeout=0.1)
    town.close()


def test_half_a_response_promises_more_than_it_sends(town: Town) -> None:
    town.fault("dvv", "half_response")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(town, "POST", "/perustiedot", {"hetulista": codes(town, 3)})
    assert ask(town, "POST", "/perustiedot", {"hetulista": codes(town, 3)}).status_code == 200


def test_changes_can_be_repeated_and_reordered(town: Town) -> None:
    town.advance(3)
    honest = changes(town)["muutokset"]
    town.fault("dvv", "repeated")
    assert changes(town)["muutokset"] == honest * 2
    town.fault("dvv", "reordered")
    assert changes(town)["muutokset"] == honest[::-1] != honest
    assert changes(town)["muutokset"] == honest


def test_the_cursor_can_go_back(town: Town) -> None:
    town.fault("dvv", "cursor_back")
    assert changes(town, 100_000_500)["viimeisinKirjausavain"] == 99_999_500
    assert changes(town, 100_000_500)["viimeisinKirjausavain"] == 100_000_500


def test_a_group_nobody_has_heard_of_can_come_with_every_change(town: Town) -> None:
    town.advance()
    town.fault("dvv", "unknown_group")
    assert {c["tietoryhmat"][-1]["tietoryhma"] for c in changes(town)["muutokset"]} == {
        "TUULENSUUNTA"
    }


def test_somebody_can_be_left_out_of_the_base_data(town: Town) -> None:
    asked = codes(town, 5)
    town.fault("dvv", "left_out")
    short = ask(town, "POST", "/perustiedot", {"hetulista": asked}).json()["perustiedot"]
    assert [p["henkilotunnus"] for p in short] == asked[1:]


def test_dvv_can_tell_of_people_nobody_asked_about(town: Town) -> None:
    asked = codes(town, 2)
    customers = set(town.truth()["people"])
    town.fault("dvv", "uninvited", times=2)
    told = ask(town, "POST", "/perustiedot", {"hetulista": asked}).json()["perustiedot"]
    strangers = [town._founded.world.holder_of(p["henkilotunnus"]) for p in told[2:]]
    assert len(strangers) == 2
    assert all(p is not None and p.person_id not in customers for p in strangers)
    assert len(changes(town)["muutokset"]) == 2


def test_a_truncated_export_does_not_match_its_marker(town: Town) -> None:
    town.fault("own_register", "truncated")
    marker = json.loads((town.directory / "own_register/vienti/valmis_20261102.json").read_bytes())
    stated = marker["tiedostot"]["asiakkaat_20261102.csv"]["sha256"]
    assert hashlib.sha256(export(town)).hexdigest() != stated
    town.clear_faults()
    assert hashlib.sha256(export(town)).hexdigest() == stated


def test_an_export_fault_spoils_the_standing_delivery_and_those_of_the_next_days(
    town: Town,
) -> None:
    town.fault("own_register", "extra_column", times=2)
    spoiled = [b"HOROSKOOPPI" in export(town)]
    for _ in range(3):
        town.advance()
        spoiled.append(b"HOROSKOOPPI" in export(town))
    assert spoiled == [True, True, True, False]


def test_exports_can_shrink_lose_a_column_change_encoding_or_not_be_ready(town: Town) -> None:
    whole = export(town)
    town.fault("own_register", "shrunk")
    assert export(town).count(b"\r\n") < whole.count(b"\r\n") / 2
    town.clear_faults()
    town.fault("own_register", "missing_column")
    header = next(csv.reader([export(town).decode("windows-1252").splitlines()[0]], delimiter=";"))
    assert set(CUSTOMER_COLUMNS) - set(header) == {"HETU_YTUNNUS"}
    town.clear_faults()
    town.fault("own_register", "wrong_encoding")
    assert export(town).decode("utf-8") == whole.decode("windows-1252")
    town.clear_faults()
    town.fault("own_register", "not_ready")
    marker = town.directory / "own_register" / "vienti" / "valmis_20261102.json"
    assert not marker.exists()
    town.clear_faults()
    assert marker.exists()
    assert export(town) == whole


async def _nothing(client: asyncssh.SFTPClient) -> None:
    await client.listdir("/")


@pytest.mark.parametrize("where", ["own_register", "finance", "municipality", "building_control"])
def test_sftp_can_refuse_the_password(town: Town, where: str) -> None:
    town.fault(where, "unauthorised")
    with pytest.raises(asyncssh.PermissionDenied):
        at(town, where, _nothing)
    at(town, where, _nothing)


@pytest.mark.parametrize("where", ["own_register", "finance", "municipality", "building_control"])
def test_sftp_can_listen_with_another_host_key(town: Town, where: str) -> None:
    town.fault(where, "wrong_host_key")
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        at(town, where, _nothing)
    town.clear_faults()
    at(town, where, _nothing)


def test_a_connection_can_drop_in_the_middle_of_a_write(town: Town) -> None:
    town.fault("finance", "dropped_connection")
    with pytest.raises((asyncssh.SFTPError, asyncssh.ConnectionLost)):
        bill(town, [PAPER], "d1", 1)
    (left,) = (town.directory / "finance" / "sisaan").iterdir()
    assert left.name.endswith(".csv.part")
    assert b"Koivikkotie" not in left.read_bytes()
    left.unlink()
    assert bill(town, [PAPER], "d1", 1)["accepted"] == 1


def test_a_lost_acknowledgement_comes_when_the_fault_is_withdrawn(town: Town) -> None:
    town.fault("finance", "lost_acknowledgement")
    assert bill(town, [PAPER], "d1", 1, wait=0.3) is None
    assert town.finance()["accepted"] == 1
    town.fault("finance", "lost_acknowledgement", times=0)
    answer = json.loads((town.directory / "finance" / "kuittaus" / "d1.json").read_bytes())
    assert answer["accepted"] == 1


def test_an_acknowledgement_can_refuse_a_row(town: Town) -> None:
    town.fault("finance", "rejecting")
    answer = bill(town, [PAPER, E_INVOICE], "d1", 1)
    assert answer["rejected"] == [{"row": 1, "code": "refused_by_sandbox"}]
    assert list(town.invoices()) == [("000002", "100002")]
    assert bill(town, [PAPER], "d2", 2)["rejected"] == []


def test_a_stubborn_register_accepts_returns_and_keeps_its_own_values(town: Town) -> None:
    number = next(iter(town.truth()["customers"]))
    before = export(town)
    town.fault("own_register", "stubborn")
    value = {"customer_number": number, "field": "street_line", "value": "Vanamotie 77"}
    assert give_back(town, [value], "r1", 1)["accepted"] == 1
    town.advance(quiet=True)
    assert export(town) == before


def test_every_fault_in_the_catalogue_can_be_armed(town: Town) -> None:
    for where, kinds in faults.CATALOGUE.items():
        for kind in kinds:
            town.fault(where, kind)
            town.fault(where, kind, times=0)
    assert not any(town.status()["faults"].values())
    assert ask(town, "GET", "/kirjausavain/2026-11-02").status_code == 200
