/* The table of options and what each accepts, see option_rows.h. */
#include "options/option_rows.h"

#include <string.h>
#include <unistd.h>

#include "http/cors.h"
#include "http/listen.h"
#include "store/store.h"
#include "run/worker.h"

#define CONNECTIONS_AUTO 1024

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

static const char *set_number(const ebmd_option *o, const char *text, void *field)
{
    unsigned long v;

    if (!parse_unsigned(text, &v) || v < o->min || v > o->max)
        return "must be a whole number";
    *(unsigned *)field = (unsigned)v;
    return NULL;
}

/* auto is 0 here: it depends on other options. */
static const char *set_or_auto(const ebmd_option *o, const char *text, void *field)
{
    *(unsigned *)field = 0;
    return strcmp(text, "auto") == 0 ? NULL : set_number(o, text, field);
}

static const char *set_workers(const ebmd_option *o, const char *text, void *field)
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
static const char *set_connections(const ebmd_option *o, const char *text, void *field)
{
    unsigned affordable;

    if (strcmp(text, "auto") != 0)
        return set_number(o, text, field);
    affordable = ebmd_listen_affordable(CONNECTIONS_AUTO);
    *(unsigned *)field = affordable < o->min ? o->min : affordable;
    return NULL;
}

static const char *set_text(const ebmd_option *o, const char *text, void *field)
{
    if (!*text || strlen(text) >= o->max)
        return "must not be empty, nor longer than a path";
    memcpy(field, text, strlen(text) + 1);
    return NULL;
}

/* A file that need not be. */
static const char *set_optional(const ebmd_option *o, const char *text, void *field)
{
    if (strlen(text) >= o->max)
        return "must not be longer than a path";
    memcpy(field, text, strlen(text) + 1);
    return NULL;
}

static const char *set_store(const ebmd_option *o, const char *text, void *field)
{
    if (!ebmd_store_spec_valid(text))
        return "must be auto, memory or sqlite:FILE";
    return set_text(o, text, field);
}

static const char *set_origins(const ebmd_option *o, const char *text, void *field)
{
    if (!ebmd_cors_list_valid(text) || strlen(text) >= o->max)
        return "must be a list like https://a.example,http://localhost:5173 (no \"*\", no path)";
    memcpy(field, text, strlen(text) + 1);
    return NULL;
}

static const char *set_switch(const ebmd_option *o, const char *text, void *field)
{
    bool on = strcmp(text, "on") == 0;

    (void)o;
    if (!on && strcmp(text, "off") != 0)
        return "must be on or off";
    *(bool *)field = on;
    return NULL;
}

static const char *set_proxies(const ebmd_option *o, const char *text, void *field)
{
    (void)o;
    if (!ebmd_proxies_parse(text, field))
        return "must be a list of addresses or networks like 10.0.0.0/8,::1, at most 32";
    return NULL;
}

static const char *set_address(const ebmd_option *o, const char *text, void *field)
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
static const char *set_admin(const ebmd_option *o, const char *text, void *field)
{
    ebmd_address *a = field;

    if (strcmp(text, "none") == 0) {
        a->none = true;
        return NULL;
    }
    return set_address(o, text, field);
}

#define AT(member)   offsetof(ebmd_options, member)
#define ROOM(member) ((unsigned)sizeof(((ebmd_options *)NULL)->member))

