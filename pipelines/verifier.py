"""Check what a utility disclosed about you, without the utility: python verifier.py BUNDLE.json --key VKEY

Belongs here: everything it takes, in one file that runs by itself (Python 3.11 or newer, nothing installed; with
`cryptography` it is quicker): reading a bundle, commitments, proofs, signatures, words in three languages. Does not
belong here: an import of ours, making bundles (`domain.bundle`).

A bundle holds what was written into the disclosure log about one person. Each entry is a *detail*, what was told or
asked, with its *salt*; the log's *leaf*, which says to whom and why and carries the hash of salt and detail, but
nothing of the person; and a proof that the leaf is in the log. The log's size and root stand in a *checkpoint*, a note
signed with the utility's key, of which others outside the utility hold copies.

VKEY is the log's public key. Take it from where the utility publishes it, not from the bundle. A checkpoint that you
got earlier (--checkpoint FILE) shows whether the log still says what it said then. A witness's key may be given as
another --key.

Exit codes: 0 every entry is proven, 1 something is not, 2 called wrongly.

Formats: RFC 9162 §2.1 (SHA-256 Merkle tree), C2SP signed-note, tlog-checkpoint and tlog-cosignature, RFC 8032.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FORMAT = "register-hub disclosure bundle"
VERSION = 1
LARGEST = 20_000_000
HASH_BYTES = 32
OUTCOMES = ("attempt", "uncertain", "delivered", "acknowledged", "aborted")

WORDS: Mapping[str, Mapping[str, str]] = {
    "log": {
        "fi": "Loki {origin}: {size} merkintää, allekirjoitus pitää.",
        "sv": "Loggen {origin}: {size} poster, signaturen håller.",
        "en": "Log {origin}: {size} entries, the signature holds.",
    },
    "witness": {
        "fi": "  Todistaja {name} on nähnyt sen {at}.",
        "sv": "  Vittnet {name} har sett den {at}.",
        "en": "  Witness {name} saw it {at}.",
    },
    "grew": {
        "fi": "Loki {origin} alkaa niillä {size} merkinnällä, jotka aiempi tarkistuspiste vahvisti.",
        "sv": "Loggen {origin} börjar med de {size} poster som den tidigare kontrollpunkten bekräftade.",
        "en": "Log {origin} begins with the {size} entries that the earlier checkpoint confirmed.",
    },
    "proven": {"fi": "TODISTETTU", "sv": "BEVISAT", "en": "PROVEN"},
    "unproven": {"fi": "EI TODISTETTU", "sv": "EJ BEVISAT", "en": "NOT PROVEN"},
    "told": {"fi": "luovutettu", "sv": "utlämnat", "en": "disclosed"},
    "asked": {"fi": "kysytty", "sv": "frågat", "en": "asked"},
    "to": {"fi": "kenelle", "sv": "till", "en": "to"},
    "purpose": {"fi": "miksi", "sv": "varför", "en": "why"},
    "basis": {"fi": "oikeusperuste", "sv": "rättslig grund", "en": "legal basis"},
    "ground": {"fi": "luovutusperuste", "sv": "utlämningsgrund", "en": "ground"},
    "contract": {"fi": "sopimusversio", "sv": "avtalsversion", "en": "contract version"},
    "notice": {"fi": "tietosuojaseloste", "sv": "dataskyddsbeskrivning", "en": "privacy notice"},
    "delivery": {"fi": "toimitus", "sv": "leverans", "en": "delivery"},
    "attempt": {"fi": "lähetys aloitettu {at}", "sv": "sändning påbörjad {at}", "en": "sending begun {at}"},
    "uncertain": {"fi": "lopputulos epäselvä {at}", "sv": "utfallet oklart {at}", "en": "outcome unclear {at}"},
    "delivered": {"fi": "toimitettu {at}", "sv": "levererad {at}", "en": "delivered {at}"},
    "acknowledged": {"fi": "vastaanottaja kuitannut {at}", "sv": "kvitterad av mottagaren {at}", "en": "acknowledged by the recipient {at}"},
    "aborted": {"fi": "peruttu {at}, ei lähetetty", "sv": "avbruten {at}, inte sänd", "en": "stopped {at}, not sent"},
    "empty": {"fi": "ilman sisältöä", "sv": "utan innehåll", "en": "without content"},
    "unknown_outcome": {
        "fi": "ei todistetta siitä, että se olisi lähetetty",
        "sv": "inget bevis för att den har sänts",
        "en": "no proof that it was sent",
    },
    "glosses": {
        "fi": "Hakasulkeissa on todistettu sisältö; muut sanat ovat selityksiä.",
        "sv": "Inom hakparentes står det bevisade innehållet; övriga ord är förklaringar.",
        "en": "What is proven stands in brackets; the other words explain it.",
    },
    "all": {
        "fi": "Kaikki {count} merkintää on todistettu: ne ovat lokissa juuri näin.",
        "sv": "Alla {count} poster är bevisade: de finns i loggen exakt så här.",
        "en": "All {count} entries are proven: they are in the log exactly so.",
    },
    "some": {
        "fi": "{failed} kohtaa ei ole todistettu. Pyydä rekisterinpitäjältä selvitys ja uusi todiste.",
        "sv": "{failed} punkter är inte bevisade. Be den personuppgiftsansvarige om en förklaring och ett nytt bevis.",
        "en": "{failed} points are not proven. Ask the controller for an explanation and a new bundle.",
    },
    "none": {"fi": "Todisteessa ei ole merkintöjä.", "sv": "Beviset har inga poster.", "en": "The bundle has no entries."},
    "why_detail": {
        "fi": "sisältö tai suola ei vastaa lokin merkintää",
        "sv": "innehållet eller saltet motsvarar inte loggens post",
        "en": "detail or salt is not what the log's entry commits to",
    },
    "why_tree": {
        "fi": "merkintä ei ole allekirjoitetussa lokissa",
        "sv": "posten finns inte i den signerade loggen",
        "en": "the entry is not in the signed log",
    },
    "why_note": {
        "fi": "lokin allekirjoitus ei pidä",
        "sv": "loggens signatur håller inte",
        "en": "the log's signature does not hold",
    },
    "why_unsealed": {
        "fi": "merkintää ei ole vielä vahvistettu allekirjoituksella; pyydä uusi todiste huomenna",
        "sv": "posten är ännu inte bekräftad med en signatur; be om ett nytt bevis i morgon",
        "en": "the entry is not under a signature yet; ask for a new bundle tomorrow",
    },
    "why_leaf": {
        "fi": "merkintä ei ole luovutus eikä kysely",
        "sv": "posten är varken en utlämning eller en förfrågan",
        "en": "the entry is neither a disclosure nor a question",
    },
    "why_state": {
        "fi": "tieto toimituksesta ei ole allekirjoitetussa lokissa",
        "sv": "uppgiften om leveransen finns inte i den signerade loggen",
        "en": "what is said of the delivery is not in the signed log",
    },
    "why_rewritten": {
        "fi": "Lokia {origin} on muutettu jälkikäteen: se ei ole enää sama kuin aiemmassa tarkistuspisteessä.",
        "sv": "Loggen {origin} har ändrats i efterhand: den är inte längre densamma som i den tidigare kontrollpunkten.",
        "en": "Log {origin} was rewritten: it is no longer what the earlier checkpoint confirmed.",
    },
    "why_incomparable": {
        "fi": "Aiempaa tarkistuspistettä ({origin}, {size}) ei voi verrata tähän todisteeseen; pyydä todiste, johon se on liitetty.",
        "sv": "Den tidigare kontrollpunkten ({origin}, {size}) kan inte jämföras med beviset; be om ett bevis med den.",
        "en": "The earlier checkpoint ({origin}, {size}) can't be compared with this bundle; ask for one made with it.",
    },
}  # fmt: skip
"""Words of the report; a bundle chooses the language and nothing else."""


class Refused(Exception):
    """The bundle, a note or a key can't be read or does not hold; says why."""


