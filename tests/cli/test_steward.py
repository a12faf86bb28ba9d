"""Customer service at the command line: who is found, what is shown, what is decided, and who looked."""

from collections.abc import Sequence

import pandas as pd
import pytest

from pipelines.store import access
from pipelines.store.engine import open_engine, reading
from tests.canaries import found_in
from tests.cli.conftest import Answer, Desk

SEEING = [
    ["customer", "find", "merkkimaki"],
    ["customer", "show", "20088"],
    ["quarantine", "show", "1"],
    ["quarantine", "report", "registrations"],
    ["extract", "preview", "finance"],
    ["disclosures", "person", "20088"],
]
DECIDING = [
    ["customer", "restrain", "20088", "restriction", "--channel", "letter", "--why", "seen"],
    ["customer", "release", "20088", "restriction", "--informed", "2026-11-03", "--why", "seen"],
    ["customer", "notice", "20088", "--received", "2026-11-04", "--channel", "visit", "--phone", "0505557395"],
    ["quarantine", "release", "1", "--why", "seen"],
    ["quarantine", "drop", "1", "--why", "seen"],
    ["quarantine", "correct", "1", "phone=", "--why", "seen"],
    ["quarantine", "undo", "1", "--why", "seen"],
]  # fmt: skip


def looks(desk: Desk) -> pd.DataFrame:
    """The access log, newest first."""
    engine = open_engine(f"sqlite:///{desk.home / 'hub.db'}")
    with reading(engine) as conn:
        lines = access.recent(conn, 1000)
    engine.dispose()
    return lines


def the_id(desk: Desk) -> str:
    found: str = desk("customer", "find", "merkkimaki", "--json").json[0]["id"]
    return found


# --- finding and showing -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [["merkkimäki"], ["MERKKIMAKI", "kanariitta"], ["vartio", "merkki"]], ids=" ".join
)
def test_a_customer_is_found_by_words_in_any_order_with_a_for_ä(
    desk: Desk, words: Sequence[str]
) -> None:
    found = desk("customer", "find", *words, "--json").json
    assert [f["customer_numbers"] for f in found] == [desk.planted.customer]
    assert found[0]["display_name"] == "Merkkimäki Vartiotar Kanariitta"
    assert set(found[0]) == {
        "id", "customer_numbers", "display_name", "street_line", "postal_code", "post_office",
    }  # fmt: skip


def test_a_search_shows_a_table_and_says_when_there_is_nobody(desk: Desk) -> None:
    table = desk("customer", "find", "kanarialinna").out.splitlines()
    assert table[0].split("  ")[0].strip() == "id"
    assert desk.planted.company in table[2]
    nobody = desk("customer", "find", "olematon")
    assert (nobody.code, nobody.out) == (0, "nobody by that name\n")
    assert desk("customer", "find", "olematon", "--json").json == []


def test_somebody_who_is_no_customer_is_not_found(desk: Desk) -> None:
    assert desk("customer", "find", "tuntematonen", "--json").json == []


def test_r12_a_customer_is_shown_value_by_value_with_its_origin(desk: Desk) -> None:
    """R12: what the customer told by phone stands, and says so."""
    shown = desk("customer", "show", desk.planted.customer, "--json").json
    assert set(shown) == {
        "id",
        "protected",
        "values",
        "addresses",
        "postal_check",
        "ambiguity",
        "roles",
        "points",
        "customer_numbers",
        "records",
        "invoices",
        "orders",
        "restraints",
    }
    values = {v["field"]: v for v in shown["values"]}
    said = {"said_by", "said_at", "said_how"}  # by whom of our own people, where it was one
    assert set(values["phone"]) == {"field", "value", "source", "source_time", "rule", *said}
    assert (values["phone"]["value"], values["phone"]["source"]) == ("+358505557394", "notices")
    assert values["street_line"]["value"] == "Notisanpolku 5"
    assert values["family_name"]["source"] in ("registrations", "dvv")
    stated = {a["source"]: (a["street_line"], a["valid_from"]) for a in shown["addresses"]}
    assert stated["address_batch"] == ("Rantasipintie 3", "2026-11-01")  # seen, and not believed
    assert stated["notices"][0] == "Notisanpolku 5"
    told_by = {r["role_type"]: r["source"] for r in shown["roles"]}
    own = dict.fromkeys(("holder", "payer"), "registrations")
    assert told_by == {**own, "owner": "ryhti"}  # of the property only building control knows
    assert shown["customer_numbers"] == [desk.planted.customer]
    assert f"registrations:{desk.planted.customer}" in shown["records"]
    assert all("#" in record for record in shown["records"] if record.startswith("dvv"))  # R37


