/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_stream: a client of ExecProcess on a gateway_rig, whose containers have the processes of fake_steps.
 *
 *	exec_rig_containers(r);                            before the first NewContainer
 *	exec_new_container(r, "c");
 *	struct exec_client c;
 *	exec_client_open(&c, r);
 *	exec_client_init(&c, "p", "c", "cat");
 *	exec_client_expect(&c, "p started");               the next message
 *	exec_client_close(&c);
 *
 * Thread: any, one at a time.
 */
#pragma once
#include "lib/fake_steps.h"
#include "lib/gateway_rig.h"

struct exec_client {
	rpc_call *call;
};

/* Makes the bridge of the rig create containers with a root and a tmpfs. */
void exec_rig_containers(struct gateway_rig *r);
void exec_new_container(struct gateway_rig *r, const char *id);
/* Returns false with the error of ReleaseContainer. */
bool exec_release_container(struct gateway_rig *r, const char *id, GError **error);

void exec_client_open(struct exec_client *c, struct gateway_rig *r);
void exec_client_send(struct exec_client *c, Gateway__ExecMessage *m);
/* Starts a process of a container, with one argument and three streams. */
void exec_client_init(struct exec_client *c, const char *id, const char *of, const char *arg);
void exec_client_write(struct exec_client *c, const char *id, uint32_t fd, const char *text, bool eof);
void exec_client_signal(struct exec_client *c, const char *id, const char *name);
void exec_client_resize(struct exec_client *c, const char *id, uint32_t rows, uint32_t columns);
/*
 * Returns the next message as text, NULL at the end of the stream: "p started", "p 1 output", "p 1 eof", "p exit 3
 * Unknown exit code: 3", "p done". Owned.
 */
char *exec_client_next(struct exec_client *c, GError **error);
/* Fails unless this is the next message. */
void exec_client_expect(struct exec_client *c, const char *text);
/* Fails unless the stream ends with this error; NULL: without one. */
void exec_client_expect_end(struct exec_client *c, enum error_code code, const char *text);
/* The same after any messages: processes may end before they are canceled. */
void exec_client_skip_to_end(struct exec_client *c, enum error_code code, const char *text);
void exec_client_close(struct exec_client *c);
