/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/git_url.h"
#include "format/git_address.h"
#include "format/gotype.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

/* The parts of an address, in the arena. query and fragment are NULL if missing. */
struct address {
	const char *scheme; /* scheme in lower case */
	const char *host, *path;
	const char *query, *fragment;
	const char *remote; /* URL that is passed to git */
};

static const char *cut(arena *a, const char *text, char at, const char **ret_rest)
{
	const char *found = strchr(text, at);
	*ret_rest = found ? found + 1 : NULL;
	return found ? arena_strndup(a, text, (size_t)(found - text)) : text;
}

static const char *unescape(arena *a, const char *text)
{
	g_autofree char *plain = g_uri_unescape_string(text, NULL);
	return plain ? arena_strdup(a, plain) : text;
}

static bool parse_remote(arena *a, const char *text, struct address *ret)
{
	g_auto(git_address) parsed = {0};
	if (!git_address_parse(text, &parsed))
		return false;
	*ret = (struct address){
		.scheme = arena_strdup(a, parsed.scheme),
		.host = arena_strdup(a, parsed.host),
		.path = arena_strdup(a, parsed.path),
		.query = arena_strdup(a, parsed.query),
		.fragment = arena_strdup(a, parsed.fragment),
		.remote = arena_strdup(a, parsed.remote),
	};
	return true;
}

static bool bad_value(const char *key, const char *value, const char *hint, GError **error)
{
	g_autofree char *quoted = go_quote(value);
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid %s value: %s%s", key, quoted, hint);
}

struct query {
	const char *tag, *branch;
	struct vec seen;
};

static bool set_bool(const char *key, const char *value, int *ret, GError **error)
{
	bool on = true;
	if (*value && !bool_parse(value, &on, NULL))
		return bad_value(key, value, "", error);
	*ret = on;
	return true;
}

static bool set_text(const char *what, const char *value, const char **ret, GError **error)
{
	if (**ret && strcmp(*ret, value) != 0) {
		g_autofree char *first = go_quote(*ret), *second = go_quote(value);
		return error_set(error, ERROR_INVALID_ARGUMENT, "%s conflicts: %s vs %s", what, first, second);
	}
	*ret = value;
	return true;
}

static bool set_query(struct git_url *u, struct query *q, const char *key, const char *value, GError **error)
{
	int fetch = 0;
	bool flag = strcmp(key, "submodules") == 0 || strcmp(key, "keep-git-dir") == 0 ||
		    strcmp(key, "fetch-by-commit") == 0;
	g_autofree char *quoted = go_quote(key);
	if (!*value && !flag)
		return error_set(error, ERROR_INVALID_ARGUMENT, "query %s has no value", quoted);
	if (strcmp(key, "ref") == 0)
		return set_text("ref", value, &u->ref, error);
	if (strcmp(key, "subdir") == 0)
		return set_text("subdir", value, &u->subdir, error);
	if (strcmp(key, "tag") == 0)
		q->tag = value;
	else if (strcmp(key, "branch") == 0)
		q->branch = value;
	else if (strcmp(key, "checksum") == 0 || strcmp(key, "commit") == 0)
		u->checksum = value;
	else if (strcmp(key, "keep-git-dir") == 0)
		return set_bool(key, value, &u->keep_git_dir, error);
	else if (strcmp(key, "submodules") == 0)
		return set_bool(key, value, &u->submodules, error);
	else if (strcmp(key, "fetch-by-commit") == 0) {
		if (!set_bool(key, value, &fetch, error))
			return false;
		u->fetch_by_commit = fetch == 1;
	} else if (strcmp(key, "mtime") == 0) {
		if (strcmp(value, "checkout") != 0 && strcmp(value, "commit") != 0)
			return bad_value(key, value, " (must be \"checkout\" or \"commit\")", error);
		u->mtime = value;
	} else {
		return error_set(error, ERROR_INVALID_ARGUMENT, "unexpected query %s", quoted);
	}
	return true;
}

