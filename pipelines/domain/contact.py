"""Telephone numbers, e-mail and web addresses.

Belongs here: their one written form. Does not belong here: whether anybody may be told them, or which of
two numbers is the party's (`survivorship`).
"""

import re

import phonenumbers

# The library's own rule for a plainly written Finnish number. Its parser takes 40 µs a number, which a
# whole register feels; what does not match here still goes to the parser.
_METADATA = phonenumbers.PhoneMetadata.metadata_for_region("FI")
_KINDS = (_METADATA.mobile, _METADATA.fixed_line) if _METADATA is not None else ()
_NATIONAL = re.compile("|".join(f"(?:{k.national_number_pattern})" for k in _KINDS if k) or "(?!)")
_PLAIN = re.compile(r"(?:\+358|00358|0)([1-9][0-9]{4,11})")
_FILLING = re.compile(r"[ \-()]")
_BETWEEN_NUMBERS = re.compile(r"[,;/|]|\s(?:tai|ja|t|eller|och)\s", re.IGNORECASE)

_LABEL = r"[^\W_](?:[^\W_]|-){0,61}"
_DOMAIN = rf"(?:{_LABEL}\.)+[^\W\d_]{{2,63}}"
_EMAIL = re.compile(
    rf"(?:mailto:)?(?P<local>[\w.!#$%&'*+/=?^`{{|}}~-]{{1,64}})@(?P<domain>{_DOMAIN})",
    re.IGNORECASE,
)
_BETWEEN_EMAILS = re.compile(r"[\s,;<>\"()\[\]]+")
_WWW = re.compile(rf"(?:https?://)?(?P<host>{_DOMAIN})(?P<path>/[!-~]*)?", re.IGNORECASE)


def phone(text: str) -> str | None:
    """The first valid number in the field as E.164, read as a Finn would dial it; else None."""
    plain = _PLAIN.fullmatch(_FILLING.sub("", text))
    if plain is not None and _NATIONAL.fullmatch(plain[1]):
        return f"+358{plain[1]}"
    for candidate in (text, *_BETWEEN_NUMBERS.split(text)):
        try:
            number = phonenumbers.parse(candidate, "FI")
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            return str(e164)
    return None


def email(text: str) -> str | None:
    """The first well-formed address in the field, its domain in lower case; else None.

    The local part keeps its case: its owner decides whether that matters (RFC 5321 §2.4).
    """
    for candidate in _BETWEEN_EMAILS.split(text):
        found = _EMAIL.fullmatch(candidate.rstrip("."))
        if found is None:
            continue
        local, address = found["local"], f"{found['local']}@{found['domain'].lower()}"
        dotted = local.startswith(".") or local.endswith(".") or ".." in local
        if not dotted and len(address) <= 254:
            return address
    return None


def www(text: str) -> str | None:
    """A web address without scheme and closing slash, its host in lower case; else None."""
    found = _WWW.fullmatch(text.strip())
    if found is None or len(found[0]) > 254:
        return None
    return found["host"].lower() + (found["path"] or "").rstrip("/")
