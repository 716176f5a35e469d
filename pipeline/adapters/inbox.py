"""The inbox journal: what was received is on disk before the broker is told so.

A file of records `lengths, crc32, topic, payload`. `kill -9` of the process loses nothing that
was written; a torn end (power cut) is noticed by its checksum and cut off, and the broker,
which was never told, sends it again.
"""

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

_SIZES = struct.Struct("<II")
_SUM = struct.Struct("<I")
_HEAD_BYTES = _SIZES.size + _SUM.size
_TEXT = ("utf-8", "surrogatepass")
_MOST_PARTS = 1024  # IOV_MAX of Linux


class InboxJournal:
    """Append-only journal of received messages since the last snapshot."""

    def __init__(self, file: Path, *, is_durable: bool = False) -> None:
        self._file, self._is_durable = file, is_durable
        self._handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        ends = [0, *(end for _, end in _records(file.read_bytes()))]
        os.ftruncate(self._handle, ends[-1])

    def append(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Write messages (topic, payload) in one go; they are safe when this returns."""
        self._write(self._handle, messages)

    def read(self) -> Iterator[tuple[str, bytes]]:
        """Yield the messages in order, up to the first torn record."""
        for message, _ in _records(self._file.read_bytes()):
            yield message

    def restart(self, messages: Sequence[tuple[str, bytes]] = ()) -> None:
        """Empty the journal but for `messages`, at once: a crash leaves the old or the new one."""
        fresh = self._file.with_suffix(".new")
        handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        self._write(handle, messages)
        os.replace(fresh, self._file)
        os.close(self._handle)
        self._handle = handle

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def _write(self, handle: int, messages: Sequence[tuple[str, bytes]]) -> None:
        parts: list[bytes] = []
        for topic, payload in messages:
            name = topic.encode(*_TEXT)
            sizes = _SIZES.pack(len(name), len(payload))
            checksum = zlib.crc32(payload, zlib.crc32(name, zlib.crc32(sizes)))
            parts += [sizes, _SUM.pack(checksum), name, payload]
        _write_all(handle, parts)
        if self._is_durable:
            os.fsync(handle)


def _records(data: bytes) -> Iterator[tuple[tuple[str, bytes], int]]:
    """Yield each whole record and where it ends."""
    place = 0
    while place + _HEAD_BYTES <= len(data):
        name_size, size = _SIZES.unpack_from(data, place)
        (checksum,) = _SUM.unpack_from(data, place + _SIZES.size)
        start = place + _HEAD_BYTES
        middle, end = start + name_size, start + name_size + size
        lengths = zlib.crc32(data[place : place + _SIZES.size])
        if end > len(data) or zlib.crc32(data[start:end], lengths) != checksum:
            return
        yield (data[start:middle].decode(*_TEXT), data[middle:end]), end
        place = end


def _write_all(handle: int, parts: Sequence[bytes]) -> None:
    """Write parts one after another without copying them together first."""
    for first in range(0, len(parts), _MOST_PARTS):
        chunk = parts[first : first + _MOST_PARTS]
        written = os.writev(handle, chunk)
        if written < sum(map(len, chunk)):
            left = memoryview(b"".join(chunk))[written:]
            while left:
                left = left[os.write(handle, left) :]
