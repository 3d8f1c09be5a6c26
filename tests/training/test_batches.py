"""What is drawn for each step: from (seed, step) alone, in the proportions and with the cameras that are configured."""

import dataclasses
import math

import pytest
import torch
from tiny_training import TEXT_DIM, MemoryScene, lone_video, ring_scene, text_of, tiny_config

from syncam_core.cameras import Rig, encode_cameras, orbit_rig
from syncam_core.datasets.footage import Kind
from syncam_core.errors import UserError
from syncam_core.training.batches import Batches, angles_at
from syncam_core.training.config import Angles, Dropout, Mix, Objective

IDENTITY = torch.tensor([1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0])
MULTI, IMAGES, VIDEO = Kind.MULTI_VIEW_VIDEO, Kind.MULTI_VIEW_IMAGES, Kind.VIDEO
JOINT = (Mix(MULTI, 0.6, 4), Mix(IMAGES, 0.2, 4, views=3), Mix(VIDEO, 0.2, 4, views=1))


def a_world():
    """Scenes of each kind; every view of every scene is told apart by its latents."""
    return [
        *(ring_scene(f"multi{i}", views=6) for i in range(5)),
        *(ring_scene(f"images{i}", views=5, frames=1, kind=IMAGES) for i in range(3)),
        *(lone_video(f"video{i}") for i in range(3)),
    ]


def tensors_of(batch):
    return {k: v for k, v in vars(batch).items() if isinstance(v, torch.Tensor)}


def equal(one, other):
    others = tensors_of(other)
    return one.names == other.names and all(torch.equal(v, others[k]) for k, v in tensors_of(one).items())


def views_of(batch, scenes):
    """Which cameras each scene of a batch shows, told from the latents."""
    by_name = {scene.name: scene for scene in scenes}
    latents = batch.latents.unflatten(0, (len(batch.names), -1))
    found = []
    for name, shown in zip(batch.names, latents, strict=True):
        stored = by_name[name].stored[:, :, : shown.shape[2]]
        found.append([next(i for i, one in enumerate(stored) if torch.equal(one, view)) for view in shown])
    return found


def rate(count, probability):
    return pytest.approx(probability, abs=5 * math.sqrt(probability * (1 - probability) / count))


def test_a_step_asked_for_again_in_any_order_is_bit_equal():
    config = tiny_config("", mix=JOINT, dropout=Dropout(0.3, 0.3, 0.3), steps=40)
    first, again = Batches(config, a_world(), text_of), Batches(config, a_world(), text_of)
    straight = [first[step] for step in range(12)]
    torch.manual_seed(123)
    assert all(equal(again[step], straight[step]) for step in (11, 3, 0, 7, 3))


def test_a_batch_depends_on_seed_and_step_and_on_nothing_else_of_the_run():
    config = tiny_config("", mix=JOINT)
    usual = Batches(config, a_world(), text_of)
    longer = dataclasses.replace(config, output="elsewhere", steps=9000, checkpoint_every=3, ema_decay=0.9)
    assert equal(Batches(longer, a_world(), text_of)[5], usual[5])
    assert not equal(usual[5], usual[6])
    assert not equal(Batches(dataclasses.replace(config, seed=1), a_world(), text_of)[5], usual[5])


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_together_see_exactly_what_one_would(processes):
    config = tiny_config("", mix=JOINT, dropout=Dropout(0.3, 0.3, 0.3), objective=Objective(stratified=True))
    alone = Batches(config, a_world(), text_of)
    shared = [Batches(config, a_world(), text_of, rank, processes) for rank in range(processes)]

    def by_sigma(batches):
        """Every scene with all that belongs to it, ordered by its noise level."""
        scenes = []
        for batch in batches:
            views = len(batch.latents) // len(batch.names)
            for i, name in enumerate(batch.names):
                own = slice(views * i, views * i + views)
                tensors = (batch.latents[own], batch.noise[own], batch.poses[i], batch.text[i])
                scenes.append((batch.sigma[i].item(), name, batch.view_sync, batch.masked, *tensors))
        return sorted(scenes, key=lambda scene: scene[0])

    for step in range(20):
        together = by_sigma([batches[step] for batches in shared])
        expected = by_sigma([alone[step]])
        assert len({scene[0] for scene in expected}) == 4, "noise levels differ, so they tell scenes apart"
        for got, want in zip(together, expected, strict=True):
            assert got[:4] == want[:4]
            assert all(torch.equal(a, b) for a, b in zip(got[4:], want[4:], strict=True))


