"""The SQL store as SQLite: opened by several at once, safe pragmas, errors that name the store."""

import sqlite3
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.adapters.sql_store import SqlStore, sqlite_url
from pipeline.errors import StoreError
from pipeline.event_log import EventLog
from tests.unit.loop_messages import alarm

PROCESSES, ROUNDS = 3, 4
OPEN_WHEN_TOLD = """
import sys
from pipeline.adapters.sql_store import SqlStore, sqlite_url
for line in sys.stdin:
    store = SqlStore(sqlite_url(line.strip()))
    print(len(store.entries()), flush=True)
    store.close()
"""


def test_several_processes_may_open_a_new_store_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPEN_WHEN_TOLD]
    with ExitStack() as stack:
        openers = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(PROCESSES)
        ]
        for number in range(ROUNDS):
            for opener in openers:
                assert opener.stdin is not None
                opener.stdin.write(f"{tmp_path / str(number)}\n")
                opener.stdin.flush()
            for opener in openers:
                assert opener.stdout is not None
                assert opener.stdout.readline() == "0\n"
        for opener in openers:
            opener.communicate(timeout=20)
    assert [opener.returncode for opener in openers] == [0] * PROCESSES


@pytest.mark.parametrize(("is_durable", "synchronous"), [(False, 1), (True, 2)])
def test_a_store_writes_ahead_and_syncs_as_asked(
    tmp_path: Path, is_durable: bool, synchronous: int
) -> None:
    store = SqlStore(sqlite_url(tmp_path / "s.sqlite"), is_durable=is_durable)
    connection = store._connection
    assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == synchronous
    store.close()


def test_the_last_number_is_known(tmp_path: Path) -> None:
    store, log = SqlStore(sqlite_url(tmp_path / "s.sqlite")), EventLog()
    store.append([log.add(alarm()), log.add(alarm())], [])
    assert store.entries()[-1].seq == 1
    store.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.sqlite").write_bytes(b"no database at all, but long enough to look at" * 9)
    with pytest.raises(StoreError, match=r"s\.sqlite: cannot be opened"):
        SqlStore(sqlite_url(tmp_path / "s.sqlite"))


def test_an_entry_is_readable_with_nothing_but_sqlite(tmp_path: Path) -> None:
    store = SqlStore(sqlite_url(tmp_path / "s.sqlite"))
    store.append([EventLog().add(alarm())], [])
    store.close()
    connection = sqlite3.connect(tmp_path / "s.sqlite")
    row = connection.execute("select stage, kind, json_extract(data, '$.device') from event_log")
    assert row.fetchall() == [("warn", "Alarm", "WP-1")]
    connection.close()
