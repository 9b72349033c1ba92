/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/worker.h"
#include "base/hash_walk.h"
#include "os/file.h"
#include "worker/containerd.h"
#include "worker/proxy_snapshotter.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "base/ident.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/version.h"
#include "os/path.h"
#include "snapshot/snapshotter.h"

#define LABEL_PREFIX "org.mobyproject.buildkit.worker."
#define USER_AGENT "buildkit/v0.1"
#define SOURCE_LABEL "containerd.io/distribution.source."

static int open_dir(int parent_fd, const char *name, GError **error)
{
	if (mkdirat(parent_fd, name, 0700) < 0 && errno != EEXIST) {
		error_set_errno(error, errno, "make %s", name);
		return -1;
	}
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open %s", name);
	return fd;
}

static bool write_new_id(int dir_fd, char *id, GError **error)
{
	ident_new(id);
	scoped_fd fd = openat(dir_fd, "workerid.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0400);
	if (fd < 0 || !file_write_all(fd, id, IDENT_SIZE - 1) || fsync(fd) < 0 ||
	    renameat(dir_fd, "workerid.new", dir_fd, "workerid") < 0)
		return error_set_errno(error, errno, "write workerid");
	return true;
}

/* The id is stored in the state directory, because results refer to it. */
static char *load_id(int dir_fd, GError **error)
{
	g_autoptr(GBytes) bytes = path_read(dir_fd, "workerid", 256, PATH_BENEATH, NULL);
	gsize n = 0;
	const char *text = bytes ? g_bytes_get_data(bytes, &n) : NULL;
	if (n == IDENT_SIZE - 1)
		return g_strndup(text, n);
	char id[IDENT_SIZE];
	return write_new_id(dir_fd, id, error) ? g_strdup(id) : NULL;
}

static void set_label(void *to, const char *name, const char *value)
{
	worker *w = to;
	g_hash_table_replace(w->labels, g_strconcat(LABEL_PREFIX, name, NULL), g_strdup(value));
}

static void set_labels(worker *w, const struct worker_options *options)
{
	w->labels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	set_label(w, "executor", w->backing ? "containerd" : "oci");
	set_label(w, "snapshotter", cache_snapshotter_name(w->cache));
	set_label(w, "hostname", g_get_host_name());
	set_label(w, "network", network_mode(w->network));
	if (w->backing)
		containerd_labels(w->backing, set_label, w);
	else
		set_label(w, "oci.process-mode", options->executor.no_process_sandbox ? "no-sandbox" : "sandbox");
	set_label(w, "selinux.enabled", options->executor.selinux ? "true" : "false");
	if (options->executor.apparmor_profile && *options->executor.apparmor_profile)
		set_label(w, "apparmor.profile", options->executor.apparmor_profile);
	for (struct hash_walk it = hash_walk(options->labels); hash_walk_next(&it);)
		g_hash_table_replace(w->labels, g_strdup(it.key), g_strdup(it.value));
}

static bool set_platforms(worker *w, const struct worker_options *options, GError **error)
{
	size_t n = options->platforms ? g_strv_length(options->platforms) : 0;
	if (n == 0) {
		size_t n_base = 0;
		g_autofree struct platform *base = w->backing ? containerd_platforms(w->backing, &n_base) : NULL;
		w->detected = platform_list_new(PLATFORMS_BINFMT, base, n_base, options->platforms_max_age_ns);
		return true;
	}
	w->platforms = g_new0(struct platform, n);
	for (; w->n_platforms < n; w->n_platforms++)
		if (!platform_parse(options->platforms[w->n_platforms], &w->platforms[w->n_platforms], error))
			return false;
	return true;
}

static void set_gc(worker *w, const struct worker_options *options)
{
	if (!options->gc.enabled)
		return;
	if (options->gc.n_rules == 0) {
		w->gc = gc_rules_default(options->root_fd, options->gc.reserved_bytes, options->gc.max_used_bytes,
					 options->gc.min_free_bytes, &w->n_gc);
		return;
	}
	w->gc = g_memdup2(options->gc.rules, options->gc.n_rules * sizeof *options->gc.rules);
	w->n_gc = options->gc.n_rules;
	for (size_t i = 0; i < w->n_gc; i++)
		w->gc[i].filters = g_strdupv(options->gc.rules[i].filters);
}

static bool check_name(const char *name, GError **error)
{
	return (*name && !strchr(name, '/')) ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "bad snapshotter name: \"%s\"", name);
}

