"""Municipal building and environmental control's own systems (KuntaGML, formerly KRYSP): a WFS, or files.

Belongs here: asking GetFeature about our properties and buildings, splitting a question whose answer was cut
off; reading the files where its keeper drops them instead. Does not belong here: what a building or an exemption says (`kuntagml_buildings`, `kuntagml_exemptions`),
reading XML (`connectors.gml`), transport (`connectors.http`).

The service has no feed of changes (FORMATS.md §4.2): each night it is asked about every property of ours, some
at a time, and then about those buildings of ours that none of the answers told of, since a building keeps its id
when its parcel is split. A question names properties and buildings, never a person, so nothing is announced;
its keeper is the joint controller that is told of connections by property as it is.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from connectors import gml
from connectors.base import (
    Ask,
    Batch,
    Borrowed,
    Lender,
    Malformed,
    Opening,
    Refused,
    Tokens,
    Unavailable,
)
from connectors.files import FolderOptions
from connectors.folders import open_folder
from connectors.gml import Element
from connectors.http import Answer, Http, HttpSettings
from connectors.sources import kuntagml_buildings, kuntagml_exemptions
from connectors.sources.kuntagml_buildings import Buildings
from connectors.sources.kuntagml_exemptions import Exemptions

_ROOTS = {
    "Rakennusvalvonta": kuntagml_buildings.FEATURES,
    "Vesihuoltolaki": kuntagml_exemptions.FEATURES,
    "FeatureCollection": (*kuntagml_buildings.FEATURES, *kuntagml_exemptions.FEATURES),
}
_EXCEPTIONS = {"ServiceExceptionReport": "code", "ExceptionReport": "exceptionCode"}
_MOST_BYTES = 16 * 1024 * 1024
_BUILDING_IN_A_PERMIT = (
    "rakval:toimenpidetieto/rakval:Toimenpide/rakval:rakennustieto/rakval:Rakennus"
)
_IDS = "rakval:rakennuksenTiedot/rakval:rakennustunnus"


class _Kind(NamedTuple):
    """A type of features, and where in one its property and its building are named."""

    type_name: str
    property_path: str
    building_path: str | None = None


_KINDS = {
    "buildings": _Kind(
        "rakval:ValmisRakennus",
        f"rakval:rakennustieto/rakval:Rakennus/{_IDS}/rakval:kiinttun",
        f"rakval:rakennustieto/rakval:Rakennus/{_IDS}/rakval:valtakunnallinenNumero",
    ),
    "permits": _Kind(
        "rakval:RakennusvalvontaAsia",
        f"{_BUILDING_IN_A_PERMIT}/{_IDS}/rakval:kiinttun",
    ),
    "exemptions": _Kind(
        "ymv:Vapautus",
        "ymv:vapautushakemustieto/ymv:Vapautushakemus/ymv:kohde/ymv:kiinteistorekisteritunnus",
    ),
}


@dataclass(frozen=True)
class KuntaGmlOptions:
    """How to reach the service and what to ask for. timeout: seconds without an answer, attempts: tries.

    base_url: the WFS's whole address, without a query; or folder: where XML files of the same stand. features: some of "buildings", "permits" (of building
    control) or "exemptions" (of environmental control) alone. together: properties a question names, at most
    as many as fit in an address. max_features: where the service may cut an answer off.
    Raises ValueError for a setting that can't be used.
    """

    base_url: str = ""
    folder: FolderOptions | None = None
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    features: Sequence[str] = ("buildings", "permits")
    together: int = 20
    max_features: int = 1000
    ca_file: Path | None = None
    timeout: float = 60.0
    attempts: int = 4
    allow_test_identities: bool = False

    def __post_init__(self) -> None:
        asked = () if isinstance(self.features, str) else tuple(self.features)
        if not asked or not set(asked) <= _KINDS.keys():
            raise ValueError(f"features is not a list of some of {', '.join(_KINDS)}")
        if "exemptions" in asked and len(asked) > 1:
            raise ValueError("exemptions are another controller's: they want a source of their own")
        if not 1 <= self.together <= 50:
            raise ValueError("together is not from 1 to 50")
        if self.max_features < 1:
            raise ValueError("max_features is less than one")
        if bool(self.base_url) == (self.folder is not None):
            raise ValueError("base_url or folder: one of the two is wanted")
        if self.base_url:
            self.http()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The local names of the features, buildings before permits."""
        return tuple(
            k.type_name.rpartition(":")[2] for n, k in _KINDS.items() if n in self.features
        )

    @property
    def _parts(self) -> tuple[str, str]:
        """The address up to its last part, and that part: one with a slash after it is another address."""
        url = urlsplit(self.base_url)
        folder, _, last = url.path.rstrip("/").rpartition("/")
        return urlunsplit(url._replace(path=folder)), last

    @property
    def path(self) -> str:
        """The last part of the address."""
        return self._parts[1]

    def http(self) -> HttpSettings:
        """The transport's settings."""
        if not self.path:
            raise ValueError("base_url has no path: the WFS's whole address is wanted")
        return HttpSettings(
            base_url=self._parts[0],
            username=self.username,
            password=self.password,
            headers={"Accept": "text/xml, application/xml"},
            ca_file=self.ca_file,
            read_timeout=self.timeout,
            attempts=self.attempts,
            max_bytes=_MOST_BYTES,
        )


