"""A recipient by file: exact bytes, never overwritten, finished rather than redone, read back."""

import hashlib
import json
import traceback
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import (
    Acknowledgement,
    AlreadyPublished,
    ConnectorError,
    Malformed,
    OutcomeUnknown,
    Receipt,
    Refused,
    RowAnswer,
    Unavailable,
)
from connectors.files import FolderOptions
from connectors.recipients.sftp_file import SftpFile, SftpFileOptions
from tests.connectors.sftp_server import SftpServer

CANARY = "Kanarialintu"
COLUMNS = ("event", "customer_number", "invoice_name")
ROW = {"event": "new", "customer_number": "000001", "invoice_name": "Mäkelä Åke"}
DELIVERY = "3f0c2b1a-0001"
NAME = f"laskutus_00000007_{DELIVERY}"


class Outsourcer:
    """The recipient's server with its two folders, and what we hold towards it."""

    def __init__(self, server: SftpServer) -> None:
        self.server = server
        self.inbox = server.root / "sisaan"
        self.answers = server.root / "kuittaus"
        self.inbox.mkdir()
        self.answers.mkdir()
        self.file = SftpFile(SftpFileOptions(server.options(), "laskutus"))
        self.payload = self.file.render(COLUMNS, [ROW])

    def publish(self, payload: bytes | None = None) -> Receipt:
        return self.file.publish(DELIVERY, 7, payload or self.payload, 1)

    def answer(self, **changed: Any) -> Acknowledgement | None:
        stated = {
            "delivery_id": DELIVERY,
            "sequence": 7,
            "received_at": "2026-11-02T03:00:00Z",
            "accepted": 1,
            "rejected": [],
        }
        (self.answers / f"{DELIVERY}.json").write_text(json.dumps(stated | changed))
        return self.file.acknowledgement(DELIVERY, 7)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.inbox.iterdir())


@pytest.fixture
def finance(tmp_path: Path) -> Iterator[Outsourcer]:
    with SftpServer(tmp_path) as server:
        yield Outsourcer(server)


def writer() -> SftpFile:
    return SftpFile(SftpFileOptions(FolderOptions("folder", "nowhere"), "laskutus"))


# ── bytes ───────────────────────────────────────────────────────────────────────────────────────


def test_the_bytes_of_a_delivery() -> None:
    rows = [ROW, ROW | {"invoice_name": 'As Oy "Kotikuja"; Humppila'}, ROW | {"invoice_name": ""}]

    assert writer().render(COLUMNS, rows).decode() == (
        '"event";"customer_number";"invoice_name"\r\n'
        '"new";"000001";"Mäkelä Åke"\r\n'
        '"new";"000001";"As Oy ""Kotikuja""; Humppila"\r\n'
        '"new";"000001";""\r\n'
    )


@pytest.mark.parametrize(
    "value",
    [
        "=1+1", "+358401234567", "-1", "@SUM(A1)", " =1", "\u00a0=1", "\u200b=1", "\ufeff=1", "＝1", "－1", "＠a",
        "﹦1", "a\tb", "\t=1", "\r=1", "a\nb", "a\r\nb", "a\0b", "a\x85b", "a\u2028b", "a\u2029b", "a\x7fb",
        "a\ud800b",
    ],
)  # fmt: skip
def test_a_value_that_would_act_in_a_spreadsheet_is_refused_by_its_place(value: str) -> None:
    """PRIVACY §5, CSV injection: refused, never altered; the place is told, not the value."""
    with pytest.raises(Malformed) as refusal:
        writer().render(COLUMNS, [ROW, ROW | {"invoice_name": value + CANARY}])

    assert str(refusal.value).startswith("row 2, column invoice_name: ")
    assert CANARY not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize(
    "value", ["Mäki-Aho", "a=b", "a@example.invalid", "'", '"', ";", "🙂👩‍👩‍👧", "x" * 500, "  a  "]
)
def test_other_values_are_carried_as_they_are(value: str) -> None:
    row = ROW | {"invoice_name": value}
    assert writer().parse(writer().render(COLUMNS, [row])) == [row]


@pytest.mark.parametrize(
    "row", [{}, {"event": "new"}, ROW | {"ssn": CANARY}, {**ROW, "Event": "new"}]
)
def test_a_row_with_other_columns_than_agreed_is_refused(row: dict[str, str]) -> None:
    """R18: nothing beyond the contract has a way out."""
    with pytest.raises(Malformed, match="row 1: its columns are not the contract's"):
        writer().render(COLUMNS, [row])


