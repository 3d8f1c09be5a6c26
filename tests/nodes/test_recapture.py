"""Re-capture inside the real host, against its equations written a second time, and beside other add-ons."""

from __future__ import annotations

from pathlib import Path

import plain_recapture
import plain_wan
import pytest
import torch
from host_recam import TinyReCam
from host_wan import conditioning, relative_error, text, velocities

from syncam_core.cameras import encode_trajectories, recam_rig
from syncam_core.cameras.trajectories import TrajectoryEncoding


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyReCam(comfy)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def poses_of(moves: str, length: int):
    return encode_trajectories(recam_rig(moves, length=length), length).poses


def plain(tiny, x, source, sigma, embedding, poses):
    return torch.stack(
        [
            plain_recapture.forward(tiny.state, x[i], source[i % len(source)], 1000 * sigma, embedding[0], poses[i])
            for i in range(len(x))
        ]
    )


@pytest.mark.parametrize(
    ("moves", "length", "size", "sources", "sigma"),
    [
        ("9", 5, (4, 6), 1, 0.9),
        ("1, 7", 9, (3, 5), 1, 0.3),  # an odd grid
        ("2, 5, 10", 5, (4, 4), 3, 0.6),
        ("8", 21, (2, 4), 1, 1.0),
    ],
)
def test_one_evaluation_equals_the_equations(tiny, moves, length, size, sources, sigma):
    poses = poses_of(moves, length)
    count, frames = poses.shape[:2]
    x, source = noise(count, 16, frames, *size), noise(sources, 16, frames, *size, seed=1)
    texts = [text(seed=2), text(seed=3)]
    for memory in ("whole", "low"):
        got = velocities(tiny.patched(poses, source, memory=memory), x, sigma, texts)
        for velocity, embedding in zip(got, texts, strict=True):
            assert relative_error(velocity, plain(tiny, x, source, sigma, embedding, poses)) <= 3e-5


def test_the_longest_trained_length_and_beyond_equal_the_equations(tiny):
    for length in (81, 121):
        poses = poses_of("9", length)
        x, source = noise(1, 16, poses.shape[1], 2, 2), noise(1, 16, poses.shape[1], 2, 2, seed=1)
        (velocity,) = velocities(tiny.patched(poses, source), x, 0.7, [text()])
        assert relative_error(velocity, plain(tiny, x, source, 0.7, text(), poses)) <= 3e-5


def test_trajectories_in_one_batch_are_single_runs(tiny):
    poses, source = poses_of("1, 6, 9", 9), noise(1, 16, 3, 4, 4, seed=1)
    x, texts = noise(3, 16, 3, 4, 4), [text()]
    (together,) = velocities(tiny.patched(poses, source), x, 0.6, texts)
    for i in range(3):
        (alone,) = velocities(tiny.patched(poses[i : i + 1], source), x[i : i + 1], 0.6, texts)
        assert relative_error(together[i : i + 1], alone.double()) <= 1e-6


def test_each_trajectory_may_have_a_prompt_of_its_own(tiny):
    poses, source, x = poses_of("1, 9", 9), noise(1, 16, 3, 4, 4, seed=1), noise(2, 16, 3, 4, 4)
    texts = torch.cat([text(seed=2), text(seed=3)])
    (velocity,) = velocities(tiny.patched(poses, source), x, 0.6, [texts])
    for i in range(2):
        truth = plain(tiny, x[i : i + 1], source, 0.6, texts[i : i + 1], poses[i : i + 1])
        assert relative_error(velocity[i : i + 1], truth) <= 3e-5


def test_a_loop_of_ten_steps_equals_the_equations(comfy, tiny):
    import comfy.latent_formats

    poses, source = poses_of("10", 9), noise(1, 16, 3, 4, 4, seed=1)
    model = tiny.patched(poses, source)
    latent = {"samples": torch.zeros(1, 16, 3, 4, 4)}
    positive, negative = text(seed=2), text(seed=3)
    result = comfy_run_sampler(tiny.comfy, model, positive, negative, latent)
    start = plain_noise(latent["samples"])
    truth = plain_recapture.sample(tiny.state, start[0], source[0], positive[0], negative[0], poses[0], 10, 5.0, 5.0)
    assert relative_error(comfy.latent_formats.Wan21().process_in(result)[0], truth) <= 1e-4