def test_parts_are_the_batch_again_when_put_together():
    batch = Batches(tiny_config("", mix=JOINT), a_world(), text_of)[2]
    parts = [batch.part(i, 2) for i in range(2)]
    assert [name for part in parts for name in part.names] == list(batch.names)
    for key, whole in tensors_of(batch).items():
        assert torch.equal(torch.cat([getattr(part, key) for part in parts]), whole), key


def test_kinds_are_drawn_in_the_papers_proportions():
    mix = tuple(dataclasses.replace(one, scenes=1) for one in JOINT)
    batches = Batches(tiny_config("", mix=mix), a_world(), text_of)
    count = 1200
    shapes = [tuple(batches[step].latents.shape[:3]) for step in range(count)]
    assert set(shapes) == {(2, 16, 2), (3, 16, 1), (1, 16, 2)}
    for shape, share in (((2, 16, 2), 0.6), ((3, 16, 1), 0.2), ((1, 16, 2), 0.2)):
        assert shapes.count(shape) / count == rate(count, share)


def test_a_kind_with_a_beginning_and_an_end_is_drawn_between_them_only():
    mix = (Mix(MULTI, 0.5, 4, until=60), Mix(VIDEO, 0.5, 4, views=1, since=30))
    config = tiny_config("", mix=mix, steps=90)
    assert [config.shares(step) for step in (29, 30, 59, 60)] == [[0.5, 0], [0.5, 0.5], [0.5, 0.5], [0, 0.5]]
    batches = Batches(config, a_world(), text_of)
    is_video = [len(batches[step].latents) == 4 for step in range(90)]
    assert not any(is_video[:30])
    assert 3 <= sum(is_video[30:60]) <= 27
    assert all(is_video[60:])


def test_every_scene_and_camera_has_its_turn():
    scenes = a_world()
    batches = Batches(tiny_config("", mix=(Mix(MULTI, 1.0, 4),)), scenes, text_of)
    seen = set()
    for step in range(150):
        batch = batches[step]
        for name, views in zip(batch.names, views_of(batch, scenes), strict=True):
            assert len(set(views)) == 2
            seen |= {(name, place, view) for place, view in enumerate(views)}
    assert len(seen) == 5 * 2 * 6


def test_images_are_first_frames_of_pictures_and_videos_and_single_videos_come_from_any_camera():
    scenes = a_world()
    mix = (Mix(IMAGES, 0.5, 4, views=3), Mix(VIDEO, 0.5, 4, views=1))
    batches = Batches(tiny_config("", mix=mix), scenes, text_of)
    names = {1: set(), 2: set()}
    for step in range(100):
        names[batches[step].latents.shape[2]] |= set(batches[step].names)
    assert {name[:5] for name in names[1]} == {"multi", "image"}
    assert {name[:5] for name in names[2]} == {"multi", "video"}


def test_latents_are_the_first_frames_that_are_asked_for():
    scene = ring_scene("long", frames=5)
    (names, batch) = ("long", Batches(tiny_config("", mix=(Mix(MULTI, 1.0, 1, 4, 3),)), [scene], text_of)[0])
    assert batch.names == (names,)
    assert batch.latents.shape == batch.noise.shape == (4, 16, 3, 4, 4)
    assert sorted(views_of(batch, [scene])[0]) == [0, 1, 2, 3]
    assert batch.poses.shape == (1, 4, 3, 12)


@pytest.mark.parametrize("reference", ["first", "random"])
def test_view_0_is_the_first_camera_or_any(reference):
    scene = ring_scene("ring", views=5)
    batches = Batches(tiny_config("", reference=reference, mix=(Mix(MULTI, 1.0, 2, 3),)), [scene], text_of)
    first = {views[0] for step in range(60) for views in views_of(batches[step], [scene])}
    assert first == ({0} if reference == "first" else set(range(5)))


