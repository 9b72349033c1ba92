/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/context.h"
#include "base/thread.h"
#include "api/guard.h"
#include "base/hash_walk.h"
#include "base/limits.h"
#include "format/gotype.h"
#include "format/json_writer.h"
#include "format/patterns.h"
#include "format/tar.h"
#include "format/url_redact.h"
#include "frontend/dockerfile/git_url.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

enum context_kind { LOCAL, REMOTE, INPUT };
struct memo {
	GMutex mu; /* held while the first thread resolves the image */
	bool done;
	struct bridge_image image;
	GError *error;
};
struct context {
	bridge *b;
	const struct options *o;
	GHashTable *inputs;
	struct work *work;
	arena *a; /* .mu */
	GMutex mu;

	enum context_kind kind;
	const char *identifier; /* REMOTE */
	const char *const *attrs;
	const char *custom_name;
	const char *http_file; /* NULL: git */
	bool archive;
	const Pb__Definition *input; /* INPUT */

	const char *filename, *dockerfile_local;
	bool force_local;
	struct source_file file;
	GBytes *dockerfile;
	Pb__Definition *dockerfile_definition;

	GMutex ignore_mu;
	bool ignore_known;
	GBytes *ignore_bytes;
	const char *ignore_name;
	char **ignore;

	GHashTable *images; /* key to struct memo *; .mu */
};

bridge *context_bridge(const context *x)
{
	return x->b;
}

struct work *context_work(const context *x)
{
	return x->work;
}

const struct options *context_options(const context *x)
{
	return x->o;
}

const char *context_session(const context *x, const char *local)
{
	g_autofree char *key = g_strdup_printf("local-sessionid:%s", local);
	const char *session = options_get(x->o, key);
	if (!session && x->b->class->session_id)
		session = x->b->class->session_id(x->b);
	return session ? session : "";
}

const Pb__Definition *context_input(const context *x, const char *name)
{
	return x->inputs ? g_hash_table_lookup(x->inputs, name) : NULL;
}

char *context_json_list(arena *a, const char *const *list)
{
	g_autoptr(json_writer) w = json_writer_new(0);
	json_put_strings(w, (char *const *)list, g_strv_length((char **)list));
	return arena_take(a, json_writer_take(&w, NULL));
}

/* --- solving --- */

bool context_solve(context *x, llb_graph *g, struct llb_out out, bool evaluate, build_result **ret, GError **error)
{
	Pb__Definition *definition = llb_marshal(g, out);
	struct bridge_solve_request request = {.definition = definition, .evaluate = evaluate};
	bool ok = x->b->class->solve(x->b, &request, x->work, ret, error);
	guard_free(&definition->base);
	return ok;
}

GBytes *context_read_file(context *x, build_result *r, const char *path, int64_t length, GError **error)
{
	if (!r->ref)
		return error_null(error, ERROR_UNKNOWN, "open %s: no such file or directory", path);
	GError *inner = NULL;
	GBytes *bytes = x->b->class->read_file(x->b, r->ref, path, 0, length, x->work, &inner);
	if (bytes)
		return bytes;
	/* A missing file is not reported as NOT_FOUND: upstream's answer has no code. */
	if (error_is(inner, ERROR_NOT_FOUND) && g_str_has_prefix(inner->message, "open "))
		inner->code = ERROR_UNKNOWN;
	return error_propagate_null(error, inner);
}

/* --- the main context --- */

static struct llb_out remote_source(const context *x, llb_graph *g)
{
	struct llb_meta meta = LLB_META_INIT;
	meta.custom_name = x->custom_name;
	return llb_source(g, x->identifier, x->attrs, &meta);
}