def comfy_run_sampler(comfy, model, positive, negative, latent):
    return comfy.run(
        "SynCamSampler",
        model=model,
        positive=conditioning(positive),
        negative=conditioning(negative),
        latent=latent,
        seed=4,
        steps=10,
        cfg=5.0,
        sampler_name="euler",
        scheduler="simple",
        shift=5.0,
        denoise=1.0,
    )[0]["samples"]


def plain_noise(samples):
    return torch.randn(samples.shape, generator=torch.manual_seed(4))


def test_the_base_is_bit_for_bit_as_before(tiny):
    base, x, texts = tiny.base(), noise(1, 16, 3, 4, 4), [text()]
    (before,) = velocities(base, x, 0.6, texts)
    velocities(tiny.patched(poses_of("9", 9), noise(1, 16, 3, 4, 4, seed=1), base=base), x, 0.6, texts)
    (after,) = velocities(base, x, 0.6, texts)
    assert torch.equal(before, after)


def lora_on_self_attention(comfy, model, strength=1.0):
    """The host's own low-rank patch of every q, as a LoRA loader adds it."""
    import comfy.weight_adapter

    patched, generator = model.clone(), torch.Generator().manual_seed(9)
    for index in range(2):
        up, down = (torch.randn(shape, generator=generator) * 0.1 for shape in ((256, 4), (4, 256)))
        adapter = comfy.weight_adapter.LoRAAdapter(set(), (up, down, None, None, None, None))
        patched.add_patches({f"diffusion_model.blocks.{index}.self_attn.q.weight": adapter}, strength)
    return patched


def with_lora(state):
    generator = torch.Generator().manual_seed(9)
    changed = dict(state)
    for index in range(2):
        up, down = (torch.randn(shape, generator=generator) * 0.1 for shape in ((256, 4), (4, 256)))
        key = f"blocks.{index}.self_attn.q.weight"
        changed[key] = state[key] + up @ down
    return changed


@pytest.mark.parametrize("lora", ["before", "after"])
def test_a_lora_counts_whether_it_comes_before_or_after(comfy, tiny, lora):
    poses, source, x = poses_of("9", 9), noise(1, 16, 3, 4, 4, seed=1), noise(1, 16, 3, 4, 4)
    if lora == "before":
        model = tiny.patched(poses, source, base=lora_on_self_attention(comfy, tiny.base()))
    else:
        model = lora_on_self_attention(comfy, tiny.patched(poses, source))
    (velocity,) = velocities(model, x, 0.6, [text()])
    truth = plain_recapture.forward(with_lora(tiny.state), x[0], source[0], 600, text()[0], poses[0])[None]
    assert relative_error(velocity, truth) <= 3e-5
    without = plain_recapture.forward(tiny.state, x[0], source[0], 600, text()[0], poses[0])[None]
    assert relative_error(velocity, without) > 1e-2


def test_applying_again_replaces_the_earlier_one(tiny):
    source, x = noise(1, 16, 3, 4, 4, seed=1), noise(1, 16, 3, 4, 4)
    first = tiny.patched(poses_of("1", 9), noise(1, 16, 3, 4, 4, seed=5))
    again = tiny.patched(poses_of("9", 9), source, base=first)
    (velocity,) = velocities(again, x, 0.6, [text()])
    assert relative_error(velocity, plain(tiny, x, source, 0.6, text(), poses_of("9", 9))) <= 3e-5


