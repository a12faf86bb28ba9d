"""Whatever a counterparty sends or fails to send: refused clearly, nothing lost, mended by the next good night.

What is the same for many faults (refused, cursor unmoved, nothing landed) is asked of the landing step
alone, over real HTTP and SFTP; whole nights show that the others' work is done, what the letter says, and
the repair.
"""

import hashlib
import io
import json
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import openpyxl
import pytest
from sqlalchemy import update

from connectors.sandbox import own_register
from connectors.sandbox.dvv_api import DvvApi
from connectors.sources.dvv import Dvv, DvvOptions
from pipelines.domain.schemas import LANDED
from pipelines.house import House, open_house
from pipelines.keys import KEY_FILE, KEY_VARIABLE
from pipelines.steps.ingest import ingest
from pipelines.steps.night import StepResult
from pipelines.store.engine import OldSchema, transaction
from pipelines.store.tables import schema_version
from pipelines.story import traces
from tests.journeys.conftest import continued
from tests.journeys.living import OWN, Living, Morning

pytestmark = pytest.mark.journey


def impatient(living: Living) -> House:
    """The hub as it is, but for the waits between one attempt at DVV and the next."""
    house = open_house(living.home)
    config = house.settings.sources["dvv"]
    given = {k: v for k, v in config.options.items() if v is not None}
    options = DvvOptions(**given, allow_test_identities=True)  # type: ignore[arg-type]
    lender = house._lender("dvv", config)
    house.sources = {"dvv": Dvv(options, lender, house.keys, house.today, sleep=lambda _: None)}
    return house


def hear(living: Living, source: str) -> StepResult:
    """Tonight's landing step of one source, alone."""
    house = impatient(living)
    try:
        night = house.night(living.town.today)
        return ingest(night, house.settings.sources[source], lambda: house.source(source))
    finally:
        house.close()


# --- the own register's export --------------------------------------------------------------------------


def next_day(living: Living) -> str:
    """Tomorrow, without the town's own export; yyyymmdd."""
    living.town._days.pass_one(quiet=True)
    return living.town.today.replace("-", "")


def written(living: Living, files: dict[str, bytes]) -> None:
    """A delivery of tonight in place of the town's."""
    folder = living.town.directory / "own_register" / "vienti"
    for path in living.export_files().values():
        path.unlink()
    for name, payload in files.items():
        (folder / name).write_bytes(payload)


def remarked(living: Living, change: Callable[[dict[str, bytes], str], None]) -> None:
    """Tonight's delivery changed, with a marker that agrees with the change."""
    stamp = living.town.today.replace("-", "")
    files = {p.name: p.read_bytes() for p in living.export_files().values()}
    change(files, stamp)
    marker = json.loads(files[f"valmis_{stamp}.json"])
    for name in marker["tiedostot"]:
        payload = files[name]
        marker["tiedostot"][name] = {
            "rivit": max(payload.count(b"\r\n") - 1, 0),
            "sha256": hashlib.sha256(payload).hexdigest(),
        }
    files[f"valmis_{stamp}.json"] = json.dumps(marker).encode()
    written(living, files)


def emptied(living: Living) -> None:
    remarked(living, lambda files, stamp: files.update({f"asiakkaat_{stamp}.csv": b""}))


def without_rows(living: Living) -> None:
    def cut(files: dict[str, bytes], stamp: str) -> None:
        name = f"asiakkaat_{stamp}.csv"
        files[name] = files[name].partition(b"\r\n")[0] + b"\r\n"

    remarked(living, cut)


def dated_back(living: Living) -> None:
    """The newest delivery is older than the one read last."""
    folder = living.town.directory / "own_register" / "vienti"
    for path in list(folder.iterdir()):
        older = path.name.replace("202611", "202610")
        path.rename(path.with_name(older))
    marker = (
        folder / f"valmis_{living.town.today.replace('-', '').replace('202611', '202610')}.json"
    )
    marker.write_text(marker.read_text("utf-8").replace("202611", "202610"), "utf-8")


