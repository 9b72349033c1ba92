/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include <string.h>

const struct flag buildctl_flags[] = {
	{"debug", NULL, FLAG_BOOL, NULL, NULL, "say more in the log"},
	{"addr", NULL, FLAG_STRING, "unix:///run/buildkit/buildkitd.sock", "BUILDKIT_HOST", "where the daemon listens"},
	{"log-format", NULL, FLAG_STRING, "text", NULL, "form of log lines: text or json"},
	{"tlsservername", NULL, FLAG_STRING, NULL, NULL,
	 "name that the daemon's certificate must have, instead of the address's host"},
	{"tlscacert", NULL, FLAG_STRING, NULL, NULL,
	 "authority that the daemon's certificate must come from (PEM file)"},
	{"tlscert", NULL, FLAG_STRING, NULL, NULL, "own certificate (PEM file)"},
	{"tlskey", NULL, FLAG_STRING, NULL, NULL, "key of the own certificate (PEM file)"},
	{"tlsdir", NULL, FLAG_STRING, NULL, NULL,
	 "directory with the three of them: ca.pem, cert.pem and key.pem, or ca.crt, tls.crt and tls.key"},
	{"timeout", NULL, FLAG_INT, "5", NULL, "seconds to wait for a connection, 0: no limit"},
	{"wait", NULL, FLAG_BOOL, NULL, NULL, "try again until the daemon answers"},
	{"help", "h", FLAG_BOOL, NULL, NULL, "show help"},
	{"version", "v", FLAG_BOOL, NULL, NULL, "print the version"},
};
const size_t buildctl_n_flags = G_N_ELEMENTS(buildctl_flags);

const struct command *const buildctl_commands[] = {
	&du_command, &prune_command, &prune_histories_command, &build_command, &debug_command, &dial_stdio_command,
	NULL};

const struct command *command_find(const struct command *const *list, const char *name)
{
	for (; list && *list; list++)
		if (strcmp((*list)->name, name) == 0 || g_strcmp0((*list)->alias, name) == 0)
			return *list;
	return NULL;
}