static bool qualify(arena *a, struct git_url *u, const char *name, const char *prefix, GError **error)
{
	if (!g_str_has_prefix(name, prefix))
		name = arena_printf(a, "%s%s", prefix, name);
	return set_text("ref", name, &u->ref, error);
}

static bool parse_query(arena *a, const char *text, struct git_url *u, GError **error)
{
	struct query q = {0};
	g_auto(GStrv) parts = g_strsplit(text, "&", -1);
	for (size_t i = 0; parts[i]; i++) {
		const char *value;
		if (!*parts[i])
			continue;
		const char *key = unescape(a, cut(a, arena_strdup(a, parts[i]), '=', &value));
		if (vec_has(&q.seen, key))
			return error_set(error, ERROR_INVALID_ARGUMENT, "query %s has multiple values",
					 text_quote(a, key));
		arena_push(a, &q.seen, key);
		if (!set_query(u, &q, key, unescape(a, value ? value : ""), error))
			return false;
	}
	if (q.tag && !qualify(a, u, q.tag, "refs/tags/", error))
		return false;
	if (q.branch && q.tag)
		return error_set(error, ERROR_INVALID_ARGUMENT, "branch conflicts with tag");
	return !q.branch || qualify(a, u, q.branch, "refs/heads/", error);
}

bool git_url_parse(arena *a, const char *text, struct git_url *ret, bool *ret_is_git, GError **error)
{
	struct address r = {0};
	*ret = (struct git_url){
		.ref = "", .subdir = "", .checksum = "", .mtime = "", .keep_git_dir = -1, .submodules = -1};
	*ret_is_git = false;
	if (g_str_has_prefix(text, "./") || g_str_has_prefix(text, "../"))
		return true;
	ret->local_looking = g_str_has_prefix(text, "github.com/");
	if (!parse_remote(a, ret->local_looking ? arena_printf(a, "https://%s", text) : text, &r))
		return true;
	if (!ret->local_looking && g_str_has_prefix(r.scheme, "http") && !g_str_has_suffix(r.path, ".git"))
		return true;
	*ret_is_git = true;
	ret->remote = ret->local_looking ? strstr(r.remote, "://") + 3 : r.remote;
	if (r.fragment && *r.fragment) {
		const char *subdir;
		ret->ref = cut(a, r.fragment, ':', &subdir);
		ret->subdir = text_path_rooted(a, subdir ? subdir : "") + 1;
	}
	return !r.query || parse_query(a, r.query, ret, error);
}

static void put(arena *a, struct vec *v, const char *key, const char *value)
{
	arena_push(a, v, key);
	arena_push(a, v, value);
}

const char *git_url_source(arena *a, const struct git_url *u, bool keep_git_dir, const char *checksum,
			   const char *mtime, const char *const **ret_attrs)
{
	struct vec attrs = {0};
	struct address r = {0};
	const char *url = u->local_looking ? arena_printf(a, "https://%s", u->remote) : u->remote;
	const char *id = url;
	if (parse_remote(a, url, &r)) {
		id = arena_printf(a, "%s%s", r.host, text_path_rooted(a, r.path));
		if (*u->ref || *u->subdir)
			id = arena_printf(a, "%s#%s%s%s", id, u->ref, *u->subdir ? ":" : "", u->subdir);
	}
	if (keep_git_dir)
		put(a, &attrs, "git.keepgitdir", "true");
	put(a, &attrs, "git.fullurl", url);
	put(a, &attrs, "git.authtokensecret", "GIT_AUTH_TOKEN");
	put(a, &attrs, "git.authheadersecret", "GIT_AUTH_HEADER");
	if (r.scheme && strcmp(r.scheme, "ssh") == 0)
		put(a, &attrs, "git.mountsshsock", "default");
	if (*checksum)
		put(a, &attrs, "git.checksum", checksum);
	if (u->submodules == 0)
		put(a, &attrs, "git.skipsubmodules", "true");
	if (*mtime)
		put(a, &attrs, "git.mtime", mtime);
	if (u->fetch_by_commit)
		put(a, &attrs, "git.fetchbycommit", "true");
	*ret_attrs = arena_strv(a, &attrs);
	return arena_printf(a, "git://%s", id);
}
