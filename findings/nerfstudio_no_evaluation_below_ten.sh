#!/bin/bash
# nerfstudio 1.1.5 (PyPI), its own split of a set of pictures: below ten there is none to evaluate.
#
# Expected: nine tenths of the pictures are trained on (train_split_fraction 0.9, the default), the rest is evaluated.
# Seen:     it takes ceil(0.9 n) pictures for training, which are all of them up to nine: nothing is left, without a word.
#           A set of 4 or 8 synchronized cameras is never evaluated.
# So:       list train_filenames, val_filenames and test_filenames in transforms.json, all three: as soon as there is one,
#           a run that asks for another ends with "list of filenames for split ... is missing".
#
# Needs network for the installation. PYTHON is a Python 3.10 or newer.
# Ends with 0 while the behaviour is as said, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --target "$folder" --no-deps nerfstudio==1.1.5
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --target "$folder" numpy
cd "$folder"
PYTHONPATH=$folder "${PYTHON:-python3}" - <<'EOF'
import importlib.util

# The module by its file: the package around it imports PyTorch.
spec = importlib.util.spec_from_file_location("utils", "nerfstudio/data/utils/dataparsers_utils.py")
utils = importlib.util.module_from_spec(spec)
spec.loader.exec_module(utils)
left = {}
for count in (4, 8, 9, 10, 11):
    train, evaluated = utils.get_train_eval_split_fraction([f"{number}.png" for number in range(count)], 0.9)
    left[count] = len(evaluated)
    print(f"{count:2} pictures: {len(train)} to train on, {len(evaluated)} to evaluate")
raise SystemExit(0 if (left[4], left[8], left[9], left[10]) == (0, 0, 0, 1) else 1)
EOF
