/* SPDX-License-Identifier: Apache-2.0 */
#include "api/message.h"
#include "api/wire.h"
#include "base/hash_walk.h"
#include <stdlib.h>
#include <string.h>
#include "base/time.h"

static const ProtobufCFieldDescriptor *field_at(const ProtobufCMessageDescriptor *d, size_t offset)
{
	const ProtobufCFieldDescriptor *f = d->fields;
	while (f->offset != offset)
		f++;
	return f;
}

static void *member(const ProtobufCMessage *m, unsigned offset)
{
	return (char *)(uintptr_t)m + offset;
}

/* ---- maps: every entry type is {base, key, value} */

static const ProtobufCFieldDescriptor *value_field(const ProtobufCFieldDescriptor *map)
{
	const ProtobufCMessageDescriptor *entry = map->descriptor;
	return &entry->fields[1];
}

static void bytes_unref(void *bytes)
{
	g_bytes_unref(bytes);
}

GHashTable *message_map_read(const ProtobufCMessage *m, size_t offset)
{
	const ProtobufCFieldDescriptor *map = field_at(m->descriptor, offset), *value = value_field(map);
	GDestroyNotify free_value = value->type == PROTOBUF_C_TYPE_STRING  ? g_free
				    : value->type == PROTOBUF_C_TYPE_BYTES ? bytes_unref
									   : NULL;
	GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_value);
	size_t n = *(const size_t *)member(m, map->quantifier_offset);
	ProtobufCMessage *const *entries = *(ProtobufCMessage *const **)member(m, map->offset);
	for (size_t i = 0; i < n; i++) {
		const ProtobufCFieldDescriptor *key = &entries[i]->descriptor->fields[0];
		void *at = member(entries[i], value->offset);
		void *copy = *(void **)at;
		if (value->type == PROTOBUF_C_TYPE_STRING)
			copy = g_strdup(copy);
		else if (value->type == PROTOBUF_C_TYPE_BYTES)
			copy = g_bytes_new(((ProtobufCBinaryData *)at)->data, ((ProtobufCBinaryData *)at)->len);
		g_hash_table_replace(table, g_strdup(*(char **)member(entries[i], key->offset)), copy);
	}
	return table;
}

const char *message_map_find_text(const ProtobufCMessage *m, size_t offset, const char *key)
{
	const ProtobufCFieldDescriptor *map = field_at(m->descriptor, offset), *value = value_field(map);
	const ProtobufCFieldDescriptor *name = value - 1;
	size_t n = *(const size_t *)member(m, map->quantifier_offset);
	ProtobufCMessage *const *entries = *(ProtobufCMessage *const **)member(m, map->offset);
	for (size_t i = 0; i < n; i++)
		if (g_str_equal(*(char **)member(entries[i], name->offset), key))
			return *(char **)member(entries[i], value->offset);
	return NULL;
}

static ProtobufCMessage *entry_new(const ProtobufCMessageDescriptor *d, const char *key, void *value)
{
	ProtobufCMessage *entry = g_malloc(d->sizeof_message);
	protobuf_c_message_init(d, entry);
	void *at = member(entry, d->fields[1].offset);
	*(char **)member(entry, d->fields[0].offset) = g_strdup(key);
	if (d->fields[1].type == PROTOBUF_C_TYPE_STRING)
		*(char **)at = g_strdup(value);
	else if (d->fields[1].type == PROTOBUF_C_TYPE_BYTES)
		*(ProtobufCBinaryData *)at = message_bytes(value);
	else if (value)
		*(void **)at = message_copy(value);
	return entry;
}

void message_map_write(ProtobufCMessage *m, size_t offset, GHashTable *table)
{
	const ProtobufCFieldDescriptor *map = field_at(m->descriptor, offset);
	guint n = table ? g_hash_table_size(table) : 0, i = 0;
	if (n == 0)
		return;
	ProtobufCMessage **entries = g_new(ProtobufCMessage *, n);
	for (struct hash_walk it = hash_walk(table); hash_walk_next(&it);)
		entries[i++] = entry_new(map->descriptor, it.key, it.value);
	*(ProtobufCMessage ***)member(m, map->offset) = entries;
	*(size_t *)member(m, map->quantifier_offset) = n;
}

/* ---- lists, strings and bytes */

void message_replace_text(char **member, const char *text)
{
	if (*member != (const char *)protobuf_c_empty_string)
		free(*member);
	*member = strdup(text);
}

void *message_unpack(const ProtobufCMessageDescriptor *descriptor, GBytes *bytes, GError **error)
{
	gsize n = 0;
	const uint8_t *data = bytes ? g_bytes_get_data(bytes, &n) : NULL;
	return bytes ? guard_unpack(descriptor, data, n, error) : NULL;
}

const char **message_texts(char *const *list, size_t n)
{
	const char **texts = g_new0(const char *, n + 1);
	for (size_t i = 0; i < n; i++)
		texts[i] = list[i];
	return texts;
}

char **message_texts_copy(const char *const *list, size_t *ret_n)
{
	char **texts = (char **)(uintptr_t)list;
	*ret_n = list ? g_strv_length(texts) : 0;
	return g_strdupv(texts);
}

ProtobufCBinaryData message_bytes(GBytes *bytes)
{
	gsize n = 0;
	const void *data = bytes ? g_bytes_get_data(bytes, &n) : NULL;
	return (ProtobufCBinaryData){.data = g_memdup2(data, n), .len = n};
}

/* ---- times */

int64_t message_time_ns(const Google__Timestamp *time)
{
	return time ? seconds_to_ns(time->seconds, time->nanos) : 0;
}

void message_set_time(Google__Timestamp *time, int64_t ns)
{
	time->seconds = ns / NS_PER_S;
	time->nanos = (int32_t)(ns % NS_PER_S);
}

Google__Timestamp *message_time_new(int64_t ns)
{
	if (ns == 0)
		return NULL;
	Google__Timestamp *time = message_new(Google__Timestamp, google__timestamp);
	message_set_time(time, ns);
	return time;
}

/* ---- platforms */

void message_platform_read(const Pb__Platform *from, struct platform *ret)
{
	*ret = (struct platform){0};
	g_strlcpy(ret->os, from->os, sizeof ret->os);
	g_strlcpy(ret->architecture, from->architecture, sizeof ret->architecture);
	g_strlcpy(ret->variant, from->variant, sizeof ret->variant);
	g_strlcpy(ret->os_version, from->osversion, sizeof ret->os_version);
	platform_normalize(ret);
}

Pb__Platform *message_platform_new(const struct platform *from)
{
	Pb__Platform *wire = message_new(Pb__Platform, pb__platform);
	wire->os = g_strdup(from->os);
	wire->architecture = g_strdup(from->architecture);
	wire->variant = g_strdup(from->variant);
	wire->osversion = g_strdup(from->os_version);
	return wire;
}
