# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 400
# The same containers with buildkit-runc and with runc: some hundred configurations, equal views, statuses and errors.
command -v runc > /dev/null || skip "no runc to compare with"
timeout 380 python3 "$HERE/runner_compare.py" "$BIN/buildkit-runc" "$(command -v runc)" "$WORK" ${COMPARE:-} || fail "they differ"
