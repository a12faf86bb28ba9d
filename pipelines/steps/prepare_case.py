"""Freeze and log what one recipient may be told of one customer, on the reference of a case (R17, R20, R45).

Belongs here: every refusal that a command meets before anything is frozen. Does not belong here: what a row says
(`domain.cases`), freezing (`prepare_extract`), sending (`deliver`). Who asked is in the access log alone; the
disclosure log holds the case, never a clerk.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection

from connectors.base import Malformed, Recipient
from pipelines.breaches import refusals
from pipelines.domain.cases import Case, case_row, unfit
from pipelines.domain.restraints import RESTRICTION
from pipelines.domain.schemas import GOLDEN
from pipelines.errors import HubError
from pipelines.settings import RecipientContract
from pipelines.steps.find_differences import compiled, restrained, selected
from pipelines.steps.look import party_of
from pipelines.steps.night import Night, StepResult, executing
from pipelines.steps.prepare_extract import freeze, refusal
from pipelines.steps.settle import settle
from pipelines.store import access, deliveries, disclosures, holdings, restraints
from pipelines.store.engine import transaction

_WHY_NOT = {
    "no_name": "the customer's name is missing",
    "no_address": "the customer's postal address is missing or incomplete",
    "protected_no_route": "the customer's address may not be told, and there is no contact address",
    "death_estate": "the customer is a death estate, which the notice lets nobody be told of this way",
}


class NotTold(HubError):
    """Somebody is not told of, in one line: what stands against it, and what would have to be reviewed."""


@dataclass(frozen=True)
class Asked:
    """About whom (a customer number), for which case, and who asks why, for the access log."""

    customer: str
    case: Case
    who: str
    why: str


def prepare_case(
    night: Night, contract: RecipientContract, opener: Callable[[], Recipient], asked: Asked
) -> StepResult:
    """Freeze one customer's row for one case; counts: frozen, or already_told when it was told in this form.

    Raises NotTold, the refusal being in both logs, and NotFound for a number nobody has.
    """
    name = contract.recipient
    with transaction(night.engine) as conn:
        mode = deliveries.mode_of(conn, name, contract.mode)
        is_open = bool(deliveries.outstanding(conn, name))
    if mode != "live":
        raise _refused(night, contract, asked, f"{name} is in shadow: hub recipient go-live {name}")
    if is_open and settle(night, name, opener()).open:
        raise _refused(night, contract, asked, f"{name} has not answered its last delivery")
    try:
        with executing(night, f"case:{name}") as step:
            row, party = _row(step.conn, night, contract, asked)
            told = holdings.told_under(step.conn, name, row)
            known = told["row"].tolist() == row[list(contract.columns)].to_dict("records")
            step.counts.update(already_told=int(known), frozen=int(not known))
            if not known:
                recipient = opener()
                _demand_carried(contract, row, recipient)
                freeze(step, night, contract, row, recipient, asked.case.statute)
            access.record(
                step.conn, night.now(), asked.who, f"deliver {name}", party, asked.why,
                detail=asked.case.claim,
            )  # fmt: skip
    except NotTold as why:
        raise _refused(night, contract, asked, str(why)) from None
    return StepResult(counts=dict(step.counts))


def preview_case(night: Night, contract: RecipientContract, asked: Asked) -> pd.DataFrame:
    """The row a case would tell, in the contract's columns; nothing is written but who looked."""
    with transaction(night.engine) as conn:
        row, party = _row(conn, night, contract, asked)
        what = f"extract preview {contract.recipient}"
        access.record(conn, night.now(), asked.who, what, party, asked.why)
    return row[list(contract.columns)]


def _row(
    conn: Connection, night: Night, contract: RecipientContract, asked: Asked
) -> tuple[pd.DataFrame, int]:
    """The customer's row (row_key, party_id, the contract's columns), and the customer's id; raises NotTold."""
    settings = night.settings
    breaches = refusals(settings.notice, settings.sources, contract, night.business_date)
    if breaches:
        raise NotTold(str(breaches[0]))
    if (fault := unfit(asked.case, str(contract.population.reference))) is not None:
        raise NotTold(fault)
    party = party_of(conn, asked.customer)
    if party in restrained(conn, contract):
        raise NotTold("this customer may not be told of: processing is restricted, or forbidden")
    restricted = restraints.parties(conn, (RESTRICTION,))
    if party in restricted and asked.case.claim is None:
        raise NotTold(
            "this customer's processing is restricted (R45): name the legal claim, --legal-claim"
        )
    golden = selected(conn, contract, GOLDEN, pd.DataFrame({"party_id": [party]}), ("party_id",))
    if golden.empty:
        raise NotTold("this customer is not in the register as of the last night")
    row, reason = case_row(golden, asked.case, compiled(contract))
    if reason:
        raise NotTold(_WHY_NOT[reason])
    return row, party


def _demand_carried(contract: RecipientContract, row: pd.DataFrame, recipient: Recipient) -> None:
    columns = list(contract.columns)
    values = next(row[columns].itertuples(index=False))
    try:
        recipient.render(columns, [dict(zip(columns, values, strict=True))])
    except Malformed:
        raise NotTold("a value has a character that the delivery file can't carry") from None


def _refused(night: Night, contract: RecipientContract, asked: Asked, why: str) -> NotTold:
    """The refusal, once it is in both logs (R6): a leaf that names no customer, a line that names who asked."""
    with transaction(night.engine) as conn:
        disclosures.append_leaves(conn, [refusal(night, contract)], night.now())
        access.record(
            conn, night.now(), asked.who, f"deliver {contract.recipient} refused", purpose=asked.why
        )
    return NotTold(f"{contract.recipient}: nothing was told: {why}")