def test_a_customer_is_shown_with_what_is_unpaid_and_what_was_ordered(desk: Desk) -> None:
    shown = desk("customer", "show", desk.planted.customer, "--json").json
    assert [order["source_key"] for order in shown["orders"]] == ["KANATILAUS7"]
    assert set(shown["orders"][0]) == {
        "source_key", "order_kind", "ordered_on", "point_ref", "source",
    }  # fmt: skip
    balance = shown["invoices"]
    assert set(balance) == {
        "unpaid", "oldest_due", "in_collection", "not_stated", "not_stated_since",
    }  # fmt: skip
    said = desk("customer", "show", desk.planted.customer).out
    collected = "yes" if balance["in_collection"] else "no"
    assert f"unpaid invoices: {balance['unpaid']}" in said
    assert f"in collection: {collected}" in said
    assert "KANATILAUS7" in said


def test_a_customer_is_shown_by_our_own_id_too(desk: Desk) -> None:
    ours = the_id(desk)
    assert ours.startswith("P")
    shown = desk("customer", "show", ours)
    assert shown.code == 0
    assert shown.out.startswith(f"{ours}  Merkkimäki")
    assert f"customer numbers in the own register: {desk.planted.customer}" in shown.out


def test_r56_a_protected_customer_is_marked_and_has_no_home(desk: Desk) -> None:
    """R56: not even a clerk sees the home address, and it is said why."""
    number = desk.planted.e_invoice
    shown = desk("customer", "show", number, "--json").json
    assert shown["protected"] is True
    assert "street_line" not in {v["field"] for v in shown["values"]}
    assert {a["address_type"] for a in shown["addresses"]} <= {"contact"}
    assert "PROTECTIVE ORDER" in desk("customer", "show", number).out


def test_r14_a_customers_points_are_shown_fact_by_fact_with_their_origin(desk: Desk) -> None:
    """R14: whose word on a property or building stands can be seen."""
    shown = desk("customer", "show", desk.planted.customer, "--json").json
    point = shown["roles"][0]["point_ref"]
    standing = [f for f in shown["points"] if f["rule"] != "overruled"]
    facts = {f["field"]: f for f in standing if f["point_ref"] == point}
    assert set(facts["property_id"]) == {
        "point_ref", "field", "value", "source", "source_time", "rule",
    }  # fmt: skip
    assert len(facts["property_id"]["value"]) == 14
    assert facts["street_line"]["source"] == "registrations"
    assert facts["property_id"]["value"] in desk("customer", "show", desk.planted.customer).out


def test_r56_of_a_protected_customers_point_nothing_is_shown_that_tells_where_it_is(
    desk: Desk,
) -> None:
    """R56: property, building and street are where somebody lives."""
    shown = desk("customer", "show", desk.planted.e_invoice, "--json").json
    assert shown["roles"] and all(role["point_ref"] for role in shown["roles"])
    hidden = {"property_id", "building_id", "street_line", "postal_code", "post_office"}
    assert not hidden & {fact["field"] for fact in shown["points"]}


@pytest.mark.parametrize("number", ["99999999", "Px", "'; DROP TABLE party"])
def test_a_number_nobody_has_is_one_line_and_exit_code_one(desk: Desk, number: str) -> None:
    for command in (["customer", "show"], ["disclosures", "person"]):
        told = desk(*command, number)
        assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)
        assert "hub customer find" in told.err


def test_an_id_of_ours_that_has_no_customer_is_one_line_and_exit_code_one(desk: Desk) -> None:
    told = desk("customer", "show", "P99999")
    assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)


def test_a_control_character_in_a_value_is_shown_as_a_dot(own_desk: Desk) -> None:
    engine = open_engine(f"sqlite:///{own_desk.home / 'hub.db'}")
    with engine.begin() as conn:
        conn.exec_driver_sql(
            "UPDATE party SET display_name = 'Kanarialinna' || char(27) || '[31m' "
            "WHERE display_name LIKE 'Kanarialinna%'"
        )
    engine.dispose()
    assert "Kanarialinna·[31m" in own_desk("customer", "find", "kanarialinna").out


# --- who looked --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [*SEEING, *DECIDING], ids=lambda c: " ".join(c[:2]))
def test_r50_nobody_looks_or_acts_without_a_name(desk: Desk, command: list[str]) -> None:
    """R50: refused before anything is read."""
    before = len(looks(desk))
    told = desk(*command, environ={})
    assert (told.code, told.out) == (1, "")
    assert told.err == "hub: say who you are: HUB_USER=your.own.login hub …\n"
    assert len(looks(desk)) == before


@pytest.mark.parametrize("command", SEEING, ids=lambda c: " ".join(c[:2]))
def test_whoever_looks_is_in_the_access_log_with_the_purpose(
    desk: Desk, command: list[str]
) -> None:
    before = len(looks(desk))
    assert desk(*command, "--why", "call 14.11.").code == 0
    fresh = looks(desk).iloc[: len(looks(desk)) - before]
    assert len(fresh) >= 1
    assert set(fresh["who"]) == {"anna.asiakas"}
    assert set(fresh["purpose"]) == {"call 14.11."}
    assert set(fresh["operation"]) == {" ".join(command[: 3 if command[0] == "extract" else 2])}


