"""What Dagster's page may ask for: names Dagster itself knows, and request numbers. Never a word somebody typed.

Run configuration, tags and descriptions are kept by Dagster for ever and in clear, and it has no way of
forgetting them (HOUSE_STYLE, "Measured traps"). So whatever could carry a name is refused before Dagster sees
it. Belongs here: the decision, on a GraphQL request as it was read. Does not belong here: the server that
asks for it (`webserver`), what Dagster shows (queries change nothing and keep nothing; measured).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml
from graphql import (
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    Undefined,
    parse,
    value_from_ast_untyped,
)

# unreadable: no GraphQL we understand; deed: nothing this page is for; config: more than a request number;
# words: a name that Dagster does not know; door: another way in than the page's own; looking: a page only to look at
Reason = Literal["unreadable", "deed", "config", "words", "door", "looking"]

# Starting and stopping, by name. Whatever else there is describes, reports or rewrites what was, in free text.
DEEDS = frozenset({
    "launchRun", "launchMultipleRuns", "launchRunReexecution", "launchPipelineExecution",
    "launchPipelineReexecution", "terminateRun", "terminateRuns", "terminatePipelineExecution",
    "startSchedule", "stopRunningSchedule", "resetSchedule", "reloadRepositoryLocation",
    "reloadWorkspace", "setNuxSeen",
})  # fmt: skip
# Dagster's own words: modes, ways to run again and to stop, and the tags its page sets by itself.
_WORDS = frozenset({
    "default", "true", "ALL_STEPS", "FROM_FAILURE", "FROM_ASSET_FAILURE",
    "SAFE_TERMINATE", "MARK_AS_CANCELED_IMMEDIATELY",
    "dagster", "from_ui", "is_resume_retry", "step_selection", "solid_selection", "preset_name",
})  # fmt: skip
_ID = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{40}(:[0-9a-f]{40})?"
)  # of a run, of a schedule
_PUNCTUATION = re.compile(r"[\w\s{}():/.,*+-]*")
LARGEST = 999_999  # a telephone number is longer

# What Dagster knows by name; asked of Dagster itself, so that it holds after a reload too.
VOCABULARY = """
query HubVocabulary {
  workspaceOrError { ... on Workspace { locationEntries { name } } }
  repositoriesOrError { ... on RepositoryConnection { nodes {
    name
    jobs { name solids { name definition { ... on SolidDefinition { configField { configType {
      ... on CompositeConfigType { fields { name configTypeKey } } } } } } } }
    schedules { name }
    assetNodes { assetKey { path } groupName opNames
      assetChecksOrError { ... on AssetChecks { checks { name } } } }
  } } }
}
"""


class Unreadable(ValueError):
    """A request that is no GraphQL, or hides what it does; without the text."""


@dataclass(frozen=True)
class Known:
    """What Dagster knows. words: of every name. numbers: the whole-number settings by op."""

    words: frozenset[str]
    numbers: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Deed:
    """One mutation of a request. key: under which its answer is expected. is_object: as an object, or bare."""

    name: str
    key: str
    arguments: Mapping[str, object]
    is_object: bool


def known_of(answer: Mapping[str, Any]) -> Known:
    """The vocabulary from Dagster's answer to `VOCABULARY`; of an answer that failed, next to nothing."""
    data = answer.get("data") or {}
    nodes = (data.get("repositoriesOrError") or {}).get("nodes") or []
    names = set(_strings(data.get("workspaceOrError"))) | set(_strings(nodes))
    numbers = {}
    for op in (op for node in nodes for job in node["jobs"] for op in job["solids"]):
        kind = (op["definition"].get("configField") or {}).get("configType") or {}
        fields = {
            f["name"]
            for f in kind.get("fields") or ()
            if f["configTypeKey"] in ("Int", "IntSourceType")
        }
        if fields:
            numbers[op["name"]] = frozenset(fields)
    return Known(_WORDS | {word for name in names for word in re.findall(r"\w+", name)}, numbers)


