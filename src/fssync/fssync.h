/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fssync: fsutil's packet protocol (github.com/tonistiigi/fsutil, types.Packet), both roles, over any packet stream.
 *
 *	fssync_send(&channel, roots, n_roots, &filter, &options, cancel, error);
 *	fssync_receive(&channel, dest_fd, &options, cancel, error);
 *
 * The sender walks beneath root_fd in path order; the receiver compares with the contents of dest_fd, requests
 * differing files, and removes entries that were not announced (unless merge). File data is interleaved. Reading the
 * stream waits for the disk only when a bounded queue is full, so that neither side can block the other. Thread: calls
 * block; one thread per call (they start threads internally).
 */
#pragma once
#include "base/cancel.h"
#include "base/digest.h"
#include <sys/stat.h>

struct fssync_xattr {
	char *name;
	void *value;
	size_t len;
};

/* One entry as transferred. mode contains Go's os.FileMode bits. */
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
/* Bits of mode in addition to the permissions (Go's os.FileMode). */
#define FSSYNC_MODE_DIR (1u << 31)
#define FSSYNC_MODE_SYMLINK (1u << 27)
#define FSSYNC_MODE_DEVICE (1u << 26)
#define FSSYNC_MODE_PIPE (1u << 25)
#define FSSYNC_MODE_SOCKET (1u << 24)
#define FSSYNC_MODE_SETUID (1u << 23)
#define FSSYNC_MODE_SETGID (1u << 22)
#define FSSYNC_MODE_CHAR_DEVICE (1u << 21)
#define FSSYNC_MODE_STICKY (1u << 20)
#define FSSYNC_MODE_IRREGULAR (1u << 19)
#define FSSYNC_MODE_TYPE                                                                                               \
	(FSSYNC_MODE_DIR | FSSYNC_MODE_SYMLINK | FSSYNC_MODE_DEVICE | FSSYNC_MODE_PIPE | FSSYNC_MODE_SOCKET |          \
	 FSSYNC_MODE_CHAR_DEVICE | FSSYNC_MODE_IRREGULAR)
uint32_t fssync_mode_from_st(mode_t st_mode);
mode_t fssync_mode_to_st(uint32_t mode);
void fssync_stat_clear(struct fssync_stat *stat);

/* The packet stream: encoded messages of type fsutil.types.Packet. recv returns NULL without an error at the end. */
struct fssync_channel {
	bool (*send)(void *data, const void *head, size_t n_head, const void *body, size_t n_body, GError **error);
	GBytes *(*recv)(void *data, GError **error);
	/*
	 * The same for several messages at once. bytes has n messages one after the other, sizes their lengths. recv_many
	 * appends all messages that are there (GBytes *) to the empty queue ret, and waits for the first one; false at the
	 * end or with an error. Both may be NULL.
	 */
	bool (*send_many)(void *data, const void *bytes, const uint32_t *sizes, size_t n, GError **error);
	bool (*recv_many)(void *data, GQueue *ret, GError **error);
	bool (*close_send)(void *data, GError **error); /* may be NULL */
	/* Ends the stream: blocked send and recv calls return an error. Any thread. May be NULL (tests). */
	void (*abort)(void *data);
	void *data;
};

struct fssync_filter {
	const char *const *include; /* NULL, or NULL-terminated .dockerignore-style patterns */
	const char *const *exclude;
	const char *const *follow; /* paths whose symlinks are resolved beneath the root, added to include */
};

/* A file that appears at the top of a tree although it is not in it; it replaces an entry of the same name. */
struct fssync_extra {
	const char *name;
	int fd; /* borrowed, read from offset 0 */
	int64_t size, mtime_ns;
	mode_t mode;
};
/* A virtual root of several trees: each directory appears under its name ("" for the root itself). */
struct fssync_root {
	int fd;                            /* borrowed, O_PATH or O_RDONLY directory */
	const char *name;                  /* "" or "linux_amd64" */
	mode_t mode;                       /* of the named directory */
	const struct fssync_extra *extras; /* borrowed, sorted by name; not filtered */
	size_t n_extras;
};

/*
 * Walks the trees, for callers that write them in another format (tar). Entries come in path order; hard links name the
 * first member that was visited. parent_fd and name locate the entry (-1 for the directory of a root and for extras,
 * which fssync_root_extra finds).
 */
struct fssync_walk_options {
	bool (*map)(void *data, struct fssync_stat *stat); /* as in fssync_send_options */
	void *map_data;
	bool (*visit)(void *data, const struct fssync_stat *stat, int parent_fd, const char *name, GError **error);
	void *visit_data;
};
bool fssync_walk(const struct fssync_root *roots, size_t n_roots, const struct fssync_filter *filter,
		 const struct fssync_walk_options *options, cancel *c, GError **error);

/* Returns the extra of that name, or NULL. */
const struct fssync_extra *fssync_root_extra(const struct fssync_root *root, const char *name);

struct fssync_send_options {
	/* Changes an entry before it is sent (reset ids, clamp times); false omits it. May be NULL. */
	bool (*map)(void *data, struct fssync_stat *stat);
	void *map_data;
	/* Receives the total of packet bytes sent so far. May be NULL. */
	void (*progress)(void *data, int64_t bytes, bool done);
	void *progress_data;
};
bool fssync_send(const struct fssync_channel *channel, const struct fssync_root *roots, size_t n_roots,
		 const struct fssync_filter *filter, const struct fssync_send_options *options, cancel *c,
		 GError **error);

#define FSSYNC_METADATA_NAME ".fsutil-metadata"
enum fssync_change { FSSYNC_ADDED, FSSYNC_MODIFIED, FSSYNC_UNCHANGED, FSSYNC_REMOVED };

/* The content of a received file. */
struct fssync_content {
	struct digest digest; /* of what hash_begin returned */
	struct stat st;       /* of the complete file */
};

struct fssync_receive_options {
	bool merge;     /* keep entries that were not announced (client exports) */
	bool diff_none; /* request every file again */
	bool set_owner; /* use owner_uid and owner_gid instead of the announced ids */
	uid_t owner_uid;
	gid_t owner_gid;
	bool as_root; /* may chown, mknod and set trusted attributes */
	/*
	 * Only the entries that wanted (NULL: none) accepts are created, with their parents; the file FSSYNC_METADATA_NAME
	 * at the top has all announcements: each a length (32 bit, little endian) and a Stat message.
	 */
	bool metadata_only;
	bool (*wanted)(void *data, const char *path);
	void *wanted_data;
	/*
	 * Receives every entry as it is beneath dest, in path order, on the calling thread after its data is complete.
	 * May be NULL.
	 */
	void (*on_entry)(void *data, enum fssync_change change, const struct fssync_stat *stat,
			 const struct fssync_content *content);
	void *on_entry_data;
	/*
	 * Returns a hasher (owned by the caller) for the data of a requested file, so that on_entry receives its content;
	 * NULL: it is not hashed. Called on the calling thread. May be NULL.
	 */
	hasher *(*hash_begin)(void *data, const struct fssync_stat *stat);
	void *hash_data;
	void (*progress)(void *data, int64_t bytes, bool done);
	void *progress_data;
};
/* Every path is opened beneath dest_fd without following links. Protocol errors: INVALID_ARGUMENT. */
bool fssync_receive(const struct fssync_channel *channel, int dest_fd, const struct fssync_receive_options *options,
		    cancel *c, GError **error);