static const ebmd_option table[] = {
    {"--config", "EBMD_CONFIG", "FILE", "", "file with further options, one `key = value` a line",
     set_optional, AT(config), 0, ROOM(config)},
    {"--listen", "EBMD_LISTEN", "HOST:PORT", "127.0.0.1:8080", "where requests are taken",
     set_address, AT(listen), 0, 0},
    {"--admin-listen", "EBMD_ADMIN_LISTEN", "HOST:PORT", "127.0.0.1:8081",
     "health probes and metrics for the operator; none switches it off. Beyond this machine's own "
     "addresses it needs --api-keys: all but probes and metrics wants a key of the scope admin",
     set_admin, AT(admin), 0, 0},
    {"--models", "EBMD_MODELS", "DIR", "models", "directory with one sub-directory per model",
     set_text, AT(models), 0, ROOM(models)},
    {"--store", "EBMD_STORE", "STORE", "auto",
     "where jobs are kept: sqlite:FILE, memory, or auto: jobs.db in $STATE_DIRECTORY, "
     "$XDG_STATE_HOME/ebmd or $HOME/.local/state/ebmd",
     set_store, AT(store), 0, ROOM(store)},
    {"--workers", "EBMD_WORKERS", "N", "auto", "threads that compute, 1..64; auto is one per core",
     set_workers, AT(workers), 1, EBMD_WORKERS_MAX},
    {"--kernels", "EBMD_KERNELS", "SET", "auto",
     "kernel set: amx, avx512bf16, avx512, avx2, blas, ref; auto is the best of this CPU", set_text,
     AT(kernels), 0, ROOM(kernels)},
    {"--slots", "EBMD_SLOTS", "N", "64", "jobs that are worked on side by side, 1..1024",
     set_number, AT(slots), 1, 1024},
    {"--slots-mib", "EBMD_SLOTS_MIB", "MIB", "256",
     "memory of their chains and pictures, 1..1048576; with more no further job is begun but a "
     "smaller one in the place of a larger",
     set_number, AT(slots_mib), 1, 1048576},
    {"--queue", "EBMD_QUEUE", "N", "64",
     "jobs that may wait beyond those, 1..100000; beyond that 429", set_number, AT(queue), 1,
     100000},
    {"--queue-work", "EBMD_QUEUE_WORK", "N", "100000000",
     "gradient evaluations that may wait, 1000..999999999; beyond that 429", set_number,
     AT(queue_work), 1000, 999999999},
    {"--queue-mib", "EBMD_QUEUE_MIB", "MIB", "256",
     "pictures, chains and checkpoints of jobs that wait or run, 1..1048576; beyond that 429",
     set_number, AT(queue_mib), 1, 1048576},
    {"--request-work", "EBMD_REQUEST_WORK", "N", "100000000",
     "gradient evaluations that one request may ask for, 1000..999999999; beyond that 422",
     set_number, AT(request_work), 1000, 999999999},
    {"--jobs-per-key", "EBMD_JOBS_PER_KEY", "N", "auto",
     "jobs of one API key that may wait or run, 1..100000; auto is half of --queue and --slots; "
     "beyond that 429",
     set_or_auto, AT(jobs_per_key), 1, 100000},
    {"--result-ttl", "EBMD_RESULT_TTL", "SECONDS", "86400",
     "how long results are kept, 1..31536000", set_number, AT(result_ttl), 1, 31536000},
    {"--result-mib", "EBMD_RESULT_MIB", "MIB", "256",
     "bytes of results that are kept, 1..1048576; beyond it those of the oldest jobs go",
     set_number, AT(result_mib), 1, 1048576},
    {"--sync-limit", "EBMD_SYNC_LIMIT", "SECONDS", "30",
     "how long a request waits for its job before it is answered 202, 1..3600", set_number,
     AT(sync_limit), 1, 3600},
    {"--connections", "EBMD_CONNECTIONS", "N", "auto",
     "open connections, 16..65536, or auto: 1024, or fewer if the limit of open files is low",
     set_connections, AT(connections), 16, 65536},
    {"--streams", "EBMD_STREAMS", "N", "auto",
     "event streams at once, 1..49152 and at most three quarters of --connections, one owner a "
     "quarter of them; "
     "auto: half of --connections",
     set_or_auto, AT(streams), 1, 49152},
    {"--stream-heartbeat", "EBMD_STREAM_HEARTBEAT", "SECONDS", "15",
     "between two signs of life on an idle event stream, 1..60", set_number, AT(stream_heartbeat),
     1, 60},
    {"--playground", "EBMD_PLAYGROUND", "on|off", "on",
     "whether / is a page for trying things out in a browser", set_switch, AT(playground), 0, 0},
    {"--cors-origins", "EBMD_CORS_ORIGINS", "LIST", "",
     "origins of web pages that may call, separated by commas", set_origins, AT(cors_origins), 0,
     ROOM(cors_origins)},
    {"--api-keys", "EBMD_API_KEYS", "FILE", "",
     "file of hashed API keys; empty: everybody may call without one", set_optional, AT(api_keys),
     0, ROOM(api_keys)},
    {"--trusted-proxies", "EBMD_TRUSTED_PROXIES", "LIST", "",
     "networks of proxies whose X-Forwarded-For is believed, separated by commas", set_proxies,
     AT(proxies), 0, 0},
    {"--tls-cert", "EBMD_TLS_CERT", "FILE", "",
     "PEM file with the certificate chain; with it the main listener speaks TLS", set_optional,
     AT(tls_cert), 0, ROOM(tls_cert)},
    {"--tls-key", "EBMD_TLS_KEY", "FILE", "", "PEM file with the certificate's private key",
     set_optional, AT(tls_key), 0, ROOM(tls_key)},
    {"--drain-delay", "EBMD_DRAIN_DELAY", "SECONDS", "0",
     "how long SIGTERM lets everything be served while /readyz says 503 already, so that a "
     "balancer "
     "can look, 0..600",
     set_number, AT(drain_delay), 0, 600},
    {"--drain-seconds", "EBMD_DRAIN_SECONDS", "N", "15",
     "how long SIGTERM waits for jobs whose clients wait, 0..3600", set_number, AT(drain_seconds), 0,
     3600},
};

const ebmd_option *ebmd__option_rows(size_t *n)
{
    *n = sizeof(table) / sizeof(table[0]);
    return table;
}

ebm_status ebmd__option_apply(const ebmd_option *o, const char *name, const char *text,
                              ebmd_options *out, ebm_error *err)
{
    const char *wrong = o->set(o, text, (char *)out + o->offset);

    if (!wrong)
        return EBM_OK;
    if (o->set == set_number || o->set == set_or_auto || o->set == set_workers ||
        o->set == set_connections)
        return ebm_error_set(err, EBM_ERR_RANGE, name, "%s, %u..%u", wrong, o->min, o->max);
    return ebm_error_set(err, EBM_ERR_ARG, name, "%s", wrong);
}