def dated_ahead(living: Living) -> None:
    living.town.advance(3, quiet=True)
    living.town._founded.world.today = "2026-11-02"


def armed(kind: str) -> Callable[[Living], None]:
    return lambda living: living.town.fault("own_register", kind, 1)


SPOILED = {
    "truncated": (armed("truncated"), "sha256"),
    "wrong encoding": (armed("wrong_encoding"), "UTF-8"),
    "missing column": (armed("missing_column"), "HETU_YTUNNUS"),
    "empty": (emptied, "asiakkaat_"),
    "header only": (without_rows, "no row"),
    "going back": (dated_back, "was read before"),
    "dated ahead": (dated_ahead, "dated ahead"),
    "another host key": (armed("wrong_host_key"), "host key"),
    "wrong password": (armed("unauthorised"), "127.0.0.1"),
}


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_spoiled_export_is_refused_whole_and_the_cursor_stays(hub: Living, spoil: str) -> None:
    make, word = SPOILED[spoil]
    number = hub.ordinary_payers()[0]
    hub.write_down(number, PUHELIN="050 555 9999")
    hub.export_again()
    before = hub.cursor(OWN), hub.table(LANDED)
    make(hub)
    result = hear(hub, OWN)
    feed = hub.feed(OWN)
    assert result.status == "failed"
    assert [c.name for c in result.checks if not c.passed]
    assert feed.status in ("refused", "down")
    assert word in feed.reason
    assert hub.cursor(OWN) == before[0]
    assert hub.table(LANDED).equals(before[1])
    assert hub.person(number).family_name not in feed.reason


def test_a_column_nobody_has_heard_of_is_dropped_and_counted(hub: Living) -> None:
    """R9: never let in, its name and count shown."""
    hub.town.fault("own_register", "extra_column", 1)
    result = hear(hub, OWN)
    rows = len(hub.town._founded.register.customers)
    assert result.counts["dropped:HOROSKOOPPI"] == rows
    assert hub.feed(OWN).dropped["HOROSKOOPPI"] == rows
    assert traces(hub.home, ["kauris"]) == []


def test_an_export_that_is_not_ready_leaves_the_register_as_it_was(hub: Living) -> None:
    hear(hub, OWN)
    before = hub.cursor(OWN)
    hub.write_down(hub.ordinary_payers()[0], PUHELIN="050 555 9999")
    hub.town.advance(quiet=True)
    hub.town.fault("own_register", "not_ready", 1)
    result = hear(hub, OWN)
    assert (result.status, result.counts["landed"]) == ("ok", 0)
    assert hub.cursor(OWN) == before


class Outage(NamedTuple):
    """Nights of a truncated export, of one of half the customers, of DVV down; then a good one."""

    living: Living
    mover: str
    modern: str
    truncated: Morning
    shrunk: Morning
    dvv_down: Morning
    good: Morning


@pytest.fixture(scope="module")
def outage(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outage]:
    with continued(founded, tmp_path_factory.mktemp("outage")) as living:
        modern, *_, mover = living.ordinary_payers()
        position = list(living.town._founded.register.customers).index(mover)
        assert position > len(living.town._founded.register.customers) * 2 // 5
        living.write_down(
            modern,
            LASKUKANAVA="VERKKOLASKU",
            VERKKOLASKUOSOITE="003700000001",
            VALITTAJA="DABAFIHH",
        )
        living.town.fault("own_register", "truncated", 1)
        truncated = living.morning(living.next_night(quiet=True))
        living.move(mover)
        living.town.fault("own_register", "shrunk", 1)
        shrunk = living.morning(living.next_night(quiet=True))
        living.town.fault("dvv", "http_500", 99)
        down = living.morning(living.next_night(quiet=True, opener=lambda: impatient(living)))
        living.town.clear_faults()
        good = living.morning(living.next_night(quiet=True))
        yield Outage(living, mover, modern, truncated, shrunk, down, good)


