"""Every verb of the fault server, alone and in random schedules, against the whole client: the histories agree."""

import pytest
from http_scripts import FOLDER, LAST_FAILURE, LIMIT_SECONDS, Script, on_stage
from http_stage import counts, phones
from hypothesis import given, settings
from hypothesis import strategies as st

EXAMPLES = 40
BRIEF = 0.5
SLOW = {"no_read", "stall", "late", "wait", "drip", "continues"}
"""Faults that outlast a short timeout; the others get time, however busy the machine is."""

CREATED = {"created": 7}
CONFIRMED = {"confirmed": 7}
IN_PART = {"confirmed": 3, "created": 4}

EACH: list[tuple[str, dict[str, int]]] = [
    ("reset_on_accept", CREATED),
    ("close_on_accept", CREATED),
    ("close_after_headers", CREATED),
    ("no_read", CREATED),
    ("early_413", CREATED),
    ("busy", CREATED),
    ("apply all then answer", CREATED),
    ("apply all then answer_sliced", CREATED),
    ("apply all then answer_twice", CREATED),
    ("apply all then answer_as_text", CREATED),
    ("apply all then answer_then_close", CREATED),
    ("apply all then answer_in_utf16", CONFIRMED),
    ("apply all then answer_without 3", IN_PART),
    ("apply all then close", CONFIRMED),
    ("apply 3 then close", IN_PART),
    ("apply none then close", CREATED),
    ("apply all then reset", CONFIRMED),
    ("apply 3 then reset", IN_PART),
    ("apply all then stall", CONFIRMED),
    ("apply none then stall", CREATED),
    ("apply all then late 1", CONFIRMED),
    ("wait 1 apply all then answer", CONFIRMED),
    ("apply all then status 500", CONFIRMED),
    ("apply 3 then status 503", IN_PART),
    ("apply all then status 408", CONFIRMED),
    ("apply none then status 502", CREATED),
    ("apply none then envelope 409", CREATED),
    ("apply none then envelope 423", CREATED),
    ("apply none then status 429", CREATED),
    ("apply all then silent", CONFIRMED),
    ("apply all then empty", CONFIRMED),
    ("apply all then html", CONFIRMED),
    ("apply all then garbage", CONFIRMED),
    ("apply all then cut 0 length", CONFIRMED),
    ("apply all then cut 30 length", CONFIRMED),
    ("apply all then cut 30 chunked", CONFIRMED),
    ("apply all then cut 30 none", CONFIRMED),
    ("apply all then drip head", CONFIRMED),
    ("apply all then drip body", CONFIRMED),
    ("apply all then gzip_bomb", CONFIRMED),
    ("apply all then endless", CONFIRMED),
    ("apply 3 then endless_status 500", IN_PART),
    ("apply all then continues", CONFIRMED),
    ("apply all then not_gzip", CONFIRMED),
    ("apply all then many_headers", CONFIRMED),
    ("apply all then long_header", CONFIRMED),
]  # fmt: skip


@pytest.mark.row(5, 15, 16, 18, 19, 20, 21, 22, 23, 25, 52, 58, 60, 61, 62, 63, 65, 72, 73, 74, 75, 76, 79, 81)
@pytest.mark.parametrize(("verb", "told"), EACH, ids=[verb for verb, _ in EACH])
async def test_after_any_verb_the_leads_are_there_and_the_report_is_true(verb: str, told: dict[str, int]) -> None:
    async with on_stage(verb) as stage:
        stage.patience = BRIEF if any(word in verb.split() for word in SLOW) else LIMIT_SECONDS
        voiso = await stage.client(doubt_backoff=0.05)
        report = await voiso.leads.add(3, phones(7))
    assert told == counts(report)
    assert phones(7) == list(stage.sandbox.campaigns[3].leads)


@pytest.mark.row(41)
async def test_a_413_that_is_followed_by_a_reset_is_a_refusal_or_a_doubt() -> None:
    """It is a race whether the answer is read before the reset; both results are correct."""
    async with on_stage("early_413_reset") as stage:
        stage.patience = LIMIT_SECONDS
        report = await (await stage.client()).leads.add(3, phones(7))
    assert {"created": 7} == counts(report)


WHOLE = st.sampled_from(["all", "all", "none", "3"])
REFUSING = ("envelope", "status 429")
"""A plain refusal: a server that did the work all the same would lie, which no client can find out."""
SAID = [verb.split(" then ")[1] for verb, _ in EACH if " then " in verb]
ENDING = st.sampled_from([ending for ending in SAID if not ending.startswith(REFUSING)])
REFUSAL = st.sampled_from([ending for ending in SAID if ending.startswith(REFUSING)])
ALONE = st.sampled_from([verb for verb, _ in EACH if " then " not in verb])
FATAL = st.sampled_from(["envelope 401", "status 403", "envelope 400", "envelope 422", "status 404"])
APPLY = st.builds("apply {} then {}".format, WHOLE, ENDING)
VERBS = st.one_of(
    st.just("apply all then answer"),
    ALONE,
    APPLY,
    APPLY,
    st.builds("wait {} {}".format, st.sampled_from([0.02, 0.12]), APPLY),
    st.builds("apply none then {}".format, FATAL | REFUSAL),
    st.just("redirect 307 http://127.0.0.1:9/"),
)
MOMENTS = st.sampled_from([0.0, 0.03, 0.1, 0.25])
SCRIPTS = st.builds(
    Script,
    callers=st.lists(st.tuples(st.integers(1, 14), st.none() | MOMENTS), min_size=1, max_size=3).map(tuple),
    closes=st.none() | st.none() | MOMENTS,
    verbs=st.lists(VERBS, max_size=10).map(tuple),
)


async def kept_if_it_fails(script: Script) -> None:
    """Write a failing schedule to a file: Hypothesis tries the smallest last; later runs replay it."""
    try:
        await script.play()
    except BaseException:
        LAST_FAILURE.write_text(str(script))
        raise


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(script=SCRIPTS)
async def test_any_schedule_of_verbs_callers_and_closing(script: Script) -> None:
    await kept_if_it_fails(script)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@settings(max_examples=10 * EXAMPLES, deadline=None)
@given(script=SCRIPTS)
async def test_ten_times_as_many_schedules(script: Script) -> None:
    await kept_if_it_fails(script)


KEPT = {file.stem: file.read_text("utf-8") for file in sorted(FOLDER.glob("*.txt"))}


@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT)
async def test_a_schedule_that_was_kept_passes(kept: str) -> None:
    await Script.read(kept).play()


@given(script=SCRIPTS)
def test_a_schedule_is_read_as_it_was_written(script: Script) -> None:
    assert script == Script.read(str(script))
