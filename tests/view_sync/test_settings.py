import math

import pytest

from syncam_core.errors import UserError
from syncam_core.view_sync.control import ViewControl
from syncam_core.view_sync.settings import Settings


def test_the_settings_as_they_stand_are_the_trained_ones():
    assert Settings() == Settings(1.0, 0.0, 1.0, "joint", 2, "auto", None)


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"strength": 2.5}, "strength", "'strength' is 2.5; give a number from 0 to 2."),
        ({"strength": math.nan}, "strength", "'strength' is nan; give a number from 0 to 2."),
        ({"end_percent": -0.1}, "end_percent", "'end_percent' is -0.1; give a number from 0 to 1."),
        (
            {"start_percent": 0.8, "end_percent": 0.2},
            "start_percent",
            "'start_percent' is 0.8, after 'end_percent' 0.2",
        ),
        ({"coupling": "star"}, "coupling", "'coupling' is 'star'; choose joint, anchor, nearest, routed."),
        ({"memory": "much"}, "memory", "'memory' is 'much'; choose auto, whole, low."),
        ({"group_size": 65}, "group_size", "'group_size' is 65; give a number from 2 to 64."),
    ],
)
def test_what_is_out_of_range_is_refused_with_its_field(given, field, said):
    with pytest.raises(UserError) as refused:
        Settings(**given)
    assert refused.value.field == field
    assert str(refused.value).startswith(said)


def test_a_control_is_spread_over_the_views_and_one_that_changes_nothing_is_dropped():
    assert Settings(control=ViewControl()).spread(3, 30).control is None
    spread = Settings(control=ViewControl(strengths=(0.5,))).spread(3, 30)
    assert spread.control.strengths == (0.5, 0.5, 0.5)
    with pytest.raises(UserError, match="'blocks' names block 30, but the model has 30"):
        Settings(control=ViewControl(blocks=(2, 30))).spread(3, 30)