def test_what_another_node_sets_in_self_attention_counts_whether_it_comes_before_or_after(tiny):
    """As a LoRA file does with a whole tensor: "set", on top of ours and not beneath it."""
    poses, source, x = poses_of("9", 9), noise(1, 16, 3, 4, 4, seed=1), noise(1, 16, 3, 4, 4)
    key, bias = "blocks.1.self_attn.q.bias", noise(256, seed=11)

    def with_set(model):
        patched = model.clone()
        patched.add_patches({f"diffusion_model.{key}": ("set", (bias,))})
        return patched

    truth = plain_recapture.forward({**tiny.state, key: bias}, x[0], source[0], 600, text()[0], poses[0])[None]
    before = tiny.patched(poses, source, base=with_set(tiny.base()))
    for model in (with_set(tiny.patched(poses, source)), before, tiny.patched(poses, source, base=before)):
        (velocity,) = velocities(model, x, 0.6, [text()])
        assert relative_error(velocity, truth) <= 3e-5


def test_view_sync_and_recapture_are_two_clones_of_one_base_in_turn(comfy, tiny):
    from syncam_core.cameras import CameraEncoding

    base, source, x = tiny.base(), noise(1, 16, 3, 4, 4, seed=1), noise(2, 16, 3, 4, 4)
    recapture = tiny.patched(poses_of("9, 10", 9), source, base=base)
    weights = comfy.run("SynCamLoadWeights", weights_name=tiny.views_name)[0]
    cameras = CameraEncoding(noise(2, 3, 12, seed=6))
    views = comfy.run("SynCamApply", model=base, weights=weights, cameras=cameras)[0]
    for _ in range(2):
        (refilmed,) = velocities(recapture, x, 0.6, [text()])
        assert relative_error(refilmed, plain(tiny, x, source, 0.6, text(), poses_of("9, 10", 9))) <= 3e-5
        (synchronized,) = velocities(views, x, 0.6, [text()])
        truth = plain_wan.forward(tiny.base_state, x, 600, text().expand(2, -1, -1), cameras.poses)
        assert relative_error(synchronized, truth) <= 3e-5


def test_both_on_one_model_are_refused_both_ways(comfy, tiny):
    from syncam_core.cameras import CameraEncoding

    weights = comfy.run("SynCamLoadWeights", weights_name=tiny.views_name)[0]
    cameras = CameraEncoding(noise(1, 3, 12))
    views = comfy.run("SynCamApply", model=tiny.base(), weights=weights, cameras=cameras)[0]
    with pytest.raises(
        ValueError, match=r"SynCamReCamApply: 'model' comes from SynCamApply, and one model cannot do both"
    ):
        tiny.patched(poses_of("9", 9), noise(1, 16, 3, 4, 4), base=views)
    recapture = tiny.patched(poses_of("9", 9), noise(1, 16, 3, 4, 4))
    with pytest.raises(ValueError, match=r"SynCamApply: 'model' comes from SynCamReCamApply"):
        comfy.run("SynCamApply", model=recapture, weights=weights, cameras=cameras)


def test_each_apply_refuses_the_other_kind_of_weights_in_one_sentence(comfy, tiny):
    from syncam_core.cameras import CameraEncoding

    views = comfy.run("SynCamLoadWeights", weights_name=tiny.views_name)[0]
    with pytest.raises(
        ValueError, match=r"'weights' are the view-sync weights of SynCamMaster, which go into SynCamApply"
    ):
        comfy.run(
            "SynCamReCamApply",
            model=tiny.base(),
            weights=views,
            trajectories=TrajectoryEncoding(poses_of("9", 9)),
            source={"samples": noise(1, 16, 3, 4, 4)},
            memory="auto",
        )
    with pytest.raises(
        ValueError, match=r"'weights' are the re-capture weights of ReCamMaster, which go into SynCamReCamApply"
    ):
        comfy.run("SynCamApply", model=tiny.base(), weights=tiny.weights(), cameras=CameraEncoding(noise(1, 3, 12)))


