"""Ask several registers at the same time while a person waits, and wait for none of them too long.

Belongs here: the threads, the one deadline, what becomes of an answer that comes after it. Does not belong
here: whom to ask about what, landing (`refresh_address`, `ingest`).

A thread only ever waits for the network: what it writes (`Ask.announce`) is a transaction of its own, over
before the question leaves. Threads are daemons, so that a register that never answers holds up neither the
others nor the end of the process.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Literal

from connectors.base import Ask, Batch, ConnectorError, Source, Unavailable
from pipelines.errors import told
from pipelines.settings import SourceConfig

Outcome = Literal["answered", "no_answer", "down", "refused", "broken"]


@dataclass(frozen=True)
class Question:
    """What to ask of whom."""

    config: SourceConfig
    source: Source
    ask: Ask


@dataclass(frozen=True)
class Reply:
    """What one register made of its question.

    batch: when it answered in time. line: why it did not (hosts, rules, counts). announced: the keys it
    was asked about by name. seconds: how long it took.
    """

    config: SourceConfig
    outcome: Outcome
    batch: Batch | None = None
    line: str = ""
    announced: frozenset[str] = frozenset()
    seconds: float = 0.0


class _TooLate(Exception):
    """Nobody waits for the answer any more, so the question may not leave."""


class _Asking:
    """One question on its way, in a thread of its own."""

    def __init__(
        self, question: Question, replies: SimpleQueue[Reply], over: threading.Event
    ) -> None:
        self._question = question
        self._replies = replies
        self._over = over
        self._announced: list[str] = []
        self._started = time.monotonic()
        name = f"asking {question.config.name}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def reply(self, outcome: Outcome, batch: Batch | None = None, line: str = "") -> Reply:
        """The reply as of now."""
        seconds = time.monotonic() - self._started
        announced = frozenset(self._announced)
        return Reply(self._question.config, outcome, batch, line, announced, seconds)

    def _announce(self, operation: str, keys: Sequence[str]) -> None:
        if self._over.is_set():
            raise _TooLate
        self._question.ask.announce(operation, keys)
        self._announced.extend(keys)

    def _run(self) -> None:
        try:
            batch = self._question.source.fetch(
                replace(self._question.ask, announce=self._announce)
            )
        except _TooLate:
            return
        except ConnectorError as error:
            outcome: Outcome = "down" if isinstance(error, Unavailable) else "refused"
            self._replies.put(self.reply(outcome, line=told(error)))
        except Exception as error:  # noqa: BLE001 - the others' answers must not be lost for it
            self._replies.put(self.reply("broken", line=told(error)))
        else:
            self._replies.put(self.reply("answered", batch))


def ask_at_once(questions: Sequence[Question], patience: float) -> list[Reply]:
    """Ask all; returns in `patience` seconds at the latest, one reply a question in their order.

    What is not there by then is `no_answer`, and is thrown away if it still comes: whatever it would have
    said is heard by the next night.
    """
    replies: SimpleQueue[Reply] = SimpleQueue()
    over = threading.Event()
    deadline = time.monotonic() + patience
    asking = {q.config.name: _Asking(q, replies, over) for q in questions}
    heard: dict[str, Reply] = {}
    while len(heard) < len(asking):
        try:
            reply = replies.get(timeout=max(deadline - time.monotonic(), 0))
        except Empty:
            break
        heard[reply.config.name] = reply
    over.set()
    return [heard.get(name) or one.reply("no_answer") for name, one in asking.items()]
