#include "sweep/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *const fault_names[FAULT_KINDS] = {"memory", "no space", "I/O error", "no descriptor", "short write", "interrupted"};

/* The linker's names for the program's own code. */
extern const char __executable_start[], etext[];

/* Where there is a sanitizer it has these; else the C library's. */
extern void *__interceptor_malloc(size_t size) __attribute__((weak));
extern void *__interceptor_calloc(size_t count, size_t size) __attribute__((weak));
extern void *__interceptor_realloc(void *pointer, size_t size) __attribute__((weak));
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);

static struct fault_plan plan;
static atomic_bool on, struck;
static _Atomic uint64_t count;
static _Thread_local bool main_thread;

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
    static const int errors[FAULT_KINDS] = {0, ENOSPC, EIO, EMFILE, 0, EINTR};
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
