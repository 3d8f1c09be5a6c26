"""Weights files opened without trust: nothing in them is executed, no more memory is used than their tensors need."""

from __future__ import annotations

import io
import pickletools
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import UserError

# 1275 keys need about 150 kB of header; a header of this size is an attack or a broken file.
MAX_HEADER_BYTES = 4 * 2**20
# All that the pickle of a state dict may name; everything else is refused before it is looked up.
PICKLE_GLOBALS = {"collections OrderedDict", "torch.storage UntypedStorage", "torch Size", "torch device"}
PICKLE_GLOBALS |= {f"torch._utils _rebuild_{what}" for what in ("tensor_v2", "tensor_v3", "parameter")}
PICKLE_GLOBALS |= {
    f"torch {kind}Storage"
    for kind in ("Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool")
}
PICKLE_GLOBALS |= {
    f"torch {str(dtype).removeprefix('torch.')}" for dtype in vars(torch).values() if isinstance(dtype, torch.dtype)
}
CODE_OPCODES = {"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"}
# Under these names trainers wrap a state dict.
WRAPPERS = ("state_dict", "module", "model", "extractor")


class WeightsError(UserError):
    """The file cannot serve as weights; the message says what it is and what to use instead."""


class _SafetensorsState(Mapping[str, Tensor]):
    """A safetensors file as a lazy mapping: a tensor is read when it is asked for."""

    def __init__(self, file: safe_open):
        self._file, self._keys = file, dict.fromkeys(file.keys())

    def __getitem__(self, key: str) -> Tensor:
        return self._file.get_tensor(key)

    def __contains__(self, key: object) -> bool:
        return key in self._keys  # the file's own error for a missing tensor is no KeyError

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def open_state_dict(path: Path, *, old: bool = False) -> tuple[Mapping[str, Tensor], dict[str, str]]:
    """Tensors by name and metadata of a safetensors file or PyTorch checkpoint, without running anything in it.

    With `old` also a checkpoint from before PyTorch 1.6, in which published networks of small size still come.

    Raises :class:`WeightsError` when it is neither or damaged, OSError when it cannot be read.
    """
    with open(path, "rb") as file:
        start = file.read(9)
        if start[:4] == b"PK\x03\x04":
            _check_zip(file, path)
            return _load_checkpoint(path), {}
    if len(start) == 9 and start[8:] == b"{":
        return _load_safetensors(path, struct.unpack("<Q", start[:8])[0])
    if start[:1] == b"\x80" and old:
        _check_old(path)
        return _load_checkpoint(path, is_zip=False), {}
    if start[:1] == b"\x80":
        raise WeightsError(
            f"'{path.name}' is a bare pickle, which could run code when opened and is not; "
            "use the .safetensors file, or a checkpoint in the zip format that torch.save has written since PyTorch 1.6."
        )
    raise WeightsError(
        f"'{path.name}' is neither a safetensors file nor a PyTorch checkpoint, or its beginning is damaged; "
        "download it again."
    )


def _load_safetensors(path: Path, header_bytes: int) -> tuple[Mapping[str, Tensor], dict[str, str]]:
    if header_bytes > min(MAX_HEADER_BYTES, path.stat().st_size - 8):
        raise WeightsError(
            f"'{path.name}' claims a header of {header_bytes} bytes, more than a weights file has; download it again."
        )
    try:
        file = safe_open(path, framework="pt", device="cpu")
        return _SafetensorsState(file), dict(file.metadata() or {})
    except (SafetensorError, UnicodeDecodeError) as error:
        raise WeightsError(f"'{path.name}' is truncated or damaged ({error}); download it again.") from None


def _load_checkpoint(path: Path, is_zip: bool = True) -> Mapping[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except Exception as error:
        # Whatever is wrong with it, torch's own message advises to load it unsafely.
        raise WeightsError(f"'{path.name}' has a damaged table of tensors; download it again.") from error
    for name in WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(name), dict):
            state = state[name]
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise WeightsError(f"'{path.name}' holds no dictionary of named tensors.")
    return {key: value for key, value in state.items() if isinstance(value, Tensor)}


def _check_zip(file: BinaryIO, path: Path) -> None:
    """Refuse archives that would unpack to more than they are, and pickles that name anything but tensors."""
    size = path.stat().st_size
    if _central_directory_bytes(file, size, path.name) > MAX_HEADER_BYTES:
        raise WeightsError(f"'{path.name}' has a table of contents far larger than any checkpoint's; it is refused.")
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if sum(e.file_size for e in entries) > size:
                raise WeightsError(f"'{path.name}' would unpack to more than its {size} bytes; it is refused.")
            if any(e.compress_type != zipfile.ZIP_STORED for e in entries):
                raise WeightsError(f"'{path.name}' is a compressed archive, which torch.save never writes.")
            pickles = [e for e in entries if e.filename.endswith("/data.pkl")]
            if len(pickles) != 1 or pickles[0].file_size > MAX_HEADER_BYTES:
                raise WeightsError(f"'{path.name}' is a zip archive but not a PyTorch checkpoint.")
            _check_pickle(io.BytesIO(archive.read(pickles[0])), path.name)
    except (zipfile.BadZipFile, EOFError, struct.error, UnicodeDecodeError) as error:
        raise WeightsError(f"'{path.name}' is truncated or damaged ({error}); download it again.") from None


def _central_directory_bytes(file: BinaryIO, size: int, name: str) -> int:
    """Size of the zip's table of contents as its end record states it (ZIP64 included), read without parsing it."""
    file.seek(max(0, size - 66_000))
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        raise WeightsError(f"'{name}' is truncated: the end of the archive is missing; download it again.")
    stated = struct.unpack("<I", tail[end + 12 : end + 16])[0]
    end64 = tail.rfind(b"PK\x06\x06", 0, end)
    if stated == 0xFFFFFFFF and end64 >= 0:
        stated = struct.unpack("<Q", tail[end64 + 40 : end64 + 48])[0]
    return stated


def _check_old(path: Path) -> None:
    """The same for a file that is five pickles (format, version, machine, tensors, their order) and then raw numbers."""
    with open(path, "rb") as file:
        start = io.BytesIO(file.read(MAX_HEADER_BYTES))
    for part in range(5):
        _check_pickle(start, path.name, largest=path.stat().st_size if part == 3 else None)


def _check_pickle(pickle: io.BytesIO, name: str, largest: int | None = None) -> None:
    """One pickle from where the stream stands; `largest` bounds its integers, and with them what they ask memory for."""
    try:
        for opcode, argument, _ in pickletools.genops(pickle):
            if largest is not None and isinstance(argument, int) and argument > largest:
                raise WeightsError(f"'{name}' asks for more memory than its {largest} bytes; it is refused.")
            if opcode.name in CODE_OPCODES or (opcode.name == "GLOBAL" and argument not in PICKLE_GLOBALS):
                what = argument if opcode.name == "GLOBAL" else opcode.name
                raise WeightsError(
                    f"'{name}' holds a pickle that asks for '{str(what)[:100].replace(' ', '.')}', which tensors do "
                    "not need and which could run code; nothing was run. Get the file from its authors, or a "
                    ".safetensors version."
                )
    except WeightsError:
        raise
    except Exception as error:  # pickletools raises whatever its byte readers raise
        raise WeightsError(f"'{name}' has a damaged table of tensors; download it again.") from error