def test_the_hosts_estimates_count_target_and_source_once_run_after_run(comfy, tiny, monkeypatch):
    """A spy on the model's own estimate: both who asks for free memory and who stacks conditionings ask for 2f."""
    import comfy.model_base

    asked, own = [], comfy.model_base.BaseModel.memory_required
    monkeypatch.setattr(
        comfy.model_base.BaseModel,
        "memory_required",
        lambda self, shape, *args, **kwargs: asked.append(shape[2]) or own(self, shape, *args, **kwargs),
    )
    base = tiny.base()
    model = tiny.patched(poses_of("9", 9), noise(1, 16, 3, 4, 4, seed=1), base=base)
    for _ in range(2):
        velocities(model, noise(1, 16, 3, 4, 4), 0.6, [text(), text(seed=1)])
    assert len(asked) >= 4
    assert set(asked) == {6}
    asked.clear()  # and the base behind it is what it was, from its first estimate on
    velocities(base, noise(1, 16, 3, 4, 4), 0.6, [text(), text(seed=1)])
    assert set(asked) == {3}


@pytest.mark.parametrize(
    ("source", "latent", "sentence"),
    [
        ((2, 16, 3, 4, 4), (3, 16, 3, 4, 4), "one video for all or one for each of the 3 trajectories is needed"),
        ((1, 16, 2, 4, 4), (3, 16, 3, 4, 4), "'source' has 5 frames, but 'trajectories' have 9"),
        (
            (1, 16, 3, 4, 4),
            (2, 16, 3, 4, 4),
            "'latent' is a batch of 2 videos, but 'trajectories' of SynCamReCamApply are 3",
        ),
        ((1, 16, 3, 4, 4), (3, 16, 2, 4, 4), "'latent' has 2 latent frames (length 5)"),
        ((1, 16, 3, 4, 4), (3, 16, 3, 4, 6), "'latent' is 48 x 32 pixels, but the source is 32 x 32"),
    ],
)
def test_what_does_not_belong_together_is_refused_in_one_sentence(tiny, source, latent, sentence):
    def evaluated():
        model = tiny.patched(poses_of("1-3", 9), noise(*source))
        return velocities(model, noise(*latent), 0.6, [text()])

    with pytest.raises(ValueError, match=r"^SynCamReCamApply: ") as refused:
        evaluated()
    assert sentence in str(refused.value)


def test_a_source_with_nan_is_refused(tiny):
    with pytest.raises(ValueError, match="not finite"):
        tiny.patched(poses_of("9", 9), torch.full((1, 16, 3, 4, 4), float("nan")))


def test_the_whole_checkpoint_in_the_plain_loader_is_told_from_a_base(comfy, tiny):
    from safetensors.torch import save_file

    models = Path(comfy.folders.models_dir) / "diffusion_models"
    config = {"config": '{"transformer": {"text_dim": 48}}'}
    save_file(
        {key: value.contiguous() for key, value in tiny.state.items()}, models / "recam_whole.safetensors", config
    )
    (bare,) = comfy.run("UNETLoader", unet_name="recam_whole.safetensors", weight_dtype="default")
    latent = {"samples": torch.zeros(1, 16, 3, 4, 4)}
    with pytest.raises(
        ValueError, match=r"SynCamSampler: 'model' is ReCamMaster's checkpoint 'recam_whole\.safetensors'"
    ):
        comfy_run_sampler(comfy, bare, text(seed=2), text(seed=3), latent)
    with pytest.raises(ValueError, match=r"SynCamScoutSeeds: 'model' is ReCamMaster's checkpoint"):
        scouted(comfy, bare, latent)
    views = comfy.run("SynCamLoadWeights", weights_name=tiny.views_name)[0]
    from syncam_core.cameras import CameraEncoding

    with pytest.raises(ValueError, match=r"SynCamApply: 'model' is ReCamMaster's checkpoint"):
        comfy.run("SynCamApply", model=bare, weights=views, cameras=CameraEncoding(noise(1, 3, 12)))
    # As the base of its own weights it is as good as any other.
    poses, source, x = poses_of("9", 9), noise(1, 16, 3, 4, 4, seed=1), noise(1, 16, 3, 4, 4)
    (velocity,) = velocities(tiny.patched(poses, source, base=bare), x, 0.6, [text()])
    assert relative_error(velocity, plain(tiny, x, source, 0.6, text(), poses)) <= 3e-5


