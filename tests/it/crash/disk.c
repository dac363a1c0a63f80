/* A disk that can be made to fail, for the tests on storage: loaded in front of the C library into the
 * real process, it stands between SQLite and the kernel, for the database and its write-ahead log only.
 *
 * FAULTY_DISK_FILE names the database. Files beside it say what happens, while they are there:
 *   .full    nothing can be written, and nothing can grow (ENOSPC)
 *   .broken  fsync fails (EIO); as with Linux, what was not on the disk then is clean afterwards, and
 *            never gets there unless it is written again
 *   .lying   fsync says that all is well and does nothing
 *
 * What would be left after a power loss is kept in `<file>.durable`: of every sector what it had in the
 * last fsync that succeeded after it was written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
/* Of 64 MB at most; the tests stay far below. */
#define SECTORS (1 << 17)

struct kept {
  const char *ending;
  unsigned char dirty[SECTORS];
};

static struct kept files[] = {{.ending = ""}, {.ending = "-wal"}};
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static struct kept *which(int fd) {
  const char *file = getenv("FAULTY_DISK_FILE");
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = file ? readlink(link, path, sizeof path - 1) : -1;
  if (length < 0) return NULL;
  path[length] = 0;
  size_t stem = strlen(file);
  if (strncmp(path, file, stem) != 0) return NULL;
  for (size_t at = 0; at < sizeof files / sizeof *files; at++)
    if (strcmp(path + stem, files[at].ending) == 0) return &files[at];
  return NULL;
}

static int said(const char *word) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s.%s", getenv("FAULTY_DISK_FILE"), word);
  return access(path, F_OK) == 0;
}

static int is_full(int fd) {
  if (!which(fd) || !said("full")) return 0;
  errno = ENOSPC;
  return 1;
}

static void soil(int fd, off64_t from, ssize_t length) {
  struct kept *kept = which(fd);
  if (!kept || length <= 0) return;
  pthread_mutex_lock(&turn);
  for (off64_t at = from / SECTOR; at <= (from + length - 1) / SECTOR; at++) {
    if (at >= SECTORS) abort();
    kept->dirty[at] = 1;
  }
  pthread_mutex_unlock(&turn);
}

/* What is dirty gets to the disk, or is only said to be clean. */
static void clean(int fd, struct kept *kept, int reaches) {
  ssize_t (*write_at)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
  char path[PATH_MAX], sector[SECTOR];
  snprintf(path, sizeof path, "%s%s.durable", getenv("FAULTY_DISK_FILE"), kept->ending);
  /* The file itself must not be opened again: closing it would let go of SQLite's locks. */
  int disk = open(path, O_CREAT | O_WRONLY, 0600);
  if (disk < 0) abort();
  pthread_mutex_lock(&turn);
  for (off64_t at = 0; at < SECTORS; at++) {
    if (!kept->dirty[at]) continue;
    kept->dirty[at] = 0;
    ssize_t length = reaches ? pread(fd, sector, SECTOR, at * SECTOR) : 0;
    if (length > 0 && write_at(disk, sector, length, at * SECTOR) != length) abort();
  }
  pthread_mutex_unlock(&turn);
  close(disk);
}

static int sync_by(const char *name, int fd) {
  int (*real)(int) = dlsym(RTLD_NEXT, name);
  struct kept *kept = which(fd);
  if (!kept) return real(fd);
  if (said("lying")) return 0;
  int broken = said("broken");
  clean(fd, kept, !broken);
  if (!broken) return 0;
  errno = EIO;
  return -1;
}

int fsync(int fd) { return sync_by("fsync", fd); }
int fdatasync(int fd) { return sync_by("fdatasync", fd); }

static ssize_t write_by(const char *name, int fd, const void *bytes, size_t length, off64_t at) {
  ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, name);
  if (is_full(fd)) return -1;
  ssize_t written = real(fd, bytes, length, at);
  soil(fd, at, written);
  return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
  return write_by("pwrite", fd, bytes, length, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
  return write_by("pwrite64", fd, bytes, length, at);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
  if (!which(fd)) return real(fd, bytes, length);
  if (is_full(fd)) return -1;
  off64_t at = lseek64(fd, 0, SEEK_CUR);
  ssize_t written = real(fd, bytes, length);
  soil(fd, at, written);
  return written;
}

int fallocate(int fd, int mode, off_t at, off_t length) {
  int (*real)(int, int, off_t, off_t) = dlsym(RTLD_NEXT, "fallocate");
  return is_full(fd) ? -1 : real(fd, mode, at, length);
}
int posix_fallocate(int fd, off_t at, off_t length) {
  int (*real)(int, off_t, off_t) = dlsym(RTLD_NEXT, "posix_fallocate");
  return is_full(fd) ? ENOSPC : real(fd, at, length);
}
