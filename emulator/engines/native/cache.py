"""Compiled handlers on disk, in the user's cache folder.

An entry holds the object code of one batch of handlers and says which of them have a native form.  Its key
covers the sources of all meanings and of this package, the CPU features and llvmlite's version.  Entries are
written to a temporary file and renamed, so that processes never see half of one; an entry that cannot be
read, or whose hash (of its key, too) is wrong, counts as missing.  When the folder grows beyond LIMIT, the entries
that were used least lately are deleted until a part of it is free, so that this happens seldom.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"ptxemu handlers 2\n"
VARIABLE = "PTXEMU_CACHE"  # another folder, or "off"
LIMIT = 256 << 20  # bytes
KEPT = 0.8  # of LIMIT, when the folder has grown beyond it
NEW = ".new-"  # begins the name of a file that is being written
NAME = 64  # characters of an entry's name
Listener = Callable[[int], object]  # hears how many functions are being compiled, 0 when they are done
_listeners: list[Listener] = []
problems: list[OSError] = []  # why entries could not be written or deleted


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Tell somebody of what is compiled meanwhile."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def _noting_problems() -> Iterator[None]:
    """Go on whatever the file system says: without its cache the engine is only slower to begin."""
    try:
        yield
    except OSError as error:
        problems.append(error)


@contextmanager
def told(count: int) -> Iterator[None]:
    """Functions are being compiled that no entry holds."""
    for listener in _listeners:
        listener(count)
    try:
        yield
    finally:
        for listener in _listeners:
            listener(0)


def folder() -> Path | None:
    """Where entries lie; None if the cache is switched off or there is no home."""
    chosen = os.environ.get(VARIABLE)
    if chosen is not None:
        return None if chosen in ("", "off") else Path(chosen)
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "ptxemu" / "cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "ptxemu"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "ptxemu"


def can_be_written() -> bool:
    """Whether there is a place to keep entries."""
    where = folder()
    if where is None:
        return False
    try:
        where.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=where):
            return True
    except OSError:
        return False


@functools.cache
def source_stamp() -> str:
    """A hash of everything that decides what a handler does."""
    package = Path(__file__).resolve().parents[2]
    files = [
        package / "ptx_types.py",
        package / "observer.py",
        package / "engines" / "divergence.py",
        package / "engines" / "event_ring.py",
        package / "engines" / "ready.py",
        *sorted((package / "machine").glob("*.py")),
        *sorted((package / "isa").rglob("*.py")),
        *sorted(Path(__file__).parent.glob("*.py")),
    ]
    total = hashlib.sha256()
    for file in files:
        total.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def key_of(parts: Iterable[str]) -> str:
    """The name of an entry."""
    total = hashlib.sha256(source_stamp().encode())
    for part in parts:
        total.update(b"\0" + part.encode())
    return total.hexdigest()


@dataclass(frozen=True)
class Entry:
    """Object code, and for each handler of the batch the name of its function or "" if it has none."""

    names: list[str]
    code: bytes


def load(key: str) -> Entry | None:
    """An entry by name; None if there is none that is whole."""
    where = folder()
    if where is None:
        return None
    try:
        data = (where / key).read_bytes()
    except OSError:
        return None
    head, digest, body = data[: len(MAGIC)], data[len(MAGIC) : len(MAGIC) + 32], data[len(MAGIC) + 32 :]
    if head != MAGIC or _digest(key, body) != digest:
        return None
    with suppress(OSError):
        os.utime(where / key)
    names, _, code = body.partition(b"\n")
    return Entry(json.loads(names), code)


def _digest(key: str, body: bytes) -> bytes:
    """What an entry's hash must be: one that was given another one's name is wrong, too."""
    return hashlib.sha256(key.encode() + b"\0" + body).digest()


def store(key: str, entry: Entry) -> None:
    """Write an entry; a cache that cannot be written is no error."""
    where = folder()
    if where is None:
        return
    body = json.dumps(entry.names).encode() + b"\n" + entry.code
    with _noting_problems():
        where.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=where, prefix=NEW)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(MAGIC + _digest(key, body) + body)
            os.replace(temporary, where / key)
        except OSError:
            os.unlink(temporary)
            raise
        if key.startswith("0"):  # the keys are hashes: after one entry of sixteen
            _trim()


def files() -> list[tuple[os.DirEntry[str], os.stat_result]]:
    """The files of the cache, those that are being written or were left behind among them."""
    where = folder()
    found: list[tuple[os.DirEntry[str], os.stat_result]] = []
    if where is None or not where.is_dir():
        return []
    with suppress(OSError), os.scandir(where) as listing:
        for file in listing:
            if file.name.startswith(NEW) or len(file.name) == NAME:
                with suppress(OSError):
                    found.append((file, file.stat()))
    return found


def entries() -> list[Path]:
    """The files that hold an entry."""
    return sorted(Path(file) for file, _ in files() if len(file.name) == NAME)


def clear() -> tuple[int, int]:
    """Delete all files; (how many, their bytes)."""
    return _delete(files())


def _trim() -> None:
    """Beyond LIMIT delete entries, the one that was used longest ago first, until the others take KEPT of it."""
    found = files()
    total = sum(about.st_size for _, about in found)
    if total <= LIMIT:
        return
    found.sort(key=lambda pair: pair[1].st_mtime)
    surplus = []
    for file, about in found:
        if total <= KEPT * LIMIT:
            break
        total -= about.st_size
        surplus.append((file, about))
    _delete(surplus)


def _delete(found: list[tuple[os.DirEntry[str], os.stat_result]]) -> tuple[int, int]:
    count = size = 0
    for file, about in found:
        with _noting_problems(), suppress(FileNotFoundError):  # another process may be at it, too
            os.unlink(file)
            count, size = count + 1, size + about.st_size
    return count, size
