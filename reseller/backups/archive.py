"""The file of a backup: an archive of pg_dump (custom format), then our manifest, its length and a mark.

pg_restore finds what it needs by offsets from the front and never reads past its own last block.
"""

import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from reseller.backups.manifest import Manifest

MARK = b"RESELLER-BACKUP1"
LENGTH = struct.Struct(">Q")
CHUNK_BYTES = 1 << 20
MAX_MANIFEST_BYTES = 64 << 20


class BackupRefused(Exception):
    """The backup cannot be taken, read or restored; the text says why and what to do."""


def seal(path: Path, manifest: Manifest) -> None:
    """The file of pg_dump at `path` ends in its manifest and is on disk."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        told = manifest.as_json(bytes_=size, sha256=_digest(file, size))
        file.seek(0, os.SEEK_END)
        file.write(told + LENGTH.pack(len(told)) + MARK)
        file.flush()
        os.fsync(file.fileno())


def manifest_of(path: Path) -> Manifest:
    """What the file says it holds. Raises BackupRefused if it is none of ours, or cut short."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            ending = LENGTH.size + len(MARK)
            file.seek(max(size - ending, 0))
            length, mark = file.read(LENGTH.size), file.read()
            if mark != MARK or (told := LENGTH.unpack(length)[0]) > min(size - ending, MAX_MANIFEST_BYTES):
                raise BackupRefused(f"{path} is no backup of `flask backup`, or its end is missing.")
            file.seek(size - ending - told)
            return Manifest.from_json(file.read(told))
    except OSError as error:
        raise BackupRefused(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError, KeyError):
        raise BackupRefused(f"{path} has a manifest that cannot be read: the file is damaged, or of a newer version.") from None


def require_whole(path: Path, manifest: Manifest) -> None:
    """Raises BackupRefused unless the dump is what was written, byte for byte."""
    with path.open("rb") as file:
        if _digest(file, manifest.bytes_) != manifest.sha256:
            raise BackupRefused(f"{path} is damaged: its bytes are not those that were written. Use another backup.")


def write_beside(target: Path, write: Callable[[Path], None]) -> None:
    """`target` is what `write` made of a file beside it, for our eyes only; if it fails, all is as before."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        write(draft)
        draft.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise BackupRefused(f"{target} cannot be written: {error.strerror}.") from None
    finally:
        draft.unlink(missing_ok=True)


def _digest(file: BinaryIO, size: int) -> str:
    """SHA-256 of the next `size` bytes."""
    digest, left = hashlib.sha256(), size
    while left and (chunk := file.read(min(left, CHUNK_BYTES))):
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest()
