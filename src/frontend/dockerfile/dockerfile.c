/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/dockerfile.h"
#include "base/thread.h"
#include "api/guard.h"
#include "base/hash_walk.h"
#include "format/csv.h"
#include "format/json_writer.h"
#include "format/reference.h"
#include "format/url_redact.h"
#include "frontend/dockerfile/convert.h"
#include "frontend/dockerfile/subrequest.h"
#include "frontend/dockerfile/syntax_version.h"
#include <inttypes.h>
#include <string.h>

/* One request. */
struct request {
	bridge *b;
	GHashTable *options, *inputs;
	struct work *work;
	arena *a;
	struct options o;
	context *x;
	const struct source_file *file;
	sbom_generator *generator; /* owned; NULL: none */
};

/* One platform of the request. */
struct job {
	struct request *r;
	const struct platform *platform; /* NULL: no platform requested */
	size_t index;
	build_result *result;
	bridge_ref *sbom;             /* owned; NULL: none */
	GBytes *config, *base_config; /* base_config NULL: none */
	struct platform made;         /* of the image config, without os_features */
	char **made_features;         /* owned; NULL: none */
	bool has_epoch;
	int64_t epoch_s;
	GError *error;
};

const char *const dockerfile_repositories[] = {"docker.io/docker/dockerfile", "docker.io/docker/dockerfile-upstream",
					       NULL};

bool dockerfile_implements(const char *source, const char *const *repositories)
{
	g_autoptr(reference) r = reference_parse_normalized(source, NULL);
	g_autofree char *name = r ? reference_name(r) : NULL;
	return name && g_strv_contains(repositories, name) && !r->digest && syntax_version_is_complete(r->tag);
}

bool dockerfile_names_labs(const char *source)
{
	g_autoptr(reference) r = source ? reference_parse_normalized(source, NULL) : NULL;
	return r && syntax_version_is_labs(r->tag);
}

/* --- warnings --- */

static void send_text(const struct request *r, arena *a, const char *text, const char *description, const char *url,
		      struct span span)
{
	size_t n = span.first > 0 && span.last >= span.first ? (size_t)(span.last - span.first) + 1 : 0;
	struct progress_range *ranges = arena_alloc(a, n * sizeof *ranges);
	for (size_t i = 0; i < n; i++)
		ranges[i].start_line = ranges[i].end_line = span.first + (int)i;
	struct progress_warning warning = {
		.level = 1,
		.text = text,
		.detail = (const char *const[]){description, NULL},
		.url = url,
		.source_name = r->file->name,
		.source_language = "Dockerfile",
		.source_bytes = r->file->shown,
		.source_len = r->file->n_shown,
		.ranges = ranges,
		.n_ranges = n,
	};
	if (r->b->class->warn)
		r->b->class->warn(r->b, r->file->vertex.text, &warning,
				  NULL); /* failures to send warnings are ignored */
}

static void send_warning(void *user, const struct lint_finding *f)
{
	g_autoptr(arena) a = arena_new();
	g_autofree char *url = lint_rule_url(f->rule);
	const char *text = f->span.first > 0 ? arena_printf(a, "%s: %s (line %d)", lint_rule_name(f->rule), f->message,
							    f->span.first)
					     : arena_printf(a, "%s: %s", lint_rule_name(f->rule), f->message);
	send_text(user, a, text, lint_rule_description(f->rule), url, f->span);
}

/* --- one platform --- */

static bool job_solve(struct job *j, convert *c, GError **error)
{
	const struct stage *target = c->target_stage;
	if (!convert_check_marshal(c, error))
		return error_prefix(error, "failed to marshal LLB definition: ");
	const Pb__Definition *definition = llb_assemble(c->graph, target->state.out);
	const GArray *imports = j->r->o.cache_imports;
	struct bridge_solve_request request = {.definition = definition,
					       .cache_imports = (const struct cache_import *)(void *)imports->data,
					       .n_cache_imports = imports->len};
	if (!j->r->b->class->solve(j->r->b, &request, j->r->work, &j->result, error))
		return false;
	j->config = image_config_write(target->image);
	if (target->base_image)
		j->base_config = image_config_write(target->base_image);
	j->made = *image_config_platform(c->arena, target->image);
	j->made_features = g_strdupv((char **)j->made.os_features);
	j->made.os_features = NULL;
	j->has_epoch = c->epoch != NULL;
	j->epoch_s = c->epoch_s;
	return true;
}

