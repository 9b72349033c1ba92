/* SPDX-License-Identifier: Apache-2.0 */
#include "cdi/cdi.h"
#include "base/hash_walk.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/scope.h"
#include "os/dirlist.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define CLASS_ANNOTATION "org.mobyproject.buildkit.device.class"
#define AUTO_ALLOW_ANNOTATION "org.mobyproject.buildkit.device.autoallow"

/* A file as it was read last; a file that has not changed since is not read again. */
struct source {
	char *path;
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	cdi_spec *spec; /* counted; NULL: invalid */
	bool used;      /* in the current scan */
};

struct cdi {
	char **dirs, **auto_allowed; /* owned */
	GMutex mu;
	GHashTable *sources;  /* path (borrowed from the value) to struct source, owned; mu */
	GHashTable *reported; /* set of char *: log lines, each written once, owned; mu */
};

struct entry {
	const struct cdi_device *device; /* borrowed from spec */
	cdi_spec *spec;                  /* counted */
	guint priority;
	bool conflict;
};
struct cdi_list {
	gint refs;
	GArray *entries;     /* of struct entry, sorted by full name */
	char **auto_allowed; /* owned */
};

static void source_free(void *data)
{
	struct source *s = data;
	g_free(s->path);
	cdi_spec_unref(s->spec);
	g_free(s);
}

cdi *cdi_new(const char *const *dirs, const char *const *auto_allowed)
{
	cdi *c = g_new0(cdi, 1);
	c->dirs = g_strdupv((char **)(gsize)dirs);
	c->auto_allowed = g_strdupv((char **)(gsize)auto_allowed);
	c->sources = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, source_free);
	c->reported = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_mutex_init(&c->mu);
	return c;
}

void cdi_free(cdi *c)
{
	if (!c)
		return;
	g_strfreev(c->dirs);
	g_strfreev(c->auto_allowed);
	g_hash_table_unref(c->sources);
	g_hash_table_unref(c->reported);
	g_mutex_clear(&c->mu);
	g_free(c);
}

/* Each client asks for the devices: the same line is logged once. Takes line. Requires mu. */
static void report(cdi *c, char *line)
{
	if (g_hash_table_add(c->reported, line))
		log_warn("CDI %s", line);
}

/* ---- reading files */

static GBytes *read_all(int fd, off_t size, GError **error)
{
	if (size > LIMIT_CDI_SPEC_BYTES)
		return error_null(error, ERROR_INVALID_ARGUMENT, "the file has more than %lld bytes",
				  LIMIT_CDI_SPEC_BYTES);
	g_autofree char *bytes = g_malloc((gsize)size + 1);
	gsize have = 0;
	while (have < (gsize)size) {
		ssize_t n = read(fd, bytes + have, (gsize)size - have);
		if (n < 0)
			return error_null_errno(error, errno, "read");
		if (n == 0)
			break;
		have += (gsize)n;
	}
	return g_bytes_new_take(g_steal_pointer(&bytes), have);
}

static cdi_spec *read_spec(int fd, off_t size, GError **error)
{
	g_autoptr(GBytes) bytes = read_all(fd, size, error);
	gsize n;
	const void *start = bytes ? g_bytes_get_data(bytes, &n) : NULL;
	return bytes ? cdi_spec_parse(start ? start : "", n, error) : NULL;
}

static bool is_unchanged(const struct source *s, const struct stat *st)
{
	return s->device == st->st_dev && s->inode == st->st_ino && s->size == st->st_size &&
	       s->modified.tv_sec == st->st_mtim.tv_sec && s->modified.tv_nsec == st->st_mtim.tv_nsec;
}

/* Returns the specification in a file, borrowed; NULL if it is invalid. Requires mu. */
static cdi_spec *load(cdi *c, int dir_fd, const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	g_autoptr(GError) error = NULL;
	struct stat st;
	/* Opening a device can change it. O_NONBLOCK: what has become a FIFO meanwhile must not block. */
	if (fstatat(dir_fd, name, &st, 0) == 0 && !S_ISREG(st.st_mode))
		return NULL;
	scoped_fd fd = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		if (errno != ENOENT)
			report(c, g_strdup_printf("specification %s: %s", path, g_strerror(errno)));
		return NULL;
	}
	if (!S_ISREG(st.st_mode))
		return NULL;
	struct source *s = g_hash_table_lookup(c->sources, path);
	if (s && is_unchanged(s, &st)) {
		s->used = true;
		return s->spec;
	}
	if (!s) {
		s = g_new0(struct source, 1);
		s->path = g_steal_pointer(&path);
		g_hash_table_insert(c->sources, s->path, s);
	}
	g_clear_pointer(&s->spec, cdi_spec_unref);
	s->device = st.st_dev;
	s->inode = st.st_ino;
	s->size = st.st_size;
	s->modified = st.st_mtim;
	s->used = true;
	s->spec = read_spec(fd, st.st_size, &error);
	if (!s->spec)
		log_warn("CDI specification %s: %s", s->path, error->message);
	return s->spec;
}