def scouted(comfy, model, latent, smaller="1"):
    (_, _, vae, *_) = comfy.run("SynCamDemoModel")
    texts = {"positive": conditioning(text(seed=2)), "negative": conditioning(text(seed=3))}
    settings = {"seed": 1, "count": 2, "steps": 1, "cfg": 1.0, "shift": 5.0, "chosen": 1}
    return comfy.run("SynCamScoutSeeds", model=model, latent=latent, vae=vae, smaller=smaller, **texts, **settings)


def test_seeds_of_a_re_capture_are_scouted_at_the_size_of_its_source(comfy, tiny):
    model = tiny.patched(poses_of("9, 10", 9), noise(1, 16, 3, 8, 8, seed=1))
    latent = {"samples": torch.zeros(2, 16, 3, 8, 8)}
    _, sheet = scouted(comfy, model, latent)
    assert sheet.shape[0] * sheet.shape[1] == 2 * 64  # a row for each seed
    assert sheet.shape[2] == 2 * 64  # two re-captures beside one another
    with pytest.raises(ValueError, match="SynCamScoutSeeds: 'smaller' is 2, but re-captures are as large as their"):
        scouted(comfy, model, latent, "2")


def test_a_file_whose_name_is_left_as_it_is_is_called_after_what_it_holds(comfy, tiny):
    default = next(
        each.default for each in comfy.nodes["SynCamConvertWeights"].GET_SCHEMA().inputs if each.id == "file_name"
    )
    for weights, name in ((tiny.weights_name, "recammaster"), (tiny.views_name, "syncammaster")):
        (made,) = comfy.run("SynCamConvertWeights", weights_name=weights, file_name=default, dtype="bf16")
        assert made == f"{name}_wan2.1_1.3b_bf16.safetensors"
        path = Path(comfy.folders.models_dir) / "syncam" / made
        assert path.is_file()
        path.unlink()


def test_the_small_file_is_made_by_a_command_too(tiny, tmp_path):
    from syncam_core.recapture.convert import main
    from syncam_core.recapture.weights import read_recapture_weights

    whole = Path(tiny.comfy.folders.models_dir) / "syncam" / tiny.weights_name
    assert main([str(whole), str(tmp_path / "small.safetensors")]) == 0
    assert len(read_recapture_weights(tmp_path / "small.safetensors").tensors) == 28  # 14 a block
    views = whole.with_name(tiny.views_name)
    assert main([str(views), str(tmp_path / "views.safetensors")]) == 1