static bool open_root(worker *w, const struct worker_options *options, const char *name, GError **error)
{
	scoped_fd dir_fd = open_dir(options->root_fd, name, error);
	if (dir_fd < 0)
		return false;
	w->root_path = g_build_filename(options->root_path, name, NULL);
	w->root_fd = fd_steal(&dir_fd);
	w->id = load_id(w->root_fd, error);
	return w->id != NULL;
}

/* Layers keep the name of the repository that they were pulled from. */
static blob_provider *provider_of(void *data, const oci_descriptor *layer)
{
	const worker *w = data;
	for (struct hash_walk it = hash_walk(layer->annotations); hash_walk_next(&it);) {
		if (!g_str_has_prefix(it.key, SOURCE_LABEL))
			continue;
		g_autofree char *text = g_strdup_printf("%s/%s@%s", (const char *)it.key + strlen(SOURCE_LABEL),
							(const char *)it.value, layer->digest.text);
		g_autoptr(reference) ref = reference_parse_normalized(text, NULL);
		if (ref)
			return registry_provider_of(w->registry, ref, &source_registry_auth, NULL);
	}
	return NULL;
}

static bool open_cache(worker *w, const struct worker_options *options, GError **error)
{
	w->blobs = w->backing ? containerd_blobs(w->backing, error) : blob_store_open(w->root_fd, error);
	if (!w->blobs)
		return false;
	struct cache_options cache_options = {
		.root_fd = w->root_fd,
		.root_path = w->root_path,
		.snapshotter = options->snapshotter,
		.keeper = w->backing ? containerd_keeper(w->backing)
			  : w->proxy ? worker_proxy_keeper(w->proxy)
				     : NULL,
		.foreign_blobs = w->backing != NULL,
		.provider_of = provider_of,
		.provider_data = w,
		.images = w->backing ? containerd_chains : NULL,
		.images_data = w->backing,
		.blobs = w->blobs,
	};
	w->cache = cache_open(&cache_options, error);
	if (!w->cache || !options->explain_misses)
		return w->cache != NULL;
	w->fingerprints = fingerprint_store_open(w->root_fd, error);
	return w->fingerprints != NULL;
}

static bool open_executor(worker *w, const struct worker_options *options, GError **error)
{
	struct executor_options executor_options = options->executor;
	if (executor_options.binary && !*executor_options.binary)
		executor_options.binary = NULL;
	executor_options.root_fd = w->root_fd;
	executor_options.root_path = w->root_path;
	executor_options.bundle_runner = w->backing ? containerd_runner(w->backing) : NULL;
	executor_options.network = w->network;
	executor_options.instance = w->id;
	w->executor = executor_new(&executor_options, error);
	return w->executor != NULL;
}

static bool open_network(worker *w, const struct worker_options *options, GError **error)
{
	struct network_options network_options = options->network;
	network_options.root_path = w->root_path;
	network_options.rootless = options->executor.rootless;
	w->network = network_open(&network_options, error);
	return w->network != NULL;
}

static worker *worker_new(const struct worker_options *options)
{
	worker *w = g_new0(worker, 1);
	w->root_fd = -1;
	g_mutex_init(&w->cache_mounts_mu);
	w->sessions = options->sessions;
	w->cdi = options->cdi;
	w->max_parallelism = (int)options->max_parallelism;
	return w;
}

