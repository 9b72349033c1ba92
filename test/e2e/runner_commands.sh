# SPDX-License-Identifier: Apache-2.0
# The runner's OCI command line: a container's life, exec, exit statuses, signals, terminals, what is refused.
python3 "$HERE/runner_commands.py" "$BIN/buildkit-runc" "$WORK" || fail "the command line"
