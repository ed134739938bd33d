# SPDX-License-Identifier: Apache-2.0
"""A standalone cluster of Spark on loopback: a master and two workers, ended by their own process ids."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlencode

#: Small machines, begun fast: what is measured here is whether answers are right.
_JAVA = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
DEADLINE_S = 60.0
#: What a session says besides: one thing after the other, interpreted, since each is asked once.
OPTIONS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "512m",
    "spark.driver.extraJavaOptions": " ".join(_JAVA),
    "spark.executor.memory": "512m",
    "spark.executor.extraJavaOptions": " ".join(_JAVA),
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


def environment(work: Path) -> dict[str, str]:
    """What Spark's processes need to be on loopback only, and to leave nothing outside of a directory."""
    home = Path(find_spec("pyspark").origin).parent  # type: ignore[union-attr, arg-type]
    return {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(work),
        "SPARK_HOME": str(home),
        "SPARK_SCALA_VERSION": "2.13",
    }


@contextmanager
def running(work: Path) -> Iterator[str]:
    """The engine's address while the cluster runs; its processes write to files in ``work``."""
    said = environment(work)
    with ExitStack() as stack:
        log = stack.enter_context(_process(work, "master.Master", ["--port", "0"], said))
        master = _found(log, r"spark://127\.0\.0\.1:\d+")
        for name in ("one", "two"):
            more = ["--cores", "1", "--memory", "512m", "--work-dir", str(work / name), master]
            stack.enter_context(_process(work, "worker.Worker", more, said, name))
        yield f"{master}?{urlencode({**OPTIONS, 'spark.local.dir': str(work)})}"


@contextmanager
def _process(work: Path, main: str, words: list[str], said: Mapping[str, str], name: str = "") -> Iterator[Path]:
    log = work / f"{main}{name}.log"
    jars = f"{said['SPARK_HOME']}/jars/*"
    options = [*_JAVA, "-Xmx256m", "-Dspark.master.rest.enabled=false", "-cp", jars]
    words = ["--host", "127.0.0.1", "--webui-port", "0", *words]
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["java", *options, f"org.apache.spark.deploy.{main}", *words],
            env={**os.environ, **said},
            cwd=work,
            stdout=out,
            stderr=out,
        )
    try:
        yield log
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


def _found(log: Path, pattern: str) -> str:
    """What the log says first of a pattern, once it does."""
    until = time.monotonic() + DEADLINE_S
    while not (said := re.search(pattern, log.read_text())):
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)
    return said[0]