/* Initialises the members that both kinds of worker have, after their parts are open. */
static bool complete(worker *w, const struct worker_options *options, GError **error)
{
	if (!open_cache(w, options, error) || !open_network(w, options, error) || !open_executor(w, options, error) ||
	    !set_platforms(w, options, error))
		return false;
	w->registry = registry_new(options->registry);
	set_labels(w, options);
	set_gc(w, options);
	w->source_context = (struct source_context){
		.cache = w->cache,
		.blobs = w->blobs,
		.registry = w->registry,
		.images = w->images,
		.sessions = w->sessions,
		.git_locks = name_locks_new(),
		.worker_id = w->id,
		.user_agent = USER_AGENT,
	};
	return true;
}

static worker *open_with_proxy(const struct worker_options *options, GError **error)
{
	g_autoptr(worker) w = worker_new(options);
	g_autofree char *name = g_strconcat("runc-", options->snapshotter, NULL);
	if (!check_name(options->snapshotter, error) || !open_root(w, options, name, error))
		return NULL;
	w->proxy = worker_proxy_open(options->loop, options->proxy_snapshotter, options->snapshotter, w->id, w->root_fd,
				     error);
	if (!w->proxy || !complete(w, options, error))
		return NULL;
	return g_steal_pointer(&w);
}

/*
 * The directory has upstream's name; for "auto", cache_open selects the snapshotter, and both kinds share one
 * directory.
 */
worker *worker_open(const struct worker_options *options, GError **error)
{
	if (options->proxy_snapshotter && *options->proxy_snapshotter)
		return open_with_proxy(options, error);
	g_autoptr(worker) w = worker_new(options);
	struct worker_options own = *options;
	own.snapshotter = snapshotter_choose(options->root_fd, options->snapshotter);
	/* Trees of fuse-overlayfs contain marks that only it understands. */
	const char *name = strcmp(own.snapshotter, "fuse-overlayfs") == 0 ? "runc-fuse-overlayfs"
			   : strcmp(options->snapshotter, "native") == 0  ? "runc-native"
									  : "runc-overlayfs";
	if (!open_root(w, options, name, error) || !complete(w, &own, error))
		return NULL;
	return g_steal_pointer(&w);
}

worker *worker_open_containerd(const struct worker_options *options, GError **error)
{
	g_autoptr(worker) w = worker_new(options);
	g_autofree char *name = g_strconcat("containerd-", options->snapshotter, NULL);
	if (!check_name(options->snapshotter, error) || !open_root(w, options, name, error))
		return NULL;
	w->backing =
		containerd_open(&options->containerd, options->loop, options->snapshotter, w->id, w->root_fd, error);
	if (!w->backing)
		return NULL;
	w->images = containerd_images(w->backing);
	if (!complete(w, options, error))
		return NULL;
	return g_steal_pointer(&w);
}

void worker_close(worker *w)
{
	if (!w)
		return;
	g_clear_pointer(&w->executor, executor_free);
	g_clear_pointer(&w->network, network_close);
	g_clear_pointer(&w->registry, registry_free);
	g_clear_pointer(&w->source_context.git_locks, name_locks_free);
	g_clear_pointer(&w->fingerprints, fingerprint_store_close);
	g_clear_pointer(&w->cache_mounts, g_hash_table_unref);
	g_clear_pointer(&w->cache, cache_close);
	g_clear_pointer(&w->blobs, blob_store_close);
	g_clear_pointer(&w->backing, containerd_close);
	g_clear_pointer(&w->proxy, worker_proxy_close);
	g_clear_pointer(&w->labels, g_hash_table_unref);
	gc_rules_free(w->gc, w->n_gc);
	g_mutex_clear(&w->cache_mounts_mu);
	fd_close(&w->root_fd);
	g_free(w->platforms);
	platform_list_free(w->detected);
	g_free(w->root_path);
	g_free(w->id);
	g_free(w);
}
