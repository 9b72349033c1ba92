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

/* Leaves the field unchanged if the member is missing. */
static bool read_text(const json_t *object, const char *name, char **field, GError **error)
{
	const json_t *value = member(object, name);
	if (value && !json_is_string(value))
		return wrong_type(name, "a string", error);
	if (value && json_string_length(value) > 0)
		*field = g_strdup(json_string_value(value));
	return true;
}

/* type and first are used in error texts. */
static bool read_enum(const json_t *object, const char *name, const ProtobufCEnumDescriptor *type, int *field,
		      GError **error)
{
	const json_t *value = member(object, name);
	if (!value)
		return true;
	if (json_is_string(value)) {
		const ProtobufCEnumValue *found =
			protobuf_c_enum_descriptor_get_value_by_name(type, json_string_value(value));
		g_autofree char *quoted = go_quote(json_string_value(value));
		if (!found)
			return error_set(error, ERROR_INVALID_ARGUMENT, "unrecognized enum %s value %s",
					 type->values[0].name, quoted);
		*field = found->value;
		return true;
	}
	if (!json_is_integer(value))
		return wrong_type(name, "a string or a number", error);
	json_int_t number = json_integer_value(value);
	if (number < 0 || number > INT32_MAX || !protobuf_c_enum_descriptor_get_value(type, (int)number))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid %s value: %" JSON_INTEGER_FORMAT,
				 type->short_name, number);
	*field = (int)number;
	return true;
}

/* Returns the length of the list, 0 if it is missing. */
static bool list_of(const json_t *object, const char *name, const json_t **ret, size_t *ret_n, GError **error)
{
	*ret = member(object, name);
	*ret_n = *ret ? json_array_size(*ret) : 0;
	if (*ret && !json_is_array(*ret))
		return wrong_type(name, "a list", error);
	return *ret_n <= LIMIT_PROTO_REPEATED ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" has %zu items, limit is %lld", name, *ret_n,
			 LIMIT_PROTO_REPEATED);
}

/* *ret: NULL if it is missing. */
static bool object_of(const json_t *object, const char *name, const json_t **ret, GError **error)
{
	*ret = member(object, name);
	return !*ret || json_is_object(*ret) || wrong_type(name, "an object", error);
}

static bool read_constraint(const json_t *json, Policy__AttrConstraint *c, GError **error)
{
	int condition = 0;
	if (json_is_null(json))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid nil constraint in policy");
	if (!json_is_object(json))
		return wrong_type("constraints", "a list of objects", error);
	if (!read_text(json, "key", &c->key, error) || !read_text(json, "value", &c->value, error) ||
	    !read_enum(json, "condition", &policy__attr_match__descriptor, &condition, error))
		return false;
	c->condition = (Policy__AttrMatch)condition;
	return true;
}

static bool read_selector(const json_t *json, Policy__Selector *s, GError **error)
{
	const json_t *list;
	size_t n;
	int kind = 0;
	if (!read_text(json, "identifier", &s->identifier, error) ||
	    !read_enum(json, "match_type", &policy__match_type__descriptor, &kind, error) ||
	    !list_of(json, "constraints", &list, &n, error))
		return false;
	s->match_type = (Policy__MatchType)kind;
	s->constraints = g_new0(Policy__AttrConstraint *, n);
	while (s->n_constraints < n) {
		Policy__AttrConstraint *c = s->constraints[s->n_constraints] =
			message_new(Policy__AttrConstraint, policy__attr_constraint);
		if (!read_constraint(json_array_get(list, s->n_constraints++), c, error))
			return false;
	}
	return true;
}

static bool read_update(const json_t *json, Policy__Update *u, GError **error)
{
	const json_t *attrs;
	const char *key;
	json_t *value;
	if (!read_text(json, "identifier", &u->identifier, error) || !object_of(json, "attrs", &attrs, error))
		return false;
	u->attrs = g_new0(Policy__Update__AttrsEntry *, json_object_size(attrs));
	json_object_foreach((json_t *)attrs, key, value)
	{
		if (!json_is_string(value) && !json_is_null(value))
			return wrong_type("attrs", "an object of strings", error);
		Policy__Update__AttrsEntry *entry = u->attrs[u->n_attrs++] =
			message_new(Policy__Update__AttrsEntry, policy__update__attrs_entry);
		entry->key = g_strdup(key);
		entry->value = g_strdup(json_is_string(value) ? json_string_value(value) : "");
	}
	return true;
}

static bool read_rule(const json_t *json, Policy__Rule *r, GError **error)
{
	const json_t *select, *updates;
	int action = 0;
	if (json_is_null(json))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid nil rule in policy");
	if (!json_is_object(json))
		return wrong_type("rules", "a list of objects", error);
	if (!read_enum(json, "action", &policy__policy_action__descriptor, &action, error) ||
	    !object_of(json, "selector", &select, error) || !object_of(json, "updates", &updates, error))
		return false;
	r->action = (Policy__PolicyAction)action;
	if (select) {
		r->selector = message_new(Policy__Selector, policy__selector);
	}
	if (updates) {
		r->updates = message_new(Policy__Update, policy__update);
	}
	return (!select || read_selector(select, r->selector, error)) &&
	       (!updates || read_update(updates, r->updates, error));
}

static bool read_policy(const json_t *json, Policy__Policy *p, GError **error)
{
	const json_t *version = member(json, "version"), *list;
	size_t n;
	if (!json_is_object(json))
		return json_is_null(json) || error_set(error, ERROR_INVALID_ARGUMENT, "a policy is an object");
	if (version && !json_is_integer(version))
		return wrong_type("version", "a number", error);
	if (!list_of(json, "rules", &list, &n, error))
		return false;
	p->version = version ? json_integer_value(version) : 0;
	p->rules = g_new0(Policy__Rule *, n);
	while (p->n_rules < n) {
		Policy__Rule *r = p->rules[p->n_rules] = message_new(Policy__Rule, policy__rule);
		if (!read_rule(json_array_get(list, p->n_rules++), r, error))
			return false;
	}
	return true;
}

Policy__Policy *policy_json_read(const void *bytes, size_t n, GError **error)
{
	g_autoptr(json_t) json = json_read(bytes, n, LIMIT_POLICY_BYTES, "source policy", error);
	if (!json)
		return NULL;
	Policy__Policy *p = message_new(Policy__Policy, policy__policy);
	if (read_policy(json, p, error))
		return p;
	guard_free(p);
	return NULL;
}