static struct llb_out copy_to_scratch(llb_graph *g, struct llb_out from, const char *src, bool unpack)
{
	Pb__FileActionCopy copy = PB__FILE_ACTION_COPY__INIT;
	copy.src = (char *)src;
	copy.dest = (char *)"/";
	copy.mode = -1;
	copy.timestamp = -1;
	copy.attemptunpackdockercompatibility = unpack;
	copy.dircopycontents = !unpack;
	struct llb_file_action action = {.type = PB__FILE_ACTION__ACTION_COPY, .copy = &copy, .from = from};
	struct llb_meta meta = LLB_META_INIT;
	return llb_file(g, (struct llb_out){0}, &action, 1, &meta);
}

static bool is_archive(GBytes *head)
{
	static const struct slice_magic {
		const char *bytes;
		size_t n;
	} magics[] = {{"BZh", 3}, {"\x1F\x8B\x08", 3}, {"\xFD\x37\x7A\x58\x5A\x00", 6}};
	size_t n;
	const unsigned char *p = g_bytes_get_data(head, &n);
	for (size_t i = 0; i < G_N_ELEMENTS(magics); i++)
		if (n >= magics[i].n && memcmp(p, magics[i].bytes, magics[i].n) == 0)
			return true;
	if (n < TAR_BLOCK)
		return false;
	const struct tar_block *b = (const void *)p;
	unsigned stored = 0;
	for (size_t i = 0; i < sizeof b->checksum; i++)
		if (b->checksum[i] >= '0' && b->checksum[i] <= '7')
			stored = stored * 8 + (unsigned)(b->checksum[i] - '0');
	return tar_checksum(b) == stored && stored != sizeof b->checksum * ' ';
}

static bool detect_git(context *x, const char *ref, bool *ret_found, GError **error)
{
	struct git_url u;
	if (!git_url_parse(x->a, ref, &u, ret_found, error))
		return false;
	if (!*ret_found)
		return true;
	bool keep = false;
	const char *keep_arg = options_get(x->o, "build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR");
	const char *epoch = options_get(x->o, "build-arg:SOURCE_DATE_EPOCH");
	if (!keep_arg || !bool_parse(keep_arg, &keep, NULL))
		keep = false;
	x->kind = REMOTE;
	x->custom_name = arena_printf(x->a, "[internal] load git source %s", ref);
	const char *mtime = *u.mtime ? u.mtime : epoch && *epoch ? "commit" : "";
	x->identifier = git_url_source(x->a, &u, keep || u.keep_git_dir == 1, u.checksum, mtime, &x->attrs);
	return true;
}

static bool detect_http(context *x, const char *ref, GError **error)
{
	static const char *const attrs[] = {"http.filename", "context", NULL};
	x->kind = REMOTE;
	x->custom_name = "[internal] load remote build context";
	x->identifier = arena_strdup(x->a, ref);
	x->attrs = attrs;
	x->http_file = "context";
	g_autoptr(llb_graph) g = llb_graph_new();
	g_autoptr(build_result) r = NULL;
	if (!context_solve(x, g, remote_source(x, g), false, &r, error)) {
		/* Upstream loads a definition with the first read. */
		return error_prefix(error, "failed to read downloaded context: ");
	}
	g_autoptr(GBytes) head = context_read_file(x, r, x->http_file, 1024, error);
	if (!head)
		return error_prefix(error, "failed to read downloaded context: ");
	x->archive = is_archive(head);
	if (!x->archive)
		x->filename = x->http_file;
	return true;
}

static bool check_inputs(GHashTable *inputs, GError **error)
{
	for (struct hash_walk it = hash_walk(inputs); hash_walk_next(&it);) {
		const Pb__Definition *definition = it.value;
		if (!definition || definition->n_metadata == 0)
			return error_set(
				error, ERROR_UNKNOWN,
				"failed to get frontend inputs: invalid nil input definition to definition op");
	}
	return true;
}

static bool detect(context *x, GError **error)
{
	if (!check_inputs(x->inputs, error))
		return false;
	const char *key = options_get(x->o, "contextkey");
	const char *ref = options_get(x->o, key ? key : "context");
	bool found = false;
	if (ref && !detect_git(x, ref, &found, error))
		return false;
	if (found)
		return true;
	if (ref && (g_str_has_prefix(ref, "http://") || g_str_has_prefix(ref, "https://")))
		return detect_http(x, ref, error);
	x->input = context_input(x, "context");
	if (x->input)
		x->kind = INPUT;
	return true;
}

