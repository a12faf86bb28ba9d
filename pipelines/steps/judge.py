"""Take a steward's verdict on two records, or take it back.

Belongs here: whether a verdict can hold, writing it with who, when, why and on whose authority. Does not
belong here: what follows (the next night's matching reads judgements like any other change), showing the pair
(`review`).
"""

import re
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from sqlalchemy import Connection

from connectors.identity import Identity, read_identity
from pipelines.steps import lay_open
from pipelines.steps.around import Around, NotFound, Pair
from pipelines.steps.decide import Undecidable
from pipelines.steps.lay_open import Outlook
from pipelines.steps.night import Night, executing
from pipelines.steps.review import log, pair_of
from pipelines.steps.second_person import demand_two
from pipelines.store import judgements

Verdict = Literal["same", "different", "unsure"]
_PURPOSE = "decision on a pair"


@dataclass(frozen=True)
class Judged:
    """A verdict as it was written; left, right: the records as a steward writes them."""

    judgement_no: int
    left: str
    right: str
    outlook: Outlook


def judge(
    night: Night,
    review_no: int | None,
    records: tuple[str, str] | None,
    verdict: Verdict,
    *,
    who: str,
    why: str,
    authority: str | None = None,
    approved_by: str | None = None,
) -> Judged:
    """Write a verdict on a pair of the queue, or on any two records; it binds from the next night on.

    Raises Undecidable where it could not hold, or where the reason holds what the register must not. approved_by: as
    `second_person.demand_two` wants it, whatever the verdict.
    """
    _refuse_codes(why, authority or "")
    with executing(night, "judge") as step:
        pair, waits = pair_of(step.conn, review_no, records)
        outlook, handles, is_protected = _seen(step.conn, pair)
        if verdict == "same" and outlook.obstacle:
            raise Undecidable(_NEVER[outlook.obstacle], says=f"review.never_{outlook.obstacle}")
        if is_protected:
            about = " and ".join(handles) if waits is None else f"pair {waits['review_no']}"
            demand_two(who, approved_by, about, "Parit", outlook.parties)
        number = judgements.record(
            step.conn, *pair, verdict,
            by=who, reason=why, now=night.now(), step_run=step.id, authority=authority,
        )  # fmt: skip
        detail = f"judgement {number}"
        log(step.conn, night, who, f"review {verdict}", outlook.parties, _PURPOSE, detail)
        return Judged(number, *handles, outlook)


def undo(
    night: Night, judgement_no: int, *, who: str, why: str, approved_by: str | None = None
) -> Judged:
    """Take a standing verdict back; the next night weighs the pair as if nobody had judged it.

    approved_by: as `second_person.demand_two` wants it.
    """
    _refuse_codes(why)
    with executing(night, "judge") as step:
        given = judgements.given(step.conn, judgement_no)
        if given is None:
            raise NotFound(
                f"there is no decision {judgement_no}; see: hub review list --decided",
                says="no.decision", n=judgement_no,
            )  # fmt: skip
        if pd.notna(given["superseded_by"]):
            raise Undecidable(
                f"decision {judgement_no} no longer stands: {int(given['superseded_by'])} took its "
                "place; see: hub review list --decided",
                says="no.decision_superseded", n=judgement_no,
            )  # fmt: skip
        if given["verdict"] == "undone":
            raise Undecidable(
                f"entry {judgement_no} is itself an undoing; decide anew instead",
                says="no.decision_undone", n=judgement_no,
            )  # fmt: skip
        one = str(given["left_source"]), str(given["left_key"])
        other = str(given["right_source"]), str(given["right_key"])
        outlook, handles, is_protected = _seen(step.conn, (one, other))
        if is_protected:
            about = f"decision {judgement_no}"
            demand_two(who, approved_by, about, "Omat päätökseni", outlook.parties)
        number = judgements.record(
            step.conn, one, other, "undone",
            by=who, reason=why, now=night.now(), step_run=step.id,
        )  # fmt: skip
        detail = f"judgement {judgement_no}"
        log(step.conn, night, who, "review undo", outlook.parties, _PURPOSE, detail)
        return Judged(number, *handles, outlook)


def _seen(conn: Connection, pair: Pair) -> tuple[Outlook, tuple[str, str], bool]:
    """What a yes would do, both records as a steward writes them, whether either is under a protective order."""
    around = Around(conn, pair)
    found = lay_open.weighed(conn, [pair], around)[0]
    outlook = lay_open.outlook(pair, found, around)
    handles = (around.handle(pair[0]), around.handle(pair[1]))
    return outlook, handles, any(map(around.is_protected, pair))


_NEVER = {
    "two_identities": "two identity codes or business ids: never one party whatever a steward says; "
    "if one of them is wrong, have its source mend it",
    "two_kinds": "one is a person and the other an organisation: never one party; if one is of the "
    "wrong kind, have its source mend it",
}


def _refuse_codes(*texts: str) -> None:
    """No identity code is kept at rest (DESIGN 2), not in a steward's words either."""
    words = [word for text in texts for word in re.split(r"[\s,;:()]+", text)]
    if any(isinstance(read_identity(word.strip("."), True), Identity) for word in words):
        raise Undecidable(
            "the reason holds an identity code, which the hub never keeps; say it without the code",
            says="no.identity_code",
        )