# ---- Ed25519 (RFC 8032 §5.1.7), for a Python without `cryptography`

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]


def _plus(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(factor: int, point: _Point) -> _Point:
    found: _Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            found = _plus(found, point)
        point = _plus(point, point)
        factor >>= 1
    return found


def _point(said: bytes) -> _Point | None:
    y = int.from_bytes(said, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def ed25519_by_hand(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature (64 bytes) of the key (32 bytes) holds for the message."""
    base, key = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little")), _point(public)
    scalar = int.from_bytes(signature[32:], "little")
    if base is None or key is None or len(signature) != 64 or scalar >= _ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % _ORDER
    away: _Point = (_P - key[0], key[1], key[2], _P - key[3])
    x, y, z, _ = _plus(_times(scalar, base), _times(challenge, away))
    inverse = pow(z, -1, _P)
    x, y = x * inverse % _P, y * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def ed25519(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature holds: by `cryptography` where it is installed, else by hand."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return ed25519_by_hand(public, signature, message)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# ---- notes and checkpoints


def unbase64(said: object) -> bytes:
    """Bytes from base64 in its one canonical form, else the same bytes could be written in two ways."""
    if isinstance(said, str):
        try:
            found = base64.b64decode(said, validate=True)
        except ValueError:
            found = b""
        if base64.b64encode(found).decode() == said:
            return found
    raise Refused("something is not base64")


class Key:
    """A verifier key, `name+id+base64(kind ‖ key)`: of a log (kind 1) or of a witness (kind 4)."""

    def __init__(self, said: str) -> None:
        name, *rest = said.strip().split("+", 2)
        material = unbase64(rest[1]) if len(rest) == 2 else b""
        self.name, self.kind, self.public = name, material[0] if material else 0, material[1:]
        named = name.encode("utf-8", "surrogatepass")
        self.id = hashlib.sha256(named + b"\n" + material).digest()[:4]
        if self.kind not in (1, 4) or len(self.public) != 32 or self.id.hex() != rest[0]:
            raise Refused("a key is not a verifier key")

    def holds(self, text: str, signed: bytes) -> bool:
        """Whether this key signed the text; a witness signs the time with it."""
        message = text.encode("utf-8", "surrogatepass")
        if self.kind == 4:
            time, signed = int.from_bytes(signed[:8], "big"), signed[8:]
            message = f"cosignature/v1\ntime {time}\n".encode() + message
        return ed25519(self.public, signed, message)


class Checkpoint:
    """A note that a known key of the log signed: origin, size, root; witnesses, each with when it saw it."""

    def __init__(self, note: object, keys: Sequence[Key]) -> None:
        text, gap, below = note.rpartition("\n\n") if isinstance(note, str) else ("", "", "")
        text, lines = text + "\n", text.split("\n")
        if not gap or not below.endswith("\n") or len(lines) < 3:
            raise Refused("a checkpoint is not a signed note")
        self.origin, size, root = lines[:3]
        self.root, self.witnesses, is_signed = unbase64(root), {}, False
        if not size.isascii() or not size.isdigit() or str(int(size)) != size:
            raise Refused("a checkpoint's size is not a number")
        self.size = int(size)
        for line in below[:-1].split("\n"):
            mark, _, said = line.partition(" ")
            name, _, said = said.partition(" ")
            if mark != "\N{EM DASH}":
                raise Refused("a signature is not a signature")
            signed = unbase64(said)
            for key in keys:
                if (key.name, key.id) != (name, signed[:4]):
                    continue
                if not key.holds(text, signed[4:]):
                    raise Refused(f"the signature of {name} does not hold")
                if key.kind == 4:
                    self.witnesses[name] = int.from_bytes(signed[4:12], "big")
                else:
                    is_signed |= f"{self.origin}/".startswith(f"{name}/")
        if not is_signed:
            raise Refused("no key that you gave signed the checkpoint of this log")


# ---- the tree (RFC 9162 §2.1)


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def joint_root(leaves: Mapping[int, bytes], size: int, proof: Sequence[bytes]) -> bytes | None:
    """The root that leaves (index → hash) and the nodes beside their paths come to; None if they don't fit."""
    level, nodes = dict(leaves), iter(proof)
    if not level or not all(0 <= index < size for index in level):
        return None
    while size > 1:
        above: dict[int, bytes] = {}
        for index in sorted(level):
            if index & 1 and index - 1 in level:
                continue
            sibling = level.get(index ^ 1)
            if sibling is None and index ^ 1 < size:
                sibling = next(nodes, None)
                if sibling is None:
                    return None
            if sibling is None:
                above[index >> 1] = level[index]
            else:
                pair = (sibling, level[index]) if index & 1 else (level[index], sibling)
                above[index >> 1] = _node(*pair)
        level, size = above, (size + 1) >> 1
    return level[0] if next(nodes, None) is None else None


def is_beginning(old: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> bool:
    """Whether the log of `new` begins with all of the log of `old` (RFC 9162 §2.1.4.2)."""
    if old.size == new.size:
        return not proof and old.root == new.root
    if old.size == 0:
        return not proof and old.root == hashlib.sha256(b"").digest()
    path = list(proof) if old.size & (old.size - 1) else [old.root, *proof]
    at, last = old.size - 1, new.size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if not path:
        return False
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = _node(sibling, before), _node(sibling, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = _node(after, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old.root and after == new.root


# ---- a bundle


def read(raw: bytes) -> dict[str, Any]:
    """The bundle in a file's bytes; Refused for what is none, a name said twice included."""
    if len(raw) > LARGEST:
        raise Refused("the bundle is larger than a person's can be")
    try:
        found = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Refused("the bundle is not JSON") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise Refused(f"the file is not a {FORMAT}")
    if found.get("version") != VERSION:
        raise Refused("the bundle is of another version than this verifier")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _rows(bundle: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows = bundle.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refused(f"the bundle has no {name}")
    return rows


def _hashes(said: object) -> list[bytes]:
    joined = unbase64(said)
    if len(joined) % HASH_BYTES:
        raise Refused("a proof is made of whole hashes")
    return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]


class Report:
    """What a bundle proves: `lines` for a person, `failures` the number of things it does not prove."""

    def __init__(
        self, bundle: Mapping[str, Any], keys: Sequence[Key], notes: Iterable[str]
    ) -> None:
        language = bundle.get("language")
        self._language = language if language in ("fi", "sv", "en") else "en"
        words = bundle.get("words")
        self._glosses = words if isinstance(words, dict) else {}
        self.lines: list[str] = []
        self.failures = 0
        entries, states = _rows(bundle, "entries"), _rows(bundle, "states")
        heads = self._heads(_rows(bundle, "segments"), keys)
        proven = [
            head is not None and self._is_in(number, head, segment, [*entries, *states])
            for number, (head, segment) in enumerate(
                zip(heads, _rows(bundle, "segments"), strict=True)
            )
        ]
        for note in notes:
            self._compare(Checkpoint(note, keys), heads, _rows(bundle, "held"))
        outcomes = self._outcomes(states, heads, proven)
        for number, entry in enumerate(entries, 1):
            self._entry(number, entry, self._doubt(entry, heads, proven), outcomes)
        self.lines.append("")
        if entries:
            self._say("glosses")
        if self.failures:
            self._say("some", failed=self.failures)
        else:
            self._say("all" if entries else "none", count=len(entries))

    def _word(self, word: str, **values: object) -> str:
        return WORDS[word][self._language].format(**values)

    def _say(self, word: str, **values: object) -> None:
        self.lines.append(self._word(word, **values))

    def _heads(
        self, segments: list[dict[str, Any]], keys: Sequence[Key]
    ) -> list[Checkpoint | None]:
        heads: list[Checkpoint | None] = []
        for segment in segments:
            try:
                head = Checkpoint(segment.get("note"), keys)
            except Refused as refused:
                self.failures += 1
                self.lines.append(f"{self._word('why_note')} ({refused})")
                heads.append(None)
                continue
            if any(other is not None and other.origin == head.origin for other in heads):
                raise Refused("the bundle has two states of one log")
            self._say("log", origin=_clean(head.origin), size=head.size)
            for name, at in sorted(head.witnesses.items()):
                seen = datetime.fromtimestamp(at, UTC).isoformat()
                self._say("witness", name=_clean(name), at=_when(seen))
            heads.append(head)
        return heads

    def _is_in(
        self, number: int, head: Checkpoint, segment: Mapping[str, Any], rows: list[dict[str, Any]]
    ) -> bool:
        """Whether every leaf that is said to be in this segment is, at the index it says."""
        leaves: dict[int, bytes] = {}
        for row in rows:
            index, leaf = row.get("index"), row.get("leaf")
            if row.get("segment") != number:
                continue
            if type(index) is not int or not isinstance(leaf, dict):
                return False
            hashed = hashlib.sha256(b"\x00" + _canonical(leaf)).digest()
            if leaves.setdefault(index, hashed) != hashed:
                return False
        return joint_root(leaves, head.size, _hashes(segment.get("proof"))) == head.root

    def _compare(
        self, old: Checkpoint, heads: list[Checkpoint | None], held: list[dict[str, Any]]
    ) -> None:
        """Hold the log against a checkpoint somebody kept."""
        found = [n for n, head in enumerate(heads) if head and head.origin == old.origin]
        proofs = [
            _hashes(row.get("proof"))
            for row in held
            if found and row.get("segment") == found[0] and row.get("size") == old.size
        ]
        head = heads[found[0]] if found else None
        if head is None or old.size > head.size or not (proofs or old.size in (0, head.size)):
            self.failures += 1
            self._say("why_incomparable", origin=_clean(old.origin), size=old.size)
        elif is_beginning(old, head, proofs[0] if proofs else []):
            self._say("grew", origin=_clean(old.origin), size=old.size)
        else:
            self.failures += 1
            self._say("why_rewritten", origin=_clean(old.origin))

    def _outcomes(
        self,
        states: list[dict[str, Any]],
        heads: Sequence[Checkpoint | None],
        proven: Sequence[bool],
    ) -> dict[str, list[str]]:
        """Of each delivery what became of it, as far as it is proven, in the log's order."""
        found: dict[str, list[str]] = {}
        for state in states:
            fact = _fact(state)
            if fact.get("t") not in OUTCOMES or self._where(state, heads, proven) is not None:
                self.failures += 1
                self._say("why_state")
            else:
                said = self._word(str(fact["t"]), at=_when(fact.get("at"))).replace("  ", " ")
                found.setdefault(str(fact.get("d")), []).append(said.strip())
        return found

    def _where(
        self,
        row: Mapping[str, Any],
        heads: Sequence[Checkpoint | None],
        proven: Sequence[bool],
    ) -> str | None:
        """Why a leaf is not in a signed log; None if it is."""
        segment = row.get("segment")
        if segment is None:
            return "why_unsealed"
        if type(segment) is not int or not 0 <= segment < len(heads):
            return "why_tree"
        if heads[segment] is None:
            return "why_note"
        return None if proven[segment] else "why_tree"

    def _doubt(
        self, entry: Mapping[str, Any], heads: Sequence[Checkpoint | None], proven: Sequence[bool]
    ) -> str | None:
        """Why an entry is not proven; None if it is."""
        fact = _fact(entry)
        if fact.get("t") not in ("disclosure", "lookup"):
            return "why_leaf"
        try:
            salt = unbase64(entry.get("salt"))
        except Refused:
            return "why_detail"
        said = salt + _canonical(entry.get("detail"))
        if len(salt) != 32 or hashlib.sha256(said).hexdigest() != fact.get("c"):
            return "why_detail"
        return self._where(entry, heads, proven)

    def _entry(
        self,
        number: int,
        entry: Mapping[str, Any],
        doubt: str | None,
        outcomes: Mapping[str, list[str]],
    ) -> None:
        fact, detail = _fact(entry), entry.get("detail")
        self.failures += doubt is not None
        kind = self._word("asked" if fact.get("t") == "lookup" else "told")
        verdict = self._word("unproven" if doubt else "proven")
        self.lines += ["", f"{number}. {verdict}: {kind} {_when(fact.get('at'))}".rstrip()]
        if doubt:
            self.lines.append(f"   {self._word(doubt)}")
        for name in ("to", "purpose", "basis", "ground", "contract", "notice"):
            if name in fact:
                self.lines.append(f"   {self._word(name)}: {self._glossed(fact[name])}")
        if isinstance(fact.get("d"), str):
            became = outcomes.get(fact["d"]) or [self._word("unknown_outcome")]
            self.lines.append(
                f"   {self._word('delivery')} [{_clean(fact['d'])}]: {'; '.join(became)}"
            )
        stated = sorted(detail.items()) if isinstance(detail, dict) else []
        self.lines += [
            f"     {self._glossed(name)}: {self._value(value)}"
            for name, value in stated
            if value != ""
        ]
        if empty := [f"[{_clean(name)}]" for name, value in stated if value == ""]:
            self.lines.append(f"     {self._word('empty')}: {' '.join(empty)}")

    def _value(self, value: object) -> str:
        if isinstance(value, list):  # names of fields
            return ", ".join(map(self._glossed, value))
        return _short(value)

    def _glossed(self, code: object) -> str:
        gloss = self._glosses.get(code) if isinstance(code, str) else None
        said = f"[{_clean(code)}]"
        return f"{_clean(gloss)} {said}" if isinstance(gloss, str) and gloss != code else said


def _fact(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a leaf says; nothing if it says nothing."""
    fact = row.get("leaf")
    return fact if isinstance(fact, dict) else {}


def _canonical(said: object) -> bytes:
    """JSON with sorted names and no spaces, as the log hashes it."""
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def _clean(said: object) -> str:
    """Text for a terminal: a bundle does not get to move the cursor."""
    text = said if isinstance(said, str) else _canonical(said).decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "·" for c in text)


def _short(value: object) -> str:
    """A value; of a pseudonym, which says nothing to anybody, the beginning."""
    text = _clean(value)
    is_pseudonym = len(text) == 64 and not set(text) - set("0123456789abcdef")
    return f"{text[:8]}…" if is_pseudonym else text


def _when(instant: object) -> str:
    """An instant in Finnish time, or in UTC where the machine has no time zones; nothing for none."""
    if not isinstance(instant, str):
        return ""
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError:
        return _clean(instant)
    try:
        from zoneinfo import ZoneInfo

        return moment.astimezone(ZoneInfo("Europe/Helsinki")).strftime("%Y-%m-%d %H:%M")
    except Exception:  # noqa: BLE001 - a machine without time zones
        return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the bundle named on the command line and say what it proves."""
    said = argparse.ArgumentParser(
        description="Check what was disclosed about you, without the utility that disclosed it.",
        epilog="example: python verifier.py bundle.json --key 'register-hub.example/…+0a1b2c3d+AQ…'",
    )
    said.add_argument("bundle", type=Path, help="the file you were given")
    said.add_argument(
        "--key", action="append", required=True, metavar="VKEY",
        help="the log's public key, as the utility publishes it; also a witness's",
    )  # fmt: skip
    said.add_argument(
        "--checkpoint", action="append", default=[], type=Path, metavar="FILE",
        help="a checkpoint of the log that you have kept from earlier",
    )  # fmt: skip
    asked = said.parse_args(arguments)
    try:
        keys = [Key(key) for key in asked.key]
        notes = [path.read_text("utf-8").strip() + "\n" for path in asked.checkpoint]
        report = Report(read(asked.bundle.read_bytes()), keys, notes)
    except (Refused, OSError, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, Refused) else type(error).__name__
        sys.stderr.write(f"verifier: {reason}\n")
        return 1
    sys.stdout.write("\n".join(report.lines) + "\n")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
