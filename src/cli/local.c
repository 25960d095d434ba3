/* local.c: `luaduct local`: the MaxCompute-compatible endpoint on loopback, until a signal ends it. */
#include "cli/cli.h"
#include "local/local.h"
#include "local/words.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: luaduct local [--listen 127.0.0.1:PORT] [--data FILE] [--project P[,P...]] [--access-id ID]\n"
    "                     [--access-key KEY] [--region R] [--discard] [--faults FILE] [--second-commit ok|conflict|5xx]\n"
    "                     [--session-life TIME] [--quotas LIST] [--token TOKEN | --credentials FILE]\n"
    "                     [--tls-certificate FILE --tls-key FILE] [--clock TIME] [--log-level LEVEL]\n"
    "\n"
    "A MaxCompute-compatible endpoint on this machine: projects, tables, partitions, batch uploads and downloads, rows in "
    "SQLite.\n"
    "\n"
    "  --listen ADDRESS:PORT  loopback addresses only; port 0 takes a free one (default 127.0.0.1:0)\n"
    "  --data FILE            the SQLite database (default: in memory)\n"
    "  --project P            projects that exist (default: local)\n"
    "  --access-id ID         default: local\n"
    "  --access-key KEY       default: the environment variable LUADUCT_LOCAL_ACCESS_KEY, else \"local\"\n"
    "  --region R             the region that V4 signatures must name (default: any)\n"
    "  --token TOKEN          the security token that every request must carry with the key (default: none)\n"
    "  --credentials FILE     the access keys that are let in, instead of the three: JSON, one or a list of them, with\n"
    "                         AccessKeyId, AccessKeySecret, and perhaps SecurityToken and Expiration; read again when it\n"
    "                         changes\n"
    "  --tls-certificate FILE, --tls-key FILE\n"
    "                         speak HTTPS with this certificate (and chain) and its key, in PEM form\n"
    "  --clock TIME           its clock is that much ahead of this machine's, or behind: 20m, -20m\n"
    "  --discard              check what comes and count it, keep no rows\n"
    "  --second-commit ANSWER to a commit whose session is closed, or has a commit under way: ok (200 and the session's state;\n"
    "                         the default), conflict (409 StatusConflict), 5xx (500); nothing happens twice in any case\n"
    "  --session-life TIME    older sessions that nobody committed are expired (default: 24h)\n"
    "  --quotas LIST          answer 429 beyond limits (default: none). \"service\" is sessions=500/5m,downloads=200/5m,\n"
    "                         blocks=500/5m,commits=75/15s,commits_at_once=32, for each table; a list such as\n"
    "                         commits=3/2s,slots=4 gives other ones, also behind service; slots: blocks that are written\n"
    "                         at a time, over all tables\n"
    "  --faults FILE          scripted failures, a rule a line:\n"
    "                           CALL [#N | #N-M | every K] before|after ANSWER\n"
    "                         CALL: discovery, project, table, partitions, create_table, drop_table, add_partition,\n"
    "                           drop_partition, add_columns, instance, create_upload, put_block, list_blocks, commit,\n"
    "                           create_download, download, any\n"
    "                         ANSWER: status=NNN [code=NAME] [retry_after=SECONDS], cut, hang=TIME, slow=TIME\n"
    "                           state=NAME: the session is unknown, normal, committing, closing, canceled, expired or\n"
    "                             critical from now on; expire: state=expired; forget: no session is known by its name\n"
    "                           closing=TIME (commit before): the commit lasts that long, in state closing\n"
    "                           delay=TIME (before): cut at once, carried out that much later\n"
    "                           twice[=TIME] (after): carried out once more, on the spot or that much later\n"
    "                         before: instead of the call (slow, state, expire, forget, closing: ahead of it); after: it is\n"
    "                         done, the answer replaced; or a line \"second_commit ok|conflict|5xx\", before the option\n"
    "                         put_block #3 after cut\n"
    "                         commit #1 after status=500\n"
    "                         create_upload every 5 before status=429 retry_after=1\n"
    "\n"
    "Once it is ready it prints \"listening on http://127.0.0.1:PORT/api\" (https with TLS). SIGINT and SIGTERM end it.\n";

static bool parse_listen(const char *text, char address[64], unsigned *port_out)
{
    const char *colon = strrchr(text, ':');
    char *end;
    unsigned long port;

    if (!colon || (size_t)(colon - text) >= 64 || colon == text || colon[1] < '0' || colon[1] > '9')
        return false;
    port = strtoul(colon + 1, &end, 10);
    if (*end || port > 65535)
        return false;
    memcpy(address, text, (size_t)(colon - text));
    address[colon - text] = '\0';
    *port_out = (unsigned)port;
    return true;
}

static bool parse_clock(const char *text, int64_t *ms_out)
{
    bool behind = text[0] == '-';

    if (!word_duration(str_of(text + behind), ms_out))
        return false;
    if (behind)
        *ms_out = -*ms_out;
    return true;
}