def test_a_night_with_a_broken_export_is_red_and_its_letter_says_why(outage: Outage) -> None:
    outcome = outage.truncated.outcome
    assert outcome.status == "failed"
    assert "asiakkaat_20261103.csv" in outcome.letter
    assert "registrations" in outcome.letter


def test_an_export_of_half_the_customers_is_held_and_nobody_is_lost(outage: Outage) -> None:
    outcome = outage.shrunk.outcome
    assert outcome.status == "failed"
    assert "registrations" in outcome.letter
    assert outage.shrunk.customers.index.equals(outage.truncated.customers.index)
    assert len(outage.shrunk.finance["ended"]) == 1  # the change of tenant below


def test_the_night_goes_on_without_the_export(outage: Outage) -> None:
    """A change of tenant that was written down before takes effect on its day all the same."""
    _, leaving, entering = outage.living.numbers("future_payer")
    assert outage.shrunk.truth["today"] == "2026-11-04"
    assert not outage.shrunk.invoices(leaving)
    assert outage.shrunk.invoices(entering)


def test_with_dvv_down_the_own_registers_news_still_reaches_finance(outage: Outage) -> None:
    outcome = outage.dvv_down.outcome
    assert outcome.status == "failed"
    assert "dvv" in outcome.letter
    assert "answered 500" in outcome.letter
    assert [i["to"] for i in outage.dvv_down.invoices(outage.modern)] == ["003700000001 @ DABAFIHH"]


def test_the_next_good_night_repairs_everything(outage: Outage) -> None:
    """Also for those whom the held export left out of what DVV was asked."""
    assert outage.good.outcome.status == "attention"
    new = outage.living.person(outage.mover).home(outage.living.town.today).line()
    assert outage.dvv_down.party(outage.mover)["street_line"] != new
    assert outage.good.party(outage.mover)["street_line"] == new
    assert [i["to"].split(",")[0] for i in outage.good.invoices(outage.mover)] == [new]


# --- the population register ------------------------------------------------------------------------------

DOWN = {
    "http_500": ("down", "answered 500"),
    "timeout": ("down", "timed out"),
    "half_response": ("down", "half-way"),
    "unauthorised": ("refused", "credentials not accepted"),
    "cursor_back": ("refused", "offers position"),
}


@pytest.mark.parametrize("fault", DOWN)
def test_a_population_register_that_fails_is_asked_again_from_where_we_were(
    hub: Living, fault: str
) -> None:
    hub.configure("sources/dvv.yml", timeout=0.2)
    number = hub.ordinary_payers()[0]
    hub.move(number)
    hub.town.advance(quiet=True)
    before = hub.cursor("dvv"), hub.table(LANDED)
    hub.town.fault("dvv", fault, 99)
    assert hear(hub, "dvv").status == "failed"
    status, word = DOWN[fault]
    assert hub.feed("dvv").status == status
    assert word in hub.feed("dvv").reason
    assert hub.cursor("dvv") == before[0]
    assert hub.table(LANDED).equals(before[1])
    hub.town.clear_faults()
    hear(hub, "dvv")
    news = hub.table(LANDED).merge(
        before[1], on=["source", "source_key", "content_hash"], how="left"
    )
    assert hub.person(number).home("2026-11-03").street in str(
        news.loc[news["kind_y"].isna(), "content_x"].tolist()
    )
    assert hub.cursor("dvv") != before[0]


def test_too_many_requests_are_waited_out_as_the_service_asks(hub: Living) -> None:
    waited: list[float] = []
    house = impatient(hub)
    assert house.sources is not None
    source = house.sources["dvv"]
    assert isinstance(source, Dvv)
    source._sleep = waited.append
    hub.move(hub.ordinary_payers()[0])
    hub.town.advance(quiet=True)
    hub.town.fault("dvv", "http_429", 2)
    result = ingest(house.night(hub.town.today), house.settings.sources["dvv"], lambda: source)
    house.close()
    assert result.status != "failed"
    assert waited == [1.0, 1.0]