static struct platform wanted_platform(const struct job *j)
{
	struct platform p;
	if (j->platform)
		p = *j->platform;
	else
		platform_host(&p);
	platform_normalize(&p);
	return p;
}

/* Without what the image adds to the requested platform. */
static char *job_id(const struct job *j)
{
	struct platform p = wanted_platform(j);
	return platform_format_all(&p);
}

/* Borrows os_features. */
static struct platform job_platform(const struct job *j)
{
	struct platform p = wanted_platform(j);
	if (strcmp(p.os, "windows") != 0 || strcmp(j->made.os, "windows") != 0)
		return p;
	if (!*p.os_version)
		g_strlcpy(p.os_version, j->made.os_version, sizeof p.os_version);
	if (!p.os_features)
		p.os_features = j->made_features;
	return p;
}

static bool job_scan(struct job *j, convert *c, GError **error)
{
	g_autofree char *id = job_id(j);
	struct sbom_scan scan = {.graph = c->graph, .id = id, .core = c->target_stage->state.out};
	scan.extras = convert_extras(c, &scan.n_extras, &scan.ignore_cache);
	return sbom_scan(j->r->generator, &scan, j->r->work, &j->sbom, error);
}

static void job_run(void *data, size_t i)
{
	struct job *j = &((struct job *)data)[i];
	g_autoptr(convert) c = convert_new(j->r->x, j->r->file, j->platform);
	if (j->index == 0) {
		c->lint.sink = send_warning;
		c->lint.user = j->r;
	}
	bool ok = convert_all(c, &j->error) && job_solve(j, c, &j->error);
	if (ok) {
		if (j->r->generator)
			job_scan(j, c, &j->error);
		return;
	}
	source_error_add(&j->error, j->r->file, &c->where);
}

static void ref_drop(void *p)
{
	bridge_ref *ref = p;
	if (ref)
		ref->class->ref_unref(ref);
}

static void job_done(struct job *j)
{
	if (j->result)
		build_result_unref(j->result);
	ref_drop(j->sbom);
	g_clear_pointer(&j->config, g_bytes_unref);
	g_clear_pointer(&j->base_config, g_bytes_unref);
	g_clear_pointer(&j->made_features, g_strfreev);
	g_clear_error(&j->error);
}

/* --- the result --- */

static void set_bytes(build_result *result, const char *key, const char *id, GBytes *bytes)
{
	g_autofree char *full = id ? g_strdup_printf("%s/%s", key, id) : g_strdup(key);
	size_t n;
	const void *p = g_bytes_get_data(bytes, &n);
	build_result_set_metadata(result, full, p, n);
}

static void add_job(struct request *r, struct job *j, const char *id, build_result *result)
{
	bridge_ref *ref = j->result->ref ? r->b->class->ref_ref(j->result->ref) : NULL;
	if (id)
		g_hash_table_insert(result->refs, g_strdup(id), ref);
	else
		result->ref = ref;
	set_bytes(result, "containerimage.config", id, j->config);
	if (j->base_config)
		set_bytes(result, "containerimage.base.config", id, j->base_config);
	if (j->has_epoch) {
		g_autofree char *text = g_strdup_printf("%" PRId64, j->epoch_s);
		g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
		set_bytes(result, "source.date.epoch", id, bytes);
	}
}

