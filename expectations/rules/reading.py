"""How grave it is when something landed could not be read, and how a steward is told.

Belongs here: the wording and severity of every refusal of `pipelines.domain.standardise`. Does not belong
here: noticing them.
"""

from expectations.rules.rule import Severity, meaning
from pipelines.domain.standardise import REASONS, UNREADABLE

SEVERITIES: dict[str, Severity] = {
    rule: "critical" if rule in UNREADABLE else "warning" for rule in REASONS
}

MEANINGS = {
    "content_unreadable": meaning(
        "Tietueen sisältöä ei voitu lukea.",
        "Postens innehåll kunde inte läsas.",
        "A record's content could not be read.",
    ),
    "unknown_kind": meaning(
        "Tietueen lajia ei tunneta.",
        "Postens typ är okänd.",
        "A record is of no kind we know.",
    ),
    "control_character": meaning(
        "Kentässä on ohjausmerkkejä, kuten vioittuneessa tiedostossa.",
        "Ett fält innehåller styrtecken, som i en skadad fil.",
        "A field holds control characters, as in a damaged file.",
    ),
    "name_too_long": meaning(
        "Nimi on yli 250 merkkiä pitkä.",
        "Namnet är längre än 250 tecken.",
        "A name is longer than 250 characters.",
    ),
    "unknown_role_type": meaning(
        "Roolin lajia ei tunneta.", "Rollens typ är okänd.", "A role's type is unknown."
    ),
    "missing_customer": meaning(
        "Laskulta tai tilaukselta puuttuu asiakasnumero.",
        "Fakturan eller beställningen saknar kundnummer.",
        "An invoice or order names no customer.",
    ),
    "unknown_invoice_state": meaning(
        "Laskun tila puuttuu tai sitä ei tunneta.",
        "Fakturans läge saknas eller är okänt.",
        "What has become of an invoice is missing or unknown.",
    ),
    "unknown_order_kind": meaning(
        "Tilauksen lajia ei tunneta.",
        "Beställningens art är okänd.",
        "What was ordered is unknown.",
    ),
    "missing_party": meaning(
        "Roolilta puuttuu asiakas.", "Rollen saknar kund.", "A role names no party."
    ),
    "missing_point": meaning(
        "Roolilta puuttuu kulutuspiste.",
        "Rollen saknar förbrukningsställe.",
        "A role names no consumption point.",
    ),
    "ends_before_it_begins": meaning(
        "Rooli päättyy ennen kuin se alkaa.",
        "Rollen upphör innan den börjar.",
        "A role ends before it begins.",
    ),
    "role_date_unreadable": meaning(
        "Roolin alku- tai loppupäivä ei ole päivämäärä.",
        "Rollens första eller sista dag är inte ett datum.",
        "A role's first or last day is not a date.",
    ),
    "not_text": meaning(
        "Kentässä on muuta kuin tekstiä.",
        "Ett fält innehåller annat än text.",
        "A field holds something other than text.",
    ),
    "unknown_party_type": meaning(
        "Asiakasta ei ole merkitty henkilöksi eikä yhteisöksi.",
        "Kunden är varken angiven som person eller organisation.",
        "A party is stated to be neither a person nor an organisation.",
    ),
    "business_id_check": meaning(
        "Y-tunnus on virheellinen.", "FO-numret är felaktigt.", "A business id is faulty."
    ),
    "phone_unreadable": meaning(
        "Puhelinnumero on virheellinen.",
        "Telefonnumret är felaktigt.",
        "A telephone number is faulty.",
    ),
    "email_shape": meaning(
        "Sähköpostiosoite on virheellinen.",
        "E-postadressen är felaktig.",
        "An e-mail address is faulty.",
    ),
    "www_shape": meaning(
        "Verkko-osoite on virheellinen.", "Webbadressen är felaktig.", "A web address is faulty."
    ),
    "www_of_person": meaning(
        "Henkilölle merkittyä verkko-osoitetta ei säilytetä.",
        "En webbadress som uppges för en person sparas inte.",
        "A web address stated of a person is not kept.",
    ),
    "language_code": meaning(
        "Kielikoodi on virheellinen.", "Språkkoden är felaktig.", "A language code is faulty."
    ),
    "unknown_delivery_channel": meaning(
        "Laskutuskanavaa ei tunneta.",
        "Faktureringskanalen är okänd.",
        "A billing channel is unknown.",
    ),
    "unknown_company_situation": meaning(
        "Yrityksen tilaa ei tunneta.",
        "Organisationens situation är okänd.",
        "The situation of an organisation is unknown.",
    ),
    "unknown_building_state": meaning(
        "Rakennuksen elinkaaren vaihetta ei tunneta.",
        "Byggnadens skede är okänt.",
        "The state of a building is unknown.",
    ),
    "protection_unclear": meaning(
        "Turvakielto on ilmaistu epäselvästi, joten sen katsotaan olevan voimassa.",
        "Spärrmarkeringen är oklart angiven och anses därför gälla.",
        "A protective order is stated unclearly and therefore counts as in force.",
    ),
    "not_a_boolean": meaning(
        "Kyllä/ei-kentässä on muuta.",
        "Ett ja/nej-fält innehåller annat.",
        "A yes/no field holds something else.",
    ),
    "date_unreadable": meaning(
        "Kentässä oleva tieto ei ole päivämäärä.",
        "Uppgiften i fältet är inte ett datum.",
        "A field does not hold a date.",
    ),
    "addresses_unreadable": meaning(
        "Osoitetta ei voitu lukea.", "Adressen kunde inte läsas.", "An address could not be read."
    ),
    "unknown_address_type": meaning(
        "Osoitteen lajia ei tunneta.", "Adressens typ är okänd.", "An address's type is unknown."
    ),
    "property_id_shape": meaning(
        "Kiinteistötunnus on virheellinen.",
        "Fastighetsbeteckningen är felaktig.",
        "A property id is faulty.",
    ),
    "building_id_check": meaning(
        "Pysyvä rakennustunnus on virheellinen.",
        "Den permanenta byggnadsbeteckningen är felaktig.",
        "A permanent building id is faulty.",
    ),
    "test_building_id": meaning(
        "Rakennustunnus on varattu testikäyttöön.",
        "Byggnadsbeteckningen är reserverad för test.",
        "A building id is one kept for testing.",
    ),
}