carried = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=30
).filter(
    lambda text: unicodedata.normalize("NFKC", text.lstrip())[:1] not in set("=+-@")
    and not any(unicodedata.category(c) == "Cf" for c in text[:3])
)  # fmt: skip


@given(st.lists(st.lists(carried, min_size=3, max_size=3), max_size=6))
def test_what_is_rendered_is_parsed_back_exactly(rows: list[list[str]]) -> None:
    stated = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    payload = writer().render(COLUMNS, stated)

    assert writer().parse(payload) == stated
    assert payload.count(b"\r\n") == len(rows) + 1


@given(st.text(max_size=12))
def test_any_value_is_carried_exactly_or_refused(value: str) -> None:
    row = ROW | {"invoice_name": value}
    try:
        payload = writer().render(COLUMNS, [row])
    except Malformed:
        return
    assert writer().parse(payload) == [row]
    assert unicodedata.normalize("NFKC", value).strip("\u200b\ufeff ")[:1] not in set("=+-@")


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused_in_our_own_words(payload: bytes) -> None:
    try:
        writer().parse(payload)
    except ConnectorError as refusal:
        assert refusal.__context__ is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b'"a";"a"\r\n',
        b'"a"\r\n"x";"Kanarialintu"\r\n',
        b'"a"\r\n"Kanarialintu',
        b'"a"\r\n"\xff"',
    ],
)
def test_bytes_that_are_no_delivery_are_refused_without_a_value(payload: bytes) -> None:
    with pytest.raises(Malformed) as refusal:
        writer().parse(payload)
    assert CANARY not in "".join(traceback.format_exception(refusal.value))


# ── publishing ──────────────────────────────────────────────────────────────────────────────────


def test_a_delivery_is_data_then_manifest(finance: Outsourcer) -> None:
    receipt = finance.publish()

    sha256 = hashlib.sha256(finance.payload).hexdigest()
    assert receipt == Receipt(f"{NAME}.csv", len(finance.payload), sha256)
    assert (finance.inbox / f"{NAME}.csv").read_bytes() == finance.payload
    assert json.loads((finance.inbox / f"{NAME}.json").read_text()) == {
        "delivery_id": DELIVERY,
        "sequence": 7,
        "rows": 1,
        "sha256": sha256,
        "columns": list(COLUMNS),
    }
    assert [new.decode() for _, new in finance.server.seen.renames] == [
        f"sisaan/{NAME}.csv",
        f"sisaan/{NAME}.json",
    ]
    assert finance.server.seen.connections == 1


def test_what_was_published_is_seen_when_looked_for(finance: Outsourcer) -> None:
    assert finance.file.look(DELIVERY, 7) is None
    receipt = finance.publish()

    assert finance.file.look(DELIVERY, 7) == receipt
    assert finance.file.look(DELIVERY, 8) is None


def test_publishing_again_changes_nothing(finance: Outsourcer) -> None:
    first = finance.publish()
    finance.server.seen.renames.clear()

    assert finance.publish() == first
    assert finance.server.seen.renames == []


def test_data_without_its_manifest_is_not_yet_published_and_is_finished(
    finance: Outsourcer,
) -> None:
    finance.publish()
    (finance.inbox / f"{NAME}.json").unlink()

    assert finance.file.look(DELIVERY, 7) is None
    finance.server.seen.renames.clear()
    finance.publish()

    assert [new.decode() for _, new in finance.server.seen.renames] == [f"sisaan/{NAME}.json"]
    assert finance.names() == [f"{NAME}.csv", f"{NAME}.json"]


def test_other_bytes_under_the_name_are_never_overwritten(finance: Outsourcer) -> None:
    finance.publish()
    other = finance.file.render(COLUMNS, [ROW | {"event": "end"}])
    assert len(other) == len(finance.payload)

    for payload in (other, other + b"x"):
        with pytest.raises(AlreadyPublished, match="other bytes"):
            finance.publish(payload)
    assert (finance.inbox / f"{NAME}.csv").read_bytes() == finance.payload


