"""The metrics' networks: strictly from the layouts in which they are published, equal to a second plain implementation."""

from __future__ import annotations

import pickle
import re

import numpy as np
import plain_networks as plain
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from syncam_core.disk.checkpoint import open_state_dict
from syncam_core.errors import UserError
from syncam_core.metrics.networks import clip, i3d, inception, lpips
from syncam_core.metrics.networks.files import NETWORK_FILES, MissingFile, Networks

LOADERS = {"CLIP-T": clip.load_clip, "FID": inception.load_inception, "FVD": i3d.load_i3d, "LPIPS": lpips.load_lpips}


def noise(seed, height=60, width=104):
    small = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)).copy()


# ---- CLIP


def test_the_real_clip_has_398_tensors_and_all_find_their_places(tmp_path):
    shapes = plain.clip_shapes()
    assert len(shapes) == 398
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 151_277_313
    state = {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}  # without their memory
    model = clip.load_clip(networks_of(tmp_path, state, "clip"))
    assert set(model.state_dict()) == set(shapes)
    assert (model.config.vision_config.image_size, model.config.vision_config.num_attention_heads) == (224, 12)
    assert not any(tensor.is_meta for tensor in [*model.parameters(), *model.buffers()])


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_clip_is_read_strictly(tmp_path, change):
    state = {name: torch.zeros(shape) for name, shape in plain.clip_shapes(64, 64, 2, 2, 32, 64, 60, 32).items()}
    if change == "missing":
        del state["vision_model.post_layernorm.bias"]
    elif change == "unknown":
        state["vision_model.more.weight"] = torch.zeros(3)
    else:
        state["text_projection.weight"] = torch.zeros(5, 64)
    save_file(state, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="does not fit the network of CLIP"):
        clip.load_clip(Networks([tmp_path]))


def test_clip_gives_what_transformers_own_model_gives(tmp_path):
    from transformers import CLIPModel

    plain.save_tiny_clip(tmp_path)
    networks = Networks([tmp_path])
    model, tokenizer = clip.load_clip(networks), clip.load_tokenizer(networks)
    own = CLIPModel(model.config).eval()
    own.load_state_dict(dict(open_state_dict(tmp_path / "clip.safetensors")[0]), strict=True)
    side, picture = model.config.vision_config.image_size, noise(0, 64, 64)  # of its size: nothing to scale
    mean, std = torch.tensor(clip.MEAN), torch.tensor(clip.STD)
    pixels = ((torch.from_numpy(picture).float() / 255 - mean) / std).permute(2, 0, 1)[None]
    tokens = tokenizer("a red ball", return_tensors="pt")
    with torch.no_grad():
        expected = own(pixel_values=pixels, **tokens)
    assert side == 64
    torch.testing.assert_close(clip.picture_vectors(model, [picture]), expected.image_embeds, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        clip.prompt_vector(model, tokenizer, "a red ball"), expected.text_embeds[0], atol=1e-5, rtol=0
    )


def test_clip_sees_the_middle_of_a_wide_picture(tmp_path):
    plain.save_tiny_clip(tmp_path)
    model = clip.load_clip(Networks([tmp_path]))
    wide = noise(1, 64, 128)
    changed = wide.copy()
    changed[:, :32] = 0
    assert torch.equal(*clip.picture_vectors(model, [wide, changed]))


def test_the_words_that_clip_reads_are_counted(tmp_path):
    plain.save_tiny_clip(tmp_path)
    tokenizer = clip.load_tokenizer(Networks([tmp_path]))
    assert clip.words_counted(tokenizer, "a red ball") == (3, 3)
    assert clip.words_counted(tokenizer, "red " * 80) == (75, 80)


# ---- FID, FVD, LPIPS


def test_inception_is_tensorflows_and_not_torchvisions(tmp_path):
    state = plain.random_state(plain.inception_shapes())
    torch.save(state, tmp_path / "any.pth", _use_new_zipfile_serialization=False)  # as the published file
    network = inception.load_inception(Networks([tmp_path]))
    picture = noise(2, 299, 299)
    with torch.no_grad():
        expected = plain.plain_inception(state, torch.from_numpy(picture).permute(2, 0, 1)[None].float())
    torch.testing.assert_close(inception.features_of(network, [picture]), expected, rtol=1e-4, atol=1e-5)