class Muddle(NamedTuple):
    """A night whose DVV repeats, reorders and adds."""

    living: Living
    muddled: Morning


@pytest.fixture(scope="module")
def muddle(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Muddle]:
    with continued(founded, tmp_path_factory.mktemp("muddle")) as living:
        for kind in ("repeated", "reordered", "unknown_group", "uninvited"):
            living.town.fault("dvv", kind, 9)
        muddled = living.morning(living.next_night())
        yield Muddle(living, muddled)


def test_repeated_and_reordered_changes_amount_to_what_is_so(muddle: Muddle) -> None:
    for story in ("mover", "marriage", "payer_change"):
        number = muddle.living.number(story)
        person = muddle.living.person(number)
        assert muddle.muddled.party(number)["display_name"] == person.name
        assert muddle.muddled.party(number)["street_line"] == person.home("2026-11-03").line()
    assert muddle.muddled.party(muddle.living.number("death"))["is_deceased"]
    assert muddle.muddled.party(muddle.living.number("protection_on"))["protection"] == "on"


def test_a_group_nobody_has_heard_of_is_loud(muddle: Muddle) -> None:
    assert "TUULENSUUNTA" in muddle.muddled.outcome.letter
    assert "luode" not in muddle.living.bytes().decode(errors="replace")


def test_somebody_base_data_leaves_out_is_counted_and_asked_about_until_it_tells(
    hub: Living,
) -> None:
    number = hub.ordinary_payers()[0]
    hub.write_down(hub.number("refused_row"), HETU_YTUNNUS="")  # else DVV is asked of them first
    new = hub.move(number)
    hub.town.advance(quiet=True)
    hub.town.fault("dvv", "left_out", 1)
    assert hear(hub, "dvv").counts["faults"] == 1
    assert "no_base_data" in set(hub.morning().refused["rule"])

    hub.town.advance(quiet=True)
    assert hear(hub, "dvv").counts["landed"] == 1
    assert new.split()[0] in str(hub.table(LANDED)["content"].tolist())
    assert "no_base_data" not in set(hub.morning().refused["rule"])
    hub.town.advance(quiet=True)
    assert hear(hub, "dvv").counts["fetched"] == 0


def test_people_dvv_adds_unasked_leave_no_trace(muddle: Muddle) -> None:
    """R9, DESIGN 4: looked for in every byte under HOME the morning after."""
    dvv = muddle.living.town._registers["dvv"]
    assert isinstance(dvv, DvvApi)
    strangers = dvv._strangers()
    assert len(strangers) == 2
    assert traces(muddle.living.home, muddle.muddled.truth["canaries"]) == []
    codes = [stranger["henkilotunnus"] for stranger in strangers]
    assert traces(muddle.living.home, codes) == []
    assert muddle.living.feed("dvv").status == "ok"


# --- rows and values ------------------------------------------------------------------------------------

WILD = {
    "decomposed": unicodedata.normalize("NFD", "Mäkelä Äijä"),
    "quoted": 'Virtanen "Ville" Matti',
    "emoji": "Nieminen Aino \U0001f600",
    "semicolon": "Lahtinen; Eeva",
}
FORMULA = "=HYPERLINK(1) Matti"
REFUSED_NAMES = {
    "endless": "Pitkä " + "a" * 494,
    "damaged": "Koski Matti\x00",
}


def as_utf8(tables: dict[str, list[dict[str, str]]], stamp: str) -> dict[str, bytes]:
    return own_register.delivery(tables, stamp, encoding="utf-8")


