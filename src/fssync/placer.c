/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creates announced entries beneath the destination in order. The directories from the root down to the current one are
 * open; in each, the previous names are compared with the announced ones, both sorted: names that are skipped were not
 * announced and are removed. So entries are only modified through the open fd of their directory, and a path of the
 * peer is never looked up as a whole (except for the parents of hard link targets, beneath the root and without
 * following links).
 *
 * This does not use os/tree_walk: the peer's announcements decide where it goes next, and the reader thread keeps
 * directories open whose files it still receives, so a directory is a counted object (dest_dir).
 */
#include "base/ident.h"
#include "base/limits.h"
#include "format/gotype.h"
#include "os/dirlist.h"
#include "fssync/receiver.h"
#include "fssync/stat_read.h"
#include "os/path.h"
#include <string.h>

enum { OPEN_LEVELS = 8 }; /* outer directories are closed, unless their files are still being received */

#define METADATA_BYTES_MAX MIB(256) /* of the file of announcements */

/* A directory of the current path. */
struct frame {
	dest_dir *dir;       /* ref */
	char *path;          /* owned, "" for the root */
	char *last;          /* owned: the last announced name in it */
	struct dirlist list; /* its previous entries, unless merging or new */
	size_t next;
	bool is_new;
};

struct placer {
	struct receiver *r;
	int dest_fd;
	GArray *frames;      /* of struct frame */
	inode_table *inodes; /* of previous entries in the destination: hard links are compared by name */
	GHashTable *files;   /* set of hashes of announced paths that a hard link may refer to */
	GHashTable *changed; /* set of hashes of changed paths: links to them are created again */
	/* metadata only */
	GPtrArray *parents;          /* of struct fssync_stat *: directories not created yet */
	GArray *announced;           /* of struct frame, without dir: where the last announcement is */
	GHashTable *announced_files; /* as files */
	uint64_t seed;
};

static void frame_clear(void *data)
{
	struct frame *f = data;
	g_clear_pointer(&f->dir, dest_dir_unref);
	g_free(f->path);
	g_free(f->last);
	dirlist_clear(&f->list);
}

static struct frame *frame_top(struct placer *p)
{
	return &g_array_index(p->frames, struct frame, p->frames->len - 1);
}

static bool bad_path(const char *what, const char *path, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "%s %s: invalid argument", what, path);
}

