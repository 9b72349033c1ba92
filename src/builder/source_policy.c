/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/source_policy.h"
#include "api/message.h"
#include "base/limits.h"
#include "format/go_regex.h"
#include "format/gotype.h"
#include "format/selector.h"
#include "llb/definition.h"
#include "source/source.h"
#include <stdlib.h>
#include <string.h>

#define CHANGES_MAX 20 /* limit per source; same as upstream */

/* Selectors are compiled at first use: an invalid rule that is never reached causes no error. */
struct rule {
	const Policy__Rule *wire; /* borrowed */
	selector *selector;       /* owned or NULL */
	go_regex **constraints;   /* owned or NULL; constraints of type MATCHES, indexed as in the message */
};
struct source_policy {
	GPtrArray *policies; /* element type: GArray * of struct rule */
};

static void rule_clear(gpointer data)
{
	struct rule *r = data;
	selector_free(r->selector);
	for (size_t i = 0; r->constraints && i < r->wire->selector->n_constraints; i++)
		go_regex_free(r->constraints[i]);
	g_free(r->constraints);
}

source_policy *source_policy_new(void)
{
	source_policy *p = g_new0(source_policy, 1);
	p->policies = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
	return p;
}

void source_policy_free(source_policy *p)
{
	if (!p)
		return;
	g_ptr_array_unref(p->policies);
	g_free(p);
}

bool source_policy_is_empty(const source_policy *p)
{
	return p->policies->len == 0;
}

bool source_policy_add(source_policy *p, const Policy__Policy *policy, GError **error)
{
	if (!policy || policy->n_rules == 0)
		return true;
	g_autoptr(GArray) rules = g_array_sized_new(FALSE, TRUE, sizeof(struct rule), (guint)policy->n_rules);
	g_array_set_clear_func(rules, rule_clear);
	for (size_t i = 0; i < policy->n_rules; i++) {
		struct rule r = {.wire = policy->rules[i]};
		if (!r.wire->selector)
			return error_set(error, ERROR_UNKNOWN, "invalid nil selector in policy");
		g_array_append_val(rules, r);
	}
	g_ptr_array_add(p->policies, g_steal_pointer(&rules));
	return true;
}

/* ---- matching */

static bool regex_holds(struct rule *r, size_t i, const char *value, bool *ret, GError **error)
{
	const Policy__AttrConstraint *c = r->wire->selector->constraints[i];
	if (!r->constraints)
		r->constraints = g_new0(go_regex *, r->wire->selector->n_constraints);
	if (!r->constraints[i])
		r->constraints[i] = go_regex_new(c->value, error);
	if (r->constraints[i])
		return go_regex_match(r->constraints[i], value, ret, error);
	g_autofree char *quoted = go_quote(c->value);
	return error_prefix(error, "invalid regex %s: ", quoted);
}

static bool constraint_holds(struct rule *r, size_t i, const Pb__SourceOp *op, bool *ret, GError **error)
{
	const Policy__AttrConstraint *c = r->wire->selector->constraints[i];
	const char *value = llb_source_attr(op, c->key);
	if (!value)
		value = "";
	int condition = (int)c->condition; /* peers may send any value */
	if (condition == POLICY__ATTR_MATCH__MATCHES)
		return regex_holds(r, i, value, ret, error);
	if (condition != POLICY__ATTR_MATCH__EQUAL && condition != POLICY__ATTR_MATCH__NOTEQUAL)
		return error_set(error, ERROR_UNKNOWN, "unknown attr condition: %d", condition);
	*ret = (strcmp(value, c->value) == 0) == (condition == POLICY__ATTR_MATCH__EQUAL);
	return true;
}

static bool compile(struct rule *r, GError **error)
{
	const Policy__Selector *s = r->wire->selector;
	if (r->selector)
		return true;
	if ((int)s->match_type < 0 || (int)s->match_type > POLICY__MATCH_TYPE__REGEX)
		return error_set(error, ERROR_UNKNOWN, "unknown match type: %d", (int)s->match_type);
	r->selector = selector_new((enum selector_kind)s->match_type, s->identifier, error);
	return r->selector != NULL;
}
G_STATIC_ASSERT((int)SELECTOR_WILDCARD == (int)POLICY__MATCH_TYPE__WILDCARD);
G_STATIC_ASSERT((int)SELECTOR_EXACT == (int)POLICY__MATCH_TYPE__EXACT);
G_STATIC_ASSERT((int)SELECTOR_REGEX == (int)POLICY__MATCH_TYPE__REGEX);

static bool rule_matches(struct rule *r, const Pb__SourceOp *op, bool *ret, GError **error)
{
	bool holds = true;
	for (size_t i = 0; holds && i < r->wire->selector->n_constraints; i++)
		if (!constraint_holds(r, i, op, &holds, error))
			return false;
	*ret = holds && strcmp(r->wire->selector->identifier, op->identifier) == 0;
	if (!holds || *ret) /* identical texts match without a valid selector */
		return true;
	return compile(r, error) && selector_match(r->selector, op->identifier, ret, error);
}

