/* SPDX-License-Identifier: Apache-2.0 */
/*
 * labels: SELinux labels of steps: type and user of the policy's labels for containers, and a pair of categories that no
 * other step has.
 *
 *	labels *l = labels_new("/");
 *	struct step_labels of_step;
 *	if (!labels_take(l, step->insecure, &of_step, error)) ...
 *	... process label of_step.process, label of new file systems of_step.mount ...
 *	labels_release(l, &of_step);
 *
 * The labels come from /usr/share/containers/selinux/contexts or, as for other engines, the file contexts/lxc_contexts of
 * the policy that /etc/selinux/config names. Thread: any.
 */
#pragma once
#include "base/error.h"

typedef struct labels labels;
struct step_labels {
	char *process; /* owned; NULL: that of the daemon */
	char *mount;   /* owned */
	char *level;   /* owned; reserved; NULL: none */
};
/* root: the directory whose files are read when the first labels are taken. */
labels *labels_new(const char *root);
void labels_free(labels *l);
/* Reports whether the kernel labels processes with SELinux. */
bool labels_are_supported(void);
/*
 * insecure: the process keeps the daemon's label, and no confined process can read its mounts. Errors: FAILED_PRECONDITION
 * if the policy has no labels for containers.
 */
bool labels_take(labels *l, bool insecure, struct step_labels *ret, GError **error);
void labels_release(labels *l, struct step_labels *s);