WIDENING = (Angles(10, 0, 60), Angles(20, 30, 90), Angles(30, 60, 120))


def test_the_range_of_angles_is_the_last_that_has_begun():
    assert [angles_at(WIDENING, step) for step in (0, 9, 10, 19, 20, 30, 9999)] == [
        None, None, (0, 60), (0, 60), (30, 90), (60, 120), (60, 120),
    ]  # fmt: skip


@pytest.mark.parametrize(("step", "least", "most"), [(12, 0, 60), (25, 30, 90), (40, 60, 120)])
@pytest.mark.parametrize("reference", ["first", "random"])
def test_views_keep_within_the_angles_of_their_step_when_the_scene_has_enough_of_them(step, least, most, reference):
    count = 23  # on one level circle around the target, where viewing directions differ by their azimuths
    c2w = orbit_rig([360 * i / count for i in range(count)], [0], [5]).c2w
    scene = dataclasses.replace(ring_scene("ring", views=count), c2w=c2w)
    config = tiny_config("", reference=reference, angles=WIDENING, mix=(Mix(MULTI, 1.0, 2, 4),))
    seen = set()
    for seed in range(60):
        batch = Batches(dataclasses.replace(config, seed=seed), [scene], text_of)[step]
        for views in views_of(batch, [scene]):
            steps = [min((i - views[0]) % count, (views[0] - i) % count) for i in views[1:]]
            seen |= set(steps)
    assert seen == {n for n in range(1, count) if least <= 360 * n / count <= most}


def test_a_scene_with_too_few_cameras_in_range_gives_those_and_then_the_nearest():
    c2w = orbit_rig([0, 10, 50, 100, 170], [0], [5]).c2w
    scene = dataclasses.replace(ring_scene("few", views=5), c2w=c2w)
    config = tiny_config("", reference="first", angles=(Angles(0, 40, 60),), mix=(Mix(MULTI, 1.0, 1, 4),))
    for seed in range(5):
        batch = Batches(dataclasses.replace(config, seed=seed), [scene], text_of)[0]
        assert views_of(batch, [scene]) == [[0, 2, 1, 3]], "50 is in range, 10 misses by 30, 100 by 40, 170 by 110"


def test_cameras_that_are_not_known_have_no_angles():
    scene = dataclasses.replace(ring_scene("unknown", views=4), c2w=None)
    batches = Batches(tiny_config("", angles=(Angles(0, 0, 1),), mix=(Mix(MULTI, 1.0, 2),)), [scene], text_of)
    seen = {tuple(views) for step in range(200) for views in views_of(batches[step], [scene])}
    assert len(seen) == 12


def moving_rig(views=4, frames=17):
    """Cameras on circles and along lines, all moving."""
    still = orbit_rig([40 * i for i in range(views)], [10, 20, 5, 30], [4]).c2w
    moved = still.repeat(1, frames, 1, 1)
    generator = torch.Generator().manual_seed(0)
    along = torch.linspace(0, 1, frames, dtype=torch.float64)[None, :, None]
    moved[:, :, :3, 3] += along * torch.randn(views, 1, 3, generator=generator, dtype=torch.float64)
    return moved


@pytest.mark.parametrize("is_moving", [False, True])
@pytest.mark.parametrize("latent_frames", [None, 3, 1])
def test_poses_are_bit_for_bit_those_that_inference_computes(is_moving, latent_frames):
    c2w = moving_rig() if is_moving else orbit_rig([0, 77, 191, -40], [20, 10, 5, 33], [5, 4.5, 5.5, 5]).c2w
    scene = dataclasses.replace(ring_scene("posed", frames=5), c2w=c2w)
    batch = Batches(tiny_config("", mix=(Mix(MULTI, 1.0, 3, 3, latent_frames),)), [scene], text_of)[0]
    length = 4 * (latent_frames or 5) - 3
    for poses, views in zip(batch.poses, views_of(batch, [scene]), strict=True):
        expected = encode_cameras(Rig(("a", "b", "c"), c2w=c2w[views]), length).poses
        assert poses.dtype == expected.dtype == torch.float32
        assert torch.equal(poses, expected)


