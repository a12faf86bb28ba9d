"""Who holds, pays, owns and answers at a point, and since when, out of several registers' words (R14).

Belongs here: whose word on a role stands, and until when another's does. Does not belong here: which place
is which point (`points`), who is the same party (`clusters`). Two roles are never one because they share an
address.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.domain.points import OWN_REGISTER
from pipelines.domain.schemas import GOLDEN_ROLES
from pipelines.domain.survivorship import Policy

_THERE = ["point_id", "role_type"]
_WHO = [*_THERE, "party_id"]
_UNKNOWN = "0000-00-00"  # before every date: nobody can be earlier than a begin that is not known


@dataclass(frozen=True)
class Reconciled:
    """roles: GOLDEN_ROLES in the order of its key. set_aside: statements that the owner of the answer
    speaks against. not_theirs: statements of registers that have no say in such a role.
    """

    roles: pd.DataFrame
    set_aside: int
    not_theirs: int


def reconcile(statements: pd.DataFrame, policy: Policy) -> Reconciled:
    """The roles that stand, each with the rule that let it.

    statements: GOLDEN_ROLES' columns without rule, one row a role and point. Per point and role type the
    best register that speaks owns the answer (`policy.role_owners`; a type nobody is declared for is the
    own register's), and all it says stands. A lesser register's statement

    * about a party already named is the same role; its first day fills one the better word leaves open
      (`filled`). A last day left open is a word too, still so, and is never filled.
    * about another party tells of the time before: it stands if it begins, or ended, before the first day
      of the better words, and ends there at the latest (`cut_off`, or `owner_silent` if it had ended)
    * else it is set aside.

    Registers are taken one after another, best first, so the result does not depend on the rows' order.
    rule: `declared_owner`, or `owner_silent` where the best that speaks is another. It does not tell whether
    others spoke too: whom nobody keeps (an owner set aside) would change it by being forgotten.
    """
    said = statements[[c for c in GOLDEN_ROLES.columns if c != "rule"]].reset_index(drop=True)
    owners = {
        (role_type, source): rank
        for role_type in said["role_type"].dropna().unique()
        for rank, source in enumerate(policy.role_owners.get(role_type, (OWN_REGISTER,)))
    }
    pairs = pd.MultiIndex.from_frame(said[["role_type", "source"]])
    said["rank"] = pairs.map(owners).to_numpy(dtype="float64", na_value=np.nan)
    heard = said[said["rank"].notna()]
    is_owner = heard["rank"] == heard.groupby(_THERE)["rank"].transform("min")
    rule = np.where(heard["rank"] == 0, "declared_owner", "owner_silent")
    standing = heard[is_owner].assign(rule=rule[is_owner.to_numpy()])
    lesser = heard[~is_owner]
    set_aside = 0
    for rank in sorted(lesser["rank"].unique()):
        turn = lesser[lesser["rank"] == rank]
        standing = _filled(standing, turn)
        earlier, refused = _earlier(standing, turn)
        set_aside += refused
        standing = pd.concat([standing, earlier], ignore_index=True)
    roles = GOLDEN_ROLES.conform(standing[list(GOLDEN_ROLES.columns)])
    roles = roles.sort_values(list(GOLDEN_ROLES.key)).reset_index(drop=True)
    return Reconciled(roles, set_aside, len(said) - len(heard))


def _filled(standing: pd.DataFrame, turn: pd.DataFrame) -> pd.DataFrame:
    """First days that are not known, from the same party's earliest in a lesser register."""
    dated = turn[turn["valid_from"].notna()].sort_values("valid_from").drop_duplicates(_WHO)
    told = _by_row(standing, dated, _WHO)
    fits = standing["valid_to"].isna() | (told < standing["valid_to"])
    fills = standing["valid_from"].isna() & told.notna() & fits
    return standing.assign(
        valid_from=standing["valid_from"].where(~fills, told),
        rule=standing["rule"].where(~fills, "filled"),
    )


def _earlier(standing: pd.DataFrame, turn: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """What the register tells of the time before the standing words, and how much is set aside."""
    dated = standing.assign(valid_from=standing["valid_from"].fillna(_UNKNOWN))
    first = dated.sort_values("valid_from").drop_duplicates(_THERE)
    named = pd.MultiIndex.from_frame(standing[_WHO])
    others = turn[~pd.MultiIndex.from_frame(turn[_WHO]).isin(named)]
    begin = _by_row(others, first, _THERE)
    had_ended = others["valid_to"].notna() & (others["valid_to"] <= begin)
    is_earlier = had_ended | (others["valid_from"].notna() & (others["valid_from"] < begin))
    cut = others.assign(
        valid_to=others["valid_to"].where(had_ended, begin),
        rule=np.where(had_ended, "owner_silent", "cut_off"),
    )
    return cut[is_earlier], int((~is_earlier).sum())


def _by_row(rows: pd.DataFrame, first: pd.DataFrame, on: list[str]) -> pd.Series:
    """For each of the rows the first day that `first` (one a key) has for it, or null."""
    found = rows[on].merge(first[[*on, "valid_from"]], on=on, how="left")["valid_from"]
    return pd.Series(found.to_numpy(), rows.index, dtype="str")
