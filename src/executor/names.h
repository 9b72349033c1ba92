/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names: the files that a step uses to resolve names: hosts and resolv.conf.
 *
 *	g_autofree char *hosts = names_hosts_text(hostname, hosts, n);
 *	g_autofree char *resolv = names_resolv_text(host_text, &overrides, host_network, error);
 *
 * names_files keeps the shared ones beneath the executor's directory and renews resolv.conf when the host's is newer.
 * Thread: any (.mu).
 */
#pragma once
#include "executor/executor.h"

struct names_overrides { /* NULL members: the host's values */
	const char *const *nameservers, *const *options, *const *search;
};

#define NAMES_DEFAULT_HOSTNAME "buildkitsandbox"

char *names_hosts_text(const char *hostname, const struct step_host *hosts, size_t n_hosts);
/*
 * Returns the resolv.conf of a step. Without the host's network, loopback nameservers are unusable and left out; public
 * ones are used if none is left. Errors: INVALID_ARGUMENT "bad nameserver address: ...".
 */
char *names_resolv_text(const char *host_text, const struct names_overrides *overrides, bool host_network,
			GError **error);
/* Reports whether 127.0.0.53 is the only nameserver (systemd-resolved). */
bool names_is_resolved_stub(const char *host_text);

struct names_files {
	GMutex mu;
	int dir_fd; /* borrowed */
	struct names_overrides overrides;
	struct {
		bool made;
		int64_t source_ns; /* mtime of the host's file, 0: absent */
	} resolv[2];               /* [1]: with the host's network */
};
bool names_files_init(struct names_files *f, int dir_fd, const struct names_overrides *overrides, GError **error);
void names_files_done(struct names_files *f);
/* Returns the name beneath dir_fd of an up-to-date resolv.conf. */
const char *names_files_resolv(struct names_files *f, bool host_network, GError **error);
#define NAMES_HOSTS_FILE "hosts" /* created by init */
/* Writes a small file atomically. */
bool names_write_file(int dir_fd, const char *name, const char *text, GError **error);
