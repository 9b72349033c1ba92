# SPDX-License-Identifier: Apache-2.0
# The runner's OCI command line: life cycle, exec, exit statuses, signals, terminals, refused options.
python3 "$HERE/runner_commands.py" "$BIN/buildkit-runc" "$WORK" || fail "the command line"
