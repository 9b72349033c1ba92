/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signature: verifies signatures of sources with the programs gpgv and ssh-keygen.
 *
 *	struct signature_key key = {.text = armored, .reject_expired = true};
 *	if (!signature_verify_git(&object, &key, work->cancel, error)) ...
 *	if (!signature_verify_pgp(fd, text, n, &key, work->cancel, error)) ...
 *
 * The programs run without a home, without the daemon's descriptors, and with limits of their memory and time; keys and
 * signatures are passed as nameless files. A missing program is FAILED_PRECONDITION; texts of other errors are
 * upstream's as far as the programs tell the reason. Thread: any; calls block.
 */
#pragma once
#include "base/cancel.h"
#include "source/git_object.h"

struct signature_key {
	const char *text;    /* armored OpenPGP keys, or one line of ssh-keygen's public key format */
	bool reject_expired; /* OpenPGP: the key must be valid now; false: at the time of the signature */
};

/* Verifies an armored detached signature of a regular file. */
bool signature_verify_pgp(int data_fd, const char *signature, size_t n, const struct signature_key *key, cancel *c,
			  GError **error);
/* Verifies an armored signature ("SSH SIGNATURE") of the namespace "git". */
bool signature_verify_ssh(const GString *data, const char *signature, size_t n, const struct signature_key *key,
			  cancel *c, GError **error);
/* Verifies the signature in an object, of either kind. */
bool signature_verify_git(const git_object *o, const struct signature_key *key, cancel *c, GError **error);

/* ---- for the two kinds (signature_pgp.c, signature_ssh.c) */

#define SIGNATURE_OUTPUT_MAX KIB(256)
/* The child's names of the first descriptors in struct signature_program.fds. */
#define SIGNATURE_FILE_0 "/proc/self/fd/3"
#define SIGNATURE_FILE_1 "/proc/self/fd/4"
#define SIGNATURE_FILE_2 "/proc/self/fd/5"
enum { SIGNATURE_FILES_MAX = 3 };
struct signature_program {
	const char *const *argv;
	const char *package;          /* of Debian, that contains it */
	int fds[SIGNATURE_FILES_MAX]; /* borrowed; SIGNATURE_FILE_N */
	size_t n_fds;
	const GString *input; /* NULL: none */
};
/* A non-zero status is a success here. Output beyond SIGNATURE_OUTPUT_MAX is an error. */
bool signature_program_run(const struct signature_program *p, cancel *c, int *ret_status, GBytes **ret_out,
			   GBytes **ret_err, GError **error);
/* Returns a file without a name, or -1. */
int signature_file_new(const void *bytes, size_t n, GError **error);