def test_the_access_log_names_whom_was_looked_at_by_id_and_nobody_by_name(desk: Desk) -> None:
    ours = int(the_id(desk).removeprefix("P"))
    desk("customer", "show", desk.planted.customer)
    lines = looks(desk)
    assert lines["party_id"].iloc[0] == ours
    assert found_in(lines.to_csv().encode(), ["merkkim", "kanariitta"]) == []


def test_a_search_for_nobody_is_logged_too(desk: Desk) -> None:
    desk("customer", "find", "olematon")
    newest = looks(desk).iloc[0]
    assert newest["operation"] == "customer find"
    assert pd.isna(newest["party_id"])


# --- what a customer told us ---------------------------------------------------------------------------


def test_a_notice_is_numbered_and_waits_for_the_night(own_desk: Desk) -> None:
    told = own_desk(
        "customer", "notice", own_desk.planted.customer, "--received", "2026-11-04",
        "--channel", "visit", "--evidence", "form 12", "--line", "Uusipolku 1",
        "--postal-code", "31640", "--post-office", "Humppila", "--from", "2026-12-01", "--json",
    )  # fmt: skip
    assert (told.code, told.json) == (0, {"notice": "N000002"})
    newest = looks(own_desk).iloc[0]
    assert (newest["operation"], newest["detail"]) == ("customer notice", "N000002")
    shown = own_desk("customer", "show", own_desk.planted.customer, "--json").json
    assert "Uusipolku" not in str(shown)


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--line", "Uusipolku 1"],
        ["--line", "Uusipolku 1", "--postal-code", "31640"],
        ["--phone", "1", "--from", "1.12.2026"],
        ["--phone", "1", "--received", "2026-11-31"],
        ["--phone", "1", "--channel", "telepathy"],
    ],
    ids=" ".join,
)
def test_a_notice_that_says_too_little_is_wrong_use(desk: Desk, wrong: list[str]) -> None:
    told = desk(
        "customer", "notice", desk.planted.customer, "--received", "2026-11-04",
        "--channel", "phone", *wrong,
    )  # fmt: skip
    assert (told.code, told.out) == (2, "")


def test_a_notice_of_nobody_is_refused_and_leaves_nothing(desk: Desk) -> None:
    told = desk(
        "customer", "notice", "99999999", "--received", "2026-11-04", "--channel", "phone",
        "--phone", "0505557399",
    )  # fmt: skip
    assert (told.code, told.err.count("\n")) == (1, 1)
    assert found_in((desk.home / "hub.db").read_bytes(), ["0505557399"]) == []


def test_r56_a_protected_customers_notice_is_not_taken_alone_at_the_command_line(
    own_desk: Desk,
) -> None:
    """R56: an address given in somebody's name is how somebody is found."""
    told = own_desk(
        "customer", "notice", own_desk.planted.e_invoice, "--received", "2026-11-04",
        "--channel", "phone", "--phone", "0505557398",
    )  # fmt: skip
    assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)
    assert "nobody decides alone" in told.err and "at the desk, page Asiakkaat" in told.err
    assert found_in((own_desk.home / "hub.db").read_bytes(), ["0505557398"]) == []
    newest = looks(own_desk).iloc[0]
    assert (newest["who"], newest["operation"]) == ("anna.asiakas", "second wanted")
    assert newest["detail"] == f"customer P{newest['party_id']}"


def test_r56_what_a_protected_customer_forbids_is_recorded_by_one_and_ended_by_two(
    own_desk: Desk,
) -> None:
    """R56: a ban narrows what is done with the data, its end lets it flow again."""
    number = own_desk.planted.e_invoice
    banned = own_desk(
        "customer", "restrain", number, "ban_on_marketing", "--channel", "phone", "--why", "asked"
    )
    assert banned.code == 0
    standing = own_desk("customer", "show", number, "--json").json["restraints"]
    told = own_desk("customer", "release", number, "ban_on_marketing", "--why", "taken back")
    assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)
    assert "nobody decides alone" in told.err and "at the desk, page Asiakkaat" in told.err
    assert own_desk("customer", "show", number, "--json").json["restraints"] == standing
    assert [one["kind"] for one in standing] == ["ban_on_marketing"]


# --- what is told ----------------------------------------------------------------------------------------


