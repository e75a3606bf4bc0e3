/* The table of options, see options.h. */
#include "options.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "cors.h"
#include "listen.h"
#include "store.h"
#include "worker.h"

#define CONNECTIONS_AUTO 1024

/* One option. `set` stores the text and returns NULL, or returns what it should have been. */
typedef struct option {
    const char *flag, *env, *arg, *preset, *help;
    const char *(*set)(const struct option *o, const char *text, void *field);
    size_t offset;
    unsigned min, max; /* numbers; texts: max is the room */
} option;

static bool parse_unsigned(const char *text, unsigned long *out)
{
    unsigned long v = 0;

    if (!*text || strlen(text) > 9)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        v = v * 10 + (unsigned long)(*text - '0');
    }
    *out = v;
    return true;
}

static const char *set_number(const option *o, const char *text, void *field)
{
    unsigned long v;

    if (!parse_unsigned(text, &v) || v < o->min || v > o->max)
        return "must be a whole number";
    *(unsigned *)field = (unsigned)v;
    return NULL;
}

static const char *set_workers(const option *o, const char *text, void *field)
{
    long cores;

    if (strcmp(text, "auto") != 0)
        return set_number(o, text, field);
    cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (cores < 1)
        cores = 1;
    *(unsigned *)field = cores > EBMD_WORKERS_MAX ? EBMD_WORKERS_MAX : (unsigned)cores;
    return NULL;
}

/* auto: what the limit of open files affords, so that a container with a low one starts; a number
 * that was asked for is held against the limit later, and refused. */
static const char *set_connections(const option *o, const char *text, void *field)
{
    unsigned affordable;

    if (strcmp(text, "auto") != 0)
        return set_number(o, text, field);
    affordable = ebmd_listen_affordable(CONNECTIONS_AUTO);
    *(unsigned *)field = affordable < o->min ? o->min : affordable;
    return NULL;
}

static const char *set_text(const option *o, const char *text, void *field)
{
    if (!*text || strlen(text) >= o->max)
        return "must not be empty, nor longer than a path";
    memcpy(field, text, strlen(text) + 1);
    return NULL;
}

static const char *set_store(const option *o, const char *text, void *field)
{
    if (!ebmd_store_spec_valid(text))
        return "must be memory or sqlite:FILE";
    return set_text(o, text, field);
}

static const char *set_origins(const option *o, const char *text, void *field)
{
    if (!ebmd_cors_list_valid(text) || strlen(text) >= o->max)
        return "must be a list like https://a.example,http://localhost:5173 (no \"*\", no path)";
    memcpy(field, text, strlen(text) + 1);
    return NULL;
}

static const char *set_address(const option *o, const char *text, void *field)
{
    static const char shape[] = "must be HOST:PORT with a port of 1..65535 ([::1]:8080 for IPv6)";
    ebmd_address *a = field;
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t n = colon ? (size_t)(colon - text) : 0;
    unsigned long port;

    (void)o;
    if (!colon || !parse_unsigned(colon + 1, &port) || port < 1 || port > 65535)
        return shape;
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
        host++;
        n -= 2;
    } else if (memchr(host, ':', n)) {
        return shape;
    }
    if (n == 0 || n >= sizeof(a->host))
        return shape;
    memcpy(a->host, host, n);
    a->host[n] = '\0';
    snprintf(a->port, sizeof(a->port), "%lu", port);
    a->none = false;
    return NULL;
}

/* Nothing checks who asks on the admin listener, so it stays on this machine. */
static const char *set_admin(const option *o, const char *text, void *field)
{
    ebmd_address *a = field;
    const char *wrong;

    if (strcmp(text, "none") == 0) {
        a->none = true;
        return NULL;
    }
    wrong = set_address(o, text, field);
    if (wrong)
        return wrong;
    if (strncmp(a->host, "127.", 4) == 0 || strcmp(a->host, "::1") == 0 ||
        strcmp(a->host, "localhost") == 0)
        return NULL;
    return "must be a loopback address, or none";
}

#define AT(member)   offsetof(ebmd_options, member)
#define ROOM(member) ((unsigned)sizeof(((ebmd_options *)NULL)->member))

