"""Training re-capture: the source clean in front of nothing, the loss on the target, what is trained and what is kept."""

from dataclasses import replace

import plain_recapture
import plain_wan
import pytest
import torch
from tiny_training import SIZES, TEXT_DIM, load_wan, ring_scene, text_of, tiny_config

from syncam_core.cameras.trajectories import encode_trajectories, recam_rig
from syncam_core.datasets.collections.procedural import CameraRanges, procedural_world
from syncam_core.datasets.footage import Kind
from syncam_core.errors import UserError
from syncam_core.recapture.module import ReCapture
from syncam_core.recapture.weights import RECAPTURE_FILE
from syncam_core.training.batches import Batches
from syncam_core.training.config import Dropout, Mix, ModelConfig, Objective
from syncam_core.training.export import export_base, export_recapture
from syncam_core.training.trainee import ReCaptureTrainee, Trainee, build_trainee, matrices_of
from syncam_core.wan import layers

PAIRS = (Mix(Kind.MULTI_VIEW_VIDEO, 1.0, scenes=3, views=3),)


def batch_of(**changes):
    config = tiny_config("", mix=PAIRS, model=ModelConfig(sizes=SIZES, train="recapture"), reference="first", **changes)
    return Batches(config, [ring_scene("one"), ring_scene("two")], text_of)[0]


def random_trainee(objective: Objective):
    state = plain_recapture.random_recapture(plain_wan.random_state(dim=64, depth=2, ffn=128, text_dim=TEXT_DIM))
    ours = ("cam_encoder", "projector")
    module = ReCapture(64, 2, operations=layers)
    module.load_state_dict({key: value for key, value in state.items() if any(part in key for part in ours)})
    with_views = plain_wan.random_state(dim=64, depth=2, ffn=128, text_dim=TEXT_DIM)
    base, _ = load_wan({**with_views, **{k: v for k, v in state.items() if not any(part in k for part in ours)}}, 1)
    return state, ReCaptureTrainee(base, module, objective)


@pytest.mark.parametrize("weighting", ["gaussian", "none"])
def test_the_loss_of_each_scene_is_that_of_the_equations_on_the_targets_alone(weighting):
    state, trainee = random_trainee(Objective(weighting=weighting))
    noise_in_source = torch.tensor([[0.0, 0.0], [0.3, 0.3], [0.0, 1.0]])
    batch = replace(batch_of(), source_sigma=noise_in_source)
    with torch.no_grad():
        got = trainee(batch)
    for scene, loss in enumerate(got.tolist()):
        latents, noise = (x[3 * scene : 3 * scene + 3].double() for x in (batch.latents, batch.noise))
        level = noise_in_source[scene].double()[None, :, None, None]
        source = (1 - level) * latents[0] + level * noise[0]
        sigma, errors = batch.sigma[scene].double(), []
        for target in (1, 2):
            x = (1 - sigma) * latents[target] + sigma * noise[target]
            words, poses = batch.text[scene], batch.poses[scene, target]
            said = plain_recapture.forward(state, x, source, 1000 * sigma.item(), words, poses, head_dim=64)
            errors.append((said - (noise[target] - latents[target])).square().mean())
        expected = torch.stack(errors).mean()
        if weighting == "gaussian":
            levels = torch.tensor([5 * k / (1000 + 4 * k) for k in range(1, 1001)], dtype=torch.float64)
            bells = (-2 * (levels - 0.5) ** 2).exp()
            expected *= ((-2 * (sigma - 0.5) ** 2).exp() - bells.min()) * 1000 / (bells - bells.min()).sum()
        assert loss == pytest.approx(expected.item(), rel=1e-4, abs=1e-6)


def test_poses_are_in_metres_from_the_first_frame_of_the_source():
    batch = batch_of()
    source, left, _ = ring_scene("one").c2w[:3, 0]
    assert batch.poses[0, 0, 0].tolist() == pytest.approx([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0])
    where = batch.poses.view(3, 3, -1, 3, 4)[..., 3].norm(dim=-1)
    apart = {(source[:3, 3] - other[:3, 3]).norm().item() for other in ring_scene("one").c2w[:, 0]}
    assert all(min(abs(distance - known) for known in apart) < 1e-5 for distance in where.flatten().tolist())
    assert (source[:3, 3] - left[:3, 3]).norm().item() in apart


def test_training_and_inference_encode_a_trajectory_alike():
    _, rig = procedural_world(5, 0, 3, CameraRanges(trajectories=True), length=17)
    scene = replace(ring_scene("one", 3, frames=5), c2w=rig.c2w)
    config = tiny_config("", mix=PAIRS, model=ModelConfig(sizes=SIZES, train="recapture"), reference="first")
    batch = Batches(config, [scene], text_of)[0]
    told = {tuple(path.flatten().tolist()) for path in encode_trajectories(rig.select([1, 2]), 17).poses}
    seen = {tuple(path.flatten().tolist()) for path in batch.poses[0, 1:]}
    assert all(min(max(abs(a - b) for a, b in zip(x, y, strict=True)) for y in seen) < 1e-6 for x in told)


