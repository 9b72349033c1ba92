/* SPDX-License-Identifier: Apache-2.0 */
/* Checks out files of the shared repository, with or without a .git directory. */
#include "source/git.h"
#include "base/ident.h"
#include "base/scope.h"
#include "format/gotype.h"
#include "os/dirlist.h"
#include "os/path.h"
#include "os/tree.h"
#include "os/tree_walk.h"
#include <string.h>

#define OPEN_MODES_COMPAT 10 /* compatibility version in which checkouts ignore the umask */

struct checkout {
	const git_repo *repo;
	const struct git_source *source;
	struct work *work;
	cache_ref *ref;     /* owned until committed */
	int root;           /* owned */
	char *path;         /* owned: of root */
	char *tree;         /* owned: destination of the files: path itself or a directory in it */
	char *git_dir;      /* owned: git directory of the files */
	char temporary[64]; /* name of the directory in root, "" if none */
};

static void checkout_clear(struct checkout *c)
{
	fd_close(&c->root);
	g_free(c->path);
	g_free(c->tree);
	g_free(c->git_dir);
	cache_ref_unref(c->ref);
}

static bool begin(struct checkout *c, GError **error)
{
	const struct git_source *s = c->source;
	cache *store = s->context->cache;
	bool as_bundle = s->shape.checkout_bundle;
	g_autofree char *text = g_strdup_printf("git %s for %s#%s", as_bundle ? "bundle checkout" : "snapshot",
						s->shown, s->found.ref ? s->found.ref : "");
	struct cache_record_options options = {.description = text,
					       .record_type = as_bundle ? NULL : "source.git.checkout",
					       .policy = as_bundle ? CACHE_POLICY_RETAIN : CACHE_POLICY_DEFAULT};
	c->ref = cache_new_mutable(store, NULL, &options, c->work, error);
	c->root = c->ref ? cache_ref_open_tree(store, c->ref, CACHE_TREE_WRITE, c->work, error) : -1;
	if (c->root < 0)
		return false;
	c->path = git_tree_path(c->root, error);
	return c->path != NULL;
}

static struct git_how how_of(const struct checkout *c)
{
	struct git_how how = git_link_how(c->repo->link, c->source);
	how.git_dir = c->git_dir;
	how.work_tree = c->tree;
	how.protocols = NULL;
	return how;
}

/* ---- checkout from the shared repository */

static bool write_files(struct checkout *c, GError **error)
{
	c->git_dir = g_strdup(c->repo->dir);
	if (*c->source->subdir) {
		char id[IDENT_SIZE];
		ident_new(id);
		g_snprintf(c->temporary, sizeof c->temporary, "checkout-%s", id);
		if (mkdirat(c->root, c->temporary, 0755) != 0)
			return error_set_errno(error, errno, "create %s", c->temporary);
		c->tree = g_build_filename(c->path, c->temporary, NULL);
	} else {
		c->tree = g_strdup(c->path);
	}
	struct git_how how = how_of(c);
	return git_run(&how, (const char *[]){"checkout", "--no-overlay", c->source->found.sha, "--", ".", NULL},
		       c->work, NULL, error);
}

/* ---- checkout with a .git directory */

/*
 * Returns the refspec "SOURCE:TARGET", or a commit. The shared repository keeps named refs as tags, so an exact tag
 * must be followed.
 */
static char *own_refspec(const struct checkout *c, GError **error)
{
	const struct git_source *s = c->source;
	const char *ref = s->found.ref, *commit = s->found.sha;
	bool by_commit = s->fetch_by_commit || git_is_commit(s->found.full_ref);
	char id[IDENT_SIZE];
	ident_new(id);
	g_autofree char *kept = by_commit ? g_strconcat("refs/buildkit/", id, NULL) : g_strdup(c->repo->local_ref);
	struct git_how bare = git_repo_how(c->repo);
	/* Refs of a bundle are kept under their names. */
	if ((by_commit || !s->bundle) &&
	    !git_run(&bare, (const char *[]){"update-ref", "--no-deref", kept, commit, NULL}, c->work, NULL, error))
		return NULL;
	if (by_commit && (!ref || git_is_commit(ref)))
		return g_steal_pointer(&kept);
	const char *below = g_str_has_prefix(ref, "refs/") ? "" : *s->found.peeled ? "refs/tags/" : "refs/heads/";
	return g_strconcat(kept, ":", below, ref, NULL);
}