static void write_platform(json_writer *w, const char *id, const struct platform *p)
{
	json_object_begin(w);
	json_put_string_member(w, "ID", id);
	json_key(w, "Platform");
	json_object_begin(w);
	json_put_string_member(w, "architecture", p->architecture);
	json_put_string_member(w, "os", p->os);
	json_put_string_member_nonempty(w, "os.version", p->os_version);
	json_put_strings_member_nonempty(w, "os.features", p->os_features,
					 p->os_features ? g_strv_length((char **)p->os_features) : 0);
	json_put_string_member_nonempty(w, "variant", p->variant);
	json_object_end(w);
	json_object_end(w);
}

static build_result *join(struct request *r, struct job *jobs, size_t n)
{
	build_result *result = build_result_new();
	g_autoptr(json_writer) w = json_writer_new(0);
	if (r->o.multi_platform)
		result->refs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, ref_drop);
	json_object_begin(w);
	json_key(w, "Platforms");
	json_array_begin(w);
	for (size_t i = 0; i < n; i++) {
		struct platform p = job_platform(&jobs[i]);
		g_autofree char *id = job_id(&jobs[i]);
		add_job(r, &jobs[i], r->o.multi_platform ? id : NULL, result);
		if (jobs[i].sbom)
			sbom_attest(result, id, g_steal_pointer(&jobs[i].sbom));
		write_platform(w, id, &p);
	}
	json_array_end(w);
	json_object_end(w);
	size_t length;
	g_autofree char *json = json_writer_take(&w, &length);
	build_result_set_metadata(result, "refs.platforms", json, length);
	return result;
}

static bool build(struct request *r, build_result **ret, GError **error)
{
	size_t n = MAX(r->o.platforms.n, 1);
	g_autofree struct job *jobs = g_new0(struct job, n);
	for (size_t i = 0; i < n; i++)
		jobs[i] =
			(struct job){.r = r, .index = i, .platform = r->o.platforms.n ? r->o.platforms.items[i] : NULL};
	thread_each(n, 8, job_run, jobs);
	bool ok = true;
	for (size_t i = 0; ok && i < n; i++) {
		if (jobs[i].error) {
			g_propagate_error(error, g_steal_pointer(&jobs[i].error));
			ok = false;
		}
	}
	if (ok)
		*ret = join(r, jobs, n);
	for (size_t i = 0; i < n; i++)
		job_done(&jobs[i]);
	return ok;
}

/* --- before the build --- */

/*
 * Checks the names in "frontend.caps". An unknown one with "+forward" is reported only if the syntax line does not name
 * another frontend.
 */
static bool check_caps(struct request *r, bool *ret_postponed, GError **error)
{
	static const char *const known[] = {"moby.buildkit.frontend.inputs", "moby.buildkit.frontend.subrequests",
					    "moby.buildkit.frontend.contexts", "moby.buildkit.frontend.gitquerystring",
					    NULL};
	const char *text = options_get(&r->o, "frontend.caps");
	*ret_postponed = false;
	if (!text || !*text)
		return true;
	g_auto(GStrv) caps = csv_parse(text, error);
	if (!caps)
		return false;
	for (size_t i = 0; caps[i]; i++) {
		char *plus = strchr(caps[i], '+');
		if (plus)
			*plus++ = 0;
		if (g_strv_contains(known, caps[i]))
			continue;
		error_set(error, ERROR_UNIMPLEMENTED, "unsupported frontend capability %s", caps[i]);
		if (error && *error) {
			g_autofree char *json = g_strdup_printf("{\"name\":\"%s\"}", caps[i]);
			error_add_detail(*error, "errdefs.FrontendCap", json);
		}
		*ret_postponed = plus && strcmp(plus, "forward") == 0;
		return false;
	}
	return true;
}

static bool forward(struct request *r, const char *source, const char *cmdline, build_result **ret, GError **error)
{
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	for (struct hash_walk it = hash_walk(r->options); hash_walk_next(&it);)
		g_hash_table_insert(options, it.key, it.value);
	g_hash_table_insert(options, (char *)"cmdline", (char *)cmdline);
	g_hash_table_insert(options, (char *)"source", (char *)source);
	struct bridge_solve_request request = {.frontend = "gateway.v0", .options = options, .inputs = r->inputs};
	return r->b->class->solve(r->b, &request, r->work, ret, error);
}

