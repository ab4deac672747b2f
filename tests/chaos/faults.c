/* Preloaded into a process: counts what it writes below a folder, and lets the n-th fail or be its last.
 *
 * CHAOS_ROOT     the folder; CHAOS_STATE  a file of five 64-bit numbers that all processes share:
 *                [0] writes so far, [1] n, [2] what happens: 0 nothing, 1 the n-th fails, 2 it and all after fail,
 *                3 the process is killed before it, 4 after it, [3] whether it is armed, [4] seconds the clock is put back
 * A full disk is ENOSPC for what takes room; a kill is SIGKILL, at removals and renames too.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *state;
static char root[4096];
static size_t root_length;

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("CHAOS_ROOT"), *file = getenv("CHAOS_STATE");
    if (!folder || !file) return;
    int fd = open(file, O_RDWR);
    if (fd < 0) return;
    void *at = mmap(0, 5 * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at == MAP_FAILED) return;
    snprintf(root, sizeof root, "%s", folder);
    root_length = strlen(root);
    state = at;
}

static int inside(const char *path) { return !strncmp(path, root, root_length) && path[root_length] == '/'; }

static int below(const char *path) {
    char whole[8192];
    if (!state || !state[3] || !path) return 0;
    if (path[0] != '/' && getcwd(whole, 4096)) { /* a relative name */
        strncat(whole, "/", 2);
        strncat(whole, path, 4000);
        path = whole;
    }
    return inside(path);
}

static int below_fd(int fd) {
    char link[64], path[4096];
    if (!state || !state[3]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return inside(path);
}

/* Before a write: 1 where it is to fail. `takes_room` is 0 for removals, which no full disk stops. */
static int before(int counted, int takes_room, int64_t *mine) {
    *mine = 0;
    if (!counted || (!takes_room && state[2] != 3 && state[2] != 4 && state[2] != 0)) return 0;
    int64_t k = __atomic_add_fetch(&state[0], 1, __ATOMIC_SEQ_CST), n = state[1];
    *mine = k;
    if (state[2] == 3 && k == n) kill(getpid(), SIGKILL);
    return (state[2] == 1 && k == n) || (state[2] == 2 && k >= n);
}

static void after(int64_t mine) {
    if (mine && state[2] == 4 && mine == state[1]) kill(getpid(), SIGKILL);
}

#define WRAP(type, name, parameters, arguments, counted, takes_room)        \
    type name parameters {                                                   \
        static type(*real) parameters;                                       \
        int64_t mine;                                                        \
        if (!real) real = dlsym(RTLD_NEXT, #name);                           \
        if (before(counted, takes_room, &mine)) { errno = ENOSPC; return -1; } \
        type result = real arguments;                                        \
        after(mine);                                                         \
        return result;                                                       \
    }

WRAP(ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n), below_fd(fd), 1)
WRAP(ssize_t, pwrite, (int fd, const void *b, size_t n, off_t at), (fd, b, n, at), below_fd(fd), 1)
WRAP(ssize_t, pwrite64, (int fd, const void *b, size_t n, off64_t at), (fd, b, n, at), below_fd(fd), 1)
WRAP(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), below_fd(fd), 1)
WRAP(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at), below_fd(fd), 1)
WRAP(ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off64_t at), (fd, v, n, at), below_fd(fd), 1)
WRAP(ssize_t, sendfile, (int to, int from, off_t *at, size_t n), (to, from, at, n), below_fd(to), 1)
WRAP(ssize_t, sendfile64, (int to, int from, off64_t *at, size_t n), (to, from, at, n), below_fd(to), 1)
WRAP(ssize_t, copy_file_range, (int from, off64_t *a, int to, off64_t *b, size_t n, unsigned f),
     (from, a, to, b, n, f), below_fd(to), 1)
WRAP(int, ftruncate, (int fd, off_t n), (fd, n), below_fd(fd), 1)
WRAP(int, ftruncate64, (int fd, off64_t n), (fd, n), below_fd(fd), 1)
WRAP(int, fsync, (int fd), (fd), below_fd(fd), 1)
WRAP(int, fdatasync, (int fd), (fd), below_fd(fd), 1)
WRAP(int, mkdir, (const char *p, mode_t m), (p, m), below(p), 1)
WRAP(int, rename, (const char *a, const char *b), (a, b), below(b), 1)
WRAP(int, link, (const char *a, const char *b), (a, b), below(b), 1)
WRAP(int, unlink, (const char *p), (p), below(p), 0)
WRAP(int, rmdir, (const char *p), (p), below(p), 0)

#define OPEN(name)                                                           \
    int name(const char *path, int flags, ...) {                             \
        static int (*real)(const char *, int, ...);                          \
        int64_t mine;                                                        \
        va_list more;                                                        \
        va_start(more, flags);                                               \
        mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(more, mode_t) : 0; \
        va_end(more);                                                        \
        if (!real) real = dlsym(RTLD_NEXT, #name);                           \
        if (before((flags & O_CREAT) && below(path), 1, &mine)) { errno = ENOSPC; return -1; } \
        int fd = real(path, flags, mode);                                    \
        after(mine);                                                         \
        return fd;                                                           \
    }
OPEN(open)
OPEN(open64)

static int64_t put_back(void) { return state && state[3] ? state[4] : 0; }

int clock_gettime(clockid_t clock, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, t);
    if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) t->tv_sec -= put_back();
    return result;
}

time_t time(time_t *at) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (at) *at = t.tv_sec;
    return t.tv_sec;
}