static void memo_free(void *p)
{
	struct memo *m = p;
	g_mutex_clear(&m->mu);
	g_free(m->image.ref);
	g_free(m->image.other);
	g_clear_pointer(&m->image.config, g_bytes_unref);
	g_clear_error(&m->error);
	g_free(m);
}

context *context_new_without_main(bridge *b, const struct options *o, GHashTable *inputs, struct work *work)
{
	context *x = g_new0(context, 1);
	x->b = b;
	x->o = o;
	x->inputs = inputs;
	x->work = work;
	x->a = arena_new();
	x->images = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, memo_free);
	g_mutex_init(&x->mu);
	g_mutex_init(&x->ignore_mu);
	const char *filename = options_get(o, "filename"), *local = options_get(o, "dockerfilekey");
	x->filename = filename ? filename : "Dockerfile";
	x->force_local = local != NULL;
	x->dockerfile_local = local ? local : "dockerfile";
	return x;
}

context *context_new(bridge *b, const struct options *o, GHashTable *inputs, struct work *work, GError **error)
{
	context *x = context_new_without_main(b, o, inputs, work);
	if (detect(x, error))
		return x;
	context_free(x);
	return NULL;
}

void context_free(context *x)
{
	if (!x)
		return;
	g_hash_table_unref(x->images);
	g_clear_pointer(&x->dockerfile, g_bytes_unref);
	g_clear_pointer(&x->ignore_bytes, g_bytes_unref);
	g_strfreev(x->ignore);
	if (x->dockerfile_definition)
		guard_free(&x->dockerfile_definition->base);
	arena_free(x->a);
	g_mutex_clear(&x->mu);
	g_mutex_clear(&x->ignore_mu);
	g_free(x);
}

static struct llb_out remote_tree(const context *x, llb_graph *g)
{
	struct llb_out out = remote_source(x, g);
	return x->archive ? copy_to_scratch(g, out, "/context", true) : out;
}

static bool remote_context(context *x, llb_graph *g, struct llb_out *ret, GError **error)
{
	if (x->kind == INPUT) {
		*ret = llb_import(g, x->input, error);
		if (error && *error)
			return false;
	} else {
		*ret = remote_tree(x, g);
	}
	const char *subdir = options_get(x->o, "contextsubdir");
	if (subdir) {
		g_mutex_lock(&x->mu);
		const char *rooted = text_path_rooted(x->a, subdir);
		g_mutex_unlock(&x->mu);
		*ret = copy_to_scratch(g, *ret, rooted, false);
	}
	return true;
}

bool context_main(context *x, llb_graph *g, const char *const *follow_paths, struct llb_out *ret, GError **error)
{
	if (x->kind != LOCAL)
		return remote_context(x, g, ret, error);
	const char *const *ignore;
	if (!context_ignore(x, &ignore, error))
		return error_prefix(error, "failed to read dockerignore patterns: ");
	g_autoptr(arena) a = arena_new();
	struct vec attrs = {0};
	const char *const pairs[] = {"local.session", context_session(x, "context"), "local.sharedkeyhint", "context"};
	for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++)
		arena_push(a, &attrs, pairs[i]);
	if (ignore && ignore[0]) {
		arena_push(a, &attrs, "local.excludepatterns");
		arena_push(a, &attrs, context_json_list(a, ignore));
	}
	if (follow_paths && follow_paths[0]) {
		arena_push(a, &attrs, "local.followpaths");
		arena_push(a, &attrs, context_json_list(a, follow_paths));
	}
	struct llb_meta meta = LLB_META_INIT;
	meta.custom_name = "[internal] load build context";
	*ret = llb_source(g, "local://context", arena_strv(a, &attrs), &meta);
	return true;
}

