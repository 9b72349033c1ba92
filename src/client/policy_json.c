/* SPDX-License-Identifier: Apache-2.0 */
#include "client/policy_json.h"
#include "api/message.h"
#include "base/limits.h"
#include "format/gotype.h"
#include "format/json_writer.h"
#include <string.h>

/* Finds a member by its name or, failing that, by a name that differs in case only. Returns NULL if missing or null. */
static const json_t *member(const json_t *object, const char *name)
{
	const json_t *value = json_member_any_case(object, name);
	return value && !json_is_null(value) ? value : NULL;
}

static bool wrong_type(const char *name, const char *wanted, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" is not %s", name, wanted);
}

static bool read_enum(const json_t *value, const ProtobufCFieldDescriptor *f, int *ret, GError **error)
{
	const ProtobufCEnumDescriptor *type = f->descriptor;
	if (json_is_string(value)) {
		const ProtobufCEnumValue *found =
			protobuf_c_enum_descriptor_get_value_by_name(type, json_string_value(value));
		g_autofree char *quoted = go_quote(json_string_value(value));
		if (!found)
			return error_set(error, ERROR_INVALID_ARGUMENT, "unrecognized enum %s value %s",
					 type->values[0].name, quoted);
		*ret = found->value;
		return true;
	}
	if (!json_is_integer(value))
		return wrong_type(f->name, "a string or a number", error);
	json_int_t number = json_integer_value(value);
	if (number < 0 || number > INT32_MAX || !protobuf_c_enum_descriptor_get_value(type, (int)number))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid %s value: %" JSON_INTEGER_FORMAT,
				 type->short_name, number);
	*ret = (int)number;
	return true;
}

static bool read_map(const json_t *object, const char *name, Policy__Update *u, GError **error)
{
	const char *key;
	json_t *value;
	if (!json_is_object(object))
		return wrong_type(name, "an object", error);
	u->attrs = g_new0(Policy__Update__AttrsEntry *, json_object_size(object));
	json_object_foreach((json_t *)object, key, value)
	{
		if (!json_is_string(value) && !json_is_null(value))
			return wrong_type(name, "an object of strings", error);
		Policy__Update__AttrsEntry *entry = u->attrs[u->n_attrs++] =
			message_new(Policy__Update__AttrsEntry, policy__update__attrs_entry);
		entry->key = g_strdup(key);
		entry->value = g_strdup(json_is_string(value) ? json_string_value(value) : "");
	}
	return true;
}

static bool read_message(const json_t *object, ProtobufCMessage *m, GError **error);

static bool read_new_message(const json_t *object, const ProtobufCMessageDescriptor *d, ProtobufCMessage **ret,
			     GError **error)
{
	*ret = g_malloc(d->sizeof_message);
	d->message_init(*ret);
	return read_message(object, *ret, error);
}

static bool read_list(const json_t *list, const ProtobufCFieldDescriptor *f, ProtobufCMessage ***ret, size_t *ret_n,
		      GError **error)
{
	size_t n = json_array_size(list);
	if (!json_is_array(list))
		return wrong_type(f->name, "a list", error);
	if (n > LIMIT_PROTO_REPEATED)
		return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" has %zu items, limit is %lld", f->name, n,
				 LIMIT_PROTO_REPEATED);
	*ret = g_new0(ProtobufCMessage *, n);
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(list, i);
		if (json_is_null(item)) /* "rules": a rule */
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid nil %.*s in policy",
					 (int)strlen(f->name) - 1, f->name);
		if (!json_is_object(item))
			return wrong_type(f->name, "a list of objects", error);
		if (!read_new_message(item, f->descriptor, &(*ret)[(*ret_n)++], error))
			return false;
	}
	return true;
}

/* Fields of the message that the object does not have keep their defaults. */
static bool read_message(const json_t *object, ProtobufCMessage *m, GError **error)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		void *at = (char *)m + f->offset, *count = (char *)m + f->quantifier_offset;
		const json_t *value = member(object, f->name);
		bool ok = true;
		if (!value)
			continue;
		if (f->descriptor == &policy__update__attrs_entry__descriptor)
			ok = read_map(value, f->name, (Policy__Update *)m, error);
		else if (f->label == PROTOBUF_C_LABEL_REPEATED)
			ok = read_list(value, f, at, count, error);
		else if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			ok = json_is_object(value) ? read_new_message(value, f->descriptor, at, error)
						   : wrong_type(f->name, "an object", error);
		else if (f->type == PROTOBUF_C_TYPE_ENUM)
			ok = read_enum(value, f, at, error);
		else if (f->type == PROTOBUF_C_TYPE_INT64 && json_is_integer(value))
			*(int64_t *)at = json_integer_value(value);
		else if (f->type == PROTOBUF_C_TYPE_INT64)
			ok = wrong_type(f->name, "a number", error);
		else if (!json_is_string(value))
			ok = wrong_type(f->name, "a string", error);
		else if (json_string_length(value) > 0)
			*(char **)at = g_strdup(json_string_value(value));
		if (!ok)
			return false;
	}
	return true;
}

Policy__Policy *policy_json_read(const void *bytes, size_t n, GError **error)
{
	g_autoptr(json_t) json = json_read(bytes, n, LIMIT_POLICY_BYTES, "source policy", error);
	if (!json)
		return NULL;
	if (!json_is_object(json) && !json_is_null(json))
		return error_null(error, ERROR_INVALID_ARGUMENT, "a policy is an object");
	Policy__Policy *p = message_new(Policy__Policy, policy__policy);
	if (read_message(json, &p->base, error))
		return p;
	guard_free(p);
	return NULL;
}