def test_the_source_loses_what_the_paper_lets_it_lose():
    chances = Dropout(source=0.2, source_but_first=0.2)
    kinds = {"clean": 0, "first": 0, "none": 0}
    config = tiny_config(
        "",
        steps=400,
        mix=PAIRS,
        model=ModelConfig(sizes=SIZES, train="recapture"),
        dropout=chances,
        objective=Objective(source_noise=(0.2, 0.5)),
    )
    batches = Batches(config, [ring_scene("one"), ring_scene("two")], text_of)
    for step in range(400):
        for first, second in batches[step].source_sigma.tolist():
            assert first == 1 or 0.2 <= first <= 0.5
            kinds["clean" if first == second < 1 else "first" if first < second == 1 else "none"] += 1
    shares = {name: count / 1200 for name, count in kinds.items()}
    assert shares == {
        "clean": pytest.approx(0.6, abs=0.05),
        **dict.fromkeys(("first", "none"), pytest.approx(0.2, abs=0.04)),
    }
    assert not batch_of().source_sigma.any()


def test_camera_encoder_projector_and_self_attention_train_and_the_rest_stays(tmp_path):
    state = plain_wan.random_state(dim=128, depth=2, ffn=128, text_dim=TEXT_DIM)
    file = export_base(Trainee(*load_wan(state, 1), Objective()), tmp_path / "base.safetensors", torch.float32)
    trainee = build_trainee(ModelConfig(base=str(file), train="recapture"), Objective())
    trained = {name for name, p in trainee.named_parameters() if p.requires_grad}
    assert {name.split(".")[3] for name in trained if name.startswith("base.")} == {"self_attn"}
    assert {name.split(".")[3] for name in trained if name.startswith("recapture.")} == {"cam_encoder", "projector"}
    assert len(trained) == 2 * 14
    assert not any("cam_encoder" in name or "ffn" in name for name in matrices_of(trainee))
    batch = batch_of()
    sees = {name: trainee(other) for name, other in trainee.compared(batch).items()}
    assert torch.equal(sees["full"], sees["still"])  # the authors' beginning: no camera yet
    assert not torch.allclose(sees["full"], sees["no_source"])


def test_what_is_exported_is_read_as_authors_weights_are_and_goes_on(tmp_path):
    state = plain_wan.random_state(dim=128, depth=2, ffn=128, text_dim=TEXT_DIM)
    base = export_base(Trainee(*load_wan(state, 1), Objective()), tmp_path / "base.safetensors", torch.float32)
    trainee = build_trainee(ModelConfig(base=str(base), train="recapture"), Objective())
    with torch.no_grad():
        for parameter in trainee.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    file = export_recapture(trainee, tmp_path / "recapture.safetensors", torch.float32, "a test")
    read = RECAPTURE_FILE.read(file)
    assert (read.dim, read.depth, len(read.tensors)) == (128, 2, 28)
    assert read.metadata["source"] == "a test"
    again = build_trainee(ModelConfig(base=str(base), recapture=str(file), train="recapture"), Objective())
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in trainee.state_dict().items())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mix": (Mix(Kind.VIDEO, 1.0, scenes=2, views=1),)}, "view 0 is the source"),
        ({"mix": (Mix(Kind.MULTI_VIEW_VIDEO, 1.0, scenes=2, views=1),)}, "view 0 is the source"),
        ({"mix": (Mix(Kind.MULTI_VIEW_VIDEO, 1.0, scenes=2, view_sync=False),)}, "trains nothing else"),
        ({"mix": PAIRS, "objective": Objective(source_noise=(0.5, 0.2))}, "least and a most"),
        ({"mix": PAIRS, "dropout": Dropout(source=0.6, source_but_first=0.6)}, "at most 1 together"),
    ],
)
def test_what_re_capture_cannot_learn_from_is_refused(changes, sentence):
    with pytest.raises(UserError, match=sentence):
        tiny_config("", model=ModelConfig(sizes=SIZES, train="recapture"), **changes)


def test_every_camera_of_a_scene_of_trajectories_begins_where_the_source_stands():
    for number in range(5):
        _, rig = procedural_world(6, number, 5, CameraRanges(trajectories=True), length=17)
        assert torch.allclose(rig.c2w[:, 0], rig.c2w[:1, 0].expand(5, 4, 4), atol=1e-12)
        assert torch.equal(rig.c2w[0], rig.c2w[0, :1].expand(17, 4, 4))
        assert all((path[-1] - path[0]).abs().max() > 1e-3 for path in rig.c2w[1:])
        distance = rig.c2w[0, 0, :3, 3].norm().item()
        assert 4.5 <= distance <= 5.5
    assert recam_rig("9", length=17).frames == 17
