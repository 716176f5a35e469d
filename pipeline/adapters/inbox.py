"""The inbox journal: what was received is on disk before the broker is told so.

A file of records `length, crc32, topic, payload`. `kill -9` of the process loses nothing that
was written; a torn last record (power cut) is noticed by its checksum and dropped, and the
broker, which was never told, sends it again.
"""

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

_HEAD = struct.Struct("<IIH")


class InboxJournal:
    """Append-only journal of received messages since the last snapshot."""

    def __init__(self, file: Path, *, is_durable: bool = False) -> None:
        self._file, self._is_durable = file, is_durable
        self._handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)

    def append(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Write messages (topic, payload) in one go; they are safe when this returns."""
        parts: list[bytes] = []
        for topic, payload in messages:
            name = topic.encode()
            parts += [_HEAD.pack(len(payload), zlib.crc32(payload, zlib.crc32(name)), len(name))]
            parts += [name, payload]
        _write_all(self._handle, b"".join(parts))
        if self._is_durable:
            os.fsync(self._handle)

    def read(self) -> Iterator[tuple[str, bytes]]:
        """Yield the messages in order, up to the first torn record."""
        data = self._file.read_bytes()
        place = 0
        while place + _HEAD.size <= len(data):
            size, checksum, name_size = _HEAD.unpack_from(data, place)
            start = place + _HEAD.size
            end = start + name_size + size
            if end > len(data) or zlib.crc32(data[start:end]) != checksum:
                return
            yield data[start : start + name_size].decode(), data[start + name_size : end]
            place = end

    def restart(self, messages: Sequence[tuple[str, bytes]] = ()) -> None:
        """Empty the journal; `messages` are what the snapshot does not yet hold."""
        fresh = self._file.with_suffix(".new")
        handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        os.replace(fresh, self._file)
        os.close(self._handle)
        self._handle = handle
        if messages:
            self.append(messages)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
