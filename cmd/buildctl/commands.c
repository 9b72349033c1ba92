/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include <string.h>

const struct flag buildctl_flags[] = {
	{"debug", NULL, FLAG_BOOL, NULL, NULL, "enable debug logging"},
	{"addr", NULL, FLAG_STRING, "unix:///run/buildkit/buildkitd.sock", "BUILDKIT_HOST", "address of buildkitd"},
	{"log-format", NULL, FLAG_STRING, "text", NULL, "log format: text or json"},
	{"tlsservername", NULL, FLAG_STRING, NULL, NULL,
	 "server name expected in the daemon's certificate (default: the host of --addr)"},
	{"tlscacert", NULL, FLAG_STRING, NULL, NULL, "CA used to verify the daemon's certificate (PEM file)"},
	{"tlscert", NULL, FLAG_STRING, NULL, NULL, "TLS client certificate (PEM file)"},
	{"tlskey", NULL, FLAG_STRING, NULL, NULL, "private key of the TLS client certificate (PEM file)"},
	{"tlsdir", NULL, FLAG_STRING, NULL, NULL,
	 "directory with CA, certificate and key: ca.pem, cert.pem and key.pem, or ca.crt, tls.crt and tls.key"},
	{"timeout", NULL, FLAG_INT, "5", NULL, "connection timeout in seconds; 0: no limit"},
	{"wait", NULL, FLAG_BOOL, NULL, NULL, "retry until the daemon answers"},
	{"help", "h", FLAG_BOOL, NULL, NULL, "show help"},
	{"version", "v", FLAG_BOOL, NULL, NULL, "print the version"},
};
const size_t buildctl_n_flags = G_N_ELEMENTS(buildctl_flags);

const struct command *const buildctl_commands[] = {
	&du_command,    &prune_command,      &prune_histories_command, &build_command,
	&debug_command, &dial_stdio_command, &completion_command,      NULL};

const struct command *command_find(const struct command *const *list, const char *name)
{
	for (; list && *list; list++)
		if (strcmp((*list)->name, name) == 0 || g_strcmp0((*list)->alias, name) == 0)
			return *list;
	return NULL;
}
