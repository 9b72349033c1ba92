/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/policy_session.h"
#include "api/message.h"
#include "base/thread.h"
#include "base/limits.h"
#include "builder/build_internal.h"
#include "format/gotype.h"
#include "format/json_writer.h"
#include "frontend/gateway/wire.h"
#include "policysession.pb-c.h"
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 8 /* sources of one definition that wait for the client at the same time */

typedef Policysession__CheckPolicyResponse policy_response;
typedef Gateway__ResolveSourceMetaResponse source_meta;
typedef Pb__SourceOp source_op;
DEFINE_MESSAGE_AUTOPTR(policy_response)
DEFINE_MESSAGE_AUTOPTR(source_meta)
DEFINE_MESSAGE_AUTOPTR(source_op)

void source_check_init(struct source_check *c, struct build *build, source_policy *policy)
{
	*c = (struct source_check){.build = build, .policy = policy};
	g_mutex_init(&c->mu);
}

void source_check_clear(struct source_check *c)
{
	g_mutex_clear(&c->mu);
}

bool source_check_is_needed(const struct build *build, const source_policy *policy)
{
	return *build->request->policy_session || !source_policy_is_empty(policy);
}

static bool apply_rules(struct source_check *c, Pb__SourceOp *op, bool *ret_changed, GError **error)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->mu);
	return source_policy_apply(c->policy, op, ret_changed, error);
}

/* ---- source metadata for the client */

static bool attrs_equal(const Pb__SourceOp *a, const Pb__SourceOp *b)
{
	for (size_t i = 0; i < a->n_attrs; i++) {
		const char *value = llb_source_attr(b, a->attrs[i]->key);
		if (!value || strcmp(value, a->attrs[i]->value) != 0)
			return false;
	}
	return a->n_attrs == b->n_attrs;
}

/* Builds the request to execute: the identifier of the checked source, and only the attributes of its scheme. */
static bool lookup_request(const struct bridge_source_request *asked, const Pb__SourceOp *op, const char *name,
			   struct bridge_source_request *ret, GError **error)
{
	if (!asked->source || strcmp(asked->source->identifier, name) != 0) {
		g_autofree char *other = go_quote(asked->source ? asked->source->identifier : "");
		g_autofree char *own = go_quote(name);
		return error_set(error, ERROR_UNKNOWN, "policy requested different source identifier: %s != %s", other,
				 own);
	}
	if (!attrs_equal(op, asked->source))
		return error_set(error, ERROR_UNKNOWN, "policy requested different source attrs for %s", name);
	bool image = g_str_has_prefix(name, "docker-image://");
	*ret = *asked;
	ret->resolve_mode = image ? asked->resolve_mode : "";
	ret->platform = image || g_str_has_prefix(name, "oci-layout://") ? asked->platform : NULL;
	return true;
}

static source_meta *look_up(struct source_check *c, const struct bridge_source_request *asked, const Pb__SourceOp *op,
			    const char *name, struct work *work, GError **error)
{
	struct bridge_source_request r;
	if (!lookup_request(asked, op, name, &r, error))
		return NULL;
	bool changed = false;
	struct bridge_source found;
	g_autoptr(source_op) copy = message_copy(asked->source);
	message_replace_text(&copy->identifier, op->identifier);
	r.source = copy;
	if (!apply_rules(c, copy, &changed, error)) {
		g_prefix_error(error, "could not resolve image due to policy: ");
	} else if (build_lookup_source(c->build, NULL, &r, work, &found, error)) {
		g_autofree char *text = source_name(found.source);
		message_replace_text(&found.source->identifier, text);
		source_meta *reply = gateway_source_new(&found);
		bridge_source_clear(&found);
		return reply;
	}
	return error_prefix_null(error, "error resolving source metadata from policy request: ");
}

/* ---- decisions */

static const char *action_name(int action, char *buffer, size_t n)
{
	switch (action) {
	case POLICY__POLICY_ACTION__ALLOW:
		return "ALLOW";
	case POLICY__POLICY_ACTION__DENY:
		return "DENY";
	case POLICY__POLICY_ACTION__CONVERT:
		return "CONVERT";
	default:
		g_snprintf(buffer, n, "%d", action);
		return buffer;
	}
}

static void add_deny_messages(GError *error, const Policysession__DecisionResponse *d)
{
	g_autoptr(json_writer) w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member(w, "action", "DENY");
	json_array_member_begin(w, "denyMessages");
	for (size_t i = 0; i < d->n_denymessages; i++) {
		json_object_begin(w);
		json_put_string_member_nonempty(w, "message", d->denymessages[i]->message);
		json_object_end(w);
	}
	json_array_end(w);
	json_object_end(w);
	g_autofree char *json = json_writer_take(&w, NULL);
	error_add_detail(error, "policysession.DecisionResponse", json);
}

static bool refuse(const Policysession__DecisionResponse *d, const char *name, GError **error)
{
	char buffer[16];
	g_autofree char *quoted = go_quote(name);
	error_set(error, ERROR_UNKNOWN, "source %s not allowed by policy: action %s", quoted,
		  action_name((int)d->action, buffer, sizeof buffer));
	if (d->n_denymessages > 0 && error)
		add_deny_messages(*error, d);
	return false;
}

