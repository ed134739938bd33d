# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fleutan.linux import cpus as kernel_cpus
from fleutan.linux.cpus import Running, Softnet, Thread, Times
from fleutan.sources import cpus
from fleutan.sources.cpus import TICK_NS, Kernel, Snapshot

MS = 1_000_000
TICK_US = kernel_cpus.tick_ns() // 1000


def look(*running: Running, steady: int = 0, boot: int = 0, notes: tuple[str, ...] = ()) -> Snapshot:
    return Snapshot(9, steady, boot, {}, {}, [], {0: 0, 1: 0, 2: 1, 3: 1}, running, None, notes)


def process(run_ms: int, *threads: Thread, pid: int = 7, started: int = 0) -> Running:
    return Running(pid, "web", started, run_ms * MS, threads)


def rows(looks: Sequence[Snapshot]) -> list[tuple[Any, ...]]:
    names = ("proc", "cpu", "numa_node", "run_time_us", "run_time_estimated_us")
    return [tuple(row[name] for name in names) for row in cpus.runs(looks).rows()]


def test_cpus_with_times_softirqs_and_softnet() -> None:
    snapshot = replace(
        look(notes=("a note",)),
        times={0: Times(1, 2, 3, 40, 5, 6, 7, 8), 2: Times(0, 0, 0, 1, 0, 0, 0, 0)},
        softirqs={"NET_RX": {0: 30, 2: 31}, "NET_TX": {0: 3}},
        softnet=[Softnet(0, 10, 2, 3, 4, 5)],
    )
    table = cpus.cpus(snapshot, "mine")
    first, second = table.rows()
    assert first == {
        "cpu": 0,
        "numa_node": 0,
        "cpu_busy_us": 27 * TICK_US,
        "cpu_irq_us": 6 * TICK_US,
        "cpu_softirq_us": 7 * TICK_US,
        "cpu_idle_us": 45 * TICK_US,
        "net_rx": 30,
        "net_tx": 3,
        "softnet_processed": 10,
        "softnet_dropped": 2,
        "time_squeeze": 3,
        "received_rps": 4,
        "flow_limited": 5,
    }
    assert (second["cpu"], second["numa_node"], second["net_tx"], second["softnet_processed"]) == (2, 1, None, None)
    assert (table.reading.host, table.reading.notes) == ("mine", ("a note",))


def test_cpus_without_proc_stat_are_those_of_softnet() -> None:
    table = cpus.cpus(replace(look(), softnet=[Softnet(3, 1, 0, 0, 0, 0)]))
    [row] = table.rows()
    assert (row["cpu"], row["cpu_busy_us"], row["net_rx"], row["softnet_processed"]) == (3, None, None, 1)


def test_a_thread_that_stayed_is_exact() -> None:
    before = look(process(10, Thread(7, 1, 10 * MS, 4)))
    after = look(process(40, Thread(7, 1, 40 * MS, 4)))
    assert rows([before, after]) == [("web(7)", 1, 0, 30_000, 0)]


def test_a_thread_that_moved_is_parted_and_said_to_be_estimated() -> None:
    before = look(process(10, Thread(7, 1, 10 * MS, 4), Thread(8, 0, 0, 0)))
    after = look(process(45, Thread(7, 2, 40 * MS, 5), Thread(8, 0, 5 * MS, 0)))
    assert rows([before, after]) == [
        ("web(7)", 0, 0, 5000, 0),
        ("web(7)", 1, 0, 15_000, 15_000),
        ("web(7)", 2, 1, 15_000, 15_000),
    ]


def test_a_thread_that_left_and_came_back_is_estimated_too() -> None:
    looks = [look(process(0, Thread(7, 1, 0, 4))), look(process(30, Thread(7, 1, 30 * MS, 6)))]
    assert rows(looks) == [("web(7)", 1, 0, 30_000, 30_000)]


def test_a_look_in_between_makes_more_of_it_exact() -> None:
    looks = [
        look(process(0, Thread(7, 1, 0, 4))),
        look(process(20, Thread(7, 1, 20 * MS, 4))),
        look(process(30, Thread(7, 0, 30 * MS, 5))),
    ]
    assert rows(looks) == [("web(7)", 0, 0, 5000, 5000), ("web(7)", 1, 0, 25_000, 5000)]


def test_a_thread_that_moved_after_its_count_was_read_was_where_it_had_been() -> None:
    looks = [look(process(0, Thread(7, 1, 0, 4))), look(process(30, Thread(7, 0, 30 * MS, 4)))]
    assert rows(looks) == [("web(7)", 1, 0, 30_000, 0)]


def test_without_a_count_of_moves_all_is_estimated() -> None:
    looks = [look(process(0, Thread(7, 1, 0, None))), look(process(30, Thread(7, 1, 30 * MS, None)))]
    assert rows(looks) == [("web(7)", 1, 0, 30_000, 30_000)]