def test_a_preview_shows_rows_and_who_is_held_back_and_changes_nothing(own_desk: Desk) -> None:
    own_desk(
        "customer", "notice", own_desk.planted.customer, "--received", "2026-11-04",
        "--channel", "phone", "--phone", "0505557395",
    )  # fmt: skip
    before = own_desk("disclosures", "list", "--json").json
    shown = own_desk("extract", "preview", "finance", "--json")
    assert set(shown.json) == {"rows", "held"}
    assert {h["reason"] for h in shown.json["held"]} <= {"protected_no_route", "no_golden_record"}
    assert own_desk("extract", "preview", "finance", "--json").json == shown.json
    assert own_desk("disclosures", "list", "--json").json == before
    for held in shown.json["held"]:
        assert f"held back: P{held['party_id']}" in own_desk("extract", "preview", "finance").out


def test_a_recipient_nobody_knows_is_wrong_use(desk: Desk) -> None:
    told = desk("extract", "preview", "tax_office")
    assert told.code == 2
    assert "finance, municipality, own_register" in told.err


def test_proposals_show_a_building_without_a_customer_and_stay_closed(own_desk: Desk) -> None:
    waiting = own_desk("proposals", "list", "--json").json
    assert waiting
    assert {"proposal_no", "kind", "point_ref", "opened_on", "days", "state", "meaning"} == set(
        waiting[0]
    )
    number = str(waiting[0]["proposal_no"])
    seen = own_desk("proposals", "show", number, "--why", "the plot's papers", "--json").json
    assert seen["kind"] == waiting[0]["kind"]
    assert seen["evidence"]
    assert own_desk("proposals", "close", number, "--why", "own well").code == 0
    left = own_desk("proposals", "list", "--json").json
    assert len(left) == len(waiting) - 1
    again = own_desk("proposals", "close", number, "--why", "own well")
    assert (again.code, again.err) == (1, f"hub: proposal {number} is already closed\n")
    assert own_desk("proposals", "reopen", number, "--why", "by mistake").code == 0
    assert own_desk("proposals", "list", "--json").json == waiting


def test_a_look_at_a_proposal_is_logged_and_a_missing_one_says_where_to_look(
    own_desk: Desk,
) -> None:
    nothing = own_desk("proposals", "show", "999", "--why", "x")
    assert (nothing.code, nothing.err) == (
        1,
        "hub: there is no proposal 999; see: hub proposals list\n",
    )
    nobody = own_desk("proposals", "show", "1", "--why", "x", environ={})
    assert nobody.code == 1
    assert "say who you are" in nobody.err


# --- what a customer forbids ---------------------------------------------------------------------------


def restrained(desk: Desk, *arguments: str) -> Answer:
    return desk("customer", *arguments, "--why", "disputes the address")


def test_r45_a_restriction_is_recorded_shown_stated_and_lifted_again(own_desk: Desk) -> None:
    number = own_desk.planted.customer
    recorded = restrained(
        own_desk, "restrain", number, "restriction", "--channel", "letter", "--evidence", "D-7", "--json"
    )  # fmt: skip
    assert (recorded.code, recorded.json["restraint"]) == (0, "restriction")
    assert set(recorded.json) == {"restraint", "stopped", "under_way"}
    newest = looks(own_desk).iloc[0]
    assert (newest["operation"], newest["purpose"]) == (
        "customer restrain restriction",
        "disputes the address",
    )
    (shown,) = own_desk("customer", "show", number, "--json").json["restraints"]
    assert (shown["kind"], shown["channel"], shown["evidence"]) == ("restriction", "letter", "D-7")
    assert shown["since"] == "2026-11-04T07:00:00Z"
    assert "Käsittelyä on rajoitettu: 2026-11-04" in own_desk("customer", "show", number).out
    stated = own_desk("disclosures", "person", number, "--language", "en").out
    assert "Processing is restricted: in force since 2026-11-04 at 9:00" in stated
    for informed in ([], ["--informed", "2026-11-05"], ["--informed", "soon"]):
        refused = restrained(own_desk, "release", number, "restriction", *informed)
        assert refused.code == 1 and "the customer" in refused.err
    told = ["--informed", "2026-11-03"]
    assert restrained(own_desk, "release", number, "restriction", *told).code == 0
    assert looks(own_desk).iloc[0]["detail"] == "informed 2026-11-03"
    assert own_desk("customer", "show", number, "--json").json["restraints"] == []
    again = restrained(own_desk, "release", number, "restriction", *told)
    assert again.code == 1 and "no restriction stands" in again.err


def test_r26_a_ban_ends_without_a_letter_and_an_unknown_one_is_wrong_use(own_desk: Desk) -> None:
    number = own_desk.planted.customer
    ban = ("ban_on_marketing", "--channel", "phone")
    assert restrained(own_desk, "restrain", number, *ban).code == 0
    assert restrained(own_desk, "release", number, "ban_on_marketing").code == 0
    assert restrained(own_desk, "restrain", number, "ban_on_life", "--channel", "phone").code == 2