/* Uses file:// because git's optimisation for local paths has copied the targets of links. */
static bool fetch_from_shared(struct checkout *c, const char *refspec, GError **error)
{
	g_autofree char *url = g_filename_to_uri(c->repo->dir, NULL, error);
	if (!url)
		return false;
	struct git_how how = how_of(c);
	how.config = NULL;
	how.protocols = "file";
	/* The checkout may be shared with builds that trust the remote, so a bundle's other tags must not get into it. */
	const char *follow[] = {"fetch", "-u", "--depth=1", "--end-of-options", url, refspec, NULL};
	const char *alone[] = {"fetch", "-u", "--depth=1", "--no-tags", "--end-of-options", url, refspec, NULL};
	return git_run(&how, c->source->bundle ? alone : follow, c->work, NULL, error);
}

static bool make_repository(struct checkout *c, GError **error)
{
	const struct git_source *s = c->source;
	bool long_ids = strlen(s->found.sha) == 64;
	c->tree = g_strdup(c->path);
	c->git_dir = g_build_filename(c->path, ".git", NULL);
	g_autofree char *refspec = own_refspec(c, error);
	struct git_how how = how_of(c);
	how.config = NULL;
	const char *init[] = {"init", long_ids ? "--object-format=sha256" : NULL, NULL};
	const char *origin[] = {"remote", "add", "--", "origin", s->shown, NULL};
	const char *expire[] = {"reflog", "expire", "--all", "--expire=now", NULL};
	if (!refspec || !git_run(&how, init, c->work, NULL, error) || !fetch_from_shared(c, refspec, error) ||
	    !git_run(&how, (const char *[]){"checkout", "FETCH_HEAD", NULL}, c->work, NULL, error) ||
	    !git_run(&how, origin, c->work, NULL, error) || !git_run(&how, expire, c->work, NULL, error))
		return false;
	if (unlinkat(c->root, ".git/FETCH_HEAD", 0) != 0 && errno != ENOENT)
		return error_set_errno(error, errno, "remove FETCH_HEAD");
	return true;
}

/* ---- after both kinds of checkout */

static bool update_submodules(struct checkout *c, GError **error)
{
	g_autofree char *file = g_build_filename(c->tree, ".gitmodules", NULL);
	if (c->source->shape.skip_submodules || access(file, F_OK) != 0)
		return true;
	struct git_how how = how_of(c);
	how.protocols = GIT_PROTOCOLS;
	const char *args[] = {"submodule", "update", "--init", "--recursive", "--progress", "--depth=1", NULL};
	g_autoptr(GError) why = NULL;
	if (git_run(&how, args, c->work, NULL, &why))
		return true;
	args[G_N_ELEMENTS(args) - 2] = NULL;
	if (git_lacks_depth(why) && git_run(&how, args, c->work, NULL, error))
		return true;
	if (!git_lacks_depth(why))
		g_propagate_error(error, g_steal_pointer(&why));
	return error_prefix(error, "failed to update submodules for %s: ", c->source->shown);
}

/* Every component must be a directory of the repository: links are not followed. */
static bool check_components(int top, const char *subdir, GError **error)
{
	for (const char *end = subdir; *end;) {
		end += strspn(end, "/");
		end += strcspn(end, "/");
		g_autofree char *part = g_strndup(subdir, (gsize)(end - subdir));
		g_autofree char *quoted = go_quote(part), *whole = go_quote(subdir);
		struct stat st;
		scoped_fd fd = path_open_errno(top, part, O_PATH | O_NOFOLLOW, PATH_BENEATH);
		if (fd < 0)
			return error_set_errno(error, -fd, "invalid subdir %s: failed to lstat %s: statat %s", subdir,
					       quoted, part);
		if (fstat(fd, &st) != 0)
			return error_set_errno(error, errno, "stat %s", part);
		if (!S_ISDIR(st.st_mode))
			return error_set(error, ERROR_INVALID_ARGUMENT,
					 "invalid subdir %s: git subpath %s contains non-directory %s", subdir, whole,
					 quoted);
	}
	return true;
}

static bool move_entries(int from, int to, GError **error)
{
	scoped_dirlist list = {0};
	if (!dirlist_read(&list, from, error))
		return false;
	for (size_t i = 0; i < list.n; i++)
		if (renameat(from, dirlist_name(&list, i), to, dirlist_name(&list, i)) != 0)
			return error_set_errno(error, errno, "move %s", dirlist_name(&list, i));
	return true;
}

