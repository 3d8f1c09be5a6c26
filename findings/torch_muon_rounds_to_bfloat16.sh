#!/bin/bash
# PyTorch 2.11.0 (PyPI): torch.optim.Muon steps in bfloat16, whatever its parameters, its gradients and its device are.
#
# Expected: an optimizer of float32 parameters calculates in float32, as torch.optim.AdamW and SGD do.
# Seen:     every number of a step of Muon has the 8 bits of a bfloat16, on a CPU, too. On a processor without instructions
#           for bfloat16 (AVX2) the products in it are about 70 times as slow as in float32, and the steps of a small model
#           take more than twice as long as its gradients.
# So:       the trainer here has a Muon of its own, which calculates in float32 on a CPU.
#
# Needs network for the installation. PYTHON is a Python 3.10 or newer; a PyTorch that it has is used if it is 2.11.0.
# Ends with 0 while the behaviour is as said, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3}
"$python" -c "import torch; assert torch.__version__.split('+')[0] == '2.11.0'" 2>/dev/null ||
    "$python" -m pip install --quiet --disable-pip-version-check --target "$folder" torch==2.11.0 numpy
cd "$folder"
PYTHONPATH=$folder "$python" - <<'EOF'
import torch


def step_of(kind: type[torch.optim.Optimizer]) -> torch.Tensor:
    """What one step takes off a float32 matrix of zeros, with a gradient of float32."""
    parameter = torch.nn.Parameter(torch.zeros(32, 32))
    parameter.grad = torch.randn(32, 32, generator=torch.Generator().manual_seed(0))
    kind([parameter], lr=1.0, weight_decay=0.0).step()
    return parameter.detach()


def share_of_bfloat16(numbers: torch.Tensor) -> float:
    return (numbers == numbers.bfloat16().float()).float().mean().item()


print("torch", torch.__version__)
shares = {kind.__name__: share_of_bfloat16(step_of(kind)) for kind in (torch.optim.Muon, torch.optim.SGD, torch.optim.AdamW)}
for name, share in shares.items():
    print(f"{name}: {share:.0%} of the numbers of a step are whole bfloat16")
raise SystemExit(0 if shares["Muon"] == 1 and max(shares["SGD"], shares["AdamW"]) < 0.5 else 1)
EOF
