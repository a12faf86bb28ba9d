"""Quarantine at the command line: what waits and why it matters, what is corrected, what a source is told."""

import stat

from expectations.rules import is_waivable
from pipelines.store.engine import open_engine
from tests.canaries import FORBIDDEN, found_in, tokens_in
from tests.cli.conftest import Desk

CODE = "addresses.postal.postal_code"
LISTED = {
    "quarantine_id", "source", "kind", "rule", "field", "business_date", "days", "why", "way", "meaning",
    "matters", "bill_columns",
}  # fmt: skip


def entry(desk: Desk, rule: str) -> str:
    """The number of the one refusal by a rule."""
    (found,) = desk("quarantine", "list", "--rule", rule, "--json").json
    return str(found["quarantine_id"])


# --- seeing ---------------------------------------------------------------------------------------------


def test_the_list_of_refused_records_says_why_each_matters_and_names_nobody(desk: Desk) -> None:
    listed = desk("quarantine", "list", "--json").json
    assert listed
    assert set(listed[0]) == LISTED
    assert all(item["meaning"] and item["why"] for item in listed)
    assert all(isinstance(item["days"], int) for item in listed)
    shown = desk("quarantine", "list").out
    assert shown.startswith("source")
    assert "oldest, days" in shown.splitlines()[0]
    assert found_in((shown + str(listed)).encode(), FORBIDDEN) == []


def test_the_list_is_of_one_source_or_one_rule(desk: Desk) -> None:
    assert desk("quarantine", "list", "--source", "dvv").out == "nothing waits in quarantine\n"
    (one,) = desk("quarantine", "list", "--rule", "finnish_postal_code", "--json").json
    assert (one["source"], one["way"], one["matters"]) == ("registrations", "correct", ["unbilled"])


def test_a_refused_record_is_shown_as_it_came_without_its_pseudonyms(desk: Desk) -> None:
    ids = [str(i["quarantine_id"]) for i in desk("quarantine", "list", "--json").json]
    shown = [desk("quarantine", "show", number, "--json").json for number in ids]
    keys = {
        "quarantine_id", "source", "kind", "rule", "field", "state", "content", "meaning", "way", "fields",
        "hidden",
    }  # fmt: skip
    assert all(set(item) == keys for item in shown)
    text = "".join(desk("quarantine", "show", number).out for number in ids)
    assert "Refusantti" in text
    assert "rule value_too_long (open)" in text
    assert "held now" in text
    assert "hub quarantine correct" in text
    for hidden in ("person_key", "birth_key", *tokens_in(desk.home)):
        assert hidden not in text + str(shown)


# --- deciding -------------------------------------------------------------------------------------------


def test_a_refused_value_is_corrected_and_that_undone(own_desk: Desk) -> None:
    before = own_desk("quarantine", "list", "--json").json
    number = entry(own_desk, "finnish_postal_code")
    still = own_desk("quarantine", "correct", number, f"{CODE}=3164", "--why", "guessed")
    assert (still.code, still.err.count("\n")) == (1, 1)
    assert "finnish_postal_code" in still.err
    assert "3164" not in still.err, "no value in an error"
    told = own_desk("quarantine", "correct", number, f"{CODE}=31640", "--why", "asked", "--json")
    assert told.json == {"corrected": int(number), "fields": [CODE]}
    left = {i["quarantine_id"] for i in own_desk("quarantine", "list", "--json").json}
    gone = {
        i["quarantine_id"]
        for i in before
        if (i["source"], i["kind"]) == ("registrations", "party") and i["rule"] != "missing_value"
    }
    assert int(number) in gone
    assert left == {i["quarantine_id"] for i in before} - gone
    assert "(corrected)" in own_desk("quarantine", "show", number).out
    undone = own_desk("quarantine", "undo", number, "--why", "wrong row", "--json")
    assert undone.json == {"undone": int(number), "was": "corrected"}
    assert own_desk("quarantine", "list", "--json").json == before


def test_a_row_that_never_landed_gets_what_it_lacked(own_desk: Desk) -> None:
    number = entry(own_desk, "missing_value")
    told = own_desk("quarantine", "correct", number, "phone=0505557398", "--why", "asked")
    assert "name could not be read" in told.err
    told = own_desk("quarantine", "correct", number, "name=As Oy Haukilinna", "--why", "asked")
    assert (told.code, told.out) == (
        0, f"entry {number} corrected (name); the next night reads it\n",
    )  # fmt: skip


def test_fields_are_given_by_name_and_once(desk: Desk) -> None:
    for wrong in (["phone"], ["=1"], ["phone=1", "phone=2"], []):
        assert desk("quarantine", "correct", "1", *wrong, "--why", "x").code == 2
    assert desk("quarantine", "correct", "1", "phone=1").code == 2, "a decision needs its reason"


