/* SPDX-License-Identifier: Apache-2.0 */
#include "listeners.h"
#include "base/log.h"
#include "base/scope.h"
#include "format/gotype.h"
#include "os/service.h"
#include <grp.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static bool find_group(const char *name, gid_t *ret, GError **error)
{
	int64_t number;
	if (int_parse(name, 10, &number, NULL) && number >= 0 && number < UINT32_MAX) {
		*ret = (gid_t)number;
		return true;
	}
	struct group row, *found = NULL;
	char buffer[16384];
	if (getgrnam_r(name, &row, buffer, sizeof buffer, &found) != 0 || !found)
		return error_set(error, ERROR_INVALID_ARGUMENT, "group: unknown group %s", name);
	*ret = found->gr_gid;
	return true;
}

/* Returns the address of a passed socket for log and error texts. */
static char *socket_name(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t n = sizeof address;
	char host[NI_MAXHOST], port[NI_MAXSERV];
	if (getsockname(fd, (struct sockaddr *)&address, &n) < 0)
		return g_strdup_printf("descriptor %d", fd);
	if (address.ss_family == AF_UNIX)
		return g_strdup(((struct sockaddr_un *)(void *)&address)->sun_path);
	if (getnameinfo((struct sockaddr *)&address, n, host, sizeof host, port, sizeof port,
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return g_strdup_printf("descriptor %d", fd);
	return g_strdup_printf(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static bool is_listening(int fd)
{
	int type = 0, listening = 0;
	socklen_t n_type = sizeof type, n_listening = sizeof listening;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n_type) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n_listening) == 0 && listening;
}

/* Uses all sockets that systemd passed; upstream uses only the first. */
static bool listen_passed(rpc_server *server, const char *address, const struct rpc_tls *tls, GError **error)
{
	if (strcmp(address, "fd://") != 0)
		return error_set(error, ERROR_UNIMPLEMENTED, "not supported yet: %s", address);
	size_t n = 0;
	g_autofree int *fds = service_listen_fds(&n);
	if (n == 0)
		return error_set(
			error, ERROR_INVALID_ARGUMENT,
			"no sockets found via socket activation: make sure the service was started by systemd");
	for (size_t i = 0; i < n; i++) {
		g_autofree char *name = socket_name(fds[i]);
		if (!is_listening(fds[i]))
			return error_set(error, ERROR_INVALID_ARGUMENT,
					 "passed socket %s: not a listening stream socket (Accept=no, ListenStream=)",
					 name);
		if (!rpc_server_listen_fd(server, fds[i], tls, error))
			return error_prefix(error, "passed socket %s: ", name);
		log_info("running server on %s", name);
	}
	return true;
}

static bool listen_one(rpc_server *server, const char *address, const struct rpc_listen_options *options,
		       GError **error)
{
	if (!strstr(address, "://"))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "address %s does not contain proto, you meant unix://%s ?", address, address);
	if (g_str_has_prefix(address, "fd://"))
		return listen_passed(server, address, options->tls, error);
	struct rpc_listen_options own = *options;
	if (g_str_has_prefix(address, "unix://")) {
		if (own.tls)
			log_warn("TLS is disabled for %s", address);
		own.tls = NULL;
	} else if (!own.tls) {
		log_warn("TLS is not enabled for %s. enabling mutual TLS authentication is highly recommended",
			 address);
	}
	if (!rpc_server_listen(server, address, &own, error))
		return false;
	const char *shown = g_str_has_prefix(address, "unix://") ? address + strlen("unix://") : address;
	log_info("running server on %s", shown);
	return true;
}

bool listeners_open(rpc_server *server, const struct config *config, GError **error)
{
	struct rpc_tls tls = {
		.ca_file = *config->tls_ca ? config->tls_ca : NULL,
		.cert_file = config->tls_cert,
		.key_file = config->tls_key,
	};
	struct rpc_listen_options options = {
		.tls = *config->tls_cert ? &tls : NULL,
		.socket_mode = 0660,
		.uid = config->socket_uid >= 0 ? (uid_t)config->socket_uid : geteuid(),
		.gid = config->socket_gid >= 0 ? (gid_t)config->socket_gid : getegid(),
	};
	if (*config->group && !find_group(config->group, &options.gid, error))
		return false;
	for (char **address = config->addresses; address && *address; address++)
		if (!listen_one(server, *address, &options, error))
			return false;
	return true;
}
