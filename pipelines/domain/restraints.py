"""What a person may forbid, and what that forbids (R25, R26, R45).

Belongs here: the kinds, and which purposes each bars. Does not belong here: who has forbidden what
(`store.restraints`), protective orders, which hide an address and forbid nothing (`domain.survivorship`).
"""

from collections.abc import Mapping

RESTRICTION = "restriction"
_PURPOSES: Mapping[str, frozenset[str]] = {
    "ban_on_publication": frozenset({"publication"}),
    "ban_on_marketing": frozenset({"own_marketing", "targeted_content"}),
}
KINDS = (RESTRICTION, *_PURPOSES)
# What is restricted may still be used for a legal claim (GDPR art. 18(2), R45).
_LEGAL_CLAIM = "collection"


def forbidding(purpose: str, ground: str | None) -> tuple[str, ...]:
    """The kinds of restraint under which nobody may be told for that purpose on that ground."""
    bans = [kind for kind, purposes in _PURPOSES.items() if purpose in purposes]
    return (*bans, *(() if ground == _LEGAL_CLAIM else (RESTRICTION,)))