def test_a_rule_that_protects_somebody_is_not_waived(own_desk: Desk) -> None:
    items = own_desk("quarantine", "list", "--json").json
    strict = [i for i in items if not is_waivable(i["rule"])]
    assert strict
    for item in strict:
        number = str(item["quarantine_id"])
        told = own_desk("quarantine", "release", number, "--why", "please")
        assert (told.code, told.err.count("\n")) == (1, 1)
        assert f"hub quarantine correct {number}" in told.err
        assert f"hub quarantine drop {number}" in told.err
    assert own_desk("quarantine", "list", "--json").json == items


def test_a_dropped_record_waits_no_more_is_decided_once_and_comes_back_when_undone(
    own_desk: Desk,
) -> None:
    before = own_desk("quarantine", "list", "--json").json
    number = str(before[0]["quarantine_id"])
    told = own_desk("quarantine", "drop", number, "--why", "double entry", "--json")
    assert told.json == {"dropped": int(number)}
    left = own_desk("quarantine", "list", "--json").json
    assert int(number) not in [i["quarantine_id"] for i in left]
    again = own_desk("quarantine", "drop", number, "--why", "double entry")
    assert (again.code, again.err) == (1, f"hub: entry {number} is already dropped\n")
    assert own_desk("quarantine", "undo", number, "--why", "it was not").code == 0
    assert own_desk("quarantine", "list", "--json").json == before


def test_a_waivable_record_is_released_once(own_desk: Desk) -> None:
    engine = open_engine(f"sqlite:///{own_desk.home / 'hub.db'}")
    with engine.begin() as conn:
        conn.exec_driver_sql("UPDATE quarantine SET rule = 'value_shape'")
    engine.dispose()
    told = own_desk("quarantine", "release", "1", "--why", "asked the customer", "--json")
    assert (told.code, told.json) == (0, {"released": 1})
    assert own_desk("quarantine", "release", "1", "--why", "again").code == 1


def test_r56_behind_a_protective_order_nobody_decides_alone_at_the_command_line(
    own_desk: Desk,
) -> None:
    """R56: the refusal says why, and that two people do it at the desk."""
    number = entry(own_desk, "finnish_postal_code")
    engine = open_engine(f"sqlite:///{own_desk.home / 'hub.db'}")
    with engine.begin() as conn:
        conn.exec_driver_sql("UPDATE quarantine SET rule = 'value_shape'")
        conn.exec_driver_sql(
            "UPDATE landing_record SET content = json_set(content, '$.protection', 'on')"
        )
    engine.dispose()
    before = own_desk("quarantine", "list", "--json").json
    for act in (["correct", number, "phone="], ["release", number], ["undo", number]):
        told = own_desk("quarantine", *act, "--why", "asked")
        assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)
        assert "nobody decides alone" in told.err and "at the desk, page Karanteeni" in told.err
    assert own_desk("quarantine", "list", "--json").json == before
    assert own_desk("quarantine", "drop", number, "--why", "double entry").code == 0


def test_an_entry_that_is_not_there_is_one_line_and_exit_code_one(desk: Desk) -> None:
    commands = (
        ["show", "4711"],
        ["release", "4711", "--why", "x"],
        ["drop", "4711", "--why", "x"],
        ["undo", "4711", "--why", "x"],
        ["correct", "4711", "phone=", "--why", "x"],
    )
    for command in commands:
        told = desk("quarantine", *command)
        assert (told.code, told.err.count("\n")) == (1, 1)
        assert "4711" in told.err
    assert desk("quarantine", "drop", "1").code == 2, "a decision needs its reason"


# --- telling the source ---------------------------------------------------------------------------------


def test_r43_a_source_reads_its_errors_in_its_own_language_and_words_and_nobody_in_them(
    own_desk: Desk,
) -> None:
    number = entry(own_desk, "finnish_postal_code")
    own_desk("quarantine", "correct", number, f"{CODE}=31640", "--why", "asked")
    out = own_desk.home / "errors.txt"
    told = own_desk("quarantine", "report", "registrations", "--language", "sv", "--out", str(out))
    assert (told.code, told.out) == (0, f"4 errors written to {out}\n")
    text = out.read_text("utf-8")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "asiakkaat:" in text and "POSTINRO: " in text and "rättat hos oss" in text
    assert "ALKAEN: Uppgiften är inte ett datum" in text
    assert found_in(text.encode(), FORBIDDEN) == []
    again = own_desk("quarantine", "report", "registrations", "--out", str(out))
    assert (again.code, again.err.count("\n")) == (1, 1)
    shown = own_desk("quarantine", "report", "registrations", "--json").json
    assert set(shown) == {"source", "since", "errors"}
    assert {e["state"] for e in shown["errors"]} == {"open", "corrected"}


def test_a_report_is_of_a_source_there_is_and_since_a_date(desk: Desk) -> None:
    unknown = desk("quarantine", "report", "tax_office")
    assert (unknown.code, unknown.out) == (1, "")
    assert "municipality, orders" in unknown.err
    assert desk("quarantine", "report", "registrations", "--since", "1.11.2026").code == 2
    late = desk(
        "quarantine", "report", "registrations", "--since", "2026-12-01", "--language", "en"
    )
    assert late.out.endswith("There are no errors.\n")