def test_another_manifest_under_the_name_is_never_overwritten(finance: Outsourcer) -> None:
    (finance.inbox / f"{NAME}.json").write_text("{}")

    with pytest.raises(AlreadyPublished):
        finance.publish()
    assert (finance.inbox / f"{NAME}.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("fault", "after"),
    [
        ({"drop_after_bytes": 10}, []),
        ({"drop_before_rename": True}, []),
        ({"drop_after_rename": True}, [f"{NAME}.csv"]),
    ],
)
def test_a_lost_connection_has_an_unknown_outcome_and_the_next_attempt_finishes(
    finance: Outsourcer, fault: dict[str, Any], after: list[str]
) -> None:
    for name, value in fault.items():
        setattr(finance.server.faults, name, value)
    with pytest.raises(OutcomeUnknown):
        finance.publish()
    assert [name for name in finance.names() if not name.endswith(".part")] == after
    assert finance.file.look(DELIVERY, 7) is None

    finance.server.faults = type(finance.server.faults)()
    finance.publish()

    assert finance.names() == [f"{NAME}.csv", f"{NAME}.json"]


def test_a_connection_lost_over_the_manifest_says_that_data_had_left(finance: Outsourcer) -> None:
    finance.server.faults.drop_after_bytes = len(finance.payload)

    with pytest.raises(OutcomeUnknown, match="had left"):
        finance.publish()
    assert finance.names()[0] == f"{NAME}.csv"


def test_a_refusal_before_any_byte_left_is_a_plain_refusal(finance: Outsourcer) -> None:
    finance.server.faults.read_only = True
    with pytest.raises(Refused):
        finance.publish()
    finance.server.stop()
    with pytest.raises(Unavailable):
        finance.publish()
    assert finance.names() == []


def test_data_that_does_not_read_back_gets_no_manifest(
    finance: Outsourcer, monkeypatch: pytest.MonkeyPatch
) -> None:
    finance.publish()
    (finance.inbox / f"{NAME}.json").unlink()
    monkeypatch.setattr("connectors.recipients.sftp_file._put", lambda folder, name, payload: None)
    (finance.inbox / f"{NAME}.csv").write_bytes(b"rotten")

    with pytest.raises(OutcomeUnknown, match="does not read back"):
        finance.publish()


def test_a_manifest_whose_data_was_moved_away_is_asked_about(finance: Outsourcer) -> None:
    """Sending again would tell the recipient twice."""
    finance.publish()
    (finance.inbox / f"{NAME}.csv").unlink()

    with pytest.raises(OutcomeUnknown, match="its data is not"):
        finance.file.look(DELIVERY, 7)


class Noted:
    """A journal in memory."""

    def __init__(self) -> None:
        self.rows: dict[int, RowAnswer] = {}

    def answers(self) -> Mapping[int, RowAnswer]:
        return self.rows

    def note(self, row: int, answer: RowAnswer) -> None:
        self.rows[row] = answer


def test_data_and_manifest_that_were_taken_away_are_not_taken_for_never_sent(
    finance: Outsourcer,
) -> None:
    """The recipient consumes at once, and the receipt was lost: only the journal knows that it left."""
    journal = Noted()
    finance.file = cast(SftpFile, finance.file.resuming(finance.payload, journal))
    assert finance.file.look(DELIVERY, 7) is None
    finance.publish()
    for name in finance.names():
        (finance.inbox / name).unlink()

    with pytest.raises(OutcomeUnknown, match="was there, is gone, and has no answer yet"):
        finance.file.look(DELIVERY, 7)


def test_data_whose_manifest_never_came_is_gone_on_with_whatever_the_journal_says(
    finance: Outsourcer,
) -> None:
    """Nobody takes data without its manifest, so it has not been read."""
    journal = Noted()
    finance.file = cast(SftpFile, finance.file.resuming(finance.payload, journal))
    finance.publish()
    (finance.inbox / f"{NAME}.json").unlink()

    assert finance.file.look(DELIVERY, 7) is None
    finance.publish()
    assert finance.names() == [f"{NAME}.csv", f"{NAME}.json"]