def test_a_video_with_unknown_cameras_has_identity_poses():
    batch = Batches(tiny_config("", mix=(Mix(VIDEO, 1.0, 2, views=1),)), [lone_video("plain")], text_of)[0]
    assert torch.equal(batch.poses, IDENTITY.expand(2, 1, 2, 12))


def test_captions_cameras_and_view_attention_are_dropped_as_often_as_configured():
    config = tiny_config("", mix=(Mix(MULTI, 1.0, 4, 2),), dropout=Dropout(0.1, 0.3, 0.2))
    batches = Batches(config, [ring_scene("ring")], text_of)
    drawn = [batches[step] for step in range(500)]
    without = [torch.equal(text, text_of("")) for batch in drawn for text in batch.text]
    still = [torch.equal(poses, IDENTITY.expand_as(poses)) for batch in drawn for poses in batch.poses]
    assert sum(without) / 2000 == rate(2000, 0.1)
    assert sum(still) / 2000 == rate(2000, 0.3)
    assert sum(batch.masked for batch in drawn) / 500 == rate(500, 0.2)
    both = sum(a and b for a, b in zip(without, still, strict=True)) / 2000
    assert both == rate(2000, 0.03), "one does not depend on the other"


def test_nothing_is_dropped_unless_it_is_asked_for_and_the_base_alone_is_never_masked():
    batches = Batches(tiny_config(""), [ring_scene("ring")], text_of)
    for step in range(30):
        batch = batches[step]
        assert all(torch.equal(text, text_of("caption of ring")) for text in batch.text)
        assert not (batch.poses == IDENTITY).all(-1)[:, 1].any()
        assert batch.view_sync
        assert not batch.masked
    mix = (Mix(MULTI, 1.0, 2, view_sync=False),)
    alone = Batches(tiny_config("", mix=mix, dropout=Dropout(view_attention=1.0)), a_world(), text_of)[0]
    assert not alone.view_sync
    assert not alone.masked


def test_dropping_captions_changes_neither_noise_nor_scenes():
    scenes = a_world()
    usual = Batches(tiny_config(""), scenes, text_of)[3]
    dropped = Batches(tiny_config("", dropout=Dropout(caption=1.0, camera=1.0)), scenes, text_of)[3]
    for key in ("latents", "noise", "sigma"):
        assert torch.equal(getattr(usual, key), getattr(dropped, key))
    assert not torch.equal(usual.text, dropped.text)


def test_noise_is_standard_normal_and_of_every_view_its_own():
    batches = Batches(tiny_config("", mix=(Mix(MULTI, 1.0, 4, 4),)), a_world(), text_of)
    noise = torch.cat([batches[step].noise for step in range(40)])
    assert noise.mean().item() == pytest.approx(0, abs=5 / math.sqrt(noise.numel()))
    assert noise.std().item() == pytest.approx(1, abs=5 / math.sqrt(2 * noise.numel()))
    flat = noise.flatten(1)
    correlation = flat @ flat.T / flat.shape[1] - torch.eye(len(flat))
    assert correlation.abs().max() < 6.5 / math.sqrt(flat.shape[1]) + 0.1


def test_stratified_scenes_share_the_unit_interval_evenly():
    mix = (Mix(MULTI, 1.0, 8),)
    objective = Objective("uniform", shift=1.0, stratified=True)
    batches = Batches(tiny_config("", mix=mix, objective=objective), a_world(), text_of)
    orders = set()
    for step in range(50):
        strata = (8 * batches[step].sigma).floor().int().tolist()
        assert sorted(strata) == list(range(8))
        orders.add(tuple(strata))
    assert len(orders) > 40


