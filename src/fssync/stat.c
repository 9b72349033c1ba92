/* SPDX-License-Identifier: Apache-2.0 */
/* Converts modes between stat(2) and Go's os.FileMode; copies and frees struct fssync_stat. */
#include "fssync/packet.h"
#include <sys/stat.h>

uint32_t fssync_mode_from_st(mode_t st_mode)
{
	uint32_t mode = st_mode & 0777;
	switch (st_mode & S_IFMT) {
	case S_IFDIR:
		mode |= FSSYNC_MODE_DIR;
		break;
	case S_IFLNK:
		mode |= FSSYNC_MODE_SYMLINK;
		break;
	case S_IFIFO:
		mode |= FSSYNC_MODE_PIPE;
		break;
	case S_IFBLK:
		mode |= FSSYNC_MODE_DEVICE;
		break;
	case S_IFCHR:
		mode |= FSSYNC_MODE_DEVICE | FSSYNC_MODE_CHAR_DEVICE;
		break;
	default: /* a socket is sent as an empty file */
		break;
	}
	mode |= st_mode & S_ISUID ? FSSYNC_MODE_SETUID : 0;
	mode |= st_mode & S_ISGID ? FSSYNC_MODE_SETGID : 0;
	mode |= st_mode & S_ISVTX ? FSSYNC_MODE_STICKY : 0;
	return mode;
}

mode_t fssync_mode_to_st(uint32_t mode)
{
	mode_t st = mode & 0777;
	if (mode & FSSYNC_MODE_DIR)
		st |= S_IFDIR;
	else if (mode & FSSYNC_MODE_SYMLINK)
		st |= S_IFLNK;
	else if (mode & FSSYNC_MODE_CHAR_DEVICE)
		st |= S_IFCHR;
	else if (mode & FSSYNC_MODE_DEVICE)
		st |= S_IFBLK;
	else if (mode & FSSYNC_MODE_PIPE)
		st |= S_IFIFO;
	else
		st |= S_IFREG;
	st |= mode & FSSYNC_MODE_SETUID ? S_ISUID : 0;
	st |= mode & FSSYNC_MODE_SETGID ? S_ISGID : 0;
	st |= mode & FSSYNC_MODE_STICKY ? S_ISVTX : 0;
	return st;
}

void fssync_stat_clear(struct fssync_stat *stat)
{
	for (size_t i = 0; i < stat->n_xattrs; i++) {
		g_free(stat->xattrs[i].name);
		g_free(stat->xattrs[i].value);
	}
	g_free(stat->xattrs);
	g_free(stat->path);
	g_free(stat->linkname);
	*stat = (struct fssync_stat){0};
}