static int run(const struct local_options *options)
{
    struct local *local = NULL;
    struct error error;
    sigset_t signals;
    int signal_number;

    /* Blocked before the server's threads are born, so that they inherit it and sigwait below gets the signals. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!local_start(&local, options, &error)) {
        fprintf(stderr, "luaduct local: %s\n", error.text);
        return error.kind == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
    }
    printf("listening on %s://%s:%u/api\n", options->tls_certificate ? "https" : "http", options->address, local_port(local));
    fflush(stdout);
    while (sigwait(&signals, &signal_number) != 0)
        ;
    local_stop(local);
    return EXIT_OK;
}

int cli_local(int argc, char **argv)
{
    enum {
        LISTEN = 256, DATA, PROJECT, ACCESS_ID, ACCESS_KEY, REGION, DISCARD, FAULTS, SECOND_COMMIT, SESSION_LIFE, QUOTAS,
        TOKEN, CREDENTIALS, TLS_CERTIFICATE, TLS_KEY, CLOCK, LOG_LEVEL, HELP,
    };
    static const struct option options[] = {
        {"listen", required_argument, NULL, LISTEN},       {"data", required_argument, NULL, DATA},
        {"project", required_argument, NULL, PROJECT},     {"access-id", required_argument, NULL, ACCESS_ID},
        {"access-key", required_argument, NULL, ACCESS_KEY}, {"region", required_argument, NULL, REGION},
        {"discard", no_argument, NULL, DISCARD},           {"faults", required_argument, NULL, FAULTS},
        {"second-commit", required_argument, NULL, SECOND_COMMIT}, {"session-life", required_argument, NULL, SESSION_LIFE},
        {"quotas", required_argument, NULL, QUOTAS},
        {"token", required_argument, NULL, TOKEN},         {"credentials", required_argument, NULL, CREDENTIALS},
        {"tls-certificate", required_argument, NULL, TLS_CERTIFICATE}, {"tls-key", required_argument, NULL, TLS_KEY},
        {"clock", required_argument, NULL, CLOCK},
        {"log-level", required_argument, NULL, LOG_LEVEL}, {"help", no_argument, NULL, HELP}, {0},
    };
    char address[64] = "127.0.0.1";
    const char *key = getenv("LUADUCT_LOCAL_ACCESS_KEY");
    struct local_options local = {
        .address = address, .project = "local", .access_id = "local", .access_key = key && *key ? key : "local"};
    enum log_level level = LOG_WARN;
    struct error error;
    int option, status;

    optind = 1;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case LISTEN:
            if (!parse_listen(optarg, address, &local.port)) {
                fprintf(stderr, "luaduct local: --listen %s: not of the form 127.0.0.1:PORT\n", optarg);
                return EXIT_CONFIG;
            }
            break;
        case DATA:
            local.database = optarg;
            break;
        case PROJECT:
            local.project = optarg;
            break;
        case ACCESS_ID:
            local.access_id = optarg;
            break;
        case ACCESS_KEY:
            local.access_key = optarg;
            break;
        case REGION:
            local.region = optarg;
            break;
        case DISCARD:
            local.discard = true;
            break;
        case FAULTS:
            local.faults_path = optarg;
            break;
        case SECOND_COMMIT:
            local.second_commit = optarg;
            break;
        case SESSION_LIFE:
            local.session_life = optarg;
            break;
        case QUOTAS:
            local.quotas = optarg;
            break;
        case TOKEN:
            local.security_token = optarg;
            break;
        case CREDENTIALS:
            local.credentials_path = optarg;
            break;
        case TLS_CERTIFICATE:
            local.tls_certificate = optarg;
            break;
        case TLS_KEY:
            local.tls_key = optarg;
            break;
        case CLOCK:
            if (!parse_clock(optarg, &local.clock_ms)) {
                fprintf(stderr, "luaduct local: --clock %s: not a time such as 20m or -20m, 24h at most\n", optarg);
                return EXIT_CONFIG;
            }
            break;
        case LOG_LEVEL:
            if (!log_level_parse(str_of(optarg), &level)) {
                fprintf(stderr, "luaduct local: --log-level %s: trace, debug, info, warn or error expected\n", optarg);
                return EXIT_CONFIG;
            }
            break;
        case HELP:
        case 'h':
            fputs(usage, stdout);
            return EXIT_OK;
        default: /* getopt has said what is wrong */
            fputs("`luaduct local --help` tells the options\n", stderr);
            return EXIT_CONFIG;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "luaduct local: \"%s\" is not understood; `luaduct local --help` tells the options\n", argv[optind]);
        return EXIT_CONFIG;
    }
    if (!log_start(level, NULL, &error)) {
        fprintf(stderr, "luaduct local: %s\n", error.text);
        return EXIT_CONFIG;
    }
    log_secret(local.access_key);
    log_secret(local.security_token);
    local.log = log_new(NULL, "local");
    status = run(&local);
    log_free(local.log);
    log_stop();
    return status;
}