const char *context_main_source(const context *x, const char *const **ret_attrs)
{
	*ret_attrs = x->attrs;
	return x->kind == REMOTE ? x->identifier : NULL;
}

bool context_main_is_archive(const context *x)
{
	return x->archive;
}

/* --- the Dockerfile and the ignore file --- */

/* A small transfer of a few named files, which later transfers do not use as their base. */
static struct llb_out local_files(context *x, llb_graph *g, arena *a, const char *local, const char *hint,
				  const char *name, const char *const *files)
{
	const char *attrs[] = {"local.session",
			       context_session(x, local),
			       "local.followpaths",
			       context_json_list(a, files),
			       "local.sharedkeyhint",
			       hint,
			       "local.differ",
			       "none",
			       NULL};
	struct llb_meta meta = LLB_META_INIT;
	meta.custom_name = name;
	return llb_source(g, arena_printf(a, "local://%s", local), attrs, &meta);
}

static const char *lower_name(context *x)
{
	const char *base = text_path_base(x->a, x->filename);
	if (strcmp(base, "Dockerfile") != 0)
		return NULL;
	size_t directory = strlen(x->filename) - strlen(base);
	return text_path_clean(x->a, arena_printf(x->a, "%.*sdockerfile", (int)directory, x->filename));
}

static struct llb_out dockerfile_source(context *x, llb_graph *g, GError **error)
{
	const Pb__Definition *input = x->force_local ? NULL : context_input(x, x->dockerfile_local);
	if (x->kind == REMOTE && !x->force_local) /* independent of the subdirectory of the context */
		return remote_tree(x, g);
	if (input)
		return llb_import(g, input, error);
	const char *files[4] = {x->filename, arena_printf(x->a, "%s.dockerignore", x->filename), lower_name(x), NULL};
	return local_files(x, g, x->a, x->dockerfile_local, x->dockerfile_local,
			   arena_printf(x->a, "[internal] load build definition from %s", x->filename), files);
}

static GBytes *read_either(context *x, build_result *r, GError **error)
{
	GBytes *bytes = context_read_file(x, r, x->filename, 0, error);
	const char *lower = bytes ? NULL : lower_name(x);
	if (bytes || !lower)
		return bytes;
	bytes = context_read_file(x, r, lower, 0, NULL);
	if (bytes)
		g_clear_error(error);
	return bytes;
}

static bool load_dockerfile(context *x, GError **error)
{
	GError *inner = NULL;
	g_autoptr(llb_graph) g = llb_graph_new();
	struct llb_out out = dockerfile_source(x, g, &inner);
	if (inner)
		return error_propagate(error, inner);
	x->dockerfile_definition = llb_marshal(g, out);
	if (out.node)
		llb_out_digest(g, out, &x->file.vertex);
	struct bridge_solve_request request = {.definition = x->dockerfile_definition};
	g_autoptr(build_result) r = NULL;
	if (!x->b->class->solve(x->b, &request, x->work, &r, error))
		return error_prefix(error, "failed to read dockerfile: ");
	x->dockerfile = read_either(x, r, &inner);
	if (!x->dockerfile) {
		g_prefix_error(&inner, "failed to read dockerfile: ");
		return error_propagate(error, inner);
	}
	x->ignore_name = arena_printf(x->a, "%s.dockerignore", x->filename);
	x->ignore_bytes = context_read_file(x, r, x->ignore_name, 0, NULL);
	return true;
}

const struct source_file *context_read_dockerfile(context *x, GError **error)
{
	if (!x->dockerfile && !load_dockerfile(x, error))
		return NULL;
	x->file.name = x->filename;
	x->file.bytes = g_bytes_get_data(x->dockerfile, &x->file.n);
	x->file.definition = x->dockerfile_definition;
	if (x->file.n > (size_t)LIMIT_DOCKERFILE_BYTES)
		return error_null(error, ERROR_RESOURCE_EXHAUSTED, "Dockerfile larger than %lld bytes",
				  LIMIT_DOCKERFILE_BYTES);
	char *shown = url_redact_text(x->file.bytes, (gssize)x->file.n);
	x->file.shown = shown ? arena_take(x->a, shown) : x->file.bytes;
	x->file.n_shown = shown ? strlen(x->file.shown) : x->file.n;
	return &x->file;
}

