/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fssync: fsutil's packet protocol (github.com/tonistiigi/fsutil, types.Packet), both roles, over any packet stream.
 *
 *	fssync_send(channel, root_fd, &filter, &options, cancel, error);
 *	fssync_receive(channel, dest_fd, &options, cancel, error);
 *
 * The sender walks beneath root_fd in path order; the receiver compares with what dest_fd holds, asks for what
 * differs, and removes what was not announced (unless merge). Files travel interleaved; reading the stream never
 * waits for the disk of one file longer than the bounded queue, so that neither side can block the other.
 * Thread: blocking; one thread a call (helpers inside).
 */
#pragma once
#include "base/cancel.h"
#include <sys/types.h>

struct fssync_xattr {
	char *name;
	void *value;
	size_t len;
};

/* One entry, as it travels. mode holds Go's os.FileMode bits. */
struct fssync_stat {
	char *path; /* relative, slash-separated, clean */
	uint32_t mode;
	uint32_t uid, gid;
	int64_t size;
	int64_t mtime_ns;
	char *linkname; /* "" or symlink target, or the earlier path of a hard link */
	int64_t devmajor, devminor;
	struct fssync_xattr *xattrs;
	size_t n_xattrs;
};
uint32_t fssync_mode_from_st(mode_t st_mode);
mode_t fssync_mode_to_st(uint32_t mode);
void fssync_stat_clear(struct fssync_stat *stat);

/* The stream of packets: messages of type fsutil.types.Packet, encoded. recv gives NULL and no error at the end. */
struct fssync_channel {
	bool (*send)(void *data, const void *head, size_t n_head, const void *body, size_t n_body, GError **error);
	GBytes *(*recv)(void *data, GError **error);
	bool (*close_send)(void *data, GError **error); /* may be NULL */
	void *data;
};

struct fssync_filter {
	const char *const *include; /* NULL or NULL-terminated .dockerignore-style patterns */
	const char *const *exclude;
	const char *const *follow;  /* paths resolved through symlinks beneath the root, added to include */
};

/* A virtual root of several trees: each directory appears under its name ("" for the root itself). */
struct fssync_root {
	int fd;           /* borrowed, O_PATH or O_RDONLY directory */
	const char *name; /* "" or "linux_amd64" */
	mode_t mode;      /* of the named directory */
};

struct fssync_send_options {
	/* Changes an entry before it travels (reset ids, clamp times); false leaves it out. NULL: none. */
	bool (*map)(void *data, struct fssync_stat *stat);
	void *map_data;
	/* Total of file bytes sent so far. NULL: none. */
	void (*progress)(void *data, int64_t bytes, bool done);
	void *progress_data;
};
bool fssync_send(const struct fssync_channel *channel, const struct fssync_root *roots, size_t n_roots,
		 const struct fssync_filter *filter, const struct fssync_send_options *options, cancel *c, GError **error);

enum fssync_change { FSSYNC_ADDED, FSSYNC_MODIFIED, FSSYNC_UNCHANGED, FSSYNC_REMOVED };

struct fssync_receive_options {
	bool merge;     /* keep what was not announced (client exports) */
	bool diff_none; /* ask for every file again */
	bool set_owner; /* use owner_uid and owner_gid instead of the announced ids */
	uid_t owner_uid;
	gid_t owner_gid;
	bool as_root;   /* may chown, mknod and set trusted attributes */
	/* Every entry as it now is beneath dest, in path order, on the calling thread after its data is whole. NULL: none. */
	void (*on_entry)(void *data, enum fssync_change change, const struct fssync_stat *stat);
	void *on_entry_data;
	void (*progress)(void *data, int64_t bytes, bool done);
	void *progress_data;
};
/* Every path is opened beneath dest_fd without following links. Errors of the protocol: INVALID_ARGUMENT. */
bool fssync_receive(const struct fssync_channel *channel, int dest_fd, const struct fssync_receive_options *options,
		    cancel *c, GError **error);
