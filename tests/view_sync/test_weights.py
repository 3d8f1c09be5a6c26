"""Weights files: what is read, what is refused, and that nothing in a file runs or eats the memory."""

import io
import json
import pickle
import re
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path

import plain_wan
import pytest
import torch
from host_wan import is_view_sync
from safetensors import safe_open
from safetensors.torch import save_file

from syncam_core.disk import module_file
from syncam_core.disk.checkpoint import WeightsError
from syncam_core.errors import UserError
from syncam_core.recapture.weights import read_recapture_weights
from syncam_core.view_sync.convert import convert, main
from syncam_core.view_sync.weights import expected_shapes, read_weights, write_weights

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


@pytest.fixture(scope="module")
def state():
    return plain_wan.random_state(dim=32, depth=30, ffn=32, text_dim=16)


def only_view_sync(state):
    return {key: value for key, value in state.items() if is_view_sync(key)}


def sentence(error) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 500
    return text


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
@pytest.mark.parametrize("whole", [True, False], ids=["1275 keys", "450 keys"])
def test_full_and_small_files_of_any_float_dtype_give_the_450_tensors(tmp_path, state, dtype, suffix, whole):
    state = {key: value.to(dtype) for key, value in (state if whole else only_view_sync(state)).items()}
    assert len(state) == (1275 if whole else 450)
    path = tmp_path / f"any name{suffix}"
    torch.save(state, path) if suffix == ".ckpt" else save_file(state, path)
    weights = read_weights(path)
    assert (weights.dim, weights.depth, weights.dtype, len(weights.tensors)) == (32, 30, dtype, 450)
    assert all(torch.equal(tensor, state[key]) for key, tensor in weights.tensors.items())


def test_mixed_dtypes_and_foreign_key_prefixes_are_read(tmp_path, state):
    mixed = {f"module.{key}": value.to(DTYPES[i % 3]) for i, (key, value) in enumerate(state.items())}
    torch.save({"state_dict": OrderedDict(mixed), "step": torch.tensor(3)}, tmp_path / "a.pt")
    weights = read_weights(tmp_path / "a.pt")
    assert len(weights.tensors) == 450
    assert weights.dtype == torch.float32


def test_a_second_copy_under_another_prefix_does_no_harm(tmp_path, state):
    ema = {f"ema.{key}": value + 1 for key, value in state.items()}
    for name, both in (("first", {**ema, **state}), ("last", {**state, **ema})):
        torch.save(both, tmp_path / f"{name}.ckpt")
        assert len(read_weights(tmp_path / f"{name}.ckpt").tensors) == 450


@pytest.mark.parametrize("wrapper", ["state_dict", "module", "model"])
def test_what_trainers_put_around_and_beside_the_tensors_is_passed_over(tmp_path, state, wrapper):
    extras = {"epoch": 3, "lr": 1e-4, "rng": torch.zeros(4, dtype=torch.uint8), "size": torch.Size([2, 3])}
    torch.save({wrapper: state, **extras, "device": torch.device("cpu"), "dtype": torch.bfloat16}, tmp_path / "a.ckpt")
    assert len(read_weights(tmp_path / "a.ckpt").tensors) == 450


def test_eight_bit_floats_and_transposed_tensors_are_read(tmp_path, state):
    small = {key: value.to(torch.float8_e4m3fn) for key, value in only_view_sync(state).items()}
    torch.save(small, tmp_path / "fp8.ckpt")
    assert read_weights(tmp_path / "fp8.ckpt").dtype == torch.float8_e4m3fn
    turned = {key: value.T.contiguous().T if value.ndim == 2 else value for key, value in state.items()}
    torch.save(turned, tmp_path / "turned.ckpt")
    assert torch.equal(
        convert(tmp_path / "turned.ckpt", tmp_path / "a.safetensors").tensors["blocks.1.projector.weight"],
        state["blocks.1.projector.weight"],
    )


def test_parameters_are_as_good_as_tensors(tmp_path, state):
    torch.save({key: torch.nn.Parameter(value) for key, value in state.items()}, tmp_path / "a.ckpt")
    assert len(read_weights(tmp_path / "a.ckpt").tensors) == 450


def recammaster(state):
    state = {k: v for k, v in state.items() if not is_view_sync(k)}
    for i in range(30):
        state[f"blocks.{i}.cam_encoder.weight"] = torch.zeros(32, 12)
        state[f"blocks.{i}.cam_encoder.bias"] = torch.zeros(32)
        state[f"blocks.{i}.projector.weight"] = torch.eye(32)
        state[f"blocks.{i}.projector.bias"] = torch.zeros(32)
    return state


def lora(state):
    return {
        "diffusion_model.blocks.0.self_attn.q.lora_A.weight": torch.zeros(4, 32),
        "diffusion_model.blocks.0.self_attn.q.lora_B.weight": torch.zeros(32, 4),
    }


def without_one(state):
    state = only_view_sync(state)
    del state["blocks.7.projector.bias"]
    return state


def wrong_shape(state):
    return {**only_view_sync(state), "blocks.3.cam_encoder.weight": torch.zeros(32, 16)}