def test_the_small_file_is_converted_from_the_checkpoint_and_says_the_same(comfy, tiny):
    comfy.run("SynCamConvertWeights", weights_name=tiny.weights_name, file_name="recam_small.safetensors", dtype="keep")
    small = comfy.run("SynCamLoadWeights", weights_name="recam_small.safetensors")[0]
    whole = tiny.weights()
    for (name, a), (_, b) in zip(small.model.state_dict().items(), whole.model.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    assert small.model.self_attention.keys() == whole.model.self_attention.keys()
    size = (Path(comfy.folders.models_dir) / "syncam" / "recam_small.safetensors").stat().st_size
    assert size < 0.6 * (Path(comfy.folders.models_dir) / "syncam" / tiny.weights_name).stat().st_size


def test_the_empty_latent_takes_cameras_or_trajectories_and_says_which_where_it_gets_none_or_both(comfy):
    from syncam_core.cameras import CameraEncoding

    trajectories, sizes = TrajectoryEncoding(poses_of("1-3", 9)), {"width": 64, "height": 48, "length": 9}
    (latent,) = comfy.run("SynCamEmptyLatent", trajectories=trajectories, **sizes)
    assert latent["samples"].shape == (3, 16, 3, 6, 8)
    with pytest.raises(ValueError, match=r"SynCamEmptyLatent: connect 'cameras' .* none are connected"):
        comfy.run("SynCamEmptyLatent", **sizes)
    with pytest.raises(ValueError, match="both are connected"):
        comfy.run("SynCamEmptyLatent", cameras=CameraEncoding(noise(3, 3, 12)), trajectories=trajectories, **sizes)
    with pytest.raises(ValueError, match="'length' of SynCamEncodeTrajectories to 13"):
        comfy.run("SynCamEmptyLatent", trajectories=trajectories, **{**sizes, "length": 13})


def test_from_moves_and_frames_to_a_sampled_latent(comfy, tiny):
    """The four nodes in a row, with the VAE of the demo model, as a workflow has them."""
    (_, _, vae, *_) = comfy.run("SynCamDemoModel")
    (rig,) = comfy.run("SynCamRigReCam", moves="9, zoom in", amount=1.0, distance_m=4.0, arc="true orbit", length=5)
    (trajectories,) = comfy.run("SynCamEncodeTrajectories", rig=rig, length=5)
    clip = torch.rand(13, 40, 70, 3, generator=torch.Generator().manual_seed(2))
    source, frames = comfy.run(
        "SynCamSourceVideo", videos={"video0": clip}, vae=vae, width=64, height=48, length=5, start_frame=1, every=2
    )
    assert source["samples"].shape == (1, 16, 2, 6, 8)
    assert frames.shape == (5, 48, 64, 3)
    model = comfy.run(
        "SynCamReCamApply",
        model=tiny.base(),
        weights=tiny.weights(),
        trajectories=trajectories,
        source=source,
        memory="auto",
    )[0]
    (latent,) = comfy.run("SynCamEmptyLatent", trajectories=trajectories, width=64, height=48, length=5)
    result = comfy_run_sampler(comfy, model, text(seed=2), text(seed=3), latent)
    assert result.shape == (2, 16, 2, 6, 8)
    assert torch.isfinite(result).all()
    assert not torch.equal(result[0], result[1])


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"length": 17}, "has 13 frames, of which 13 are left from frame 0 on with 'every' 1, but 'length' is 17"),
        ({"start_frame": 12}, "of which 1 are left"),
        ({"vae": None}, "'videos.video0' is a video of images, which need 'vae'"),
        ({"videos": {"video0": torch.zeros(13, 40, 70)}}, "'videos.video0' is no video"),
        ({"videos": {}}, "'videos' is not connected"),
        ({"videos": {"video0": torch.full((13, 8, 8, 3), float("nan"))}}, "not finite"),
        ({"videos": {"video0": {"samples": torch.zeros(1, 16, 4, 4, 4)}}}, "is a latent of 1 x 16 x 4 x 4 x 4"),
        ({"videos": {"video0": {"samples": torch.zeros(1, 16, 1, 6, 8)}}}, "has 1 frame, but 'length' is 5"),
        (
            {"videos": {"video0": {"samples": torch.zeros(1, 16, 3, 6, 8)}}, "start_frame": 4},
            "only be used from its first",
        ),
        ({"videos": {"video0": {"samples": torch.full((1, 16, 3, 6, 8), float("nan"))}}}, "not finite"),
        ({"videos": {"video0": torch.zeros(13, 40, 70, 3, dtype=torch.uint8)}}, "'videos.video0' is no video"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused_in_one_sentence(comfy, changed, sentence):
    (_, _, vae, *_) = comfy.run("SynCamDemoModel")
    given = {"videos": {"video0": torch.rand(13, 40, 70, 3)}, "vae": vae, "width": 64, "height": 48, "length": 5}
    with pytest.raises(ValueError, match=r"^SynCamSourceVideo: ") as refused:
        comfy.run("SynCamSourceVideo", start_frame=changed.pop("start_frame", 0), every=1, **{**given, **changed})
    assert sentence in str(refused.value)


def test_clients_are_told_the_inputs_in_the_order_that_they_are_documented_in(comfy):
    """The video alone may be a latent, which needs no VAE: a job without one is no job with an input missing."""
    node = comfy.nodes["SynCamSourceVideo"]
    order = ["videos", "vae", "width", "height", "length", "start_frame", "every"]
    assert node.GET_NODE_INFO_V1()["input_order"] == {"required": order}
    assert "vae" in node.INPUT_TYPES()["optional"]
