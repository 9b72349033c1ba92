/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/containerd.h"
#include "containerd/ctd_blobs.h"
#include "containerd/ctd_chains.h"
#include "containerd/ctd_images.h"
#include "containerd/ctd_server.h"
#include "containerd/ctd_trees.h"

struct containerd_backing {
	ctd_client *client;
	char *namespace, *snapshotter;
	struct ctd_server server;
	int root_fd; /* borrowed */
	ctd_trees *trees;
	ctd_tasks *tasks;
	ctd_chains *chains;
	struct ctd_images images;
	struct image_store image_store;
};

static bool open_parts(struct containerd_backing *b, const struct ctd_runtime *runtime, GError **error)
{
	if (!ctd_server_ask(b->client, &b->server, error))
		return false;
	/* Tasks first: ctd_tasks_new removes tasks of an earlier instance, which still use its snapshots. */
	b->tasks = ctd_tasks_new(b->client, runtime, error);
	if (!b->tasks)
		return false;
	b->chains = ctd_chains_new(b->client);
	b->images = (struct ctd_images){.client = b->client, .snapshotter = b->snapshotter};
	b->image_store = (struct image_store){&ctd_images_class, &b->images};
	b->trees = ctd_trees_open(b->client, b->snapshotter, NULL, b->root_fd, error);
	return b->trees != NULL;
}

struct containerd_backing *containerd_open(const struct containerd_options *options, rpc_loop *loop, const char *name,
					   const char *worker_id, int root_fd, GError **error)
{
	const struct ctd_client_options client_options = {
		.loop = loop,
		.address = options->address,
		.namespace = options->namespace,
		.worker_id = worker_id,
	};
	struct containerd_backing *b = g_new0(struct containerd_backing, 1);
	b->namespace = g_strdup(options->namespace);
	b->snapshotter = g_strdup(name);
	b->root_fd = root_fd;
	b->client = ctd_client_new(&client_options, error);
	if (b->client && open_parts(b, &options->runtime, error))
		return b;
	if (b->client)
		ctd_lease_collect(b->client, NULL); /* the worker was not opened: remove its lease */
	containerd_close(b);
	return NULL;
}

void containerd_close(struct containerd_backing *b)
{
	if (!b)
		return;
	ctd_tasks_free(b->tasks);
	ctd_chains_free(b->chains);
	ctd_trees_close(b->trees);
	ctd_client_free(b->client);
	ctd_server_clear(&b->server);
	g_free(b->namespace);
	g_free(b->snapshotter);
	g_free(b);
}

blob_store *containerd_blobs(struct containerd_backing *b, GError **error)
{
	void *self = ctd_blobs_open(b->client, b->server.content_root, b->root_fd, error);
	if (!self)
		return NULL;
	return blob_store_new(&ctd_blobs_backend, self);
}

const struct snapshot_keeper *containerd_keeper(const struct containerd_backing *b)
{
	return ctd_trees_keeper(b->trees);
}

const struct bundle_runner *containerd_runner(const struct containerd_backing *b)
{
	return ctd_tasks_runner(b->tasks);
}

const struct image_store *containerd_images(const struct containerd_backing *b)
{
	return &b->image_store;
}

GHashTable *containerd_chains(void *backing)
{
	return ctd_chains_read(((struct containerd_backing *)backing)->chains);
}

struct platform *containerd_platforms(const struct containerd_backing *b, size_t *ret_n)
{
	*ret_n = b->server.n_platforms;
	return g_memdup2(b->server.platforms, b->server.n_platforms * sizeof *b->server.platforms);
}

void containerd_labels(const struct containerd_backing *b, void (*set)(void *to, const char *name, const char *value),
		       void *to)
{
	set(to, "containerd.uuid", b->server.uuid);
	set(to, "containerd.namespace", b->namespace);
}