/* ---- the list */

static gint compare_entries(gconstpointer a, gconstpointer b)
{
	const struct entry *x = a, *y = b;
	return strcmp(x->device->full_name, y->device->full_name);
}

static void entry_clear(void *data)
{
	cdi_spec_unref(((struct entry *)data)->spec);
}

/* Requires mu. */
static void add_spec(cdi *c, cdi_list *list, GHashTable *by_name, cdi_spec *spec, guint priority)
{
	for (guint i = 0; i < spec->devices->len; i++) {
		const struct cdi_device *d = spec->devices->pdata[i];
		struct entry e = {d, spec, priority, false};
		gpointer index;
		if (!g_hash_table_lookup_extended(by_name, d->full_name, NULL, &index)) {
			cdi_spec_ref(spec);
			g_array_append_val(list->entries, e);
			g_hash_table_insert(by_name, d->full_name, GUINT_TO_POINTER(list->entries->len - 1));
			continue;
		}
		struct entry *old = &g_array_index(list->entries, struct entry, GPOINTER_TO_UINT(index));
		if (old->priority == priority) {
			report(c, g_strdup_printf("device %s is not usable: two files define it", d->full_name));
			old->conflict = true;
			continue;
		}
		/* The key belongs to the old specification. */
		g_hash_table_replace(by_name, d->full_name, index);
		cdi_spec_ref(spec);
		cdi_spec_unref(old->spec);
		*old = e;
	}
}

/* Requires mu. */
static void scan_dir(cdi *c, const char *dir, guint priority, cdi_list *list, GHashTable *by_name)
{
	scoped_fd fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirlist names = {0};
	g_autoptr(GError) error = NULL;
	if (fd < 0) {
		if (errno != ENOENT)
			report(c, g_strdup_printf("directory %s: %s", dir, g_strerror(errno)));
		return;
	}
	if (!dirlist_read(&names, fd, &error))
		report(c, g_strdup_printf("directory %s: %s", dir, error->message));
	for (size_t i = 0; i < names.n; i++) {
		const char *name = dirlist_name(&names, i);
		if (!g_str_has_suffix(name, ".json") && !g_str_has_suffix(name, ".yaml"))
			continue;
		cdi_spec *spec = load(c, fd, dir, name);
		if (spec)
			add_spec(c, list, by_name, spec, priority);
	}
	dirlist_clear(&names);
}

static gboolean is_unused(gpointer path, gpointer value, gpointer data)
{
	return !((const struct source *)value)->used;
}

cdi_list *cdi_read(cdi *c)
{
	cdi_list *list = g_new0(cdi_list, 1);
	list->refs = 1;
	list->entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
	g_array_set_clear_func(list->entries, entry_clear);
	list->auto_allowed = g_strdupv(c->auto_allowed);
	g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);
	g_mutex_lock(&c->mu);
	for (struct hash_walk it = hash_walk(c->sources); hash_walk_next(&it);)
		((struct source *)it.value)->used = false;
	for (guint i = 0; c->dirs && c->dirs[i]; i++)
		scan_dir(c, c->dirs[i], i, list, by_name);
	g_hash_table_foreach_remove(c->sources, is_unused, NULL);
	g_mutex_unlock(&c->mu);
	for (guint i = list->entries->len; i-- > 0;)
		if (g_array_index(list->entries, struct entry, i).conflict)
			g_array_remove_index_fast(list->entries, i);
	g_array_sort(list->entries, compare_entries);
	return list;
}

void cdi_list_unref(cdi_list *list)
{
	if (!list || !g_atomic_int_dec_and_test(&list->refs))
		return;
	g_array_unref(list->entries);
	g_strfreev(list->auto_allowed);
	g_free(list);
}

size_t cdi_list_count(const cdi_list *list)
{
	return list->entries->len;
}

static const struct entry *entry_at(const cdi_list *list, size_t i)
{
	return &g_array_index(list->entries, struct entry, i);
}

const struct cdi_device *cdi_list_get(const cdi_list *list, size_t i)
{
	return entry_at(list, i)->device;
}

/* Go's strconv.ParseBool. */
static bool is_true(const char *text)
{
	static const char *const words[] = {"1", "t", "T", "TRUE", "true", "True", NULL};
	return text && g_strv_contains(words, text);
}

bool cdi_list_is_auto_allowed(const cdi_list *list, const struct cdi_device *device)
{
	g_autofree char *kind = g_strndup(device->full_name, strcspn(device->full_name, "="));
	const char *const *names = (const char *const *)list->auto_allowed;
	return (names && (g_strv_contains(names, device->full_name) || g_strv_contains(names, kind))) ||
	       is_true(g_hash_table_lookup(device->annotations, AUTO_ALLOW_ANNOTATION));
}

