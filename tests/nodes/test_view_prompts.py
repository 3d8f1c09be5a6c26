"""Prompts per view: each view gets its own words, whatever the host stacks, and nothing changes without them."""

import importlib

import plain_wan
import pytest
import tiny_umt5
import torch
from host_umt5 import hosts_clip
from host_wan import TinyWan, conditioning, empty, noise, poses, relative_error, sampled, velocities

FRAMES, HEIGHT, WIDTH = 2, 4, 6
SCENE = "a red fox runs"
SUFFIXES = ["through the snow", "on a windy beach", "", "in a dark hall, slowly"]
LONG = " ".join(tiny_umt5.SENTENCES * 12)  # more than 512 tokens


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyWan(comfy, "prompts", seed=5)


@pytest.fixture(scope="module")
def clip(comfy, tmp_path_factory):
    """The host's own umT5 encoder for Wan at a small size."""
    return hosts_clip(tiny_umt5.write_umt5(tmp_path_factory.mktemp("umt5") / "umt5.safetensors"))


def cameras(views, seed=0):
    from syncam_core.cameras import CameraEncoding

    return CameraEncoding(poses(views, seed=seed))


def encoded(comfy, clip, text):
    return comfy.run("CLIPTextEncode", clip=clip, text=text)[0]


def prompts(comfy, clip, views, text=SCENE, suffixes=None):
    lines = SUFFIXES[:views] if suffixes is None else suffixes
    return comfy.run("SynCamViewPrompts", clip=clip, text=text, suffixes="\n".join(lines), cameras=cameras(views))[0]


def sample(comfy, model, views, positive, negative, cfg=3.0, steps=3):
    return sampled(comfy, model, empty(views), (positive, negative), cfg=cfg, steps=steps)["samples"]


@pytest.mark.parametrize("suffixes", [[], ["", "  ", ""], ["same"] * 3], ids=["none", "blank", "the same"])
def test_without_different_words_it_is_the_hosts_own_node(comfy, clip, suffixes):
    text = f"{SCENE} same" if any(map(str.strip, suffixes)) else SCENE
    ((embedding, extra),) = prompts(comfy, clip, 3, suffixes=suffixes)
    ((expected, beside),) = encoded(comfy, clip, text)
    assert embedding.shape == (1, 512, tiny_umt5.DIM)
    assert torch.equal(embedding, expected)
    assert extra == beside


def test_trajectories_say_how_many_prompts_there_are_too(comfy, clip):
    from syncam_core.cameras import encode_trajectories, recam_rig

    trajectories = encode_trajectories(recam_rig("1-3", length=5), 5)
    lines = {"text": SCENE, "suffixes": "\n".join(SUFFIXES[:3])}
    ((embedding, _),) = comfy.run("SynCamViewPrompts", clip=clip, cameras=trajectories, **lines)[0]
    ((expected, _),) = prompts(comfy, clip, 3)
    assert torch.equal(embedding, expected)


def test_without_suffixes_sampling_is_bit_for_bit_what_it_was(comfy, tiny, clip):
    model, negative = tiny.patched(cameras(2).poses), encoded(comfy, clip, "blurry")
    plain = sample(comfy, model, 2, encoded(comfy, clip, SCENE), negative)
    assert torch.equal(sample(comfy, model, 2, prompts(comfy, clip, 2, suffixes=[]), negative), plain)


@pytest.mark.parametrize("views", [2, 3, 4])
def test_row_i_is_what_the_encoder_says_to_the_prompt_of_view_i(comfy, clip, views):
    ((embedding, extra),) = prompts(comfy, clip, views)
    assert embedding.shape == (views, 512, tiny_umt5.DIM)
    for row, suffix in zip(embedding, SUFFIXES, strict=False):
        ((expected, beside),) = encoded(comfy, clip, f"{SCENE} {suffix}".strip())
        assert torch.equal(row, expected[0])
        assert extra == beside == {"pooled_output": None}


