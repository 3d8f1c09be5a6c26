"""Names: in natural order, free whatever the case of letters, possible on every system."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncam_core.disk.names import checked_folder, file_slugs, free_stem, is_taken, natural
from syncam_core.errors import UserError


def test_ordinary_names_stay_as_they_are():
    assert file_slugs(["cam01", "cam02", "front_left", "A-7"]) == ["cam01", "cam02", "front_left", "A-7"]


def test_accents_are_dropped_and_other_characters_become_dashes():
    assert file_slugs(["Élan vital", "left/right:3?", "..\\..\\evil", "C:\\x"]) == [
        "Elan-vital",
        "left-right-3",
        "evil",
        "C-x",
    ]


def test_names_without_usable_characters_are_called_after_their_place():
    assert file_slugs(["カメラ", "cam02", "👍", "...", ""]) == ["view1", "cam02", "view3", "view4", "view5"]


def test_collisions_are_numbered_whatever_their_case():
    assert file_slugs(["cam", "CAM", "cam ", "cám", "cam-2"]) == ["cam", "CAM-2", "cam-3", "cam-4", "cam-2-2"]


def test_names_of_our_own_files_are_never_given_away():
    assert file_slugs(["grid", "Rig"], taken=("grid", "rig")) == ["grid-2", "Rig-2"]


def test_device_names_of_windows_are_avoided():
    assert file_slugs(["CON", "nul", "COM1", "lpt9", "console"]) == [
        "view-CON",
        "view-nul",
        "view-COM1",
        "view-lpt9",
        "console",
    ]


@given(st.lists(st.text(max_size=100), max_size=12))
def test_any_names_give_distinct_short_plain_slugs(names):
    slugs = file_slugs(names, taken=("grid", "rig"))
    assert len(slugs) == len(names)
    assert len({slug.lower() for slug in slugs} | {"grid", "rig"}) == len(names) + 2
    assert all(re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]{0,49}", slug) for slug in slugs)


@pytest.mark.parametrize(
    "names",
    [
        ["cam2", "cam10"],
        ["scene", "scene2", "scene10", "scene10b"],
        ["shot 1²", "shot 2", "shot 10²"],  # "²" is a digit to str.isdigit, but no number to int
        ["2", "10", "a"],
        ["take ①", "take ②"],
        ["1" * 4000, "2" + "1" * 4000],  # more digits than Python converts
    ],
)
def test_natural_order_counts_as_people_do(names):
    assert sorted([*names[1:], names[0]], key=natural) == names


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", categories=("N", "L", "P"))), max_size=6))
def test_any_names_have_a_natural_order_that_does_not_depend_on_how_they_come(names):
    backwards = names[::-1]
    assert sorted(names, key=natural) == sorted(backwards, key=natural)


def test_a_name_in_other_letters_is_not_free(tmp_path):
    assert free_stem(tmp_path, "views_edit") == "views_edit"
    (tmp_path / "Views_EDIT.otio").touch()
    assert free_stem(tmp_path, "views_edit") == "views_edit_00002"
    (tmp_path / "views_edit_00002.EDL").touch()
    assert free_stem(tmp_path, "views_edit") == "views_edit_00003"
    assert free_stem(tmp_path, "VIEWS_edit") == "VIEWS_edit_00003"
    assert is_taken(tmp_path, "views_edit.OTIO")
    assert not is_taken(tmp_path, "views_edit")
    assert not is_taken(tmp_path / "absent", "a")


@pytest.mark.parametrize("given", ["con", "sets/AUX", "nul.scene", "COM1 .old"])
def test_folders_that_windows_takes_for_devices_are_refused(given):
    with pytest.raises(UserError, match="is the name of a device on Windows"):
        checked_folder(given, "'dataset'")
    assert checked_folder("sets/console.con", "'dataset'") == "sets/console.con"


@pytest.mark.parametrize("given", ["sets./a", "sets/a.", "sets /a", "sets/ a"])
def test_folders_that_begin_or_end_with_what_windows_drops_are_refused(given):
    with pytest.raises(UserError, match="begins or ends with a blank or a dot, which Windows drops"):
        checked_folder(given, "'dataset'")
    assert checked_folder("sets/a.b c", "'dataset'") == "sets/a.b c"