static int compare_name(const void *name, const void *entry)
{
	return strcmp(name, ((const struct entry *)entry)->device->full_name);
}

static const struct entry *find_entry(const cdi_list *list, const char *full_name)
{
	const GArray *all = list->entries;
	return all->len > 0 ? bsearch(full_name, all->data, all->len, sizeof(struct entry), compare_name) : NULL;
}

const struct cdi_device *cdi_list_lookup(const cdi_list *list, const char *full_name)
{
	const struct entry *e = find_entry(list, full_name);
	return e ? e->device : NULL;
}

/* ---- requests */

struct selection {
	GPtrArray *names;
	GHashTable *set; /* the same names */
};

static bool add_name(struct selection *s, const char *name)
{
	if (g_hash_table_add(s->set, (void *)(gsize)name))
		g_ptr_array_add(s->names, (void *)(gsize)name);
	return true;
}

static bool find_by_kind(const cdi_list *list, const char *request, struct selection *names)
{
	const char *equals = strchr(request, '='), *slash = strchr(request, '/');
	size_t n_kind = equals ? (size_t)(equals - request) : strlen(request);
	const char *name = equals ? equals + 1 : "";
	bool found = false;
	/* A kind has a vendor and a class. */
	if (!slash || slash == request || slash + 1 >= request + n_kind)
		return false;
	for (size_t i = 0; i < cdi_list_count(list); i++) {
		const char *full = cdi_list_get(list, i)->full_name;
		if (strncmp(full, request, n_kind) != 0 || full[n_kind] != '=' ||
		    (*name && strcmp(name, "*") != 0 && strcmp(full + n_kind + 1, name) != 0))
			continue;
		found = add_name(names, full);
		if (!*name)
			break;
	}
	return found;
}

static bool find_by_class(const cdi_list *list, const char *request, struct selection *names)
{
	bool found = false;
	for (size_t i = 0; i < cdi_list_count(list); i++) {
		const struct cdi_device *d = cdi_list_get(list, i);
		if (g_strcmp0(g_hash_table_lookup(d->annotations, CLASS_ANNOTATION), request) == 0)
			found = add_name(names, d->full_name);
	}
	return found;
}

bool cdi_list_find(const cdi_list *list, const char *request, bool optional, GPtrArray *names, GError **error)
{
	g_autoptr(GHashTable) set = g_hash_table_new(g_str_hash, g_str_equal);
	struct selection selection = {names, set};
	for (guint i = 0; i < names->len; i++)
		g_hash_table_add(set, names->pdata[i]);
	return find_by_kind(list, request, &selection) || find_by_class(list, request, &selection) || optional ||
	       error_set(error, ERROR_NOT_FOUND, "required device \"%s\" is not registered", request);
}

/* ---- edits */

static void append(struct cdi_edits *to, const struct cdi_edits *from)
{
	for (guint i = 0; i < from->env->len; i++)
		g_ptr_array_add(to->env, from->env->pdata[i]);
	g_array_append_vals(to->nodes, from->nodes->data, from->nodes->len);
	g_array_append_vals(to->mounts, from->mounts->data, from->mounts->len);
	g_array_append_vals(to->hooks, from->hooks->data, from->hooks->len);
	g_array_append_vals(to->groups, from->groups->data, from->groups->len);
	to->has_rdt |= from->has_rdt;
	to->has_net |= from->has_net;
}

void cdi_edits_free(struct cdi_edits *edits)
{
	if (!edits)
		return;
	g_ptr_array_unref(edits->env);
	g_array_unref(edits->nodes);
	g_array_unref(edits->mounts);
	g_array_unref(edits->hooks);
	g_array_unref(edits->groups);
	g_free(edits);
}

struct cdi_edits *cdi_list_edits(const cdi_list *list, const char *const *full_names, size_t n, GError **error)
{
	struct cdi_edits *edits = g_new0(struct cdi_edits, 1);
	edits->env = g_ptr_array_new();
	edits->nodes = g_array_new(FALSE, FALSE, sizeof(struct cdi_node));
	edits->mounts = g_array_new(FALSE, FALSE, sizeof(struct cdi_mount));
	edits->hooks = g_array_new(FALSE, FALSE, sizeof(struct cdi_hook));
	edits->groups = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	g_autoptr(GHashTable) specs = g_hash_table_new(NULL, NULL);
	for (size_t i = 0; i < n; i++) {
		const struct entry *e = find_entry(list, full_names[i]);
		if (!e) {
			cdi_edits_free(edits);
			return error_null(error, ERROR_NOT_FOUND,
					  "CDI device injection failed: unresolvable CDI devices %s", full_names[i]);
		}
		if (g_hash_table_add(specs, e->spec))
			append(edits, &e->spec->edits);
		append(edits, &e->device->edits);
	}
	return edits;
}
