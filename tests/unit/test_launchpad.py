"""No word that somebody typed passes from Dagster's page to Dagster; what a steward needs does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.launchpad import (
    LARGEST,
    Deed,
    Unreadable,
    deeds,
    known_of,
    listens,
    refusal,
    refused,
)

RUN = "2f8fd7aa-57cc-4568-9237-37a3627ba923"
LAUNCH = "mutation L($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename } }"
NAME = "Virtanen"


def composite(*fields: tuple[str, str]) -> dict[str, Any]:
    described = [{"name": name, "configTypeKey": kind} for name, kind in fields]
    return {"configField": {"configType": {"fields": described}}}


ANSWER = {
    "data": {
        "workspaceOrError": {"locationEntries": [{"name": "pipelines.definitions"}]},
        "repositoriesOrError": {
            "nodes": [
                {
                    "name": "__repository__",
                    "jobs": [
                        {
                            "name": "nightly",
                            "solids": [
                                {"name": "landing__dvv", "definition": composite()},
                                {"name": "night__close", "definition": {}},
                            ],
                        },
                        {
                            "name": "address_refresh",
                            "solids": [
                                {
                                    "name": "address_refresh",
                                    "definition": composite(
                                        ("request_no", "IntSourceType"), ("why", "StringSourceType")
                                    ),
                                }
                            ],
                        },
                    ],
                    "schedules": [{"name": "nightly"}],
                    "assetNodes": [
                        {
                            "assetKey": {"path": ["landing", "dvv"]},
                            "groupName": "1_landing",
                            "opNames": ["landing__dvv"],
                            "assetChecksOrError": {"checks": [{"name": "feed_in_order"}]},
                        }
                    ],
                }
            ]
        },
    }
}
KNOWN = known_of(ANSWER)
REQUEST = {"ops": {"address_refresh": {"config": {"request_no": 7}}}}


def launching(
    config: object, tags: list[tuple[str, str]] | None = None, **more: object
) -> str | None:
    """What becomes of launching `address_refresh` as the page asks for it."""
    selector = {
        "repositoryName": "__repository__",
        "repositoryLocationName": "pipelines.definitions",
        "pipelineName": "address_refresh",
        "assetSelection": [],
    }
    own = [("dagster/from_ui", "true"), ("dagster/solid_selection", "*")]
    params = {
        "runConfigData": config,
        "mode": "default",
        "selector": selector,
        "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in tags or own]},
        **more,
    }
    return refusal(deeds(LAUNCH, {"p": params}), KNOWN)


# --- what passes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        None, "", "{}", {}, "  \n", "ops: {}", REQUEST,
        "ops:\n  address_refresh:\n    config:\n      request_no: 12\n",
        "ops: {address_refresh: {config: {request_no: 0}}}",
        {"ops": {"address_refresh": {}}},
        {"ops": {"address_refresh": {"config": {"request_no": LARGEST}}}},
    ],
)  # fmt: skip
def test_a_request_number_passes_and_so_does_nothing_at_all(config: object) -> None:
    assert launching(config) is None


def test_an_asset_is_made_anew_by_its_name() -> None:
    params = {
        "mode": "default",
        "runConfigData": "{}",
        "selector": {
            "pipelineName": "nightly",
            "assetSelection": [{"path": ["landing", "dvv"]}],
            "assetCheckSelection": [
                {"assetKey": {"path": ["landing", "dvv"]}, "name": "feed_in_order"}
            ],
        },
    }
    assert refusal(deeds(LAUNCH, {"p": params}), KNOWN) is None


@pytest.mark.parametrize(
    "query",
    [
        f'mutation {{ launchRunReexecution(reexecutionParams: {{parentRunId: "{RUN}", strategy: FROM_FAILURE}}) {{ __typename }} }}',
        f'mutation {{ terminateRuns(runIds: ["{RUN}"], terminatePolicy: SAFE_TERMINATE) {{ __typename }} }}',
        f'mutation {{ stopRunningSchedule(id: "{"0f" * 20}:{"a1" * 20}") {{ __typename }} }}',
        'mutation { startSchedule(scheduleSelector: {scheduleName: "nightly"}) { __typename } }',
        'mutation { reloadRepositoryLocation(repositoryLocationName: "pipelines.definitions") { __typename } }',
    ],
)
def test_stopping_running_again_and_reloading_pass(query: str) -> None:
    assert refusal(deeds(query, {}), KNOWN) is None


def test_an_argument_that_was_left_out_is_no_word() -> None:
    query = (
        "mutation R($a: ExecutionParams, $b: ReexecutionParams = {strategy: ALL_STEPS}) "
        "{ launchRunReexecution(executionParams: $a, reexecutionParams: $b) { __typename } }"
    )
    assert refusal(deeds(query, {}), KNOWN) is None


# --- what doesn't: run configuration -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        f"ops: {{address_refresh: {{config: {{request_no: {NAME}}}}}}}",
        f"ops: {{address_refresh: {{config: {{request_no: 7}}}}}} # {NAME}",
        f"# {NAME}\n{{}}",
        f"ops: {{address_refresh: {{config: {{request_no: &{NAME} 7}}}}}}",
        f"ops: {{address_refresh: {{config: {{request_no: !{NAME} 7}}}}}}",
        f"ops: {{address_refresh: {{config: {{request_no: 7, {NAME}: 1}}}}}}",
        f"{NAME}: 1",
        f"--- {NAME}",
        "ops: {address_refresh: {config: {request_no: 0505557391}}}",
        "ops: {address_refresh: {config: {request_no: 505557391}}}",
        "ops: {address_refresh: {config: {request_no: 010180-999A}}}",
        "ops: {: ",
        "{" * 3000,
        {"ops": {"address_refresh": {"config": {"request_no": NAME}}}},
        {"ops": {"address_refresh": {"config": {"request_no": "7"}}}},
        {"ops": {"address_refresh": {"config": {"request_no": 7.5}}}},
        {"ops": {"address_refresh": {"config": {"request_no": True}}}},
        {"ops": {"address_refresh": {"config": {"request_no": -1}}}},
        {"ops": {"address_refresh": {"config": {"request_no": LARGEST + 1}}}},
        {"ops": {"address_refresh": {"config": {"request_no": {"env": "HOME"}}}}},
        {"ops": {"address_refresh": {"config": {"why": 7}}}},
        {"ops": {"address_refresh": {"config": {"request_no": 7}, NAME: 1}}},
        {"ops": {"address_refresh": {"config": [NAME]}}},
        {"ops": {"night__close": {"config": {"request_no": 7}}}},
        {"ops": {NAME: {}}},
        {"ops": [NAME]},
        {**REQUEST, "loggers": {"console": {"config": {"name": NAME}}}},
        {"resources": {"hub": {"config": NAME}}},
        {"execution": {"config": {"marker_to_close": NAME}}},
        {NAME: 1},
        [NAME],
        7,
        0,
        False,
    ],
    ids=repr,
)  # fmt: skip
def test_anything_else_in_the_run_configuration_is_refused(config: object) -> None:
    assert launching(config) == "config"


@given(st.text(min_size=1))
def test_text_passes_as_run_configuration_only_in_known_words_and_short_numbers(text: str) -> None:
    if launching(f"# {text}") is None or launching(f"ops: {{{text}: {{}}}}") is None:
        words = "".join(c if c.isalnum() or c == "_" else " " for c in text).split()
        assert all(w in KNOWN.words or w in ("ops", "config") or w.isdigit() for w in words)


# --- what doesn't: everything else that is text ------------------------------------------------------------


@pytest.mark.parametrize(
    "tags",
    [
        [(NAME, "true")],
        [("who", "true")],
        [(f"dagster/{NAME}", "true")],
        [("dagster/from_ui", NAME)],
        [("dagster/from_ui", "505557391")],
        [("dagster/from_ui", "true💧")],
        [("dagster/from_ui", "true"), ("dagster/solid_selection", f"*{NAME}")],
    ],
    ids=repr,
)
def test_a_tag_that_is_not_dagsters_own_is_refused(tags: list[tuple[str, str]]) -> None:
    assert launching(REQUEST, tags) == "words"


@pytest.mark.parametrize(
    "more",
    [
        {"mode": NAME},
        {"preset": NAME},
        {"stepKeys": [NAME]},
        {"selector": {"pipelineName": NAME}},
        {"selector": {"assetSelection": [{"path": ["landing", NAME]}]}},
        {"selector": {"solidSelection": [f"*{NAME}"]}},
        {"executionMetadata": {"parentRunId": NAME}},
        {"executionMetadata": {"parentRunId": f"{RUN}{NAME}"}},
        {"executionMetadata": {"rootRunId": 505557391}},
    ],
    ids=repr,
)
def test_a_name_anywhere_in_a_launch_is_refused(more: dict[str, object]) -> None:
    assert launching(REQUEST, None, **more) == "words"


def test_a_name_in_one_of_several_launches_stops_them_all() -> None:
    query = "mutation M($l: [ExecutionParams!]!) { launchMultipleRuns(executionParamsList: $l) { __typename } }"
    good, bad = {"runConfigData": REQUEST}, {"runConfigData": {NAME: 1}}
    assert refusal(deeds(query, {"l": [good, good]}), KNOWN) is None
    assert refusal(deeds(query, {"l": [good, bad]}), KNOWN) == "config"


def test_a_name_is_found_in_the_query_itself_behind_an_alias_and_in_a_default() -> None:
    for query in (
        f'mutation {{ x: launchRun(executionParams: {{preset: "{NAME}"}}) {{ __typename }} }}',
        f'mutation {{ reloadWorkspace {{ __typename }} x: launchRun(executionParams: {{preset: "{NAME}"}}) {{ id }} }}',
        f'mutation M($n: String = "{NAME}") {{ launchRun(executionParams: {{preset: $n}}) {{ __typename }} }}',
        f'query Q {{ version }} mutation M {{ launchRun(executionParams: {{preset: "{NAME}"}}) {{ id }} }}',
    ):
        assert refusal(deeds(query, {}), KNOWN) == "words", query


@pytest.mark.parametrize(
    "query",
    [
        f'mutation {{ reportRunlessAssetEvents(eventParams: {{description: "{NAME}"}}) {{ __typename }} }}',
        f'mutation {{ launchPartitionBackfill(backfillParams: {{title: "{NAME}"}}) {{ __typename }} }}',
        f'mutation {{ setConcurrencyLimit(concurrencyKey: "{NAME}", limit: 1) }}',
        f'mutation {{ addDynamicPartition(partitionKey: "{NAME}") {{ __typename }} }}',
        "mutation { wipeAssets(assetPartitionRanges: []) { __typename } }",
        "mutation { tomorrowsMutation { __typename } }",
        "mutation { reloadWorkspace { __typename } tomorrowsMutation { __typename } }",
    ],
)
def test_what_describes_or_rewrites_is_no_business_of_the_page(query: str) -> None:
    assert refusal(deeds(query, {}), KNOWN) == "deed"


@pytest.mark.parametrize(
    "query",
    [
        "", "mutation {", f"mutation {NAME}", "{" * 5000,
        "mutation { ...F } fragment F on Mutation { launchRun { __typename } }",
        "mutation { ... on Mutation { launchRun { __typename } } }",
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_refused(query: str) -> None:
    with pytest.raises(Unreadable) as refused_:
        deeds(query, {})
    assert NAME not in str(refused_.value)


def test_a_question_is_no_deed_whatever_it_asks_for() -> None:
    assert deeds(f'{{ runsOrError(filter: {{tags: [{{key: "{NAME}"}}]}}) {{ id }} }}', {}) == []
    assert refusal([], KNOWN) is None


def test_only_a_subscription_listens() -> None:
    assert listens('subscription { pipelineRunLogs(runId: "x") { __typename } }')
    assert not listens("mutation { reloadWorkspace { __typename } }")
    assert not listens("subscription S { a } mutation M { b }")
    assert not listens("{ version }")


# --- what is known -----------------------------------------------------------------------------------------


def test_a_whole_number_is_the_only_setting_that_is_known() -> None:
    assert KNOWN.numbers == {"address_refresh": {"request_no"}}
    assert {"landing", "dvv", "landing__dvv", "feed_in_order", "nightly"} <= KNOWN.words


@pytest.mark.parametrize(
    "answer", [{}, {"data": None}, {"data": {"repositoriesOrError": {}}}, {"errors": ["x"]}]
)
def test_while_dagster_knows_nothing_only_its_own_words_pass(answer: dict[str, Any]) -> None:
    nothing = known_of(answer)
    assert nothing.numbers == {}
    again = deeds("mutation { reloadWorkspace { __typename } }", {})
    assert refusal(again, nothing) is None
    launch = deeds(LAUNCH, {"p": {"selector": {"pipelineName": "nightly"}}})
    assert refusal(launch, nothing) == "words"


# --- the answer --------------------------------------------------------------------------------------------


def test_a_refusal_opens_a_window_where_the_page_can_and_fails_where_it_can_not() -> None:
    window = refused([Deed("launchRun", "x", {}, is_object=True)], "ei")
    assert window["data"]["x"]["__typename"] == "PythonError"  # type: ignore[index]
    assert window["data"]["x"]["message"] == "ei"  # type: ignore[index]
    bare = {"data": None, "errors": [{"message": "ei"}]}
    assert refused([Deed("setConcurrencyLimit", "y", {}, is_object=False)], "ei") == bare
    assert refused([], "ei") == bare