@pytest.mark.parametrize("views", [2, 3, 4])
@pytest.mark.parametrize("negative", ["one for all", "per view", "longer, so that the host splits"])
def test_every_view_is_made_with_its_own_words_in_every_chunk_in_any_order(comfy, tiny, clip, views, negative):
    """Against the plain equations, which take a text for each view."""
    positive = prompts(comfy, clip, views)
    if negative == "one for all":
        negative = encoded(comfy, clip, "blurry")
    elif negative == "per view":
        negative = prompts(comfy, clip, views, "blurry", ["grey", "", "cropped", "noise"][:views])
    else:
        negative = prompts(comfy, clip, views, "blurry", ["", LONG])
    texts = [positive[0][0], negative[0][0]]
    poses, x = cameras(views).poses, noise(views)
    model = tiny.patched(poses)
    truths = [plain_wan.forward(tiny.state, x, 600.0, text.expand(views, -1, -1), poses) for text in texts]
    for order in ((0, 1), (1, 0)):
        for velocity, i in zip(velocities(model, x, 0.6, [texts[i] for i in order]), order, strict=True):
            assert relative_error(velocity, truths[i]) <= 3e-5


@pytest.mark.parametrize("views", [2, 3, 4])
def test_without_synchronization_view_i_is_as_if_all_views_had_its_prompt(comfy, tiny, clip, views):
    model, negative = tiny.base(), encoded(comfy, clip, "blurry")
    together = sample(comfy, model, views, prompts(comfy, clip, views), negative)
    for view, suffix in enumerate(SUFFIXES[:views]):
        alone = sample(comfy, model, views, encoded(comfy, clip, f"{SCENE} {suffix}".strip()), negative)
        torch.testing.assert_close(together[view], alone[view], rtol=1e-5, atol=1e-5)
        assert not torch.allclose(together[view], alone[view - 1], atol=1e-2)


