/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message: converts members of protobuf-c's messages to our types and back: maps, lists, bytes, times, platforms.
 *
 *	Control__Exporter *e = message_new(Control__Exporter, control__exporter);
 *	message_set_map(e, attrs, table);
 *	g_autoptr(GHashTable) attrs = message_map(e, attrs);
 *	guard_free(e);
 *
 * Messages own the values set here: guard_free frees them, because protobuf-c and GLib use the same allocator.
 * Fields are named as members, so that the compiler checks them. Thread: any.
 */
#pragma once
#include "api/guard.h"
#include "format/platform.h"
#include "ops.pb-c.h"
#include "timestamp.pb-c.h"
#include <glib.h>

/* Allocates a message of the type with default values. name: the prefix of its generated functions. guard_free. */
#define message_new(type, name)                                                                                        \
	({                                                                                                             \
		type *message_ = g_malloc(sizeof(type));                                                               \
		name##__init(message_);                                                                                \
		message_;                                                                                              \
	})

/* Appends to a repeated field; the message takes the item. */
#define message_append(m, field, item)                                                                                 \
	((m)->field = g_realloc_n((m)->field, (m)->n_##field + 1, sizeof *(m)->field),                                 \
	 (void)((m)->field[(m)->n_##field++] = (item)))

/* ---- maps: the field is a map with string keys */

/*
 * The map as a table that owns its keys. Values: char * (owned) of strings, GBytes * (owned) of bytes, the message
 * (borrowed from m; NULL if there is none) of messages. The last of several equal keys is used. Never NULL.
 */
#define message_map(m, field) message_map_read(&(m)->base, MESSAGE_MAP_OFFSET(m, field))
/* Replaces an empty map by copies of the table's entries, in the table's order, values as above. NULL: leaves it empty. */
#define message_set_map(m, field, table) message_map_write(&(m)->base, MESSAGE_MAP_OFFSET(m, field), table)
#define MESSAGE_MAP_OFFSET(m, field)                                                                                   \
	(offsetof(typeof(*(m)), field) +                                                                               \
	 0 * sizeof(char[__builtin_types_compatible_p(typeof((*(m)->field)->key), char *) ? 1 : -1]) +                 \
	 0 * sizeof((*(m)->field)->value))
/* The value of the first entry with the key in a map<string, string>; borrowed. NULL: there is none. */
#define message_map_find(m, field, key) message_map_find_text(&(m)->base, MESSAGE_MAP_OFFSET(m, field), key)
GHashTable *message_map_read(const ProtobufCMessage *m, size_t offset);
const char *message_map_find_text(const ProtobufCMessage *m, size_t offset, const char *key);
void message_map_write(ProtobufCMessage *m, size_t offset, GHashTable *table);

/* ---- strings */

/* Replaces a string member of a message that guard_free frees. */
void message_replace_text(char **member, const char *text);

/* Returns the list with a terminating NULL. The array is g_free'd, its strings are borrowed. */
const char **message_texts(char *const *list, size_t n);
/* Sets an empty repeated string field to copies of the NULL-terminated list. NULL: leaves it empty. */
#define message_set_texts(m, field, list)                                                                              \
	((m)->field = message_texts_copy((const char *const *)(list), &(m)->n_##field))
char **message_texts_copy(const char *const *list, size_t *ret_n);

/* ---- bytes */

/* As guard_unpack. bytes may be NULL: then NULL without an error. */
void *message_unpack(const ProtobufCMessageDescriptor *descriptor, GBytes *bytes, GError **error);

/* Returns a copy for a field of a message. NULL: no bytes. */
ProtobufCBinaryData message_bytes(GBytes *bytes);

/* ---- times, in nanoseconds since 1970 */

int64_t message_time_ns(const Google__Timestamp *time); /* 0 for NULL */
void message_set_time(Google__Timestamp *time, int64_t ns);
/* Returns NULL for 0, which means no time. */
Google__Timestamp *message_time_new(int64_t ns);

/* ---- platforms */

void message_platform_read(const Pb__Platform *from, struct platform *ret); /* normalized */
Pb__Platform *message_platform_new(const struct platform *from);
