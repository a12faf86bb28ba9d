"""The catalogue of texts is whole: every id in use, every language, no hole left unfilled (DESIGN 17)."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

from connectors import tabular
from connectors.sources.address_batch import FAULTS, GRADES
from expectations import feeds
from expectations.rules import BY_TABLE, MEANINGS
from pipelines.assets.stage import DESK
from pipelines.contracts import Basis, Ground
from pipelines.domain.comparison import COMPARED
from pipelines.domain.consequence import REASONS as REASONS_TO_LOOK
from pipelines.domain.evidence import EVIDENCE
from pipelines.domain.fields import Kind, Privacy
from pipelines.domain.standardise import REASONS
from pipelines.domain.told import Outcome
from pipelines.domain.wording import GUARDS, PICTURES, STRENGTHS, phrase
from pipelines.settings import load_settings, shipped, site_files
from pipelines.steps import ask_in_batches, ingest, prepare_extract, reconcile, standardise
from pipelines.steps import deliver as delivering
from pipelines.steps import match as matching
from pipelines.steps.judge import Verdict
from pipelines.steps.log_lookup import BATCH
from pipelines.steps.night import Status
from pipelines.steps.prepare_extract import Forecast
from pipelines.steps.refresh_address import Status as Heard
from pipelines.steps.weigh import Way
from pipelines.texts import Language, Texts, catalogue

ROOT = Path(__file__).parents[2]
LANGUAGES = get_args(Language)
STEPS = sorted((ROOT / "pipelines" / "steps").glob("*.py"))
SPEAKERS = sorted((ROOT / "pipelines").rglob("*.py"))
CHECKS = (
    *ingest.INGEST_CHECKS,
    *feeds.CHECKS,
    *standardise.STANDARDISE_CHECKS,
    *prepare_extract.EXTRACT_CHECKS,
    *delivering.DELIVER_CHECKS,
    *matching.MATCH_CHECKS,
    *reconcile.RECONCILE_CHECKS,
    *ask_in_batches.ASK_CHECKS,
)


SETTINGS = load_settings(Path("nowhere"), {})
# what stands in the disclosure log: contracts' columns, what questions are asked with and what they ask
COLUMNS = tuple(
    {
        *(column for contract in SETTINGS.recipients.values() for column in contract.columns),
        *(name for source in SETTINGS.sources.values() for name in source.asks_with),
    }
)
# what a contract's columns are made of, which Dagster's page lists beside each
SHOWN = tuple(
    {
        field
        for contract in SETTINGS.recipients.values()
        for column in contract.fields
        for field in column.made_of
    }
)
OPERATIONS = tuple(
    {
        node.args[0].value
        for path in sorted((ROOT / "connectors" / "sources").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("ask.announce")
        and isinstance(node.args[0], ast.Constant)
    }
)


# why a golden value stands (domain.survivorship)
RULES = (
    "only_source", "own_notice_newer", "own_notice_within_margin", "update_service", "source_order",
    "most_protective", "protected_contact", "death_authority", "death_reported",
)  # fmt: skip


# whatever a fact can show of a pair
EVIDENCE_NAMES = sorted(
    {
        shown
        for evidence in EVIDENCE.values()
        for fact, levels in evidence.levels.items()
        for level in levels
        if (shown := phrase({fact: level}, [fact]))
    }
)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def holes(text: str) -> set[str]:
    """The {names} that a text leaves to be filled in."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def spoken(path: Path) -> Iterator[tuple[str, set[str] | None]]:
    """Ids a module says, and what it fills in where that is written out; a computed id as a pattern."""
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call) or ast.unparse(node.func).split(".")[-1] != "say":
            continue
        filled = {k.arg for k in node.keywords if k.arg}
        given = None if any(k.arg is None for k in node.keywords) else filled
        match node.args[0] if node.args else None:
            case ast.Constant(value=str(entry)):
                yield re.escape(entry), given
            case ast.JoinedStr(values=parts):
                fixed = [re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in parts]
                yield "".join(fixed), None