def test_a_negative_for_one_view_alone_changes_the_guidance_of_that_view_alone(comfy, tiny, clip):
    """The plain model keeps views apart, so that the others show that nothing reached them."""
    positive = encoded(comfy, clip, SCENE)
    model = tiny.base()
    plain = sample(comfy, model, 3, positive, encoded(comfy, clip, "blurry"))
    other = sample(comfy, model, 3, positive, prompts(comfy, clip, 3, "blurry", ["", "snow everywhere"]))
    torch.testing.assert_close(other[[0, 2]], plain[[0, 2]], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(other[1], plain[1], atol=1e-2)


def test_a_prompt_beyond_512_tokens_is_kept_whole_and_the_others_are_filled_up_with_zeros(comfy, clip):
    ((embedding, _),) = prompts(comfy, clip, 2, suffixes=["", LONG])
    ((short, _),), ((long, _),) = encoded(comfy, clip, SCENE), encoded(comfy, clip, f"{SCENE} {LONG}")
    assert embedding.shape[1] == long.shape[1] > short.shape[1] == 512
    assert torch.equal(embedding[1], long[0])
    assert torch.equal(embedding[0, :512], short[0])
    assert not embedding[0, 512:].any()
    words = len(clip.tokenize(SCENE, min_length=0)["umt5xxl"][0])
    assert embedding[0, :words].any()
    assert not embedding[0, words:].any(), "the encoder itself fills up with zeros as well"


def test_emphasis_counts_across_text_and_suffix(comfy, clip):
    ((embedding, _),) = prompts(comfy, clip, 2, text="a (red fox:1.3)", suffixes=["", "(snow:0.7)"])
    for row, text in zip(embedding, ["a (red fox:1.3)", "a (red fox:1.3) (snow:0.7)"], strict=True):
        assert torch.equal(row, encoded(comfy, clip, text)[0][0][0])


def test_pooled_outputs_and_attention_masks_go_by_view(comfy):
    module = importlib.import_module(f"{comfy.pack.__name__}.nodes.sampling.view_control")
    entries = [
        [[torch.full((1, 2 + i, 3), float(i)), {"pooled_output": torch.full((1, 5), float(i)), "guidance": 4}]]
        for i in range(2)
    ]
    for i, ((_, extra),) in enumerate(entries):
        extra["attention_mask"] = torch.ones(1, 2 + i)
    ((embedding, extra),) = module.one_row_per_view(entries)
    assert embedding.shape == (2, 3, 3)
    assert extra["pooled_output"].tolist() == [[0.0] * 5, [1.0] * 5]
    assert extra["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert extra["guidance"] == 4


def test_a_text_encoder_whose_weights_change_in_mid_sampling_gives_a_row_per_view_in_every_part(comfy, clip):
    hooked = clip_that_changes_half_way(comfy, clip)
    stacked = prompts(comfy, hooked, 2)
    single = [encoded(comfy, hooked, f"{SCENE} {suffix}") for suffix in SUFFIXES[:2]]
    assert [(extra["clip_start_percent"], extra["clip_end_percent"]) for _, extra in stacked] == [(0, 0.5), (0.5, 1)]
    assert not torch.equal(stacked[0][0], stacked[1][0])
    for (embedding, _), *rows in zip(stacked, *single, strict=True):
        assert torch.equal(embedding, torch.cat([row for row, _ in rows]))


def clip_that_changes_half_way(comfy, clip):
    from comfy.hooks import HookGroup, WeightHook

    name = "umt5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q.weight"
    weight = dict(clip.cond_stage_model.named_parameters())[name]
    hook = WeightHook()
    hook.weights_clip, hook.need_weight_init = {name: ("diff", (weight.clone(),))}, False
    group = HookGroup()
    group.add(hook)
    (first,) = comfy.run("CreateHookKeyframe", strength_mult=0.0, start_percent=0.0)
    (keyframes,) = comfy.run("CreateHookKeyframe", strength_mult=1.0, start_percent=0.5, prev_hook_kf=first)
    (hooks,) = comfy.run("SetHookKeyframes", hooks=group, hook_kf=keyframes)
    return comfy.run("SetClipHooks", clip=clip, hooks=hooks, apply_to_conds=False, schedule_clip=True)[0]


def test_words_for_a_camera_that_is_not_there_are_refused_before_anything_is_encoded(comfy):
    with pytest.raises(ValueError, match=r"^SynCamViewPrompts: 'suffixes' says 'c' on line 3, .* 2 views"):
        comfy.run("SynCamViewPrompts", clip=None, text="a", suffixes="a\nb\nc", cameras=cameras(2))


def test_a_file_without_a_text_encoder_is_named_as_the_problem(comfy):
    with pytest.raises(ValueError, match=r"^SynCamViewPrompts: 'clip' is empty.*Load CLIP"):
        comfy.run("SynCamViewPrompts", clip=None, text="a", suffixes="", cameras=cameras(2))


@pytest.mark.parametrize("role", ["positive", "negative"])
@pytest.mark.parametrize("rows", [2, 4])
def test_prompts_for_other_views_are_refused_before_any_model_is_loaded(comfy, tiny, clip, role, rows):
    from comfy import model_management

    model_management.unload_all_models()
    model = tiny.patched(cameras(3).poses)
    wrong = conditioning(torch.randn(rows, 512, tiny_umt5.DIM))
    texts = {"positive": conditioning(torch.zeros(1, 512, tiny_umt5.DIM))} | {"negative": wrong}
    if role == "positive":
        texts = {"positive": wrong, "negative": texts["positive"]}
    says = rf"^SynCamApply: '{role}' holds prompts for {rows} views, but 'cameras' of SynCamApply has 3 views"
    with pytest.raises(ValueError, match=says):
        sample(comfy, model, 3, **texts)
    assert not model_management.current_loaded_models
