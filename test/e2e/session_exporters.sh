# SPDX-License-Identifier: Apache-2.0
# Session exporters: a client names exporters when the result of its build is known, and learns what they made; clients
# that answer wrongly, too much or not at all, and sessions that end in the middle.
client() { PYTHONPATH="$HERE" timeout 100 python3 -B "$HERE/session_exporters.py" "$@"; }

start_daemon
client works "$WORK/sock" || fail "session exporters"
client hostile "$WORK/sock" || fail "hostile clients"
alive
no_leftovers
stop_daemon