static bool convert(Policysession__DecisionResponse *d, Pb__SourceOp *op, GError **error)
{
	if (!d->update)
		return error_set(error, ERROR_UNKNOWN, "convert action requires updated source");
	if (strlen(d->update->identifier) > LIMIT_SOURCE_IDENTIFIER_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "identifier of a source has %zu bytes, limit is %lld",
				 strlen(d->update->identifier), LIMIT_SOURCE_IDENTIFIER_BYTES);
	Pb__SourceOp old = *op; /* exchange strings and attributes, so that each message frees its own */
	op->identifier = d->update->identifier;
	op->attrs = d->update->attrs;
	op->n_attrs = d->update->n_attrs;
	d->update->identifier = old.identifier;
	d->update->attrs = old.attrs;
	d->update->n_attrs = old.n_attrs;
	return true;
}

/* ---- requests to the client */

static policy_response *ask(struct source_check *c, Policysession__CheckPolicyRequest *request, int *left,
			    struct work *work, GError **error)
{
	if ((*left)-- <= 0)
		return error_null(error, ERROR_UNKNOWN, "too many policy requests");
	return session_policy_check(builder_worker(c->build->builder)->sessions, c->build->request->policy_session,
				    request, work->cancel, error);
}

/* Asks until the client decides. ret_converted: op was replaced and must be checked again. */
static bool consult(struct source_check *c, Pb__SourceOp *op, const Pb__Platform *platform, int *left,
		    struct work *work, bool *ret_converted, GError **error)
{
	g_autofree char *name = source_name(op);
	Pb__SourceOp named = *op;
	named.identifier = name;
	g_autoptr(source_meta) found = gateway_source_new(&(struct bridge_source){.source = &named});
	Policysession__CheckPolicyRequest request = POLICYSESSION__CHECK_POLICY_REQUEST__INIT;
	request.platform = (Pb__Platform *)(uintptr_t)platform;
	request.source = found;
	for (;;) {
		g_autoptr(policy_response) reply = ask(c, &request, left, work, error);
		if (!reply)
			return false;
		if (reply->result_case == POLICYSESSION__CHECK_POLICY_RESPONSE__RESULT_REQUEST && reply->request) {
			guard_free(found);
			struct bridge_source_request asked;
			gateway_source_request_read(reply->request, &asked);
			found = look_up(c, &asked, op, name, work, error);
			if (!found)
				return false;
			request.source = found;
			continue;
		}
		if (reply->result_case != POLICYSESSION__CHECK_POLICY_RESPONSE__RESULT_DECISION || !reply->decision)
			return error_set(error, ERROR_UNKNOWN, "no decision in policy response");
		*ret_converted = (int)reply->decision->action == POLICY__POLICY_ACTION__CONVERT;
		if (*ret_converted)
			return convert(reply->decision, op, error);
		return (int)reply->decision->action == POLICY__POLICY_ACTION__ALLOW ||
		       refuse(reply->decision, name, error);
	}
}

bool source_check_run(struct source_check *c, struct llb_source *s, struct work *work, GError **error)
{
	int left = POLICY_REQUESTS_MAX;
	for (bool converted = true; converted;) {
		converted = false;
		if (!cancel_check(work->cancel, error) || !apply_rules(c, s->op, &s->changed, error))
			return false;
		if (*c->build->request->policy_session &&
		    !consult(c, s->op, s->platform, &left, work, &converted, error))
			return false;
		s->changed |= converted;
	}
	return true;
}

/* ---- several sources */

struct batch {
	struct source_check *check;
	struct llb_source *sources;
	size_t n;
	gint next;        /* atomic */
	struct work work; /* token that the first error sets */
	GMutex mu;
	GError *error; /* mu; owned; the first error */
};

static gpointer batch_run(gpointer data)
{
	struct batch *b = data;
	for (;;) {
		size_t i = (size_t)g_atomic_int_add(&b->next, 1);
		GError *problem = NULL;
		if (i >= b->n)
			return NULL;
		if (source_check_run(b->check, &b->sources[i], &b->work, &problem))
			continue;
		g_mutex_lock(&b->mu);
		bool first = !b->error;
		if (first)
			b->error = g_steal_pointer(&problem);
		g_mutex_unlock(&b->mu);
		g_clear_error(&problem);
		if (first)
			cancel_set(b->work.cancel, ERROR_CANCELED, NULL);
		return NULL;
	}
}

bool source_check_run_all(struct source_check *c, struct llb_source *sources, size_t n, struct work *work,
			  GError **error)
{
	g_autoptr(cancel) token = cancel_new(work->cancel);
	struct batch b = {.check = c, .sources = sources, .n = n, .work = *work};
	GThread *helpers[THREADS_MAX];
	size_t n_helpers = 0, wanted = *c->build->request->policy_session && n > 1 ? MIN(n, THREADS_MAX) - 1 : 0;
	b.work.cancel = token;
	g_mutex_init(&b.mu);
	/* Fewer threads than requested only make it slower. */
	for (; n_helpers < wanted; n_helpers++) {
		helpers[n_helpers] = thread_start("policy", batch_run, &b, NULL);
		if (!helpers[n_helpers])
			break;
	}
	batch_run(&b);
	for (size_t i = 0; i < n_helpers; i++)
		g_thread_join(helpers[i]);
	g_mutex_clear(&b.mu);
	if (b.error)
		g_propagate_error(error, b.error);
	return !b.error;
}