def integers(state):
    return {**only_view_sync(state), "blocks.3.projector.bias": torch.zeros(32, dtype=torch.int64)}


def forged_depth(state):
    return {**only_view_sync(state), "blocks.9999.projector.bias": torch.zeros(32)}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (recammaster, "ReCamMaster"),
        (lambda state: {k: v for k, v in state.items() if not is_view_sync(k)}, "Wan model without view-sync weights"),
        (lora, "LoRA"),
        (lambda state: {"conv.weight": torch.zeros(3)}, "has no view-sync weights"),
        (lambda state: {}, "has no view-sync weights"),
        (without_one, "lacks 1 of its 450"),
        (wrong_shape, r"'blocks.3.cam_encoder.weight' has shape \(32, 16\), \(32, 12\) was expected"),
        (integers, "floating point"),
        (forged_depth, "lacks"),
    ],
    ids=["recammaster", "plain wan", "lora", "other", "empty", "one missing", "shape", "integers", "forged depth"],
)
@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_other_models_are_told_by_their_keys_and_refused(tmp_path, state, make, says, suffix):
    path = tmp_path / f"step20000{suffix}"
    torch.save(make(state), path) if suffix == ".ckpt" else save_file(make(state), path)
    with pytest.raises(WeightsError, match=says) as error:
        read_weights(path)
    assert path.name in sentence(error)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_truncated_files_are_refused(tmp_path, state, suffix, share):
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    torch.save(state, whole) if suffix == ".ckpt" else save_file(state, whole)
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    with pytest.raises(WeightsError, match="again") as error:
        read_weights(cut)
    sentence(error)


@pytest.mark.parametrize("junk", [b"", b"\0" * 100, b"<html>not found</html>", bytes(range(1, 256)) * 16], ids=len)
def test_files_that_are_no_weights_are_refused(tmp_path, junk):
    (tmp_path / "a.safetensors").write_bytes(junk)
    with pytest.raises(WeightsError, match="download it again"):
        read_weights(tmp_path / "a.safetensors")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.ckpt", tmp_path):
        with pytest.raises(WeightsError, match="cannot be read"):
            read_weights(path)


class Evil:
    """A pickle that writes a file when it is opened carelessly."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self):
        return (Path.write_text, (self.target, "ran"))


class HugeBytes:
    def __reduce__(self):
        return (bytearray, (10**12,))


def zip_with(path: Path, pickled: bytes, compression=zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")


@pytest.mark.parametrize("protocol", [2, 4])
def test_pickles_that_would_run_code_are_refused_and_do_not_run(tmp_path, state, protocol):
    trap = tmp_path / "ran"
    whole = {**only_view_sync(state), "evil": Evil(trap)}
    torch.save(whole, tmp_path / "a.ckpt", pickle_protocol=protocol)
    zip_with(tmp_path / "b.ckpt", pickle.dumps(Evil(trap), protocol=protocol))
    (tmp_path / "c.ckpt").write_bytes(pickle.dumps(Evil(trap), protocol=protocol))
    torch.save(whole, tmp_path / "d.ckpt", pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    for name in "abcd":
        with pytest.raises(WeightsError, match="run") as error:
            read_weights(tmp_path / f"{name}.ckpt")
        sentence(error)
    assert not trap.exists()


def deflated_zeros(path):
    """256 MB of zeros where the table of tensors stands, a quarter of a MB on disk."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a/data.pkl", "w") as entry:
        for _ in range(256):
            entry.write(bytes(2**20))


def many_entries(path):
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(90_000):
            archive.writestr(f"a/data/{i}", b"")


def huge_bytes(path):
    zip_with(path, pickle.dumps(HugeBytes(), protocol=2))


def huge_header(path):
    path.write_bytes(struct.pack("<Q", 2**40) + b"{" + b" " * 1000)


def long_header(path):
    header = b"{" + b" " * (64 * 2**20) + b"}"
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def repeated_storage(path):
    """One number, seen as a terabyte by strides of zero."""
    tensor = torch.zeros(1).as_strided((500_000, 500_000), (0, 0))
    buffer = io.BytesIO()
    torch.save({"blocks.0.mvs_attn.q.weight": tensor}, buffer)
    path.write_bytes(buffer.getvalue())


def shared_storage(path):
    """A complete set of tensors for 400 wide blocks, all of them the same few numbers."""
    one = torch.zeros(1024 * 1024)
    state = {key: one[: torch.Size(shape).numel()].view(shape) for key, shape in expected_shapes(1024, 400).items()}
    torch.save(state, path)