def test_noise_levels_are_those_of_the_objective():
    batches = Batches(tiny_config("", mix=(Mix(MULTI, 1.0, 8),)), a_world(), text_of)
    sigma = torch.cat([batches[step].sigma for step in range(250)])
    assert sigma.dtype == torch.float32
    assert (sigma > 0.5).float().mean().item() == rate(2000, 0.834)
    assert (sigma >= 0.8333).float().mean().item() == rate(2000, 0.501)
    # levels are 5k / (1000 + 4k) for whole k
    k = 1000 * sigma.double() / (5 - 4 * sigma.double())
    assert (k - k.round()).abs().max() < 0.01


def test_shorter_texts_are_followed_by_zeros():
    def lengths(caption):
        return torch.ones(2 if "multi1" in caption else 5, TEXT_DIM)

    batches = Batches(tiny_config("", mix=(Mix(MULTI, 1.0, 8),)), a_world(), lengths)
    batch = next(b for b in (batches[step] for step in range(30)) if len({n == "multi1" for n in b.names}) == 2)
    for name, text in zip(batch.names, batch.text, strict=True):
        assert text.shape == (5, TEXT_DIM)
        assert text.any(1).tolist() == ([True] * 2 + [False] * 3 if name == "multi1" else [True] * 5)


@pytest.mark.parametrize(
    ("mix", "scenes", "sentence"),
    [
        (
            Mix(MULTI, 1.0, 2, 4),
            [ring_scene("a", 3)],
            r"'mix' asks for 4 views of multi_view_video, but no scene .*\(1 ",
        ),
        (Mix(MULTI, 1.0, 2), [lone_video("a")], r"2 views of multi_view_video, but no scene .*\(1 scenes of video\)"),
        (Mix(IMAGES, 1.0, 2), [lone_video("a")], r"2 views of multi_view_images, but no scene"),
        (Mix(MULTI, 1.0, 2), [ring_scene("a", kind=IMAGES)], r"multi_view_video, but no scene .*of multi_view_images"),
        (Mix(MULTI, 1.0, 2), [], r"\(0 scenes of no kind\)"),
    ],
)
def test_a_mix_that_the_data_cannot_give_is_refused_before_the_first_step(mix, scenes, sentence):
    with pytest.raises(UserError, match=sentence):
        Batches(tiny_config("", mix=(mix,)), scenes, text_of)


@pytest.mark.parametrize(("scenes", "accumulate", "processes"), [(3, 2, 1), (3, 1, 2), (4, 2, 4)])
def test_batches_that_do_not_divide_are_refused(scenes, accumulate, processes):
    config = tiny_config("", mix=(Mix(MULTI, 1.0, scenes),), accumulate=accumulate)
    said = f"batches of {scenes} scenes, which do not divide into {processes} processes x {accumulate} parts"
    with pytest.raises(UserError, match=said):
        Batches(config, a_world(), text_of, 0, processes)


def test_a_kind_with_no_share_needs_no_data():
    config = tiny_config("", mix=(Mix(MULTI, 1.0, 2), Mix(VIDEO, 0.0, 2, views=1)))
    only = MemoryScene("only", MULTI, "", ("a", "b"), None, torch.zeros(2, 16, 1, 2, 2))
    assert Batches(config, [only], text_of)[0].names == ("only", "only")


def test_a_mix_may_keep_to_scenes_of_its_own_kind():
    images = Mix(IMAGES, 0.5, 4, views=3, own_kind_only=True)
    videos = Mix(VIDEO, 0.5, 4, views=1, own_kind_only=True)
    config = tiny_config("", mix=(images, videos), steps=60)
    batches = Batches(config, a_world(), text_of)
    names = {name for step in range(60) for name in batches[step].names}
    assert names == {f"{kind}{i}" for kind in ("images", "video") for i in range(3)}


def test_a_single_view_is_of_any_camera_even_where_the_reference_is_the_first():
    scenes = [ring_scene("multi", views=6)]
    config = tiny_config("", mix=(Mix(VIDEO, 1.0, 4, views=1),), reference="first", steps=30)
    batches = Batches(config, scenes, text_of)
    assert {view for step in range(30) for (view,) in views_of(batches[step], scenes)} == set(range(6))
