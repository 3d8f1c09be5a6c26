"""The field's own networks, from files that people put into a folder: told by their keys, never downloaded."""

from .files import MissingFile, Networks

__all__ = ["MissingFile", "Networks"]
