/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared repository of a remote: a retained cache record named by the address. Commits are fetched into it when
 * builds need them, shallow if the server supports it. A bundle has a repository named by its digest, which nothing is
 * fetched into: what a client claims to be of a remote does not get into the remote's repository.
 */
#include "source/git.h"
#include "base/scope.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define NAME "git-remote::"
#define BUNDLE_NAME "git-bundle::"

/* Removes lock files of a killed git; the repository is locked by the caller. */
static const char *const stale[] = {"shallow.lock", "index.lock", "packed-refs.lock", "config.lock", "HEAD.lock"};

char *git_tree_path(int fd, GError **error)
{
	g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
	g_autofree char *path = g_file_read_link(link, NULL);
	struct stat by_path, by_fd;
	if (path && stat(path, &by_path) == 0 && fstat(fd, &by_fd) == 0 && by_path.st_dev == by_fd.st_dev &&
	    by_path.st_ino == by_fd.st_ino)
		return g_steal_pointer(&path);
	return error_null(error, ERROR_INTERNAL, "tree of a git source has no path");
}

/* Repositories that need credentials are shared by builds with the same credentials. */
static char *record_name(const struct git_source *s)
{
	if (s->bundle)
		return g_strconcat(BUNDLE_NAME, s->bundle->digest.text, NULL);
	if (!s->user_info)
		return g_strconcat(NAME, s->remote, NULL);
	g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, s->user_info, -1);
	return g_strconcat(NAME, s->remote, " ", hash, NULL);
}

struct git_how git_repo_how(const git_repo *r)
{
	struct git_how how = git_link_how(r->link, r->source);
	how.git_dir = r->dir;
	return how;
}

static bool open_tree(git_repo *r, struct work *work, GError **error)
{
	scoped_fd fd = cache_ref_open_tree(r->source->context->cache, r->ref, CACHE_TREE_WRITE, work, error);
	if (fd < 0)
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(stale); i++)
		unlinkat(fd, stale[i], 0);
	r->dir = git_tree_path(fd, error);
	return r->dir != NULL;
}

static void find_record(git_repo *r, const char *name)
{
	cache *c = r->source->context->cache;
	g_auto(GStrv) ids = cache_find_named(c, name);
	for (char **id = ids; *id && !r->ref; id++)
		r->ref = cache_get_mutable(c, *id, NULL);
}

static bool fill_record(git_repo *r, const struct git_bundle_file *bundle, struct work *work, GError **error)
{
	const struct git_source *s = r->source;
	struct git_how how = git_repo_how(r);
	bool long_ids = bundle ? bundle->long_ids : strlen(s->found.sha) == 64;
	const char *args[] = {"init", "--bare", long_ids ? "--object-format=sha256" : NULL, NULL};
	const char *origin[] = {"remote", "add", "--", "origin", s->remote, NULL};
	return git_run(&how, args, work, NULL, error) && git_run(&how, origin, work, NULL, error) &&
	       (!bundle || git_bundle_import(r, bundle, work, error));
}

static bool make_record(git_repo *r, const char *name, const struct git_bundle_file *bundle, struct work *work,
			GError **error)
{
	const struct git_source *s = r->source;
	g_autofree char *description = bundle ? g_strconcat("git bundle ", s->bundle->text, NULL)
					      : g_strconcat("shared git repo for ", s->shown, NULL);
	struct cache_record_options options = {.description = description, .policy = CACHE_POLICY_RETAIN};
	r->ref = cache_new_mutable(s->context->cache, NULL, &options, work, error);
	if (!r->ref || !open_tree(r, work, error))
		return false;
	if (fill_record(r, bundle, work, error) && cache_ref_set_name(r->ref, name, error))
		return true;
	cache_ref_set_policy(r->ref, CACHE_POLICY_DEFAULT, NULL);
	return false;
}

static bool create_record(git_repo *r, const char *name, struct work *work, GError **error)
{
	if (!r->source->bundle)
		return make_record(r, name, NULL, work, error);
	struct git_bundle_file bundle;
	bool ok = git_bundle_open(r->source, work, &bundle, error) && make_record(r, name, &bundle, work, error);
	git_bundle_close(&bundle);
	return ok;
}

/* ---- fetching */

static bool has_commit(const git_repo *r, struct work *work)
{
	struct git_how how = git_repo_how(r);
	how.quiet = true;
	how.protocols = NULL;
	g_autofree char *name = g_strconcat(r->source->found.sha, "^{commit}", NULL);
	return git_run(&how, (const char *[]){"cat-file", "-e", name, NULL}, work, NULL, NULL);
}

/* depth and refspec may be NULL. */
static bool fetch(const git_repo *r, const char *depth, const char *tags, const char *refspec, struct work *work,
		  GError **error)
{
	g_autoptr(GPtrArray) args = g_ptr_array_new();
	const char *const parts[] = {"fetch",   "--progress",       depth,    tags,
				     "--force", "--end-of-options", "origin", refspec};
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
		if (parts[i])
			g_ptr_array_add(args, (gpointer)parts[i]);
	g_ptr_array_add(args, NULL);
	struct git_how how = git_repo_how(r);
	return git_run(&how, (const char *const *)args->pdata, work, NULL, error);
}

static bool says(const GError *error, const char *text)
{
	return error && strstr(error->message, text) != NULL;
}

bool git_lacks_depth(const GError *error)
{
	return says(error, "--depth") || says(error, "shallow");
}