def test_pictures_are_resized_as_tensorflow_1_does_it():
    picture = torch.rand(1, 2, 7, 11)
    wanted = torch.empty(1, 2, 5, 5)
    for row in range(5):
        for column in range(5):
            y, x = row * 7 / 5, column * 11 / 5
            i, j = int(y), int(x)
            below, right = min(i + 1, 6), min(j + 1, 10)
            top = picture[..., i, j] * (1 - x + j) + picture[..., i, right] * (x - j)
            bottom = picture[..., below, j] * (1 - x + j) + picture[..., below, right] * (x - j)
            wanted[..., row, column] = top * (1 - y + i) + bottom * (y - i)
    torch.testing.assert_close(inception.resized_like_tensorflow(picture, 5), wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize("frames", [9, 16])
def test_i3d_is_that_of_the_published_file(tmp_path, frames):
    state = plain.random_state(plain.i3d_shapes())
    assert len(state) == 287
    torch.save(state, tmp_path / "any.pt")
    network = i3d.load_i3d(Networks([tmp_path]))
    clip_of = torch.rand(frames, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 255
    with torch.no_grad():
        expected = plain.plain_i3d(state, (clip_of / 127.5 - 1).transpose(0, 1))
    torch.testing.assert_close(i3d.logits_of(network, clip_of), expected, rtol=1e-3, atol=1e-4)


def test_i3d_refuses_eight_frames_in_a_sentence():
    with pytest.raises(UserError, match="9 frames or more, but this one has 8"):
        i3d.logits_of(i3d.I3D(thinner=16), torch.zeros(8, 3, 224, 224))


def test_lpips_is_its_equation_and_zero_between_equals(tmp_path):
    state = plain.random_state(plain.alexnet_shapes())
    torch.save(state, tmp_path / "any.pth", _use_new_zipfile_serialization=False)
    network = lpips.load_lpips(Networks([tmp_path]))
    heads = [open_state_dict(lpips.HEADS)[0][f"lin{number}.model.1.weight"] for number in range(5)]
    assert [head.numel() for head in heads] == [64, 192, 384, 256, 256]
    first, second = noise(3, 96, 128), noise(4, 96, 128)
    planes = [torch.from_numpy(picture).permute(2, 0, 1).float() for picture in (first, second)]
    assert lpips.lpips_of(network, first, second) == pytest.approx(plain.plain_lpips(state, heads, *planes), rel=1e-4)
    assert lpips.lpips_of(network, first, first) == 0


# ---- files


def networks_of(folder, state, name):
    """Networks that have found their file already, of tensors that no disk could hold."""
    networks = Networks([folder])
    file = {"clip": clip.CLIP}[name]
    networks._found[file.name] = (folder / file.name, state)
    return networks


@pytest.mark.parametrize(("metrics", "file"), NETWORK_FILES, ids=[metrics for metrics, _ in NETWORK_FILES])
def test_a_missing_file_is_named_with_size_source_and_folder(tmp_path, metrics, file):
    load = LOADERS[metrics.split(",")[0]]
    with pytest.raises(MissingFile) as missing:
        load(Networks([tmp_path]))
    sentence = str(missing.value)
    assert file.name in sentence
    assert f"{file.megabytes:.0f} MB" in sentence
    assert file.source in sentence
    assert str(tmp_path) in sentence
    assert sentence.count(". ") == 0


class Bomb:
    def __reduce__(self):
        return (open, ("/tmp/syncam-metrics-bomb", "w"))


@pytest.mark.parametrize("old", [True, False])
def test_a_file_that_would_run_code_is_passed_over_and_nothing_runs(tmp_path, monkeypatch, old):
    ran = tmp_path / "ran"
    monkeypatch.setattr(Bomb, "__reduce__", lambda self: (open, (str(ran), "w")))
    state = plain.random_state({"logits.conv3d.weight": (1,), "Mixed_5c.b3b.conv3d.weight": (1,)})
    torch.save({**state, "bomb": Bomb()}, tmp_path / "evil.pt", _use_new_zipfile_serialization=not old)
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(MissingFile, match=re.escape("not readable there: bare.pt, evil.pt")):
        i3d.load_i3d(Networks([tmp_path]))
    assert not ran.exists()


def test_torchscript_is_a_program_and_is_not_opened(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "i3d_torchscript.pt"))
    with pytest.raises(MissingFile, match=r"not readable there: i3d_torchscript\.pt"):
        i3d.load_i3d(Networks([tmp_path]))


def test_files_are_told_by_their_tensors_and_not_by_their_names(tmp_path):
    torch.save(plain.random_state(plain.i3d_shapes()), tmp_path / "model.safetensors.bin")
    plain.save_tiny_clip(tmp_path)
    (tmp_path / "clip.safetensors").rename(tmp_path / "i3d_pretrained_400.safetensors")
    networks = Networks([tmp_path])
    assert networks.find(clip.CLIP, "CLIP")[0].name == "i3d_pretrained_400.safetensors"
    assert isinstance(i3d.load_i3d(networks), i3d.I3D)
