"""The route by which the rig editor opens camera files: bytes come in, a rig JSON goes out, nothing is kept.

    POST /syncam/read_rig    multipart/form-data
        file        one file, or the files of a folder (a COLMAP model, a pose file per camera)
        text        in place of files: the text of a rig JSON
        unit_m      optional: metres in one unit of the file
        cameras     optional: which cameras, and in which order, like "1, 3"

The answer is the rig JSON, that of a text or file that is one as it came, with its angles and keyframes; or status 4xx with {"error": sentence, "asks": [...]}: `asks` names the fields that the
reader wants beside the file, "unit_m" or "cameras". What a reader says of a file is status 422, with ?status=200 in
the address status 200: a browser writes every other status into its console, and to be asked is no error.
"""

from __future__ import annotations

import asyncio
import math
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...syncam_core.errors import UserError

if TYPE_CHECKING:
    from aiohttp import BodyPartReader, web

PATH = "/syncam/read_rig"
MAX_UPLOAD_BYTES = 64 * 2**20  # a COLMAP model brings its points along; every other format is held to less
MAX_TEXT_BYTES = 16 * 2**20  # of a rig JSON
MAX_FILES = 100
MAX_FIELD_BYTES = 10_000
CHUNK_BYTES = 2**20
FOLDER = "dropped files"  # what sentences call several files

# What a reader may want beside the file.
_ASKS = ("unit_m", "cameras")


@dataclass(frozen=True)
class Upload:
    """Files in a folder of their own, or a text, and what was said beside them."""

    files: tuple[Path, ...] = ()
    text: str = ""
    cameras: str = ""
    unit_m: float | None = None


class RefusedError(Exception):
    """A request that is not even read: a status and a sentence."""

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status = status


def add_routes_to_host() -> None:
    """Add the route to the running server; without one (a script, a test in this process) there is nothing to do."""
    host = getattr(sys.modules.get("server"), "PromptServer", None)
    instance = getattr(host, "instance", None)
    if instance is not None:
        instance.routes.post(PATH)(rig_reader())


def rig_reader() -> Callable[[web.Request], Awaitable[web.Response]]:
    """The handler. Files are read one after the other in a thread, so that the server goes on meanwhile."""
    readers = ThreadPoolExecutor(1, thread_name_prefix="syncam_read_rig")

    async def read_rig(request: web.Request) -> web.Response:
        from aiohttp import web

        try:
            check_size(request)
            with tempfile.TemporaryDirectory(prefix="syncam_read_rig_") as private:
                upload = await received(request, Path(private))
                text = await asyncio.get_running_loop().run_in_executor(readers, rig_text, upload)
        except RefusedError as problem:
            return web.json_response({"error": str(problem), "asks": []}, status=problem.status)
        except UserError as problem:
            status = 200 if request.query.get("status") == "200" else 422
            return web.json_response({"error": str(problem), "asks": asked_for(problem)}, status=status)
        return web.Response(text=text, content_type="application/json")

    return read_rig


def check_size(request: web.Request) -> None:
    """Raises RefusedError for a request whose size is not known beforehand or too large, or that is packed."""
    if request.content_type != "multipart/form-data":
        raise RefusedError(415, "the request is no multipart/form-data; send the camera file as its part 'file'.")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise RefusedError(415, "the request is compressed; send the camera file as it is.")
    if request.content_length is None:
        raise RefusedError(411, "the request does not say its length; send a Content-Length.")
    if request.content_length > MAX_UPLOAD_BYTES:
        raise RefusedError(
            413,
            f"the files have {request.content_length / 2**20:.0f} MB together, but at most {MAX_UPLOAD_BYTES // 2**20} "
            "MB are read here; put them into the input folder and use SynCam Load Rig.",
        )