/* Servers of plain files (dumb HTTP) do not support shallow fetches. */
static bool fetch_shallow(const git_repo *r, const char *refspec, struct work *work, GError **error)
{
	g_autoptr(GError) why = NULL;
	if (r->source->shape.checkout_bundle) /* needs the history */
		return fetch(r, NULL, "--no-tags", refspec, work, error);
	if (fetch(r, "--depth=1", "--no-tags", refspec, work, &why))
		return true;
	if (git_lacks_depth(why))
		return fetch(r, NULL, "--no-tags", refspec, work, error);
	return error_propagate(error, g_steal_pointer(&why));
}

static const char *unshallow(const git_repo *r)
{
	g_autofree char *file = g_build_filename(r->dir, "shallow", NULL);
	return access(file, F_OK) == 0 ? "--unshallow" : NULL;
}

/* Some servers do not send a commit by its id: then fetch all branches, which may contain it. */
static bool fetch_all(const git_repo *r, const char *commit, struct work *work, GError **error)
{
	g_autoptr(GError) why = NULL;
	if (fetch(r, unshallow(r), "--tags", commit, work, &why))
		return true;
	if (says(why, "not our ref") || says(why, "unadvertised object"))
		return fetch(r, unshallow(r), "--tags", NULL, work, error);
	return error_propagate(error, g_steal_pointer(&why));
}

/* A kept .git directory gets the tags of its commit, so that git describe works in it. */
static bool fetch_commit(const git_repo *r, struct work *work, GError **error)
{
	const struct git_source *s = r->source;
	const char *commit = s->found.sha;
	if (s->fetch_by_commit)
		return fetch_shallow(r, commit, work, error);
	if (!s->shape.keep_git_dir && fetch_shallow(r, commit, work, NULL))
		return true;
	return cancel_check(work->cancel, error) && fetch_all(r, commit, work, error);
}

static bool fetch_named(const git_repo *r, struct work *work, GError **error)
{
	g_autofree char *refspec = g_strconcat(r->source->found.full_ref, ":", r->local_ref, NULL);
	return fetch_shallow(r, refspec, work, error);
}

static bool check_bundle(const git_repo *r, struct work *work, GError **error)
{
	const struct git_source *s = r->source;
	if (!*s->found.sha || has_commit(r, work)) /* not resolved yet */
		return true;
	return cancel_check(work->cancel, error) &&
	       error_set(error, ERROR_NOT_FOUND, "commit %s not found in bundle %s", s->found.sha, s->bundle->text);
}

/* The ref may have moved since it was resolved; the resolved commit is used. */
static bool bring_commit(const git_repo *r, struct work *work, GError **error)
{
	const struct git_source *s = r->source;
	if (has_commit(r, work))
		return true;
	bool by_commit = s->fetch_by_commit || git_is_commit(s->found.full_ref);
	if (!by_commit && !fetch_named(r, work, error))
		return false;
	if (!by_commit && has_commit(r, work))
		return true;
	if (!fetch_commit(r, work, error))
		return false;
	if (has_commit(r, work))
		return true;
	return cancel_check(work->cancel, error) &&
	       error_set(
		       error, ERROR_UNKNOWN,
		       "fetched ref %s does not match expected commit %s and commit can not be found in the repository",
		       s->found.ref, s->found.sha);
}

static bool bring(const git_repo *r, struct work *work, GError **error)
{
	if (r->source->bundle)
		return check_bundle(r, work, error);
	/* A bundle is made of a complete history; other checkouts need only the commit. */
	return bring_commit(r, work, error) &&
	       (!r->source->shape.checkout_bundle || !unshallow(r) || fetch_all(r, r->source->found.sha, work, error));
}

/*
 * A fetch can fail because of a moved tag, a branch that became a directory of branches, or a lock of a killed git. A
 * new repository has none of these.
 */
static bool is_worn_out(const GError *why)
{
	return (says(why, "rejected") && says(why, "(would clobber existing tag)")) ||
	       (says(why, "some local refs could not be updated;") &&
		(says(why, "(unable to update local ref)") || says(why, "refname conflict"))) ||
	       says(why, ".lock': File exists") || says(why, "not a git repository") ||
	       says(why, "mismatched algorithms");
}

static bool open_locked(git_repo *r, const char *name, struct work *work, GError **error)
{
	const char *shown = r->source->shown;
	find_record(r, name);
	if (r->ref) {
		g_autoptr(GError) why = NULL;
		if (open_tree(r, work, &why) && bring(r, work, &why))
			return true;
		if (!is_worn_out(why)) {
			g_propagate_prefixed_error(error, g_steal_pointer(&why), "failed to fetch remote %s: ", shown);
			return false;
		}
		cache_forget_named(r->source->context->cache, name, false);
		g_clear_pointer(&r->dir, g_free);
		g_clear_pointer(&r->ref, cache_ref_unref);
	}
	if (!create_record(r, name, work, error))
		return false;
	return bring(r, work, error) || error_prefix(error, "failed to fetch remote %s: ", shown);
}

bool git_repo_open(git_repo *r, struct git_source *s, const git_link *link, struct work *work, GError **error)
{
	g_autofree char *name = record_name(s);
	*r = (git_repo){.source = s, .link = link};
	if (!name_locks_take(s->context->git_locks, name, work->cancel, error))
		return false;
	r->lock = g_strdup(name);
	const char *ref = s->found.full_ref;
	r->local_ref = s->bundle || g_str_has_prefix(ref, "refs/tags/") ? g_strdup(ref)
									: g_strconcat("refs/tags/", s->found.ref, NULL);
	return open_locked(r, name, work, error);
}

void git_repo_clear(git_repo *r)
{
	g_clear_pointer(&r->dir, g_free);
	g_clear_pointer(&r->local_ref, g_free);
	g_clear_pointer(&r->ref, cache_ref_unref);
	if (r->lock)
		name_locks_release(r->source->context->git_locks, r->lock);
	g_clear_pointer(&r->lock, g_free);
}