/*
 * Forwards the request to the frontend image named by an argument or by the first line. *ret_done: *ret is the answer.
 */
static bool forward_syntax(struct request *r, build_result **ret, bool *ret_done, GError **error)
{
	struct directive d;
	GError *inner = NULL;
	const char *cmdline = options_get(&r->o, "build-arg:BUILDKIT_SYNTAX");
	*ret_done = false;
	r->o.labs = dockerfile_names_labs(options_get(&r->o, "source"));
	if (options_get(&r->o, "cmdline"))
		return true;
	if (cmdline) {
		g_autofree char *trimmed = g_strstrip(g_strdup(cmdline));
		const char *source = arena_strndup(r->a, trimmed, strcspn(trimmed, " "));
		*ret_done = true;
		if (forward(r, source, cmdline, ret, &inner))
			return true;
		if (!error_has_detail(inner, "errdefs.Source"))
			g_prefix_error(&inner, "failed with build-arg:BUILDKIT_SYNTAX = %s: ", cmdline);
		return error_propagate(error, inner);
	}
	if (!directive_find(r->a, r->file->bytes, r->file->n, "syntax", &d))
		return true;
	if (strcmp(d.word, "dockerfile.v0") == 0 ||
	    (r->b->class->serves_frontend && r->b->class->serves_frontend(r->b, d.word, r->options, r->work))) {
		r->o.labs = dockerfile_names_labs(d.word);
		return true; /* this frontend answers instead of an image */
	}
	*ret_done = true;
	if (forward(r, d.word, d.value, ret, &inner))
		return true;
	if (!error_has_detail(inner, "errdefs.Source")) {
		struct vec where = {0};
		arena_push(r->a, &where, &d.span);
		source_error_add(&inner, r->file, &where);
	}
	return error_propagate(error, inner);
}

static bool answer(struct request *r, build_result **ret, GError **error)
{
	bool done = false, postponed;
	g_autoptr(GError) caps = NULL;
	if (!check_caps(r, &postponed, &caps) && !postponed)
		return error_propagate(error, g_steal_pointer(&caps));
	r->x = context_new(r->b, &r->o, r->inputs, r->work, error);
	r->file = r->x ? context_read_dockerfile(r->x, error) : NULL;
	if (!r->file)
		return false;
	if (!forward_syntax(r, ret, &done, error))
		return false;
	if (done)
		return true;
	if (caps)
		return error_propagate(error, g_steal_pointer(&caps));
	const char *id = options_get(&r->o, "requestid");
	if (id && *id)
		return subrequest_answer(id, r->x, r->file, send_warning, r, ret, error);
	if (r->o.sbom.generator) {
		r->generator =
			sbom_generator_new(r->b, &r->o.sbom, &r->o.build_platform, r->o.resolve_mode, r->work, error);
		if (!r->generator)
			return false;
	}
	return build(r, ret, error);
}

static bool solve(bridge *b, GHashTable *options, GHashTable *inputs, struct work *work, build_result **ret,
		  GError **error)
{
	g_autoptr(arena) a = arena_new();
	struct request r = {.b = b, .options = options, .inputs = inputs, .work = work, .a = a};
	size_t n = 0;
	const struct platform *platforms = b->class->platforms ? b->class->platforms(b, &n) : NULL;
	bool ok = options_read(a, options, platforms, n, &r.o, error) && answer(&r, ret, error);
	sbom_generator_free(r.generator);
	context_free(r.x);
	options_clear(&r.o);
	if (!ok && error && *error) {
		/* In upstream's answers, Dockerfile errors have no code; clients print the name of any code but UNKNOWN. */
		if (error_is(*error, ERROR_INVALID_ARGUMENT))
			(*error)->code = ERROR_UNKNOWN;
		char *text = (*error)->message;
		(*error)->message = url_redact_copy(text);
		g_free(text);
	}
	return ok;
}

const struct frontend dockerfile_frontend = {"dockerfile.v0", solve};