def connect(options: Mapping[str, Any], opening: Opening) -> "KuntaGml":
    """The source as the house opens it; ValueError or TypeError says which option can't be used."""
    given = {k: v for k, v in options.items() if v is not None}
    if "folder" in given:
        there = FolderOptions.from_mapping(given.pop("folder"))
        given |= {"folder": there} if there.path else {}
    read = KuntaGmlOptions(**given, allow_test_identities=opening.allow_test_identities)
    if opening.patience is not None:
        read = replace(read, timeout=opening.patience, attempts=1)
    return KuntaGml(read, opening.lender, opening.tokens)


class KuntaGml:
    """One controller's system as a `Source`; records as `kuntagml_buildings` or `kuntagml_exemptions` has them."""

    def __init__(
        self,
        options: KuntaGmlOptions,
        lender: Lender,
        tokens: Tokens,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._options = options
        self._lender = lender
        self._tokens = tokens
        self._sleep = sleep

    def fetch(self, ask: Ask) -> Batch:
        """All that is known of our properties tonight; the cursor stays empty, for there is no feed.

        unknown: beside those of what is read, "answer_cut_off", a single property about which the service
        tells no more than max_features lets it. Raises `Refused` where the service answers with an exception,
        `Malformed` for an answer of no known shape, or one that is not harmless XML (`connectors.gml`).
        """
        lent = self._lender.borrow()
        if not lent.property_ids and not lent.building_ids:
            return Batch((), dict(ask.cursor or {}), 0)
        told: Buildings | Exemptions
        if "exemptions" in self._options.features:
            told = Exemptions(lent)
        else:
            allow = self._options.allow_test_identities
            told = Buildings(self._tokens, lent, ask.known, ask.business_date, allow)
        if self._options.folder is not None:
            cut_off = 0
            self._read_files(self._options.folder, told)
        else:
            cut_off = self._ask_service(lent, told)
        return Batch(
            records=told.records(),
            cursor=dict(ask.cursor or {}),
            fetched=told.fetched,
            dropped=dict(+told.dropped),
            unknown=dict(+told.unknown) | ({"answer_cut_off": cut_off} if cut_off else {}),
        )

    def _ask_service(self, lent: Borrowed, told: Buildings | Exemptions) -> int:
        """Every question about what is ours; how many properties had more to tell than the service lets it."""
        cut_off = 0
        with Http(self._options.http(), self._sleep) as http:
            for name in filter(self._options.features.__contains__, _KINDS):
                service = _Service(http, self._options, _KINDS[name])
                for feature in service.about(_KINDS[name].property_path, sorted(lent.property_ids)):
                    told.take(feature)
                path = _KINDS[name].building_path
                if path is not None and isinstance(told, Buildings):
                    elsewhere = sorted(lent.building_ids - told.building_ids)
                    for feature in service.about(path, elsewhere):
                        told.take(feature)
                cut_off += service.cut_off
        return cut_off

    def _read_files(self, there: FolderOptions, told: Buildings | Exemptions) -> None:
        """Every XML file of the folder, in the order of their names; what is none of ours is passed over."""
        wanted = self._options.feature_names
        features: list[Element] = []
        with open_folder(there) as folder:
            names = sorted(
                info.name for info in folder.list() if info.name.lower().endswith(".xml")
            )
            if not names:
                raise Unavailable(f"{folder.where}: no XML file is there")
            for name in names:
                place = f"{folder.where}: {name}"
                found = gml.read(folder.read(name, _MOST_BYTES), wanted, place)
                if set(wanted).isdisjoint(_ROOTS.get(found.root, ())):
                    raise Malformed(f"{place}: the file has none of the shapes we know")
                features += found.features
        for feature in sorted(features, key=lambda one: wanted.index(one.name)):
            told.take(feature)

    def check(self) -> str:
        """Asks what the service can do, or lists the files, which names nobody and shows nothing."""
        if self._options.folder is not None:
            with open_folder(self._options.folder) as folder:
                files = sum(info.name.lower().endswith(".xml") for info in folder.list())
                return f"{folder.where}: {files} XML files"
        with Http(self._options.http(), self._sleep) as http:
            answer = _get(http, self._options, {"request": "GetCapabilities"})
        found = gml.read(answer.body, (), answer.place)
        if found.root not in ("WFS_Capabilities", *_EXCEPTIONS):
            raise Malformed(f"{answer.place}: the answer is not a WFS's")
        return f"{answer.place}: lets us in ({', '.join(self._options.features)})"


class _Service:
    """Questions about one type of features."""

    def __init__(self, http: Http, options: KuntaGmlOptions, kind: _Kind) -> None:
        self._http = http
        self._options = options
        self._kind = kind
        self.cut_off = 0

    def about(self, path: str, ids: Sequence[str]) -> Iterator[Element]:
        """The features in which one of the ids stands at the path, some ids a question."""
        for start in range(0, len(ids), self._options.together):
            yield from self._ask(path, ids[start : start + self._options.together])

    def _ask(self, path: str, ids: Sequence[str]) -> Iterator[Element]:
        """One question; where its answer is full it says nothing of the rest, so each half is asked anew."""
        features = self._features(path, ids)
        if len(features) < self._options.max_features:
            yield from features
        elif len(ids) > 1:
            yield from self._ask(path, ids[: len(ids) // 2])
            yield from self._ask(path, ids[len(ids) // 2 :])
        else:
            self.cut_off += 1
            yield from features

    def _features(self, path: str, ids: Sequence[str]) -> list[Element]:
        asked = {
            "request": "GetFeature",
            "maxFeatures": str(self._options.max_features),
            "typeName": self._kind.type_name,
            "filter": _filter(path, ids),
        }
        answer = _get(self._http, self._options, asked)
        wanted = {self._kind.type_name.rpartition(":")[2], "Exception", "ServiceException"}
        found = gml.read(answer.body, wanted, answer.place)
        if found.root in _EXCEPTIONS:
            codes = (f.attributes.get(_EXCEPTIONS[found.root], "") for f in found.features)
            code = next(
                (c for c in codes if c.isascii() and c.isalpha() and len(c) < 60), "unnamed"
            )
            raise Refused(f"{answer.place} answered with an exception ({code})")
        if wanted.isdisjoint(_ROOTS.get(found.root, ())):
            raise Malformed(f"{answer.place}: the answer has none of the shapes we know")
        return found.features


def _get(http: Http, options: KuntaGmlOptions, asked: Mapping[str, str]) -> Answer:
    return http.request("GET", options.path, params={"service": "WFS", **asked})


def _filter(path: str, ids: Sequence[str]) -> str:
    """An ogc:Filter whose elements have no prefix, as the systems in use are asked (FORMATS.md §4.2)."""
    tests = [
        f"<PropertyIsEqualTo><PropertyName>{path}</PropertyName>"
        f"<Literal>{_plain(one)}</Literal></PropertyIsEqualTo>"
        for one in ids
    ]
    any_of = tests[0] if len(tests) == 1 else f"<Or>{''.join(tests)}</Or>"
    return f"<Filter>{any_of}</Filter>"


def _plain(text: str) -> str:
    """An id as it may stand in XML; ids are letters and digits, anything else finds nothing anyway."""
    return "".join(c for c in text if c.isascii() and c.isalnum())