async def received(request: web.Request, private: Path) -> Upload:
    """The parts of a request, its files written into a folder. Raises RefusedError."""
    from aiohttp import MultipartReader
    from aiohttp.http_exceptions import HttpProcessingError
    from aiohttp.web import RequestPayloadError

    broken = (HttpProcessingError, RequestPayloadError, ValueError, AssertionError, RuntimeError, OSError)
    fields = {"unit_m": "", "cameras": "", "text": ""}
    files: dict[str, Path] = {}
    folder = private / FOLDER
    folder.mkdir()
    try:
        parts = await request.multipart()
        while (part := await parts.next()) is not None:
            if isinstance(part, MultipartReader):
                raise RefusedError(400, "a part of the request has parts of its own; send files and fields only.")
            if part.name is not None and part.name in fields:
                fields[part.name] = await _field(part, MAX_UPLOAD_BYTES if part.name == "text" else MAX_FIELD_BYTES)
            elif part.name == "file":
                name = safe_name(part.filename)
                if name.casefold() in files:
                    raise RefusedError(400, f"two of the files are called {name!r}; rename one.")
                if len(files) == MAX_FILES:
                    raise RefusedError(413, f"there are more than {MAX_FILES} files; give those of the cameras only.")
                files[name.casefold()] = folder / name
                await _save(part, folder / name)
    except RefusedError:
        raise
    except broken as problem:  # what aiohttp says of a broken body
        raise RefusedError(400, "the request breaks off or is no multipart/form-data; send it again.") from problem
    if not files and not fields["text"]:
        raise RefusedError(400, "there is no file in the request; send the camera file as its part 'file'.")
    return Upload(tuple(files.values()), fields["text"], fields["cameras"].strip(), unit_of(fields["unit_m"]))


async def _field(part: BodyPartReader, most: int) -> str:
    content = bytearray()
    while chunk := await part.read_chunk(CHUNK_BYTES):
        content += chunk
        if len(content) > most:
            raise RefusedError(413, f"{part.name!r} has more than {most} characters; give less.")
    return content.decode("utf-8", errors="replace")


async def _save(part: BodyPartReader, path: Path) -> None:
    with path.open("xb") as file:
        while chunk := await part.read_chunk(CHUNK_BYTES):
            await asyncio.to_thread(file.write, chunk)


def safe_name(given: str | None) -> str:
    """The last part of a name, of letters, digits and a few signs: never a path, never hidden, never too long.

    The name itself counts, because some formats are told by it and cameras are called after it.
    """
    last = re.split(r"[/\\]", given or "")[-1]
    clean = re.sub(r"[^\w .()+-]", "_", last).strip(" .") or "cameras"
    stem, dot, suffix = clean.rpartition(".")
    if not dot:
        return clean[:50]
    # 61 characters are at most 244 bytes, which every file system takes
    return f"{stem[:50].rstrip(' .') or 'cameras'}.{suffix[:10]}"


def unit_of(text: str) -> float | None:
    """Metres in one unit of the file, None where nothing is said. Raises RefusedError."""
    if not text.strip():
        return None
    try:
        unit_m = float(text)
    except ValueError:
        unit_m = math.nan
    if not 0 < unit_m <= 1e6:
        raise RefusedError(400, f"'unit_m' is {text[:40]!r}, but a number of metres above 0 is needed, like 1 or 0.01.")
    return unit_m


def rig_text(upload: Upload) -> str:
    """The rig JSON of a text, of a file, or of the folder that files make. Raises UserError with a sentence."""
    from ...syncam_core.cameras import rig_from_json, rig_to_json
    from ...syncam_core.formats import read_rig_file

    if not upload.files:
        rig_from_json(upload.text)
        return upload.text
    path = upload.files[0] if len(upload.files) == 1 else upload.files[0].parent
    as_it_came = not upload.cameras and upload.unit_m is None and path.is_file()
    return (as_it_came and own_rig_json(path)) or rig_to_json(read_rig_file(path, upload.cameras, upload.unit_m))


def own_rig_json(path: Path) -> str:
    """The text of a file that is a rig JSON, with the angles and keyframes that a read rig has no more; else ""."""
    from ...syncam_core.cameras import rig_from_json

    try:
        text = path.read_bytes().decode("utf-8-sig") if path.stat().st_size <= MAX_TEXT_BYTES else ""  # line ends stay
        rig_from_json(text)
    except (UserError, UnicodeDecodeError):
        return ""
    return text


def asked_for(problem: UserError) -> list[str]:
    """Which field of the request the reader found wrong or wants."""
    return [field for field in _ASKS if problem.field == field]
