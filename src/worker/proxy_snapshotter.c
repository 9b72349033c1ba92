/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/proxy_snapshotter.h"
#include "containerd/ctd_trees.h"
#include <unistd.h>

struct worker_proxy {
	ctd_client *client;
	ctd_trees *trees;
};

struct worker_proxy *worker_proxy_open(rpc_loop *loop, const char *path, const char *name, const char *worker_id,
				       int root_fd, GError **error)
{
	const struct ctd_client_options options = {
		.loop = loop, .address = path, .namespace = "buildkit", .peer = "snapshotter"};
	if (access(path, F_OK) < 0)
		return error_null(error, ERROR_NOT_FOUND,
				  "snapshotter doesn't exist on \"%s\" (Do not include 'unix://' prefix)", path);
	struct worker_proxy *p = g_new0(struct worker_proxy, 1);
	p->client = ctd_client_new(&options, error);
	if (p->client)
		p->trees = ctd_trees_open(p->client, name, worker_id, root_fd, error);
	if (p->trees)
		return p;
	worker_proxy_close(p);
	return NULL;
}

void worker_proxy_close(struct worker_proxy *p)
{
	if (!p)
		return;
	ctd_trees_close(p->trees);
	ctd_client_free(p->client);
	g_free(p);
}

const struct snapshot_keeper *worker_proxy_keeper(const struct worker_proxy *p)
{
	return ctd_trees_keeper(p->trees);
}
