/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/tracing.h"
#include "base/limits.h"
#include "trace/trace.h"
#include <string.h>

#define VARIABLES 5

/* A mount of the step there, or at a directory above, is the step's own; and what is added must not exceed the limits. */
static bool is_free(const struct step *step)
{
	size_t n = step->env ? g_strv_length((char **)(gsize)step->env) : 0;
	if (n + VARIABLES > (size_t)LIMIT_STEP_ITEMS || step->n_mounts + 8 > (size_t)LIMIT_STEP_FDS)
		return false;
	for (size_t i = 0; i < step->n_mounts; i++)
		if (strcmp(step->mounts[i].dest, TRACE_SOCKET_PATH) == 0 || strcmp(step->mounts[i].dest, "/dev") == 0)
			return false;
	return true;
}

/* The mounts stay sorted by destination. */
static void add_mount(struct traced_step *t, const struct step *step, int trace_fd)
{
	const struct step_mount socket = {.type = STEP_MOUNT_TREE,
					  .fd = trace_fd,
					  .dest = TRACE_SOCKET_PATH,
					  .readonly = true,
					  .nosuid = true,
					  .nodev = true,
					  .noexec = true};
	size_t at = 0;
	t->mounts = g_array_new(FALSE, FALSE, sizeof(struct step_mount));
	while (at < step->n_mounts && strcmp(step->mounts[at].dest, TRACE_SOCKET_PATH) < 0)
		at++;
	if (step->n_mounts > 0)
		g_array_append_vals(t->mounts, step->mounts, (guint)step->n_mounts);
	g_array_insert_val(t->mounts, (guint)at, socket);
	t->step.mounts = (const struct step_mount *)(void *)t->mounts->data;
	t->step.n_mounts = t->mounts->len;
}

static bool has_variable(const struct step *step, const char *assignment)
{
	size_t n = (size_t)(strchr(assignment, '=') - assignment) + 1;
	for (const char *const *e = step->env; e && *e; e++)
		if (strncmp(*e, assignment, n) == 0)
			return true;
	return false;
}

/* https://opentelemetry.io/docs/specs/otel/context/env-carriers/ */
static void add_variables(struct traced_step *t, const struct step *step)
{
	const trace_span *span = trace_current();
	g_autofree char *parent = trace_parent_text(span);
	t->parent = parent ? g_strconcat("TRACEPARENT=", parent, NULL) : NULL;
	t->state = trace_state_text(span) ? g_strconcat("TRACESTATE=", trace_state_text(span), NULL) : NULL;
	const char *const variables[VARIABLES] = {"OTEL_TRACES_EXPORTER=otlp",
						  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=unix://" TRACE_SOCKET_PATH,
						  "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc", t->parent, t->state};
	t->env = g_ptr_array_new();
	for (const char *const *e = step->env; e && *e; e++)
		g_ptr_array_add(t->env, (void *)(gsize)*e);
	for (size_t i = 0; i < VARIABLES; i++)
		if (variables[i] && !has_variable(step, variables[i]))
			g_ptr_array_add(t->env, (void *)(gsize)variables[i]);
	g_ptr_array_add(t->env, NULL);
	t->step.env = (const char *const *)(void *)t->env->pdata;
}

const struct step *traced_step_init(struct traced_step *t, const struct step *step, int trace_fd)
{
	*t = (struct traced_step){.step = *step};
	if (trace_fd <= 0 || !is_free(step))
		return step;
	add_mount(t, step, trace_fd);
	add_variables(t, step);
	return &t->step;
}

void traced_step_clear(struct traced_step *t)
{
	g_clear_pointer(&t->env, g_ptr_array_unref);
	g_clear_pointer(&t->mounts, g_array_unref);
	g_clear_pointer(&t->parent, g_free);
	g_clear_pointer(&t->state, g_free);
}
