# SPDX-License-Identifier: Apache-2.0
# F87: images and steps that try to reach the host through the runner.
python3 "$HERE/runner_hostile.py" "$BIN/buildkit-runc" "$WORK" || fail "the runner let something out"