def test_a_server_with_another_key_is_sent_nothing(finance: Outsourcer, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with SftpServer(tmp_path / "other") as other:
        pinned = finance.server.options(host_keys=(other.host_key,))
        with pytest.raises(Refused, match="host key is not the pinned one; nothing was sent"):
            SftpFile(SftpFileOptions(pinned, "laskutus")).publish(DELIVERY, 7, finance.payload, 1)
    assert finance.names() == [] and finance.server.seen.logins == 0


def test_a_server_that_keeps_half_and_says_all_is_well_gets_no_name_in_place(
    finance: Outsourcer,
) -> None:
    finance.server.faults.keep_only = 10
    with pytest.raises(Refused, match="of .* bytes of .* were kept"):
        finance.publish()
    assert [name for name in finance.names() if not name.endswith(".part")] == []


def test_data_and_manifest_that_disagree_are_malformed(finance: Outsourcer) -> None:
    finance.publish()
    (finance.inbox / f"{NAME}.csv").write_bytes(finance.payload + b"x")

    with pytest.raises(Malformed, match="not what its manifest states"):
        finance.file.look(DELIVERY, 7)


@pytest.mark.parametrize("delivery_id", ["", "../x", "a/b", "a.b", "a b", "ä", "-x", "x" * 65])
def test_a_delivery_id_that_is_no_plain_word_goes_nowhere(delivery_id: str) -> None:
    for ask in (writer().look, writer().acknowledgement):
        with pytest.raises(Malformed):
            ask(delivery_id, 1)
    with pytest.raises(Malformed):
        writer().publish(delivery_id, 1, b'"a"\r\n', 0)


# ── answers ─────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_is_read(finance: Outsourcer) -> None:
    assert finance.file.acknowledgement(DELIVERY, 7) is None

    rejected = [{"row": 2, "code": "unknown_customer"}, {"row": 9, "code": "E17"}]
    assert finance.answer(accepted=40, rejected=rejected) == Acknowledgement(
        DELIVERY, 40, {2: "unknown_customer", 9: "E17"}, "2026-11-02T03:00:00Z"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"delivery_id": "another"},
        {"sequence": 8},
        {"sequence": "7"},
        {"accepted": -1},
        {"accepted": "1"},
        {"accepted": True},
        {"accepted": None},
        {"received_at": "02.11.2026 05:00"},
        {"received_at": "2026-13-02T03:00:00Z"},
        {"received_at": "2026-11-02T03:00:00"},
        {"rejected": None},
        {"rejected": {}},
        {"rejected": [1]},
        {"rejected": [{"row": 0, "code": "x"}]},
        {"rejected": [{"row": True, "code": "x"}]},
        {"rejected": [{"row": 1, "code": "x"}, {"row": 1, "code": "y"}]},
        {"rejected": [{"row": 1}]},
        # a recipient's free text may name a person
        {"rejected": [{"row": 1, "code": "asiakasta Kanarialintu ei ole"}]},
    ],
)
def test_an_answer_of_another_shape_is_malformed(
    finance: Outsourcer, changed: dict[str, Any]
) -> None:
    with pytest.raises(Malformed) as refusal:
        finance.answer(**changed)
    assert CANARY not in str(refusal.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"accepted": "Kanarialintu', "[" * 100_000]
)
def test_an_answer_that_is_no_json_object_is_malformed(finance: Outsourcer, text: str) -> None:
    (finance.answers / f"{DELIVERY}.json").write_text(text)

    with pytest.raises(Malformed, match="not a JSON object") as refusal:
        finance.file.acknowledgement(DELIVERY, 7)
    assert refusal.value.__context__ is None


def test_an_answer_being_written_is_not_there_yet(finance: Outsourcer) -> None:
    (finance.answers / f"{DELIVERY}.json.part").write_text("{")

    assert finance.file.acknowledgement(DELIVERY, 7) is None


def test_a_check_counts_and_names_nobody(finance: Outsourcer) -> None:
    finance.publish()
    finance.answer()

    assert finance.file.check().endswith("sisaan: 2 files there, 1 in kuittaus")


def test_a_mounted_folder_serves_as_well(tmp_path: Path) -> None:
    (tmp_path / "sisaan").mkdir()
    recipient = SftpFile(SftpFileOptions(FolderOptions("folder", str(tmp_path)), "laskutus"))
    payload = recipient.render(COLUMNS, [])

    assert recipient.look(DELIVERY, 7) is None
    receipt = recipient.publish(DELIVERY, 7, payload, 0)
    assert recipient.look(DELIVERY, 7) == receipt


@pytest.mark.parametrize("prefix", [None, "", "a/b", "a_b", "ä"])
def test_a_prefix_that_is_no_plain_word_is_a_wrong_setting(prefix: str | None) -> None:
    with pytest.raises(ValueError, match=r"^prefix: "):
        SftpFileOptions.from_mapping({"folder": {}, "prefix": prefix})
