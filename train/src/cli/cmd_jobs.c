/* `ebm jobs`: looks at jobs of a daemon, waits for them, cancels them. Knows job objects. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/remote_job.h"
#include "ebm/io.h"

typedef struct jobs_args {
    const char *server, *key_file, *id, *out, *status, *kind;
    int32_t limit;
    bool json;
} jobs_args;

#define AT(member) offsetof(jobs_args, member)
#define SERVER                                                                                     \
    {"--server", EBMT_OPT_STRING,                                                                  \
     AT(server), 0,                                                                                \
     0,          NULL,                                                                             \
     "URL",      "the daemon, e.g. http://127.0.0.1:8080",                                         \
     true},                                                                                        \
    {                                                                                              \
        "--api-key-file", EBMT_OPT_STRING, AT(key_file), 0, 0, NULL, "FILE",                       \
            "file with the API key; absent: the environment's EBM_API_KEY", false                  \
    }

static const ebmt_option list_rows[] = {
    SERVER,
    {"--status", EBMT_OPT_STRING, AT(status), 0, 0, NULL, "LIST",
     "only jobs in these states, separated by commas", false},
    {"--kind", EBMT_OPT_STRING, AT(kind), 0, 0, NULL, "KIND", "only jobs of this kind", false},
    {"--limit", EBMT_OPT_INT, AT(limit), 1, 100, NULL, "jobs", "the newest so many", false},
    {"--json", EBMT_OPT_FLAG, AT(json), 0, 0, NULL, "", "the answer as it comes", false},
};
static const ebmt_option one_rows[] = {SERVER};
static const ebmt_option wait_rows[] = {
    SERVER,
    {"--out", EBMT_OPT_STRING, AT(out), 0, 0, NULL, "DIR",
     "write its images here as 000000.png ...; made if missing", false},
};

/* --- list ----------------------------------------------------------------------------------- */

/* Words that go into a query as they are: letters, digits, "_", "," and "-". */
static bool is_plain(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_,-") ==
           strlen(text);
}

static ebm_status list_path(const jobs_args *a, char *path, size_t size, ebm_error *err)
{
    const char *bad = a->status && !is_plain(a->status) ? "--status"
                      : a->kind && !is_plain(a->kind)   ? "--kind"
                                                        : NULL;
    if (bad)
        return ebm_error_set(err, EBM_ERR_ARG, bad, "must be words");
    int n = snprintf(path, size, "/v1/jobs?limit=%d%s%s%s%s", a->limit, a->status ? "&status=" : "",
                     a->status ? a->status : "", a->kind ? "&kind=" : "", a->kind ? a->kind : "");
    if (n < 0 || (size_t)n >= size)
        return ebm_error_set(err, EBM_ERR_ARG, "--status", "is too long");
    return EBM_OK;
}

static const char *text_in(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "-";
}

static ebm_status print_json(const json_t *value, ebm_error *err)
{
    char *text = json_dumps(value, JSON_INDENT(2));
    if (!text)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory");
    (void)puts(text);
    free(text);
    return EBM_OK;
}

static ebm_status list(const ebmt__remote *r, const jobs_args *a, ebm_error *err)
{
    char path[512];
    json_t *answer = NULL, *one;
    size_t i;
    ebm_status st = list_path(a, path, sizeof path, err);
    const ebmt__question q = {"GET", path, NULL, false};
    if (st == EBM_OK)
        st = ebmt__remote_ask(r, &q, &answer, err);
    if (st == EBM_OK && a->json)
        st = print_json(answer, err);
    else
        json_array_foreach(json_object_get(answer, "data"), i, one)
        {
            (void)printf("%-32s %-12s %-10s %s\n", text_in(one, "id"), text_in(one, "kind"),
                         text_in(one, "status"), text_in(one, "created_at"));
        }
    json_decref(answer);
    return st;
}

/* --- one job -------------------------------------------------------------------------------- */

