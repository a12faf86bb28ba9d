"""What Dagster's page calls things, in the steward's language: assets, groups, steps, checks, columns.

Belongs here: names and columns, made of the catalogue's texts and the titles in `config`. Does not belong here: the
texts, what an asset does (`stage`). Our own code and the golden graph know an asset by the key it has there
(`landing/dvv`); Dagster keeps the name a steward reads, so a title that changes begins a new history.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from pipelines.contracts import RecipientContract, SourceConfig
from pipelines.domain.fields import FIELDS, Field, Privacy
from pipelines.domain.schemas import Schema
from pipelines.notice import Notice
from pipelines.settings import Settings
from pipelines.texts import Texts, catalogue

# from what says nothing of anybody to what has to be hidden
_PRIVACY: tuple[Privacy, ...] = ("none", "internal", "pseudonym", "personal", "address")
# what a contract's column may be made of and no column of ours holds; the rest of such says nothing of anybody
_UNHELD: Mapping[str, Privacy] = {"final_invoice": "address"}
# what Dagster's page can ask for by name and its gate lets through (`launchpad`)
_ODD = re.compile(r"[^\w\s().,:+*-]")


@dataclass(frozen=True)
class Names:
    """The names of one hub. titles: of a counterparty's asset, by its key here, different within each layer."""

    texts: Texts
    notice: Notice
    titles: Mapping[tuple[str, str], str]

    def key(self, key: Sequence[str]) -> dg.AssetKey:
        """What an asset is called: its layer, numbered in the order of the night, and whom or what it is about."""
        return dg.AssetKey([self.texts.say(f"layer.{key[0]}"), self._thing(key)])

    def step(self, key: Sequence[str]) -> str:
        """The asset's step on the page of a run, where Dagster takes neither a space nor an ä."""
        number = self.texts.say(f"layer.{key[0]}").split()[0]
        return _plain(f"{number} {self._thing(key)}")

    def group(self, layer: str) -> str:
        """The asset's group: its layer, as far as Dagster takes the letters."""
        return _plain(self.texts.say(f"layer.{layer}"))

    def check(self, name: str) -> str:
        """A check is called what it asks; what has to be said beside that stands in brackets, in its description."""
        return self.texts.check(name).split(" (")[0]

    def title(self, key: Sequence[str]) -> str:
        """Whom an asset is about, empty where it is about nobody in particular."""
        return self.titles.get((key[0], key[1]), "")

    def columns(self, tables: Sequence[Schema]) -> dg.TableSchema:
        """Which columns tables have: names, meanings, how private each is and what the notice has on it; no value."""
        say = self.texts.say
        return dg.TableSchema(
            columns=[
                self._column(
                    f"{say(f'table.{table.name}')}: {self._label(field.name)}",
                    [field.name],
                    self._meaning(field.name),
                    kind=field.kind,
                    nullable=field.name not in table.key,
                )
                for table in tables
                for field in table.fields
            ]
        )

    def may_bring(self, source: SourceConfig) -> dg.TableSchema:
        """What the notice lets a source say of our customers; the rest is dropped at the door."""
        allowed = self.notice.fields_of(source.notice_source)
        return dg.TableSchema(
            columns=[
                self._column(
                    self._label(field.name), [field.name], self._meaning(field.name), field.kind
                )
                for field in FIELDS.values()
                if field.name in allowed and f"field.{field.name}" in catalogue()
            ]
        )

    def contract(self, contract: RecipientContract) -> dg.TableSchema:
        """The columns a recipient is told, and of what each is made."""
        return dg.TableSchema(
            columns=[
                self._column(
                    self.texts.say(f"column.{field.name}"),
                    field.made_of,
                    self.texts.say("made_of", fields=", ".join(map(self._label, field.made_of))),
                )
                for field in contract.fields
            ]
        )

    def _thing(self, key: Sequence[str]) -> str:
        return self.title(key) or self.texts.say(f"thing.{key[0]}")

    def _label(self, field: str) -> str:
        return self.texts.say(f"field.{field}")

    def _meaning(self, field: str) -> str:
        said = f"meaning.{field}"
        return _sentence(self.texts.say(said) if said in catalogue() else self._label(field))

    def _column(
        self,
        name: str,
        made_of: Sequence[str],
        description: str,
        kind: str = "text",
        *,
        nullable: bool = True,
    ) -> dg.TableColumn:
        say = self.texts.say
        privacy = max((_privacy(field) for field in made_of), key=_PRIVACY.index)
        categories = dict.fromkeys(self._category(field) for field in made_of)
        return dg.TableColumn(
            name=name,
            type=say(f"type.{kind}"),
            description=description,
            tags={
                say("privacy.tag"): say(f"privacy.{privacy}"),
                say("category.tag"): ", ".join(categories),
            },
            constraints=dg.TableColumnConstraints(nullable=nullable),
        )

    def _category(self, field: str) -> str:
        of = (c for c in self.notice.categories for i in c.items if field in i.fields)
        category = next(of, None)
        entry = f"category.{category.name if category else 'beyond'}"
        if category is not None and entry not in catalogue():  # a site's own notice
            return category.title
        return self.texts.say(entry)


def names_of(settings: Settings) -> Names:
    """The names of a hub, in the language of its `hub.yml`."""
    language = settings.hub.language
    sources = {s.name: s.title.in_(language) for s in settings.sources.values()}
    told = {c.recipient: c.title.in_(language) for c in settings.recipients.values()}
    asked = {s.name: sources[s.name] for s in settings.sources.values() if s.asks_in_batches}
    layers = {"landing": sources, "extract": told, "delivery": {**asked, **told}}
    return Names(
        Texts(language),
        settings.notice,
        {
            (layer, name): title
            for layer, titles in layers.items()
            for name, title in _apart(titles.items())
        },
    )


def _apart(titles: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Titles that are different also where Dagster takes plain letters only."""
    clean = [(name, " ".join(_ODD.sub(" ", title).split())) for name, title in titles]
    plain = [_plain(title).casefold() for _, title in clean]
    for (name, title), folded in zip(clean, plain, strict=True):
        yield name, title if plain.count(folded) == 1 else f"{title} ({name})"


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text)
    return re.sub(r"[^A-Za-z0-9]+", "_", re.sub(r"[\u0300-\u036f]", "", letters)).strip("_")


def _privacy(name: str) -> Privacy:
    field: Field | None = FIELDS.get(name)
    return field.privacy if field else _UNHELD.get(name, "none")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def renamed(
    asset: dg.AssetsDefinition, names: Names, keys: Iterable[Sequence[str]]
) -> dg.AssetsDefinition:
    """An asset under the names a steward reads, checks too.

    Dagster derives the names of a step's outputs from those of assets and checks, and takes plain letters there; so
    an asset is made under our own and called otherwise afterwards. For checks Dagster has no public way; a new version
    of it is tried by `tests/pipelines`.
    """
    shown = asset.with_attributes(
        asset_key_replacements={dg.AssetKey(list(k)): names.key(k) for k in keys}
    )
    made = shown.get_attributes_dict()
    checks = {
        output: spec._replace(name=names.check(spec.name))
        for output, spec in made["check_specs_by_output_name"].items()
    }
    called: dg.AssetsDefinition = type(shown).dagster_internal_init(
        **{
            **made,
            "check_specs_by_output_name": checks,
            "selected_asset_check_keys": {spec.key for spec in checks.values()},
        }
    )
    return called