static bool raise_subdir(struct checkout *c, GError **error)
{
	if (!*c->temporary)
		return true;
	const char *subdir = c->source->subdir;
	scoped_fd top = openat(c->root, c->temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0)
		return error_set_errno(error, errno, "open %s", c->temporary);
	if (!check_components(top, subdir, error))
		return false;
	scoped_fd from = path_open(top, subdir, O_RDONLY | O_DIRECTORY, PATH_BENEATH, error);
	return from >= 0 && move_entries(from, c->root, error) && tree_remove_at(c->root, c->temporary, error);
}

/* The tree does not change meanwhile, so the name still refers to the regular file. */
bool git_open_modes(int root, GError **error)
{
	const struct tree_walk_options options = {.one_mount = true};
	g_autoptr(tree_walk) w = tree_walk_open(root, &options, error);
	for (const struct tree_entry *e; w && (e = tree_walk_next(w, error));) {
		struct stat st;
		if (e->left)
			continue;
		if (fstatat(e->dir_fd, e->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			return error_set_errno(error, errno, "stat %s", e->path);
		if (S_ISDIR(st.st_mode) && !tree_walk_enter(w, error))
			return false;
		if (S_ISREG(st.st_mode) && (st.st_mode & 0111) == 0 &&
		    fchmodat(e->dir_fd, e->name, (st.st_mode & 07777) | 0222, 0) != 0)
			return error_set_errno(error, errno, "chmod %s", e->path);
	}
	return w && tree_walk_is_done(w);
}

static bool apply_compat_version(struct checkout *c, GError **error)
{
	return c->work->compat_version != OPEN_MODES_COMPAT || git_open_modes(c->root, error) ||
	       error_prefix(error, "failed to normalize compatibility file modes for %s: ", c->source->shown);
}

/* Directories are handled after their contents. */
static bool set_times(int root, const struct timespec times[2], GError **error)
{
	const struct tree_walk_options options = {.one_mount = true};
	g_autoptr(tree_walk) w = tree_walk_open(root, &options, error);
	for (const struct tree_entry *e; w && (e = tree_walk_next(w, error));) {
		struct stat st;
		if (!e->left && fstatat(e->dir_fd, e->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			return error_set_errno(error, errno, "stat %s", e->path);
		if (!e->left && S_ISDIR(st.st_mode)) {
			if (!tree_walk_enter(w, error))
				return false;
		} else if (e->left ? futimens(e->dir_fd, times) != 0
				   : utimensat(e->dir_fd, e->name, times, AT_SYMLINK_NOFOLLOW) != 0) {
			return error_set_errno(error, errno, "set times of %s", e->path);
		}
	}
	return w && tree_walk_is_done(w);
}

static bool use_commit_time(struct checkout *c, GError **error)
{
	if (!c->source->shape.mtime_commit)
		return true;
	g_autofree char *name = g_strconcat(c->source->found.sha, "^{commit}", NULL);
	struct git_how how = git_repo_how(c->repo);
	g_autofree char *text =
		git_run_line(&how, (const char *[]){"log", "-1", "--format=%ct", name, NULL}, c->work, error);
	int64_t seconds;
	if (!text || !int_parse(text, 10, &seconds, error))
		return error_prefix(error, "failed to get commit time for %s: ", c->source->shown);
	const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
	return set_times(c->root, times, error);
}

static bool fill(struct checkout *c, GError **error)
{
	bool own = c->source->shape.keep_git_dir && !*c->source->subdir;
	if (own ? make_repository(c, error) : write_files(c, error))
		return true;
	return error_prefix(error, "failed to checkout remote %s: ", c->source->shown);
}

static bool write_tree(struct checkout *c, GError **error)
{
	if (c->source->shape.checkout_bundle)
		return git_bundle_write(c->repo, c->root, c->path, c->work, error);
	return fill(c, error) && update_submodules(c, error) && raise_subdir(c, error) &&
	       apply_compat_version(c, error) && use_commit_time(c, error);
}

cache_ref *git_checkout(const git_repo *r, struct work *work, GError **error)
{
	__attribute__((cleanup(checkout_clear))) struct checkout c = {
		.repo = r, .source = r->source, .work = work, .root = -1};
	if (!begin(&c, error) || !write_tree(&c, error))
		return NULL;
	fd_close(&c.root);
	return cache_commit(g_steal_pointer(&c.ref), work, error);
}
