"""A process that dies is started again, ever more slowly while it keeps dying."""

from pathlib import Path

from polysim.bootstrap.processes import Process
from polysim.bootstrap.supervisor import Supervisor


class Clock:
    """Seconds that pass only when told so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class FakeProcess(Process):
    """Counts its starts and runs until it is told to die."""

    def __init__(self, clock: Clock) -> None:
        super().__init__("stream_prices", ["none"], {}, Path("stream_prices.log"))
        self.clock = clock
        self.starts = 0
        self.alive = False

    def start(self) -> None:
        self.starts += 1
        self.alive = True
        self.started_at = self.clock()

    @property
    def is_running(self) -> bool:
        return self.alive

    def exit_code(self) -> int | None:
        return None if self.alive else 1

    def wait_stopped(self, seconds_max: float) -> None:
        self.alive = False


def supervised() -> tuple[Clock, FakeProcess, Supervisor, list[str]]:
    clock, sentences = Clock(), []
    process = FakeProcess(clock)
    process.start()
    return clock, process, Supervisor([process], sentences.append, clock), sentences


def test_leaves_a_running_process_alone() -> None:
    _, process, supervisor, sentences = supervised()
    assert supervisor.check() == []
    assert (process.starts, sentences) == (1, [])


def test_starts_a_dead_process_again_after_half_a_second() -> None:
    clock, process, supervisor, sentences = supervised()
    process.alive = False
    assert supervisor.check() == [process]
    clock.seconds += 0.4
    supervisor.check()
    assert process.starts == 1
    clock.seconds += 0.1
    supervisor.check()
    assert process.starts == 2
    assert sentences == [
        "stream_prices ended with exit code 1; it is started again in 0.5 s "
        "(see stream_prices.log).",
        "stream_prices was started again.",
    ]


def pauses_of_repeated_deaths(count: int) -> list[float]:
    clock, process, supervisor, _ = supervised()
    pauses = []
    for _ in range(count):
        process.alive = False
        supervisor.check()
        died_at = clock.seconds
        while not process.alive:
            clock.seconds += 0.5
            supervisor.check()
        pauses.append(clock.seconds - died_at)
    return pauses


def test_doubles_the_pause_up_to_half_a_minute() -> None:
    assert pauses_of_repeated_deaths(9) == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_forgets_earlier_deaths_after_a_steady_minute() -> None:
    clock, process, supervisor, sentences = supervised()
    for _ in range(3):
        process.alive = False
        supervisor.check()
        clock.seconds += 30
        supervisor.check()
    clock.seconds += 61
    process.alive = False
    supervisor.check()
    assert "started again in 0.5 s" in sentences[-1]