def counted(path: Path) -> Iterator[str]:
    """Names of counts that a step gives away, up to the colon."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.endswith("counts.update"):
                yield from (k.arg for k in node.keywords if k.arg)
            shown = [k.value for k in node.keywords if k.arg == "counts"]
            shown += node.args[3:4] if called == "Check" else []
            for mapping in shown:
                for part in ast.walk(mapping):
                    keys = part.keys if isinstance(part, ast.Dict) else []
                    keys = [part.key] if isinstance(part, ast.DictComp) else keys
                    yield from (name for key in keys if (name := words(key)))
        if (
            isinstance(node, ast.Subscript)
            and ast.unparse(node.value).endswith(".counts")
            and (name := words(node.slice))
        ):
            yield name


def words(key: ast.expr | None) -> str:
    if isinstance(key, ast.JoinedStr):
        key = key.values[0]
    value = key.value if isinstance(key, ast.Constant) else ""
    return str(value).partition(":")[0]


@pytest.mark.parametrize("entry", catalogue())
def test_a_text_is_there_in_every_language_with_the_same_holes(entry: str) -> None:
    texts = catalogue()[entry]
    assert set(texts) == set(LANGUAGES)
    assert all(t.strip() == t and t for t in texts.values())
    assert len({frozenset(holes(t)) for t in texts.values()}) == 1


@pytest.mark.parametrize("path", SPEAKERS, ids=lambda p: p.name)
def test_what_is_said_is_in_the_catalogue_and_filled_in_whole(path: Path) -> None:
    for pattern, given in spoken(path):
        entries = [e for e in catalogue() if re.fullmatch(pattern, e)]
        assert entries, f"no text {pattern}"
        for entry in entries if given is not None else ():
            assert holes(catalogue()[entry]["fi"]) <= given, f"{entry} is left with a hole"


@pytest.mark.parametrize("path", STEPS, ids=lambda p: p.name)
def test_every_count_has_words(path: Path) -> None:
    for name in counted(path):
        for language in LANGUAGES:
            assert Texts(language).counted(name)


def test_counts_are_really_found_in_the_steps() -> None:
    found = {name for path in STEPS for name in counted(path)}
    assert {"fetched", "dropped", "minted", "customers", "held_customers", "unlogged"} <= found


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_asks_a_question_in_words(name: str) -> None:
    for language in LANGUAGES:
        assert len(Texts(language).check(name)) > 10


def test_no_check_is_shown_that_no_step_answers_and_back() -> None:
    made = {
        node.args[0].value
        for path in STEPS
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "Check"
        and isinstance(node.args[0], ast.Constant)
    }
    assert made <= set(CHECKS)
    assert {e.partition(".")[2] for e in catalogue() if e.startswith("check.")} == set(CHECKS)


@pytest.mark.parametrize(
    ("family", "members"),
    [
        ("status", get_args(Status)),
        ("letter", get_args(Status)),
        ("asset", tuple(DESK)),
        ("layer", tuple(DESK)),
        ("field", SHOWN),
        ("type", get_args(Kind)),
        ("privacy", get_args(Privacy)),
        ("category", (*(c.name for c in SETTINGS.notice.categories), "beyond")),
        ("heard", get_args(Heard)),
        ("tonight", (*get_args(Forecast), "nothing", "held")),
        ("rule", RULES),
        ("field", COMPARED),
        ("matters", REASONS_TO_LOOK),
        ("fault", tuple({*tabular._REASONS, *FAULTS, "duplicate_key"} - set(MEANINGS))),
        ("quarantine", get_args(Way)),
        ("guard", tuple(GUARDS)),
        ("guard_in_short", tuple(GUARDS)),
        ("weight", STRENGTHS),
        ("picture", PICTURES),
        ("verdict", get_args(Verdict)),
        ("role", ("holder", "payer", "owner", "contact")),
        ("evidence", tuple(EVIDENCE_NAMES)),
        ("outcome", get_args(Outcome)),
        ("basis", get_args(Basis)),
        ("ground", get_args(Ground)),
        ("purpose", tuple(p.name for p in SETTINGS.notice.purposes)),
        ("operation", ("delivery", BATCH, *OPERATIONS)),
        ("grade", (*GRADES, "unreadable", "contradictory", "unanswered")),
        ("column", COLUMNS),
        ("todo.feed", ("down", "refused", "held", "missing")),
        ("todo.delivery", ("waiting", "unsent", "uncertain")),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_whatever_a_code_can_be_has_words(family: str, members: tuple[str, ...]) -> None:
    joint = "_" if family.startswith("todo") else "."
    assert [m for m in members if f"{family}{joint}{m}" not in catalogue()] == []


def test_questions_to_registers_are_really_found() -> None:
    assert set(OPERATIONS) == {"muutokset", "perustiedot", "companies"}


def test_there_are_words_for_no_evidence_that_nothing_shows() -> None:
    worded = {e.partition(".")[2] for e in catalogue() if e.startswith("evidence.")}
    assert worded == set(EVIDENCE_NAMES)


def test_every_reason_to_hold_somebody_back_has_words_and_no_other_does() -> None:
    """The obstacles that the domain's extracts choose from, and what a step finds it can't send."""
    extract = tree(ROOT / "pipelines" / "domain" / "extract.py")
    where = [
        n for n in ast.walk(extract) if isinstance(n, ast.FunctionDef) and n.name == "_obstacle"
    ] + [
        value
        for n in ast.walk(extract)
        if isinstance(n, ast.Dict)
        for key, value in zip(n.keys, n.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "obstacle"
    ]
    chosen = {
        choice.value
        for part in where
        for node in ast.walk(part)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.select"
        for choice in ast.walk(node.args[1])
        if isinstance(choice, ast.Constant) and isinstance(choice.value, str)
    }
    elsewhere = ("steps/prepare_extract.py", "domain/connections.py")
    written = {
        n.value
        for file in elsewhere
        for n in ast.walk(tree(ROOT / "pipelines" / file))
        if isinstance(n, ast.Constant)
    }
    reasons = {e.partition(".")[2] for e in catalogue() if e.startswith("held.")}
    assert "protected_no_route" in chosen
    assert chosen <= reasons
    assert reasons - chosen <= written, "a reason that nothing gives"


def test_no_reason_to_believe_somebody_has_words_that_survivorship_does_not_give() -> None:
    source = tree(ROOT / "pipelines" / "domain" / "survivorship.py")
    given = {n.value for n in ast.walk(source) if isinstance(n, ast.Constant)}
    worded = {e.partition(".")[2] for e in catalogue() if e.startswith("rule.")}
    assert worded == set(RULES)
    assert worded <= given


# --- rules ------------------------------------------------------------------------------------------------


def test_every_rule_has_a_meaning_and_every_meaning_a_rule() -> None:
    asked = {rule.name for rules in BY_TABLE.values() for rule in rules} | set(REASONS)
    assert asked <= set(MEANINGS)
    # the three that a schema's own fields make (expectations.suites)
    assert set(MEANINGS) - asked <= {"required_missing", "value_shape", "value_too_long"}


@pytest.mark.parametrize("rule", MEANINGS)
def test_a_meaning_is_one_sentence_in_every_language(rule: str) -> None:
    assert set(MEANINGS[rule]) == set(LANGUAGES)
    for sentence in MEANINGS[rule].values():
        assert re.fullmatch(r"[A-ZÅÄÖ0-9].+[^.]\.", sentence)
        assert not holes(sentence)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_put_into_the_letter_does_not_end_in_two_full_stops(language: Language) -> None:
    for meaning in (*(m[language] for m in MEANINGS.values()), "row 7: column NIMI: empty"):
        line = Texts(language).say(
            "todo.quarantine", n=1, source="dvv", rule="value_shape", meaning=meaning
        )
        assert ".." not in line
        assert meaning in line


@pytest.mark.parametrize(
    "name",
    [f.removesuffix(".yml") for f in site_files() if f.startswith(("sources/", "recipients/"))],
)
def test_a_counterparty_has_a_title_a_steward_knows_it_by(name: str) -> None:
    settings = load_settings(Path("nowhere"), {})
    kind, _, who = name.partition("/")
    title = (settings.sources if kind == "sources" else settings.recipients)[who].title
    assert title, shipped(f"{name}.yml")
