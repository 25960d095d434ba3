/* job_file.c: any text as a job file and as the file of data sources beside it.
 * Input: the job, the separator, the data sources. Either both are right, or there are mistakes, which have their places inside
 * the files and print as text. The two files lie in a folder of the process, and the input may name others only below it. */
#include "places.h"

#include "job/job.h"
#include "util/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], paths[2][96];
static int files[2];

/* Told secrets stay for the life of a process: a few of them are enough, or later inputs would slow down and print otherwise. The
 * linker puts this one in the place of log_secret. */
void __wrap_log_secret(const char *text);
void __real_log_secret(const char *text);
void __wrap_log_secret(const char *text)
{
    static int told;

    if (told < 32 && strncmp(text, "secret", 6) == 0)
        __real_log_secret(text), told++;
}

static void folder_remove(void)
{
    for (int i = 0; i < 2; i++)
        unlink(paths[i]);
    rmdir(folder);
}

static void folder_make(void)
{
    snprintf(folder, sizeof(folder), "/tmp/luaduct_fuzz_XXXXXX");
    if (!mkdtemp(folder))
        abort();
    for (int i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/%s.yaml", folder, i ? "datasources" : "job");
        files[i] = open(paths[i], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (files[i] < 0)
            abort();
    }
    atexit(folder_remove);
}

static void file_write(int file, struct str text)
{
    if (ftruncate(file, 0) != 0 || pwrite(file, text.data, text.size, 0) != (ssize_t)text.size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make((const char *)data, size), texts[2] = {STR(""), STR("")};
    struct report *report;
    struct job *job = NULL;
    bool ok;

    if (!folder[0])
        folder_make();
    if (memmem(data, size, "${file:/", 8) || memmem(data, size, "..", 2))
        return -1; /* other files */
    for (int i = 0; i < 2 && fuzz_part(&rest, &texts[i]); i++)
        ;
    for (int i = 0; i < 2; i++)
        file_write(files[i], texts[i]);
    report = report_new();
    ok = job_load(&job, paths[0], paths[1], report);
    FUZZ_CLAIM(ok == (report_mistakes(report) == 0), "%u mistakes", report_mistakes(report));
    FUZZ_CLAIM(!ok || (job && job->name && job->source.topic && job->target.table), "a job without a name, topic or table");
    for (int i = 0; i < 2; i++)
        fuzz_check_report(report, paths[i], texts[i]);
    job_free(job);
    report_free(report);
    return 0;
}
