"""What is agreed with each register we hear from and each recipient we tell, as its YAML file states it.

Belongs here: the shape of `config/sources/*.yml` and `config/recipients/*.yml`, and what one file can be
held to by itself. Does not belong here: reading files (`settings`), holding a contract against the notice
(`notice`), what a connector makes of its own options (`connectors`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from expectations.volume import Corridor
from pipelines.catalogue import RECIPIENT_CONNECTORS, SOURCE_CONNECTORS, Connector

Basis = Literal[
    "consent",
    "contract",
    "legal_obligation",
    "vital_interests",
    "public_task",
    "legitimate_interests",
]
Ground = Literal["credit_application", "collection", "billing", "statute"]
Role = Literal["own", "joint_controller", "processor", "independent"]
Mechanism = Literal["adequacy", "standard_clauses", "binding_rules"]

Text = Annotated[str, Field(min_length=1)]
IsoDate = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Declared(BaseModel):
    """A part of a configuration file: nothing in it changes, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Connected(Declared):
    """Something with `connector:` and that connector's own keys, kept together in `options`."""

    connectors: ClassVar[Mapping[str, Connector]]

    connector: str
    options: Mapping[str, JsonValue] = Field(default_factory=dict, repr=False)

    @property
    def configured(self) -> bool:
        """Whether an address is given; without one the counterparty is absent, which is no failure."""
        return self.connectors[self.connector].has_address(self.options)

    @model_validator(mode="before")
    @classmethod
    def _gather_options(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or "connector" not in given:
            return given
        kind = cls.connectors.get(str(given["connector"]))
        if kind is None:
            raise ValueError(f"connector to be one of {', '.join(sorted(cls.connectors))}")
        own = {k: v for k, v in given.items() if k in kind.options}
        return {**{k: v for k, v in given.items() if k not in kind.options}, "options": own}


class Title(Declared):
    """What stewards call it, in their language (DESIGN 17); a plain text is the same in all three."""

    fi: Text
    sv: Text
    en: Text

    def in_(self, language: Literal["fi", "sv", "en"]) -> str:
        """The title in one language."""
        return {"fi": self.fi, "sv": self.sv, "en": self.en}[language]

    @model_validator(mode="before")
    @classmethod
    def _same_in_all(cls, given: Any) -> Any:
        return dict.fromkeys(("fi", "sv", "en"), given) if isinstance(given, str) else given


class _CorridorKeys(Declared):
    shrink: float = Field(ge=0, le=1)
    grow: float = Field(ge=0)
    minimum: int = Field(default=0, ge=0)


def _corridor(given: object) -> object:
    return Corridor(**_CorridorKeys.model_validate(given).model_dump())


class Expect(Declared):
    """What a feed is expected to bring; a corridor means something for full snapshots only.

    heard_within_days: how long it may be silent, down, refused or held, before a steward sees it stand still.
    """

    heard_within_days: int = Field(default=2, ge=1)
    corridor: Annotated[Corridor, BeforeValidator(_corridor)] = Corridor(shrink=0.5, grow=1.0)


class Agreement(Declared):
    """The paper behind a relation: where it is filed, when it was signed, its last day."""

    reference: Text | None = None
    signed: IsoDate | None = None
    valid_to: IsoDate | None = None


class InBatches(Declared):
    """How often somebody is asked about anew in a batch, and how long an answer may take.

    unless_known_by: sources; whoever one of them has a record of is not asked about.
    """

    every_days: int = Field(default=30, ge=1)
    answer_within_days: int = Field(default=14, ge=1)
    unless_known_by: tuple[Text, ...] = ()


class SourceConfig(_Connected):
    """A register we hear from.

    notice_source: its kind in `notice.yml`, none of who brings reference data. controller: the joint controller behind it, when it is one's
    (R14). purpose and basis: what asking it about our customers rests on, for the disclosure log (R6).
    borrow_from: the source that lends who and what is ours for one call (DESIGN 2). in_batches: for a register
    that is asked so. numbered_by: whose
    customer numbers its invoices and orders speak of: `hub`, ours, or the source whose keys they are.
    agreement: where its kind needs one (R15), nothing is read before it is signed nor after its last day.
    """

    connectors: ClassVar[Mapping[str, Connector]] = SOURCE_CONNECTORS

    name: Text
    title: Title
    notice_source: Text | None = None
    controller: Text | None = None
    agreement: Agreement | None = None
    purpose: Text = "maintain_register"
    basis: Basis = "contract"
    schedule: Literal["nightly"] = "nightly"
    borrow_from: Text | None = None
    numbered_by: Text = "hub"
    expect: Expect = Expect()
    in_batches: InBatches = InBatches()

    @property
    def brings(self) -> Literal["records", "reference"]:
        """Records of customers, or reference data (`Connector`)."""
        return SOURCE_CONNECTORS[self.connector].brings

    @property
    def asks_with(self) -> tuple[str, ...]:
        """The fields that its questions about named people carry."""
        connector = SOURCE_CONNECTORS[self.connector]
        asks = self.options.get("asks") if connector.may_ask_with else None
        columns = asks.get("columns") if isinstance(asks, Mapping) else None
        if not isinstance(columns, Mapping):
            return connector.asks_with
        return tuple(str(field) for field in columns.values() if field != "reference")

    @property
    def asks_in_batches(self) -> bool:
        """Whether it is sent files of questions and answers later."""
        return SOURCE_CONNECTORS[self.connector].asks_in_batches

    @property
    def on_demand(self) -> Literal["asks", "drains"] | None:
        """What a refresh does with it (`Connector`)."""
        return SOURCE_CONNECTORS[self.connector].on_demand


class ContractField(Declared):
    """One column a recipient gets: what of ours it is made of, why it goes, what they use it for (R18)."""

    name: Text
    made_of: Annotated[tuple[Text, ...], Field(min_length=1)]
    reason: Text
    used_by: Text


PopulationRule = Literal[
    "payers_of_points",
    "own_customers_with_accepted_changes",
    "supplied_records_in_error",
    "connections_of_properties",
    "per_case",
]
Reference = Literal["case", "application", "statute"]


class Population(Declared):
    """Who may be in a delivery: in words, and the rule that picks them.

    source: the source whose records go back to its keeper, for the rules about returns. reference: what each
    disclosure rests on, for `per_case`, which tells of one customer at a time and never by itself (R17, R20).
    """

    rule: PopulationRule
    source: Text | None = None
    reference: Reference | None = None
    sentence: Text

    @property
    def is_per_case(self) -> bool:
        """Whether somebody is told of by a command only, on a reference."""
        return self.rule == "per_case"


class Transfer(Declared):
    """What allows a transfer outside the EEA (GDPR chapter V; R24)."""

    mechanism: Mechanism
    reference: Text
    valid_to: IsoDate


class Transport(_Connected):
    """How the bytes get there."""

    connectors: ClassVar[Mapping[str, Connector]] = RECIPIENT_CONNECTORS


class AcknowledgementRule(Declared):
    """How the recipient answers, how long an answer may take, how long a delivery waits for it."""

    dedupe: Literal["ack-dir", "transaction-id"]
    ack_max_age_days: int = Field(ge=1)
    wait_seconds: int = Field(default=0, ge=0)


class RecipientContract(Declared):
    """What one recipient may be told, about whom, why and how (R18, R20, R24)."""

    recipient: Text
    title: Title
    notice_recipient: Text
    version: int = Field(ge=1)
    mode: Literal["shadow", "live"] = "shadow"
    role: Role
    agreement: Agreement = Agreement()
    purpose: Text
    basis: Basis
    ground: Ground | None = None
    statute: Text | None = None
    country: str = Field(pattern="^[A-Z]{2}$")
    eu_eea: bool
    transfer: Transfer | None = None
    population: Population
    fields: Annotated[tuple[ContractField, ...], Field(min_length=1)]
    transport: Transport
    acknowledgement: AcknowledgementRule
    # hours for which nobody outside may have taken a checkpoint of the log before deliveries stop
    seal_max_age_hours: int = Field(default=48, ge=1)

    @property
    def columns(self) -> tuple[str, ...]:
        """The contract's columns, in the order they are sent."""
        return tuple(f.name for f in self.fields)

    @property
    def configured(self) -> bool:
        """Whether an address is given; without one the recipient is absent, which is no failure."""
        return self.transport.configured

    @model_validator(mode="after")
    def _names_are_unique(self) -> "RecipientContract":
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("each field to be named once")
        return self

    @model_validator(mode="after")
    def _fields_fit_the_transport(self) -> "RecipientContract":
        wanted = RECIPIENT_CONNECTORS[self.transport.connector].columns
        if wanted is not None and set(self.columns) != wanted:
            wrong = ", ".join(sorted(wanted ^ set(self.columns)))
            raise ValueError(f"the fields that {self.transport.connector} carries: see {wrong}")
        return self