def test_a_thread_that_is_new_and_never_moved_is_exact() -> None:
    looks = [look(process(0)), look(process(30, Thread(9, 3, 30 * MS, 0)))]
    assert rows(looks) == [("web(7)", 3, 1, 30_000, 0)]


def test_the_time_of_threads_that_ended_has_no_place() -> None:
    looks = [look(process(0, Thread(7, 1, 0, 0), Thread(8, 1, 0, 0))), look(process(900, Thread(7, 1, 300 * MS, 0)))]
    assert rows(looks) == [("web(7)", 1, 0, 300_000, 0), ("web(7)", None, None, 600_000, 600_000)]


def test_what_ticks_explain_is_not_called_time_of_ended_threads() -> None:
    late = 2 * TICK_NS // MS
    looks = [look(process(0, Thread(7, 1, 0, 0))), look(process(300 + late, Thread(7, 1, 300 * MS, 0)))]
    assert rows(looks) == [("web(7)", 1, 0, 300_000, 0)]


def test_a_process_that_started_since_counts_from_its_start() -> None:
    new = process(30, Thread(8, 2, 30 * MS, 0), pid=8, started=5000 * MS)
    assert rows([look(boot=5001 * MS), look(new)]) == [("web(8)", 2, 1, 30_000, 0)]


def test_an_old_process_that_was_not_looked_at_counts_from_its_first_look() -> None:
    old = process(30, Thread(7, 2, 30 * MS, 0), started=4000 * MS)
    later = process(35, Thread(7, 2, 35 * MS, 0), started=4000 * MS)
    assert rows([look(boot=5000 * MS), look(old, boot=5001 * MS)]) == []
    assert rows([look(boot=5000 * MS), look(old, boot=5001 * MS), look(later)]) == [("web(7)", 2, 1, 5000, 0)]


def test_a_number_that_is_used_anew_is_another_process() -> None:
    first, second = process(900, Thread(7, 1, 900 * MS, 0)), process(10, Thread(7, 1, 10 * MS, 0), started=9000 * MS)
    assert rows([look(first, boot=8000 * MS), look(second)]) == [("web(7)", 1, 0, 10_000, 0)]


def test_the_reading_says_how_long_it_was_and_who_ended() -> None:
    other = process(0, pid=8)
    reading = cpus.runs([look(process(0), steady=3, notes=("a",)), look(steady=8, notes=("a",))], "mine").reading
    assert (reading.host, reading.at_ns, reading.interval_ns) == ("mine", 9, 5)
    assert reading.notes == ("a", "1 process ended meanwhile: what they ran since the last look is not counted")
    assert cpus.runs([look(process(0), other), look()]).reading.notes[0].startswith("2 processes ended")
    assert len(cpus.runs([])) == 0


def refuse() -> Any:
    raise PermissionError("denied")


def test_what_cannot_be_read_is_missing_and_said() -> None:
    found = cpus.take([1], Kernel(refuse, refuse, refuse, dict, lambda _: [], lambda: None))
    assert (found.times, found.softirqs, found.softnet) == ({}, {}, [])
    assert found.notes == (
        "/proc/stat cannot be read: denied",
        "/proc/softirqs cannot be read: denied",
        "/proc/net/softnet_stat cannot be read: denied",
    )


def test_of_this_process_all_time_is_found() -> None:
    looks = [cpus.take([os.getpid()])]
    while os.times().user + os.times().system < 0.05 or len(looks) < 2:
        looks.append(cpus.take([os.getpid()]))
    start, end = (snapshot.running[0] for snapshot in (looks[0], looks[-1]))
    told = sum(row["run_time_us"] for row in cpus.runs(looks).rows() if row["cpu"] is not None)
    threads = sum(t.run_ns for t in end.threads) - sum(t.run_ns for t in start.threads)
    assert abs(told - threads // 1000) <= len(looks) * len(end.threads)
    assert {row["cpu"] for row in cpus.cpus(looks[-1]).rows()} == set(looks[-1].times)


SPIN = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); print(flush=True)\nwhile True: pass"


def test_a_process_that_may_run_on_one_cpu_only_ran_there() -> None:
    allowed = max(os.sched_getaffinity(0))
    with subprocess.Popen([sys.executable, "-c", SPIN, str(allowed)], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            looks = [cpus.take([child.pid])]
            while looks[-1].running[0].threads[0].run_ns < looks[0].running[0].threads[0].run_ns + 30 * MS:
                looks[1:] = [cpus.take([child.pid])]
        finally:
            child.kill()
    [row] = [row for row in cpus.runs(looks).rows() if row["run_time_us"]]
    assert (row["pid"], row["cpu"], row["run_time_estimated_us"]) == (child.pid, allowed, 0)
    assert row["run_time_us"] >= 30_000