def deeds(query: str, variables: Mapping[str, Any]) -> list[Deed]:
    """Every mutation a request could run; none for one that only reads.

    Raises Unreadable for what can't be parsed, and for a mutation behind a fragment.
    """
    found = []
    for operation in _operations(query):
        if operation.operation is not OperationType.MUTATION:
            continue
        defaults = {
            v.variable.name.value: value_from_ast_untyped(v.default_value)
            for v in operation.variable_definitions
            if v.default_value
        }
        for field in operation.selection_set.selections:
            if not isinstance(field, FieldNode):
                raise Unreadable("a mutation behind a fragment")
            given = {**defaults, **variables}
            arguments = {
                a.name.value: value_from_ast_untyped(a.value, given) for a in field.arguments
            }
            key = (field.alias or field.name).value
            found.append(Deed(field.name.value, key, arguments, field.selection_set is not None))
    return found


def listens(query: str) -> bool:
    """Whether a request is a subscription and nothing else; raises Unreadable."""
    return {o.operation for o in _operations(query)} == {OperationType.SUBSCRIPTION}


def refusal(asked: Sequence[Deed], known: Known) -> Reason | None:
    """Why these mutations may not reach Dagster; None when they may."""
    for deed in asked:
        if deed.name != "__typename" and deed.name not in DEEDS:
            return "deed"
        if reason := _of_value(deed.arguments, known):
            return reason
    return None


def refused(asked: Sequence[Deed], words: str) -> dict[str, object]:
    """The answer to mutations that were refused, in the two shapes Dagster's page knows how to show.

    Everything it expects as an object may be a PythonError, which opens a window with the words; a bare
    value can only fail.
    """
    if not asked or not all(deed.is_object for deed in asked):
        return {"data": None, "errors": [{"message": words}]}
    error: dict[str, object] = {
        "__typename": "PythonError", "message": words, "className": None, "stack": [],
        "cause": None, "causes": [], "errorChain": [],
    }  # fmt: skip
    return {"data": {deed.key: error for deed in asked}}


def _operations(query: str) -> list[OperationDefinitionNode]:
    try:
        document = parse(query)
    except (GraphQLError, RecursionError):
        raise Unreadable("no GraphQL") from None
    return [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]


def _of_value(value: object, known: Known) -> Reason | None:
    match value:
        case None | bool():
            return None
        case _ if value is Undefined:  # an argument left to its default
            return None
        case str():
            return None if _ID.fullmatch(value) or _are_known(value, known) else "words"
        case list():
            return next((r for v in value if (r := _of_value(v, known))), None)
        case dict():
            for key, inner in value.items():
                if key == "runConfigData":
                    if not _is_request(inner, known):
                        return "config"
                elif reason := _of_value(inner, known):
                    return reason
            return None
        case _:
            return "words"


def _are_known(text: str, known: Known) -> bool:
    return bool(_PUNCTUATION.fullmatch(text)) and set(re.findall(r"\w+", text)) <= known.words


def _is_request(config: object, known: Known) -> bool:
    """Whether run configuration is empty or holds whole numbers where an op asks for them, and no more.

    As text (YAML, from the launchpad) every word must be known as well: a comment is one somebody typed.
    """
    if isinstance(config, str):
        fields = {name for names in known.numbers.values() for name in names}
        plain = re.sub(r"\b[0-9]{1,6}\b", "", config)
        if not _are_known(plain, Known(known.words | {"ops", "config"} | fields, {})):
            return False
        try:
            config = yaml.safe_load(config)
        except (yaml.YAMLError, ValueError, RecursionError):
            return False
    if not config:
        return config in (None, {}, "")
    if (
        not isinstance(config, dict)
        or set(config) != {"ops"}
        or not isinstance(config["ops"], dict)
    ):
        return False
    return all(
        op in known.numbers
        and isinstance(settings, dict)
        and set(settings) <= {"config"}
        and isinstance(settings.get("config", {}), dict)
        and set(settings.get("config", {})) <= known.numbers[op]
        and all(type(n) is int and 0 <= n <= LARGEST for n in settings.get("config", {}).values())
        for op, settings in config["ops"].items()
    )


def _strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for inner in value:
                yield from _strings(inner)
        case dict():
            for inner in value.values():
                yield from _strings(inner)
