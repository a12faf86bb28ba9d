"""The features of a GML document, out of bytes that nobody vouches for.

Belongs here: XML within bounds, namespaces left aside, finding the features of a KuntaGML answer wherever a
server puts them (FORMATS.md §4.2). Does not belong here: what a feature says (`sources`), transport
(`connectors.http`, which bounds the bytes).

A DOCTYPE is refused, so there are no entities to grow and nothing is fetched. What else can be made large is
counted while it is read: depth, elements, text and attributes. Only features are kept; the rest of the
document passes by. Namespaces are no help: the same schema has two of them, and samples carry either.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError

from defusedxml import DTDForbidden
from defusedxml.ElementTree import DefusedXMLParser

from connectors.base import Malformed

_DECLARED = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]{0,200}?encoding\s*=\s*["']([^"']{0,99})""")
# any other name would have Python decode by some codec of its own
_ENCODINGS = frozenset({b"utf-8", b"us-ascii", b"iso-8859-1", b"iso-8859-15", b"windows-1252"})


@dataclass(frozen=True)
class Bounds:
    """The most that one document may hold; text and attributes in characters of one element."""

    depth: int = 64
    elements: int = 500_000
    text: int = 64 * 1024
    attributes: int = 16 * 1024


@dataclass(repr=False, slots=True)
class Element:
    """An element by its local name; attributes likewise. What stands in it is somebody's: it shows nothing."""

    name: str
    attributes: Mapping[str, str]
    children: list["Element"] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    def each(self, *path: str) -> Iterator["Element"]:
        """The elements at the end of every path of these names, in their order."""
        if not path:
            yield self
            return
        for child in self.children:
            if child.name == path[0]:
                yield from child.each(*path[1:])

    def one(self, *path: str) -> "Element | None":
        """The first at the end of the path."""
        return next(self.each(*path), None)

    def text(self, *path: str) -> str | None:
        """The text of the first that has any, as one line; None when there is none."""
        lines = (" ".join("".join(found.pieces).split()) for found in self.each(*path))
        return next(filter(None, lines), None)


@dataclass(frozen=True, repr=False)
class Document:
    """root: the local name of the outermost element. features: those asked for, in their order."""

    root: str
    features: list[Element]


def read(
    body: bytes, wanted: Collection[str], place: str, bounds: Bounds | None = None
) -> Document:
    """The features of these local names, wherever they stand; one inside another is a part of it.

    place: how error texts name the call. Raises `Malformed` for what is no XML, has a DOCTYPE or holds more
    than the bounds; whatever the bytes, nothing else.
    """
    target = _Features(frozenset(wanted), bounds or Bounds())
    problem: str | None = None
    declared = _DECLARED.match(body)
    if declared is not None and declared[1].lower() not in _ENCODINGS:
        raise Malformed(f"{place}: declares an encoding that is not read")
    try:
        parser = DefusedXMLParser(target=target, forbid_dtd=True)
        parser.feed(body)
        parser.close()
    except _TooMuch as error:
        problem = str(error)
    except DTDForbidden:
        problem = "has a DOCTYPE, which is refused"
    except (ParseError, ValueError, LookupError, RuntimeError):
        problem = "not XML that can be read"  # defusedxml's own are ValueErrors
    if problem is None and target.root is None:
        problem = "not XML that can be read"
    if (
        problem is not None
    ):  # raised here, or the unreadable text would hang on the error as its context
        raise Malformed(f"{place}: {problem}")
    return Document(target.root or "", target.features)


class _TooMuch(Exception):
    """A bound was passed; its text names the bound alone."""


class _Features:
    """What the parser tells its events to."""

    def __init__(self, wanted: frozenset[str], bounds: Bounds) -> None:
        self.root: str | None = None
        self.features: list[Element] = []
        self._wanted = wanted
        self._bounds = bounds
        self._open: list[Element] = []
        self._depth = 0
        self._elements = 0
        self._characters = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        self._characters = 0
        if self._depth > self._bounds.depth:
            raise _TooMuch(f"nested more than {self._bounds.depth} deep")
        if self._elements > self._bounds.elements:
            raise _TooMuch(f"more than {self._bounds.elements} elements")
        if sum(map(len, attributes.values())) > self._bounds.attributes:
            raise _TooMuch(f"attributes of more than {self._bounds.attributes} characters")
        name = _local(tag)
        if self.root is None:
            self.root = name
        if not self._open and name not in self._wanted:
            return
        found = Element(name, {_local(key): value for key, value in attributes.items()})
        (self._open[-1].children if self._open else self.features).append(found)
        self._open.append(found)

    def data(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > self._bounds.text:
            raise _TooMuch(f"a text of more than {self._bounds.text} characters")
        if self._open:
            self._open[-1].pieces.append(text)

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._characters = 0
        if self._open:
            self._open.pop()

    def close(self) -> None:
        """There is nothing to hand over: `features` has it."""


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
