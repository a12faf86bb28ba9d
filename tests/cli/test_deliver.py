"""hub deliver and hub adopt: wrong use, refusals in one line, lists as they come out of other programs."""

from pathlib import Path

from tests.cli.conftest import CLERK, Desk


def one_line(text: str) -> bool:
    return text.startswith("hub: ") and text.count("\n") == 1


def test_r17_who_is_told_by_case_is_never_told_by_list(desk: Desk) -> None:
    told = desk("deliver", "collection")
    assert told.code == 2
    assert "one customer at a time" in told.err
    assert desk("extract", "preview", "credit").code == 2


def test_who_has_a_list_is_not_told_by_case(desk: Desk) -> None:
    told = desk("deliver", "finance", "--customer", desk.planted.customer, "--case", "P-1")
    assert told.code == 2


def test_a_case_needs_a_reason_and_a_recipient_somebody(desk: Desk) -> None:
    words = ("--customer", desk.planted.customer, "--case", "P-1")
    assert desk("deliver", "collection", *words).code == 2
    assert desk("deliver", "tax_office", *words).code == 2
    nobody = desk("deliver", "collection", *words, "--why", "x", environ={})
    assert nobody.code == 1
    assert "say who you are" in nobody.err


def test_a_recipient_without_an_address_is_told_nothing_and_says_where_it_goes(desk: Desk) -> None:
    told = desk(
        "deliver", "collection", "--customer", desk.planted.customer, "--case", "P-1", "--why", "x"
    )
    assert told.code == 1
    assert one_line(told.err)
    assert "recipients/collection.yml: transport.folder.host" in told.err


def test_r18_a_preview_of_a_case_is_refused_as_the_case_would_be(desk: Desk) -> None:
    """R18: the line of the file that would have to be reviewed is named."""
    told = desk(
        "extract", "preview", "collection", "--customer", desk.planted.customer, "--case", "P-1"
    )
    assert told.code == 1
    assert one_line(told.err)
    assert "review recipients/collection.yml" in told.err


def test_a_busy_hub_says_who_holds_it(own_desk: Desk) -> None:
    from pipelines.house import open_house

    house = open_house(own_desk.home, {})
    assert house.lock.acquire()
    told = own_desk("deliver", "finance", environ={**CLERK, "HUB_REFRESH__WAIT_SECONDS": "0.1"})
    house.close()
    assert told.code == 1
    assert "the hub has been busy" in told.err


# --- lists -----------------------------------------------------------------------------------------------


def listed(path: Path, text: str, encoding: str = "utf-8") -> str:
    path.write_bytes(text.encode(encoding))
    return str(path)


def test_a_list_in_another_encoding_than_declared_is_refused(desk: Desk, tmp_path: Path) -> None:
    file = listed(tmp_path / "a.csv", "customer_number;invoice_name\n1;Mäki\n", "windows-1252")
    told = desk("adopt", "finance", file)
    assert told.code == 1
    assert one_line(told.err)
    assert "not utf-8" in told.err


def test_a_list_with_a_column_outside_the_contract_is_refused_by_name(
    desk: Desk, tmp_path: Path
) -> None:
    file = listed(tmp_path / "a.csv", "ASNRO;KP;PUH\n1;2;040\n")
    words = ("--column", "ASNRO=customer_number", "--column", "KP=point_ref")
    told = desk("adopt", "finance", file, *words)
    assert told.code == 1
    assert "PUH" in told.err
    assert "040" not in told.err
    told = desk("adopt", "finance", file, *words, "--skip", "PUH")
    assert "PUH" not in told.err


def test_a_list_is_refused_when_a_named_column_is_not_there_or_a_line_is_broken(
    desk: Desk, tmp_path: Path
) -> None:
    file = listed(tmp_path / "a.csv", "a;b\n1;2;3\n")
    assert "no column ASNRO" in desk("adopt", "finance", file, "--column", "ASNRO=event").err
    assert "line 1" in desk("adopt", "finance", file).err
    assert desk("adopt", "finance", file, "--column", "nonsense").code == 2


def test_who_has_been_told_by_us_has_no_list_to_adopt(own_desk: Desk, tmp_path: Path) -> None:
    shown = own_desk("extract", "preview", "finance", "--json")
    assert shown.code == 0
    file = listed(tmp_path / "a.csv", "customer_number;point_ref\n000001;x\n")
    told = own_desk("adopt", "finance", file, "--unknown-share", "1")
    assert told.code == 1
    assert "told by us already" in told.err
