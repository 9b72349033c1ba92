/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces that have no network but lo. */
#include "base/ident.h"
#include "base/log.h"
#include "base/scope.h"
#include "network/netns.h"
#include "network/network_internal.h"
#include "os/dirlist.h"
#include <fcntl.h>
#include <sys/stat.h>

#define ADDRESS "10.89.0.1" /* in upstream's range of addresses of proxies */

network_namespace *network_take_isolated(network_provider *n, GError **error)
{
	char id[IDENT_SIZE];
	ident_new(id);
	g_autofree char *path = g_build_filename(n->isolated_dir, id, NULL);
	int fd = netns_create(path, error);
	if (fd < 0)
		return NULL;
	network_namespace *ns = g_new0(network_namespace, 1);
	ns->owner = n;
	ns->fd = fd;
	ns->path = g_steal_pointer(&path);
	return ns;
}

int network_listen(network_namespace *ns, char **ret_address, GError **error)
{
	uint16_t port;
	int fd = netns_listen(ns->fd, ADDRESS, &port, error);
	if (fd >= 0)
		*ret_address = g_strdup_printf("%s:%u", ADDRESS, port);
	return fd;
}

void network_remove_isolated(network_namespace *ns)
{
	g_autoptr(GError) error = NULL;
	fd_close(&ns->fd);
	if (!netns_remove(ns->path, &error))
		log_warn("failed to release network namespace: %s", error->message);
	g_free(ns->path);
	g_free(ns);
}

static void remove_leftovers(const network_provider *n)
{
	scoped_fd fd = open(n->isolated_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_dirlist list = {0};
	if (fd < 0 || !dirlist_read(&list, fd, NULL))
		return;
	for (size_t i = 0; i < list.n; i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *path = g_build_filename(n->isolated_dir, dirlist_name(&list, i), NULL);
		if (!netns_remove(path, &error))
			log_warn("failed to release network namespace \"%s\" left over from previous run: %s", path,
				 error->message);
	}
}

bool network_prepare_isolated(network_provider *n, GError **error)
{
	remove_leftovers(n);
	return g_mkdir_with_parents(n->isolated_dir, 0700) == 0 ||
	       error_set_errno(error, errno, "mkdir %s", n->isolated_dir);
}