static bool load_ignore(context *x, GError **error)
{
	static const char *const files[] = {".dockerignore", NULL};
	g_autoptr(llb_graph) g = llb_graph_new();
	g_autoptr(build_result) r = NULL;
	g_autoptr(arena) a = arena_new();
	struct llb_out out =
		local_files(x, g, a, "context", "context-.dockerignore", "[internal] load .dockerignore", files);
	if (!context_solve(x, g, out, false, &r, error))
		return false;
	x->ignore_bytes = context_read_file(x, r, files[0], 0, NULL);
	x->ignore_name = files[0];
	return true;
}

static bool know_ignore(context *x, GError **error)
{
	if (x->ignore_known)
		return true;
	if (!x->ignore_bytes && !load_ignore(x, error))
		return false;
	size_t n = 0;
	const char *bytes = x->ignore_bytes ? g_bytes_get_data(x->ignore_bytes, &n) : NULL;
	if (n && !(x->ignore = patterns_read_ignore_file(bytes, n, error)))
		return error_prefix(error, "failed parsing %s: ", x->ignore_name);
	x->ignore_known = true;
	return true;
}

bool context_ignore(context *x, const char *const **ret, GError **error)
{
	*ret = NULL;
	if (x->kind != LOCAL)
		return true;
	g_mutex_lock(&x->ignore_mu);
	bool ok = know_ignore(x, error);
	g_mutex_unlock(&x->ignore_mu);
	if (ok && x->ignore && x->ignore[0])
		*ret = (const char *const *)x->ignore;
	return ok;
}

/* --- images --- */

static struct memo *memo_find(context *x, const struct bridge_image_request *r)
{
	g_autofree char *platform = r->platform ? platform_format_all(r->platform) : g_strdup("");
	char *key = g_strdup_printf("%s %s %s %d %s %s", r->ref, platform, r->resolve_mode ? r->resolve_mode : "",
				    r->oci_layout, r->session_id ? r->session_id : "", r->store_id ? r->store_id : "");
	g_mutex_lock(&x->mu);
	struct memo *m = g_hash_table_lookup(x->images, key);
	if (m) {
		g_free(key);
	} else {
		m = g_new0(struct memo, 1);
		g_mutex_init(&m->mu);
		g_hash_table_insert(x->images, key, m);
	}
	g_mutex_unlock(&x->mu);
	return m;
}

bool context_resolve_image(context *x, const struct bridge_image_request *r, struct context_image *ret, GError **error)
{
	struct memo *m = memo_find(x, r);
	g_mutex_lock(&m->mu);
	if (!m->done) {
		x->b->class->resolve_image(x->b, r, x->work, &m->image, &m->error);
		m->done = true;
	}
	g_mutex_unlock(&m->mu);
	if (m->error) {
		*ret = (struct context_image){.other = m->image.other};
		return error_propagate(error, g_error_copy(m->error));
	}
	*ret = (struct context_image){
		.ref = m->image.ref ? m->image.ref : r->ref, .digest = m->image.digest.text, .config = m->image.config};
	return true;
}

struct prefetch {
	context *context;
	const struct bridge_image_request *requests;
};

static void prefetch_one(void *data, size_t i)
{
	const struct prefetch *p = data;
	struct context_image image;
	context_resolve_image(p->context, &p->requests[i], &image, NULL);
}

void context_prefetch_images(context *x, const struct bridge_image_request *requests, size_t n)
{
	if (n < 2) /* the caller resolves a single image itself */
		return;
	struct prefetch p = {x, requests};
	thread_each(n, 8, prefetch_one, &p);
}