def as_workbooks(tables: dict[str, list[dict[str, str]]], stamp: str) -> dict[str, bytes]:
    """The same delivery as workbooks, one a table, every cell text."""
    files: dict[str, bytes] = {}
    marker = {}
    for table, rows in tables.items():
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        columns = own_register.TABLES[table]
        sheet.append(columns)
        for row in rows:
            sheet.append([row.get(column) or None for column in columns])
            for cell in sheet[sheet.max_row]:
                if cell.value is not None:
                    cell.data_type = "s"
        out = io.BytesIO()
        book.save(out)
        files[f"{table}_{stamp}.xlsx"] = out.getvalue()
        digest = hashlib.sha256(out.getvalue()).hexdigest()
        marker[f"{table}_{stamp}.xlsx"] = {"rivit": len(rows), "sha256": digest}
    return files | {f"valmis_{stamp}.json": json.dumps({"tiedostot": marker}).encode()}


def bomb() -> bytes:
    """A workbook whose sheet unpacks to half a gigabyte."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            for _ in range(512):
                sheet.write(b" " * (1 << 20))
    return out.getvalue()


class Rows(NamedTuple):
    """wild: the night of an export full of odd values. mended: the night after its correction."""

    living: Living
    names: dict[str, str]
    twice: str
    wild: Morning
    mended: Morning


@pytest.fixture(scope="module")
def rows(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rows]:
    with continued(founded, tmp_path_factory.mktemp("rows")) as living:
        living.configure("sources/registrations.yml", encoding="utf-8")
        people = living.ordinary_payers("SAHKOPOSTI")
        odd = WILD | {"formula": FORMULA} | REFUSED_NAMES
        names = dict(zip(odd, people, strict=False))
        twice = living.ordinary_payers()[0]
        for kind, name in odd.items():
            living.write_down(names[kind], NIMI=name, HETU_YTUNNUS="")
        stamp = next_day(living)
        tables = living.town._founded.register.tables()
        same = dict(living.row(twice))
        other = same | {"PUHELIN": "050 555 4321"}
        written(living, as_utf8(tables | {"asiakkaat": [*tables["asiakkaat"], same, other]}, stamp))
        wild = living.morning(living.night())

        for kind in ("formula", *REFUSED_NAMES):
            living.write_down(names[kind], NIMI=living.person(names[kind]).name)
        thirteen = living.number("refused_row")
        living.write_down(thirteen, POSTINRO=living.row(thirteen)["POSTINRO"][:5])
        stamp = next_day(living)
        written(living, as_utf8(living.town._founded.register.tables(), stamp))
        mended = living.morning(living.night())
        yield Rows(living, names, twice, wild, mended)


def test_odd_but_possible_names_come_through_whole(rows: Rows) -> None:
    expected = {
        "decomposed": "Mäkelä Äijä",
        "quoted": 'Virtanen "Ville" Matti',
        "emoji": "Nieminen Aino \U0001f600",
        "semicolon": "Lahtinen Eeva",
    }
    for kind, name in expected.items():
        number = rows.names[kind]
        assert rows.wild.party(number)["display_name"] == name
        assert {i["name"] for i in rows.wild.invoices(number)} == {name}


def test_one_name_that_no_delivery_can_carry_keeps_back_nobody_elses_bill(rows: Rows) -> None:
    number = rows.names["formula"]
    assert rows.wild.outcome.status == "attention"
    assert rows.wild.held[rows.wild.id_of(number)] == "unsendable"
    assert rows.wild.invoices(number) == []
    assert rows.mended.id_of(number) not in rows.mended.held
    assert rows.mended.invoices(number)


@pytest.mark.parametrize("kind", REFUSED_NAMES)
def test_an_impossible_name_waits_in_quarantine_and_the_last_good_one_stands(
    rows: Rows, kind: str
) -> None:
    number = rows.names[kind]
    assert number in set(rows.wild.refused["source_key"])
    assert rows.wild.party(number)["display_name"] != REFUSED_NAMES[kind]
    for told in rows.wild.told_rows(number):
        assert REFUSED_NAMES[kind] not in told["invoice_name"]


def test_what_its_source_corrects_leaves_quarantine_by_itself(rows: Rows) -> None:
    thirteen = rows.living.number("refused_row")
    assert thirteen in set(rows.wild.refused["source_key"])
    assert thirteen not in rows.wild.customers.index
    assert thirteen not in set(rows.mended.refused["source_key"])
    assert rows.mended.invoices(thirteen)
    for kind in REFUSED_NAMES:
        assert rows.names[kind] not in set(rows.mended.refused["source_key"])


def test_a_row_that_comes_twice_counts_once_and_one_that_differs_is_shown(rows: Rows) -> None:
    mine = rows.wild.refused[rows.wild.refused["source_key"] == rows.twice]
    assert list(mine["rule"]) == ["duplicate_key"]
    assert rows.wild.party(rows.twice)["phone"] == "+358505554321"
    assert len(rows.wild.invoices(rows.twice)) == 1


def test_the_same_register_as_workbooks_says_nothing_new_and_a_bomb_is_refused(
    rows: Rows,
) -> None:
    living = rows.living
    landed = living.table(LANDED).set_index(["source", "kind", "source_key"])["content_hash"]
    files = {table: {"pattern": f"{table}_{{date}}.xlsx"} for table in own_register.TABLES}
    living.configure("sources/registrations.yml", format="xlsx", files=files)
    stamp = next_day(living)
    written(living, as_workbooks(living.town._founded.register.tables(), stamp))
    result = hear(living, OWN)
    assert living.feed(OWN).status == "ok"
    now = living.table(LANDED).set_index(["source", "kind", "source_key"])["content_hash"]
    assert now[landed.index].equals(landed)
    # people without a role are read from each new export, and gone by the morning
    assert result.counts["landed"] == len(rows.mended.truth["non_customers"])

    tonight = as_workbooks(living.town._founded.register.tables(), stamp)
    name = f"asiakkaat_{stamp}.xlsx"
    tonight[name] = bomb()
    marker = json.loads(tonight[f"valmis_{stamp}.json"])
    marker["tiedostot"][name]["sha256"] = hashlib.sha256(tonight[name]).hexdigest()
    written(living, tonight | {f"valmis_{stamp}.json": json.dumps(marker).encode()})
    before = living.cursor(OWN)
    assert hear(living, OWN).status == "failed"
    assert living.feed(OWN).status == "refused"
    assert living.cursor(OWN) == before


# --- a hub that may not start ---------------------------------------------------------------------------


def test_without_its_key_the_hub_asks_nobody_and_tells_nobody(
    hub: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DESIGN 2: a missing, foreign or open key ends the night before it begins."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    hub.move(hub.ordinary_payers()[0])
    hub.town.advance(quiet=True)
    before = hub.table(LANDED), hub.inbox()
    key = hub.home / KEY_FILE
    kept = key.read_bytes()

    def refused(word: str) -> None:
        outcome = hub.night()
        assert outcome.status == "failed"
        assert any(word in line for _, line in outcome.failures)
        assert hub.table(LANDED).equals(before[0])
        assert hub.inbox() == before[1]

    key.unlink()
    refused("no person key")
    monkeypatch.setenv(KEY_VARIABLE, "ab" * 32)
    refused("not the one the register was built with")
    monkeypatch.delenv(KEY_VARIABLE)
    key.write_bytes(kept)
    key.chmod(0o644)
    refused("chmod 600")


def test_a_store_of_an_older_schema_refuses_to_start(hub: Living) -> None:
    with hub.opened() as house, transaction(house.engine) as conn:
        conn.execute(update(schema_version).values(version_num="0000"))
    with pytest.raises(OldSchema, match="hub migrate"):
        hub.night()
