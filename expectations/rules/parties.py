"""Rules about parties that a schema can't say.

Belongs here: what makes a party's record usable, and what a steward should look at. Does not belong here:
whether two records are one party (`pipelines.domain.matching`).
"""

import pandas as pd

from expectations.rules.rule import Rule, holds, meaning
from expectations.rules.text import text_rules
from pipelines.domain.names import is_among

# Sources whose records name nobody: each is bound to its customer, a notice by whoever took it down
# (steps.decide), an answer to a batch of questions by the reference it was asked under (steps.ask_in_batches).
BOUND = ("notices", "address_batch")

MEANINGS = {
    "nothing_to_know_it_by": meaning(
        "Asiakkaalla ei ole nimeä eikä muuta tunnistetta.",
        "Kunden har varken namn eller annan identifierare.",
        "A party has neither a name nor any other mark to know it by.",
    ),
    "name_incomplete": meaning(
        "Henkilöltä puuttuu suku- tai etunimi, tai yhteisöltä nimi.",
        "Personens släkt- eller förnamn eller organisationens namn saknas.",
        "A person lacks the family or given name, or an organisation its name.",
    ),
    "person_named_like_organisation": meaning(
        "Henkilöksi merkityn nimessä on yhtiömuoto.",
        "Namnet på en kund som uppges vara person innehåller en bolagsform.",
        "A party stated to be a person has a legal form in its name.",
    ),
    "several_people_in_one_name": meaning(
        "Nimikentässä näyttää olevan useampi ihminen.",
        "Namnfältet verkar innehålla flera personer.",
        "There seem to be several people in one name.",
    ),
    "called_name_not_given": meaning(
        "Kutsumanimi ei ole yksi etunimistä.",
        "Tilltalsnamnet är inget av förnamnen.",
        "The called name is none of the given names.",
    ),
    "family_name_among_given_names": meaning(
        "Suku- ja etunimi ovat ehkä vaihtaneet paikkaa.",
        "Släktnamnet och förnamnet har kanske bytt plats.",
        "The family name and the given name may have changed places.",
    ),
    "identity_code_rejected": meaning(
        "Henkilötunnus on virheellinen, eikä sitä voitu käyttää.",
        "Personbeteckningen är felaktig och kunde inte användas.",
        "The identity code is faulty and could not be used.",
    ),
    "channel_without_address": meaning(
        "Laskutuskanava on valittu, mutta sen osoite puuttuu.",
        "En faktureringskanal är vald men dess adress saknas.",
        "A billing channel is chosen but its address is missing.",
    ),
}


def _known_by_something(parties: pd.DataFrame) -> pd.Series:
    is_bound = parties["source"].isin(BOUND)
    marks = ["family_name", "given_names", "organisation_name", "person_key", "business_id"]
    return is_bound | parties[marks].notna().any(axis=1)


def _name_is_whole(parties: pd.DataFrame) -> pd.Series:
    # A message about somebody known by key alone (an order, a death) need not repeat the name.
    has_family, has_given = parties["family_name"].notna(), parties["given_names"].notna()
    has_name = parties["organisation_name"].notna()
    is_organisation = parties["party_type"] == "organisation"
    return (is_organisation & has_name) | (~is_organisation & (has_family == has_given))


def _channel_has_address(parties: pd.DataFrame) -> pd.Series:
    has_einvoice = parties["einvoice_address"].notna() & parties["einvoice_operator"].notna()
    channel = parties["delivery_channel"]
    return ~(
        (channel == "einvoice") & ~has_einvoice | (channel == "email") & parties["email"].isna()
    )


def _called_by_a_given_name(parties: pd.DataFrame) -> pd.Series:
    named = parties[["called_name", "given_names"]].dropna()
    astray = [not is_among(called, given) for called, given in named.itertuples(index=False)]
    return pd.Series(~parties.index.isin(named.index[astray]), index=parties.index)


def _names_in_their_places(parties: pd.DataFrame) -> pd.Series:
    # nobody's first given name ends so (DVV's tables, 5.4 million bearers), and 37 family names in a hundred do:
    # the only evidence that names carry by themselves, so it is told and nothing is turned round
    return ~(
        parties["given_names"].str.contains(r"(?i)nen$").fillna(False).astype(bool)
        & ~parties["family_name"].str.contains(r"(?i)nen$").fillna(True).astype(bool)
    )


RULES = (
    Rule(
        "nothing_to_know_it_by", "family_name", "critical", "present", column=holds(_known_by_something)
    ),
    Rule("name_incomplete", "family_name", "warning", "present", column=holds(_name_is_whole)),
    Rule(
        "person_named_like_organisation", "given_names", "warning", "avoids",
        pattern=r"(?i)(?<!\w)(?:oy|oyj|abp|tmi|ry|osk)(?!\w)",
    ),
    Rule(
        "several_people_in_one_name", "given_names", "warning", "avoids",
        pattern=r"(?i)(?:\s(?:ja|och|sekä)\s|[&+])",
    ),
    Rule(
        "called_name_not_given", "called_name", "warning", "present",
        column=holds(_called_by_a_given_name),
    ),
    Rule(
        "family_name_among_given_names", "given_names", "warning", "present",
        column=holds(_names_in_their_places),
    ),
    Rule("identity_code_rejected", "identity_fault", "warning", "absent"),
    Rule(
        "channel_without_address", "delivery_channel", "warning", "present",
        column=holds(_channel_has_address),
    ),
    *text_rules("family_name", "given_names", "organisation_name"),
)  # fmt: skip