@pytest.mark.parametrize(
    "make",
    [shared_storage, deflated_zeros, many_entries, huge_bytes, huge_header, long_header, repeated_storage],
    ids=lambda make: make.__name__,
)
def test_bombs_are_refused_in_little_memory(tmp_path, make):
    path = tmp_path / "bomb.ckpt"
    make(path)
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError) as error:
            read_weights(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    sentence(error)
    assert peak < 100 * 2**20
    if make is many_entries:
        assert "table of contents" in str(error.value), "refused before its 90,000 entries are looked at"


def test_the_small_file_says_where_it_comes_from(tmp_path, state):
    torch.save({key: value.bfloat16() for key, value in state.items()}, tmp_path / "step20000.ckpt")
    convert(tmp_path / "step20000.ckpt", tmp_path / "small.safetensors")
    with safe_open(tmp_path / "small.safetensors", "pt") as file:
        metadata = file.metadata()
        assert len(file.keys()) == 450
    assert metadata["source"] == "step20000.ckpt"
    assert re.fullmatch("[0-9a-f]{64}", metadata["source_sha256"])
    assert re.fullmatch("[0-9a-f]{64}", metadata["tensors_sha256"])
    assert "licence" in metadata["license_note"]
    assert json.loads(metadata["block_shapes"])["cam_encoder.weight"] == [32, 12]
    assert (metadata["dim"], metadata["depth"], metadata["dtype"]) == ("32", "30", "bfloat16")

    again = convert(tmp_path / "small.safetensors", tmp_path / "again.safetensors", dtype="fp32")
    assert again.metadata["source"] == "step20000.ckpt"
    assert again.metadata["source_sha256"] == metadata["source_sha256"]
    assert torch.equal(
        again.tensors["blocks.2.projector.weight"], state["blocks.2.projector.weight"].bfloat16().float()
    )


def test_the_hash_depends_on_every_tensor_and_not_on_the_way_there(tmp_path, state):
    torch.save(state, tmp_path / "a.ckpt")
    save_file(only_view_sync(state), tmp_path / "b.safetensors")
    changed = {**only_view_sync(state), "blocks.29.projector.bias": state["blocks.29.projector.bias"] + 1e-6}
    save_file(changed, tmp_path / "c.safetensors")
    names = ("a.ckpt", "b.safetensors", "c.safetensors")
    a, b, c = (convert(tmp_path / name, tmp_path / f"{name}.out.safetensors").metadata for name in names)
    assert a["tensors_sha256"] == b["tensors_sha256"] != c["tensors_sha256"]


def test_an_existing_file_stays_unless_told_otherwise(tmp_path, state):
    torch.save(state, tmp_path / "a.ckpt")
    target = tmp_path / "out.safetensors"
    target.write_text("precious")
    with pytest.raises(FileExistsError, match="exists already"):
        convert(tmp_path / "a.ckpt", target)
    assert target.read_text() == "precious"
    convert(tmp_path / "a.ckpt", target, overwrite=True)
    assert len(read_weights(target).tensors) == 450


def test_a_disk_that_spoils_what_is_written_is_noticed_and_the_file_goes(tmp_path, state, monkeypatch):
    def spoiling(tensors, path, metadata):
        save_file(tensors, path, metadata)
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)

    torch.save(state, tmp_path / "a.ckpt")
    monkeypatch.setattr(module_file, "save_file", spoiling)
    with pytest.raises(OSError, match=r"^'a\.safetensors' does not read back as it was written; check the disk"):
        convert(tmp_path / "a.ckpt", tmp_path / "a.safetensors")
    assert not (tmp_path / "a.safetensors").exists()


def test_a_failed_conversion_leaves_nothing_behind(tmp_path, state):
    too_large = {**state, "blocks.0.projector.bias": torch.full((32,), 1e6)}
    torch.save(too_large, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="not finite"):
        convert(tmp_path / "a.ckpt", tmp_path / "out" / "a.safetensors", dtype="fp16")
    with pytest.raises(UserError, match=r"\.safetensors"):
        write_weights(read_weights(tmp_path / "a.ckpt"), tmp_path / "a.bin", source="a")
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["a.ckpt"]


def test_the_command_converts_and_explains_itself(tmp_path, state, capsys):
    torch.save(state, tmp_path / "a.ckpt")
    command = [sys.executable, "-m", "syncam_core.view_sync.convert"]
    root = Path(__file__).resolve().parents[2]
    good = [*command, str(tmp_path / "a.ckpt"), str(tmp_path / "a.safetensors"), "--dtype", "bf16"]
    done = subprocess.run(good, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "450 tensors, 30 blocks of 32" in done.stdout
    # In this process: another one would only load PyTorch again.
    assert main([__file__, str(tmp_path / "b.safetensors")]) == 1
    said = capsys.readouterr().err
    assert "download it again" in said
    assert "Traceback" not in said


def test_the_published_sizes_are_what_is_expected_of_a_1_3b_file():
    shapes = expected_shapes(1536, 30)
    assert len(shapes) == 450
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == 354_954_240


@pytest.mark.parametrize("whole", [True, False], ids=["1275 keys", "450 keys"])
def test_view_sync_weights_are_no_re_capture_weights(tmp_path, state, whole):
    """Both have a camera encoder and a projector, and a whole checkpoint has the base's self-attention too."""
    torch.save(state if whole else only_view_sync(state), tmp_path / "step20000.ckpt")
    with pytest.raises(WeightsError, match=r"has no re-capture weights .* here ReCamMaster's checkpoint"):
        read_recapture_weights(tmp_path / "step20000.ckpt")
