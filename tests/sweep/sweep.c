#include "sweep/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/log.h"

enum { POINTS = 25, SECONDS = 60, WRONG = 40, OUTPUT_MAX = 16 * 1024, FAILURES_MAX = 8, SLOTS = 8 };

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/* OpenSSL leaves some of its own tables behind when its set-up fails half-way. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libcrypto.so\n"
           "leak:allocate_dtv\n"; /* of threads; known to the sanitizer only when nobody stands between it and the loader */
}

enum ending { ENDED_OK, ENDED_ERROR, ENDED_STOP, ENDED_BADLY, ENDINGS };

struct result { /* shared with the child */
    uint64_t count;
    bool struck, returned, ok;
    char text[1200]; /* of the error */
};

/* One process at a time. They wait more than they compute, so several run at once. */
static struct slot {
    struct result *result;
    int output; /* the child's standard error */
    char folder[64];
    pid_t pid; /* 0: free */
    struct fault_plan plan;
} slots[SLOTS];

static const char *folder; /* the child's */

_Noreturn void sweep_wrong(const char *file, int line, const char *text)
{
    fault_off();
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
    _exit(WRONG);
}

static int remove_one(const char *path, const struct stat *status UNUSED, int kind UNUSED, struct FTW *ftw UNUSED)
{
    return remove(path);
}

const char *sweep_folder(void)
{
    return folder;
}

const char *sweep_file(const char *name, const char *text)
{
    static char paths[2][160];
    static unsigned turn;
    char *path = paths[turn++ % 2];
    FILE *file;

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    file = fopen(path, "w");
    SWEEP_CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
    return path;
}

static _Noreturn void child(const struct sweep_case *sweep, const struct slot *slot)
{
    struct result *result = slot->result;
    struct error error = {0};
    int null = open("/dev/null", O_WRONLY);

    folder = slot->folder;
    dup2(null, STDOUT_FILENO);
    dup2(slot->output, STDERR_FILENO);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    alarm(SECONDS);
    fault_plan(&slot->plan);
    result->ok = sweep->run(&error);
    fault_off();
    result->count = fault_count();
    result->struck = fault_struck();
    snprintf(result->text, sizeof(result->text), "%s", error.text);
    if (!result->ok && result->struck && !(sweep->flags & SWEEP_DIES)) {
        fault_plan(&(struct fault_plan){0});
        memset(&error, 0, sizeof(error));
        if (!sweep->run(&error)) {
            fprintf(stderr, "after \"%s\", done again without a failure: %s\n", result->text, error.text);
            _exit(WRONG);
        }
    }
    if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check())
        _exit(WRONG);
    result->returned = true;
    _exit(0);
}

static enum ending judge(const struct sweep_case *sweep, const struct result *result, int status, const char *said)
{
    static const char *const assertions[] = {"Assertion", "assert:", "GLib-ERROR"};
    bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;

    if (aborted && (sweep->flags & SWEEP_STOPS) && strstr(said, "luaduct: out of memory"))
        return ENDED_STOP;
    if (aborted && strstr(said, "luaduct: no thread for"))
        return ENDED_STOP;
    for (size_t i = 0; aborted && (sweep->flags & SWEEP_ASSERTS) && i < COUNT_OF(assertions); i++)
        if (strstr(said, assertions[i]))
            return ENDED_STOP;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !result->returned)
        return ENDED_BADLY;
    if (result->ok)
        return ENDED_OK;
    return result->text[0] && result->struck ? ENDED_ERROR : ENDED_BADLY;
}

static void start(struct slot *slot, const struct sweep_case *sweep, const struct fault_plan *plan)
{
    memset(slot->result, 0, sizeof(*slot->result));
    SWEEP_CHECK(ftruncate(slot->output, 0) == 0 && lseek(slot->output, 0, SEEK_SET) == 0);
    snprintf(slot->folder, sizeof(slot->folder), "/tmp/luaduct-sweep-XXXXXX");
    SWEEP_CHECK(mkdtemp(slot->folder));
    slot->plan = *plan;
    fflush(NULL);
    slot->pid = fork();
    SWEEP_CHECK(slot->pid >= 0);
    if (slot->pid == 0)
        child(sweep, slot);
}

/* Waits for one process to end and counts how it did. */
static struct slot *finish(const struct sweep_case *sweep, unsigned ends[FAULT_KINDS][ENDINGS])
{
    static char said[OUTPUT_MAX];
    struct slot *slot = slots;
    const struct fault_plan *plan;
    enum ending ending;
    ssize_t size;
    int status;
    pid_t pid = wait(&status);