/* Checks that a path is clean, relative and below the root. */
static bool path_check(const char *path, GError **error)
{
	unsigned depth = 0;
	if (path[0] == '/')
		return bad_path("absolute path", path, error);
	if (strcmp(path, "..") == 0 || g_str_has_prefix(path, "../"))
		return bad_path("escape check", path, error);
	for (const char *p = path;; p++) {
		size_t n = strcspn(p, "/");
		bool dots = (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.');
		if (n == 0 || n > 255 || dots || ++depth > (unsigned)LIMIT_PATH_DEPTH)
			return bad_path("unclean path", path, error);
		p += n;
		if (!*p)
			return true;
	}
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* Reports whether directory f contains path, directly or indirectly. */
static bool frame_holds(const struct frame *f, const char *path, bool *ret_directly)
{
	size_t n = strlen(f->path);
	if (n > 0 && !path_is_below(path, f->path))
		return false;
	*ret_directly = !strchr(path + (n ? n + 1 : 0), '/');
	return true;
}

/* FNV-1a with a random seed, so that a peer cannot construct collisions. */
static void *path_hash(const struct placer *p, const char *path)
{
	uint64_t hash = p->seed ^ 0xcbf29ce484222325;
	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3;
	return GSIZE_TO_POINTER(hash ^ hash >> 32);
}

/* ---- removal */

static bool remove_entry(struct placer *p, struct frame *f, const char *name, GError **error)
{
	if (!dest_remove(f->dir, name, error))
		return error_prefix(error, "failed to remove: ");
	struct entry *e = g_new0(struct entry, 1);
	e->stat.path = *f->path ? g_strconcat(f->path, "/", name, NULL) : g_strdup(name);
	e->change = FSSYNC_REMOVED;
	e->done = true;
	return receiver_report(p->r, e, error);
}

/* Removes entries before name (NULL: all remaining ones). ret_found: name itself existed. */
static bool frame_advance(struct placer *p, struct frame *f, const char *name, bool *ret_found, GError **error)
{
	*ret_found = false;
	for (; f->next < f->list.n; f->next++) {
		const char *there = dirlist_name(&f->list, f->next);
		int order = name ? strcmp(there, name) : -1;
		if (order > 0)
			break;
		if (order == 0) {
			*ret_found = true;
			f->next++;
			break;
		}
		if (!remove_entry(p, f, there, error))
			return false;
	}
	return true;
}

static bool frame_pop(struct placer *p, GError **error)
{
	bool ignored, ok = frame_advance(p, frame_top(p), NULL, &ignored, error);
	guint n = p->frames->len;
	if (ok && n > 1)
		ok = dest_dir_resume(g_array_index(p->frames, struct frame, n - 2).dir, frame_top(p)->dir, error);
	g_array_set_size(p->frames, p->frames->len - 1);
	return ok;
}

/* Takes ownership of dir. */
static bool frame_push(struct placer *p, dest_dir *dir, const char *path, bool is_new, GError **error)
{
	struct frame f = {.dir = dir, .path = g_strdup(path), .is_new = is_new};
	bool ok = is_new || p->r->options->merge || dirlist_read(&f.list, dest_dir_fd(dir), error);
	g_array_append_val(p->frames, f);
	if (p->frames->len > OPEN_LEVELS)
		dest_dir_suspend(g_array_index(p->frames, struct frame, p->frames->len - 1 - OPEN_LEVELS).dir);
	return ok;
}

/* ---- creation */

/* f contains path, possibly indirectly. */
static bool check_order(struct frame *f, const char *path, bool directly, GError **error)
{
	const char *base = base_of(path);
	if (!directly || (f->last && strcmp(f->last, base) >= 0)) {
		g_autofree char *before = path_join(f->path, f->last ? f->last : "");
		g_autofree char *quoted = go_quote(path), *quoted_before = go_quote(before);
		return error_set(error, ERROR_INVALID_ARGUMENT, "changes out of order: %s %s", quoted, quoted_before);
	}
	g_free(f->last);
	f->last = g_strdup(base);
	return true;
}

/* Makes the frame of path's directory the top one, and checks the order. */
static bool enter_parent(struct placer *p, const char *path, GError **error)
{
	bool directly = false;
	while (!frame_holds(frame_top(p), path, &directly))
		if (!frame_pop(p, error))
			return false;
	return check_order(frame_top(p), path, directly, error);
}

static bool check_link(struct placer *p, GHashTable *files, const struct fssync_stat *stat, GError **error)
{
	if (stat->mode & (FSSYNC_MODE_DIR | FSSYNC_MODE_SYMLINK))
		return true;
	if (!*stat->linkname) {
		g_hash_table_add(files, path_hash(p, stat->path));
		return true;
	}
	if (g_hash_table_contains(files, path_hash(p, stat->linkname)))
		return true;
	g_autofree char *quoted = go_quote(stat->linkname);
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid link %s to unknown path: %s", stat->path, quoted);
}

/* Finds the destination's entry of that name. */
static bool look_up(struct placer *p, struct frame *f, const char *path, bool *ret_exists, struct fssync_stat *ret_old,
		    GError **error)
{
	struct stat st;
	const char *name = base_of(path);
	*ret_exists = p->r->options->merge && !f->is_new;
	if (!*ret_exists && !frame_advance(p, f, name, ret_exists, error))
		return false;
	if (!*ret_exists)
		return true;
	enum stat_read_result r = stat_read(dest_dir_fd(f->dir), name, path, p->inodes, ret_old, &st, error);
	*ret_exists = r == STAT_READ_OK;
	if (r == STAT_READ_OK)
		inode_table_note(p->inodes, &st, path);
	return r != STAT_READ_FAILED;
}

static bool is_same(const struct placer *p, const struct fssync_stat *old, const struct fssync_stat *new)
{
	const struct fssync_receive_options *o = p->r->options;
	if (o->merge || o->diff_none)
		return false;
	if (*new->linkname && g_hash_table_contains(p->changed, path_hash(p, new->linkname)))
		return false;
	if (!(new->mode &FSSYNC_MODE_DIR) && (old->size != new->size || old->mtime_ns != new->mtime_ns))
		return false;
	return old->mode == new->mode && old->uid == new->uid && old->gid == new->gid &&
	       old->devmajor == new->devmajor &&
	       old->devminor == new->devminor &&strcmp(old->linkname, new->linkname) == 0;
}

static bool place_directory(struct placer *p, struct entry *e, bool exists, bool same, GError **error)
{
	struct receiver *r = p->r;
	dest_dir *parent = frame_top(p)->dir;
	const char *name = base_of(e->stat.path);
	dest_dir *dir = exists ? dest_dir_open(&r->how, parent, name, &e->stat, !same, error)
			       : dest_dir_make(&r->how, parent, name, &e->stat, error);
	return dir && frame_push(p, dir, e->stat.path, !exists, error);
}

static bool place_link(struct placer *p, struct entry *e, bool exists, GError **error)
{
	const char *target = e->stat.linkname, *slash = strrchr(target, '/');
	g_autofree char *directory = slash ? g_strndup(target, (gsize)(slash - target)) : g_strdup(".");
	/* A file that replaces an entry gets its name only when it is complete. */
	if (!path_check(target, error) || !receiver_wait(p->r, target, error))
		return false;
	scoped_fd fd = path_open(p->dest_fd, directory, O_PATH | O_DIRECTORY | O_CLOEXEC, PATH_BENEATH, error);
	if (fd < 0)
		return false;
	return dest_make_link(&p->r->how, frame_top(p)->dir, base_of(e->stat.path), exists, fd, base_of(target), error);
}

static bool place_file(struct placer *p, struct entry *e, bool exists, GError **error)
{
	struct receiver *r = p->r;
	if (!dest_file_create(&r->how, frame_top(p)->dir, base_of(e->stat.path), exists, &e->stat, &e->file, error))
		return false;
	e->has_file = true;
	e->has_temp = exists;
	if (r->options->hash_begin)
		e->hash = r->options->hash_begin(r->options->hash_data, &e->stat);
	return receiver_request(r, e, error);
}

static bool place_by_type(struct placer *p, struct entry *e, bool exists, GError **error)
{
	const struct fssync_stat *stat = &e->stat;
	struct frame *f = frame_top(p);
	if (*stat->linkname && !(stat->mode & FSSYNC_MODE_SYMLINK))
		return place_link(p, e, exists, error);
	if (stat->mode & (FSSYNC_MODE_DEVICE | FSSYNC_MODE_PIPE | FSSYNC_MODE_SYMLINK))
		return dest_make_special(&p->r->how, f->dir, base_of(stat->path), exists, stat, error);
	if (stat->mode & FSSYNC_MODE_TYPE)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid file mode %o of %s", stat->mode, stat->path);
	return place_file(p, e, exists, error);
}

/* Creates one entry. */
static bool place(struct placer *p, struct entry *e, GError **error)
{
	struct fssync_stat old = {0};
	struct frame *f = frame_top(p);
	bool exists = false, is_dir = e->stat.mode & FSSYNC_MODE_DIR;
	if (!look_up(p, f, e->stat.path, &exists, &old, error))
		return false;
	bool same = exists && is_same(p, &old, &e->stat), was_dir = exists && (old.mode & FSSYNC_MODE_DIR);
	fssync_stat_clear(&old);
	e->change = same ? FSSYNC_UNCHANGED : exists ? FSSYNC_MODIFIED : FSSYNC_ADDED;
	if (exists && is_dir != was_dir) {
		if (!dest_remove(f->dir, base_of(e->stat.path), error))
			return false;
		exists = false;
	}
	if (is_dir)
		return place_directory(p, e, exists, same, error);
	if (same)
		return true;
	if (e->change == FSSYNC_MODIFIED)
		g_hash_table_add(p->changed, path_hash(p, e->stat.path));
	return place_by_type(p, e, exists, error);
}

/* Takes ownership of stat. */
static bool place_stat(struct placer *p, struct fssync_stat *stat, GError **error)
{
	const struct fssync_receive_options *o = p->r->options;
	struct entry *e = g_new0(struct entry, 1);
	e->stat = *stat;
	e->id = p->r->next_id - 1;
	e->stat.mode &= ~FSSYNC_MODE_SOCKET;
	if (o->set_owner) {
		e->stat.uid = o->owner_uid;
		e->stat.gid = o->owner_gid;
	}
	if (!path_check(e->stat.path, error) || !enter_parent(p, e->stat.path, error) ||
	    !check_link(p, p->files, &e->stat, error)) {
		entry_free(e);
		return false;
	}
	bool ok = place(p, e, error);
	if (ok && !e->requested)
		e->done = true;
	/* The reader also uses a requested file: from here on only the queue frees it. */
	return receiver_report(p->r, e, ok ? error : NULL) && ok;
}

/* ---- transfers of metadata only */

static void stat_free(void *data)
{
	fssync_stat_clear(data);
	g_free(data);
}

static bool metadata_add(struct receiver *r, GError **error)
{
	uint32_t n = GUINT32_TO_LE((uint32_t)r->stat.len);
	if (r->metadata->len + sizeof(n) + r->stat.len > (size_t)METADATA_BYTES_MAX)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "too many entries in transfer");
	g_byte_array_append(r->metadata, (const uint8_t *)&n, sizeof(n));
	g_byte_array_append(r->metadata, r->stat.ptr, (guint)r->stat.len);
	return true;
}

/* The order of all announcements, most of which are not placed. */
static bool check_announced(struct placer *p, const struct fssync_stat *stat, GError **error)
{
	bool directly = false;
	while (!frame_holds(&g_array_index(p->announced, struct frame, p->announced->len - 1), stat->path, &directly))
		g_array_set_size(p->announced, p->announced->len - 1);
	struct frame *f = &g_array_index(p->announced, struct frame, p->announced->len - 1);
	if (!check_order(f, stat->path, directly, error) || !check_link(p, p->announced_files, stat, error))
		return false;
	if (stat->mode & FSSYNC_MODE_DIR) {
		struct frame inner = {.path = g_strdup(stat->path)};
		g_array_append_val(p->announced, inner);
	}
	return true;
}

/* Keeps the directories of p->parents that contain path. */
static void parents_keep(GPtrArray *parents, const char *path)
{
	while (parents->len > 0) {
		const char *last = ((struct fssync_stat *)parents->pdata[parents->len - 1])->path;
		if (path_is_below(path, last))
			return;
		g_ptr_array_set_size(parents, (gint)parents->len - 1);
	}
}

/* Places the directories that were announced before an entry and are not created yet. */
static bool place_parents(struct placer *p, GError **error)
{
	bool ok = true;
	for (guint i = 0; ok && i < p->parents->len; i++) {
		struct fssync_stat *stat = p->parents->pdata[i];
		ok = place_stat(p, stat, error);
		*stat = (struct fssync_stat){0};
	}
	g_ptr_array_set_size(p->parents, 0);
	return ok;
}

/* Takes ownership of stat. A directory is created only with an entry in it, or if it is wanted itself. */
static bool place_if_wanted(struct placer *p, struct fssync_stat *stat, GError **error)
{
	const struct fssync_receive_options *o = p->r->options;
	bool is_valid = path_check(stat->path, error) && check_announced(p, stat, error);
	bool is_own = strcmp(stat->path, FSSYNC_METADATA_NAME) == 0;
	if (!is_valid || is_own || !metadata_add(p->r, error)) {
		fssync_stat_clear(stat);
		return is_valid && is_own;
	}
	parents_keep(p->parents, stat->path);
	if (o->wanted && o->wanted(o->wanted_data, stat->path)) {
		if (place_parents(p, error))
			return place_stat(p, stat, error);
		fssync_stat_clear(stat);
		return false;
	}
	if (stat->mode & FSSYNC_MODE_DIR)
		g_ptr_array_add(p->parents, g_memdup2(stat, sizeof *stat));
	else
		fssync_stat_clear(stat);
	return true;
}

/* ---- */

static bool place_all(struct placer *p, GError **error)
{
	bool (*take)(struct placer *, struct fssync_stat *, GError **) =
		p->r->options->metadata_only ? place_if_wanted : place_stat;
	GError *failure = NULL;
	struct fssync_stat stat;
	while (receiver_next_stat(p->r, &stat, &failure))
		if (!take(p, &stat, error) || !cancel_check(p->r->transfer.cancel, error))
			return false;
	if (failure)
		return error_propagate(error, failure);
	while (p->frames->len > 0)
		if (!frame_pop(p, error))
			return false;
	return true;
}

bool placer_run(struct receiver *r, int dest_fd, GError **error)
{
	struct placer p = {.r = r, .dest_fd = dest_fd};
	g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(struct frame));
	g_array_set_clear_func(frames, frame_clear);
	g_autoptr(GHashTable) files = g_hash_table_new(NULL, NULL);
	g_autoptr(GHashTable) changed = g_hash_table_new(NULL, NULL);
	g_autoptr(inode_table) inodes = inode_table_new();
	p.frames = frames;
	p.files = files;
	p.changed = changed;
	p.inodes = inodes;
	g_autoptr(GPtrArray) parents = g_ptr_array_new_with_free_func(stat_free);
	p.parents = parents;
	g_autoptr(GArray) announced = g_array_new(FALSE, FALSE, sizeof(struct frame));
	g_array_set_clear_func(announced, frame_clear);
	struct frame top = {.path = g_strdup("")};
	g_array_append_val(announced, top);
	p.announced = announced;
	g_autoptr(GHashTable) announced_files = g_hash_table_new(NULL, NULL);
	p.announced_files = announced_files;
	random_bytes(&p.seed, sizeof(p.seed));
	int fd = openat(dest_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "open destination");
	return frame_push(&p, dest_dir_new(fd), "", false, error) && place_all(&p, error);
}
