# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from fleutan.linux import cpus
from fleutan.linux.cpus import Softnet, Thread, Times

TICK = cpus.tick_ns()


def tree(root: Path, files: dict[str, str]) -> str:
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return str(root)


def stat(pid: int, name: str, ticks: int, cpu: int, started: int = 500) -> str:
    """A line of proc_pid_stat(5): utime is field 14, starttime 22, processor 39."""
    words = ["S", *["0"] * 49]
    words[11], words[12], words[19], words[36] = str(ticks), "1", str(started), str(cpu)
    return f"{pid} ({name}) {' '.join(words)}\n"


def sched(run: str, migrations: int) -> str:
    return (
        f"worker (7, #threads: 1)\n----\nse.exec_start : 1.000001\nse.sum_exec_runtime  :  {run}\n"
        f"se.nr_migrations   :     {migrations}\nnr_switches : 5\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"), [("0-3,8\n", (0, 1, 2, 3, 8)), ("5", (5,)), ("\n", ()), ("2-2,0", (0, 2))]
)
def test_lists_of_cpus(text: str, expected: tuple[int, ...]) -> None:
    assert cpus.cpus_of_list(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0\n", ()), ("3", (0, 1)), ("00000001,0000000f", (0, 1, 2, 3, 32)), ("80000000,00000000", (63,))],
)
def test_masks_of_cpus(text: str, expected: tuple[int, ...]) -> None:
    assert cpus.cpus_of_mask(text) == expected


@pytest.mark.parametrize("found", [(), (0,), (0, 1), (0, 2, 3, 4, 9, 11), (63, 64, 65)])
def test_a_list_is_written_as_it_is_read(found: tuple[int, ...]) -> None:
    assert cpus.cpus_of_list(cpus.list_of_cpus(found)) == found
    assert cpus.list_of_cpus([3, 1, 2, 8]) == "1-3,8"


def test_softnet_takes_the_cpu_from_its_column(tmp_path: Path) -> None:
    words = ["0000000a", "00000002", "00000003", *["00000000"] * 6, "00000004", "00000005", "00000000", "00000007"]
    root = tree(tmp_path, {"net/softnet_stat": " ".join(words) + "\n"})
    assert cpus.softnet(root) == [Softnet(7, 10, 2, 3, 4, 5)]


def test_softnet_of_an_old_kernel_counts_rows(tmp_path: Path) -> None:
    root = tree(tmp_path, {"net/softnet_stat": "1 0 0\n2 0 0\n"})
    assert [(row.cpu, row.processed, row.received_rps) for row in cpus.softnet(root)] == [(0, 1, 0), (1, 2, 0)]


def test_softirqs_by_kind_and_cpu(tmp_path: Path) -> None:
    text = "          CPU0   CPU2\n  NET_TX:    1   2\n  NET_RX:   30  40\n\n"
    assert cpus.softirqs(tree(tmp_path, {"softirqs": text})) == {"NET_TX": {0: 1, 2: 2}, "NET_RX": {0: 30, 2: 40}}


def test_softirqs_of_an_empty_file(tmp_path: Path) -> None:
    assert cpus.softirqs(tree(tmp_path, {"softirqs": ""})) == {}


def test_times_are_of_online_cpus_only(tmp_path: Path) -> None:
    text = "cpu  9 9 9 9\ncpu0 1 2 3 4 5 6 7 8 0 0\ncpu3 1 2 3 4\nintr 5\n"
    assert cpus.times(tree(tmp_path, {"stat": text})) == {
        0: Times(1, 2, 3, 4, 5, 6, 7, 8),
        3: Times(1, 2, 3, 4, 0, 0, 0, 0),
    }


def test_numa_nodes(tmp_path: Path) -> None:
    folder = "devices/system/node"
    files = {f"{folder}/node0/cpulist": "0-1\n", f"{folder}/node1/cpulist": "2\n", f"{folder}/online": "0-1\n"}
    assert cpus.nodes(tree(tmp_path, files)) == {0: 0, 1: 0, 2: 1}
    assert cpus.nodes(str(tmp_path / "missing")) == {}


def test_a_number_that_is_none(tmp_path: Path) -> None:
    root = tree(tmp_path, {"sys/net/core/rps_sock_flow_entries": "32768\n", "words": "many\n"})
    assert cpus.rps_sock_flow_entries(root) == 32768
    assert cpus.rps_sock_flow_entries(str(tmp_path / "missing")) is None
    assert cpus.number(f"{root}/words") is None


def test_threads_with_time_place_and_migrations(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "7/stat": stat(7, "a (b) c", 300, 1, started=12),
            "7/task/7/stat": stat(7, "a (b) c", 5, 1),
            "7/task/7/sched": sched("1234.000567", 9),
            "7/task/12/stat": stat(12, "worker", 5, 3),
            "7/task/12/schedstat": "4200 17 3\n",
            "7/task/13/stat": stat(13, "worker", 5, 0),
            "7/task/14/stat": "14 (ended",
        },
    )
    [found] = cpus.running([7, 99], root)
    assert (found.pid, found.comm, found.started_ns, found.run_ns) == (7, "a (b) c", 12 * TICK, 301 * TICK)
    assert found.threads == (
        Thread(7, 1, 1_234_000_567, 9),
        Thread(12, 3, 4200, None),
        Thread(13, 0, 6 * TICK, None),
    )


def test_a_sched_without_figures_is_as_none(tmp_path: Path) -> None:
    files = {"7/stat": stat(7, "a", 1, 0), "7/task/7/stat": stat(7, "a", 1, 0), "7/task/7/sched": "se.load : 1\n"}
    [found] = cpus.running([7], tree(tmp_path, {**files, "7/task/7/schedstat": "\n"}))
    assert found.threads == (Thread(7, 0, 2 * TICK, None),)


def test_of_this_process_the_kernel_agrees_with_getrusage() -> None:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    [found] = cpus.running([os.getpid()])
    ran = (spent.ru_utime + spent.ru_stime) * 1e9
    assert abs(found.run_ns - ran) < 0.5e9
    assert os.getpid() in [thread.tid for thread in found.threads]
    assert {thread.cpu for thread in found.threads} <= set(cpus.softirqs()["NET_RX"])


def test_the_running_kernel_names_the_same_cpus_everywhere() -> None:
    online = set(cpus.times())
    assert online
    assert online <= set(cpus.softirqs()["NET_RX"])
    assert {row.cpu for row in cpus.softnet()} == online
    assert all(row.processed >= row.dropped >= 0 for row in cpus.softnet())
