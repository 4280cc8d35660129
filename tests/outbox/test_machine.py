"""Callers, cancellations, faults, crashes and resumes in any order: the campaign, the file and the words agree."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from lane_schedules import FAULTS
from machine_steps import FOLDER, Step, kept_if_it_fails, play
from machine_world import World

EXAMPLES = 50
STEPS = 30

DOUBTS = ["lost, partly applied", "lost, applied", "200, two left out"]
WHO = st.sampled_from([0, 0, 0, 1])
WHICH = st.integers(0, 9)
START = st.integers(0, 15)
TIMES = st.sampled_from([1, 2])
OPERATION = st.sampled_from(["add", "add", "add", "update"])
SELDOM = st.sampled_from([False, False, False, True])
REACHED = st.sampled_from([0, 2, None])
PAUSE = st.sampled_from([0, 0, 0.001, 0.003, 0.3, 0.6, 2, 3, 8])


def step(name: str, **values: st.SearchStrategy[Any]) -> Any:
    """A rule: something happens to the world, and then a while passes."""

    def happens(machine: "Machine", pause: float, **values: Any) -> None:
        machine.do(name, **values)
        machine.do("wait", seconds=pause)

    happens.__name__ = name
    return rule(**dict[str, Any](values, pause=PAUSE))(happens)  # type: ignore[no-untyped-call]


class Machine(RuleBasedStateMachine):
    """Two processes at one outbox and one campaign, through any number of lives."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        self.steps: list[Step] = []

    def do(self, name: str, /, **values: Any) -> None:
        self.steps.append((name, values))
        with kept_if_it_fails(self.steps):
            getattr(self.world, name)(**values)

    @initialize(
        count=st.sampled_from([0, 5, 20, 40]),
        calls=st.integers(0, 3),
        doubts=st.lists(st.sampled_from(DOUBTS), max_size=3),
        drained=st.sampled_from([True, True, True, False]),
        max_rows=st.sampled_from([3, 10]),
        doubt_attempts=st.sampled_from([1, 3]),
        on_doubt=st.sampled_from(["resend", "resend", "resend", "report"]),
    )
    def begin(self, count: int, calls: int, doubts: list[str], **policy: Any) -> None:
        """Rows, callers and lost answers are there from the beginning, or few runs would have them together."""
        self.do("begin", **policy)
        for kind in doubts:
            self.do("fault", kind=kind)
        self.do("put", who=0, start=0, count=count, operation="add", poison=False, moment=None)
        for call in range(calls):
            self.do("add", who=0, start=3 + 5 * call, count=4, operation="add", poison=False, streamed=False)

    # What may happen

    put = step(
        "put",
        who=WHO,
        start=START,
        count=st.integers(1, 12),
        operation=OPERATION,
        poison=SELDOM,
        moment=st.sampled_from([None, None, None, 0, 0.001, 0.003]),
    )
    add = step(
        "add",
        who=WHO,
        start=START,
        count=st.integers(1, 4),
        operation=OPERATION,
        poison=SELDOM,
        streamed=st.booleans(),
    )
    again = step("again", who=WHO, which=WHICH)
    foreign = step("foreign", start=START, count=st.integers(1, 6))
    drain = step("drain", who=WHO, which=st.none() | st.none() | WHICH)
    settle = step("settle", which=WHICH)
    withdraw = step("withdraw", which=WHICH)
    fault = step("fault", kind=st.sampled_from(sorted(FAULTS)))
    doubt = step("fault", kind=st.sampled_from(DOUBTS))
    pace = step("pace", seconds=st.sampled_from([0, 0.5, 0.5, 10]))
    wait = step("wait", seconds=st.sampled_from([20, 40]))
    breathe = step("breathe", count=st.integers(1, 12))
    leave = step("leave", who=WHO, which=WHICH, times=TIMES)
    stop = step("stop", who=WHO, which=WHICH, times=TIMES)
    sleep = step("sleep", who=WHO, seconds=st.sampled_from([0.6, 8, 40, 60]))
    close = step("close", who=WHO, grace=st.sampled_from([0, 0, 1, 30]), reached=REACHED)
    crash = step("crash", who=WHO, reached=REACHED)

    # What always holds

    @invariant()
    def nothing_is_lost(self) -> None:
        with kept_if_it_fails(self.steps):
            self.world.checks.nothing_is_lost()

    @invariant()
    def a_final_word_stays(self) -> None:
        with kept_if_it_fails(self.steps):
            self.world.checks.a_final_word_stays()

    @invariant()
    def what_is_told_is_so(self) -> None:
        with kept_if_it_fails(self.steps):
            self.world.checks.a_word_on_a_row_is_true()
            self.world.checks.a_caller_is_told_the_truth()

    @invariant()
    def posts_keep_their_distance(self) -> None:
        with kept_if_it_fails(self.steps):
            self.world.checks.posts_keep_their_distance()

    @invariant()
    def nothing_goes_again_that_may_not(self) -> None:
        with kept_if_it_fails(self.steps):
            self.world.checks.nothing_leaves_that_may_not()
            self.world.checks.a_repeat_is_the_same_or_less()

    def teardown(self) -> None:
        """At the end everything is sent, unless something has failed already."""
        try:
            if sys.exc_info()[0] is None:
                with kept_if_it_fails(self.steps):
                    self.world.end()
        finally:
            self.world.leave_off()
            self.folder.cleanup()


class LongMachine(Machine):
    """The same for ten times as many runs."""


def often(examples: int, **options: Any) -> settings:
    """What fails is made smaller, which may take minutes; explaining it as well would take as long again."""
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        **options,
    )


Machine.TestCase.settings = often(EXAMPLES, derandomize=True)
LongMachine.TestCase.settings = often(10 * EXAMPLES)
COVERED = pytest.mark.row(95, 101, 102, 110, 111, 115, 126, 127, 128, 129, 130)
TestMachine = pytest.mark.timeout(900)(COVERED(Machine.TestCase))
TestTenTimesAsMany = pytest.mark.soak(pytest.mark.timeout(3600)(LongMachine.TestCase))


KEPT = {file.stem: file.read_text("utf-8") for file in sorted(FOLDER.glob("*.txt"))}


@pytest.mark.row(115, 127)
@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT)
def test_what_was_kept_passes(kept: str) -> None:
    play(kept)