static const option table[] = {
    {"--listen", "EBMD_LISTEN", "HOST:PORT", "127.0.0.1:8080", "where requests are taken",
     set_address, AT(listen), 0, 0},
    {"--admin-listen", "EBMD_ADMIN_LISTEN", "HOST:PORT", "127.0.0.1:8081",
     "health probes for the operator, loopback only; none switches it off", set_admin, AT(admin), 0,
     0},
    {"--models", "EBMD_MODELS", "DIR", "models", "directory with one sub-directory per model",
     set_text, AT(models), 0, ROOM(models)},
    {"--store", "EBMD_STORE", "STORE", "memory", "where jobs are recorded: memory or sqlite:FILE",
     set_store, AT(store), 0, ROOM(store)},
    {"--workers", "EBMD_WORKERS", "N", "auto", "threads that compute, 1..64; auto is one per core",
     set_workers, AT(workers), 1, EBMD_WORKERS_MAX},
    {"--kernels", "EBMD_KERNELS", "SET", "auto", "kernel set, e.g. ref, blas", set_text,
     AT(kernels), 0, ROOM(kernels)},
    {"--queue", "EBMD_QUEUE", "N", "64", "requests that may wait, 1..100000", set_number, AT(queue),
     1, 100000},
    {"--connections", "EBMD_CONNECTIONS", "N", "auto",
     "open connections, 16..65536, or auto: 1024, or fewer if the limit of open files is low",
     set_connections, AT(connections), 16, 65536},
    {"--cors-origins", "EBMD_CORS_ORIGINS", "LIST", "",
     "origins of web pages that may call, separated by commas", set_origins, AT(cors_origins), 0,
     ROOM(cors_origins)},
    {"--drain-seconds", "EBMD_DRAIN_SECONDS", "N", "25",
     "how long SIGTERM waits for accepted requests, 0..3600", set_number, AT(drain_seconds), 0,
     3600},
};
#define N_OPTIONS (sizeof(table) / sizeof(table[0]))

static int apply(const option *o, const char *name, const char *text, ebmd_options *out,
                 ebm_error *err)
{
    const char *wrong = o->set(o, text, (char *)out + o->offset);

    if (!wrong)
        return EBMD_EX_OK;
    if (o->set == set_number || o->set == set_workers || o->set == set_connections)
        ebm_error_set(err, EBM_ERR_RANGE, name, "%s, %u..%u", wrong, o->min, o->max);
    else
        ebm_error_set(err, EBM_ERR_ARG, name, "%s", wrong);
    return EBMD_EX_CONFIG;
}

static int usage_error(ebm_error *err, const char *name, const char *what)
{
    char shown[64];

    snprintf(shown, sizeof(shown), "%.60s", name);
    ebm_error_set(err, EBM_ERR_ARG, shown, "%s", what);
    return EBMD_EX_USAGE;
}

/* Row of "--flag" or "--flag=value"; *value points behind the '=', or is NULL. */
static const option *find(const char *word, const char **value)
{
    size_t n = strcspn(word, "=");

    *value = word[n] == '=' ? word + n + 1 : NULL;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (strlen(table[i].flag) == n && strncmp(table[i].flag, word, n) == 0)
            return &table[i];
    }
    return NULL;
}

static int parse_flags(int argc, const char *const *argv, ebmd_options *out, ebm_error *err)
{
    bool seen[N_OPTIONS] = {false};

    for (int i = 1; i < argc; i++) {
        const char *value;
        const option *o = find(argv[i], &value);
        int rc;

        if (strcmp(argv[i], "--help") == 0) {
            out->help = true;
            continue;
        }
        if (strcmp(argv[i], "--version") == 0) {
            out->version = true;
            continue;
        }
        if (!o)
            return usage_error(err, argv[i], "unknown argument; --help lists all");
        if (seen[o - table])
            return usage_error(err, o->flag, "given twice");
        seen[o - table] = true;
        if (!value && ++i == argc)
            return usage_error(err, o->flag, "needs a value");
        rc = apply(o, o->flag, value ? value : argv[i], out, err);
        if (rc != EBMD_EX_OK)
            return rc;
    }
    return EBMD_EX_OK;
}

int ebmd_options_parse(int argc, const char *const *argv, char *(*lookup)(const char *),
                       ebmd_options *out, ebm_error *err)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const char *text = lookup(table[i].env);
        int rc = apply(&table[i], table[i].env, text ? text : table[i].preset, out, err);

        if (rc != EBMD_EX_OK)
            return rc;
    }
    return parse_flags(argc, argv, out, err);
}

void ebmd_options_help(FILE *out)
{
    fputs("usage: ebmd [OPTION]...\n"
          "Serves energy-based image models over HTTP.\n\n",
          out);
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const option *o = &table[i];

        fprintf(out, "  %s %s\n      %s\n      default: %s, environment: %s\n", o->flag, o->arg,
                o->help, o->preset[0] ? o->preset : "(empty)", o->env);
    }
    fputs("  --help\n      show this and exit\n"
          "  --version\n      show the version and exit\n\n"
          "Exit codes: 0 done, 64 usage, 65 bad model, 66 no model, 69 unavailable,\n"
          "71 system, 73 cannot create, 74 input/output, 75 try later, 78 configuration.\n",
          out);
}
