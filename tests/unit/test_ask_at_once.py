"""Several registers asked together: nobody waits for the slowest, and nothing leaves once nobody waits."""

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from connectors.base import Ask, Batch, Malformed, Refused, Unavailable
from pipelines.settings import SourceConfig
from pipelines.steps.ask_at_once import Question, Reply, ask_at_once

SOON = 0.3
LONG = 30


class Fake:
    """A register that does as told; `step` is run with the question."""

    def __init__(self, step: Callable[[Ask], None] = lambda _: None) -> None:
        self._step = step

    def fetch(self, ask: Ask) -> Batch:
        self._step(ask)
        return Batch((), {}, 7)

    def check(self) -> str:
        return "here"


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Set when the test is over, so that no fake hangs for ever."""
    event = threading.Event()
    yield event
    event.set()


def question(
    name: str,
    step: Callable[[Ask], None] = lambda _: None,
    announce: Callable[[str, Sequence[str]], None] = lambda *_: None,
) -> Question:
    config = SourceConfig.model_validate(
        {"name": name, "title": name, "connector": "dvv", "notice_source": "update_services"}
    )
    return Question(config, Fake(step), Ask(None, frozenset(), "2026-11-02", announce))


def raising(error: Exception) -> Callable[[Ask], None]:
    def step(_: Ask) -> None:
        raise error

    return step


def by_name(replies: Sequence[Reply]) -> dict[str, Reply]:
    return {r.config.name: r for r in replies}


def test_whoever_answers_is_heard_though_another_hangs(released: threading.Event) -> None:
    replies = ask_at_once(
        [question("slow", lambda _: released.wait() and None), question("quick")], SOON
    )
    assert [(r.config.name, r.outcome) for r in replies] == [
        ("slow", "no_answer"),
        ("quick", "answered"),
    ]
    assert replies[1].batch is not None
    assert replies[1].batch.fetched == 7


def test_they_are_asked_at_the_same_time_and_not_one_after_the_other() -> None:
    meeting = threading.Barrier(3, timeout=LONG)
    replies = ask_at_once([question(n, lambda _: meeting.wait() and None) for n in "abc"], LONG)
    assert [r.outcome for r in replies] == ["answered"] * 3


@pytest.mark.parametrize(
    ("error", "outcome", "line"),
    [
        (Unavailable("POST x:1/a timed out"), "down", "POST x:1/a timed out"),
        (Refused("401"), "refused", "401"),
        (Malformed("no JSON"), "refused", "no JSON"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_a_register_that_says_no_is_told_in_its_own_line(
    error: Exception, outcome: str, line: str
) -> None:
    (reply,) = ask_at_once([question("x", raising(error))], LONG)
    assert (reply.outcome, reply.line, reply.batch) == (outcome, line, None)


def test_an_error_nobody_foresaw_takes_no_value_along_and_spoils_no_other_answer() -> None:
    replies = by_name(
        ask_at_once([question("x", raising(KeyError("Virtanen"))), question("y")], LONG)
    )
    assert replies["x"].outcome == "broken"
    assert "Virtanen" not in replies["x"].line
    assert "KeyError" in replies["x"].line
    assert replies["y"].outcome == "answered"


def test_who_was_asked_about_is_known_of_every_reply(released: threading.Event) -> None:
    logged: list[tuple[str, Sequence[str]]] = []

    def hangs(ask: Ask) -> None:
        ask.announce("muutokset", ["k1", "k2"])
        released.wait()

    (reply,) = ask_at_once([question("x", hangs, lambda o, k: logged.append((o, k)))], SOON)
    assert reply.announced == {"k1", "k2"}
    assert logged == [("muutokset", ["k1", "k2"])]


def test_nothing_is_asked_any_more_once_nobody_waits(released: threading.Event) -> None:
    """A slow thread that comes to its question after the deadline may neither log nor send it."""
    logged: list[object] = []
    sent: list[object] = []
    ended = threading.Event()

    def late(ask: Ask) -> None:
        released.wait()
        try:
            ask.announce("perustiedot", ["k1"])
            sent.append("asked")
        finally:
            ended.set()

    (reply,) = ask_at_once([question("x", late, lambda *told: logged.append(told))], SOON)
    released.set()
    assert ended.wait(LONG)
    assert (reply.outcome, logged, sent) == ("no_answer", [], [])


def test_a_question_that_could_not_be_logged_is_not_asked() -> None:
    sent: list[object] = []

    def asks(ask: Ask) -> None:
        ask.announce("muutokset", ["k1"])
        sent.append("asked")

    def full(*_: object) -> None:
        raise OSError("disk full")

    (reply,) = ask_at_once([question("x", asks, full)], LONG)
    assert (reply.outcome, reply.announced, sent) == ("broken", frozenset(), [])


def test_no_thread_keeps_the_process_from_ending(released: threading.Event) -> None:
    ask_at_once([question("x", lambda _: released.wait() and None)], SOON)
    (hanging,) = [t for t in threading.enumerate() if t.name == "asking x"]
    assert hanging.daemon