static ebm_status tell(const ebmt__remote *r, const char *method, const char *id, const char *tail,
                       ebm_error *err)
{
    char path[EBMT_JOB_ID_MAX + 32];
    const ebmt__question q = {method, path, NULL, false};
    json_t *job = NULL;
    (void)snprintf(path, sizeof path, "/v1/jobs/%s%s", id, tail);
    ebm_status st = ebmt__remote_ask(r, &q, &job, err);
    if (st == EBM_OK)
        st = print_json(job, err);
    json_decref(job);
    return st;
}

static ebm_status show(const ebmt__remote *r, const jobs_args *a, ebm_error *err)
{
    return tell(r, "GET", a->id, "", err);
}

static ebm_status cancel(const ebmt__remote *r, const jobs_args *a, ebm_error *err)
{
    return tell(r, "POST", a->id, "/cancel", err);
}

/* Energies and likelihoods have none: their results are in the job object. */
static bool has_images(const json_t *job)
{
    const json_t *item = json_array_get(json_object_get(job, "data"), 0);
    return json_is_string(json_object_get(item, "sha256"));
}

static ebm_status wait(const ebmt__remote *r, const jobs_args *a, ebm_error *err)
{
    json_t *job = NULL;
    ebm_status st = a->out ? ebm_dir_make(a->out, err) : EBM_OK;
    if (st == EBM_OK)
        st = ebmt__job_wait(r, a->id, false, &job, err);
    if (st == EBM_OK) {
        const json_t *params = json_object_get(job, "params");
        const int64_t first = json_integer_value(json_object_get(params, "first_index"));
        st = has_images(job) ? ebmt__job_save(job, a->out, first, err) : ebmt__job_print(job, err);
    }
    json_decref(job);
    return st;
}

/* --- the command ---------------------------------------------------------------------------- */

typedef struct verb {
    ebmt_command command;
    ebm_status (*run)(const ebmt__remote *r, const jobs_args *a, ebm_error *err);
} verb;

#define ROWS(rows) .options = (rows), .n_options = sizeof(rows) / sizeof((rows)[0])
#define JOB        .argument = "JOB", .argument_offset = AT(id)

static const verb verbs[] = {
    {{.name = "jobs list", .summary = "Lists jobs of a daemon, the newest first.", ROWS(list_rows)},
     list},
    {{.name = "jobs show", .summary = "Prints a job object.", ROWS(one_rows), JOB}, show},
    {{.name = "jobs cancel",
      .summary = "Cancels a job; one that has ended stays as it is.",
      ROWS(one_rows),
      JOB},
     cancel},
    {{.name = "jobs wait",
      .summary = "Waits for the end of a job and prints a line for each result.",
      ROWS(wait_rows),
      JOB},
     wait},
};
#define N_VERBS (sizeof verbs / sizeof verbs[0])

static int run_verb(const verb *v, int argc, char **argv)
{
    jobs_args args = {.limit = 20};
    ebmt_parsed parsed;
    ebm_error err = {0};
    ebmt__remote r;
    int code;
    if (!ebmt__cli_parse(&v->command, argc, argv, &args, &parsed, &code))
        return code;
    ebm_status st = ebmt__remote_open(&r, args.server, args.key_file, &err);
    if (st == EBM_OK && args.id && !ebmt__job_id_valid(args.id))
        st = ebm_error_set(&err, EBM_ERR_ARG, "JOB", "is not a job's id");
    if (st == EBM_OK)
        st = v->run(&r, &args, &err);
    ebmt__options_clear(&parsed);
    if (st == EBM_ERR_ARG)
        return ebmt__cli_usage(v->command.name, &err);
    return st == EBM_OK ? EBMT_EXIT_OK : ebmt__cli_fail(v->command.name, &err);
}

int ebmt__cmd_jobs(int argc, char **argv)
{
    const char *name = argc > 0 ? argv[0] : "";
    bool help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
    for (size_t i = 0; i < N_VERBS; i++)
        if (strcmp(verbs[i].command.name + strlen("jobs "), name) == 0)
            return run_verb(&verbs[i], argc - 1, argv + 1);
    (void)fprintf(help ? stdout : stderr,
                  "usage: ebm jobs list|show|cancel|wait [JOB] --server URL [--flag VALUE]...\n");
    return help ? EBMT_EXIT_OK : EBMT_EXIT_USAGE;
}
