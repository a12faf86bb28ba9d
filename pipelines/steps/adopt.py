"""Take in the list a recipient holds already, so that the first live night tells differences, not everybody.

Belongs here: the checks a list has to pass, what would be told after it, recording it as told. Does not belong
here: reading the file (`cli`), which line is which row (`domain.adoption`). Adopting tells nobody anything: the log
gets one leaf with a count, and no disclosure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain.adoption import KEYS, Recognised, recognised
from pipelines.domain.disclosure import leaf
from pipelines.domain.schemas import GOLDEN, GOLDEN_POINTS, GOLDEN_ROLES
from pipelines.errors import HubError
from pipelines.settings import RecipientContract
from pipelines.steps.find_differences import compiled, find_differences
from pipelines.steps.night import Night, StepRun, executing, rehearsing
from pipelines.store import access, deliveries, disclosures, frames, holdings, nights

_OVER = ("ended", "merged")
_SHOWN = 5  # line numbers in a message


class NotAdopted(HubError):
    """The list can't be taken for what the recipient holds; nothing of it was kept."""


@dataclass(frozen=True)
class Adoption:
    """Counts. equal: nothing to tell. changed, ended: rows of the list that would be told anew, or as over.
    missing: rows of ours that the list lacks, told as new. unknown: lines about nobody here, left out. held: held back.
    """

    listed: int
    equal: int
    changed: int
    ended: int
    missing: int
    unknown: int
    held: int


def adopt(
    night: Night,
    contract: RecipientContract,
    listed: pd.DataFrame,
    who: str,
    *,
    unknown_share: float = 0.0,
    record: bool = False,
) -> Adoption:
    """What would be told if the recipient holds the list (text, by column); with `record`, from now on it does.

    A list taken in before is replaced. Raises NotAdopted, nothing being kept, for columns outside the contract or
    without those that name a row, for lines about the same row, for more unknown ones than `unknown_share`, and for
    a recipient that has been told by us already.
    """
    _demand_columns(contract, listed)
    doing = executing if record else rehearsing
    result: Adoption | None = None
    with doing(night, f"adopt:{contract.recipient}") as step:
        found = _recognised(step.conn, contract, listed)
        _demand_lines(contract, listed, found, unknown_share)
        _demand_untold(step.conn, contract)
        holdings.disown(step.conn, contract.recipient)
        holdings.adopt(step.conn, contract.recipient, found.rows)
        result = _compared(step, night, contract, listed, found)
        if record:
            nights.start_over(step.conn, f"extract:{contract.recipient}")
            _log(step.conn, night, contract, len(found.rows), who)
        step.counts.update(adopted=len(found.rows), unknown=len(found.unknown))
    if result is None:
        raise RuntimeError("an adoption without a result")
    return result


def _demand_columns(contract: RecipientContract, listed: pd.DataFrame) -> None:
    rule, name = contract.population.rule, contract.recipient
    if rule not in KEYS:
        raise NotAdopted(f"{name} holds no list of ours: {rule} has nothing to adopt")
    outside = sorted(set(listed.columns) - set(contract.columns))
    if outside:
        raise NotAdopted(
            f"{name}: columns outside the contract: {', '.join(outside)}; leave them out, or map them "
            f"(review recipients/{name}.yml: fields)"
        )
    lacking = [c for c in KEYS[rule] if c not in listed.columns]
    if lacking:
        raise NotAdopted(f"{name}: the list has no {' and '.join(lacking)} to know its lines by")


def _recognised(conn: Connection, contract: RecipientContract, listed: pd.DataFrame) -> Recognised:
    points = frames.read(conn, GOLDEN_POINTS)[["point_id", "point_ref"]]
    rule = contract.population.rule
    if rule == "payers_of_points":
        known = frames.read(conn, GOLDEN)[["party_id"]]
        gone = nights.redirects_into(conn, known)[["party_id"]]
        known = pd.concat([known, gone], ignore_index=True)
    else:
        roles = frames.read(conn, GOLDEN_ROLES)
        known = roles.loc[roles["role_type"] == "holder", ["point_id", "party_id"]]
    return recognised(listed, points, known, compiled(contract), rule)


def _demand_lines(
    contract: RecipientContract, listed: pd.DataFrame, found: Recognised, unknown_share: float
) -> None:
    name = contract.recipient
    if listed.empty:
        raise NotAdopted(f"{name}: the list is empty")
    if found.repeated:
        raise NotAdopted(f"{name}: {_lines(found.repeated)} speak of a row that another line has")
    if len(found.unknown) > unknown_share * len(listed):
        raise NotAdopted(
            f"{name}: {_lines(found.unknown)} are about nobody here; take them out of the list, or allow for "
            "a share of them (--unknown-share): they are then left out, and nothing is told about them"
        )


def _lines(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return f"lines {shown}{more}"


def _demand_untold(conn: Connection, contract: RecipientContract) -> None:
    if holdings.told_by_us(conn, contract.recipient) or deliveries.outstanding(
        conn, contract.recipient
    ):
        raise NotAdopted(
            f"{contract.recipient} has been told by us already: what it holds is known from that"
        )


def _compared(
    step: StepRun,
    night: Night,
    contract: RecipientContract,
    listed: pd.DataFrame,
    found: Recognised,
) -> Adoption:
    # everybody is looked at, whatever the last night has worked through
    whole = StepRun(step.conn, step.id, 0, None)
    differences = find_differences(whole, night, contract)
    told = differences.events
    is_new = ~told["row_key"].isin(found.rows["row_key"])
    words = [c for c in ("event", "connection") if c in told.columns]
    is_over = told[words].isin(_OVER).any(axis=1) & ~is_new
    changed = int((~is_new & ~is_over).sum())
    return Adoption(
        listed=len(listed),
        equal=len(found.rows) - changed - int(is_over.sum()),
        changed=changed,
        ended=int(is_over.sum()),
        missing=int(is_new.sum()),
        unknown=len(found.unknown),
        held=differences.held["party_id"].nunique(),
    )


def _log(conn: Connection, night: Night, contract: RecipientContract, rows: int, who: str) -> None:
    said = leaf(
        "policy-change",
        to=contract.recipient,
        contract=f"{contract.recipient}@{contract.version}",
        operation="adopt",
        n=rows,
        notice=night.settings.notice.version,
    )
    disclosures.append_leaves(conn, [said], night.now())
    access.record(conn, night.now(), who, f"adopt {contract.recipient}", detail=str(rows))
