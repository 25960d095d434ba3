#include "sweep/fault.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const fault_names[FAULT_KINDS] = {"memory", "no space", "I/O error", "no descriptor", "short write", "interrupted",
                                              "no process"};

/* The linker's names for the program's own code. */
extern const char __executable_start[], etext[];

/* Where there is a sanitizer it has these; else the C library's. */
extern void *__interceptor_malloc(size_t size) __attribute__((weak));
extern void *__interceptor_calloc(size_t count, size_t size) __attribute__((weak));
extern void *__interceptor_realloc(void *pointer, size_t size) __attribute__((weak));
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);

/* Where the call is more than a system call. */
static struct {
    int (*mkostemp)(char *path, int flags);
    FILE *(*fopen)(const char *path, const char *mode);
    DIR *(*opendir)(const char *path);
    struct dirent *(*readdir)(DIR *folder);
    pid_t (*fork)(void);
    int (*posix_spawnp)(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const *arguments, char *const *environment);
    int (*pthread_create)(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *arg), void *arg);
} real;

static struct fault_plan plan;
static atomic_bool on, struck;
static _Atomic uint64_t count;
static _Thread_local bool main_thread;

static void real_find(void)
{
    static const struct {
        const char *name;
        void *place;
    } rows[] = {{"mkostemp", &real.mkostemp}, {"fopen", &real.fopen}, {"opendir", &real.opendir},
                {"readdir", &real.readdir},   {"fork", &real.fork},   {"posix_spawnp", &real.posix_spawnp},
                {"pthread_create", &real.pthread_create}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        void *found = dlsym(RTLD_NEXT, rows[i].name);

        memcpy(rows[i].place, &found, sizeof(found));
    }
}

__attribute__((constructor)) static void at_start(void)
{
    real_find();
}

void fault_plan(const struct fault_plan *new_plan)
{
    plan = *new_plan;
    main_thread = true;
    atomic_store(&on, false);
    atomic_store(&struck, false);
    atomic_store(&count, 0);
}

void fault_on(void)
{
    atomic_store(&on, true);
}

void fault_off(void)
{
    atomic_store(&on, false);
}

uint64_t fault_count(void)
{
    return atomic_load(&count);
}

bool fault_struck(void)
{
    return atomic_load(&struck);
}

/* Whether this call fails. */
static bool fails(bool of_kind, const void *caller)
{
    bool own = (const char *)caller >= __executable_start && (const char *)caller < etext;
    uint64_t number;

    if (LIKELY(!atomic_load_explicit(&on, memory_order_relaxed)) || !of_kind || main_thread == plan.other_threads ||
        (!own && !plan.libraries))
        return false;
    number = atomic_fetch_add(&count, 1) + 1;
    if (!plan.at || (plan.for_ever ? number < plan.at : number != plan.at))
        return false;
    atomic_store(&struck, true);
    return true;
}

/* --- memory --- */

static bool no_memory(const void *caller)
{
    if (!fails(plan.kind == FAULT_MEMORY, caller))
        return false;
    errno = ENOMEM;
    return true;
}

