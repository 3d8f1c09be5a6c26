"""The field's own networks, from files that people put into a folder: told by their keys, never downloaded."""

from .files import FILES, MissingFile, Networks

__all__ = ["FILES", "MissingFile", "Networks"]
