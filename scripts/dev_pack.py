"""Showing this checkout to a ComfyUI that other checkouts may use at the same time: each has a search path of its own."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from dev_host import Comfy
from dev_install import PACK, ROOT, cache_folder, write_atomically
from dev_terminal import WINDOWS, Problem, run_quietly, say


@dataclass(frozen=True)
class ShownPack:
    """This checkout, as a ComfyUI is going to see it."""

    name: str  # of its folder in a custom_nodes folder
    flags: tuple[str, ...] = ()  # the command line options with which a ComfyUI finds that folder


def show_pack(comfy: Comfy) -> ShownPack:
    """Make what a server of this ComfyUI needs to load this checkout and no other."""
    custom_nodes = comfy.folder / "custom_nodes"
    if comfy.ours:
        remove_shared_link(custom_nodes / PACK)
    for entry in custom_nodes.iterdir() if custom_nodes.is_dir() else ():
        if entry.is_dir() and entry.resolve() == ROOT:
            return ShownPack(entry.name)
    # Not in there, and not to be put there: it is somebody's folder, or one that all checkouts share. So a folder of
    # this checkout's own, which holds only a link to it.
    search_path = cache_folder() / "search-paths" / hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
    link_pack(search_path / "custom_nodes" / PACK, ROOT)
    config = search_path / "extra_model_paths.yaml"
    # A JSON string is a YAML string too, so a path with quotes or colons needs no YAML writer.
    folder = json.dumps(str(search_path / "custom_nodes"), ensure_ascii=False)
    write_atomically(config, f"syncam:\n  custom_nodes: {folder}\n")
    return ShownPack(PACK, ("--extra-model-paths-config", str(config)))


def remove_shared_link(link: Path) -> None:
    """Take away the one link that all checkouts shared once: a server would load its pack beside ours."""
    if is_link(link):
        if WINDOWS:
            os.rmdir(link)
        else:
            link.unlink(missing_ok=True)
    elif link.exists() and link.resolve() != ROOT:
        raise Problem(f"{link} is a folder of its own, which would be loaded beside {ROOT}; move it away.")


def link_pack(link: Path, target: Path) -> None:
    """Make `link` lead to a checkout; one that leads elsewhere is turned over."""
    if link.exists() and link.resolve() == target:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    if is_link(link):
        say(f"Linking {target} instead of {os.path.realpath(link)}.")
    elif link.exists():
        raise Problem(f"{link} is a folder of its own, not our link to {target}; move it away.")
    if WINDOWS:
        # Links need a privilege there, junctions do not; a junction cannot be replaced in one step.
        if is_link(link):
            os.rmdir(link)
        made = run_quietly(["cmd", "/c", "mklink", "/J", str(link), str(target)])
        if made.returncode != 0:
            raise Problem(f"Windows could not link {link} to {target}: {made.stderr.strip()}")
    else:
        fresh = link.parent.parent / f".{link.name}.{os.getpid()}"  # in custom_nodes it would count as a pack
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target, target_is_directory=True)
        os.replace(fresh, link)


def is_link(path: Path) -> bool:
    """Whether a path is a symbolic link or a Windows junction (which also may lead nowhere)."""
    if path.is_symlink():
        return True
    return WINDOWS and os.path.lexists(path) and os.path.realpath(path) != os.path.abspath(path)