/* ---- actions */

/* Returns whether the value changed. */
static bool set_attribute(Pb__SourceOp *op, const char *key, const char *value)
{
	for (size_t i = 0; i < op->n_attrs; i++) {
		if (strcmp(op->attrs[i]->key, key) != 0)
			continue;
		if (strcmp(op->attrs[i]->value, value) == 0)
			return false;
		message_replace_text(&op->attrs[i]->value, value);
		return true;
	}
	if (!*value) /* treated as missing */
		return false;
	Pb__SourceOp__AttrsEntry *entry = message_new(Pb__SourceOp__AttrsEntry, pb__source_op__attrs_entry);
	entry->key = g_strdup(key);
	entry->value = g_strdup(value);
	message_append(op, attrs, entry);
	return true;
}

static bool convert(struct rule *r, Pb__SourceOp *op, bool *ret_changed, GError **error)
{
	const Policy__Update *u = r->wire->updates;
	if (!u)
		return error_set(error, ERROR_UNKNOWN, "missing destination for convert rule");
	if (!compile(r, error))
		return false;
	const char *template = *u->identifier ? u->identifier : r->wire->selector->identifier;
	g_autofree char *to =
		selector_format(r->selector, op->identifier, template, LIMIT_SOURCE_IDENTIFIER_BYTES, error);
	if (!to)
		return error_prefix(error, "error formatting destination: ");
	*ret_changed = *to && strcmp(op->identifier, to) != 0;
	if (*ret_changed)
		message_replace_text(&op->identifier, to);
	for (size_t i = 0; i < u->n_attrs; i++)
		*ret_changed |= set_attribute(op, u->attrs[i]->key, u->attrs[i]->value);
	return true;
}

/* Applies a rule that matches. denied: verdict of the rules before it. */
static bool act(struct rule *r, Pb__SourceOp *op, bool *denied, bool *ret_changed, GError **error)
{
	switch ((int)r->wire->action) {
	case POLICY__POLICY_ACTION__ALLOW:
		*denied = false;
		return true;
	case POLICY__POLICY_ACTION__DENY:
		*denied = true;
		return true;
	case POLICY__POLICY_ACTION__CONVERT:
		if (convert(r, op, ret_changed, error))
			return true;
		return error_prefix(error, "error mutating source policy: ");
	}
	g_autofree char *quoted = go_quote(op->identifier);
	return error_set(error, ERROR_UNKNOWN, "source policy: rule %d %s: unknown type %s", (int)r->wire->action,
			 r->wire->selector->identifier, quoted);
}

static bool apply_one(GArray *rules, Pb__SourceOp *op, bool *ret_changed, GError **error)
{
	bool denied = false;
	for (guint i = 0; i < rules->len && !*ret_changed; i++) {
		struct rule *r = &g_array_index(rules, struct rule, i);
		bool matches;
		if (!rule_matches(r, op, &matches, error))
			return error_prefix(error, "error matching source policy: ");
		if (matches && !act(r, op, &denied, ret_changed, error))
			return false;
	}
	if (*ret_changed || !denied)
		return true;
	g_autofree char *quoted = go_quote(op->identifier);
	return error_set(error, ERROR_UNKNOWN, "source %s denied by policy: source denied by policy", quoted);
}

/* Applies the policies until none changes the source. */
static bool apply_all(source_policy *p, Pb__SourceOp *op, bool *ret_changed, GError **error)
{
	for (int n = 0; n <= CHANGES_MAX; n++) {
		bool changed = false;
		if (strlen(op->identifier) > LIMIT_SOURCE_IDENTIFIER_BYTES)
			return error_set(error, ERROR_RESOURCE_EXHAUSTED,
					 "identifier of a source has %zu bytes, limit is %lld", strlen(op->identifier),
					 LIMIT_SOURCE_IDENTIFIER_BYTES);
		for (guint i = 0; i < p->policies->len && !changed; i++)
			if (!apply_one(p->policies->pdata[i], op, &changed, error))
				return false;
		if (!changed)
			return true;
		*ret_changed = true;
	}
	return error_set(error, ERROR_UNKNOWN, "too many mutations on a single source: too many operations");
}

bool source_policy_apply(source_policy *p, Pb__SourceOp *op, bool *ret_changed, GError **error)
{
	bool changed = false;
	if (source_policy_is_empty(p))
		return true;
	g_autofree char *given = g_strdup(op->identifier), *name = source_name(op);
	message_replace_text(&op->identifier, name);
	if (!apply_all(p, op, &changed, error)) {
		if (error && error_is(*error, ERROR_INVALID_ARGUMENT)) /* the policy is invalid, not the call */
			(*error)->code = ERROR_UNKNOWN;
		return false;
	}
	if (strcmp(op->identifier, name) == 0) /* keep the identifier as written */
		message_replace_text(&op->identifier, given);
	*ret_changed |= changed;
	return true;
}
