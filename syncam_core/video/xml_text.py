"""XML documents as text: what the writers of editing programs' files share."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

# What XML 1.0 has no way to say: most control characters, halves of characters, two code points at the end.
UNSAYABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
INSTEAD = "\ufffd"


def element(tag: str, *inside: Element | str | int, **attributes: str | int) -> Element:
    """An element with its children or its text; what XML cannot say in a text becomes the replacement character.

    An underscore at the end of an attribute's name is left out: `in_` and `id_` are "in" and "id".
    """
    made = Element(tag, {name.rstrip("_"): sayable(str(value)) for name, value in attributes.items()})
    for child in inside:
        if isinstance(child, Element):
            made.append(child)
        else:
            made.text = sayable(str(child))
    return made


def sayable(text: str) -> str:
    return UNSAYABLE.sub(INSTEAD, text)


def document(root: Element, doctype: str = "") -> str:
    """The whole file, indented; to be written as UTF-8."""
    ElementTree.indent(root, " ")
    head = '<?xml version="1.0" encoding="UTF-8"?>\n' + f"<!DOCTYPE {doctype}>\n" * bool(doctype)
    return head + ElementTree.tostring(root, encoding="unicode") + "\n"