    while (slot < slots + SLOTS && slot->pid != pid)
        slot++;
    SWEEP_CHECK(slot < slots + SLOTS);
    slot->pid = 0;
    plan = &slot->plan;
    size = pread(slot->output, said, OUTPUT_MAX - 1, 0);
    said[size > 0 ? size : 0] = '\0';
    nftw(slot->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    ending = judge(sweep, slot->result, status, said);
    ends[plan->kind][ending]++;
    if (getenv("LUADUCT_SWEEP_SHOW") || ending == ENDED_BADLY)
        printf("%s: %s %llu%s: %s (wait status 0x%x, error \"%s\")\n%s", sweep->name, fault_names[plan->kind],
               (unsigned long long)plan->at, plan->for_ever ? " and all after it" : "",
               ending == ENDED_BADLY ? "ended badly" : "ended well", (unsigned)status, slot->result->text,
               ending == ENDED_OK ? "" : said);
    return slot;
}

/* Number index of `points` spread over 1..total; the first and the last are among them. */
static uint64_t point(uint64_t total, uint64_t points, uint64_t index)
{
    return points == 1 ? 1 : 1 + index * (total - 1) / (points - 1);
}

static struct fault_plan plan_of(const struct sweep_case *sweep, enum fault_kind kind)
{
    return (struct fault_plan){
        .kind = kind, .libraries = sweep->flags & SWEEP_LIBRARIES, .other_threads = sweep->flags & SWEEP_OTHERS};
}

/* How many calls of each kind from first to last there are when none fails. */
static bool count_calls(const struct sweep_case *sweep, enum fault_kind first, enum fault_kind last, uint64_t totals[FAULT_KINDS])
{
    unsigned ends[FAULT_KINDS][ENDINGS] = {0}, running = 0;
    bool ok = true;

    for (enum fault_kind kind = first; kind <= last; kind++) {
        struct fault_plan plan = plan_of(sweep, kind);

        start(&slots[running++], sweep, &plan);
        while (running == SLOTS || (kind == last && running)) {
            struct slot *ended = finish(sweep, ends), taken = *ended;

            totals[taken.plan.kind] = taken.result->count;
            *ended = slots[--running]; /* those that run stay in front */
            slots[running] = taken;
        }
    }
    for (enum fault_kind kind = first; kind <= last; kind++)
        ok &= ends[kind][ENDED_OK] == 1;
    if (!ok)
        printf("%s: failed without a failure of ours\n", sweep->name);
    return ok;
}

static uint64_t points_of(const struct sweep_case *sweep, uint64_t total)
{
    const char *wanted = getenv("LUADUCT_SWEEP");
    uint64_t most = sweep->points ? sweep->points : POINTS;

    if (wanted)
        most = strcmp(wanted, "all") == 0 ? total : strtoull(wanted, NULL, 10);
    return total < most ? total : most;
}

/* A call that is interrupted for ever is a hang by definition. */
static unsigned modes_of(const struct sweep_case *sweep, enum fault_kind kind)
{
    return kind == FAULT_INTERRUPTED || (sweep->flags & SWEEP_ONCE) ? 1 : 2;
}

/* All kinds share the slots, so that nobody waits for the last process of each. */
static bool sweep_one(const struct sweep_case *sweep)
{
    enum fault_kind first = sweep->flags & SWEEP_IO ? FAULT_MEMORY + 1 : FAULT_MEMORY;
    enum fault_kind last = sweep->flags & SWEEP_IO ? FAULT_KINDS - 1 : FAULT_MEMORY;
    unsigned ends[FAULT_KINDS][ENDINGS] = {0}, running = 0;
    uint64_t totals[FAULT_KINDS] = {0};
    bool ok = count_calls(sweep, first, last, totals);

    if (!ok)
        return false;
    for (enum fault_kind kind = first; kind <= last; kind++) {
        struct fault_plan plan = plan_of(sweep, kind);
        uint64_t points = points_of(sweep, totals[kind]);

        for (uint64_t i = 0; i < points * modes_of(sweep, kind) && ends[kind][ENDED_BADLY] < FAILURES_MAX; i++) {
            struct slot *slot = running == SLOTS ? finish(sweep, ends) : &slots[running++];

            plan.for_ever = i >= points;
            plan.at = point(totals[kind], points, i % points);
            start(slot, sweep, &plan);
        }
    }
    while (running--)
        (void)finish(sweep, ends);
    for (enum fault_kind kind = first; kind <= last; kind++) {
        const unsigned *ended = ends[kind];

        printf("%-20s %-13s %5llu calls, %4llu points x %u: %u got over, %u errors, %u stops, %u bad\n", sweep->name,
               fault_names[kind], (unsigned long long)totals[kind], (unsigned long long)points_of(sweep, totals[kind]),
               modes_of(sweep, kind), ended[ENDED_OK], ended[ENDED_ERROR], ended[ENDED_STOP], ended[ENDED_BADLY]);
        ok &= ended[ENDED_BADLY] == 0;
    }
    return ok;
}

int sweep_main(int argc, char **argv, const struct sweep_case *cases, size_t count)
{
    bool ok = true;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < SLOTS; i++) {
        slots[i].result = mmap(NULL, sizeof(*slots[i].result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        slots[i].output = memfd_create("sweep", MFD_CLOEXEC);
        SWEEP_CHECK(slots[i].result != MAP_FAILED && slots[i].output >= 0);
    }
    for (size_t i = 0; i < count; i++) {
        bool wanted = argc < 2;

        for (int a = 1; a < argc; a++)
            wanted |= strcmp(argv[a], cases[i].name) == 0;
        if (wanted)
            ok &= sweep_one(&cases[i]);
    }
    return ok ? 0 : 1;
}