static void *real_malloc(size_t size)
{
    return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

void *malloc(size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : real_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    if (no_memory(__builtin_return_address(0)))
        return NULL;
    return __interceptor_calloc ? __interceptor_calloc(number, size) : __libc_calloc(number, size);
}

void *realloc(void *pointer, size_t size)
{
    if (size && no_memory(__builtin_return_address(0)))
        return NULL;
    return __interceptor_realloc ? __interceptor_realloc(pointer, size) : __libc_realloc(pointer, size);
}

static char *copy_text(const char *text, size_t size, const void *caller)
{
    char *copy = no_memory(caller) ? NULL : real_malloc(size + 1);

    if (copy) {
        memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

#undef strdup
#undef strndup
char *strdup(const char *text)
{
    return copy_text(text, strlen(text), __builtin_return_address(0));
}

char *strndup(const char *text, size_t size)
{
    return copy_text(text, strnlen(text, size), __builtin_return_address(0));
}

/* --- files --- */

/* What the call answers instead of being made; 0: it is made. */
static int io_error(bool makes, bool writes, bool opens, const void *caller)
{
    static const int errors[FAULT_KINDS] = {[FAULT_NO_SPACE] = ENOSPC,
                                            [FAULT_IO_ERROR] = EIO,
                                            [FAULT_NO_DESCRIPTOR] = EMFILE,
                                            [FAULT_INTERRUPTED] = EINTR};
    bool of_kind = false;

    switch (plan.kind) {
    case FAULT_NO_SPACE:
        of_kind = makes || writes;
        break;
    case FAULT_IO_ERROR:
        of_kind = true;
        break;
    case FAULT_NO_DESCRIPTOR:
        of_kind = opens;
        break;
    case FAULT_INTERRUPTED:
        of_kind = true;
        break;
    default:
        break;
    }
    if (!fails(of_kind, caller))
        return 0;
    errno = errors[plan.kind];
    return errno;
}

ssize_t write(int fd, const void *data, size_t size)
{
    const void *caller = __builtin_return_address(0);

    if (fails(plan.kind == FAULT_SHORT && size > 1, caller))
        size /= 2;
    else if (io_error(false, true, false, caller))
        return -1;
    return syscall(SYS_write, fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    const void *caller = __builtin_return_address(0);

    if (fails(plan.kind == FAULT_SHORT && size > 1, caller))
        size /= 2;
    else if (io_error(false, true, false, caller))
        return -1;
    return syscall(SYS_pwrite64, fd, data, size, at);
}

ssize_t read(int fd, void *data, size_t size)
{
    return io_error(false, false, false, __builtin_return_address(0)) ? -1 : syscall(SYS_read, fd, data, size);
}

int fsync(int fd)
{
    return io_error(false, true, false, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return io_error(false, true, false, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t size)
{
    return io_error(false, false, false, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode = 0;

    va_start(arguments, flags);
    if (flags & O_CREAT)
        mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (io_error(flags & O_CREAT, false, true, __builtin_return_address(0)))
        return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode = 0;

    va_start(arguments, flags);
    if (flags & O_CREAT)
        mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (io_error(flags & O_CREAT, false, true, __builtin_return_address(0)))
        return -1;
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

int mkdir(const char *path, mode_t mode)
{
    return io_error(true, false, false, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int rename(const char *from, const char *to)
{
    return io_error(true, false, false, __builtin_return_address(0))
               ? -1
               : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* What no system interrupts, and makes and writes nothing. */
static int other_error(bool opens, const void *caller)
{
    return plan.kind == FAULT_INTERRUPTED ? 0 : io_error(false, false, opens, caller);
}

int stat(const char *path, struct stat *status)
{
    return other_error(false, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_newfstatat, AT_FDCWD, path, status, 0);
}

int fstat(int fd, struct stat *status)
{
    return other_error(false, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_newfstatat, fd, "", status, AT_EMPTY_PATH);
}

int fstatat(int folder, const char *path, struct stat *status, int flags)
{
    return other_error(false, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_newfstatat, folder, path, status, flags);
}

int access(const char *path, int mode)
{
    return other_error(false, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

int unlink(const char *path)
{
    return other_error(false, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    return io_error(true, false, false, __builtin_return_address(0))
               ? -1
               : (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}

int mkostemp(char *path, int flags)
{
    return io_error(true, false, true, __builtin_return_address(0)) ? -1 : real.mkostemp(path, flags);
}

FILE *fopen(const char *path, const char *mode)
{
    return io_error(*mode != 'r', false, true, __builtin_return_address(0)) ? NULL : real.fopen(path, mode);
}

DIR *opendir(const char *path)
{
    return other_error(true, __builtin_return_address(0)) ? NULL : real.opendir(path);
}

struct dirent *readdir(DIR *folder)
{
    return other_error(false, __builtin_return_address(0)) ? NULL : real.readdir(folder);
}

/* --- sockets and pipes --- */

int socket(int domain, int type, int protocol)
{
    return other_error(true, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

int bind(int fd, const struct sockaddr *address, socklen_t size)
{
    return other_error(false, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_bind, fd, address, size);
}

int listen(int fd, int backlog)
{
    return other_error(false, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_listen, fd, backlog);
}

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict size, int flags)
{
    return io_error(false, false, true, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_accept4, fd, address, size, flags);
}

int pipe2(int fds[2], int flags)
{
    return other_error(true, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_pipe2, fds, flags);
}

int eventfd(unsigned start, int flags)
{
    return other_error(true, __builtin_return_address(0)) ? -1 : (int)syscall(SYS_eventfd2, start, flags);
}

/* --- processes and threads --- */

pid_t fork(void)
{
    if (!fails(plan.kind == FAULT_NO_PROCESS, __builtin_return_address(0)))
        return real.fork();
    errno = EAGAIN;
    return -1;
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                 char *const *arguments, char *const *environment)
{
    return fails(plan.kind == FAULT_NO_PROCESS, __builtin_return_address(0))
               ? EAGAIN
               : real.posix_spawnp(pid, file, actions, attributes, arguments, environment);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *arg), void *arg)
{
    return fails(plan.kind == FAULT_NO_PROCESS, __builtin_return_address(0)) ? EAGAIN
                                                                             : real.pthread_create(thread, attributes, start, arg);
}
