"""The event log, snapshots and outbox in a relational database: SQLite, or any by URL."""

import sqlite3
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import sqlalchemy as sa

from pipeline.errors import StoreError
from pipeline.ports import LogEntry

_WAL_TRIES, _WAL_PAUSE_S = 250, 0.02
_SIZE = struct.Struct("<Q")

_META = sa.MetaData()

_LOG = sa.Table(
    "event_log",
    _META,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("time_ms", sa.BigInteger, nullable=False),
    sa.Column("stage", sa.String(16), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("prev_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
_OUTBOX = sa.Table(
    "outbox",
    _META,
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("key", sa.String(200), nullable=False, unique=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("is_sent", sa.Boolean, nullable=False, index=True),
)
_SNAPSHOT = sa.Table(
    "snapshot",
    _META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("state", sa.LargeBinary, nullable=False),
)


def sqlite_url(file: Path) -> str:
    """Return the database URL of an SQLite file."""
    return f"sqlite:///{file}"


class SqlStore:
    """An `EventStore` over SQLAlchemy Core; one writer at a time.

    SQLite runs in WAL mode: a transaction that was committed survives `kill -9` of the process;
    `is_durable` also makes it survive a power cut (synchronous FULL).
    """

    def __init__(self, url: str, *, is_durable: bool = False) -> None:
        try:
            self._engine = sa.create_engine(url)
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            raise StoreError(f"store {url}: cannot be opened: {error}") from error
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _sqlite_pragmas(is_durable))
        try:
            self._connection = self._engine.connect()
            self._create_tables()
        except sa.exc.SQLAlchemyError as error:
            self._engine.dispose()
            raise StoreError(f"store {url}: cannot be opened: {error}") from error

    def _create_tables(self) -> None:
        """Make what is missing; several processes may open a new store at the same moment."""
        with self._connection.begin():
            for table in _META.sorted_tables:
                self._connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
                for index in sorted(table.indexes, key=lambda one: str(one.name)):
                    self._connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))

    def append(self, entries: Sequence[LogEntry], outbox: Sequence[tuple[str, str, bytes]]) -> None:
        """Append log entries and outgoing (key, topic, payload) in one transaction.

        What the outbox holds under a key already stays as it is, sent or not.

        Raises:
            StoreError: a `seq` is taken, or the database failed; nothing was appended.
        """
        try:
            with self._connection.begin():
                if entries:
                    self._connection.execute(sa.insert(_LOG), [_row(entry) for entry in entries])
                rows = self._new_to_outbox(outbox)
                if rows:
                    self._connection.execute(sa.insert(_OUTBOX), rows)
        except sa.exc.SQLAlchemyError as error:
            first = entries[0].seq if entries else "none"
            raise StoreError(
                f"store: {len(entries)} entries from {first} on cannot be appended: {error}"
            ) from error

    def entries(self, after: int = -1, limit: int | None = None) -> Sequence[LogEntry]:
        """Return entries with `seq` greater than `after`, in order."""
        query = sa.select(_LOG).where(_LOG.c.seq > after).order_by(_LOG.c.seq).limit(limit)
        with self._connection.begin():
            rows = self._connection.execute(query).mappings().all()
        return [_entry(dict(row)) for row in rows]

    def unsent(self) -> Sequence[tuple[str, str, bytes]]:
        """Return outgoing messages not yet marked as sent, oldest first."""
        query = (
            sa.select(_OUTBOX.c.key, _OUTBOX.c.topic, _OUTBOX.c.payload)
            .where(~_OUTBOX.c.is_sent)
            .order_by(_OUTBOX.c.place)
        )
        with self._connection.begin():
            return [tuple(row) for row in self._connection.execute(query).all()]

    def mark_sent(self, keys: Sequence[str]) -> None:
        """Mark outgoing messages as sent."""
        if not keys:
            return
        with self._connection.begin():
            self._connection.execute(
                sa.update(_OUTBOX).where(_OUTBOX.c.key == sa.bindparam("k")).values(is_sent=True),
                [{"k": key} for key in keys],
            )

    def _new_to_outbox(self, outbox: Sequence[tuple[str, str, bytes]]) -> list[dict[str, Any]]:
        keys = [key for key, _, _ in outbox]
        query = sa.select(_OUTBOX.c.key).where(_OUTBOX.c.key.in_(keys))
        held = set(self._connection.execute(query).scalars()) if keys else set()
        return [
            {"key": key, "topic": topic, "payload": payload, "is_sent": False}
            for key, topic, payload in outbox
            if key not in held
        ]

    def save_snapshot(self, seq: int, state: bytes) -> None:
        """Keep `state` as the newest snapshot; it holds all effects up to log entry `seq`."""
        with self._connection.begin():
            self._connection.execute(sa.delete(_SNAPSHOT))
            row = {"id": 1, "seq": seq, "state": _packed(state)}
            self._connection.execute(sa.insert(_SNAPSHOT), row)

    def snapshot(self) -> tuple[int, bytes] | None:
        """Return the newest snapshot as (seq, state), None when there is none."""
        with self._connection.begin():
            row = self._connection.execute(sa.select(_SNAPSHOT.c.seq, _SNAPSHOT.c.state)).first()
        return None if row is None else (int(row[0]), _unpacked(bytes(row[1])))

    def close(self) -> None:
        """Release the database."""
        self._connection.close()
        self._engine.dispose()


def _packed(state: bytes) -> bytes:
    """Return a state compressed: most of what stages keep of a large fleet repeats itself."""
    compressed: bytes = pa.compress(state, codec="lz4", asbytes=True)
    return _SIZE.pack(len(state)) + compressed


def _unpacked(packed: bytes) -> bytes:
    (size,) = _SIZE.unpack_from(packed)
    try:
        return bytes(pa.decompress(packed[_SIZE.size :], size, codec="lz4", asbytes=True))
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"the snapshot in the store is damaged: {error}") from error


def _sqlite_pragmas(is_durable: bool) -> Any:
    def set_pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout=5000")
        _switch_to_wal(cursor)
        cursor.execute(f"PRAGMA synchronous={'FULL' if is_durable else 'NORMAL'}")
        cursor.close()

    return set_pragmas


def _switch_to_wal(cursor: Any) -> None:
    """Switch a new file to WAL; SQLite does not wait when another process is about to."""
    for left in reversed(range(_WAL_TRIES)):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if not left:
                raise
            time.sleep(_WAL_PAUSE_S)
        else:
            return


def _row(entry: LogEntry) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(entry, name) for name in LogEntry.__slots__}
    row["data"] = msgspec.json.encode(entry.data, order="sorted").decode()
    return row


def _entry(row: dict[str, Any]) -> LogEntry:
    row["data"] = msgspec.json.decode(row["data"])
    return LogEntry(**row)
