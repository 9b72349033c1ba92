/* SPDX-License-Identifier: Apache-2.0 */
#include "contenthash/node.h"
#include "base/time.h"
#include <string.h>

struct contenthash_node *contenthash_node_new(struct contenthash_node *parent, const char *name, size_t len,
					      enum contenthash_type type)
{
	struct contenthash_node *n = g_malloc0(sizeof *n + len + 1);
	n->parent = parent;
	n->type = (uint8_t)type;
	n->name_len = (uint16_t)len;
	memcpy(n->name, name, len);
	return n;
}

void contenthash_node_free(struct contenthash_node *n)
{
	struct contenthash_node *top = n;
	while (n) {
		if (n->n_children > 0) {
			n = n->children[--n->n_children];
			continue;
		}
		struct contenthash_node *up = n == top ? NULL : n->parent;
		g_free(n->children);
		g_free(n->link);
		g_free(n);
		n = up;
	}
}

static int compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, MIN(a_len, b_len));
	return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* Index of name, or the index at which it would be inserted. */
static uint32_t find(const struct contenthash_node *dir, const char *name, size_t len, bool *ret_found)
{
	uint32_t low = 0, high = dir->n_children;
	*ret_found = false;
	while (low < high) {
		/* Names mostly arrive in order, so check the end first. */
		uint32_t middle = high == dir->n_children && low == 0 ? high - 1 : low + (high - low) / 2;
		const struct contenthash_node *n = dir->children[middle];
		int order = compare_names(n->name, n->name_len, name, len);
		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct contenthash_node *contenthash_node_child(const struct contenthash_node *dir, const char *name, size_t len)
{
	bool found;
	uint32_t i = find(dir, name, len, &found);
	return found ? dir->children[i] : NULL;
}

struct contenthash_node *contenthash_node_insert(struct contenthash_node *dir, const char *name, size_t len,
						 enum contenthash_type type)
{
	bool found;
	uint32_t i = find(dir, name, len, &found);
	if (found && dir->children[i]->type == type)
		return dir->children[i];
	struct contenthash_node *n = contenthash_node_new(dir, name, len, type);
	if (found) {
		contenthash_node_free(dir->children[i]);
		dir->children[i] = n;
		return n;
	}
	if (dir->n_children == dir->room) {
		dir->room = dir->room ? dir->room * 2 : 4;
		dir->children = g_renew(struct contenthash_node *, dir->children, dir->room);
	}
	memmove(dir->children + i + 1, dir->children + i, (dir->n_children - i) * sizeof *dir->children);
	dir->children[i] = n;
	dir->n_children++;
	return n;
}

void contenthash_node_remove(struct contenthash_node *n)
{
	struct contenthash_node *dir = n->parent;
	bool found;
	uint32_t i = find(dir, n->name, n->name_len, &found);
	dir->n_children--;
	memmove(dir->children + i, dir->children + i + 1, (dir->n_children - i) * sizeof *dir->children);
	contenthash_node_free(n);
}

void contenthash_node_touch(struct contenthash_node *n)
{
	for (; n; n = n->parent)
		n->flags &= (uint8_t)~CONTENT_HAS_CONTENT;
}

static struct contenthash_node *next_sibling(const struct contenthash_node *n)
{
	bool found;
	uint32_t i = find(n->parent, n->name, n->name_len, &found);
	return i + 1 < n->parent->n_children ? n->parent->children[i + 1] : NULL;
}

struct contenthash_node *contenthash_node_next(struct contenthash_node *n, const struct contenthash_node *top,
					       bool deep)
{
	if (deep && n->n_children > 0)
		return n->children[0];
	for (; n != top; n = n->parent) {
		struct contenthash_node *next = next_sibling(n);
		if (next)
			return next;
	}
	return NULL;
}

void contenthash_node_path(const struct contenthash_node *n, GString *ret)
{
	g_autoptr(GPtrArray) chain = g_ptr_array_new();
	for (; n->parent; n = n->parent)
		g_ptr_array_add(chain, (gpointer)n);
	for (guint i = chain->len; i > 0; i--) {
		const struct contenthash_node *part = chain->pdata[i - 1];
		g_string_append_c(ret, '/');
		g_string_append_len(ret, part->name, part->name_len);
	}
}

/* ---- stamps */
static uint64_t mix(uint64_t h, uint64_t v)
{
	h ^= v + 0x9e3779b97f4a7c15ULL + (h << 6) + (h >> 2);
	h *= 0xff51afd7ed558ccdULL;
	return h ^ (h >> 32);
}

static uint64_t nanoseconds(const struct timespec *t)
{
	return (uint64_t)timespec_to_ns(t);
}

uint64_t contenthash_stamp(const struct stat *st)
{
	uint64_t h = mix(1, st->st_ino);
	h = mix(h, (uint64_t)st->st_size);
	h = mix(h, st->st_mode);
	h = mix(h, nanoseconds(&st->st_mtim));
	return mix(h, nanoseconds(&st->st_ctim));
}

uint64_t contenthash_stamp_announced(int64_t size, int64_t mtime_ns)
{
	return mix(mix(2, (uint64_t)size), (uint64_t)mtime_ns);
}
